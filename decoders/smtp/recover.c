/* SPDX-License-Identifier: MIT */
/*
 * Taking up again where octets or replies are missing: a capture with holes, one that begins
 * inside a session, a server that does not answer. Pairing holds on to what can be one thing
 * only: a 354 answers DATA, a 221 QUIT, lines of EHLO keywords EHLO.
 */
#include "decoders/smtp/dialogue.h"
#include "decoders/smtp/ehlo.h"

bool
smtp_line_has_verb(struct view line)
{
	struct smtp_command command;

	smtp_command_parse(smtp_line_text(line), &command);
	return command.verb != SMTP_VERB_UNKNOWN && command.name.at == line.at;
}

/* The one verb that a reply can belong to; SMTP_VERB_UNKNOWN: it may be any. EHLO stands for LHLO too. */
static enum smtp_verb
anchor_of(const struct smtp_reply *reply)
{
	switch (reply->code) {
	case 354:
		return SMTP_DATA;
	case 334:
	case 235:
		return SMTP_AUTH;
	case 221:
		return SMTP_QUIT;
	case 250:
		return reply->lines > 1 && smtp_ehlo_keywords(reply) != 0 ? SMTP_EHLO : SMTP_VERB_UNKNOWN;
	default:
		return SMTP_VERB_UNKNOWN;
	}
}

static bool
is_anchored(const struct smtp_exchange *e, enum smtp_verb verb)
{
	if (e->kind != SMTP_COMMAND)
		return false;
	return e->verb == verb || (verb == SMTP_EHLO && e->verb == SMTP_LHLO);
}

/* What the client has sent and the capture lacks: it is owed its answer all the same. NULL: out of memory. */
static struct smtp_exchange *
sent_in_gap(struct smtp_dialogue *d, enum smtp_exchange_kind kind, enum smtp_verb verb)
{
	struct smtp_exchange *e = smtp_queue_push(&d->queue);

	if (e == NULL)
		return NULL;
	e->kind = kind;
	e->verb = (uint8_t)verb;
	e->client_is_owed = e->server_owes = 1;
	e->forwarded = true;
	d->unsure = true;
	return e;
}

/* Whether the end of the content that is coming in may be among what is missing. */
static bool
content_may_have_ended(const struct smtp_dialogue *d)
{
	return d->in_content && !d->content.by_count && d->unsure && d->stream[SMTP_CLIENT].unsettled == 0;
}

static void
content_has_ended(struct smtp_dialogue *d)
{
	d->in_content = false;
	d->lost[SMTP_CLIENT] = true;
}

/* Content whose end is missing has ended all the same when the server answers it. */
static struct smtp_exchange *
content_ended_in_gap(struct smtp_dialogue *d)
{
	if (!content_may_have_ended(d))
		return NULL;
	content_has_ended(d);
	return sent_in_gap(d, SMTP_CONTENT_DONE, SMTP_DATA);
}

/* The command that a reply answers, and no other could, is missing; so is the end of the content in front of it. */
static struct smtp_exchange *
command_in_gap(struct smtp_dialogue *d, enum smtp_verb verb)
{
	if (content_may_have_ended(d))
		content_has_ended(d);
	else if (!d->commands_missing || d->in_content)
		return NULL;
	return sent_in_gap(d, SMTP_COMMAND, d->lmtp && verb == SMTP_EHLO ? SMTP_LHLO : verb);
}

struct smtp_exchange *
smtp_exchange_auth_line_lost(struct smtp_dialogue *d)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->auth);

	d->auth = 0;
	if (e != NULL)
		smtp_exchange_owes_again(d, e);
	return e;
}

/* A 354 and the content behind it are missing: what DATA cannot be answered with is the content's reply. */
static bool
content_in_gap(const struct smtp_dialogue *d, const struct smtp_exchange *first, const struct smtp_reply *reply)
{
	return first->kind == SMTP_COMMAND && first->verb == SMTP_DATA && reply->code / 100 == 2 &&
	    first->serial == d->presume && d->lost[SMTP_CLIENT];
}

struct smtp_exchange *
smtp_exchange_answered_by(struct smtp_dialogue *d, const struct smtp_reply *reply, uint32_t *missing)
{
	struct smtp_exchange *first = smtp_exchange_first_owed(d, SMTP_SERVER), *e;
	enum smtp_verb anchor = anchor_of(reply);
	uint32_t skipped = 0;

	*missing = 0;
	if (first == NULL && d->auth != 0 && d->lost[SMTP_CLIENT])
		first = smtp_exchange_auth_line_lost(d);
	if (first != NULL && anchor == SMTP_VERB_UNKNOWN && content_in_gap(d, first, reply)) {
		*missing = 1;
		return sent_in_gap(d, SMTP_CONTENT_DONE, SMTP_DATA);
	}
	if (anchor == SMTP_VERB_UNKNOWN)
		return first != NULL ? first : content_ended_in_gap(d);
	if (first != NULL && is_anchored(first, anchor)) {
		d->unsure = false;
		return first;
	}
	for (e = first; e != NULL; e = smtp_queue_find(&d->queue, e->serial + 1)) {
		if (e->server_owes == 0)
			continue;
		/* Where a rule has stepped in, its own order counts. */
		if (e->by_proxy || !e->forwarded || e->client_is_owed == 0)
			return first;
		if (is_anchored(e, anchor)) {
			d->unsure = false;
			*missing = skipped;
			return e;
		}
		skipped += e->server_owes;
	}
	e = command_in_gap(d, anchor);
	if (e == NULL)
		return first;
	*missing = skipped;
	return e;
}

