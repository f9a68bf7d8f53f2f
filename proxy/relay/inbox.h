/* SPDX-License-Identifier: MIT */
/*
 * How one loop is told something by another thread: libevent's bases have no locks, so nothing of
 * another's is ever called. A letter is read on the loop of the inbox that it was put into, in the
 * order in which they came. Rare: never for a session.
 */
#ifndef RELAY_INBOX_H
#define RELAY_INBOX_H

#include <pthread.h>
#include <stdbool.h>

#include "proxy/loop.h"

struct letter {
	struct letter *next;
	void         (*read)(struct letter *letter);    /* on the reader's loop; the letter is its own then */
};

struct inbox {
	pthread_mutex_t   lock;
	struct letter    *first, **last;
	int               fd;           /* eventfd: something is there */
	struct loop_event event;
};

/* False: no descriptor is left (errno). */
bool inbox_open(struct inbox *inbox, struct event_base *base);

/* From any thread. */
void inbox_put(struct inbox *inbox, struct letter *letter);

/* Reads what is there now; for when the loop has ended. */
void inbox_read(struct inbox *inbox);

/* Nobody may put anything any more. */
void inbox_close(struct inbox *inbox);

#endif
