/* SPDX-License-Identifier: MIT */
/* Octets that grow: what an output writes a record into, and flushes whole. */
#ifndef OUTPUTS_BUFFER_H
#define OUTPUTS_BUFFER_H

#include "decoders/view.h"

struct buffer {
	char  *at;
	size_t len, size;
};

/* Out of memory ends the program. */
void buffer_reserve(struct buffer *b, size_t more);
void buffer_put(struct buffer *b, struct view octets);
void buffer_char(struct buffer *b, char c);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buffer_drop(struct buffer *b, size_t first);       /* forgets the first octets */
void buffer_free(struct buffer *b);

#endif
