/* SPDX-License-Identifier: MIT */
/*
 * Where sessions go: the servers, tried in order, each name's addresses in order, until one
 * is connected. Names are asked for with c-ares in the loop; a numeric address never gets
 * there. Knows nothing of sessions: who dials is told of each attempt.
 */
#ifndef RELAY_UPSTREAM_H
#define RELAY_UPSTREAM_H

#include "proxy/relay/worker.h"
#include "proxy/url.h"

struct dial;            /* a server being connected to */

/*
 * Copies urls (at least one, all SMTP or all LMTP) and servers: DNS servers as "addr:port,...",
 * NULL: those of this host. connect_timeout_us is for one attempt.
 */
struct upstreams *upstreams_new(struct worker *worker, const struct url *urls, size_t count,
    uint64_t connect_timeout_us, const char *servers);
void upstreams_free(struct upstreams *upstreams);

/*
 * Who serves URL_SINK: take gets one end of a pair of sockets, which is its own then; false:
 * it cannot, and has closed it.
 */
void upstreams_set_sink(struct upstreams *upstreams, bool (*take)(void *to, int fd), void *to);

/* The first one, as its URL says: what a session's server is called. The others are behind it. */
const struct url *upstreams_first(const struct upstreams *upstreams);

/* The first URL whose numeric address is one of our own listeners; NULL: none is. */
const struct url *upstreams_find_own(const struct upstreams *upstreams);

struct dialler {
	/* One attempt is over: "connected", "refused", "timeout", "unreachable" or "dns". */
	void (*attempt)(void *to, struct view server, const char *outcome, struct view reason,
	    uint64_t duration_us);
	/*
	 * Its end, one of the two; the dial is gone when it is called. connected gives fd away, and says
	 * by which URL (which lives as long as the upstreams); was_reset: by a server that had accepted, and may have spoken.
	 */
	void (*connected)(void *to, const struct url *url, int fd, bool was_reset);
	void (*failed)(void *to, struct view reason);
	void  *to;
};

/*
 * Starts. All of the dialler's functions may be called before this returns; NULL then: it is
 * over. Otherwise dial_cancel or the end frees it.
 */
struct dial *dial_start(struct upstreams *upstreams, const struct dialler *dialler);

/* When dial_wake must be called: the attempt takes too long then. Never 0. */
uint64_t dial_wake_at(const struct dial *dial);
void dial_wake(struct dial *dial);

/* Nothing is called any more. */
void dial_cancel(struct dial *dial);

#endif
