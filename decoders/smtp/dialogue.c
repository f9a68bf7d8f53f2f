/* SPDX-License-Identifier: MIT */
/*
 * Who is owed what, and what comes next. What the peers have said changes that in settle.c;
 * here is what a rule or the proxy does beside them, and the end of a side. How octets
 * become units is in feed.c.
 */
#include "decoders/smtp/dialogue.h"

void
smtp_dialogue_init(struct smtp_dialogue *d, const struct smtp_limits *limits, bool lmtp)
{
	struct smtp_exchange *greeting;

	memset(d, 0, sizeof *d);
	d->limits = *limits;
	d->lmtp = lmtp;
	smtp_queue_init(&d->queue);
	greeting = smtp_queue_push(&d->queue);
	greeting->kind = SMTP_GREETING;
	greeting->client_is_owed = 1;
	greeting->server_owes = 1;
	greeting->forwarded = true;
}

static void
leave(struct smtp_dialogue *d)
{
	struct smtp_exchange e = *smtp_queue_nth(&d->queue, 0);

	smtp_queue_pop(&d->queue);
	if (d->undecided == e.serial)
		d->undecided = 0;
	if (d->leaves != NULL)
		d->leaves(d->owner, &e);
}

void
smtp_dialogue_clear(struct smtp_dialogue *d)
{
	while (d->queue.count > 0)
		leave(d);
	smtp_queue_clear(&d->queue);
}

uint32_t *
smtp_exchange_owed(struct smtp_exchange *e, enum smtp_side column)
{
	return column == SMTP_CLIENT ? &e->client_is_owed : &e->server_owes;
}

/*
 * LMTP: an end of content is owed a reply for each accepted recipient (RFC 2033 4.2). How
 * many those are is known in a column once everything in front has been answered there.
 */
static void
count_recipients(struct smtp_dialogue *d, struct smtp_exchange *e, enum smtp_side column)
{
	if (e->kind != SMTP_CONTENT_DONE || !d->lmtp || (e->counted >> column & 1))
		return;
	e->counted |= (uint8_t)(1 << column);
	if (d->accepted[column] > 1)
		*smtp_exchange_owed(e, column) = d->accepted[column];
}

/*
 * The first exchange that is owed something in a column. Where that was is remembered: what
 * lies in front of it comes to owe nothing again, and thousands of commands may.
 */
struct smtp_exchange *
smtp_exchange_first_owed(struct smtp_dialogue *d, enum smtp_side column)
{
	uint64_t oldest = d->queue.last_serial - d->queue.count + 1;
	struct smtp_exchange *e;

	if (d->queue.count == 0)
		return NULL;
	if (d->first_owed[column] < oldest)
		d->first_owed[column] = oldest;
	while ((e = smtp_queue_find(&d->queue, d->first_owed[column])) != NULL) {
		if (*smtp_exchange_owed(e, column) > 0) {
			count_recipients(d, e, column);
			return e;
		}
		d->first_owed[column]++;
	}
	return NULL;
}

void
smtp_dialogue_drop_finished(struct smtp_dialogue *d)
{
	struct smtp_exchange *e;

	while ((e = smtp_queue_nth(&d->queue, 0)) != NULL && e->client_is_owed == 0 && e->server_owes == 0 &&
	    !e->chunk_open)
		leave(d);
	if (e == NULL || !d->lmtp)
		return;
	/* Whoever looks at an exchange sees its counts as soon as they can be known. */
	smtp_exchange_first_owed(d, SMTP_CLIENT);
	smtp_exchange_first_owed(d, SMTP_SERVER);
}

static enum smtp_place
client_place(struct smtp_dialogue *d, struct smtp_exchange **exchange)
{
	if (d->stream[SMTP_CLIENT].unsettled != 0)
		return SMTP_UNSETTLED;
	if (d->opaque)
		return SMTP_OPAQUE;
	if (d->handover)
		return SMTP_HANDOVER;
	if (d->in_content) {
		*exchange = smtp_queue_find(&d->queue, d->content_of);
		return SMTP_CONTENT;
	}
	if (d->undecided != 0) {
		*exchange = smtp_queue_find(&d->queue, d->undecided);
		return SMTP_UNDECIDED;
	}
	if (d->auth != 0) {
		*exchange = smtp_queue_find(&d->queue, d->auth);
		return SMTP_AUTH_LINES;
	}
	return d->queue.count >= d->limits.max_pending ? SMTP_FULL : SMTP_COMMANDS;
}

