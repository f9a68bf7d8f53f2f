/* SPDX-License-Identifier: MIT */
/* Chains of numbers. Sessions are numbered one after the other: the low bits spread them well. */
#include "proxy/outputs/numbered.h"

#include <stdlib.h>

#define FIRST_SIZE 64u          /* a power of two, as all that follow */

static struct numbered **
bucket(const struct numbers *numbers, uint64_t number)
{
	return &numbers->buckets[number & (numbers->size - 1)];
}

struct numbered *
numbers_find(const struct numbers *numbers, uint64_t number)
{
	struct numbered *it = numbers->size == 0 ? NULL : *bucket(numbers, number);

	while (it != NULL && it->number != number)
		it = it->next;
	return it;
}

static void
put(struct numbers *numbers, struct numbered *it)
{
	struct numbered **at = bucket(numbers, it->number);

	it->next = *at;
	*at = it;
}

static void
grow(struct numbers *numbers)
{
	struct numbers larger = {.size = numbers->size == 0 ? FIRST_SIZE : 2 * numbers->size, .count = numbers->count};
	struct numbered *it;

	larger.buckets = calloc(larger.size, sizeof(struct numbered *));
	if (larger.buckets == NULL)
		abort();
	for (size_t i = 0; i < numbers->size; i++)
		while ((it = numbers->buckets[i]) != NULL) {
			numbers->buckets[i] = it->next;
			put(&larger, it);
		}
	free(numbers->buckets);
	*numbers = larger;
}

void
numbers_add(struct numbers *numbers, struct numbered *it)
{
	if (numbers->count >= numbers->size)
		grow(numbers);
	put(numbers, it);
	numbers->count++;
}

void
numbers_remove(struct numbers *numbers, struct numbered *it)
{
	struct numbered **at = bucket(numbers, it->number);

	while (*at != it)
		at = &(*at)->next;
	*at = it->next;
	numbers->count--;
}

struct numbered *
numbers_take(struct numbers *numbers)
{
	for (size_t i = 0; i < numbers->size; i++)
		if (numbers->buckets[i] != NULL) {
			struct numbered *it = numbers->buckets[i];

			numbers_remove(numbers, it);
			return it;
		}
	return NULL;
}

void
numbers_clear(struct numbers *numbers)
{
	free(numbers->buckets);
	*numbers = (struct numbers){NULL, 0, 0};
}
