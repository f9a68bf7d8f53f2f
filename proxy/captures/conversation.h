/* SPDX-License-Identifier: MIT */
/*
 * What the two ends of a TCP connection have said, put in order: what its first octets say it
 * is, and, if that is SMTP, its session. Knows no file, no frame and no segment.
 */
#ifndef CAPTURES_CONVERSATION_H
#define CAPTURES_CONVERSATION_H

#include <stdatomic.h>

#include "decoders/net/packet.h"
#include "decoders/net/stream.h"
#include "decoders/tls/tls.h"
#include "proxy/sessions/session.h"
#include "proxy/spares.h"

struct conversation;
struct pipeline;

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
	const uint16_t              *ports;     /* where SMTP is expected, beside the known ones; 0 ends them */
	const char                  *capture;   /* name of the file that is read now; its reader's, as the next */
	struct pipeline             *pipeline;  /* NULL: conversations are told at once */
	_Atomic uint64_t sessions;              /* number given last */
	uint64_t other;                         /* connections with data that were not SMTP */
	uint64_t given_up;                      /* octets dropped because a ceiling was reached */
	struct turns turns;
	/* What has gone and can come again. */
	struct spares connections;      /* of who puts them in order */
	struct spares starts;           /* of who hears */
	struct {
		_Atomic(struct conversation *) gone;    /* by who hears, for who begins them */
		struct conversation *taken;     /* back, by the latter */
		atomic_uint given, got;         /* so many in all, by the one and by the other */
	} conversations;
};

/* Ends are 0 and 1, client and server once that is known. */
struct conversation_ends {
	struct net_address address[2];
	uint16_t           port[2];
	uint64_t           established_us;      /* the handshake was over; 0: it is not in the capture */
};

/* What there is to tell of a connection, one after the other. */
enum told_type {
	TOLD_START,             /* in front of all else: the octets are a struct conversation_start */
	TOLD_NEWS,              /* of its streams */
	TOLD_HEARD,             /* the first packet of an end */
	TOLD_DIALLED,           /* by this end: there was a SYN */
	TOLD_END                /* no more will come (capture end, or the ports are used anew) */
};

struct told {
	struct conversation *to;
	uint64_t             time_us;
	enum told_type       type;
	unsigned             end;               /* which end's, 0 or 1 */
	bool                 midstream[2];      /* by end: its stream began without a SYN, as far as is known now */
	struct stream_news   news;
};

/* What is known of a conversation before there is something to tell. */
struct conversation_start {
	struct capture_run      *run;           /* borrowed until its end */
	const char              *capture;       /* name of the file that it began in; the same */
	struct conversation_ends ends;
	bool                     heard[2], dialled[2];  /* as TOLD_HEARD and TOLD_DIALLED */
};

/* To be told of. Nothing is written to it here: it is in the cache of who hears, mostly, who had it last. */
struct conversation *conversation_new(struct capture_run *run);

/* Frees what is kept for conversations to come. */
void conversations_clear(struct capture_run *run);

/* What is told lasts for the call. TOLD_END frees the conversation. */
void conversation_hear(struct conversation *c, const struct told *told);

/* It is no SMTP, or its session is over: nothing more need be told but its end. From any thread. */
bool conversation_is_over(const struct conversation *c);

/* Whether it is SMTP, and its end was not seen yet. */
bool conversation_is_open(const struct conversation *c);

#endif
