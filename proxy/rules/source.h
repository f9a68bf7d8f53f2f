/* SPDX-License-Identifier: MIT */
/*
 * A rule file as it was read, and what is to be said about it. Messages are kept until all
 * files are read, then written in the order of their places, each with its line and a caret.
 */
#ifndef RULES_SOURCE_H
#define RULES_SOURCE_H

#include <stdint.h>
#include <stdio.h>

#include "decoders/view.h"

#define SOURCE_WHOLE SIZE_MAX

/* For "%.*s": a message shows the start of a word that is longer than any that is right. */
#define SOURCE_SHOWN(len) ((int)((len) < 60 ? (len) : 60))

struct message {
	size_t at;              /* offset into the text; SOURCE_WHOLE: of no line */
	size_t order;           /* messages at the same place stay in the order in which they were found */
	char  *text;
	bool   warning;
};

struct source {
	const char     *name;   /* as given, borrowed; "stdin" for "-" */
	char           *text;   /* owned; NULL where the file could not be read */
	size_t          len;
	char           *refusal;/* why the whole file is none; NULL: it is one */
	struct message *messages;
	size_t          message_count, message_size;
	size_t          errors; /* a refusal is one */
};

/* Where an offset is, as a reader counts: from 1; columns are characters of UTF-8, a tab is one. */
struct source_place {
	uint32_t line, column;
};

/* Reads the file; what keeps it from being read becomes the refusal. Borrows path. */
void source_read(struct source *source, const char *path);
/* Takes text that is there already (copied), as if read from a file of that name. */
void source_take(struct source *source, const char *name, struct view text);
void source_free(struct source *source);

struct source_place source_place(const struct source *source, size_t at);

void source_error(struct source *source, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void source_warn(struct source *source, size_t at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the refusal or all messages. */
void source_tell(struct source *source, FILE *to);

#endif
