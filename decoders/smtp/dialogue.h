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
	SMTP_UNIT_REST,         /* what follows a unit marked SMTP_MARK_CUT, up to its line's end */
	SMTP_UNIT_HANDOVER,
	SMTP_UNIT_OPAQUE
};

/* What an entry of the queue stands for. */
enum smtp_exchange_kind {
	SMTP_GREETING,          /* the server's first reply: "CONNECT" */
	SMTP_COMMAND,
	SMTP_CONTENT_DONE,      /* the end of content by DATA, or the BDAT that says LAST: "CONTENT" */
	SMTP_ASIDE              /* octets to the client that answer nothing, in their place in the queue */
};

/*
 * An entry of the one queue. It leaves when neither side is owed anything. The two
 * counts differ only where a rule or the proxy stepped in.
 */
struct smtp_exchange {
	uint64_t serial;        /* from 1; never used twice in a session */
	uint64_t sent_us;       /* when its last octet went to the server; 0: it did not (yet) */
	void    *note;          /* the caller's own; the dialogue never looks at it */
	uint16_t client_is_owed;/* replies: 1; LMTP after content: one an accepted recipient */
	uint16_t server_owes;   /* 0: the command was kept from the server */
	uint16_t code;          /* the last code that the client was told; 0: none yet */
	uint16_t server_code;   /* the last code that the server said; 0: none yet */
	uint8_t  kind;          /* enum smtp_exchange_kind */
	uint8_t  verb;          /* enum smtp_verb */
	bool     by_proxy;      /* not the client's: a rule or the proxy sent it */
	bool     chunk_open;    /* a BDAT whose chunk is still coming: not its turn yet */
	bool     counted;       /* LMTP: the counts have been taken from the recipients */
};

struct smtp_unit {
	enum smtp_unit_type type;
	unsigned            marks;      /* enum smtp_mark, of these octets */
	uint64_t            started_us; /* when its first octet was offered */
	struct view         wire;       /* every octet, line ends included */
	/*
	 * What it answers (a reply), opens (DATA's content) or continues (AUTH lines,
	 * chunks). NULL: nothing, an unsolicited reply. Valid until the unit is settled.
	 */
	struct smtp_exchange *of;
	bool                last;       /* CONTENT_END: of a chunk that said LAST, or the dot; REST: its line ended */
	union {
		struct smtp_command command;    /* COMMAND */
		struct smtp_reply   reply;      /* REPLY */
	} as;
};

/* What became of a unit. Offline each was forwarded. */
struct smtp_fate {
	bool     forwarded;     /* it went to the other side, changed or not */
	bool     owed;          /* of a command or content's end: the client gets a reply */
	uint16_t code;          /* of a reply: the code that the client got instead; 0: the reply's own */
	uint64_t time_us;       /* when it went on: latency counts from here */
	void    *note;          /* of a command or the dot: for its exchange */
};

struct smtp_limits {
	uint32_t max_line;      /* octets of a command line or a whole reply; more is cut */
	uint32_t max_pending;   /* unanswered commands */
};

/* State of one side's octets. */
struct smtp_stream {
	uint64_t started_us;    /* of the unit that is coming in */
	uint32_t searched;      /* octets of it in which there is no line end */
	uint32_t lines;         /* octets of it that are whole lines (multi-line reply) */
	uint8_t  unsettled;     /* 1 + enum smtp_unit_type of the unit that waits; 0: none */
	bool     started;
	bool     rest;          /* in a line that was cut */
};

