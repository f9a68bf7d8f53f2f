/* SPDX-License-Identifier: MIT */
/*
 * Who is owed what, and what comes next: every transition of a dialogue is in this file.
 * A reply meets its command in reply_settled, and nowhere else. How octets become units
 * is in feed.c.
 */
#include "decoders/smtp/dialogue.h"

#include <assert.h>

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

/* Replies still owed in one column. */
static uint32_t *
owed(struct smtp_exchange *e, enum smtp_side column)
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
		*owed(e, column) = d->accepted[column];
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
		if (*owed(e, column) > 0) {
			count_recipients(d, e, column);
			return e;
		}
		d->first_owed[column]++;
	}
	return NULL;
}

static void
drop_finished(struct smtp_dialogue *d)
{
	struct smtp_exchange *e;

	while ((e = smtp_queue_nth(&d->queue, 0)) != NULL && e->client_is_owed == 0 && e->server_owes == 0 &&
	    !e->chunk_open)
		leave(d);
	if (e == NULL)
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

/* What a reply's code does to what the client sends next: by what the client was told. */
static void
client_told(struct smtp_dialogue *d, struct smtp_exchange *e, uint16_t code)
{
	e->code = code;
	if (e->kind != SMTP_COMMAND)
		return;
	switch (e->verb) {
	case SMTP_DATA:
		/* 354 is the one in use; clients go by the first digit (RFC 5321 4.2.1). */
		if (code / 100 == 3) {
			d->in_content = true;
			d->content_of = 0;
			smtp_content_begin_data(&d->content);
		}
		break;
	case SMTP_AUTH:
		if (code == 334)
			d->auth = e->serial;
		break;
	case SMTP_STARTTLS:
		if (code == 220)
			d->handover = true;
		break;
	default:
		break;
	}
	if (d->undecided == e->serial)
		d->undecided = 0;
}

/* Recipients accepted so far in the transaction, for one column (RFC 5321 4.1.4 for what ends one). */
static void
count_accepted(struct smtp_dialogue *d, const struct smtp_exchange *e, enum smtp_side column, uint16_t code)
{
	if (e->kind != SMTP_COMMAND || code / 100 != 2)
		return;
	switch (e->verb) {
	case SMTP_RCPT:
		d->accepted[column]++;
		break;
	case SMTP_LHLO:
		/* Refused, it was a client that asked, and goes on with EHLO. */
		d->lmtp = true;
		d->accepted[column] = 0;
		break;
	case SMTP_MAIL:
	case SMTP_RSET:
	case SMTP_HELO:
	case SMTP_EHLO:
		d->accepted[column] = 0;
		break;
	default:
		break;
	}
}

/* One reply less is owed in a column. With the last one behind a content its transaction is over. */
static void
owe_one_less(struct smtp_dialogue *d, struct smtp_exchange *e, enum smtp_side column)
{
	if (--*owed(e, column) == 0 && e->kind == SMTP_CONTENT_DONE)
		d->accepted[column] = 0;
}

/* One step of an AUTH exchange: it stays in the queue until something else than 334 (RFC 4954 4). */
static bool
is_auth_step(const struct smtp_exchange *e, uint16_t code)
{
	return e->kind == SMTP_COMMAND && e->verb == SMTP_AUTH && code == 334;
}

/* The client was told this code for the exchange, whoever said it. */
static void
client_answered(struct smtp_dialogue *d, struct smtp_exchange *e, uint16_t code)
{
	client_told(d, e, code);
	count_accepted(d, e, SMTP_CLIENT, code);
	if (!is_auth_step(e, code))
		owe_one_less(d, e, SMTP_CLIENT);
}

/* What was asked before an exchange that is answered now, and is not answered, will not be any more. */
static void
give_up_before(struct smtp_dialogue *d, const struct smtp_exchange *answered)
{
	struct smtp_exchange *e;

	while ((e = smtp_exchange_first_owed(d, SMTP_SERVER)) != NULL && e->serial < answered->serial) {
		e->server_owes = 0;
		e->client_is_owed = 0;
		if (d->undecided == e->serial)
			d->undecided = 0;
	}
}

/* A reply meets its command: both columns of the exchange are brought up to date. */
static void
reply_settled(struct smtp_dialogue *d, struct smtp_exchange *e, uint16_t code, const struct smtp_fate *fate)
{
	give_up_before(d, e);
	e->server_code = code;
	owe_one_less(d, e, SMTP_SERVER);
	count_accepted(d, e, SMTP_SERVER, code);
	if (e->client_is_owed == 0)
		return;
	if (fate->forwarded) {
		client_answered(d, e, fate->code != 0 ? fate->code : code);
	} else if (!fate->owed) {
		owe_one_less(d, e, SMTP_CLIENT);
		if (d->undecided == e->serial)
			d->undecided = 0;
	}
}

/*
 * Where replies are missing, commands that nothing answers would fill the queue: the oldest
 * make room.
 */
static void
make_room(struct smtp_dialogue *d)
{
	struct smtp_exchange *oldest = smtp_queue_nth(&d->queue, 0);

	if (!d->unsure || d->queue.count + 1 < d->limits.max_pending)
		return;
	oldest->client_is_owed = oldest->server_owes = 0;
	drop_finished(d);
}

/* A command has its place in the queue from here on, unless nobody will answer it. */
static struct smtp_exchange *
command_settled(struct smtp_dialogue *d, const struct smtp_fate *fate)
{
	struct smtp_exchange *e = NULL;

	d->content_of = 0;
	make_room(d);
	if (fate->forwarded || fate->owed) {
		e = smtp_queue_push(&d->queue);
		if (e == NULL)
			return NULL;
		e->kind = SMTP_COMMAND;
		e->verb = d->verb;
		e->note = fate->note;
		e->client_is_owed = fate->owed;
		e->server_owes = fate->forwarded;
		e->forwarded = fate->forwarded;
		e->sent_us = fate->forwarded ? fate->time_us : 0;
		if (fate->owed && (d->verb == SMTP_DATA || d->verb == SMTP_AUTH || d->verb == SMTP_STARTTLS))
			d->undecided = e->serial;
	}
	if (d->verb == SMTP_BDAT && d->chunk_valid) {
		smtp_content_begin_chunk(&d->content, d->chunk, d->chunk_last);
		d->in_content = d->chunk > 0 || d->chunk_last;
		if (e != NULL) {
			d->content_of = e->serial;
			e->kind = d->chunk_last ? SMTP_CONTENT_DONE : SMTP_COMMAND;
			e->chunk_open = d->in_content;
		}
	}
	return e;
}

/* What comes is content whose DATA is missing: until its 354 the client has waited for all other answers. */
static void
content_shown(struct smtp_dialogue *d)
{
	struct smtp_exchange *e;

	for (uint32_t n = 0; (e = smtp_queue_nth(&d->queue, n)) != NULL; n++)
		e->client_is_owed = e->server_owes = 0;
	d->in_content = true;
	d->content_of = 0;
	smtp_content_begin_data(&d->content);
	drop_finished(d);
}

void
smtp_dialogue_presumed(struct smtp_dialogue *d, uint16_t code)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->presume);
	struct smtp_fate fate = {.forwarded = true};

	if (d->undecided == 0) {
		d->command_shown = code != 354;
		if (code == 354)
			content_shown(d);
		return;
	}
	d->presume = 0;
	if (e != NULL && e->server_owes > 0)
		reply_settled(d, e, code, &fate);
	drop_finished(d);
}

