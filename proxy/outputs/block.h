/* SPDX-License-Identifier: MIT */
/*
 * Events of one loop as finished text: whole records, on their way to a file. A block is filled
 * by the loop, given to the writer when it is full or old, and written there.
 */
#ifndef OUTPUTS_BLOCK_H
#define OUTPUTS_BLOCK_H

#include "proxy/outputs/buffer.h"

#define BLOCK_FULL ((size_t)60 << 10)   /* octets at which it is given away: with its last record it rarely has more than 64 KiB */

struct block {
	struct block *next;             /* whoever has it */
	struct buffer text;
	size_t       *ends;             /* where each record in the text ends; owned */
	size_t        records, ends_size;
};

struct block *block_new(void);
void block_free(struct block *block);           /* NULL is fine */

/* The text since the last record's end is a record. */
void block_end_record(struct block *block);

/* Empty again, with the room that it has. */
static inline void
block_empty(struct block *block)
{
	block->text.len = 0;
	block->records = 0;
}

#endif
