/* SPDX-License-Identifier: MIT */
/*
 * One session as the program sees it: dialogue, transaction, rules, findings, events.
 * Knows no socket and no capture. Its caller offers octets and carries out plans.
 */
#ifndef SESSIONS_SESSION_H
#define SESSIONS_SESSION_H

#include <netinet/in.h>

#include "decoders/smtp/dialogue.h"
#include "proxy/rules/rules.h"
#include "proxy/sessions/event.h"
#include "proxy/sessions/wire.h"

struct session;

/* What all sessions of a run have in common; borrowed, must outlive them. */
struct spares;

struct session_config {
	const struct ruleset *rules;            /* never NULL; may be without rules */
	struct rules_state   *rules_state;
	struct event_sink     events;
	struct wire_sink      wire;             /* the octets themselves; put NULL: not wanted */
	const char           *source;           /* "proxy" */
	bool                  show_secrets;
	bool                  keeps_messages;   /* somebody does: rules may say `save` */
	bool                  dry_run;          /* offline: rules are asked, nothing changes */
	uint32_t              max_line;         /* octets */
	uint64_t              max_content;      /* octets withheld of a last chunk */
	const char           *own_name;         /* of this host, where the proxy itself says EHLO; NULL: not known */
	/*
	 * Scratch that all sessions of one loop share: each call into a session empties it, so a
	 * plan is to be carried out before the next call for any of them.
	 */
	struct arena         *arena;
	struct spares        *spares;           /* the loop's own: sessions that are gone, for those to come; NULL: none is kept */
};

/* Frees what is kept in config->spares. */
void session_spares_clear(struct spares *spares);

/* What becomes of TLS on one leg. */
enum session_tls {
	SESSION_TLS_PASSED,                     /* it is the ends' own affair; both legs or none */
	SESSION_TLS_NONE,                       /* neither offered nor asked for */
	SESSION_TLS_STARTTLS,
	SESSION_TLS_IMPLICIT                    /* before the greeting (RFC 8314) */
};

struct session_ends {
	const struct sockaddr *client;          /* copied */
	bool                   unheard[2];      /* by enum smtp_side: no packet of it is in the capture so far */
	const struct sockaddr *server_address;  /* where the client connected to, for config->wire alone; NULL: not known */
	struct view client_text;                /* "addr:port"; copied */
	struct view server, listener;           /* as the URLs say; copied */
	/* For the open event alone; .at NULL: none. */
	struct view capture;                    /* file name */
	struct view preface;                    /* what stood in front of the session, in words */
	bool        lmtp;
	uint64_t    established_us;             /* when TCP was; 0: session_upstream will say */
	enum session_tls tls[2];                /* by enum smtp_side */
	bool        drops_glued;                /* octets in the clear where TLS was to begin: do not pass them on */
};

/* Octets for one side. wait_us: once everything in front of it is out, wait that long first. */
struct segment {
	struct view    octets;                  /* until the next call for this session; may be empty */
	enum smtp_side to;
	uint64_t       wait_us;                 /* 0: at once; SEGMENT_FOREVER: nothing behind it goes out */
	bool           resume;                  /* when the wait is over, call session_resume for the other side */
	/* How fast these octets and all behind them go to that side, to the session's end or the next pace. */
	const struct pace *pace;                /* borrowed as octets are; NULL: as before */
	bool           secure;                  /* empty; TLS begins here: all behind it goes out in TLS */
};
#define SEGMENT_FOREVER UINT64_MAX

enum ending {
	END_NOT,
	END_FIN,        /* when its segments are out: half-close */
	END_RST_AFTER,  /* a reset handed on: once the socket has taken its segments, at most 1 s later */
	END_RST         /* at once: nothing of what is unsent goes out */
};

#define SESSION_SEGMENTS 32

/* What a call leads to. Carry it out before the next call for any session of the loop. */
struct plan {
	struct segment segment[SESSION_SEGMENTS];
	unsigned       segments;
	size_t         used;            /* octets that the caller may let go of; it keeps the rest, and offers it again first */
	enum ending    end[2];          /* towards each side, behind the segments */
	bool           drain[2];        /* read on from that side and throw it away: until its FIN, 5 s at most */
	bool           dial;            /* connect to the server now */
	bool           again;           /* offer the same side's octets again (even none), before all else */
	bool           other;           /* then offer the other side's kept octets (even none) */
	bool           over;            /* nothing more can happen: put this out, then end the session */
};

/* Says that a session has begun; rules at `connect` are asked by session_connect. */
struct session *session_new(const struct session_config *config, uint64_t number,
    const struct session_ends *ends, uint64_t time_us);
