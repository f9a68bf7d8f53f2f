/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean": optimal string alignment distance, which is Levenshtein's with the swap
 * of two neighbours as one step, the commonest slip of all. Apart from its users because
 * there are many: options, subcommands, rule words, what `explain` is asked for.
 */
#include "proxy/near.h"

#define NEAR_MAX 64     /* octets; nobody mistypes longer words than that */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Steps from a to b; both are at most NEAR_MAX octets. */
static size_t
distance(struct view a, struct view b)
{
	size_t rows[3][NEAR_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		above[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);

			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.at[j - 2]) && y == lower(a.at[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[b.len];
}

const char *
near_word(struct view word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t reach = (word.len + 2) / 3, best = (reach > 3 ? 3 : reach) + 1;

	if (word.len == 0 || word.len > NEAR_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct view name = view_of(names[i]);
		size_t steps;

		if (name.len > NEAR_MAX)
			continue;
		steps = distance(word, name);
		/* A word of which every letter is another has nothing in common with it. */
		if (steps < best && steps < name.len && steps < word.len) {
			nearest = names[i];
			best = steps;
		}
	}
	return nearest;
}
