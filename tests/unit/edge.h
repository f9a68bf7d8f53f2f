/* SPDX-License-Identifier: MIT */
/*
 * Octets that end where memory ends: behind the last one lies a page that cannot be read, so
 * that a parser which looks one octet too far crashes instead of being lucky. And the main of
 * a program with one test case.
 */
#ifndef TESTS_UNIT_EDGE_H
#define TESTS_UNIT_EDGE_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "decoders/view.h"

/* A copy of the octets against an unreadable page. edge_free gives it back. */
static inline struct view
edge_copy(struct view octets)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (octets.len + page - 1) / page * page;
	char  *base = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char  *at;

	ck_assert_ptr_ne(base, MAP_FAILED);
	ck_assert_int_eq(mprotect(base + room, page, PROT_NONE), 0);
	at = base + room - octets.len;
	if (octets.len > 0)
		memcpy(at, octets.at, octets.len);
	return (struct view){at, octets.len};
}

/* The first n of octets, against the page behind a copy of at least as many, which they overwrite. */
static inline struct view
edge_first(struct view copy, struct view octets, size_t n)
{
	char *at = (char *)(uintptr_t)copy.at + copy.len - n;

	if (n > 0)
		memcpy(at, octets.at, n);
	return (struct view){at, n};
}

static inline void
edge_free(struct view octets)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (octets.len + page - 1) / page * page;

	munmap((char *)(uintptr_t)octets.at + octets.len - room, room + page);
}

/* A view is what a text says; NULL stands for a view that is not there. */
#define assert_view(octets, text) \
	do { \
		struct view  got_ = (octets); \
		const char  *want_ = (text); \
		if (want_ == NULL) \
			ck_assert_msg(got_.at == NULL, "%s is \"%.*s\", not absent", #octets, (int)got_.len, \
			    got_.at == NULL ? "" : got_.at); \
		else \
			ck_assert_msg(got_.at != NULL && view_equal(got_, view_of(want_)), \
			    "%s is \"%.*s\", not \"%s\"", #octets, (int)got_.len, \
			    got_.at == NULL ? "" : got_.at, want_); \
	} while (0)

static inline int
edge_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int      failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
