/* SPDX-License-Identifier: MIT */
/*
 * A transcript: a session written down as RFC 5321's appendix D does, with the events that
 * it must lead to. tests/transcripts/README.md describes the format. This file reads it;
 * transcript_run.h plays it against proxy/sessions, transcript_events.h judges the events.
 */
#ifndef UNIT_TRANSCRIPT_H
#define UNIT_TRANSCRIPT_H

#include <stdio.h>

#include "decoders/smtp/dialogue.h"
#include "decoders/view.h"
#include "proxy/arena.h"

#define TRANSCRIPT_NOBODY (-1)

enum transcript_server { TRANSCRIPT_SERVER_UP, TRANSCRIPT_SERVER_REFUSED, TRANSCRIPT_SERVER_NONE };
enum transcript_ending { TRANSCRIPT_OPEN, TRANSCRIPT_CLOSED, TRANSCRIPT_RESET };

/* One write of one side, and what both sides must have received before the next step. */
struct transcript_step {
	int         writer;             /* enum smtp_side; TRANSCRIPT_NOBODY: the connection is made */
	struct view octets;             /* what it writes; may be empty */
	enum transcript_ending ends;    /* what it does behind them */
	struct view received[2];        /* by enum smtp_side: what that side receives, in this step */
	enum transcript_ending ended[2];/* how its connection is ended for it, in this step */
	uint64_t    takes_us;           /* from the write to the last octet received; 0: not said */
	uint64_t    pause_us;           /* that goes by in front of it */
	bool        begins;             /* a session begins with it: the one before, if there was one, is over */
	enum transcript_server server;  /* of its session: UP, REFUSED: nobody listens, NONE: it must not be dialled */
	unsigned    line;               /* where it begins in the file */
};

enum transcript_match { TRANSCRIPT_TEXT, TRANSCRIPT_BARE, TRANSCRIPT_ABSENT };

/* field=value of an expected event. */
struct transcript_field {
	struct view           path;     /* "recipients.0.code" */
	enum transcript_match match;    /* TEXT: it was quoted, so it is a string; BARE: a word of any type */
	struct view           value;
};

/* A "=" or "&" line, or a "!" line: an event that must not come. */
struct transcript_event {
	bool        never;
	bool        adjoins;            /* "&": directly behind the event of the line before */
	struct view type;
	struct transcript_field *field;
	size_t      fields;
	unsigned    line;
};

struct transcript {
	struct view path, name;         /* the name is that of the file, without directory and ".txt" */
	struct transcript_step  *step;
	size_t      steps;
	struct transcript_event *event;
	size_t      events;
	struct view rules;              /* the rule file; empty: none */
	struct view rules_path;         /* where it came from; .at NULL: it is written in the transcript */
	bool        hasten;             /* s and m in it are read a thousand times shorter */
	uint64_t    exit;               /* the proxy's exit code, live */
	struct view *masked;            /* what no event may show */
	size_t      maskeds;
	bool        lmtp, show_secrets;
	uint32_t    max_line;           /* octets */
	uint64_t    max_content;        /* octets */
	uint64_t    seed;
	struct arena arena;             /* owns all of the above */
};

/*
 * Reads a transcript. NULL: it cannot be read or is wrong; err was told file, line, what is
 * wrong and what was expected. The caller frees it with transcript_free.
 */
struct transcript *transcript_load(const char *path, FILE *err);
void transcript_free(struct transcript *transcript);

/*
 * Writes it as one JSON object, octets in hexadecimal, for a player that is not written in C.
 * events_by: by step, how many events there are behind it.
 */
void transcript_print(const struct transcript *transcript, const size_t *events_by, FILE *out);

#endif
