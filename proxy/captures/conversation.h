/* SPDX-License-Identifier: MIT */
/*
 * A TCP connection of a capture that has carried data: its two streams, what its first
 * octets say it is, and, if that is SMTP, its session. Knows no file and no frame.
 */
#ifndef CAPTURES_CONVERSATION_H
#define CAPTURES_CONVERSATION_H

#include "decoders/net/packet.h"
#include "decoders/net/segment.h"
#include "decoders/tls/tls.h"
#include "proxy/sessions/session.h"

struct conversation;

/* Conversations that have begun and are not told yet, in the order of their first octets. */
struct turns {
	bool                 kept;              /* false: a session begins when it is known, whoever began before */
	struct conversation *oldest, *newest;
	uint32_t             ready;             /* of them, known to be SMTP */
};

/* What all conversations of a run share, and count. */
struct capture_run {
	const struct session_config *config;    /* dry_run is set in it */
	const struct tls_keylog     *keylog;    /* NULL: none */
	const char                  *capture;   /* name of the file that is read now */
	const uint16_t              *ports;     /* where SMTP is expected, beside the known ones; 0 ends them */
	uint64_t sessions;                      /* number given last */
	uint64_t other;                         /* connections with data that were not SMTP */
	uint64_t given_up;                      /* octets dropped because a ceiling was reached */
	struct turns turns;
	struct conversation *spare;             /* the last that ended, for the next; frames.c frees it */
};

struct conversation_ends {
	struct net_address address[2];
	uint16_t           port[2];
	uint64_t           established_us;      /* the handshake was over; 0: it is not in the capture */
};

/* Borrows run, copies ends. Ends are 0 and 1, client and server once that is known. */
struct conversation *conversation_new(struct capture_run *run, const struct conversation_ends *ends);

/* To be called in front of all segments: an end's first octet will be this, though its SYN was not captured. */
void conversation_starts_at(struct conversation *c, unsigned end, uint32_t seq);

/* The next segment, which end sent. Never called again once it returns false: the connection is over. */
bool conversation_segment(struct conversation *c, unsigned end, const struct tcp_segment *segment, uint64_t time_us);

/* Whether it is SMTP, and its end was not seen yet. */
bool conversation_is_open(const struct conversation *c);

/* No more will come (capture end, or the ports are used anew): tells what is left, frees. */
void conversation_end(struct conversation *c, uint64_t time_us);

#endif