static void
chunk_done(struct smtp_dialogue *d, uint64_t time_us)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->content_of);

	d->in_content = false;
	if (e == NULL)
		return;
	e->chunk_open = false;
	if (e->forwarded)
		e->sent_us = time_us;
}

static struct smtp_exchange *
content_end_settled(struct smtp_dialogue *d, const struct smtp_fate *fate)
{
	struct smtp_exchange *e;

	if (d->content.by_count) {
		chunk_done(d, fate->time_us);
		e = smtp_queue_find(&d->queue, d->content_of);
		if (e != NULL && e->server_owes > 0 && !fate->forwarded) {
			e->server_owes = 0;
			e->sent_us = 0;
			e->forwarded = false;
		}
		return e;
	}
	d->in_content = false;
	if (!fate->forwarded && !fate->owed)
		return NULL;
	e = smtp_queue_push(&d->queue);
	if (e == NULL)
		return NULL;
	e->kind = SMTP_CONTENT_DONE;
	e->verb = SMTP_DATA;
	e->note = fate->note;
	e->client_is_owed = fate->owed;
	e->server_owes = fate->forwarded;
	e->forwarded = fate->forwarded;
	e->sent_us = fate->forwarded ? fate->time_us : 0;
	return e;
}

static void
auth_line_settled(struct smtp_dialogue *d, const struct smtp_fate *fate)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->auth);

	d->auth = 0;
	if (e == NULL)
		return;
	d->undecided = e->serial;
	if (fate->forwarded) {
		e->server_owes++;
		e->sent_us = fate->time_us;
		if (d->first_owed[SMTP_SERVER] > e->serial)
			d->first_owed[SMTP_SERVER] = e->serial;
	}
}

