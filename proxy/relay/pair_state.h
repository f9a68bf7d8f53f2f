/* SPDX-License-Identifier: MIT */
/*
 * A pair from the inside, for pair.c (what comes in and what plans make of it), parting.c
 * (how it ends) and pair_timer.c alone.
 */
#ifndef RELAY_PAIR_STATE_H
#define RELAY_PAIR_STATE_H

#include <assert.h>

#include "proxy/relay/leg.h"
#include "proxy/relay/pair.h"
#include "proxy/relay/upstream.h"

/* How long a reset that is handed on waits for the octets before it, and a lost leg to be read out. */
#define PAIR_RESET_US UINT64_C(1000000)
/* That the peer has taken everything is no event: this is how often to look. */
#define PAIR_LOOK_US UINT64_C(5000)
/* An ended session's last octets: how long they may find no taker. */
#define PAIR_STUCK_US UINT64_C(300000000)

struct pair {
	struct worker    *worker;
	struct session   *session;      /* NULL: it has ended, and its legs linger */
	struct rulebook  *rulebook;     /* the session's */
	struct dial      *dial;         /* the server, while it is being connected to */
	struct pair      *next, **at;   /* in the worker's list */
	struct alarm      alarm;        /* not set: an idle session needs none */
	uint64_t          active_us;    /* when an octet last came or went */
	uint64_t          reset_by_us[2];       /* a reset handed on to that leg goes by then; 0: none */
	uint64_t          reset_look_us[2];     /* when to look again whether it may go; 0: not yet */
	uint64_t          lost_by_us[2];        /* a lost leg is read until then, not longer; 0: it is not lost */
	struct leg        leg[2];       /* by enum smtp_side */
	unsigned          resumes[2];   /* due: session_resume, by the side whose octets waited */
	bool              feed_due[2];  /* due: that side's kept octets, even none */
	bool              secure_due[2]; /* TLS is to begin on that leg, and what came of it was not told yet */
	bool              dial_due : 1;
	bool              unreachable_due : 1;
	bool              over : 1;     /* the session wants nothing any more */
	bool              settling : 1;
	bool              to_read : 1;  /* it has places in this round of the loop (round.h) ... */
	bool              to_take : 1;  /* ... one of them to be read together with others; */
	bool              to_send : 1;  /* and octets that go out at its end */
	uint16_t          server_url;   /* what was connected to: index in the upstreams */
	char             *why;          /* unreachable_due: the reason; owned */
};

static_assert(sizeof(struct pair) <= 576, "an idle session has at most 1.2 KiB, struct session included");

/* pair.c */

/* Does all that is due, ends what has ended, and tells the loop what to wait for. May free pair. */
void pair_settle(struct pair *pair, uint64_t now_us);

/* Carries out a plan that is about no side's octets: "again" and "other" mean both. */
void pair_carry_out_for_both(struct pair *pair, struct plan *plan, uint64_t now_us);

/*
 * Nothing more comes from a side: its FIN was read, or (not CLOSE_EOF) the leg is gone, which
 * this closes. Tells the session.
 */
void pair_read_ended(struct pair *pair, enum smtp_side side, enum close_how how, struct view reason,
    uint64_t now_us);

/* Goes on with what the outlet to that side has left. */
void pair_flush(struct pair *pair, enum smtp_side side, uint64_t now_us);

/* The loop says that the server's leg is ready; to is the pair. */
void pair_server_is_ready(evutil_socket_t fd, short what, void *to);

/* The socket said that it takes nothing any more. What the peer sent before that is still read. */
void pair_is_broken(struct pair *pair, enum smtp_side side);

/* Whether reading that leg is all that there is to do about it, and may be done by whom it pleases. */
bool pair_reads_plainly(const struct pair *pair, enum smtp_side side);
/* Reads that leg if it is still to be read, and settles. May free pair. */
void pair_read(struct pair *pair, enum smtp_side side);
/* What a read of that leg came to; settles. May free pair. */
void pair_take(struct pair *pair, enum smtp_side side, enum leg_read got, char *octets, size_t len);
/* Octets towards a leg that were put out before, and that its socket has not taken. */
void pair_put_rest(struct pair *pair, enum smtp_side to, struct view octets, uint64_t now_us);

/* Carries out a plan; side: whose octets or end it is about. Its used octets are the caller's to let go of. */
void pair_carry_out(struct pair *pair, enum smtp_side side, const struct plan *plan, uint64_t now_us);

/* pair_dial.c */

/* Begins to connect to the server. */
void pair_dial(struct pair *pair);

/* pair_tls.c */

/* Begins TLS where that is due, and lets a handshake go on that waited for the other leg. True: it did something. */
bool pair_tls_go_on(struct pair *pair, uint64_t now_us);
/* A socket is ready that a handshake waits for. */
void pair_tls_step(struct pair *pair, enum smtp_side side, uint64_t now_us);
/* A leg's TLS has failed, as its connection says; or the leg was lost on the way. */
void pair_tls_failed(struct pair *pair, enum smtp_side side, uint64_t now_us);
void pair_tls_lost(struct pair *pair, enum smtp_side side, struct view reason, uint64_t now_us);
/* Whether TLS was to begin on a leg where it cannot any more; pair_tls_cannot tells that. */
bool pair_tls_is_late(const struct pair *pair, enum smtp_side side);
void pair_tls_cannot(struct pair *pair, enum smtp_side side, uint64_t now_us);
/* Ends handshakes that take too long. */
void pair_tls_wake(struct pair *pair, uint64_t now_us);

/* parting.c */

/* Closes a leg, with a reset or not. Waits that were to resume the other side are over with it. */
void pair_lose(struct pair *pair, enum smtp_side side, bool reset);

/* Says the end of a leg's stream as soon as that can be said, and lets go of a leg that has ended. */
void pair_end_stream(struct pair *pair, enum smtp_side side, uint64_t now_us);

/* The session is over: puts out what it left, lingers where it asked for that. True: all is done. */
bool pair_finish(struct pair *pair, uint64_t now_us);
void pair_free(struct pair *pair);

/* pair_timer.c */

/* Sets the alarm for what comes first; never moves it back: it is asked again when it goes off. */
void pair_timer_arm(struct pair *pair);
/* Of a pair of which nothing but octets is awaited: whether it is to be set. */
bool pair_timer_is_late(const struct pair *pair);
void pair_timer_free(struct pair *pair);

#endif
