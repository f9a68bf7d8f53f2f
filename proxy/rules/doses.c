/* SPDX-License-Identifier: MIT */
/*
 * Doses and chance. skip and every count matches, chance is thrown on what is left, limit
 * counts the times that the rule acted. Counts per rule stand in the state, per session and
 * transaction in the run (they go with it), by client, sender and recipient in a bounded
 * table of the rule.
 *
 * A window begins with the first match that is counted in it and ends when its time is
 * over; the next match begins another. So a key costs two numbers however long the window.
 */
#include <stdlib.h>

#include "proxy/rules/judging.h"
#include "proxy/rules/siphash.h"
#include "proxy/rules/state.h"

static struct rule_state *
state_of(struct judging *j, const struct rule *rule)
{
	return j->state->rule[rule - j->rules->rules];
}

static void
tell_forgotten(struct rule_state *state, const struct rule *rule, const struct counts *counts, const char *what)
{
	if (counts->forgotten == 0 || state->told)
		return;
	state->told = true;
	fprintf(stderr, "%s: rule \"%s\" counts more than %u %s: the oldest are forgotten\n", rule->at, rule->name,
	    COUNTS_MOST, what);
}

/* Mailboxes are the same in whatever case, as == has it. */
static uint64_t
hash_nocase(uint64_t key, struct view text)
{
	char block[64];

	do {
		size_t len = text.len < sizeof block ? text.len : sizeof block;

		for (size_t i = 0; i < len; i++)
			block[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (char)(text.at[i] + 32) : text.at[i];
		key = siphash(key, text.len, (struct view){block, len});
		text = view_from(text, len);
	} while (text.len > 0);
	return key;
}

/* Whom a dose counts for here; who has no client, sender or recipient counts as one. */
static uint64_t
dose_key(const struct judging *j, const struct rule *rule, const struct dose *dose)
{
	const struct rules_facts *facts = &j->facts;
	uint64_t key = (uint64_t)(dose - rule->doses) + 1;
	struct address client;

	if (dose->scope == SCOPE_CLIENT && address_of(facts->client, &client))
		return siphash(key, 1, (struct view){(const char *)client.octets, sizeof client.octets});
	if (dose->scope == SCOPE_SENDER && facts->sender.at != NULL)
		return hash_nocase(key, facts->sender);
	/* Content has several recipients: the whole list is one key. */
	for (size_t i = 0; dose->scope == SCOPE_RECIPIENT && i < facts->recipient_count; i++)
		key = hash_nocase(key, facts->recipients[i]);
	return key;
}

static struct counter *
run_counter(struct judging *j, const struct dose *dose)
{
	struct rules_run *run = j->run;
	struct counter *counter;

	if (run->counters == NULL) {
		run->counters = calloc(j->rules->run_slots, sizeof *run->counters);
		if (run->counters == NULL)
			abort();
	}
	counter = &run->counters[dose->slot];
	if (dose->scope == SCOPE_TRANSACTION && counter->transaction != run->transaction)
		*counter = (struct counter){.transaction = run->transaction};
	return counter;
}

/* The dose's number and the start of its window, wherever they are kept. */
static void
counter_find(struct judging *j, const struct rule *rule, const struct dose *dose, uint64_t **number,
    uint64_t **since_us)
{
	struct rule_state *state = state_of(j, rule);
	struct counter *counter = NULL;
	struct count *count;

	if (dose->scope == SCOPE_RULE)
		counter = &state->own[dose->slot];
	else if (dose->scope == SCOPE_SESSION || dose->scope == SCOPE_TRANSACTION)
		counter = run_counter(j, dose);
	if (counter != NULL) {
		*number = &counter->number;
		*since_us = &counter->since_us;
	} else {
		count = counts_take(&state->keyed, dose_key(j, rule, dose));
		*number = &count->number;
		*since_us = &count->time_us;
		tell_forgotten(state, rule, &state->keyed, "clients, senders or recipients");
	}
	if (dose->within_us != 0 && **number > 0 && j->facts.time_us >= **since_us + dose->within_us)
		**number = 0;
}

/* How many there were before this one; counts this one too. */
static uint64_t
counter_add(struct judging *j, const struct rule *rule, const struct dose *dose)
{
	uint64_t *number, *since_us;

	counter_find(j, rule, dose, &number, &since_us);
	if (*number == 0)
		*since_us = j->facts.time_us;
	return (*number)++;
}

/* All skips count every match; each every counts what is left by those before it. */
static bool
doses_count(struct judging *j, const struct rule *rule)
{
	bool skipped = false;

	for (size_t i = 0; i < rule->dose_count; i++) {
		const struct dose *dose = &rule->doses[i];

		if (dose->type == DOSE_SKIP && counter_add(j, rule, dose) < dose->number)
			skipped = true;
	}
	for (size_t i = 0; i < rule->dose_count && !skipped; i++) {
		const struct dose *dose = &rule->doses[i];

		if (dose->type == DOSE_EVERY && (counter_add(j, rule, dose) + 1) % dose->number != 0)
			skipped = true;
	}
	return !skipped;
}

static bool
doses_limit(struct judging *j, const struct rule *rule)
{
	uint64_t *number, *since_us;

	for (size_t i = 0; i < rule->dose_count; i++) {
		if (rule->doses[i].type != DOSE_LIMIT)
			continue;
		counter_find(j, rule, &rule->doses[i], &number, &since_us);
		if (*number >= rule->doses[i].number)
			return false;
	}
	for (size_t i = 0; i < rule->dose_count; i++)
		if (rule->doses[i].type == DOSE_LIMIT)
			counter_add(j, rule, &rule->doses[i]);
	return true;
}

uint64_t
throw_number(const struct judging *j, const struct rule *rule, const struct throw *throw, uint64_t which)
{
	uint64_t numbers[3] = {j->run->history, throw->number, which};

	return siphash_numbers(j->state->seed, siphash(0, 0, rule->name_view), numbers, 3);
}

static bool
doses_throw(struct judging *j, const struct rule *rule, struct throw *throw)
{
	struct rule_state *state = state_of(j, rule);
	const struct dose *chance = NULL;

	for (size_t i = 0; i < rule->dose_count; i++)
		if (rule->doses[i].type == DOSE_CHANCE)
			chance = &rule->doses[i];
	throw->number = counts_take(&state->throws, j->run->history)->number++;
	tell_forgotten(state, rule, &state->throws, "histories of sessions");
	if (chance == NULL)
		return true;
	throw->thrown = true;
	/* 53 bits are what a double holds: 0 to 100, 100 not included. */
	throw->percent = (double)(throw_number(j, rule, throw, 0) >> 11) * 0x1p-53 * 100;
	return throw->percent < chance->percent;
}

/* Whether it counts anything that another session counts too. */
static bool
is_shared(const struct rule *rule)
{
	for (size_t i = 0; i < rule->dose_count; i++)
		if (rule->doses[i].type != DOSE_CHANCE && rule->doses[i].scope != SCOPE_SESSION &&
		    rule->doses[i].scope != SCOPE_TRANSACTION)
			return true;
	return rule->throws;
}

static bool
allow(struct judging *j, const struct rule *rule, struct throw *throw)
{
	if (rule->dose_count > 0 && !doses_count(j, rule))
		return false;
	if (rule->throws && !doses_throw(j, rule, throw))
		return false;
	return rule->dose_count == 0 || doses_limit(j, rule);
}

bool
doses_allow(struct judging *j, const struct rule *rule, struct throw *throw)
{
	struct rule_state *state = state_of(j, rule);
	bool allowed;

	memset(throw, 0, sizeof *throw);
	if (!is_shared(rule))
		return allow(j, rule, throw);
	pthread_mutex_lock(&state->lock);
	allowed = allow(j, rule, throw);
	pthread_mutex_unlock(&state->lock);
	return allowed;
}
