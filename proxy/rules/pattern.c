/* SPDX-License-Identifier: MIT */
/*
 * PCRE2 behind a small wall. Peers choose what patterns are tried on, so matching has a
 * limit: one message with a well chosen line must not stop all sessions.
 */
#include "proxy/rules/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define PATTERN_MATCH_LIMIT 1000000u
#define PATTERN_DEPTH_LIMIT 10000u
#define PATTERN_HEAP_LIMIT  16384u      /* KiB */

struct pattern {
	pcre2_code     *code;
	uint32_t        groups;
	struct pattern *next;
};

struct pattern_user {
	pcre2_match_data    *data;
	pcre2_match_context *context;
	uint64_t             cut_short;
};

struct pattern *
pattern_new(struct view text, bool caseless, size_t *offset, char *why, size_t size)
{
	struct pattern *pattern = calloc(1, sizeof *pattern);
	int error;
	PCRE2_SIZE at = 0;

	if (pattern == NULL)
		abort();
	pattern->code = pcre2_compile((PCRE2_SPTR)text.at, text.len, caseless ? PCRE2_CASELESS : 0, &error, &at, NULL);
	if (pattern->code == NULL) {
		if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, size) < 0)
			snprintf(why, size, "error %d of PCRE2", error);
		*offset = at < text.len ? at : text.len;
		free(pattern);
		return NULL;
	}
	/* Without a JIT for this machine the interpreter does it: slower, not wrong. */
	(void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
	pcre2_pattern_info(pattern->code, PCRE2_INFO_CAPTURECOUNT, &pattern->groups);
	return pattern;
}

void
pattern_free(struct pattern *pattern)
{
	if (pattern == NULL)
		return;
	pcre2_code_free(pattern->code);
	free(pattern);
}

uint32_t
pattern_groups(const struct pattern *pattern)
{
	return pattern->groups;
}

void
pattern_chain(struct pattern **first, struct pattern *pattern)
{
	pattern->next = *first;
	*first = pattern;
}

void
pattern_free_chain(struct pattern *first)
{
	while (first != NULL) {
		struct pattern *next = first->next;

		pattern_free(first);
		first = next;
	}
}

struct pattern_user *
pattern_user_new(void)
{
	struct pattern_user *user = calloc(1, sizeof *user);

	if (user == NULL)
		abort();
	user->data = pcre2_match_data_create(10, NULL);
	user->context = pcre2_match_context_create(NULL);
	if (user->data == NULL || user->context == NULL)
		abort();
	pcre2_set_match_limit(user->context, PATTERN_MATCH_LIMIT);
	pcre2_set_depth_limit(user->context, PATTERN_DEPTH_LIMIT);
	pcre2_set_heap_limit(user->context, PATTERN_HEAP_LIMIT);
	return user;
}

void
pattern_user_free(struct pattern_user *user)
{
	if (user == NULL)
		return;
	pcre2_match_data_free(user->data);
	pcre2_match_context_free(user->context);
	free(user);
}

bool
pattern_match(const struct pattern *pattern, struct pattern_user *user, struct view subject, size_t from,
    struct pattern_groups *groups)
{
	const char *text = subject.at != NULL ? subject.at : "";
	int found = pcre2_match(pattern->code, (PCRE2_SPTR)text, subject.len, from, 0, user->data, user->context);
	const PCRE2_SIZE *where;

	if (found < 0) {
		if (found != PCRE2_ERROR_NOMATCH)
			user->cut_short++;
		return false;
	}
	if (groups == NULL)
		return true;
	where = pcre2_get_ovector_pointer(user->data);
	memset(groups, 0, sizeof *groups);
	/* 0: there are more groups than room; those that there is room for are filled in. */
	for (int i = 0; i < (found == 0 ? 10 : found); i++)
		if (where[2 * i] != PCRE2_UNSET && where[2 * i] <= where[2 * i + 1])
			groups->group[i] = (struct view){text + where[2 * i], where[2 * i + 1] - where[2 * i]};
	return true;
}

uint64_t
pattern_cut_short(const struct pattern_user *user)
{
	return user->cut_short;
}
