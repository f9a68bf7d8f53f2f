/* SPDX-License-Identifier: MIT */
/*
 * Counts by key, in a table that cannot grow without end: beyond its limit the key that was
 * not asked for longest gives way. Each call costs the same however many there are.
 */
#ifndef RULES_COUNTS_H
#define RULES_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#define COUNTS_MOST 65536u

struct count {
	uint64_t key;
	uint64_t number;        /* 0 when new */
	uint64_t time_us;       /* 0 when new */
	uint32_t next;          /* of the same bucket */
	uint32_t newer, older;
};

/* Zeroed is empty. */
struct counts {
	struct count *at;       /* from 1: 0 stands for none */
	uint32_t     *buckets;
	uint32_t      used, size;       /* size: a power of two, of at and of buckets */
	uint32_t      unused;   /* entries that were removed, by next */
	uint32_t      newest, oldest;
	uint64_t      forgotten;        /* keys that gave way */
};

/* The key's count, made if it is not there. Lasts until the next call. Never NULL. */
struct count *counts_take(struct counts *counts, uint64_t key);
/* NULL: not there. */
struct count *counts_find(struct counts *counts, uint64_t key);
void counts_remove(struct counts *counts, uint64_t key);
void counts_free(struct counts *counts);

#endif
