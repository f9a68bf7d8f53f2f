/* SPDX-License-Identifier: MIT */
/*
 * What rules at CONTENT change in a message, done to its octets as they pass: replace, header,
 * corrupt. It works on lines as the receiver stores them, so transparency (RFC 5321 4.5.2) is
 * taken off before and put on again behind; a line that nothing has changed goes on as it came,
 * octet for octet. A message need not fit into memory: kept is the line that is coming in, and
 * for corrupt the first EDITOR_WINDOW octets.
 *
 *      - A line ends at its LF, and its line end is no part of what replace sees, and stays.
 *      - One that is longer than max_line goes on as it is, and is counted.
 *      - The header section ends at the first empty line, or in front of the first line that is
 *        no field. Fields are added behind the last one.
 *      - A string of `with` that has CR or LF in it is put in raw: no dot in it is doubled.
 */
#ifndef RULES_EDITOR_H
#define RULES_EDITOR_H

#include "proxy/rules/rules.h"

#define EDITOR_WINDOW 65536u    /* octets among which bits to be flipped are looked for */

struct editor;

/* Borrows the state. by_data: dots are doubled in what comes and in what goes on. */
struct editor *editor_new(const struct rules_state *state, uint32_t max_line, bool by_data);
void editor_free(struct editor *editor);        /* NULL is fine */

/* One change more, behind those that it has, of a STEP_EDIT. Copies what is the arena's. */
void editor_add(struct editor *editor, const struct step *step);

/* Takes the next octets, as they were sent; returns what goes on now, in the arena. */
struct view editor_feed(struct editor *editor, struct view octets, struct arena *arena);

/* What does not wait any longer, because a chunk ends here: all but an unfinished line. */
struct view editor_flush(struct editor *editor, struct arena *arena);

/* The content ends here: all that is left of it. */
struct view editor_finish(struct editor *editor, struct arena *arena);

/* Whether anything was changed so far. */
bool editor_has_changed(const struct editor *editor);

/* Whether a DKIM signature in that header (as it was sent) cannot be right any more. */
bool editor_breaks_signature(const struct editor *editor, struct view header);

/* How many lines went on as they were because they are too long. */
uint64_t editor_long_lines(const struct editor *editor);

/* A header as one change would leave it: what the next rule sees. In the arena. */
struct view editor_preview(const struct rules_state *state, const struct step *step, struct view header,
    struct arena *arena);

#endif
