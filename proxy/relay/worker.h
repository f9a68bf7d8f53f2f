/* SPDX-License-Identifier: MIT */
/*
 * What all sessions of one loop share. A session lives and dies on one worker; nothing here
 * is locked, and but for the tally nothing is known to another worker.
 */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include <stdatomic.h>

#include "proxy/loop.h"

#include "proxy/arena.h"
#include "proxy/relay/alarms.h"
#include "proxy/sessions/rulebook.h"

struct pair;
struct round;
struct listeners;
struct upstreams;

struct intercept;

/* TLS that the proxy itself speaks. */
struct worker_tls {
	struct intercept *intercept;    /* borrowed; NULL: no session needs it */
	enum session_tls  way[2];       /* by enum smtp_side, where the URL does not say implicit TLS */
	bool              spoken;       /* some session does */
	bool              glued_given, drops_glued;     /* --glued; without it: dropped where TLS is not passed */
	uint64_t          handshake_us; /* how long one may take */
};

/* Both legs pass TLS or none does; and what becomes of glued octets. */
void worker_tls_agree(const struct worker_tls *tls, enum session_tls way[2], bool *drops_glued);

/* What all workers count together. */
struct worker_tally {
	atomic_uint_fast64_t last_session;      /* number given last */
	atomic_uint_fast64_t open;              /* sessions */
	atomic_uint_fast64_t paused_us;         /* when it was said last that none is accepted; 0: never */
};

struct worker {
	struct event_base *base;        /* owned */
	struct alarms      alarms;      /* of its sessions */
	char              *scratch;     /* octets being read, with those kept in front of them; owned */
	size_t             scratch_size;
	struct round      *round;       /* owned */
	struct arena       arena;       /* of the sessions: session_config.arena points to it */
	uint64_t           clock_us;    /* what the monotonic clock lacks to be the time of day */
	struct rulebook   *rulebook;    /* for sessions that begin now */
	struct upstreams  *upstreams;
	struct listeners  *listeners;
	struct worker_tls  tls;
	uint64_t           idle_timeout_us;     /* 0: none */
	uint64_t           max_sessions;        /* 0: no limit */
	uint64_t           room;                /* sessions for which there are descriptors; 0: unknown */
	struct worker_tally *tally;             /* own_tally, or that of the worker that it was made after */
	struct worker_tally  own_tally;
	uint64_t           turned_away;         /* connections beyond max_sessions */
	struct pair       *pairs;               /* all that live */
	size_t             pair_count;
	bool               stopping;            /* no new ones; stopped is called when the last has ended */
	void             (*stopped)(void *to);
	void              *stopped_to;
};

#define WORKER_READ ((size_t)64 << 10)  /* octets read at once */
#define WORKER_READ_MOST ((size_t)192 << 10)    /* from who sends faster than that: more is slower again, for caches */

/* False: no loop could be made. */
bool worker_init(struct worker *worker);
/*
 * One with the settings of another, to run beside it on another thread: with a loop of its own, no
 * listeners, upstreams, rules yet. It counts in the other's tally. False: no loop could be made.
 */
bool worker_init_beside(struct worker *worker, const struct worker *first);
void worker_clear(struct worker *worker);

/*
 * Microseconds since 1970. It runs with the monotonic clock, so that a session's times
 * never go backwards when the clock is set.
 */
uint64_t worker_now(const struct worker *worker);

/*
 * Where to read size octets to, in the scratch buffer: at the start of a page, with room for `kept` more in
 * front of it. What was in it is gone. (recv() to where no page starts took twice the time for large reads.)
 */
char *worker_scratch(struct worker *worker, size_t kept, size_t size);

#endif
