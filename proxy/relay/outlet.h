/* SPDX-License-Identifier: MIT */
/*
 * The way out to one leg: segments in order, each with its wait, at the pace that a rule set. What is due goes to the
 * socket at once, from the caller's buffer; copied is only what the socket refuses and what
 * waits, into chunks that exist no longer than that. Knows no loop: its owner asks when to
 * come back.
 */
#ifndef RELAY_OUTLET_H
#define RELAY_OUTLET_H

#include "proxy/sessions/session.h"

#define OUTLET_HIGH ((size_t)256 << 10) /* octets that wait: stop reading the other leg ... */
#define OUTLET_LOW  ((size_t)64 << 10)  /* ... until no more than these do */

struct tls_conn;

struct outlet {
	struct outlet_chunk *first, *last;
	struct tls_conn     *tls;       /* borrowed: what goes out does so in it; NULL: as it is */
	struct pacer        *pacer;     /* owned; NULL: as fast as the socket takes them */
	size_t   size;          /* octets that its chunks take, with what they cost themselves */
	bool     full;          /* between reaching OUTLET_HIGH and being down to OUTLET_LOW */
	bool     refused;       /* the socket is full: flush when it can be written to */
	bool     secure;        /* in front is where TLS begins: nothing goes until outlet_secured */
	bool     wants_read;    /* refused: until the socket can be read */
	uint16_t begun;         /* octets of a TLS record that the socket refused: so many must be offered again */
	bool     dammed;        /* SEGMENT_FOREVER is in it: what comes behind is let go at once */
};

void outlet_init(struct outlet *outlet);

/*
 * Puts out the segments that go to this side, or queues them. fd -1: not connected yet,
 * nothing goes and no wait begins. Adds to *resumed the waits that are over and had asked
 * for session_resume. Returns 0, or the errno of a socket that takes nothing any more: then
 * the caller clears the outlet.
 */
int outlet_put(struct outlet *outlet, int fd, enum smtp_side to, const struct segment *segments,
    unsigned count, uint64_t now_us, unsigned *resumed);

/* Goes on where it stopped: the socket can be written to, a wait is over, it is connected. */
int outlet_flush(struct outlet *outlet, int fd, uint64_t now_us, unsigned *resumed);

/* TLS has begun where a segment said so, by tls (borrowed until outlet_clear): what is behind it may go. */
void outlet_secured(struct outlet *outlet, struct tls_conn *tls);

/* When the wait in front is over, or the next octets may go; 0: none, or the wait is for ever. */
uint64_t outlet_wake_at(const struct outlet *outlet);

static inline bool
outlet_is_empty(const struct outlet *outlet)
{
	return outlet->first == NULL;
}

/* Frees all that waits. Returns how many of the waits had asked for session_resume. */
unsigned outlet_clear(struct outlet *outlet);

#endif
