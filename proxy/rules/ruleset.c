/* SPDX-License-Identifier: MIT */
/*
 * A ruleset whole: loading files into it, and its index. Rules are found by place and verb,
 * so that a session without matching rules costs the same however many there are.
 */
#include "proxy/rules/ruleset.h"

#include <stdlib.h>

#include "proxy/rules/load.h"

unsigned
ruleset_tag(struct ruleset *rules, struct view word)
{
	struct tag_word *tag;

	for (unsigned i = 0; i < rules->tag_count; i++)
		if (view_equal(rules->tags[i].word, word))
			return i;
	if (rules->tag_count == rules->tag_size) {
		rules->tag_size = rules->tag_size == 0 ? 8 : rules->tag_size * 2;
		rules->tags = realloc(rules->tags, rules->tag_size * sizeof *rules->tags);
		if (rules->tags == NULL)
			abort();
	}
	tag = &rules->tags[rules->tag_count];
	memset(tag, 0, sizeof *tag);
	tag->word = arena_copy(&rules->arena, word);
	return (unsigned)rules->tag_count++;
}

/* Whether a rule is asked at that place and slot. */
static bool
rule_stands(const struct rule *rule, enum rules_place at, unsigned slot)
{
	for (size_t i = 0; i < rule->place_count; i++) {
		const struct place *place = &rule->places[i];

		if (place->at == at && (place->any || place->slot == slot))
			return true;
	}
	return false;
}

static void
make_list(struct ruleset *rules, enum rules_place at, unsigned slot)
{
	struct rule_list *list = &rules->lists[at][slot];
	uint32_t *members;

	for (size_t i = 0; i < rules->count; i++)
		list->count += rule_stands(&rules->rules[i], at, slot);
	if (list->count == 0)
		return;
	members = arena_take(&rules->arena, list->count * sizeof *members);
	list->at = members;
	for (size_t i = 0; i < rules->count; i++)
		if (rule_stands(&rules->rules[i], at, slot))
			*members++ = (uint32_t)i;
	rules->needs[at][slot] = at == RULES_AT_CONTENT ? RULES_STREAM : at == RULES_AT_CONTENT_END ? RULES_END :
	    RULES_UNIT;
}

/* What a session must be prepared for. */
static void
note_actions(struct ruleset *rules, const struct rule *rule)
{
	bool content = rule_stands(rule, RULES_AT_CONTENT, 0);

	for (size_t i = 0; i < rule->action_count; i++) {
		enum action_type type = rule->actions[i].type;

		if (type == ACTION_SAVE && rules->saves == NULL)
			rules->saves = rule->at;
		rules->edits_content = rules->edits_content || (content && (type == ACTION_REPLACE ||
		    type == ACTION_HEADER || type == ACTION_TRUNCATE || type == ACTION_CORRUPT));
	}
}

void
ruleset_index(struct ruleset *rules)
{
	for (unsigned at = 0; at < 7; at++)
		for (unsigned slot = 0; slot < RULES_VERB_SLOTS; slot++)
			if (slot == 0 || at == RULES_AT_REPLY || (at == RULES_AT_COMMAND && slot < SMTP_VERB_COUNT))
				make_list(rules, (enum rules_place)at, slot);
	for (size_t i = 0; i < rules->count; i++)
		note_actions(rules, &rules->rules[i]);
	/* Before a command's verb is there, any rule on any command may be the one. */
	for (unsigned slot = 0; slot < SMTP_VERB_COUNT; slot++)
		if (rules->needs[RULES_AT_COMMAND][slot] != RULES_NONE)
			rules->needs[RULES_AT_COMMAND][SMTP_VERB_UNKNOWN] = RULES_UNIT;
	if (rules->needs[RULES_AT_CONTENT][0] == RULES_NONE)
		rules->needs[RULES_AT_CONTENT][0] = rules->needs[RULES_AT_CONTENT_END][0];
}

enum rules_need
rules_need(const struct ruleset *rules, enum rules_place place, unsigned verb)
{
	bool by_verb = place == RULES_AT_COMMAND || place == RULES_AT_REPLY;

	if (rules == NULL)
		return RULES_NONE;
	return (enum rules_need)rules->needs[place][by_verb && verb < RULES_VERB_SLOTS ? verb : 0];
}

struct ruleset *
ruleset_load_counting(const char *const *paths, size_t count, FILE *err, size_t *counts)
{
	struct source *sources = calloc(count + 1, sizeof *sources);
	struct ruleset *rules;

	if (sources == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		source_read(&sources[i], paths[i]);
	rules = ruleset_parse(sources, count);
	for (size_t i = 0; i < count; i++) {
		source_tell(&sources[i], err);
		source_free(&sources[i]);
	}
	free(sources);
	for (size_t i = 0; counts != NULL && i < count; i++)
		counts[i] = 0;
	for (size_t i = 0; counts != NULL && rules != NULL && i < rules->count; i++)
		counts[rules->rules[i].file]++;
	return rules;
}

struct ruleset *
ruleset_load(const char *const *paths, size_t count, FILE *err)
{
	return ruleset_load_counting(paths, count, err, NULL);
}

void
ruleset_free(struct ruleset *rules)
{
	if (rules == NULL)
		return;
	pattern_free_chain(rules->patterns);
	free(rules->rules);
	free(rules->tags);
	arena_clear(&rules->arena);
	free(rules);
}

size_t
ruleset_count(const struct ruleset *rules)
{
	return rules->count;
}

size_t
ruleset_find(const struct ruleset *rules, struct view name)
{
	for (size_t i = 0; i < rules->count; i++)
		if (view_equal(rules->rules[i].name_view, name))
			return i;
	return RULES_NONE_SUCH;
}

const char *
ruleset_name(const struct ruleset *rules, size_t rule)
{
	return rules->rules[rule].name;
}

bool
ruleset_wants_header(const struct ruleset *rules)
{
	return rules->wants_header;
}

bool
ruleset_wants_command_at_reply(const struct ruleset *rules)
{
	return rules->wants_command;
}

bool
ruleset_edits_content(const struct ruleset *rules)
{
	return rules->edits_content;
}

const char *
ruleset_saves(const struct ruleset *rules)
{
	return rules->saves;
}

bool
ruleset_wants_seed(const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (rules->rules[i].throws)
			return true;
	}
	return false;
}
