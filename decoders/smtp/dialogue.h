/* SPDX-License-Identifier: MIT */
/*
 * The dialogue of one SMTP session: octets of both sides in, units out, verdicts
 * back in. It keeps the one queue in which each reply meets its command (RFC 5321
 * 4.1, RFC 2920), and knows from it what each side's next octets mean: a command,
 * a line of an AUTH exchange, message content, or TLS.
 *
 * Pure: no I/O, no clock. Times are microseconds, of any epoch that the caller
 * likes. Memory is bounded by struct smtp_limits.
 */
#ifndef DECODERS_SMTP_DIALOGUE_H
#define DECODERS_SMTP_DIALOGUE_H

#include <stdint.h>

#include "decoders/smtp/command.h"
#include "decoders/smtp/content.h"
#include "decoders/smtp/line.h"
#include "decoders/smtp/queue.h"
#include "decoders/smtp/registry.h"
#include "decoders/smtp/reply.h"
#include "decoders/view.h"

enum smtp_side { SMTP_CLIENT, SMTP_SERVER };    /* who sent the octets */

static inline enum smtp_side
smtp_other_side(enum smtp_side side)
{
	return side == SMTP_CLIENT ? SMTP_SERVER : SMTP_CLIENT;
}

/* What a side's next octets are, known before the unit is whole. */
enum smtp_place {
	SMTP_COMMANDS,
	SMTP_AUTH_LINES,        /* the client was told 334 */
	SMTP_CONTENT,           /* message content, its end included */
	SMTP_REPLIES,
	SMTP_UNDECIDED,         /* behind DATA, AUTH or STARTTLS: a reply decides; feed uses nothing */
	SMTP_UNSETTLED,         /* the last unit waits for its verdict; feed uses nothing */
	SMTP_FULL,              /* too many unanswered commands; feed uses nothing until one is answered */
	SMTP_HANDOVER,          /* TLS begins here: a unit of no octets */
	SMTP_OPAQUE             /* TLS, or given up: any octets are one unit */
};

enum smtp_unit_type {
	SMTP_UNIT_COMMAND,
	SMTP_UNIT_AUTH_LINE,    /* the client's answer to a 334 (RFC 4954 4) */
	SMTP_UNIT_REPLY,        /* all lines of it */
	SMTP_UNIT_NOT_REPLY,    /* a line of the server's that is no reply */
	SMTP_UNIT_CONTENT,      /* a stretch of message content; cuts may move, the octets joined do not */
	SMTP_UNIT_CONTENT_END,  /* the dot line, or of no octets where a chunk's count ends it */
	SMTP_UNIT_REST,         /* what follows a unit marked SMTP_MARK_CUT; last: it ends here */
	SMTP_UNIT_LEFTOVER,     /* the stream ended before this became a unit */
	SMTP_UNIT_HANDOVER,
	SMTP_UNIT_OPAQUE
};

struct smtp_unit {
	enum smtp_unit_type type;
	unsigned            marks;      /* enum smtp_mark, of these octets */
	uint64_t            started_us; /* when its first octet was offered */
	struct view         wire;       /* every octet, line ends included */
	/*
	 * What a reply answers, or whose content or AUTH line this is; NULL: nothing (an
	 * unsolicited reply, a chunk whose command was dropped). Valid until the unit is
	 * settled or something is inserted.
	 */
	struct smtp_exchange *of;
	bool                last;       /* REST: the cut line or reply is over */
	uint32_t            lines;      /* CONTENT: LFs in it */
	uint32_t            dotted;     /* CONTENT by DATA: its lines that begin with a dot which transparency has added */
	uint32_t            missing;    /* RESYNC: how many replies are missing in front of it */
	union {
		struct smtp_command command;    /* COMMAND */
		struct smtp_reply   reply;      /* REPLY */
	} as;
};

/* What became of a unit. Offline each was forwarded. */
struct smtp_fate {
	bool     forwarded;     /* it went to the other side, changed or not */
	/*
	 * Of a command or an end of content: the client gets a reply. Of a reply that was
	 * not forwarded: the client is still owed one.
	 */
	bool     owed;
	uint16_t code;          /* of a reply: the code that the client got instead; 0: the reply's own */
	uint64_t time_us;       /* when it went on: latency counts from here */
	void    *note;          /* of a command or the dot: for its exchange */
};

struct smtp_limits {
	uint32_t max_line;      /* octets of a command line or a whole reply; more is cut. At least 64 */
	uint32_t max_pending;   /* unanswered commands */
};

/* Private: state of one side's octets. */
struct smtp_stream {
	uint64_t started_us;    /* of the unit that is coming in */
	size_t   searched;      /* octets of its last line in which there is no LF */
	size_t   whole;         /* octets of it that are whole lines (multi-line reply) */
	uint64_t of;            /* the unsettled unit's exchange; 0: none */
	uint8_t  unsettled;     /* 1 + enum smtp_unit_type of the unit that waits; 0: none */
	uint8_t  rest;          /* feed.c: where in a line or reply that was cut; 0: in none */
	uint16_t marks;         /* of the unit, known at its first octet */
	uint16_t code;          /* the unsettled reply's */
	bool     started;
	bool     in_reply;      /* of a reply that was cut, the client has been sent the start and awaits the rest */
	bool     gone;          /* the server will say nothing more */
	bool     after_cr;      /* the part of a cut line that is out ends in a CR */
};

