/* SPDX-License-Identifier: MIT */
/* The tables of language.h, and looking things up in them. */
#include "proxy/rules/language.h"

#include <stdio.h>

const struct view language_places[7] = {
#define X(id, name) [RULES_AT_##id] = VIEW(name),
	RULES_PLACES(X)
#undef X
};

const struct field_entry language_fields[FIELD_COUNT] = {
#define X(id, name, type, index, stands, reads) {VIEW(name), TYPE_##type, INDEX_##index, stands, READS_##reads},
	RULES_FIELDS(X)
#undef X
};

const struct action_entry language_actions[ACTION_COUNT] = {
#define X(id, name, stands) {VIEW(name), stands},
	RULES_ACTIONS(X)
#undef X
};

const struct set_entry language_sets[SET_COUNT] = {
#define X(id, name, stands) {VIEW(name), stands},
	RULES_SETS(X)
#undef X
};

const struct view language_doses[DOSE_COUNT] = {
#define X(id, name) VIEW(name),
	RULES_DOSES(X)
#undef X
};

const struct view language_scopes[SCOPE_COUNT] = {
#define X(id, name) VIEW(name),
	RULES_SCOPES(X)
#undef X
};

bool
action_ends_trying(enum action_type type)
{
	return type == ACTION_REPLY || type == ACTION_DROP || type == ACTION_HOLD || type == ACTION_CLOSE ||
	    type == ACTION_RESET || type == ACTION_STOP || type == ACTION_PASS;
}

bool
language_repeats(enum smtp_verb verb)
{
	return verb != SMTP_DATA && verb != SMTP_BDAT && verb != SMTP_AUTH && verb != SMTP_STARTTLS;
}

static int
find(const struct view *names, size_t count, struct view name)
{
	for (size_t i = 0; i < count; i++)
		if (view_equal(names[i], name))
			return (int)i;
	return -1;
}

int
language_field(struct view name)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		if (view_equal(language_fields[i].name, name))
			return i;
	return -1;
}

int
language_action(struct view name)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (view_equal(language_actions[i].name, name))
			return i;
	return -1;
}

int
language_dose(struct view name)
{
	return find(language_doses, DOSE_COUNT, name);
}

int
language_scope(struct view name)
{
	return find(language_scopes, SCOPE_COUNT, name);
}

int
language_place(struct view name)
{
	return find(language_places, sizeof language_places / sizeof language_places[0], name);
}

void
names_add(struct names *names, const char *name)
{
	if (names->count < sizeof names->at / sizeof names->at[0])
		names->at[names->count++] = name;
}

void
names_add_views(struct names *names, const struct view *views, size_t count)
{
	for (size_t i = 0; i < count; i++)
		names_add(names, views[i].at);
}

void
names_add_fields(struct names *names)
{
	for (int i = 0; i < FIELD_COUNT; i++)
		names_add(names, language_fields[i].name.at);
}

void
names_add_actions(struct names *names)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		names_add(names, language_actions[i].name.at);
}

void
names_add_verbs(struct names *names)
{
	for (int i = SMTP_VERB_UNKNOWN + 1; i < SMTP_VERB_COUNT; i++)
		names_add(names, smtp_verb_entry((enum smtp_verb)i)->name.at);
}

void
names_add_places(struct names *names)
{
	names_add_views(names, language_places, sizeof language_places / sizeof language_places[0]);
	names_add_verbs(names);
}

void
language_say_places(unsigned places, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if ((places & ON_ANYTHING) == ON_ANYTHING) {
		snprintf(out, size, "any place");
		return;
	}
	for (unsigned i = 0; i < 7; i++) {
		const char *name = i == RULES_AT_COMMAND ? "command or a verb" : language_places[i].at;

		if ((places & 1u << i) && used < size)
			used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", name);
	}
	if ((places & ON_EHLO_REPLY) && used < size)
		snprintf(out + used, size - used, "%sreply to EHLO, reply to LHLO", used > 0 ? ", " : "");
}
