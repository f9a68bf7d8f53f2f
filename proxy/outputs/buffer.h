/* SPDX-License-Identifier: MIT */
/* Octets that grow: what an output writes a record into, and flushes whole. */
#ifndef OUTPUTS_BUFFER_H
#define OUTPUTS_BUFFER_H

#include "decoders/view.h"

struct buffer {
	char  *at;
	size_t len, size;
};

/* Makes room for so many octets more. Out of memory ends the program. */
void buffer_grow(struct buffer *b, size_t more);

static inline void
buffer_reserve(struct buffer *b, size_t more)
{
	if (more > b->size - b->len)
		buffer_grow(b, more);
}

/* Inline, for an event is some fifty of these. */
static inline void
buffer_put(struct buffer *b, struct view octets)
{
	if (octets.len == 0)
		return;
	buffer_reserve(b, octets.len);
	memcpy(b->at + b->len, octets.at, octets.len);
	b->len += octets.len;
}

static inline void
buffer_char(struct buffer *b, char c)
{
	buffer_reserve(b, 1);
	b->at[b->len++] = c;
}

void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_drop(struct buffer *b, size_t first);       /* forgets the first octets */
void buffer_free(struct buffer *b);

#endif
