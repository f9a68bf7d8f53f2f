/* SPDX-License-Identifier: MIT */
/*
 * Framing of message content. By DATA it ends at CRLF.CRLF and nowhere else (RFC 5321
 * 4.1.1.4, 4.5.2); by BDAT after as many octets as were announced (RFC 3030 2).
 */
#ifndef DECODERS_SMTP_CONTENT_H
#define DECODERS_SMTP_CONTENT_H

#include <stdint.h>

#include "decoders/view.h"

struct smtp_content {
	uint64_t left;          /* chunk: octets still to come */
	uint64_t wire;          /* octets of it that were framed, as sent */
	uint64_t stuffed;       /* of those, dots that transparency added */
	uint64_t lines;         /* LFs in them */
	uint8_t  state;         /* content.c: what stands before the next octet */
	bool     by_count;      /* BDAT */
	bool     last;          /* BDAT ... LAST */
};

void smtp_content_begin_data(struct smtp_content *c);
void smtp_content_begin_chunk(struct smtp_content *c, uint64_t octets, bool last);

/* So many octets of it are missing here; the next ones stand inside a line, as far as one can tell. */
void smtp_content_gap(struct smtp_content *c, uint64_t octets);

/*
 * How many of the octets are content for sure. Where *end is set to more than 0, the
 * content ends behind them, and that many octets (".CRLF") are its end; with by_count
 * see left instead. Octets that may turn out to be its end are neither, until more come.
 * *marks is set to the SMTP_MARK_ of the content's octets. A line end that was cut is judged
 * when the rest of it has come (for one that was cut between two chunks: never).
 */
size_t smtp_content_feed(struct smtp_content *c, const char *octets, size_t len,
    size_t *end, unsigned *marks);

/*
 * Takes transparency off: copies the next stretch of content (as smtp_content_feed gave
 * it) to out, which has room for len, without the dots that were added. Returns octets
 * written. *state is 0 at the start of the content and kept between stretches.
 */
size_t smtp_content_unstuff(uint8_t *state, struct view stretch, char *out);

/* The stretch has no such dots, and is taken as it is: *state is brought up to date. */
void smtp_content_unstuffed(uint8_t *state, struct view stretch);

#endif