/* Private, here so that a session is one allocation: touched through the functions only. */
struct smtp_dialogue {
	struct smtp_limits  limits;
	struct smtp_queue   queue;
	struct smtp_stream  stream[2];
	struct smtp_content content;            /* framing of what is coming in now */
	uint64_t            content_of;         /* serial of the DATA or BDAT that opened it; 0: it has none */
	uint64_t            undecided;          /* serial of the DATA, AUTH or STARTTLS that waits; 0: none */
	uint64_t            auth;               /* serial of the AUTH whose line comes next; 0: none */
	uint64_t            chunk;              /* the unsettled BDAT's octets */
	uint64_t            first_owed[2];      /* no exchange before this serial is owed anything in the column */
	uint32_t            accepted[2];        /* recipients: as the client was told, as the server said */
	uint8_t             verb;               /* the unsettled command's */
	bool                chunk_valid, chunk_last;
	bool                in_content;
	bool                handover, opaque;
	bool                lmtp;
	bool                auth_seen;          /* until the next known verb, an unknown line may be a secret */
	bool                client_spoke;
	bool                lost[2];            /* a side's next octets may begin inside a line: octets before them are missing */
	bool                commands_missing;   /* the client's commands may be: replies may answer none that is known */
	bool                unsure;             /* since a gap, until a reply that can answer one command only */
	bool                command_shown;      /* what came behind a gap has not the shape of content, as smtp_dialogue_presume said */
	uint64_t            presume;            /* serial of what is undecided and whose reply may be missing; 0: none */
	/* Called for each exchange that leaves the queue, so that its note can be freed. May be NULL. */
	void              (*leaves)(void *owner, struct smtp_exchange *e);
	void               *owner;
};

/* The session starts with the server's greeting owed. Copies limits. */
void smtp_dialogue_init(struct smtp_dialogue *d, const struct smtp_limits *limits, bool lmtp);

/* Frees what the queue grew to; entries still in it are told to leaves. */
void smtp_dialogue_clear(struct smtp_dialogue *d);

/*
 * Decodes the one unit at the start of the octets that a side has sent. True: *unit
 * is filled in and unit->wire.len octets were used (0 is possible: the end of a chunk,
 * a hand-over). False: more octets are needed, or the place does not let it decode.
 * Offer the unused octets again with more behind them. Views in *unit borrow from
 * octets: they last as long as the caller keeps those.
 */
bool smtp_dialogue_feed(struct smtp_dialogue *d, enum smtp_side from,
    const char *octets, size_t len, uint64_t time_us, struct smtp_unit *unit);

/* Whether a side's next unit has octets: all have but the end of a chunk and a hand-over. */
static inline bool
smtp_dialogue_wants_octets(const struct smtp_dialogue *d, enum smtp_side from)
{
	return from == SMTP_SERVER ||
	    !(d->handover || (d->in_content && d->content.by_count && d->content.left == 0));
}

/* Whether the client's next unit is the hand-over to TLS. */
static inline bool
smtp_dialogue_hands_over(const struct smtp_dialogue *d)
{
	return d->handover && !d->opaque && d->stream[SMTP_CLIENT].unsettled == 0;
}

/* The side's stream has ended with these octets left over. True: *unit is them, to be settled as any other. */
bool smtp_dialogue_finish(struct smtp_dialogue *d, enum smtp_side from,
    const char *octets, size_t len, uint64_t time_us, struct smtp_unit *unit);

/*
 * What comes next from a side. *exchange (may be NULL) is set to what a reply will
 * answer, or whose content or AUTH line comes; NULL where there is none.
 */
enum smtp_place smtp_dialogue_place(struct smtp_dialogue *d, enum smtp_side from,
    struct smtp_exchange **exchange);

/*
 * Each unit is settled once, when it goes on and before its side's next is fed. Only
 * now does a 354, a 220 to STARTTLS or a swallowed DATA change what follows.
 * Returns the exchange that a command or an end of content opened, or NULL.
 */
struct smtp_exchange *smtp_dialogue_settle(struct smtp_dialogue *d, enum smtp_side from,
    const struct smtp_fate *fate);

/*
 * The first exchange for which the client is owed something, if nothing more can come from
 * the server for it: the forged reply for it may go out now, and is then reported with
 * smtp_dialogue_answered. NULL: nobody's turn; it is the client's while its answer to a 334
 * is awaited, and the server's while the rest of a reply that was cut is coming.
 */
struct smtp_exchange *smtp_dialogue_turn(struct smtp_dialogue *d);

/* The client was sent a reply with this code for the exchange, by a rule or the proxy. */
void smtp_dialogue_answered(struct smtp_dialogue *d, uint64_t serial, uint16_t code);

