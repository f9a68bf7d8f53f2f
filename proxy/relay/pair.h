/* SPDX-License-Identifier: MIT */
/*
 * Two legs and a session: reads are fed to the session, and its plans are carried out. What
 * a plan means for sockets stands here; what it says and why is the session's business.
 */
#ifndef RELAY_PAIR_H
#define RELAY_PAIR_H

#include "proxy/relay/listener.h"
#include "proxy/relay/worker.h"
#include "proxy/sessions/session.h"

struct pair;

/* Begins a session for a client that was accepted. Takes fd. It ends and frees itself. */
void pair_new(struct worker *worker, int fd, const union url_address *client,
    const struct listener *listener);

/* Each session of the worker, in no order; the glance lasts for the call. */
void pairs_glance(const struct worker *worker, void (*told)(void *to, const struct session_glance *glance), void *to);

/* Ends one session now, as pairs_stop does. False: it is not one of the worker's. */
bool pairs_stop_one(struct worker *worker, uint64_t session, const char *reason);

/* The alarm of one of the worker's sessions rings. */
void pair_is_woken(struct alarm *alarm);

/* Ends all sessions of the worker now: what their sockets take at once goes out, nothing else. */
void pairs_stop(struct worker *worker, const char *reason);

#endif
