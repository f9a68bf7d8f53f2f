/* SPDX-License-Identifier: MIT */
/*
 * Lines as they are on the wire. A line ends at its LF; that a CR stood before it, or
 * that other oddities were in it, is kept as marks and never mended (RFC 5321 2.3.8).
 */
#ifndef DECODERS_SMTP_LINE_H
#define DECODERS_SMTP_LINE_H

#include "decoders/view.h"

enum smtp_mark {
	SMTP_MARK_BARE_LF      = 1 << 0,        /* an LF without CR before it */
	SMTP_MARK_BARE_CR      = 1 << 1,        /* a CR without LF behind it */
	SMTP_MARK_NUL          = 1 << 2,
	SMTP_MARK_EIGHT_BIT    = 1 << 3,        /* an octet of 0x80 or more */
	SMTP_MARK_CUT          = 1 << 4,        /* longer than the limit; SMTP_UNIT_REST follows */
	SMTP_MARK_UNTERMINATED = 1 << 5,        /* the stream ended in it */
	SMTP_MARK_UNSURE       = 1 << 6,        /* depends on octets that are missing */
	SMTP_MARK_CODE_CHANGE  = 1 << 7,        /* a reply whose lines have different codes */
	SMTP_MARK_BAD_LINE     = 1 << 8,        /* a reply with a line in it that has no code */
	SMTP_MARK_EARLY        = 1 << 9,        /* the client's first octets came before the greeting ended */
	SMTP_MARK_RESYNC       = 1 << 11,       /* a reply in front of which others are missing */
	SMTP_MARK_PIPELINED    = 1 << 10        /* its first octet came while an earlier command was unanswered */
};

/*
 * The length of the line at the start of octets, its LF included; 0: it has no LF yet.
 * *searched is how many octets were looked at before (0 at a line's start) and is
 * brought up to date (0 again when the line has been found), so that a line that drips in
 * costs no more than one at once.
 */
size_t smtp_line_length(const char *octets, size_t len, size_t *searched);

/* The line without its line end (CRLF or LF). */
struct view smtp_line_text(struct view line);

/* Marks of line ends and octets in a line or in several. */
unsigned smtp_line_marks(struct view octets);

/*
 * The same for a stretch that may begin and end inside a line end. *after_cr says whether
 * a CR was the octet before it, and is brought up to date; a CR at its very end is not
 * judged yet.
 */
unsigned smtp_stretch_marks(struct view octets, bool *after_cr);

#endif
