/* SPDX-License-Identifier: MIT */
/*
 * Which values a field may have: a few ranges of numbers, wide enough for an IPv6 address. What
 * would need more ranges than there is room for becomes all values: too many, never too few.
 */
#ifndef RULES_RANGES_H
#define RULES_RANGES_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 wide;

#define WIDE_MOST   (~(wide)0)
#define RANGES_MOST 32u

struct range {
	wide low, high;                 /* both included */
};

struct ranges {
	struct range at[RANGES_MOST];   /* ascending, apart from each other */
	unsigned     count;             /* 0: no value is left */
	bool         overflown;         /* there was no room: it stands for more than it should */
};

void ranges_all(struct ranges *ranges);
void ranges_none(struct ranges *ranges);
void ranges_add(struct ranges *ranges, wide low, wide high);
/* What is not in it; all values where there was no room. */
void ranges_invert(struct ranges *ranges);
/* Keeps what is in both. */
void ranges_meet(struct ranges *ranges, const struct ranges *other);

#endif
