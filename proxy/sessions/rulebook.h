/* SPDX-License-Identifier: MIT */
/*
 * Rules in force, with their counts and all else that sessions have in common. A session
 * keeps the book that it began with, so one that was replaced (SIGHUP) lives on until its
 * last session has ended.
 */
#ifndef SESSIONS_RULEBOOK_H
#define SESSIONS_RULEBOOK_H

#include <stdatomic.h>
#include <stdio.h>

#include "proxy/options.h"
#include "proxy/sessions/session.h"

struct rulebook {
	struct session_config config;   /* rules and rules_state in it are owned */
	struct ruleset       *rules;
	struct rules_state   *state;
	unsigned              users;    /* sessions, and the worker while it is in force */
	atomic_uint          *books;    /* that have these rules: one a worker */
};

/*
 * Loads the rule files. NULL: their errors were written to err. Copies config, whose rules and
 * rules_state are filled in. Rules that are in earlier too (NULL: none) go on with its counts.
 */
struct rulebook *rulebook_load(const struct options_list *files, uint64_t seed,
    const struct session_config *config, const struct rulebook *earlier, FILE *err);

/*
 * The same rules for another worker, with a config of its own: rules count in the same place,
 * whoever asks them. Each book is used and released on one thread.
 */
struct rulebook *rulebook_beside(const struct rulebook *first, const struct session_config *config);

struct rulebook *rulebook_use(struct rulebook *rulebook);
void rulebook_release(struct rulebook *rulebook);

/* Says on err what the rules had come to that the later book does not go on with. */
void rulebook_tell_replaced(const struct rulebook *earlier, const struct rulebook *later, FILE *err);

/* Puts a rule-summary event for each rule. */
void rulebook_summarize(const struct rulebook *rulebook, struct event_sink events, uint64_t time_us);

/* Says on err which `expect` was not met. True: all were. */
bool rulebook_is_met(const struct rulebook *rulebook, FILE *err);

#endif
