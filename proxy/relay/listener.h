/* SPDX-License-Identifier: MIT */
/*
 * Where sessions come in. Each listener hands its connections to pair_new; when there are
 * no descriptors left, all of them pause until one is free again.
 */
#ifndef RELAY_LISTENER_H
#define RELAY_LISTENER_H

#include "proxy/relay/worker.h"
#include "proxy/url.h"

struct listener {
	union url_address bound;
	bool              lmtp;
	struct url        url;                  /* with the port that was picked */
};

/* Takes no connection until listeners_add. err: where pauses are told; borrowed. */
struct listeners *listeners_new(struct worker *worker, FILE *err);

/*
 * Binds and listens. False: nothing is bound, error holds a sentence. The URL bound is
 * printed to err as `listening on smtp://127.0.0.1:40123`.
 */
bool listeners_add(struct listeners *listeners, const struct url *url, char error[static URL_ERROR_MAX]);

/*
 * What is added from now on may be shared with listeners of other workers, and its URLs are printed
 * by listeners_tell, when those are there.
 */
void listeners_share(struct listeners *listeners);
void listeners_tell(const struct listeners *listeners);

/*
 * Listens where first does, beside it (SO_REUSEPORT), without a word; first must have been shared
 * before it listened. False: error holds a sentence.
 */
bool listeners_beside(struct listeners *listeners, const struct listeners *first, char error[static URL_ERROR_MAX]);

/* Whether a connection to this address would come out at one of them (0.0.0.0 and :: listen on all). */
bool listeners_own(const struct listeners *listeners, const union url_address *address);

/* A descriptor was closed: accept again, if accepting had to pause. */
void listeners_resume(struct listeners *listeners);

/* From any thread, before listeners_stop: nobody new is let in from now on. */
void listeners_refuse(const struct listeners *listeners);

/* Closes all of them: nobody comes in any more. */
void listeners_stop(struct listeners *listeners);
void listeners_free(struct listeners *listeners);

#endif
