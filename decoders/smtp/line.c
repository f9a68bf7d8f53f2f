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

/* Octets among which there is neither NUL nor CR nor LF; *high gets a bit where one has 8. At least 8 of them. */
static bool
is_text(struct view octets, uint64_t *high)
{
	uint64_t odd = 0, all = 0, eight;

	for (size_t at = 0;; at += sizeof(eight)) {
		/* The last eight may have been looked at in part. */
		if (at + sizeof(eight) > octets.len)
			at = octets.len - sizeof(eight);
		memcpy(&eight, octets.at + at, sizeof(eight));
		odd |= zeros(eight) | zeros(eight ^ EACH('\n')) | zeros(eight ^ EACH('\r'));
		all |= eight;
		if (at + sizeof(eight) == octets.len)
			break;
	}
	*high = all & HIGH_BITS;
	return odd == 0;
}

unsigned
smtp_line_marks(struct view octets)
{
	bool     cr = false;
	unsigned marks;
	uint64_t high;
	size_t   len = octets.len;

	/* Nearly all lines are one that ends in CRLF. */
	if (len >= 2 + sizeof(high) && octets.at[len - 1] == '\n' && octets.at[len - 2] == '\r' &&
	    is_text(view_first(octets, len - 2), &high))
		return high != 0 ? SMTP_MARK_EIGHT_BIT : 0;
	marks = smtp_stretch_marks(octets, &cr);

	return cr ? marks | SMTP_MARK_BARE_CR : marks;
}
