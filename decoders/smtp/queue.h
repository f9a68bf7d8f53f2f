/* SPDX-License-Identifier: MIT */
/*
 * The one queue of a dialogue: the greeting, every command and every end of content wait
 * here until they are answered. An entry has two columns, what the client is still owed
 * and what the server still owes; they differ only where a rule or the proxy stepped in.
 */
#ifndef DECODERS_SMTP_QUEUE_H
#define DECODERS_SMTP_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an entry stands for. */
enum smtp_exchange_kind {
	SMTP_GREETING,          /* the server's first reply: "CONNECT" */
	SMTP_COMMAND,
	SMTP_CONTENT_DONE,      /* the end of content by DATA, or the BDAT that says LAST: "CONTENT" */
	SMTP_ASIDE              /* octets to the client that answer nothing, in their place in the queue */
};

struct smtp_exchange {
	uint64_t serial;        /* from 1; never used twice in a session */
	uint64_t sent_us;       /* when its last octet went to the server; 0: it did not (yet) */
	void    *note;          /* the caller's own; the decoder never looks at it */
	uint32_t client_is_owed;/* replies: 1; LMTP after content: one an accepted recipient */
	uint32_t server_owes;   /* 0: the command was kept from the server, or it has answered */
	uint16_t code;          /* the last code that the client was told; 0: none yet */
	uint16_t server_code;   /* the last code that the server said; 0: none yet */
	uint8_t  kind;          /* enum smtp_exchange_kind */
	uint8_t  verb;          /* enum smtp_verb */
	uint8_t  counted : 2;   /* LMTP, a bit a column: the count has been taken from the recipients */
	bool     by_proxy : 1;  /* not the client's: a rule or the proxy sent it */
	bool     chunk_open : 1;/* a BDAT whose chunk is still coming: not its turn yet */
	bool     forwarded : 1; /* the server was sent it */
};

#define SMTP_QUEUE_INLINE 4

/* A ring that lives inside its owner while it is short. Serials in it have no holes. */
struct smtp_queue {
	struct smtp_exchange *grown;            /* NULL: in_place is the ring */
	uint32_t              size;             /* a power of two */
	uint32_t              head;             /* index of the oldest entry, modulo size */
	uint32_t              count;
	uint64_t              last_serial;
	struct smtp_exchange  in_place[SMTP_QUEUE_INLINE];
};

void smtp_queue_init(struct smtp_queue *q);
void smtp_queue_clear(struct smtp_queue *q);    /* frees what it grew to */

/* A new entry at the end, all zero but for its serial; NULL: out of memory. Moves the others. */
struct smtp_exchange *smtp_queue_push(struct smtp_queue *q);
void smtp_queue_pop(struct smtp_queue *q);      /* the head leaves */

static inline struct smtp_exchange *
smtp_queue_slot(const struct smtp_queue *q, uint32_t n)
{
	const struct smtp_exchange *ring = q->grown != NULL ? q->grown : q->in_place;

	return (struct smtp_exchange *)&ring[(q->head + n) & (q->size - 1)];
}

/* The nth from the head; NULL: there are not so many. Valid until the next push or pop. */
static inline struct smtp_exchange *
smtp_queue_nth(const struct smtp_queue *q, uint32_t n)
{
	return n < q->count ? smtp_queue_slot(q, n) : NULL;
}

/* Inline with what is around it: every unit asks some ten times who is whose. */
static inline struct smtp_exchange *
smtp_queue_find(const struct smtp_queue *q, uint64_t serial)
{
	uint64_t n = serial - (q->last_serial - q->count + 1);

	return n < q->count ? smtp_queue_slot(q, (uint32_t)n) : NULL;
}

#endif
