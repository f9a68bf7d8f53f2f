/* SPDX-License-Identifier: MIT */
/*
 * One connection of a session: its descriptor, the one event that watches it, what is unsent
 * (the outlet) and what was read and not used yet (kept). It does what it is told; what
 * becomes of a session is decided by pair.c.
 *
 * Watched is one thing at a time, so that a read costs no epoll_ctl: reading; writing while
 * the socket is full; or, where neither is wanted, only that the peer has vanished.
 */
#ifndef RELAY_LEG_H
#define RELAY_LEG_H

#include "proxy/loop.h"

#include "proxy/relay/outlet.h"

#define LEG_DRAIN_US UINT64_C(5000000)  /* how long a leg is read and thrown away behind our FIN */

#define LEG_AVID     ((size_t)16 << 10) /* octets; who sends so many at once sends more */

#define LEG_READING (EV_READ | EV_PERSIST)      /* leg.watched, where it is watched for that alone */

enum leg_state {
	LEG_NONE,               /* never was one */
	LEG_CONNECTING,         /* its outlet collects; fd is -1 */
	LEG_OPEN,
	LEG_GONE
};

struct leg {
	struct loop_event   event;
	struct outlet  outlet;
	struct leg_tls *tls;            /* owned; NULL: it is in the clear */
	char          *kept;            /* owned; NULL where there is nothing */
	uint64_t       drain_until_us;  /* set when our FIN went; 0: not yet */
	uint32_t       kept_len;
	int            fd;
	uint8_t        state;           /* enum leg_state */
	short          watched;         /* libevent's flags; 0: not in the loop */
	bool           eof;             /* its FIN was read */
	bool           lost;            /* reset, or taken from us: nothing more goes either way */
	bool           fin_due : 1;       /* our FIN goes out behind the outlet */
	bool           fin_sent : 1;
	bool           draining : 1;      /* what comes in is thrown away */
	bool           avid : 1;        /* the last read gave LEG_AVID octets, and all went on: the next may be a large one */
};

void leg_init(struct leg *leg);

/* Takes fd (not blocking, connected). ready is called with to as its last argument. */
void leg_open(struct leg *leg, struct event_base *base, int fd, event_callback_fn ready, void *to);

/* What the leg is to be woken for; neither: only if the peer has vanished, or after EOF for nothing. */
void leg_watch(struct leg *leg, bool reading, bool writing);

enum leg_read {
	LEG_READ_SOME, LEG_READ_NOTHING,        /* *len octets; none are there now */
	LEG_READ_FIN, LEG_READ_LOST,            /* errno says why */
	LEG_READ_FAILED                         /* by a fault of TLS: ask its connection */
};
enum leg_read leg_read(struct leg *leg, char *at, size_t size, size_t *len);

/*
 * Whether the peer has vanished (reset, timed out) while nothing was read from it. Takes
 * nothing from the socket: what came before the reset can still be read.
 */
bool leg_has_vanished(const struct leg *leg);

/* Whether the peer's system has taken all that went out: a reset of ours takes back what it has not. */
bool leg_is_taken(const struct leg *leg);

/* Keeps a copy of octets, in place of what was kept; they may lie in the kept ones. */
void leg_keep(struct leg *leg, const char *octets, size_t len);

/* Sends FIN if it is due and everything in front of it is out. */
void leg_send_fin(struct leg *leg, uint64_t now_us);

/* Both close the descriptor, drop what is unsent and leave the leg gone; reset sends RST. */
void leg_close(struct leg *leg);
void leg_reset(struct leg *leg);

/* Closes if need be, frees what it holds. */
void leg_clear(struct leg *leg);

#endif
