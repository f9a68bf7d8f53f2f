/* SPDX-License-Identifier: MIT */
/*
 * One loop's events for one output, made into text as they come: they fill a block, which goes
 * to the writer when it is full, or when the loop says that it is old enough.
 */
#ifndef OUTPUTS_DRAFT_H
#define OUTPUTS_DRAFT_H

#include "proxy/outputs/output.h"
#include "proxy/outputs/writer.h"
#include "proxy/sessions/event.h"

struct draft;

/* Borrows both, which must outlive it. Never NULL: out of memory ends the program. */
struct draft *draft_new(struct writer *writer, struct output *output);
struct event_sink draft_sink(struct draft *draft);

/* Whether something is in the block. */
bool draft_waiting(const struct draft *draft);

/* Gives the block away as it is. Takes as long as the writer's mode says. */
void draft_hand_over(struct draft *draft);

/* Hands over, frees. To be called before writer_stop, and writer_stop before the output is closed. NULL is fine. */
void draft_free(struct draft *draft);

#endif
