/* SPDX-License-Identifier: MIT */
/*
 * Octets into units: what stands at the start of a side's unused octets, given the place
 * that the dialogue is at. Changes nothing that settling does not also need.
 */
#include "decoders/smtp/dialogue.h"

#include <assert.h>

/* Seldom called: not to be in the way of what each unit needs. */
#define COLD __attribute__((noinline, cold))

/* Where in a line or reply that was cut (struct smtp_stream.rest). */
enum rest {
	REST_NONE,
	REST_LAST_LINE,         /* ends at the next LF */
	REST_LINE,              /* in a line of a reply that is not its last */
	REST_LINE_START         /* between the lines of a reply */
};

static void
unit_begin(struct smtp_stream *stream, enum smtp_unit_type type, const char *octets, size_t len,
    struct smtp_unit *unit)
{
	unit->type = type;
	unit->wire = (struct view){octets, len};
	unit->started_us = stream->started_us;
	unit->marks = 0;
	unit->of = NULL;
	unit->last = false;
	unit->lines = 0;
	unit->dotted = 0;
	unit->missing = 0;
}

/* The unit is handed out: it waits for its verdict. */
static bool
unit_done(struct smtp_stream *stream, struct smtp_unit *unit)
{
	stream->unsettled = (uint8_t)(1 + unit->type);
	stream->of = unit->of != NULL ? unit->of->serial : 0;
	stream->started = false;
	stream->searched = 0;
	stream->whole = 0;
	return true;
}

/* Behind a gap: the end of a line whose start is missing. */
static COLD bool
feed_lost(struct smtp_stream *stream, const char *octets, size_t len, struct smtp_unit *unit)
{
	unit_begin(stream, SMTP_UNIT_LEFTOVER, octets, len, unit);
	unit->marks = SMTP_MARK_UNSURE | smtp_line_marks(unit->wire);
	return unit_done(stream, unit);
}

/* What can only be told when the first octet of a unit is there. */
static void
client_begins(struct smtp_dialogue *d, struct smtp_stream *stream)
{
	struct smtp_exchange *e = smtp_queue_nth(&d->queue, 0);

	stream->marks = 0;
	if (e != NULL && e->kind == SMTP_GREETING && e->client_is_owed > 0)
		stream->marks = SMTP_MARK_EARLY | (d->client_spoke ? SMTP_MARK_PIPELINED : 0);
	else if (e != NULL && d->auth == 0 && !d->unsure && smtp_dialogue_client_is_owed(d))
		stream->marks = SMTP_MARK_PIPELINED;
}

/*
 * The start of a line or reply that was cut. What stands behind its last octet is not known
 * yet, so that a CR there is judged with the rest.
 */
static COLD unsigned
cut_marks(struct smtp_stream *stream, struct view wire)
{
	stream->after_cr = false;
	return SMTP_MARK_CUT | smtp_stretch_marks(wire, &stream->after_cr);
}

/* Whether so much of a line is there that smtp_reply_line_parse says the same of all of it. */
static bool
reply_line_tells(const char *octets, size_t len)
{
	return len > 4 || (len == 4 && octets[3] != '\r') || memchr(octets, '\n', len) != NULL;
}

/* Where a reply goes on behind a line that begins like this: a line without a code does not end it. */
static enum rest
rest_behind(const struct smtp_reply_line *line)
{
	return line->code != 0 && line->separator != '-' ? REST_LAST_LINE : REST_LINE;
}

/* The rest of a line that was cut, as far as it is there. */
static COLD bool
feed_rest(struct smtp_stream *stream, const char *octets, size_t len, struct smtp_unit *unit)
{
	const char *lf;
	struct smtp_reply_line line;

	if (len == 0)
		return false;
	if (stream->rest == REST_LINE_START) {
		if (!reply_line_tells(octets, len))
			return false;
		lf = memchr(octets, '\n', len);
		smtp_reply_line_parse((struct view){octets, lf != NULL ? (size_t)(lf - octets) + 1 : len}, &line);
		stream->rest = rest_behind(&line);
	}
	lf = memchr(octets, '\n', len);
	unit_begin(stream, SMTP_UNIT_REST, octets, lf != NULL ? (size_t)(lf - octets) + 1 : len, unit);
	unit->marks = smtp_stretch_marks(unit->wire, &stream->after_cr);
	if (lf != NULL) {
		unit->last = stream->rest == REST_LAST_LINE;
		stream->rest = unit->last ? REST_NONE : REST_LINE_START;
	}
	return unit_done(stream, unit);
}

/* Where a line that is too long is cut: not behind a CR, which may be half of its line end and no text. */
static size_t
cut_length(const char *octets, size_t limit)
{
	return limit > 1 && octets[limit - 1] == '\r' ? limit - 1 : limit;
}

/*
 * A line of the client's that is whole, or cut because it is too long. A secret has been
 * expected since AUTH, so an unknown line may be one that the server did not ask for.
 */
