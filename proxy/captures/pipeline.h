/* SPDX-License-Identifier: MIT */
/*
 * From who puts connections in order to who understands what is said in them. Where there are
 * two processors that is a thread of its own, which is told in blocks, in the order in which
 * things happened: nothing that it finds depends on when it gets to it.
 */
#ifndef CAPTURES_PIPELINE_H
#define CAPTURES_PIPELINE_H

#include "proxy/captures/conversation.h"

struct pipeline;

struct pipeline_calls {
	void (*pauses)(void *to);       /* the thread, when it has heard all that it was given, and now and then */
	void (*waits)(void *to);        /* who tells, ten times a second while the thread is too far behind */
	void  *to;
};

/*
 * Starts the thread. From now until pipeline_close the conversations, their sessions and the
 * outputs are its own. Copies calls. NULL: there is one processor only, or no thread to be had.
 */
struct pipeline *pipeline_open(const struct pipeline_calls *calls);

/* p NULL: at once. What is told is copied; waits while the thread is far behind. */
void pipeline_tell(struct pipeline *p, const struct told *told);

/* What was told so far goes to the thread now, and not when it is a block. NULL is fine. */
void pipeline_flush(struct pipeline *p);

/* The same, and waits until it has been heard: then conversations may be asked. NULL is fine. */
void pipeline_settle(struct pipeline *p);

/* All that was told is heard; the thread ends. NULL is fine. */
void pipeline_close(struct pipeline *p);

#endif
