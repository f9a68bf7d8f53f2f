/* SPDX-License-Identifier: MIT */
/*
 * Where a line ends and what is odd about its octets. Apart from commands and replies
 * because both sides' lines, and message content, are looked at in the same way.
 */
#include "decoders/smtp/line.h"

#include <stdint.h>

#define EACH(octet)    (UINT64_C(0x0101010101010101) * (octet))
#define HIGH_BITS      EACH(0x80)

/* Not 0 if any of the eight octets is 0. */
static inline uint64_t
zeros(uint64_t eight)
{
	return (eight - EACH(1)) & ~eight & HIGH_BITS;
}

size_t
smtp_line_length(const char *octets, size_t len, size_t *searched)
{
	const char *lf;

	if (*searched >= len)
		return 0;
	lf = memchr(octets + *searched, '\n', len - *searched);
	if (lf == NULL) {
		*searched = len;
		return 0;
	}
	*searched = 0;
	return (size_t)(lf - octets) + 1;
}

struct view
smtp_line_text(struct view line)
{
	if (line.len > 0 && line.at[line.len - 1] == '\n') {
		line.len--;
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
	}
	return line;
}

/*
 * Eight octets at a time as long as there is nothing in them but text: message content
 * goes through here, and of that one octet in thirty is a line end.
 */
unsigned
smtp_stretch_marks(struct view octets, bool *after_cr)
{
	const char *at = octets.at, *end = octets.at + octets.len;
	unsigned    marks = 0;
	bool        cr = *after_cr;

	while (at < end) {
		uint64_t eight;
		unsigned char c;

		if (!cr && end - at >= (ptrdiff_t)sizeof(eight)) {
			memcpy(&eight, at, sizeof(eight));
			if ((zeros(eight) | zeros(eight ^ EACH('\n')) | zeros(eight ^ EACH('\r'))) == 0) {
				if (eight & HIGH_BITS)
					marks |= SMTP_MARK_EIGHT_BIT;
				at += sizeof(eight);
				continue;
			}
		}
		c = (unsigned char)*at++;
		if (c == '\n' && !cr)
			marks |= SMTP_MARK_BARE_LF;
		else if (c != '\n' && cr)
			marks |= SMTP_MARK_BARE_CR;
		if (c == 0)
			marks |= SMTP_MARK_NUL;
		if (c >= 0x80)
			marks |= SMTP_MARK_EIGHT_BIT;
		cr = c == '\r';
	}
	*after_cr = cr;
	return marks;
}

/* The sign bits are set where an octet is below 14, as all that ends lines or is NUL, or has 8 bits. TAB is one too. */
static inline uint64_t
odd(uint64_t eight)
{
	return (eight - EACH(14)) | eight;
}

/* Whether there is nothing odd among the octets. Words overlap: what is looked at twice does no harm. */
static inline bool
is_text(const char *at, size_t len)
{
	uint64_t found = 0, eight;
	uint32_t first, last;

	if (len >= sizeof(eight)) {
		for (size_t n = 0; n + sizeof(eight) <= len; n += sizeof(eight)) {
			memcpy(&eight, at + n, sizeof(eight));
			found |= odd(eight);
		}
		memcpy(&eight, at + len - sizeof(eight), sizeof(eight));
		return ((found | odd(eight)) & HIGH_BITS) == 0;
	}
	if (len < sizeof(first))
		return len == 0;
	memcpy(&first, at, sizeof(first));
	memcpy(&last, at + len - sizeof(last), sizeof(last));
	return (odd(first | (uint64_t)last << 32) & HIGH_BITS) == 0;
}

unsigned
smtp_line_marks(struct view octets)
{
	bool     cr = false;
	unsigned marks;
	size_t   len = octets.len;

	/* Nearly all lines are one that ends in CRLF. */
	if (len >= 2 && octets.at[len - 1] == '\n' && octets.at[len - 2] == '\r' && is_text(octets.at, len - 2))
		return 0;
	marks = smtp_stretch_marks(octets, &cr);

	return cr ? marks | SMTP_MARK_BARE_CR : marks;
}