enum smtp_place
smtp_dialogue_place(struct smtp_dialogue *d, enum smtp_side from, struct smtp_exchange **exchange)
{
	struct smtp_exchange *none;

	if (exchange == NULL)
		exchange = &none;
	*exchange = NULL;
	if (from == SMTP_CLIENT)
		return client_place(d, exchange);
	if (d->stream[SMTP_SERVER].unsettled != 0)
		return SMTP_UNSETTLED;
	if (d->opaque || d->handover)
		return SMTP_OPAQUE;
	/* What the server's next reply answers: the first for which it owes one. */
	*exchange = smtp_exchange_first_owed(d, SMTP_SERVER);
	return SMTP_REPLIES;
}

struct smtp_exchange *
smtp_dialogue_turn(struct smtp_dialogue *d)
{
	struct smtp_exchange *e;

	smtp_dialogue_drop_finished(d);
	e = smtp_exchange_first_owed(d, SMTP_CLIENT);
	if (e == NULL || e->server_owes > 0 || e->chunk_open || e->serial == d->auth)
		return NULL;
	return d->stream[SMTP_SERVER].in_reply ? NULL : e;
}

struct smtp_exchange *
smtp_dialogue_inserted(struct smtp_dialogue *d, enum smtp_verb verb, uint64_t time_us, void *note)
{
	struct smtp_exchange *e = smtp_queue_push(&d->queue);

	if (e == NULL)
		return NULL;
	e->kind = SMTP_COMMAND;
	e->verb = (uint8_t)verb;
	e->note = note;
	e->server_owes = 1;
	e->by_proxy = true;
	e->forwarded = true;
	e->sent_us = time_us;
	return e;
}

bool
smtp_dialogue_between_commands(const struct smtp_dialogue *d)
{
	return !d->in_content && d->undecided == 0 && d->auth == 0 && d->stream[SMTP_CLIENT].rest == 0 &&
	    !d->handover && !d->opaque;
}

struct smtp_exchange *
smtp_dialogue_aside(struct smtp_dialogue *d, void *note)
{
	struct smtp_exchange *e = smtp_queue_push(&d->queue);

	if (e == NULL)
		return NULL;
	e->kind = SMTP_ASIDE;
	e->note = note;
	e->client_is_owed = 1;
	e->by_proxy = true;
	return e;
}

void
smtp_dialogue_server_gone(struct smtp_dialogue *d)
{
	struct smtp_stream *stream = &d->stream[SMTP_SERVER];
	uint64_t held = stream->unsettled == 1 + SMTP_UNIT_REPLY ? stream->of : 0;
	struct smtp_exchange *e;

	/* A reply that waits for its verdict has been said all the same. */
	for (uint32_t n = 0; (e = smtp_queue_nth(&d->queue, n)) != NULL; n++)
		e->server_owes = e->serial == held;
	stream->gone = true;
	stream->in_reply = false;
	smtp_dialogue_drop_finished(d);
}

void
smtp_dialogue_no_greeting(struct smtp_dialogue *d, bool server_still_greets)
{
	struct smtp_exchange *e = smtp_queue_nth(&d->queue, 0);

	if (e == NULL || e->kind != SMTP_GREETING)
		return;
	e->server_owes = 0;
	e->forwarded = false;
	if (!server_still_greets || (e = smtp_queue_push(&d->queue)) == NULL)
		return;
	e->kind = SMTP_GREETING;
	e->server_owes = 1;
	e->by_proxy = true;
	e->forwarded = true;
}

void
smtp_dialogue_abandon_content(struct smtp_dialogue *d)
{
	if (!d->in_content)
		return;
	smtp_dialogue_chunk_done(d, 0);
	smtp_dialogue_drop_finished(d);
}

void
smtp_dialogue_tls_first(struct smtp_dialogue *d)
{
	d->handover = true;
}

void
smtp_dialogue_secured(struct smtp_dialogue *d)
{
	d->handover = d->opaque = false;
	d->client_spoke = true;
	d->auth_seen = false;
}

void
smtp_dialogue_give_up(struct smtp_dialogue *d)
{
	d->opaque = true;
}

bool
smtp_dialogue_client_is_owed(struct smtp_dialogue *d)
{
	return smtp_exchange_first_owed(d, SMTP_CLIENT) != NULL;
}

bool
smtp_dialogue_server_owes(struct smtp_dialogue *d)
{
	return smtp_exchange_first_owed(d, SMTP_SERVER) != NULL;
}

struct smtp_exchange *
smtp_dialogue_unsettled(struct smtp_dialogue *d, enum smtp_side from)
{
	return smtp_queue_find(&d->queue, d->stream[from].of);
}
