/* SPDX-License-Identifier: MIT */
/* Rules in force, and what they came to. */
#include "proxy/sessions/rulebook.h"

#include <inttypes.h>
#include <stdlib.h>

static struct rulebook *
make(struct ruleset *rules, struct rules_state *state, const struct session_config *config)
{
	struct rulebook *rulebook = malloc(sizeof *rulebook);

	if (rulebook == NULL)
		abort();
	*rulebook = (struct rulebook){.config = *config, .rules = rules, .state = state, .users = 1};
	rulebook->config.rules = rules;
	rulebook->config.rules_state = state;
	return rulebook;
}

struct rulebook *
rulebook_load(const struct options_list *files, uint64_t seed, const struct session_config *config,
    const struct rulebook *earlier, FILE *err)
{
	struct ruleset *rules = ruleset_load(files->at, files->count, err);
	struct rulebook *rulebook;

	if (rules == NULL)
		return NULL;
	if (ruleset_saves(rules) != NULL && !config->keeps_messages && !config->dry_run) {
		fprintf(err, "%s: save: there is no place for messages; name a Maildir by --save-messages DIR\n",
		    ruleset_saves(rules));
		ruleset_free(rules);
		return NULL;
	}
	rulebook = make(rules, earlier == NULL ? rules_state_new(rules, seed) : rules_state_follow(rules, earlier->state),
	    config);
	rulebook->books = malloc(sizeof *rulebook->books);
	if (rulebook->books == NULL)
		abort();
	atomic_init(rulebook->books, 1);
	return rulebook;
}

struct rulebook *
rulebook_beside(const struct rulebook *first, const struct session_config *config)
{
	struct rulebook *rulebook = make(first->rules, rules_state_follow(first->rules, first->state), config);

	rulebook->books = first->books;
	atomic_fetch_add(rulebook->books, 1);
	return rulebook;
}

struct rulebook *
rulebook_use(struct rulebook *rulebook)
{
	rulebook->users++;
	return rulebook;
}

void
rulebook_release(struct rulebook *rulebook)
{
	if (--rulebook->users > 0)
		return;
	rules_state_free(rulebook->state);
	if (atomic_fetch_sub(rulebook->books, 1) == 1) {
		ruleset_free(rulebook->rules);
		free(rulebook->books);
	}
	free(rulebook);
}

void
rulebook_tell_replaced(const struct rulebook *earlier, const struct rulebook *later, FILE *err)
{
	for (size_t i = 0; i < ruleset_count(earlier->rules); i++) {
		struct rules_count count;

		rules_state_count(earlier->state, i, &count);
		if (count.matched == 0 || rules_state_goes_on(earlier->state, i, later->state))
			continue;
		fprintf(err, "%s: rule \"%s\" is %s: it matched %" PRIu64 ", was skipped %" PRIu64 ", acted %" PRIu64 "\n",
		    count.at, count.rule, ruleset_find(later->rules, view_of(count.rule)) == RULES_NONE_SUCH ? "gone" :
		    "another one now, and counts anew", count.matched, count.skipped, count.acted);
	}
}

void
rulebook_summarize(const struct rulebook *rulebook, struct event_sink events, uint64_t time_us)
{
	for (size_t i = 0; i < ruleset_count(rulebook->rules); i++) {
		struct event event = {.type = EVENT_RULE_SUMMARY, .time_us = time_us};
		struct rules_count count;

		rules_state_count(rulebook->state, i, &count);
		event.as.rule_summary.rule = count.rule;
		event.as.rule_summary.reached = count.reached;
		event.as.rule_summary.matched = count.matched;
		event.as.rule_summary.skipped = count.skipped;
		event.as.rule_summary.acted = count.acted;
		events.put(events.to, &event);
	}
}

bool
rulebook_is_met(const struct rulebook *rulebook, FILE *err)
{
	bool met = true;

	for (size_t i = 0; i < ruleset_count(rulebook->rules); i++) {
		struct rules_count count;

		rules_state_count(rulebook->state, i, &count);
		if (!count.expected || count.met)
			continue;
		fprintf(err, "%s: rule \"%s\": expected %s, and it matched %" PRIu64 " time%s\n", count.at, count.rule,
		    count.expectation, count.matched, count.matched == 1 ? "" : "s");
		met = false;
	}
	return met;
}
