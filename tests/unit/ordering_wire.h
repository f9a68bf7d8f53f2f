/* SPDX-License-Identifier: MIT */
/*
 * A session between two ends without sockets, for tests in which chance decides what arrives
 * when: what plans lead to is carried out as the relay does, by a clock that is moved by hand.
 */
#ifndef TESTS_UNIT_ORDERING_WIRE_H
#define TESTS_UNIT_ORDERING_WIRE_H

#include "proxy/relay/pacer.h"
#include "proxy/sessions/session.h"

struct wire_octets {
	char  *at;              /* owned */
	size_t len, size;
};

struct wire_piece;

/* One end, as it sees the connection. */
struct wire_end {
	struct wire_octets out;         /* written by it, not yet read by the session's owner */
	struct wire_octets in;          /* arrived, not yet read by it */
	bool               leaves;      /* it has said FIN behind `out` */
	bool               closed, reset;       /* what it has heard: FIN, RST */
	/* Between the two. */
	struct wire_octets kept;        /* read, not used yet by the session */
	struct wire_piece *first, **last;
	struct pacer       pacer;
	enum ending        ending;
	bool               told, drains;
	unsigned           resumes;
	bool               feed_due;
};

struct wire {
	struct session_config config;
	struct session       *session;
	struct wire_end       end[2];   /* by enum smtp_side */
	uint64_t              now_us;
	bool                  over;
};

void wire_octets_put(struct wire_octets *octets, const char *at, size_t len);
void wire_octets_use(struct wire_octets *octets, size_t len);

/* Begins a session. Borrows config, rules and arena until wire_end. */
void wire_begin(struct wire *wire, const struct session_config *config, uint64_t number);

/* So many of the octets that an end has written arrive at the session (at most all), then its FIN. */
void wire_deliver(struct wire *wire, enum smtp_side from, size_t most);

/*
 * The clock goes on to the next wait that is over; false: there is none. The session's own, for
 * peers that do not answer, only where nobody has anything to say or to read.
 */
bool wire_wait(struct wire *wire);

/* Whether anything is still under way: unread octets, waits. */
bool wire_is_quiet(const struct wire *wire);

void wire_finish(struct wire *wire);

#endif
