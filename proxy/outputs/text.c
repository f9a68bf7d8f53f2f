/* SPDX-License-Identifier: MIT */
/*
 * The transcript, event by event. What is kept of a session is little and may be lost: whether
 * commands were pipelined, so that a reply says what it answers only where that is not plain to
 * see, and the content line that has not ended yet.
 */
#include "proxy/outputs/text.h"

#include <stdlib.h>

#include "decoders/smtp/line.h"
#include "proxy/outputs/text_show.h"

#define SLOTS   1024u   /* sessions at a time of which something is kept */
#define CARRIED 1001u   /* octets kept of a content line: more than are shown */

struct text_session {
	uint64_t      number;           /* 0: none */
	bool          group;            /* several commands are unanswered, or it is not known */
	struct buffer carry;            /* the content line that has not ended yet */
	uint64_t      carried;          /* its octets, those not kept included */
	uint64_t      carried_us;       /* when it began, since the session was opened */
};

struct text {
	bool                colour;
	bool                closed;     /* the last line closed a session: a blank line is before the next */
	uint64_t            last_session;
	struct buffer       last;       /* the octets that were shown last */
	struct text_session sessions[SLOTS];
};

struct text *
text_new(bool colour)
{
	struct text *text = calloc(1, sizeof(*text));

	if (text == NULL)
		abort();
	text->colour = colour;
	return text;
}

void
text_free(struct text *text)
{
	if (text == NULL)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		buffer_free(&text->sessions[i].carry);
	buffer_free(&text->last);
	free(text);
}

/* The content line that did not end: shown as far as it came. */
static void
show_carried(struct text_line *line, struct text_session *session)
{
	struct event event = {.session = session->number, .since_open_us = session->carried_us};

	if (session->carried == 0)
		return;
	text_show_content(line, &event, (struct view){session->carry.at, session->carry.len}, session->carried,
	    true, true);
	buffer_free(&session->carry);
	session->carried = 0;
}

/* Sessions that fall into one slot take it from each other: what was kept is not known then. */
static struct text_session *
session_of(struct text *text, struct text_line *line, const struct event *event)
{
	struct text_session *session = &text->sessions[event->session % SLOTS];

	if (session->number != event->session) {
		show_carried(line, session);
		session->number = event->session;
		session->group = event->type != EVENT_OPEN;
	}
	return session;
}

static void
carry(struct text_session *session, const struct event *event, struct view octets)
{
	if (session->carried == 0) {
		session->carry.len = 0;
		session->carried_us = event->since_open_us;
	}
	buffer_put(&session->carry, view_first(octets, CARRIED - session->carry.len));
	session->carried += octets.len;
}

/* A stretch is shown as far as it has whole lines; the rest waits for the next stretch. */
static void
show_content(struct text_line *line, const struct event *event, struct text_session *session)
{
	struct view rest = event->as.content.octets;
	bool first = true;

	while (rest.len > 0) {
		const char *lf = memchr(rest.at, '\n', rest.len);
		struct view part = view_first(rest, lf == NULL ? rest.len : (size_t)(lf - rest.at) + 1);
		uint64_t whole = part.len;

		rest = view_from(rest, part.len);
		if (lf == NULL || session->carried > 0) {
			carry(session, event, part);
			part = (struct view){session->carry.at, session->carry.len};
			whole = session->carried;
		}
		if (lf == NULL)
			break;
		text_show_content(line, event, part, whole, false, first);
		session->carried = 0;
		first = false;
	}
}

/* What a finding may be about: the octets of the line that is shown now. */
static void
remember(struct text *text, const struct event *event, struct view octets)
{
	text->last.len = 0;
	text->last_session = event->session;
	buffer_put(&text->last, view_first(octets, CARRIED));
}

static bool
remembered(const struct text *text, const struct event *event)
{
	struct view excerpt = smtp_line_text(event->as.finding.excerpt);

	return text->last_session == event->session && excerpt.len <= text->last.len &&
	    (excerpt.len == 0 || memmem(text->last.at, text->last.len, excerpt.at, excerpt.len) != NULL);
}

/* Replies of a pipelined group say what they answer, until a command waits for its reply again. */
static void
note_group(struct text_session *session, const struct event *event)
{
	if (event->as.command.origin == ORIGIN_PEER)
		session->group = event->as.command.pipelined;
}

/* A chunk, or the whole content, has been answered: its last line ends here or not at all. */
static bool
ends_content(const struct event *event)
{
	struct view to = event->as.reply.to;

	return view_equal(to, VIEW("CONTENT")) || view_equal(to, VIEW("BDAT"));
}

static void
show_dialogue(struct text *text, struct text_line *line, const struct event *event,
    struct text_session *session)
{
	switch (event->type) {
	case EVENT_COMMAND:
		show_carried(line, session);
		note_group(session, event);
		text_show_command(line, event);
		remember(text, event, event->as.command.command.line);
		break;
	case EVENT_REPLY:
		if (ends_content(event))
			show_carried(line, session);
		text_show_reply(line, event, session->group);
		remember(text, event, event->as.reply.reply.wire);
		break;
	case EVENT_CONTENT:
		show_content(line, event, session);
		remember(text, event, event->as.content.octets);
		break;
	case EVENT_UNDECODED:
		text_show_undecoded(line, event);
		remember(text, event, event->as.undecoded.octets);
		break;
	case EVENT_FINDING:
		text_show_finding(line, event, !remembered(text, event));
		break;
	default:
		break;
	}
}

void
text_event(struct text *text, struct buffer *out, const struct event *event)
{
	static void (*const show[EVENT_RULE_SUMMARY + 1])(struct text_line *line, const struct event *event) = {
		[EVENT_OPEN] = text_show_open, [EVENT_UPSTREAM] = text_show_upstream,
		[EVENT_AUTH] = text_show_auth, [EVENT_TLS] = text_show_tls,
		[EVENT_MESSAGE] = text_show_message, [EVENT_RULE] = text_show_rule,
		[EVENT_LOG] = text_show_log, [EVENT_CLOSE] = text_show_close
	};
	struct text_line line = {out, text->colour, 0};
	struct text_session *session;

	if (event->type == EVENT_EHLO || event->type == EVENT_RULE_SUMMARY)
		return;
	session = session_of(text, &line, event);
	if (event->type == EVENT_MESSAGE || event->type == EVENT_CLOSE)
		show_carried(&line, session);
	if (event->type == EVENT_OPEN && text->closed)
		buffer_char(out, '\n');
	text->closed = event->type == EVENT_CLOSE;
	if (show[event->type] != NULL)
		show[event->type](&line, event);
	else
		show_dialogue(text, &line, event, session);
	if (event->type == EVENT_CLOSE)
		session->number = 0;
}
