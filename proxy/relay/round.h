/* SPDX-License-Identifier: MIT */
/*
 * What one round of a worker's loop reads and sends. Where several sockets are ready, one call of the
 * kernel reads them all, and one sends what goes on (io_uring): of what a proxy costs that decodes
 * a line, half is the way into the kernel and back. One socket alone is read and written as ever, and
 * so are all where the kernel has no io_uring or forbids it.
 *
 * Nothing else is different. Only octets of pairs through which octets flow wait for the end of the
 * round; whatever else is to be done for a pair finds all of its octets sent.
 */
#ifndef RELAY_ROUND_H
#define RELAY_ROUND_H

#include "proxy/relay/worker.h"
#include "proxy/sessions/session.h"

struct pair;

/* Of one worker; owned by the caller. */
struct round *round_new(void);
void round_free(struct round *round);

/* One round: waits until something is to be done, and does it. Returns what event_base_loop does. */
int round_go(struct worker *worker);

/* Goes round until the loop is broken, or fails (below 0). */
int round_go_on(struct worker *worker);

/* That leg of the pair is read before the loop waits again. False: the caller is to read it. */
bool round_read(struct pair *pair, enum smtp_side side);

/* Copies what the plan puts out to a side, to be sent before the loop waits again. False: the caller is to send it. */
bool round_send(struct pair *pair, enum smtp_side to, const struct plan *plan);

/* Sends what still waits of that pair. Does not settle it. */
void round_send_now(struct pair *pair);

/* The pair is about to be freed. */
void round_forget(struct pair *pair);

#endif
