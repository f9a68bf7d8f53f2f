/* SPDX-License-Identifier: MIT */
#include "proxy/rules/ranges.h"

#include <string.h>

void
ranges_none(struct ranges *ranges)
{
	memset(ranges, 0, sizeof *ranges);
}

void
ranges_all(struct ranges *ranges)
{
	ranges_none(ranges);
	ranges->at[0].high = WIDE_MOST;
	ranges->count = 1;
}

static void
give_up(struct ranges *ranges)
{
	ranges_all(ranges);
	ranges->overflown = true;
}

void
ranges_add(struct ranges *ranges, wide low, wide high)
{
	struct ranges old = *ranges;
	bool placed = false;

	if (low > high || old.overflown)
		return;
	ranges->count = 0;
	for (unsigned i = 0; i < old.count; i++) {
		struct range r = old.at[i];

		if (r.high < low && low - r.high > 1) {
			ranges->at[ranges->count++] = r;
		} else if (r.low > high && r.low - high > 1) {
			if (!placed) {
				if (old.count == RANGES_MOST) {
					give_up(ranges);
					return;
				}
				ranges->at[ranges->count++] = (struct range){low, high};
				placed = true;
			}
			ranges->at[ranges->count++] = r;
		} else {        /* they touch: one range of both */
			low = r.low < low ? r.low : low;
			high = r.high > high ? r.high : high;
		}
	}
	if (placed)
		return;
	if (ranges->count == RANGES_MOST)
		give_up(ranges);
	else
		ranges->at[ranges->count++] = (struct range){low, high};
}

void
ranges_invert(struct ranges *ranges)
{
	struct ranges old = *ranges;
	wide next = 0;

	if (old.overflown)
		return;
	ranges_none(ranges);
	for (unsigned i = 0; i < old.count; i++) {
		if (old.at[i].low > next)
			ranges_add(ranges, next, old.at[i].low - 1);
		if (old.at[i].high == WIDE_MOST)
			return;
		next = old.at[i].high + 1;
	}
	ranges_add(ranges, next, WIDE_MOST);
}

void
ranges_meet(struct ranges *ranges, const struct ranges *other)
{
	struct ranges old = *ranges;

	ranges_none(ranges);
	for (unsigned i = 0; i < old.count; i++)
		for (unsigned k = 0; k < other->count; k++) {
			const struct range *a = &old.at[i], *b = &other->at[k];

			ranges_add(ranges, a->low > b->low ? a->low : b->low, a->high < b->high ? a->high : b->high);
		}
}
