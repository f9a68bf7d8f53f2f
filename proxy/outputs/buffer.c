/* SPDX-License-Identifier: MIT */
/* Octets that grow; kept apart from arenas, which never move what they hold. */
#include "proxy/outputs/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST 1024u

void
buffer_grow(struct buffer *b, size_t more)
{
	size_t size = b->size == 0 ? BUFFER_FIRST : b->size;
	char *at;

	if (more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		abort();
	while (size - b->len < more)
		size *= 2;
	at = realloc(b->at, size);
	if (at == NULL)
		abort();
	b->at = at;
	b->size = size;
}

void
buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list list;
	size_t room = b->size - b->len;
	int len;

	va_start(list, format);
	len = vsnprintf(room > 0 ? b->at + b->len : NULL, room, format, list);
	va_end(list);
	if (len < 0)
		abort();
	if ((size_t)len >= room) {
		/* The NUL behind it needs room too, for as long as this call. */
		buffer_reserve(b, (size_t)len + 1);
		va_start(list, format);
		vsnprintf(b->at + b->len, (size_t)len + 1, format, list);
		va_end(list);
	}
	b->len += (size_t)len;
}

void
buffer_drop(struct buffer *b, size_t first)
{
	if (first == 0)
		return;
	if (first >= b->len) {
		b->len = 0;
		return;
	}
	memmove(b->at, b->at + first, b->len - first);
	b->len -= first;
}

void
buffer_free(struct buffer *b)
{
	free(b->at);
	*b = (struct buffer){NULL, 0, 0};
}
