/* SPDX-License-Identifier: MIT */
/*
 * Octets that live until the whole arena is emptied: what one unit's verdict and events
 * need beyond the read buffer. Emptying keeps one block, so that the steady state
 * allocates nothing.
 */
#ifndef PROXY_ARENA_H
#define PROXY_ARENA_H

#include "decoders/view.h"

struct arena {
	struct arena_block *blocks;     /* newest first */
};

void arena_init(struct arena *arena);
void arena_clear(struct arena *arena);  /* frees everything */
void arena_empty(struct arena *arena);  /* everything in it is gone, its first block is kept */

/* Room for size octets, aligned for any type; never NULL: out of memory ends the program. */
void *arena_take(struct arena *arena, size_t size);
struct view arena_copy(struct arena *arena, struct view octets);
/* As printf; the result has a NUL behind it that its length does not count. */
struct view arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
