/* SPDX-License-Identifier: MIT */
/*
 * A hash with chains, its entries also in a list by age. Keys are hashes already (SipHash),
 * so their low bits choose the bucket. Entries are numbers into one array, which grows by
 * doubling up to the limit.
 */
#include "proxy/rules/counts.h"

#include <stdlib.h>

static void
unlink_age(struct counts *c, struct count *entry)
{
	*(entry->newer != 0 ? &c->at[entry->newer].older : &c->newest) = entry->older;
	*(entry->older != 0 ? &c->at[entry->older].newer : &c->oldest) = entry->newer;
}

static void
link_newest(struct counts *c, uint32_t number)
{
	struct count *entry = &c->at[number];

	entry->newer = 0;
	entry->older = c->newest;
	*(c->newest != 0 ? &c->at[c->newest].newer : &c->oldest) = number;
	c->newest = number;
}

static void
unlink_bucket(struct counts *c, uint32_t number)
{
	uint32_t *link = &c->buckets[c->at[number].key & (c->size - 1)];

	while (*link != number)
		link = &c->at[*link].next;
	*link = c->at[number].next;
}

static void
link_bucket(struct counts *c, uint32_t number)
{
	uint32_t *bucket = &c->buckets[c->at[number].key & (c->size - 1)];

	c->at[number].next = *bucket;
	*bucket = number;
}

static uint32_t
find(const struct counts *c, uint64_t key)
{
	uint32_t number;

	if (c->size == 0)
		return 0;
	number = c->buckets[key & (c->size - 1)];
	while (number != 0 && c->at[number].key != key)
		number = c->at[number].next;
	return number;
}

static void
grow(struct counts *c)
{
	c->size = c->size == 0 ? 16 : c->size * 2;
	c->at = realloc(c->at, (c->size + 1) * sizeof *c->at);
	free(c->buckets);
	c->buckets = calloc(c->size, sizeof *c->buckets);
	if (c->at == NULL || c->buckets == NULL)
		abort();
	for (uint32_t i = 1; i <= c->used; i++)
		link_bucket(c, i);
}

/* An entry that is nobody's: removed, new, or the oldest. */
static uint32_t
room(struct counts *c)
{
	uint32_t number = c->unused;

	if (number != 0) {
		c->unused = c->at[number].next;
		return number;
	}
	if (c->used < COUNTS_MOST) {
		if (c->used == c->size)
			grow(c);
		return ++c->used;
	}
	number = c->oldest;
	unlink_bucket(c, number);
	unlink_age(c, &c->at[number]);
	c->forgotten++;
	return number;
}

struct count *
counts_take(struct counts *c, uint64_t key)
{
	uint32_t number = find(c, key);

	if (number == 0) {
		number = room(c);
		c->at[number] = (struct count){.key = key};
		link_bucket(c, number);
	} else {
		unlink_age(c, &c->at[number]);
	}
	link_newest(c, number);
	return &c->at[number];
}

struct count *
counts_find(struct counts *c, uint64_t key)
{
	uint32_t number = find(c, key);

	return number == 0 ? NULL : &c->at[number];
}

void
counts_remove(struct counts *c, uint64_t key)
{
	uint32_t number = find(c, key);

	if (number == 0)
		return;
	unlink_bucket(c, number);
	unlink_age(c, &c->at[number]);
	c->at[number].next = c->unused;
	c->unused = number;
}

void
counts_free(struct counts *c)
{
	free(c->at);
	free(c->buckets);
	*c = (struct counts){.size = 0};
}
