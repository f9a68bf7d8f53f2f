/* SPDX-License-Identifier: MIT */
/*
 * Borrowed octets: where they are and how many. A view owns nothing, ends in no
 * NUL and may hold any octet. It lasts as long as the buffer that it looks into.
 */
#ifndef DECODERS_VIEW_H
#define DECODERS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct view {
	const char *at;         /* NULL: there is none, which is not the same as empty */
	size_t      len;        /* octets */
};

#define VIEW_NONE       ((struct view){NULL, 0})
#define VIEW(literal)   ((struct view){(literal), sizeof(literal) - 1})

static inline struct view
view_of(const char *text)
{
	return text == NULL ? VIEW_NONE : (struct view){text, strlen(text)};
}

/* The view without its first n octets (or empty, if it has fewer). */
static inline struct view
view_from(struct view v, size_t n)
{
	if (n > v.len)
		n = v.len;
	return (struct view){n == 0 ? v.at : v.at + n, v.len - n};      /* NULL + 0 is undefined */
}

/* The first n octets of the view (or all, if it has fewer). */
static inline struct view
view_first(struct view v, size_t n)
{
	return (struct view){v.at, n < v.len ? n : v.len};
}

static inline bool
view_equal(struct view a, struct view b)
{
	return a.len == b.len && (a.len == 0 || a.at == b.at || memcmp(a.at, b.at, a.len) == 0);
}

/* Equal but for the case of ASCII letters, whatever the locale. Names are short: a call would cost more. */
static inline bool
view_equal_nocase(struct view a, struct view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		unsigned char differ = (unsigned char)(a.at[i] ^ b.at[i]), letter = (unsigned char)(a.at[i] | 0x20);

		if (differ != 0 && (differ != 0x20 || letter < 'a' || letter > 'z'))
			return false;
	}
	return true;
}

static inline bool
view_starts_nocase(struct view v, struct view start)
{
	return v.len >= start.len && view_equal_nocase(view_first(v, start.len), start);
}

/* What a hexadecimal digit stands for; -1: it is none. */
static inline int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
