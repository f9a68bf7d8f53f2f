/* SPDX-License-Identifier: MIT */
/*
 * Chunks of our own, for a client's that is framed anew (RFC 3030): the server gets several for
 * one. Apart from the other insertions since these go in front of what is in the queue already.
 */
#include "decoders/smtp/dialogue.h"

/* The client's chunk that is coming in or has just come, which is the last command of all. */
static struct smtp_exchange *
coming_in(struct smtp_dialogue *d)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->content_of);

	return e != NULL && d->content.by_count && e->serial == d->queue.last_serial ? e : NULL;
}

struct smtp_exchange *
smtp_dialogue_inserted_chunk(struct smtp_dialogue *d, uint64_t time_us, void *note)
{
	struct smtp_exchange *e = coming_in(d), *behind;
	uint64_t serial;

	if (e == NULL || e->server_owes == 0)
		return NULL;
	serial = e->serial;
	behind = smtp_queue_push(&d->queue);
	if (behind == NULL)
		return NULL;
	/* The client's takes the new place, and all that knows it by its serial follows. */
	e = smtp_queue_find(&d->queue, serial);
	*behind = *e;
	behind->serial = serial + 1;
	if (d->content_of == serial)
		d->content_of++;
	if (d->stream[SMTP_CLIENT].of == serial)
		d->stream[SMTP_CLIENT].of++;
	*e = (struct smtp_exchange){.serial = serial, .sent_us = time_us, .note = note, .server_owes = 1,
	    .kind = SMTP_COMMAND, .verb = SMTP_BDAT, .by_proxy = true, .forwarded = true};
	return e;
}

struct smtp_exchange *
smtp_dialogue_chunk_unsent(struct smtp_dialogue *d)
{
	struct smtp_exchange *e = coming_in(d);

	if (e == NULL || e->server_owes == 0)
		return NULL;
	e->server_owes = 0;
	e->forwarded = false;
	return e;
}
