/* SPDX-License-Identifier: MIT */
/*
 * Objects of one kind that are made and gone all the time: those that are gone are made again, in
 * front of malloc, which two threads would wait for. One thread's own, or one side's under a lock;
 * bounded, so that a time of many leaves no memory behind.
 */
#ifndef PROXY_SPARES_H
#define PROXY_SPARES_H

#include <stddef.h>

/* All 0 is no spares. */
struct spares {
	struct spare *first;
	unsigned      count;
};

/* Room for an object, with anything in it; never NULL. size is the same for all of a kind: that of a pointer at least. */
void *spares_take(struct spares *spares, size_t size);
/* Takes object, which may be NULL; beyond max it is freed. */
void spares_give(struct spares *spares, void *object, size_t size, unsigned max);
void spares_clear(struct spares *spares, size_t size);

#endif
