/* SPDX-License-Identifier: MIT */
/*
 * Two legs and a session: reads are fed to the session, and its plans are carried out. What
 * a plan means for sockets stands here; what it says and why is the session's business.
 */
#ifndef RELAY_PAIR_H
#define RELAY_PAIR_H

#include "proxy/relay/listener.h"
#include "proxy/relay/worker.h"

struct pair;

/* Begins a session for a client that was accepted. Takes fd. It ends and frees itself. */
void pair_new(struct worker *worker, int fd, const union url_address *client,
    const struct listener *listener);

/* Ends all sessions of the worker now: what their sockets take at once goes out, nothing else. */
void pairs_stop(struct worker *worker, const char *reason);

#endif