static bool
feed_client_line(struct smtp_dialogue *d, enum smtp_unit_type type, const char *octets, size_t len,
    struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_CLIENT];
	size_t length = smtp_line_length(octets, len, &stream->searched);
	struct smtp_command *command = &unit->as.command;

	if (length == 0 && len < d->limits.max_line)
		return false;
	if (type == SMTP_UNIT_COMMAND && smtp_line_may_be_content(d, (struct view){octets, length > 0 ? length : len}))
		return false;
	d->command_shown = false;
	if (d->lost[SMTP_CLIENT] && smtp_line_has_verb((struct view){octets, length > 0 ? length : len})) {
		if (type == SMTP_UNIT_AUTH_LINE)
			smtp_exchange_auth_line_lost(d);
		type = SMTP_UNIT_COMMAND;
	} else if (d->lost[SMTP_CLIENT] && type == SMTP_UNIT_COMMAND) {
		return feed_lost(stream, octets, length > 0 ? length : len, unit);
	}
	d->lost[SMTP_CLIENT] = false;
	if (length == 0 || length > d->limits.max_line) {
		unit_begin(stream, type, octets, cut_length(octets, d->limits.max_line), unit);
		unit->marks = stream->marks | cut_marks(stream, unit->wire);
		stream->rest = REST_LAST_LINE;
	} else {
		unit_begin(stream, type, octets, length, unit);
		unit->marks = stream->marks | smtp_line_marks(unit->wire);
	}
	if (type == SMTP_UNIT_AUTH_LINE) {
		unit->of = smtp_queue_find(&d->queue, d->auth);
		return unit_done(stream, unit);
	}
	smtp_command_parse(smtp_line_text(unit->wire), command);
	if (command->verb != SMTP_VERB_UNKNOWN)
		d->auth_seen = command->verb == SMTP_AUTH;
	else if (d->auth_seen)
		command->secret = command->line;
	d->verb = (uint8_t)command->verb;
	d->chunk = command->chunk;
	d->chunk_valid = command->chunk_valid && !(unit->marks & SMTP_MARK_CUT);
	d->chunk_last = command->chunk_last;
	return unit_done(stream, unit);
}

static bool
feed_content(struct smtp_dialogue *d, const char *octets, size_t len, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_CLIENT];
	size_t end = 0, stretch = 0;
	unsigned marks = 0;
	bool over = d->content.by_count && d->content.left == 0;
	uint64_t lines = d->content.lines, stuffed = d->content.stuffed;

	if (!over && len > 0)
		stretch = smtp_content_feed(&d->content, octets, len, &end, &marks);
	if (stretch > 0)
		unit_begin(stream, SMTP_UNIT_CONTENT, octets, stretch, unit);
	else if (over || end > 0)
		unit_begin(stream, SMTP_UNIT_CONTENT_END, octets, over ? 0 : end, unit);
	else
		return false;
	unit->marks = marks;
	unit->lines = (uint32_t)(d->content.lines - lines);
	unit->dotted = (uint32_t)(d->content.stuffed - stuffed);
	unit->of = smtp_queue_find(&d->queue, d->content_of);
	return unit_done(stream, unit);
}

/* A TLS client does not wait for a greeting: its first octets are a record (RFC 8446 5.1). */
static bool
is_tls_record(const char *octets, size_t len)
{
	return octets[0] == 0x16 && (len < 2 || octets[1] == 0x03);
}

static bool
feed_client(struct smtp_dialogue *d, const char *octets, size_t len, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_CLIENT];
	enum smtp_place place = smtp_dialogue_place(d, SMTP_CLIENT, NULL);

	if (place == SMTP_COMMANDS && !d->client_spoke && len > 0 && is_tls_record(octets, len)) {
		if (len < 2)
			return false;
		d->handover = true;
		place = SMTP_HANDOVER;
	}
	if (len > 0)
		d->client_spoke = d->client_spoke || place != SMTP_HANDOVER;
	if (stream->rest != REST_NONE && place != SMTP_UNSETTLED)
		return feed_rest(stream, octets, len, unit);
	switch (place) {
	case SMTP_COMMANDS:
		return len > 0 && feed_client_line(d, SMTP_UNIT_COMMAND, octets, len, unit);
	case SMTP_AUTH_LINES:
		return len > 0 && feed_client_line(d, SMTP_UNIT_AUTH_LINE, octets, len, unit);
	case SMTP_CONTENT:
		return feed_content(d, octets, len, unit);
	case SMTP_HANDOVER:
		unit_begin(stream, SMTP_UNIT_HANDOVER, octets, 0, unit);
		return unit_done(stream, unit);
	case SMTP_OPAQUE:
		if (len == 0)
			return false;
		unit_begin(stream, SMTP_UNIT_OPAQUE, octets, len, unit);
		return unit_done(stream, unit);
	default:
		return false;
	}
}

