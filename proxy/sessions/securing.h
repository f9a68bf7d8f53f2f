/* SPDX-License-Identifier: MIT */
/*
 * TLS that the proxy itself speaks, from the dialogue's side, for the files of this room alone:
 * which leg has it, when it begins (the session plans that, the relay does it and tells), and the
 * commands that the proxy says of its own accord to get there. A session of which all TLS passes
 * has none of this.
 */
#ifndef SESSIONS_SECURING_H
#define SESSIONS_SECURING_H

#include "proxy/sessions/session.h"

struct passage;
struct smtp_exchange;

enum securing_leg {
	LEG_PLAIN,
	LEG_DUE,                /* implicit TLS: it comes before all else, and has not begun */
	LEG_BEGINS,             /* the plan has said so */
	LEG_SECURE,
	LEG_FAILED
};

/* What the proxy says to a server for whose leg alone there is STARTTLS. */
enum securing_own { OWN_NONE, OWN_GREETING, OWN_EHLO, OWN_STARTTLS };

struct securing {
	uint8_t way[2];                         /* enum session_tls, by enum smtp_side */
	uint8_t leg[2];                         /* enum securing_leg */
	uint8_t own;                            /* enum securing_own: what it waits for */
	bool    drops_glued;
	bool    server_in_clear;                /* what is kept of the server's was sent before its TLS */
	bool    greeting_kept;                  /* the greeting is, until the server's TLS is up */
	uint8_t greeting_origin;                /* enum event_origin */
	int64_t greeting_latency_us;
	char   *greeting;                       /* what the client is to be told; owned */
	size_t  greeting_len;
};

/* NULL: all TLS passes, and nothing is dropped. */
struct securing *securing_new(const struct session_ends *ends);
void securing_free(struct securing *securing);

/* The legs with implicit TLS begin with it; called before anything is put. */
void securing_opens(struct session *s);
/* The server is to be dialled. */
void securing_dials(struct session *s);

/* Whether a side's octets must wait for a handshake. */
bool securing_blocks(const struct session *s, enum smtp_side from);
/* Whether the client speaks while it waits for the greeting, which the server's TLS holds up. */
bool securing_is_early(const struct session *s);
/* Whether replies to the client must wait until its TLS has begun. */
bool securing_holds_replies(const struct session *s);
/* Whether octets of a side may not go on before their unit is whole. */
bool securing_wants_units(struct session *s, enum smtp_side from, const struct smtp_exchange *e);

/* Octets of the server's that were there before its TLS are taken off: none of them is a part of it. */
struct view securing_takes_clear(struct session *s, struct view octets);

/* A reply of the server's that is a 220 to STARTTLS: it is unsettled until the handshake is done. */
bool securing_waits(struct session *s, const struct passage *p);
/* What the client is told instead of it where that failed; .at NULL: nothing else. */
struct view securing_refuses(struct session *s, const struct passage *p);
/* The reply to EHLO, with STARTTLS offered or not as it can be had; .at NULL: it stays. */
struct view securing_keywords(struct session *s, const struct smtp_exchange *e, struct view octets);
/* A rule's greeting, before the client's TLS has begun. True: it waits for that. */
bool securing_holds_greeting(struct session *s, struct view octets);
/* The greeting is kept back while the proxy says STARTTLS. True: it was taken. */
bool securing_keeps_greeting(struct session *s, const struct smtp_exchange *e, struct view octets,
    enum event_origin origin, int64_t latency_us);
/* The server has said FIN. True: TLS was to begin with it, which has failed by that. */
bool securing_lost_server(struct session *s);
/* A reply to a command of the proxy's own, when it has been settled. */
void securing_goes_on(struct session *s, enum smtp_verb verb, const struct smtp_reply *said);

/* The client was told 220 to STARTTLS. True: TLS begins on its leg; false: it is passed on, or nobody has it. */
bool securing_begins_with_client(struct session *s);

/* Whether the proxy speaks TLS with a client that begins it now. */
bool securing_has_client(const struct session *s);

/* What the proxy says to STARTTLS where it does not ask the server; .at NULL: it does. */
struct view securing_answers(const struct session *s, const struct smtp_command *command);

/* glued.c: octets that were sent in the clear where TLS was to begin */

/* Behind STARTTLS: lines are taken off, and told; returns what is not a part of them. */
struct view glued_by_client(struct session *s, struct view behind);
/* The same of the server while TLS passes: lines in front of its hello, as long as the client has not sent its own. */
struct view glued_from_server(struct session *s, struct view octets);
/* Behind the 220: all octets are taken off, and told. False: there are none. */
bool glued_by_server(struct session *s, struct view octets);

#endif