void session_connect(struct session *s, uint64_t time_us, struct plan *plan);

/* One attempt to reach the server; established_us counts for the greeting's latency. */
void session_upstream(struct session *s, struct view server, const char *outcome,
    struct view reason, uint64_t duration_us, uint64_t time_us);
/* Who it is connected to, by which address of our own; for config->wire alone. NULL: not known. */
void session_server_ends(struct session *s, const struct sockaddr *own, const struct sockaddr *server,
    uint64_t time_us);
/* No server could be reached. */
void session_unreachable(struct session *s, struct view reason, uint64_t time_us, struct plan *plan);

/*
 * Octets that a side has sent and that are not used yet, the kept ones first. Of what it
 * does not use some may be in a segment already: the session knows, and never puts them
 * out twice. After session_closed for the side it may still ask for the kept ones (again,
 * other, session_resume).
 */
void session_feed(struct session *s, enum smtp_side from, const char *octets, size_t len,
    uint64_t time_us, struct plan *plan);

/* Whether the side should be read at all now (back-pressure by verdicts); kept: octets not used yet. */
bool session_wants(const struct session *s, enum smtp_side from, size_t kept);

/*
 * What came of a segment that said `secure`; *facts need not say side and outcome. From now on
 * octets of that side are what was sent in its TLS: what was kept of it before is offered first.
 * After a failure nothing can be put towards the side.
 */
void session_leg_secured(struct session *s, enum smtp_side side, const struct event_tls *facts,
    uint64_t time_us, struct plan *plan);
void session_leg_failed(struct session *s, enum smtp_side side, const struct event_tls *facts,
    uint64_t time_us, struct plan *plan);
/* Whether it is known by now if there is TLS with the server: the client's handshake waits for that. */
bool session_server_is_decided(const struct session *s);

/* A wait that a segment asked for is over. */
void session_resume(struct session *s, enum smtp_side from, uint64_t time_us, struct plan *plan);

/*
 * Captures. So many octets of a side are missing behind the kept ones; where a side's missing
 * octets are told before, they are a gap of its own.
 */
void session_gap(struct session *s, enum smtp_side from, const char *kept, size_t len, uint64_t missing,
    uint64_t time_us, struct plan *plan);
/* The capture begins inside the session. To be called before anything is fed. */
void session_midstream(struct session *s);
/* The first packet of a side that was unheard. */
void session_heard(struct session *s, enum smtp_side side, uint64_t time_us);
/* A finding of the network's, of what the session itself does not see. detail .at NULL: the table's line. */
void session_network_finding(struct session *s, enum finding finding, struct view detail, uint64_t time_us);
/* Whether the dialogue has been handed over to TLS: octets go by undecoded. */
bool session_is_handed_over(const struct session *s);
/* Octets of a side that have gone by undecoded so far. */
uint64_t session_undecoded(const struct session *s, enum smtp_side from);
/* There are keys for the TLS that begins: nothing is told of it yet, session_secured is expected. */
void session_has_keys(struct session *s);
/* The TLS can be read: tells its facts; from now on session_feed gets what was sent in it. */
struct tls_facts;
void session_secured(struct session *s, const struct tls_facts *facts, uint64_t time_us);
/* Octets that went by in TLS on the wire, for the close event. */
void session_encrypted(struct session *s, enum smtp_side from, uint64_t octets);

enum close_how { CLOSE_EOF, CLOSE_RESET, CLOSE_TIMEOUT, CLOSE_LIMIT, CLOSE_STOP, CLOSE_CAPTURE };
/* A side's stream ended. CLOSE_EOF: kept are the octets that were offered and not used. */
void session_closed(struct session *s, enum smtp_side by, enum close_how how, struct view reason,
    const char *kept, size_t len, uint64_t time_us, struct plan *plan);

/* When the session must be called although nothing came (session_wake); 0: never. */
uint64_t session_wake_at(const struct session *s);
void session_wake(struct session *s, uint64_t time_us, struct plan *plan);

/* How a session stands. The views borrow from it until the next call for it; .at NULL: not known (yet). */
struct session_glance {
	uint64_t    number, opened_us;
	struct view client, server, helo, user;
	bool        tls;
	uint64_t    commands, replies, messages;
	uint64_t    octets[2];                  /* received, by enum smtp_side */
	struct view awaited;                    /* the verb that the server is to answer next (or CONNECT, CONTENT) */
	uint64_t    awaited_us;                 /* since when; 0: it was not sent yet */
};
void session_glance(const struct session *s, struct session_glance *glance);

/* Writes the close event (and what was unfinished), frees. */
void session_end(struct session *s, uint64_t time_us);

#endif