/* Between the octets of a reply that was cut nothing else can go to the client. */
static void
server_line_settled(struct smtp_dialogue *d, enum smtp_unit_type type, const struct smtp_fate *fate)
{
	struct smtp_stream *stream = &d->stream[SMTP_SERVER];

	if (type != SMTP_UNIT_REST)
		stream->in_reply = stream->rest != 0 && fate->forwarded && !stream->gone;
	else if (stream->rest == 0)
		stream->in_reply = false;
}

struct smtp_exchange *
smtp_dialogue_settle(struct smtp_dialogue *d, enum smtp_side from, const struct smtp_fate *fate)
{
	struct smtp_stream *stream = &d->stream[from];
	enum smtp_unit_type type = stream->unsettled - 1;
	struct smtp_exchange *e = NULL;
	uint64_t serial;

	assert(stream->unsettled != 0);
	stream->unsettled = 0;
	if (from == SMTP_SERVER)
		server_line_settled(d, type, fate);
	switch (type) {
	case SMTP_UNIT_COMMAND:
		e = command_settled(d, fate);
		break;
	case SMTP_UNIT_CONTENT_END:
		e = content_end_settled(d, fate);
		break;
	case SMTP_UNIT_CONTENT:
		if (d->content.by_count && d->content.left == 0 && !d->content.last)
			chunk_done(d, fate->time_us);
		break;
	case SMTP_UNIT_AUTH_LINE:
		auth_line_settled(d, fate);
		break;
	case SMTP_UNIT_REPLY:
		e = stream->of != 0 ? smtp_queue_find(&d->queue, stream->of) : NULL;
		if (e != NULL && e->server_owes > 0)
			reply_settled(d, e, stream->code, fate);
		e = NULL;
		break;
	case SMTP_UNIT_HANDOVER:
		d->handover = false;
		d->opaque = true;
		break;
	default:
		break;
	}
	if (e == NULL) {
		drop_finished(d);
		return NULL;
	}
	serial = e->serial;
	drop_finished(d);
	return smtp_queue_find(&d->queue, serial);
}

struct smtp_exchange *
smtp_dialogue_turn(struct smtp_dialogue *d)
{
	struct smtp_exchange *e;

	drop_finished(d);
	e = smtp_exchange_first_owed(d, SMTP_CLIENT);
	if (e == NULL || e->server_owes > 0 || e->chunk_open || e->serial == d->auth)
		return NULL;
	return d->stream[SMTP_SERVER].in_reply ? NULL : e;
}

void
smtp_dialogue_answered(struct smtp_dialogue *d, uint64_t serial, uint16_t code)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, serial);

	if (e == NULL || e->client_is_owed == 0)
		return;
	client_answered(d, e, code);
	drop_finished(d);
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
	drop_finished(d);
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
	chunk_done(d, 0);
	drop_finished(d);
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
