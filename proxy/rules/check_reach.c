/* SPDX-License-Identifier: MIT */
/*
 * Rules that are never asked, since one before them ends the trying on each unit that they stand
 * on: always, without condition and dose.
 */
#include "proxy/rules/check_rule.h"

/* By place and verb: the rule (from 1) behind which none is asked; [..][RULES_VERB_SLOTS]: on whatever verb. */
struct ends {
	uint32_t by[7][RULES_VERB_SLOTS + 1];
	uint32_t passed;        /* by a `pass` on connect; 0: there is none */
};

bool
rule_changes_verb(const struct rule *rule)
{
	bool command = false;

	for (size_t i = 0; i < rule->place_count; i++)
		command = command || rule->places[i].at == RULES_AT_COMMAND;
	for (size_t i = 0; command && i < rule->action_count; i++)
		if (rule->actions[i].type == ACTION_REPLACE ||
		    (rule->actions[i].type == ACTION_SET && rule->actions[i].set == SET_LINE))
			return true;
	return false;
}

static bool
always_ends(const struct rule *rule)
{
	for (size_t i = 0; rule->when == NULL && rule->dose_count == 0 && i < rule->action_count; i++)
		if (action_ends_trying(rule->actions[i].type))
			return true;
	return false;
}

static bool
always_passes(const struct rule *rule)
{
	for (size_t i = 0; rule->when == NULL && rule->dose_count == 0 && i < rule->action_count; i++)
		if (rule->actions[i].type == ACTION_PASS)
			return true;
	return false;
}

static uint32_t
ended_by(const struct ends *ends, const struct place *place)
{
	uint32_t whatever = ends->by[place->at][RULES_VERB_SLOTS];

	if (ends->passed != 0 && place->at != RULES_AT_CONNECT)
		return ends->passed;
	return whatever != 0 || place->any ? whatever : ends->by[place->at][place->slot];
}

/* The rule behind which this one is never asked; 0: it may be. */
static uint32_t
never_asked(const struct ends *ends, const struct rule *rule)
{
	uint32_t by = 0;

	for (size_t i = 0; i < rule->place_count; i++) {
		by = ended_by(ends, &rule->places[i]);
		if (by == 0)
			return 0;
	}
	return by;
}

static void
add_ends(struct ends *ends, const struct rule *rule, uint32_t number)
{
	for (size_t i = 0; i < rule->place_count; i++) {
		const struct place *place = &rule->places[i];
		uint32_t *by = &ends->by[place->at][place->any ? RULES_VERB_SLOTS : place->slot];

		*by = *by == 0 ? number : *by;
	}
}

/* Connect is the first unit of each session: who passes there passes all. */
static uint32_t
find_passer(const struct ruleset *rules)
{
	struct ends ends = {.passed = 0};

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		bool connect = false;

		for (size_t k = 0; k < rule->place_count; k++)
			connect = connect || rule->places[k].at == RULES_AT_CONNECT;
		if (!connect)
			continue;
		if (always_passes(rule) && ends.by[RULES_AT_CONNECT][RULES_VERB_SLOTS] == 0 &&
		    ends.by[RULES_AT_CONNECT][0] == 0)
			return (uint32_t)i + 1;
		if (always_ends(rule))
			add_ends(&ends, rule, (uint32_t)i + 1);
	}
	return 0;
}

void
check_reach(const struct ruleset *rules, struct source *sources)
{
	struct ends ends = {.passed = find_passer(rules)};
	bool changing = false;

	for (size_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		uint32_t by = never_asked(&ends, rule);

		changing = changing || rule_changes_verb(rule);
		/* A command that a rule in between made of another was not at the place of those before. */
		if (by != 0 && !changing && by != i + 1) {
			const struct rule *first = &rules->rules[by - 1];

			source_warn(&sources[rule->file], rule->origin, "this rule is never asked: rule \"%s\" (%s) %s",
			    first->name, first->at, by == ends.passed ? "passes each session on connect" :
			    "always ends the trying there");
		}
		if (always_ends(rule))
			add_ends(&ends, rule, (uint32_t)i + 1);
	}
}
