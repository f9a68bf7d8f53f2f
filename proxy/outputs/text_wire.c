/* SPDX-License-Identifier: MIT */
/* The lines of the transcript that show octets as they were on the wire. */
#include "decoders/smtp/line.h"
#include "proxy/outputs/escape.h"
#include "proxy/outputs/text_show.h"

#define WORTH_SEEING 100000     /* us: a latency that is shown with every reply */

static const char *
line_end(unsigned marks)
{
	return marks & SMTP_MARK_BARE_LF ? "\\n" : "";
}

static void
origin_note(struct text_line *line, enum event_origin origin)
{
	if (origin == ORIGIN_RULE)
		text_line_note(line, "by rule");
	else if (origin == ORIGIN_PROXY)
		text_line_note(line, "by the proxy");
}

/* A command that a rule kept or changed has the proxy in its picture, where it was stopped. */
void
text_show_command(struct text_line *line, const struct event *event)
{
	struct view said = event->as.command.command.line, sent = event->as.command.forwarded_line;
	enum event_origin origin = event->as.command.origin;
	bool forwarded = event->as.command.forwarded, changed = forwarded && sent.at != NULL;
	const char *picture = origin != ORIGIN_PEER ? " |>" : forwarded && !changed ? " ->" : " -|";

	text_line_begin(line, event, true, picture, COLOUR_CLIENT);
	text_line_octets(line, said, line_end(event->as.command.marks), event->as.command.line_octets);
	if (said.len == 0)
		text_line_note(line, "empty line");
	if (event->as.command.marks & SMTP_MARK_UNTERMINATED)
		text_line_note(line, "[|smtp] no line end");
	origin_note(line, origin);
	if (!forwarded)
		text_line_note(line, "not forwarded");
	else if (changed)
		text_line_note(line, "changed to");
	text_line_end(line);
	if (changed) {
		text_line_begin(line, event, false, " |>", COLOUR_CLIENT);
		text_line_octets(line, smtp_line_text(sent), "", 0);
		text_line_end(line);
	}
}

/* A line of a reply as it was on the wire, its code in the colour of its severity. */
static void
reply_line(struct text_line *line, const struct smtp_reply_line *reply)
{
	struct view text = smtp_line_text(reply->wire);
	size_t ended = reply->wire.len - text.len, code = reply->code != 0 ? 3 : 0;

	if (reply->code >= 400) {
		text_line_paint(line, reply->code >= 500 ? COLOUR_PERMANENT : COLOUR_TRANSIENT);
		buffer_put(line->out, view_first(text, code));
		text_line_paint(line, COLOUR_SERVER);
		text = view_from(text, code);
	}
	text_line_octets(line, text, ended == 1 ? "\\n" : "", 0);
	if (reply->code == 0)
		text_line_note(line, "(invalid) no reply code");
}

/* What the first line of a reply says of the whole. */
static void
reply_notes(struct text_line *line, const struct event *event, bool group)
{
	struct view to = event->as.reply.to, recipient = event->as.reply.recipient;
	int64_t latency = event->as.reply.latency_us;
	bool content = view_equal(to, VIEW("CONTENT"));

	if (event->as.reply.marks & SMTP_MARK_CODE_CHANGE)
		text_line_note(line, "(invalid) codes differ");
	if (event->as.reply.wire_octets > 0)
		text_line_note(line, "[|smtp] %zu of %zu octets", event->as.reply.reply.wire.len,
		    event->as.reply.wire_octets);
	if (event->as.reply.marks & SMTP_MARK_UNTERMINATED)
		text_line_note(line, "[|smtp] no line end");
	if (to.at == NULL && event->as.reply.origin == ORIGIN_PEER) {
		text_line_note(line, "unsolicited");
	} else if (to.at != NULL && (group || content || !event->as.reply.delivered)) {
		text_line_note(line, "to ");
		escape_words(line->out, view_first(to, TEXT_EXCERPT));
	}
	if (recipient.at != NULL) {
		text_line_note(line, "for ");
		escape_words(line->out, view_first(recipient, TEXT_EXCERPT));
	}
	if (latency >= WORTH_SEEING || (content && latency >= 0))
		text_line_note_time(line, "after", (uint64_t)latency);
	origin_note(line, event->as.reply.origin);
	if (!event->as.reply.delivered)
		text_line_note(line, "not delivered");
}

/* What the server said and the client was not sent. */
static void
original_lines(struct text_line *line, const struct event *event)
{
	struct view rest = event->as.reply.original.wire;
	struct smtp_reply_line reply;

	for (bool first = true; smtp_reply_line_next(&rest, &reply); first = false) {
		text_line_begin(line, event, first, "|-", COLOUR_SERVER);
		reply_line(line, &reply);
		if (rest.len == 0)
			text_line_note(line, "changed to");
		text_line_end(line);
	}
}

void
text_show_reply(struct text_line *line, const struct event *event, bool group)
{
	struct view rest = event->as.reply.reply.wire;
	struct smtp_reply_line reply;
	const char *picture = !event->as.reply.delivered ? "|-" :
	    event->as.reply.origin == ORIGIN_PEER ? "<-" : "<|";
	bool first = true;

	if (event->as.reply.changed)
		original_lines(line, event);
	do {
		bool any = smtp_reply_line_next(&rest, &reply);

		text_line_begin(line, event, first && !event->as.reply.changed, picture, COLOUR_SERVER);
		if (any)
			reply_line(line, &reply);
		if (first)
			reply_notes(line, event, group);
		text_line_end(line);
		first = false;
	} while (rest.len > 0);
}

void
text_show_content(struct text_line *line, const struct event *event, struct view octets, uint64_t whole,
    bool goes_on, bool first)
{
	struct view text = octets;
	const char *end = "";

	if (octets.len > 0 && octets.at[octets.len - 1] == '\n') {
		text = smtp_line_text(octets);
		end = octets.len - text.len == 1 ? "\\n" : "";
		whole -= octets.len - text.len;
	}
	text_line_begin(line, event, first, " =>", COLOUR_CONTENT);
	text_line_octets(line, text, end, whole);
	if (goes_on)
		text_line_note(line, "no line end here");
	text_line_end(line);
}

/* Decoding is given up: there are no octets, but a reason. */
static void
given_up(struct text_line *line, const struct event *event)
{
	text_line_begin(line, event, true, "**", COLOUR_WARNING);
	buffer_put(line->out, VIEW("what follows is not decoded: "));
	escape_words(line->out, view_of(event->as.undecoded.reason));
	text_line_end(line);
}

void
text_show_undecoded(struct text_line *line, const struct event *event)
{
	bool client = event->as.undecoded.side == EVENT_CLIENT;
	struct view octets = event->as.undecoded.octets, text = smtp_line_text(octets);
	uint64_t count = event->as.undecoded.count;

	if (count == 0) {
		given_up(line, event);
		return;
	}
	text_line_begin(line, event, true, client ? " ->" : "<-", client ? COLOUR_CLIENT : COLOUR_SERVER);
	if (count > octets.len)
		text_line_octets(line, octets, "", count);
	else
		text_line_octets(line, text, octets.len - text.len == 1 ? "\\n" : "", 0);
	/* A line that is wrong, or the start of one that may have been right. */
	text_line_note(line, "%s %s", octets.len > text.len || count > octets.len ? "(invalid)" : "[|smtp]",
	    event->as.undecoded.reason);
	text_line_end(line);
}
