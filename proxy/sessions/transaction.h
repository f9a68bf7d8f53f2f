/* SPDX-License-Identifier: MIT */
/*
 * A mail transaction (RFC 5321 3.3): the envelope, and what became of the content. It is
 * held by the commands in the queue that belong to it, so that under pipelining each reply
 * finds its own; with the last of them it goes, and is reported if its content had begun.
 */
#ifndef SESSIONS_TRANSACTION_H
#define SESSIONS_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "decoders/view.h"

struct rewriting;
struct session;

#define TRANSACTION_RECIPIENTS 2000u            /* kept one by one; more are counted */
#define TRANSACTION_ROOM       128u             /* octets */
#define TRANSACTION_HEADER     (64u * 1024)     /* octets of the header that are kept */

struct recipient {
	char    *address;               /* in the transaction's room, or owned; NULL: the command named none */
	uint32_t address_len;
	uint16_t code, server_code;     /* to its RCPT: as the client was told, as the server said; 0: none */
	uint16_t final;                 /* LMTP, behind the content: as the client was told; 0: none yet */
	char     final_enhanced[12];    /* "" : none */
};

struct transaction {
	unsigned          refs;
	uint32_t          number;               /* of the session's MAIL commands; 0: without MAIL */
	char             *reverse_path;         /* in room, or owned; NULL: none, "" is the null reverse-path */
	struct recipient *recipients;           /* first, or owned */
	uint32_t          recipient_count, recipient_room;
	uint64_t          unlisted;             /* recipients above the ceiling */
	uint32_t          accepted;             /* recipients that the client was told are accepted */
	/* the content */
	const char       *transfer;             /* "DATA" or "BDAT"; NULL: it has not begun */
	char             *header;               /* as the receiver stores it; up to TRANSACTION_HEADER */
	size_t            header_len, header_room;
	uint8_t           unstuff, header_state;/* smtp_content_unstuff; what the last octets were */
	bool              header_done;
	bool              judged;               /* the rules at CONTENT have been asked */
	bool              complete, reported;
	bool              gap;                  /* octets of it are missing from the capture */
	uint16_t          marks, told;          /* SMTP_MARK_ found in the content; of these, told as findings */
	bool              begun;                /* its first stretch was */
	uint64_t          missing;              /* octets that are missing in front of its next stretch */
	uint64_t          message;              /* its number among the session's contents, from 1 */
	uint64_t          octets, lines;
	uint64_t          swallowed;            /* of octets: never sent to the server */
	uint64_t          added;                /* in front of the end by a rule */
	uint16_t          code, server_code;
	const char       *parted_by;            /* the rule that has made the legs disagree; NULL: none; the ruleset's */
	uint64_t          declared;             /* SIZE= of its MAIL; 0: none */
	struct rewriting *rewriting;            /* what rules make of the content; owned; NULL: nothing */
	bool              saved;                /* a rule wants it kept */
	uint32_t          next_final[2];        /* LMTP: recipients whose final reply is next, by column */
	uint32_t          room_used;
	/* Most transactions need no more than this, and so one allocation. */
	struct recipient  first[2];
	char              room[TRANSACTION_ROOM];       /* for the reverse-path and addresses, while they fit */
};

/* A new one with one reference. reverse_path is copied; .at NULL: there was no MAIL. */
struct transaction *transaction_new(struct view reverse_path, uint32_t number);
struct transaction *transaction_ref(struct transaction *t);
/* The last reference frees it, and reports a content that had begun and has no message event yet. */
void transaction_unref(struct session *s, struct transaction *t);

/* Adds a recipient; returns its index, TRANSACTION_RECIPIENTS where it is only counted. */
uint32_t transaction_add_recipient(struct transaction *t, struct view address);
struct recipient *transaction_recipient(struct transaction *t, uint32_t index);

/* What the RCPT was answered, in both columns. */
void transaction_rcpt_answered(struct transaction *t, uint32_t index, uint16_t code, uint16_t server_code);

/* LMTP: the recipient that a column's next final reply is for; NULL: no more. Moves on. */
enum transaction_column { COLUMN_CLIENT, COLUMN_SERVER };
struct recipient *transaction_next_final(struct transaction *t, enum transaction_column column);
/* The same without moving on. */
struct recipient *transaction_peek_final(struct transaction *t, enum transaction_column column);

/* Nothing of the content goes on, and how much of it had come by then depends on how it was cut: none of it counts. */
void transaction_forget_content(struct transaction *t);

/* Of a stretch of content, what is header. wire: by DATA; dotted: with dots that transparency has added. */
void transaction_keep_header(struct transaction *t, struct view wire, bool by_data, bool dotted);

#endif
