/* SPDX-License-Identifier: MIT */
/*
 * What became of a unit, and what that does to the dialogue: commands and ends of content go into
 * the queue, replies meet them there, and what the client was told decides how its next octets are
 * read. A reply meets its command in reply_settled, and nowhere else.
 */
#include "decoders/smtp/dialogue.h"

#include <assert.h>

/* What a reply's code does to what the client sends next: by what the client was told. */
static void
exchange_told(struct smtp_dialogue *d, struct smtp_exchange *e, uint16_t code)
{
	e->code = code;
	if (e->kind != SMTP_COMMAND)
		return;
	switch (e->verb) {
	case SMTP_DATA:
		/* 354 is the one in use; clients go by the first digit (RFC 5321 4.2.1). */
		if (code / 100 == 3) {
			d->lost[SMTP_CLIENT] = false;   /* it has waited for this */
			d->in_content = true;
			d->content_of = 0;
			smtp_content_begin_data(&d->content);
		}
		break;
	case SMTP_AUTH:
		if (code == 334) {
			d->lost[SMTP_CLIENT] = false;
			d->auth = e->serial;
		}
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
	if (--*smtp_exchange_owed(e, column) == 0 && e->kind == SMTP_CONTENT_DONE)
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
	exchange_told(d, e, code);
	count_accepted(d, e, SMTP_CLIENT, code);
	if (!is_auth_step(e, code))
		owe_one_less(d, e, SMTP_CLIENT);
}

/* What was asked before an exchange that is answered now, and is not answered, will not be any more. */
static void
give_up_before(struct smtp_dialogue *d, const struct smtp_exchange *answered)
{
	struct smtp_exchange *e;

	/* Mostly there is none, which is known. */
	if (d->first_owed[SMTP_SERVER] >= answered->serial)
		return;
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
	smtp_dialogue_drop_finished(d);
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
	smtp_dialogue_drop_finished(d);
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
	smtp_dialogue_drop_finished(d);
}

void
smtp_dialogue_chunk_done(struct smtp_dialogue *d, uint64_t time_us)
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
		smtp_dialogue_chunk_done(d, fate->time_us);
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

void
smtp_exchange_owes_again(struct smtp_dialogue *d, struct smtp_exchange *e)
{
	e->server_owes++;
	if (d->first_owed[SMTP_SERVER] > e->serial)
		d->first_owed[SMTP_SERVER] = e->serial;
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
		e->sent_us = fate->time_us;
		smtp_exchange_owes_again(d, e);
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
			smtp_dialogue_chunk_done(d, fate->time_us);
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
		smtp_dialogue_drop_finished(d);
		return NULL;
	}
	serial = e->serial;
	smtp_dialogue_drop_finished(d);
	return smtp_queue_find(&d->queue, serial);
}

void
smtp_dialogue_answered(struct smtp_dialogue *d, uint64_t serial, uint16_t code)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, serial);

	if (e == NULL || e->client_is_owed == 0)
		return;
	client_answered(d, e, code);
	smtp_dialogue_drop_finished(d);
}
