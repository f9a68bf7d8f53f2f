/* SPDX-License-Identifier: MIT */
/* A reply, all its lines as one (RFC 5321 4.2, 4.2.1; enhanced codes RFC 2034, RFC 3463). */
#ifndef DECODERS_SMTP_REPLY_H
#define DECODERS_SMTP_REPLY_H

#include <stdint.h>

#include "decoders/view.h"

struct smtp_reply {
	uint16_t    code;       /* of its last line */
	uint32_t    lines;
	struct view wire;       /* all lines with their line ends */
	struct view enhanced;   /* "4.3.2", of the first line that has one; .at NULL: none */
};

struct smtp_reply_line {
	uint16_t    code;       /* 0: the line has none, text is all of it */
	char        separator;  /* '-', ' ', or 0 where nothing follows the code */
	struct view text;       /* behind code and separator; smtp_enhanced_parse knows what begins it */
	struct view wire;       /* with its line end */
};

/* Takes one line (line end included or not) apart. */
void smtp_reply_line_parse(struct view wire, struct smtp_reply_line *line);

/* Takes apart whole lines that are one reply; returns marks (SMTP_MARK_CODE_CHANGE, _BAD_LINE). */
unsigned smtp_reply_parse(struct view wire, struct smtp_reply *reply);
/* The same, of one line that has been taken apart. */
unsigned smtp_reply_of_line(const struct smtp_reply_line *line, struct smtp_reply *reply);

/* Takes the next line off *rest (at first: reply.wire); false: there are no more. */
bool smtp_reply_line_next(struct view *rest, struct smtp_reply_line *line);

/* The three numbers at the start of a text, if they are an enhanced status code; .at NULL: not. */
struct view smtp_enhanced_parse(struct view text);

#endif
