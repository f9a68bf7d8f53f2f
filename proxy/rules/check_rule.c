/* SPDX-License-Identifier: MIT */
/*
 * What can only be said of a whole rule: whether its fields exist and its actions may stand
 * where it stands, and what will hardly do what was meant. Codes are in check_reply.c.
 */
#include <stdio.h>

#include "proxy/rules/check_rule.h"

void
place_say(const struct place *place, char *out, size_t size)
{
	const char *target = "";

	if (!place->any)
		target = place->slot == RULES_VERB_CONNECT ? "CONNECT" : place->slot == RULES_VERB_CONTENT ? "CONTENT" :
		    smtp_verb_entry((enum smtp_verb)place->slot)->name.at;
	if (place->at == RULES_AT_COMMAND && !place->any)
		snprintf(out, size, "%s", target);
	else
		snprintf(out, size, "%s%s%s", language_places[place->at].at, place->any ? "" : " to ", target);
}

/* Whether a place is one of these. */
static bool
place_among(const struct place *place, unsigned places)
{
	if (places & 1u << place->at)
		return true;
	return (places & ON_EHLO_REPLY) && place->at == RULES_AT_REPLY && !place->any &&
	    (place->slot == SMTP_EHLO || place->slot == SMTP_LHLO);
}

bool
place_is(const struct place *place, enum rules_place at, unsigned slot)
{
	return place->at == at && !place->any && place->slot == slot;
}

/* What a field reads can be there: it has a value on this place, or may have one. */
static bool
place_has(const struct place *place, enum field_reads reads)
{
	bool command = place->at == RULES_AT_COMMAND, reply = place->at == RULES_AT_REPLY;
	bool content = place->at == RULES_AT_CONTENT || place->at == RULES_AT_CONTENT_END;
	bool greeting = place_is(place, RULES_AT_REPLY, RULES_VERB_CONNECT);
	bool final = place_is(place, RULES_AT_REPLY, RULES_VERB_CONTENT);

	switch (reads) {
	case READS_NOTHING:
		return true;
	case READS_COMMAND:
		return command || (reply && !greeting);
	case READS_SENDER:
		return command || (reply && !greeting) || content;
	case READS_RECIPIENT:
		return ((command || reply) && (place->any || place->slot == SMTP_RCPT)) || final || content;
	case READS_CONTENT:
		return content || final || (reply && place->any);
	}
	return true;
}

static void
check_use(struct parser *p, const struct field_use *use)
{
	const struct field_entry *entry = &language_fields[use->ref.field];
	bool has = false;
	char here[64], there[160];

	for (size_t i = 0; i < p->rule.place_count; i++) {
		const struct place *place = &p->rule.places[i];

		place_say(place, here, sizeof here);
		if (!place_among(place, entry->stands)) {
			language_say_places(entry->stands, there, sizeof there);
			parser_error(p, use->origin, "there is no %s on %s: it exists on %s", entry->name.at, here, there);
			return;
		}
		has = has || place_has(place, entry->reads);
		if (place->at == RULES_AT_REPLY && entry->reads != READS_NOTHING && entry->reads != READS_CONTENT)
			p->rules->wants_command = true;
	}
	p->rules->wants_header = p->rules->wants_header || use->ref.field == FIELD_HEADER;
	if (!has && p->rule.place_count > 0)
		parser_warn(p, use->origin, use->in_dose ? "there is never a %s on %s: all matches count as one" :
		    "%s never has a value on %s", entry->name.at, here);
}

static void
check_set(struct parser *p, const struct action *action, const struct place *place, size_t origin)
{
	const struct set_entry *entry = &language_sets[action->set];
	unsigned verb = action->set == SET_SENDER ? SMTP_MAIL : SMTP_RCPT;
	char here[64];

	place_say(place, here, sizeof here);
	if (!place_among(place, entry->stands))
		parser_error(p, origin, "set %s may not stand on %s: it may stand on %s", entry->name.at, here,
		    entry->stands == ON_REPLY ? "reply" : "command or a verb");
	else if ((action->set == SET_SENDER || action->set == SET_RECIPIENT) && !place->any && place->slot != verb)
		parser_error(p, origin, "set %s may not stand on %s: it may stand on %s", entry->name.at, here,
		    smtp_verb_entry((enum smtp_verb)verb)->name.at);
}

