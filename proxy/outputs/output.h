/* SPDX-License-Identifier: MIT */
/*
 * An output: a stream of events written as text or JSON Lines to a file or to standard
 * output. Octets are kept until output_flush, which the loop calls at the latest 50 ms after
 * output_waiting became true (a terminal: at once).
 */
#ifndef OUTPUTS_OUTPUT_H
#define OUTPUTS_OUTPUT_H

#include <stdint.h>
#include <stdio.h>

#include "proxy/sessions/event.h"

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
struct event_sink output_sink(struct output *output);

bool output_waiting(const struct output *output);
bool output_is_terminal(const struct output *output);
/* Writes what waits. A failed write is said on err once, and counted. */
void output_flush(struct output *output, FILE *err);
/* SIGUSR1: closes the file and opens its name again. */
void output_reopen(struct output *output, FILE *err);
/* Flushes and frees; returns how many events were lost (disk full and the like). */
uint64_t output_close(struct output *output, FILE *err);

#endif
