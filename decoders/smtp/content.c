/* SPDX-License-Identifier: MIT */
/*
 * Where message content ends. The one place that knows the end of data: CRLF.CRLF, nothing
 * shorter, however the octets are cut. What is odd about its octets is found on the same way.
 */
#include "decoders/smtp/content.h"

#include "decoders/smtp/scan.h"

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

/* A chunk, or what is here of it. */
static void
take_chunk(struct smtp_content *c, struct view stretch, struct smtp_scan *scan)
{
	/* It may begin with the LF whose CR ended the one before it. */
	scan->after_cr = c->state == AFTER_CR || (c->state == CHUNK_START && stretch.len > 0 && *stretch.at == '\n');
	smtp_scan(scan, stretch.at, stretch.len, true);
	if (stretch.len > 0)
		c->state = scan->after_cr ? AFTER_CR : IN_LINE;
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
	struct smtp_scan scan = {.after_cr = c->state == AFTER_CR, .line_start = c->state == LINE_START};
	size_t           at = 0;
	bool             held = false;

	*end = 0;
	if (c->by_count) {
		at = len < c->left ? len : (size_t)c->left;
		c->left -= at;
		take_chunk(c, (struct view){octets, at}, &scan);
	} else {
		while ((at += smtp_scan(&scan, octets + at, len - at, false)) < len) {
			*end = end_of_data(octets + at, len - at, &held);
			if (held || *end > 0)
				break;
			c->stuffed++;
			scan.line_start = false;
			at++;           /* a dot is nothing odd */
		}
		c->state = scan.after_cr ? AFTER_CR : scan.line_start ? LINE_START : IN_LINE;
	}
	c->wire += at;
	c->lines += scan.lines;
	*marks = scan.marks;
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

void
smtp_content_unstuffed(uint8_t *state, struct view stretch)
{
	size_t len = stretch.len;

	if (len == 0)
		return;
	if (stretch.at[len - 1] == '\r')
		*state = AFTER_CR;
	else if (stretch.at[len - 1] == '\n' && (len > 1 ? stretch.at[len - 2] == '\r' : *state == AFTER_CR))
		*state = LINE_START;
	else
		*state = IN_LINE;
}
