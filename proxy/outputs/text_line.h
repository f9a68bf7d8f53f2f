/* SPDX-License-Identifier: MIT */
/* One line of the transcript: its columns, colours, octets and notes. */
#ifndef OUTPUTS_TEXT_LINE_H
#define OUTPUTS_TEXT_LINE_H

#include "proxy/outputs/buffer.h"
#include "proxy/sessions/event.h"

enum text_colour {
	COLOUR_NONE, COLOUR_DIM, COLOUR_BOLD, COLOUR_CLIENT, COLOUR_CONTENT, COLOUR_SERVER, COLOUR_TRANSIENT,
	COLOUR_PERMANENT, COLOUR_RULE, COLOUR_NOTE, COLOUR_WARNING, COLOUR_ERROR
};

struct text_line {
	struct buffer *out;
	bool           colour;          /* colours are wanted */
	unsigned       notes;           /* how many the line has */
};

/* Session, time (blank where a line goes on) and picture. */
void text_line_begin(struct text_line *line, const struct event *event, bool time, const char *picture,
    enum text_colour colour);
void text_line_paint(struct text_line *line, enum text_colour colour);  /* until painted otherwise */
void text_line_end(struct text_line *line);

/*
 * Octets of a peer, escaped, and behind them how their line ends, if not by CRLF: "\\n" or "". Those
 * that make a line too long are left out; a note says how many there were: whole, if that is not 0.
 */
void text_line_octets(struct text_line *line, struct view octets, const char *end, uint64_t whole);

/* Says something behind the octets: the first note of a line is behind a tab. */
void text_line_note(struct text_line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_line_note_time(struct text_line *line, const char *word, uint64_t us);        /* "after 120 ms" */

#endif