/* A command of our own went to the server: its reply will not be the client's. NULL: out of memory. */
struct smtp_exchange *smtp_dialogue_inserted(struct smtp_dialogue *d, enum smtp_verb verb,
    uint64_t time_us, void *note);

/*
 * The same for a chunk of our own, in front of the client's, which is coming in and of which the
 * server has been sent nothing yet. NULL: there is none, or out of memory.
 */
struct smtp_exchange *smtp_dialogue_inserted_chunk(struct smtp_dialogue *d, uint64_t time_us, void *note);

/*
 * The client's chunk that is coming in will not be sent, for the server has refused one of ours
 * before it. Returns its exchange, of which the server owes nothing any more; NULL: there is none.
 */
struct smtp_exchange *smtp_dialogue_chunk_unsent(struct smtp_dialogue *d);

/*
 * Whether what the client has been settled for so far ends between two commands: what the
 * server is sent next is a command to it, whoever sends it.
 */
bool smtp_dialogue_between_commands(const struct smtp_dialogue *d);

/* Octets for the client are to go out behind the replies owed so far; see smtp_dialogue_turn. */
struct smtp_exchange *smtp_dialogue_aside(struct smtp_dialogue *d, void *note);

/* The server will say nothing more: what it owes, it owes no longer. The client is owed what it was. */
void smtp_dialogue_server_gone(struct smtp_dialogue *d);

/* The greeting will not come from the server: a rule or the proxy gives it. */
void smtp_dialogue_no_greeting(struct smtp_dialogue *d, bool server_still_greets);

/*
 * The content that is coming in will not be read to its end (the session is being closed):
 * a chunk's command need not wait for it any longer.
 */
void smtp_dialogue_abandon_content(struct smtp_dialogue *d);

/*
 * Octets of a side are missing here, as in a capture with holes. What was offered before
 * them and not used goes to smtp_dialogue_finish first. Decoding takes up behind them at the
 * next line that can be told; pairing, at the next reply that can answer one command only.
 */
void smtp_dialogue_gap(struct smtp_dialogue *d, enum smtp_side from, uint64_t octets);

/* The capture begins inside the session: there is no greeting to come, nor is a line's start known. */
void smtp_dialogue_midstream(struct smtp_dialogue *d);

/* TLS begins before the greeting: the client's next unit is the hand-over (RFC 8314 3). */
void smtp_dialogue_tls_first(struct smtp_dialogue *d);

/* TLS is up and its octets are readable: what follows is decoded again (RFC 3207 4.2). */
void smtp_dialogue_secured(struct smtp_dialogue *d);

bool smtp_dialogue_is_unsure(const struct smtp_dialogue *d);   /* since a gap: pairing may be off */

/*
 * The client's next octets are undecided and the reply that decides is missing: the code
 * that it must have had, by their shape (354, 334, 220; 500 where they are a command again).
 * Behind a gap the command may be missing too: then 354 says that they are content, or its end.
 * 0: it may still come, or more octets are needed. smtp_dialogue_presumed settles it.
 */
uint16_t smtp_dialogue_presume(struct smtp_dialogue *d, const char *octets, size_t len);
void smtp_dialogue_presumed(struct smtp_dialogue *d, uint16_t code);

/* Stop decoding: everything from both sides is opaque from now on. */
void smtp_dialogue_give_up(struct smtp_dialogue *d);

/* Whether the client is owed a reply, or the server owes one. */
bool smtp_dialogue_client_is_owed(struct smtp_dialogue *d);
bool smtp_dialogue_server_owes(struct smtp_dialogue *d);

/* The exchange of a side's unsettled unit, found again after the queue has changed; NULL: it has none. */
struct smtp_exchange *smtp_dialogue_unsettled(struct smtp_dialogue *d, enum smtp_side from);

/*
 * Private to the dialogue's files.
 *
 * smtp_exchange_answered_by: which exchange a reply answers; *missing gets how many replies
 * in front of that one will not come any more.
 */
struct smtp_exchange *smtp_exchange_answered_by(struct smtp_dialogue *d, const struct smtp_reply *reply,
    uint32_t *missing);
struct smtp_exchange *smtp_exchange_first_owed(struct smtp_dialogue *d, enum smtp_side column);
uint32_t *smtp_exchange_owed(struct smtp_exchange *e, enum smtp_side column);      /* replies still owed in one column */
void smtp_exchange_owes_again(struct smtp_dialogue *d, struct smtp_exchange *e);    /* the server, one reply more */
void smtp_dialogue_drop_finished(struct smtp_dialogue *d);      /* what is owed nothing leaves the queue's head */
void smtp_dialogue_chunk_done(struct smtp_dialogue *d, uint64_t time_us);       /* time_us 0: it was not sent */
bool smtp_line_has_verb(struct view line);
/* The line that a 334 asked for is missing. Returns its AUTH, which waits for the answer to it. */
struct smtp_exchange *smtp_exchange_auth_line_lost(struct smtp_dialogue *d);
/* Behind a gap: whether a line may be of content whose DATA is missing, so that smtp_dialogue_presume is to be asked. */
bool smtp_line_may_be_content(const struct smtp_dialogue *d, struct view line);

#endif
