/* SPDX-License-Identifier: MIT */
/*
 * Patterns (PCRE2): compiled once when a rule file is loaded, tried on octets, not on
 * characters. A pattern that would take too long is cut short and counts as no match.
 */
#ifndef RULES_PATTERN_H
#define RULES_PATTERN_H

#include <stdint.h>

#include "decoders/view.h"

struct pattern;
struct pattern_user;    /* what matching needs beside the pattern: one for each thread that matches */

/*
 * NULL: it is none; *offset is where in the text, and why (of size octets) says what. The
 * owner chains patterns by pattern_chain.
 */
struct pattern *pattern_new(struct view text, bool caseless, size_t *offset, char *why, size_t size);
void pattern_free(struct pattern *pattern);
uint32_t pattern_groups(const struct pattern *pattern);

/* A list of patterns that have one owner. */
void pattern_chain(struct pattern **first, struct pattern *pattern);
void pattern_free_chain(struct pattern *first);

struct pattern_user *pattern_user_new(void);
void pattern_user_free(struct pattern_user *user);

/* Where the pattern matched, by group; .at NULL: the group took no part. */
struct pattern_groups {
	struct view group[10];
};

/* Tries from an offset on. groups may be NULL. */
bool pattern_match(const struct pattern *pattern, struct pattern_user *user, struct view subject, size_t from,
    struct pattern_groups *groups);

/* How often a match was cut short. */
uint64_t pattern_cut_short(const struct pattern_user *user);

#endif
