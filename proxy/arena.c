/* SPDX-License-Identifier: MIT */
#include "proxy/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK 4096u

struct arena_block {
	struct arena_block *next;
	size_t              size, used;
	alignas(max_align_t) char octets[];
};

void
arena_init(struct arena *arena)
{
	arena->blocks = NULL;
}

void
arena_clear(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
}

/* What came on top of one block of the usual size goes. */
static __attribute__((noinline)) void
shrink(struct arena *arena)
{
	struct arena_block *first = arena->blocks;

	while (first->next != NULL) {
		struct arena_block *next = first->next;

		free(first);
		first = next;
	}
	if (first->size > ARENA_BLOCK) {
		free(first);
		first = NULL;
	} else {
		first->used = 0;
	}
	arena->blocks = first;
}

void
arena_empty(struct arena *arena)
{
	struct arena_block *first = arena->blocks;

	if (first == NULL)
		return;
	if (first->next == NULL && first->size <= ARENA_BLOCK)
		first->used = 0;
	else
		shrink(arena);
}

void *
arena_take(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	void *at;

	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (block == NULL || block->size - block->used < size) {
		size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;

		block = malloc(sizeof *block + room);
		if (block == NULL)
			abort();
		block->size = room;
		block->used = 0;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	at = block->octets + block->used;
	block->used += size;
	return at;
}

struct view
arena_copy(struct arena *arena, struct view octets)
{
	char *at = arena_take(arena, octets.len + 1);

	if (octets.len > 0)
		memcpy(at, octets.at, octets.len);
	at[octets.len] = '\0';
	return (struct view){at, octets.len};
}

struct view
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list list;
	int len;
	char *at;

	va_start(list, format);
	len = vsnprintf(NULL, 0, format, list);
	va_end(list);
	at = arena_take(arena, (size_t)len + 1);
	va_start(list, format);
	vsnprintf(at, (size_t)len + 1, format, list);
	va_end(list);
	return (struct view){at, (size_t)len};
}
