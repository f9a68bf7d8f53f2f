/* SPDX-License-Identifier: MIT */
/* What is counted beside a ruleset, for all sessions and for each; made, freed, reported. */
#include "proxy/rules/state.h"

#include <stdlib.h>

#include "proxy/rules/siphash.h"

struct rules_state *
rules_state_new(const struct ruleset *rules, uint64_t seed)
{
	struct rules_state *state = calloc(1, sizeof *state);

	if (state == NULL)
		abort();
	state->rules = rules;
	state->seed = seed;
	state->user = pattern_user_new();
	state->rule = calloc(rules->count + 1, sizeof *state->rule);
	if (state->rule == NULL)
		abort();
	for (size_t i = 0; i < rules->count; i++) {
		state->rule[i].own = calloc(rules->rules[i].own_slots + 1, sizeof(struct counter));
		if (state->rule[i].own == NULL)
			abort();
	}
	return state;
}

void
rules_state_free(struct rules_state *state)
{
	if (state == NULL)
		return;
	for (size_t i = 0; i < state->rules->count; i++) {
		free(state->rule[i].own);
		counts_free(&state->rule[i].keyed);
		counts_free(&state->rule[i].throws);
	}
	free(state->rule);
	counts_free(&state->tags);
	pattern_user_free(state->user);
	free(state);
}

void
rules_state_count(const struct rules_state *state, size_t rule, struct rules_count *count)
{
	static const char *const words[] = {"", "at least", "at most", "exactly"};
	const struct rule *r = &state->rules->rules[rule];
	const struct rule_state *s = &state->rule[rule];

	memset(count, 0, sizeof *count);
	count->rule = r->name;
	count->at = r->at;
	count->matched = s->matched;
	count->skipped = s->skipped;
	count->acted = s->acted;
	count->expected = r->expect != EXPECT_NONE;
	count->met = r->expect == EXPECT_AT_LEAST ? s->matched >= r->expect_number :
	    r->expect == EXPECT_AT_MOST ? s->matched <= r->expect_number :
	    r->expect == EXPECT_EXACTLY ? s->matched == r->expect_number : true;
	if (count->expected)
		snprintf(count->expectation, sizeof count->expectation, "%s %llu", words[r->expect],
		    (unsigned long long)r->expect_number);
}

void
rules_run_init(struct rules_run *run, const struct ruleset *rules, struct rules_state *state, uint64_t session)
{
	memset(run, 0, sizeof *run);
	(void)session;
	run->rules = rules;
	run->state = state;
}

void
rules_run_clear(struct rules_run *run, uint64_t session)
{
	(void)session;
	free(run->tags);
	free(run->counters);
	memset(run, 0, sizeof *run);
}

void
rules_run_heard(struct rules_run *run, struct view line)
{
	run->history = siphash(run->history, 0, line);
}
