/* SPDX-License-Identifier: MIT */
/* What an output keeps about each session, found by the session's number. */
#ifndef OUTPUTS_NUMBERED_H
#define OUTPUTS_NUMBERED_H

#include <stddef.h>
#include <stdint.h>

/* The first member of what is kept. */
struct numbered {
	uint64_t         number;
	struct numbered *next;
};

/* All zero: empty. Owns its buckets, and not what is in it. */
struct numbers {
	struct numbered **buckets;
	size_t            size, count;
};

/* NULL: there is none. */
struct numbered *numbers_find(const struct numbers *numbers, uint64_t number);
/* A number that is not in it yet. Out of memory ends the program. */
void numbers_add(struct numbers *numbers, struct numbered *it);
/* Takes one out that is in it. */
void numbers_remove(struct numbers *numbers, struct numbered *it);
/* Takes any one out; NULL: it is empty. */
struct numbered *numbers_take(struct numbers *numbers);
void numbers_clear(struct numbers *numbers);

#endif