/* A chunk goes on behind the gap, or has ended in it. */
static void
gap_in_content(struct smtp_dialogue *d, uint64_t octets)
{
	bool within = octets <= d->content.left;

	smtp_content_gap(&d->content, octets);
	if (!d->content.by_count || (within && (d->content.left > 0 || d->content.last)))
		return;
	smtp_dialogue_abandon_content(d);
	d->lost[SMTP_CLIENT] = true;
	d->commands_missing = true;
}

void
smtp_dialogue_gap(struct smtp_dialogue *d, enum smtp_side from, uint64_t octets)
{
	struct smtp_stream *stream = &d->stream[from];
	struct smtp_exchange *greeting = smtp_queue_nth(&d->queue, 0);

	if (d->opaque)
		return;
	d->unsure = true;
	stream->searched = 0;
	stream->whole = 0;
	stream->rest = 0;
	stream->started = false;
	if (from == SMTP_SERVER) {
		/* The first octets that a server sends are its greeting. */
		if (greeting != NULL && greeting->kind == SMTP_GREETING && greeting->forwarded)
			greeting->client_is_owed = greeting->server_owes = 0;
		d->lost[SMTP_SERVER] = true;
		d->presume = d->undecided;
		return;
	}
	if (d->in_content) {
		gap_in_content(d, octets);
		return;
	}
	d->lost[SMTP_CLIENT] = true;
	d->commands_missing = true;
}

void
smtp_dialogue_midstream(struct smtp_dialogue *d)
{
	struct smtp_exchange *greeting = smtp_queue_nth(&d->queue, 0);

	if (greeting != NULL && greeting->kind == SMTP_GREETING) {
		greeting->client_is_owed = 0;
		smtp_dialogue_server_gone(d);
		d->stream[SMTP_SERVER].gone = false;
	}
	d->lost[SMTP_CLIENT] = d->lost[SMTP_SERVER] = true;
	d->commands_missing = true;
	d->unsure = true;
}

/* A header field's first line (RFC 5322 2.2). "TO:<bob@example.net>", the end of a command, has no space there. */
static bool
is_field(struct view line)
{
	size_t name = 0;

	while (name < line.len && line.at[name] > ' ' && line.at[name] < 0x7f && line.at[name] != ':')
		name++;
	if (name == 0 || name == line.len || line.at[name] != ':')
		return false;
	return name + 1 == line.len || line.at[name + 1] == ' ' || line.at[name + 1] == '\t';
}

/* What may stand behind a field in a header: one more, the rest of the first, or the header's end. */
static bool
goes_on_as_header(struct view line)
{
	return line.len == 0 || *line.at == ' ' || *line.at == '\t' || is_field(line);
}

bool
smtp_line_may_be_content(const struct smtp_dialogue *d, struct view line)
{
	struct view text = smtp_line_text(line);

	if (!d->unsure || !d->commands_missing || d->command_shown)
		return false;
	return view_equal(text, VIEW(".")) || (d->lost[SMTP_CLIENT] && is_field(text) && !smtp_line_has_verb(line));
}

/*
 * Behind a gap in which DATA and its 354 may be: 354, 500, or 0 as smtp_dialogue_presume says. A
 * dot alone ends content; one field may be the end of a command, two lines of a header are none.
 */
static uint16_t
shape_behind_gap(const struct smtp_dialogue *d, struct view octets)
{
	size_t searched = 0, first = smtp_line_length(octets.at, octets.len, &searched), second;
	struct view rest = view_from(octets, first), line;

	if (first == 0)
		return octets.len < d->limits.max_line ? 0 : 500;
	if (*octets.at == '.')
		return 354;
	searched = 0;
	second = rest.len > 0 ? smtp_line_length(rest.at, rest.len, &searched) : 0;
	if (second == 0)
		return octets.len < d->limits.max_line ? 0 : 500;
	line = view_first(rest, second);
	return !smtp_line_has_verb(line) && goes_on_as_header(smtp_line_text(line)) ? 354 : 500;
}

uint16_t
smtp_dialogue_presume(struct smtp_dialogue *d, const char *octets, size_t len)
{
	struct smtp_exchange *e = smtp_queue_find(&d->queue, d->presume);
	const char *lf = len > 0 ? memchr(octets, '\n', len) : NULL;

	if (len > 0 && smtp_dialogue_place(d, SMTP_CLIENT, NULL) == SMTP_COMMANDS &&
	    smtp_line_may_be_content(d, view_first((struct view){octets, len}, lf != NULL ? (size_t)(lf - octets) + 1 : len)))
		return shape_behind_gap(d, (struct view){octets, len});
	if (e == NULL || d->presume != d->undecided || len == 0)
		return 0;
	if (e->verb == SMTP_STARTTLS && (unsigned char)octets[0] == 0x16)
		return 220;
	if (lf == NULL && len < d->limits.max_line)
		return 0;
	if (smtp_line_has_verb((struct view){octets, lf != NULL ? (size_t)(lf - octets) + 1 : len}))
		return 500;
	return e->verb == SMTP_DATA ? 354 : e->verb == SMTP_AUTH ? 334 : 220;
}

bool
smtp_dialogue_is_unsure(const struct smtp_dialogue *d)
{
	return d->unsure;
}
