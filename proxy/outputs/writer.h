/* SPDX-License-Identifier: MIT */
/*
 * The thread that writes: blocks of events go to their files here and nowhere else, so that no
 * disk and no slow reader stands between a client and its server. Blocks of one loop are
 * written in the order in which it gave them.
 */
#ifndef OUTPUTS_WRITER_H
#define OUTPUTS_WRITER_H

#include <stdio.h>

#include "proxy/outputs/block.h"
#include "proxy/outputs/output.h"

/* What gives way when more waits than WRITER_QUOTA. */
enum writer_full {
	WRITER_PATIENT,         /* for who is slow the loop waits; what cannot be written is dropped */
	WRITER_DROP,            /* events */
	WRITER_BLOCK            /* the loop waits, for a full disk too */
};

#define WRITER_QUOTA ((size_t)1 << 20)  /* octets of one source that may wait */

struct writer;
struct writer_source;   /* one loop's events for one output */

/* Starts the thread. err: where failed writes are told; borrowed. Never NULL: no thread ends the program. */
struct writer *writer_start(enum writer_full full, FILE *err);

/* A new source; the writer owns it. Borrows output. */
struct writer_source *writer_source(struct writer *writer, struct output *output);

/*
 * Takes a block, which may be empty, and returns an empty one. Where too much waits it is the
 * block itself that comes back, dropped and counted, or the call waits.
 */
struct block *writer_give(struct writer_source *source, struct block *block);

/* What was given so far is written, then the output is opened again by its name. */
void writer_reopen(struct writer *writer, struct output *output);

/* Writes all that was given, ends the thread, frees. The outputs stay. NULL is fine. */
void writer_stop(struct writer *writer);

#endif
