/* SPDX-License-Identifier: MIT */
/* A conversation from the inside, for conversation.c and recognition.c alone. */
#ifndef CAPTURES_CONVERSATION_STATE_H
#define CAPTURES_CONVERSATION_STATE_H

#include <stdlib.h>

#include "proxy/captures/conversation.h"
#include "proxy/must.h"

enum conversation_state {
	CONVERSATION_STARTS,            /* too little to tell what it is */
	CONVERSATION_SMTP,
	CONVERSATION_TLS_FIRST,         /* TLS from the first octet, and perhaps SMTP in it */
	CONVERSATION_IGNORED,           /* not SMTP, or over */
};

struct starting;

/* Octets that grow. */
struct octets {
	char  *at;
	size_t len, room;
};

struct conversation {
	struct capture_run      *run;
	struct conversation_ends ends;
	struct starting         *starting;      /* NULL: nothing came yet, or it is known what it is */
	struct session          *session;       /* NULL: none (yet) */
	struct octets            kept[2];       /* by enum smtp_side: offered and not used */
	struct tls_reader       *tls;           /* with a key log, after the hand-over; NULL: none */
	uint64_t                 missing;       /* octets of missing_end that are a gap not told yet: it may go on */
	unsigned                 missing_end;
	unsigned                 client;        /* which end */
	bool                     dialled[2], heard[2];  /* heard: its packets are in the capture */
	bool                     midstream[2];  /* its stream began without a SYN */
	bool                     secured, tls_tried, oneside_told;
	bool                     queued, ready; /* turns.c: it has a turn; it is SMTP and waits for that */
	struct conversation     *older, *newer; /* where queued */
	uint64_t                 began_us;
	const char              *capture;       /* the file that it began in */
	uint8_t                  state;         /* enum conversation_state */
	char                     apart[64];     /* what follows is read by another thread, which would take what it stands beside along */
	atomic_bool              over;          /* the state is CONVERSATION_IGNORED: for who tells it more */
	struct conversation     *next_gone;     /* where it is kept for another */
	char                     from_others[48];
};

void octets_add(struct octets *o, struct view more);
void octets_free(struct octets *o);
static inline struct view
octets_view(const struct octets *o)
{
	return (struct view){o->at, o->len};
}

static inline enum tls_side
conversation_tls_side(const struct conversation *c, unsigned end)
{
	return end == c->client ? TLS_CLIENT : TLS_SERVER;
}

/* conversation.c */
struct preface;
void conversation_ignore(struct conversation *c);       /* what it still says is nobody's business */
void conversation_begin_session(struct conversation *c, const struct preface *preface, uint64_t time_us);
void conversation_news(struct conversation *c, unsigned end, const struct stream_news *news, uint64_t time_us);
/* Decoded octets for the session, which may be over behind them. */
void conversation_feed(struct conversation *c, enum smtp_side side, struct view octets, uint64_t time_us);

/* recognition.c */
/* News while it is not known what this is. */
void starting_news(struct conversation *c, unsigned end, const struct stream_news *news, uint64_t time_us);
/* No more will come: it is decided by what there is, if it is not yet. */
void starting_ends(struct conversation *c);
void starting_goes(struct conversation *c);     /* frees it, where there is one */
/* Frees what is kept for starts to come. */
void starts_clear(struct capture_run *run);
/* Its session begins, and is told what came so far. */
void starting_replay(struct conversation *c);

/* turns.c */
void turns_join(struct conversation *c, uint64_t time_us);      /* with its first octet */
void turns_known(struct conversation *c);       /* it is SMTP: starting_replay, now or in its turn */
void turns_leave(struct conversation *c);       /* it is something else */
void turns_wait(struct conversation *c, size_t kept, uint64_t time_us); /* more came; kept: octets so far */
void turns_end(struct conversation *c);         /* it is over: its turn has come */

#endif