/* The reply at hand, of whole lines or cut, is a unit; last is its last line, unless that is cut. */
static bool
reply_done(struct smtp_dialogue *d, const char *octets, size_t len, const struct smtp_reply_line *last,
    struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_SERVER];
	bool cut = last == NULL;

	unit_begin(stream, SMTP_UNIT_REPLY, octets, len, unit);
	unit->marks = cut ? cut_marks(stream, unit->wire) : smtp_line_marks(unit->wire);
	unit->marks |= !cut && last->wire.len == len ? smtp_reply_of_line(last, &unit->as.reply) :
	    smtp_reply_parse(unit->wire, &unit->as.reply);
	unit->of = smtp_exchange_answered_by(d, &unit->as.reply, &unit->missing);
	unit->marks |= unit->missing > 0 ? SMTP_MARK_RESYNC : 0;
	stream->code = unit->as.reply.code;
	return unit_done(stream, unit);
}

/* A line of the server's, whole or cut, that is no reply and answers nothing. */
static COLD bool
not_reply(struct smtp_stream *stream, const char *octets, size_t len, bool cut, struct smtp_unit *unit)
{
	unit_begin(stream, SMTP_UNIT_NOT_REPLY, octets, len, unit);
	unit->marks = cut ? cut_marks(stream, unit->wire) : smtp_line_marks(unit->wire);
	return unit_done(stream, unit);
}

static COLD bool
reply_cut(struct smtp_dialogue *d, const char *octets, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_SERVER];
	size_t whole = stream->whole, len = cut_length(octets, d->limits.max_line);
	struct smtp_reply_line line;

	/* The start of a line that does not tell what it is comes with its rest. */
	if (!reply_line_tells(octets + whole, len - whole)) {
		stream->rest = REST_LINE_START;
		return reply_done(d, octets, whole, NULL, unit);
	}
	smtp_reply_line_parse((struct view){octets + whole, len - whole}, &line);
	stream->rest = rest_behind(&line);
	if (whole > 0 || line.code != 0)
		return reply_done(d, octets, len, NULL, unit);
	stream->rest = REST_LAST_LINE;
	return not_reply(stream, octets, len, true, unit);
}

static bool
feed_server(struct smtp_dialogue *d, const char *octets, size_t len, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[SMTP_SERVER];
	struct smtp_reply_line line;
	size_t length;

	if (len == 0 || stream->unsettled != 0)
		return false;
	if (d->opaque || d->handover) {
		unit_begin(stream, SMTP_UNIT_OPAQUE, octets, len, unit);
		return unit_done(stream, unit);
	}
	if (stream->rest != REST_NONE)
		return feed_rest(stream, octets, len, unit);
	for (;;) {
		length = smtp_line_length(octets + stream->whole, len - stream->whole, &stream->searched);
		if (length == 0 && len < d->limits.max_line)
			return false;
		if (length == 0 || stream->whole + length > d->limits.max_line)
			return reply_cut(d, octets, unit);
		stream->searched = 0;
		smtp_reply_line_parse((struct view){octets + stream->whole, length}, &line);
		if (line.code == 0 && stream->whole == 0 && d->lost[SMTP_SERVER])
			return feed_lost(stream, octets, length, unit);
		d->lost[SMTP_SERVER] = false;
		if (line.code == 0 && stream->whole == 0)
			return not_reply(stream, octets, length, false, unit);
		stream->whole += length;
		if (rest_behind(&line) == REST_LAST_LINE)
			return reply_done(d, octets, stream->whole, &line, unit);
	}
}

bool
smtp_dialogue_feed(struct smtp_dialogue *d, enum smtp_side from, const char *octets, size_t len,
    uint64_t time_us, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[from];
	bool unsure = d->unsure;

	if (!stream->started && (len > 0 || stream->unsettled == 0)) {
		stream->started_us = time_us;
		if (len > 0 && stream->unsettled == 0) {
			stream->started = true;
			if (from == SMTP_CLIENT)
				client_begins(d, stream);
		}
	}
	if (!(from == SMTP_CLIENT ? feed_client(d, octets, len, unit) : feed_server(d, octets, len, unit)))
		return false;
	unit->marks |= unsure || d->unsure ? SMTP_MARK_UNSURE : 0;
	return true;
}

bool
smtp_dialogue_finish(struct smtp_dialogue *d, enum smtp_side from, const char *octets, size_t len,
    uint64_t time_us, struct smtp_unit *unit)
{
	struct smtp_stream *stream = &d->stream[from];
	enum smtp_unit_type type = SMTP_UNIT_LEFTOVER;

	enum smtp_place place = smtp_dialogue_place(d, from, NULL);

	(void)time_us;
	if (len == 0 || place == SMTP_UNSETTLED || place == SMTP_UNDECIDED || place == SMTP_FULL)
		return false;
	if (place == SMTP_CONTENT)
		type = SMTP_UNIT_CONTENT;
	unit_begin(stream, type, octets, len, unit);
	unit->dotted = *octets == '.';  /* what was kept back is the start of a line */
	unit->marks = SMTP_MARK_UNTERMINATED | smtp_line_marks(unit->wire) | (d->unsure ? SMTP_MARK_UNSURE : 0);
	return unit_done(stream, unit);
}
