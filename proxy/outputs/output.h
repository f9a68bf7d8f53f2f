/* SPDX-License-Identifier: MIT */
/*
 * An output: a file, or standard output, that blocks of finished events are written to. One
 * thread at a time has it; output_drop alone may come from another.
 */
#ifndef OUTPUTS_OUTPUT_H
#define OUTPUTS_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

#include "proxy/outputs/block.h"

enum output_format { OUTPUT_TEXT, OUTPUT_JSON };

struct output_options {
	enum output_format format;
	const char *path;       /* NULL or "-": standard output; a file is made 0600 and appended to */
	bool        content;    /* -v: message content in the text too */
	int         colour;     /* 1 yes, 0 no, -1: on a terminal, unless NO_COLOR is set */
};

struct output;

/* NULL: the reason was written to err. Copies options. */
struct output *output_open(const struct output_options *options, FILE *err);

/* How its records are to be made. */
enum output_format output_format(const struct output *output);
bool output_wants_colour(const struct output *output);
bool output_wants_content(const struct output *output);

bool output_is_terminal(const struct output *output);
/* Writes a block's records, and empties it. What cannot be written is kept, up to a limit. */
void output_take(struct output *output, struct block *block, FILE *err);
/* Whether something is kept. */
bool output_waiting(const struct output *output);
/* Writes what is kept. A failed write is said on err once, and counted. */
void output_flush(struct output *output, FILE *err);
/* So many events were dropped, for it was too slow. From any thread. */
void output_drop(struct output *output, size_t events);
/* SIGUSR1: closes the file and opens its name again. */
void output_reopen(struct output *output, FILE *err);
/* Flushes and frees; returns how many events were lost (disk full and the like). */
uint64_t output_close(struct output *output, FILE *err);

#endif
