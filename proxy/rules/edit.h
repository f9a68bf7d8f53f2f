/* SPDX-License-Identifier: MIT */
/* The editor from the inside, for its files alone: editor.c, edit_header.c, edit_window.c. */
#ifndef RULES_EDIT_H
#define RULES_EDIT_H

#include "proxy/rules/editor.h"
#include "proxy/rules/replace.h"
#include "proxy/rules/state.h"

/* Octets that are kept from one call to the next; owned. */
struct octets {
	char  *at;
	size_t len, room;
};

/* An action at work on one message. */
struct edit {
	const struct action *action;
	struct octets        field;     /* header add, set: the whole field, without its line end */
	bool                 found;     /* header set: the first of its name has been replaced */
	uint64_t             seed;      /* corrupt */
};

struct editor {
	const struct rules_state *state;
	struct edit  *edits;            /* in the order in which they were written */
	size_t        count;
	uint32_t      max_line;
	bool          by_data;
	/* what comes in */
	struct octets line;             /* of which the end is awaited */
	bool          line_start;       /* the next line stands behind CRLF, or is the first */
	bool          passing, after_cr;/* inside a line that is too long; the octet before was CR */
	bool          in_header;
	struct octets name;             /* of the field that the next folded line belongs to */
	bool          in_field, dropped;/* there is such a field; it is gone, and so are its folded lines */
	/* what goes on */
	bool          out_start, out_inside;    /* behind CRLF, or at the start; inside a line */
	bool          windowed, window_over, flipped;
	struct octets window;           /* what waits for bits to be flipped */
	/* what is to be told */
	bool          body_changed;
	struct octets changed_names;    /* of header fields, an LF behind each */
	uint64_t      long_lines;
};

/* A line as the receiver stores it. */
struct edit_line {
	struct view text, end;
	bool        dotted;             /* it came with a dot more */
	bool        changed;
	bool        raw;                /* its start is as a rule wants it on the wire */
};

void edit_octets_add(struct octets *octets, struct view more);

/* editor.c */
void edit_put(struct editor *e, const struct edit_line *line, struct text *out);
void edit_replace(struct editor *e, const struct edit *edit, struct edit_line *line, struct arena *arena);

/* edit_header.c */
/* A line while the header section lasts. False: it ends in front of this one. */
bool edit_header_line(struct editor *e, struct edit_line *line, struct text *out);
/* One that is too long; of it only the start is there. */
void edit_header_pass(struct editor *e, struct view start, struct text *out);
/* Nothing more can come of the header: what is to be added goes in. */
void edit_header_ends(struct editor *e, struct text *out);

/* edit_window.c: octets on their way out; over: nothing may wait any longer. */
struct view edit_window(struct editor *e, struct view octets, bool over, struct arena *arena);

#endif