/* Private: embedded so that a session is one allocation. Touch it through the functions only. */
struct smtp_dialogue {
	struct smtp_limits    limits;
	struct smtp_stream    stream[2];
	struct smtp_exchange *queue;            /* ring; inline_queue until it grows */
	struct smtp_exchange  inline_queue[4];
	uint32_t              queue_size;       /* power of two */
	uint32_t              queue_head;       /* index of the oldest entry, modulo queue_size */
	uint32_t              queue_count;
	uint64_t              last_serial;
	struct smtp_content   content;          /* framing of what is coming in now */
	uint64_t              content_of;       /* serial of the DATA or BDAT that opened it */
	uint64_t              undecided;        /* serial of the DATA, AUTH or STARTTLS that waits; 0: none */
	uint64_t              auth;             /* serial of the AUTH whose lines come in; 0: none */
	struct {
		struct smtp_command command;    /* only what settle needs of it */
		uint64_t            of;         /* serial of the exchange */
	} waiting[2];                           /* the unsettled unit of each side */
	uint32_t              accepted[2];      /* recipients: told to the client, said by the server */
	bool                  in_content;
	bool                  handover, opaque;
	bool                  lmtp;
	bool                  auth_seen;        /* until the next known verb, unknown lines may be secrets */
	bool                  client_spoke;
};

/* The session starts with the server's greeting owed. Copies limits. */
void smtp_dialogue_init(struct smtp_dialogue *d, const struct smtp_limits *limits, bool lmtp);

/* Frees what the queue grew to; the notes are the caller's (smtp_dialogue_first, _next). */
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

/*
 * The side's stream has ended with these octets left over. True: they are one unit,
 * marked SMTP_MARK_UNTERMINATED, to be settled as any other.
 */
bool smtp_dialogue_finish(struct smtp_dialogue *d, enum smtp_side from,
    const char *octets, size_t len, uint64_t time_us, struct smtp_unit *unit);

/*
 * What comes next from a side. *exchange (may be NULL) is set to what a reply will
 * answer, or whose content or AUTH lines come; NULL where there is none.
 */
enum smtp_place smtp_dialogue_place(const struct smtp_dialogue *d, enum smtp_side from,
    const struct smtp_exchange **exchange);

/*
 * Each unit is settled once, when it goes on and before its side's next is fed. Only
 * now does a 354, a 220 to STARTTLS or a swallowed DATA change what follows.
 * Returns the exchange that a command or an end of content opened, NULL otherwise.
 */
struct smtp_exchange *smtp_dialogue_settle(struct smtp_dialogue *d, enum smtp_side from,
    const struct smtp_fate *fate);

/*
 * The exchange at the head, if the client is owed something there and nothing more
 * can come from the server for it: the forged reply for it may go out now, and is
 * then reported with smtp_dialogue_answered. NULL: nobody's turn.
 */
struct smtp_exchange *smtp_dialogue_turn(struct smtp_dialogue *d);

/* The client was sent a reply with this code for the exchange, by a rule or the proxy. */
void smtp_dialogue_answered(struct smtp_dialogue *d, uint64_t serial, uint16_t code);

/* A command of our own went to the server: its reply will not be the client's. */
struct smtp_exchange *smtp_dialogue_inserted(struct smtp_dialogue *d, enum smtp_verb verb,
    uint64_t time_us, void *note);

/* Octets for the client are to go out behind the replies owed so far; see smtp_dialogue_turn. */
struct smtp_exchange *smtp_dialogue_aside(struct smtp_dialogue *d, void *note);

/*
 * The server will say nothing more: whatever it owes, it owes no longer. The client
 * still is owed what it was.
 */
void smtp_dialogue_server_gone(struct smtp_dialogue *d);

/* The content that is coming in has no reader: what the client still sends is a command again. */
void smtp_dialogue_abandon_content(struct smtp_dialogue *d);

/* Stop decoding: everything from both sides is opaque from now on. */
void smtp_dialogue_give_up(struct smtp_dialogue *d);

/* Walks the queue from its head: first(d), then next(d, e) until NULL. */
struct smtp_exchange *smtp_dialogue_first(struct smtp_dialogue *d);
struct smtp_exchange *smtp_dialogue_next(struct smtp_dialogue *d, struct smtp_exchange *e);

#endif
