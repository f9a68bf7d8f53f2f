/* SPDX-License-Identifier: MIT */
/*
 * A TCP connection of a capture that has carried data: its segments put in order, both ways, and
 * told to its conversation, by way of the run's pipeline. Knows nothing of what is said.
 */
#ifndef CAPTURES_CONNECTION_H
#define CAPTURES_CONNECTION_H

#include "decoders/net/segment.h"
#include "proxy/captures/conversation.h"

struct connection;

/* Borrows run, copies ends. */
struct connection *connection_new(struct capture_run *run, const struct conversation_ends *ends);

/* To be called in front of all segments: an end's first octet will be this, though its SYN was not captured. */
void connection_starts_at(struct connection *connection, unsigned end, uint32_t seq);

/* An ACK alone, of what is known already, which every second packet is: it need not be told. */
bool connection_learns_nothing(const struct connection *connection, unsigned end, const struct tcp_segment *segment);

/* The next segment, which end sent. */
void connection_segment(struct connection *connection, unsigned end, const struct tcp_segment *segment,
    uint64_t time_us);

/* What is said in it is nobody's business (any more): it can be closed. When that is known is a matter of luck. */
bool connection_is_over(const struct connection *connection);

/* Whether it is SMTP that has not ended. Behind pipeline_settle only. */
bool connection_is_open(const struct connection *connection);

/* Frees what is kept for connections to come, and for their conversations: where none is left, behind pipeline_close. */
void connections_clear(struct capture_run *run);

/* No more will come (capture end, or the ports are used anew): tells what is left, frees. */
void connection_close(struct connection *connection, uint64_t time_us);

#endif
