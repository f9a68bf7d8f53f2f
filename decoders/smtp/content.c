/* SPDX-License-Identifier: MIT */
/*
 * Where message content ends. The one place that knows the end of data: CRLF.CRLF, nothing
 * shorter, however the octets are cut. Looked for by line ends, not octet by octet.
 */
#include "decoders/smtp/content.h"

#include "decoders/smtp/line.h"

/* What stands before the next octet; LINE_START is 0 for the caller of smtp_content_unstuff. */
enum {
	LINE_START,             /* CRLF, that of the DATA command too */
	IN_LINE,
	AFTER_CR,
	CHUNK_START             /* what is before it was in another chunk */
};

void
smtp_content_begin_data(struct smtp_content *c)
{
	*c = (struct smtp_content){.state = LINE_START};
}

void
smtp_content_begin_chunk(struct smtp_content *c, uint64_t octets, bool last)
{
	*c = (struct smtp_content){
	    .left = octets, .state = CHUNK_START, .by_count = true, .last = last};
}

void
smtp_content_gap(struct smtp_content *c, uint64_t octets)
{
	c->wire += octets;
	c->state = IN_LINE;
	if (c->by_count)
		c->left -= octets < c->left ? octets : c->left;
}

/* Counts a stretch and says what stands behind it. */
static unsigned
take(struct smtp_content *c, struct view stretch)
{
	bool     after_cr = c->state == AFTER_CR;
	unsigned marks;

	if (stretch.len == 0)
		return 0;
	c->wire += stretch.len;
	/* A chunk may begin with the LF whose CR ended the one before it. */
	if (c->state == CHUNK_START && *stretch.at == '\n')
		after_cr = true;
	marks = smtp_stretch_marks(stretch, &after_cr);
	if (after_cr)
		c->state = AFTER_CR;
	else if (stretch.at[stretch.len - 1] != '\n')
		c->state = IN_LINE;
	else if (stretch.len > 1)
		c->state = stretch.at[stretch.len - 2] == '\r' ? LINE_START : IN_LINE;
	else
		c->state = c->state == AFTER_CR ? LINE_START : IN_LINE;
	return marks;
}

/* The length of the end of data that a line begins with; *held: it may yet become one. */
static size_t
end_of_data(const char *at, size_t len, bool *held)
{
	*held = false;
	if (len > 1 && at[1] != '\r')
		return 0;
	if (len > 2)
		return at[2] == '\n' ? 3 : 0;
	*held = true;
	return 0;
}

size_t
smtp_content_feed(struct smtp_content *c, const char *octets, size_t len, size_t *end,
    unsigned *marks)
{
	const char *lf;
	size_t      at = 0;
	bool        line_start = c->state == LINE_START, held;

	*end = 0;
	if (c->by_count) {
		at = len < c->left ? len : (size_t)c->left;
		c->left -= at;
		*marks = take(c, (struct view){octets, at});
		return at;
	}
	while (at < len) {
		if (line_start && octets[at] == '.') {
			*end = end_of_data(octets + at, len - at, &held);
			if (held || *end > 0)
				break;
			c->stuffed++;
		}
		lf = memchr(octets + at, '\n', len - at);
		if (lf == NULL) {
			at = len;
			break;
		}
		at = (size_t)(lf - octets) + 1;
		line_start = at > 1 ? octets[at - 2] == '\r' : c->state == AFTER_CR;
	}
	*marks = take(c, (struct view){octets, at});
	return at;
}

size_t
smtp_content_unstuff(uint8_t *state, struct view stretch, char *out)
{
	const char *at = stretch.at, *end = stretch.at + stretch.len, *lf;
	size_t      written = 0, n;

	while (at < end) {
		if (*state == LINE_START && *at == '.') {
			*state = IN_LINE;
			at++;
			continue;
		}
		lf = memchr(at, '\n', (size_t)(end - at));
		n = lf == NULL ? (size_t)(end - at) : (size_t)(lf - at) + 1;
		if (lf == NULL)
			*state = end[-1] == '\r' ? AFTER_CR : IN_LINE;
		else if (n > 1)
			*state = lf[-1] == '\r' ? LINE_START : IN_LINE;
		else
			*state = *state == AFTER_CR ? LINE_START : IN_LINE;
		memcpy(out + written, at, n);
		written += n;
		at += n;
	}
	return written;
}
