/* SPDX-License-Identifier: MIT */
/* Counts as judging sees them; rules.h says what they are to others. */
#ifndef RULES_STATE_H
#define RULES_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "proxy/rules/counts.h"
#include "proxy/rules/ruleset.h"

/* What a dose counts. For a window or a transaction that is over it starts anew. */
struct counter {
	uint64_t number;
	uint64_t since_us;      /* of the first in its window */
	uint32_t transaction;   /* scope transaction: whose count it is */
};

/*
 * Sessions of several threads count here. Whoever has no dose but per session and transaction
 * takes no lock for it.
 */
struct rule_state {
	atomic_uint     users;  /* states: rules that were loaded again go on with what they had */
	atomic_bool     reached;        /* it was asked about a unit */
	atomic_uint_fast64_t matched, skipped, acted;
	pthread_mutex_t lock;   /* of all below */
	struct counter *own;    /* doses per rule, by their slot */
	struct counts   keyed;  /* doses per client, sender, recipient */
	struct counts   throws; /* throws by history */
	bool            told;   /* that keys are forgotten */
};

/*
 * What is switched while the program runs. It goes by the rule's name alone: a rule that was
 * loaded again with another text has the same switch, and so have sessions with earlier rules.
 * Any thread may set it; who judges only looks, and takes what is to be fired.
 */
struct rule_switch {
	atomic_uint users;      /* states */
	atomic_bool off;
	atomic_uint fires;      /* matches at which it is yet to act whatever its doses */
};

/* Tags of clients, by word and address: time_us is when they end. */
struct client_tags {
	atomic_uint     users;
	pthread_mutex_t lock;   /* of all below */
	struct counts   until;
	bool            told;     /* that tags are forgotten */
};

/* One thread's: the rules' own states, switches and the tags are shared, patterns are tried in its own place. */
struct rules_state {
	const struct ruleset *rules;    /* borrowed */
	uint64_t              seed;
	struct rule_state   **rule;     /* by number */
	struct rule_switch  **switches; /* by number */
	struct client_tags   *tags;
	struct pattern_user  *user;
	bool                  told_pattern;
};

#endif
