/* SPDX-License-Identifier: MIT */
/*
 * Events, as read back from JSON Lines: what a transcript expects is compared with them, and
 * the events of two runs with each other. What differs from run to run by its nature (times,
 * addresses, latencies) is left out when they are read.
 */
#ifndef UNIT_TRANSCRIPT_EVENTS_H
#define UNIT_TRANSCRIPT_EVENTS_H

#include "tests/unit/transcript.h"

struct event_field {
	struct view path;               /* "recipients.0.code"; ".count" for the length of an array */
	struct view value;              /* a string without its escapes, or the word */
	bool        text;               /* it is a string */
};

struct event_line {
	struct view type;
	struct event_field *field;
	size_t      fields;
};

struct event_list {
	struct event_line *event;
	size_t       count;
	struct arena arena;             /* owns all of it */
};

/* Reads JSON Lines. False: a line is no JSON object with an "event"; err was told. Free it either way. */
bool event_list_read(struct event_list *list, struct view lines, FILE *err);
void event_list_free(struct event_list *list);

/* Whether both lists hold the same; if not, err is told where they part. */
bool event_list_same(const struct event_list *one, const char *one_name,
    const struct event_list *other, const char *other_name, FILE *err);

/* Whether the events are those that the transcript expects; lines is what the list was read from. */
bool event_list_expected(const struct event_list *list, const struct transcript *transcript,
    struct view lines, FILE *err);

#endif
