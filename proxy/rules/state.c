/* SPDX-License-Identifier: MIT */
/* What is counted beside a ruleset, for all sessions and for each; made, freed, reported. */
#include "proxy/rules/state.h"

#include <stdlib.h>

#include "proxy/rules/siphash.h"

static void *
take_zeroed(size_t count, size_t size)
{
	void *at = calloc(count, size);

	if (at == NULL)
		abort();
	return at;
}

/* What the rule of the same name and text had counted; NULL: there was none. */
static struct rule_state *
earlier_counts(const struct rules_state *earlier, const struct rule *rule)
{
	for (size_t i = 0; earlier != NULL && i < earlier->rules->count; i++) {
		const struct rule *other = &earlier->rules->rules[i];

		if (other->text_hash == rule->text_hash && view_equal(other->name_view, rule->name_view))
			return earlier->rule[i];
	}
	return NULL;
}

/* The rule of that name had this switch; NULL: there was none. */
static struct rule_switch *
earlier_switch(const struct rules_state *earlier, const struct rule *rule)
{
	size_t number = earlier == NULL ? RULES_NONE_SUCH : ruleset_find(earlier->rules, rule->name_view);

	return number == RULES_NONE_SUCH ? NULL : earlier->switches[number];
}

static struct client_tags *
tags_new(void)
{
	struct client_tags *tags = take_zeroed(1, sizeof *tags);

	pthread_mutex_init(&tags->lock, NULL);
	return tags;
}

static struct rules_state *
make_state(const struct ruleset *rules, uint64_t seed, const struct rules_state *earlier)
{
	struct rules_state *state = take_zeroed(1, sizeof *state);

	state->rules = rules;
	state->seed = seed;
	state->user = pattern_user_new();
	state->tags = earlier != NULL ? earlier->tags : tags_new();
	state->tags->users++;
	state->rule = take_zeroed(rules->count + 1, sizeof(struct rule_state *));
	state->switches = take_zeroed(rules->count + 1, sizeof(struct rule_switch *));
	for (size_t i = 0; i < rules->count; i++) {
		struct rule_state *rule = earlier_counts(earlier, &rules->rules[i]);
		struct rule_switch *lever = earlier_switch(earlier, &rules->rules[i]);

		if (rule == NULL) {
			rule = take_zeroed(1, sizeof *rule);
			pthread_mutex_init(&rule->lock, NULL);
			rule->own = take_zeroed(rules->rules[i].own_slots + 1, sizeof *rule->own);
		}
		rule->users++;
		state->rule[i] = rule;
		state->switches[i] = lever != NULL ? lever : take_zeroed(1, sizeof *lever);
		state->switches[i]->users++;
	}
	return state;
}

struct rules_state *
rules_state_new(const struct ruleset *rules, uint64_t seed)
{
	return make_state(rules, seed, NULL);
}

struct rules_state *
rules_state_follow(const struct ruleset *rules, const struct rules_state *earlier)
{
	return make_state(rules, earlier->seed, earlier);
}

static void
release_rule(struct rule_state *rule)
{
	if (--rule->users > 0)
		return;
	free(rule->own);
	counts_free(&rule->keyed);
	counts_free(&rule->throws);
	pthread_mutex_destroy(&rule->lock);
	free(rule);
}

void
rules_state_free(struct rules_state *state)
{
	if (state == NULL)
		return;
	for (size_t i = 0; i < state->rules->count; i++)
		release_rule(state->rule[i]);
	free(state->rule);
	for (size_t i = 0; i < state->rules->count; i++)
		if (--state->switches[i]->users == 0)
			free(state->switches[i]);
	free(state->switches);
	if (--state->tags->users == 0) {
		counts_free(&state->tags->until);
		pthread_mutex_destroy(&state->tags->lock);
		free(state->tags);
	}
	pattern_user_free(state->user);
	free(state);
}

void
rules_state_count(const struct rules_state *state, size_t rule, struct rules_count *count)
{
	static const char *const words[] = {"", "at least", "at most", "exactly"};
	const struct rule *r = &state->rules->rules[rule];
	const struct rule_state *s = state->rule[rule];

	memset(count, 0, sizeof *count);
	count->rule = r->name;
	count->at = r->at;
	count->reached = atomic_load(&s->reached);
	count->enabled = !atomic_load(&state->switches[rule]->off);
	count->fires = atomic_load(&state->switches[rule]->fires);
	count->matched = atomic_load(&s->matched);
	count->skipped = atomic_load(&s->skipped);
	count->acted = atomic_load(&s->acted);
	count->expected = r->expect != EXPECT_NONE;
	count->met = r->expect == EXPECT_AT_LEAST ? count->matched >= r->expect_number :
	    r->expect == EXPECT_AT_MOST ? count->matched <= r->expect_number :
	    r->expect == EXPECT_EXACTLY ? count->matched == r->expect_number : true;
	if (count->expected)
		snprintf(count->expectation, sizeof count->expectation, "%s %llu", words[r->expect],
		    (unsigned long long)r->expect_number);
}

bool
rules_state_goes_on(const struct rules_state *earlier, size_t rule, const struct rules_state *later)
{
	for (size_t i = 0; i < later->rules->count; i++)
		if (later->rule[i] == earlier->rule[rule])
			return true;
	return false;
}

void
rules_state_enable(struct rules_state *state, size_t rule, bool enabled)
{
	atomic_store(&state->switches[rule]->off, !enabled);
}

bool
rules_state_fire(struct rules_state *state, size_t rule)
{
	if (state->rules->rules[rule].action_count == 0)
		return false;
	atomic_fetch_add(&state->switches[rule]->fires, 1);
	return true;
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
	if (run->rules->count == 0)
		return;         /* nobody will ask */
	run->history = siphash(run->history, 0, line);
}