static void
check_action_place(struct parser *p, const struct action *action, const struct place *place, size_t origin)
{
	const struct action_entry *entry = &language_actions[action->type];
	char here[64], there[200];

	place_say(place, here, sizeof here);
	if (!place_among(place, entry->stands)) {
		language_say_places(entry->stands, there, sizeof there);
		parser_error(p, origin, "%s may not stand on %s: it may stand on %s", entry->name.at, here, there);
		return;
	}
	if (action->type == ACTION_SET)
		check_set(p, action, place, origin);
	else if (action->type == ACTION_REPLY && action->code != 0)
		check_reply_code(p, action->code, place, origin);
	else if (action->type == ACTION_REPEAT && place->at == RULES_AT_COMMAND && !place->any &&
	    !language_repeats((enum smtp_verb)place->slot))
		parser_warn(p, origin, "%s is sent once all the same: what follows it would be read otherwise", here);
}

/* Two answers to one unit are a slip of the pen. */
static void
check_answers(struct parser *p)
{
	const struct action *first = NULL;

	for (size_t i = 0; i < p->rule.action_count; i++) {
		const struct action *action = &p->rule.actions[i];

		if (action->type != ACTION_REPLY && action->type != ACTION_DROP)
			continue;
		if (first != NULL)
			parser_error(p, p->action_origins[i], first->type == ACTION_REPLY && action->type == ACTION_REPLY ?
			    "a rule gives one reply: its further lines are further strings" :
			    "reply and drop contradict each other");
		first = action;
	}
}

/* An LF in a command line may be the end of one command and the start of another. */
static void
check_line_feed(struct parser *p, const struct action *action, size_t origin)
{
	bool feed = action->type == ACTION_REPLACE &&
	    memchr(action->text_new.at, '\n', action->text_new.len) != NULL;

	if (action->type == ACTION_SET && !action->broken)
		for (size_t i = 0; i < action->strings[0].count; i++) {
			struct view literal = action->strings[0].pieces[i].literal;

			feed = feed || memchr(literal.at, '\n', literal.len) != NULL;
		}
	/* In content nobody writes one by mistake. */
	for (size_t i = 0; i < p->rule.place_count; i++)
		feed = feed && p->rule.places[i].at != RULES_AT_CONTENT;
	if (feed && action->type == ACTION_SET && language_sets[action->set].stands == ON_REPLY)
		parser_error(p, origin, "no LF in what a reply is set to: for broken replies there is `reply raw`");
	else if (feed)
		parser_warn(p, origin, "what follows this LF may be taken for a line of its own");
}

static void
check_action(struct parser *p, const struct action *action, size_t origin)
{
	size_t errors = p->source->errors;

	for (size_t i = 0; i < p->rule.place_count && p->source->errors == errors; i++)
		check_action_place(p, action, &p->rule.places[i], origin);
	check_line_feed(p, action, origin);
	if (action->type == ACTION_REPLY && !action->raw)
		check_reply(p, action, origin);
	if (action->type == ACTION_SET && action->set == SET_REPLY_CODE && !action->broken)
		check_set_code(p, action, origin);
}

void
check_rule(struct parser *p)
{
	if (!p->place_unknown)
		for (const struct field_use *use = p->uses; use != NULL; use = use->next)
			check_use(p, use);
	if (p->place_unknown)
		p->rule.place_count = 0;
	for (size_t i = 0; i < p->rule.action_count; i++)
		check_action(p, &p->rule.actions[i], p->action_origins[i]);
	check_answers(p);
	if (p->source->errors == 0)
		check_when(p);
}
