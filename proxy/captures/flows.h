/* SPDX-License-Identifier: MIT */
/*
 * The table of TCP connections of a capture. A connection is a few octets until it carries
 * data, and goes when it is over, when its ports are used anew, or when it has been silent
 * for long by the capture's clock: memory follows what is open and not the file's size.
 */
#ifndef CAPTURES_FLOWS_H
#define CAPTURES_FLOWS_H

#include "decoders/net/packet.h"
#include "proxy/captures/conversation.h"

struct flows;

/* Borrows run. */
struct flows *flows_new(struct capture_run *run);

/* An IP packet; what is not TCP is passed over. */
void flows_packet(struct flows *flows, const struct net_packet *packet, uint64_t time_us);

/* What comes is of another file: connections that do not go on there begin anew. */
void flows_next_file(struct flows *flows);

/*
 * The capture ends: every conversation is told to its end, in the order of their last packets.
 * Returns how many sessions had not ended by then.
 */
uint64_t flows_end(struct flows *flows, uint64_t time_us);
void flows_free(struct flows *flows);

#endif
