/* SPDX-License-Identifier: MIT */
/* The lines of the transcript that say something about a session: facts, messages, findings, rules. */
#include "proxy/outputs/escape.h"
#include "proxy/outputs/rfc3339.h"
#include "proxy/outputs/text_show.h"

static const char *const side_names[] = {
	[EVENT_CLIENT] = "client", [EVENT_SERVER] = "server", [EVENT_PROXY] = "proxy",
	[EVENT_NETWORK] = "network"
};

void
text_show_open(struct text_line *line, const struct event *event)
{
	text_line_begin(line, event, true, "**", COLOUR_BOLD);
	buffer_put(line->out, VIEW("open: "));
	escape_words(line->out, event->as.open.client);
	buffer_put(line->out, VIEW(" -> "));
	escape_words(line->out, event->as.open.server);
	if (event->as.open.capture.at != NULL) {
		buffer_put(line->out, VIEW(" in "));
		escape_words(line->out, event->as.open.capture);
	}
	if (event->as.open.preface.at != NULL) {
		buffer_put(line->out, VIEW(" behind "));
		escape_words(line->out, event->as.open.preface);
	}
	text_line_note(line, "at ");
	rfc3339_put(line->out, event->time_us);
	text_line_end(line);
}

void
text_show_upstream(struct text_line *line, const struct event *event)
{
	bool connected = strcmp(event->as.upstream.outcome, "connected") == 0;

	text_line_begin(line, event, true, "**", connected ? COLOUR_NONE : COLOUR_WARNING);
	buffer_put(line->out, VIEW("upstream "));
	escape_words(line->out, event->as.upstream.server);
	buffer_printf(line->out, ": %s", event->as.upstream.outcome);
	if (event->as.upstream.reason.len > 0) {
		buffer_put(line->out, VIEW(": "));
		escape_words(line->out, event->as.upstream.reason);
	}
	text_line_note_time(line, "after", event->as.upstream.duration_us);
	text_line_end(line);
}

void
text_show_auth(struct text_line *line, const struct event *event)
{
	text_line_begin(line, event, true, "**", COLOUR_NONE);
	buffer_put(line->out, VIEW("auth "));
	escape_words(line->out, event->as.auth.mechanism);
	if (event->as.auth.user.at != NULL) {
		buffer_put(line->out, VIEW(" as \""));
		escape_octets(line->out, event->as.auth.user);
		buffer_char(line->out, '"');
	}
	if (event->as.auth.secret.at != NULL) {
		buffer_put(line->out, VIEW(" with \""));
		escape_octets(line->out, event->as.auth.secret);
		buffer_char(line->out, '"');
	}
	buffer_printf(line->out, ": %s", event->as.auth.outcome);
	if (event->as.auth.code != 0)
		buffer_printf(line->out, ", %u", (unsigned)event->as.auth.code);
	text_line_end(line);
}

static void
show_tls_word(struct buffer *out, const char *before, struct view word)
{
	if (word.at == NULL)
		return;
	buffer_put(out, view_of(before));
	escape_words(out, word);
}

void
text_show_tls(struct text_line *line, const struct event *event)
{
	bool failed = strcmp(event->as.tls.outcome, "failed") == 0;

	text_line_begin(line, event, true, "**", failed ? COLOUR_WARNING : COLOUR_NONE);
	if (strcmp(event->as.tls.outcome, "passed") == 0)
		buffer_put(line->out, VIEW("tls passed"));
	else
		buffer_printf(line->out, "tls %s, %s", event->as.tls.outcome, side_names[event->as.tls.side]);
	show_tls_word(line->out, ", ", event->as.tls.version);
	show_tls_word(line->out, " ", event->as.tls.cipher);
	show_tls_word(line->out, ", to ", event->as.tls.sni);
	show_tls_word(line->out, ", certificate of ", event->as.tls.subject);
	show_tls_word(line->out, ", alert ", event->as.tls.alert);
	if (strcmp(event->as.tls.outcome, "passed") == 0)
		buffer_put(line->out, VIEW(": what follows is not decoded"));
	if (event->as.tls.verified < 0) {
		buffer_put(line->out, VIEW(", not verified"));
		show_tls_word(line->out, ": ", event->as.tls.verify_error);
	}
	show_tls_word(line->out, ": ", event->as.tls.reason.len > 0 ? event->as.tls.reason : VIEW_NONE);
	show_tls_word(line->out, "; ", event->as.tls.hint);
	text_line_end(line);
}

static bool
accepted(const struct event_recipient *recipient)
{
	return recipient->code / 100 == 2;
}

/* "<bob@example.net> and 2 more, 1 refused": refused ones are named by their RCPT's reply. */
static void
recipients(struct text_line *line, const struct event *event)
{
	const struct event_recipient *list = event->as.message.recipients, *named = NULL;
	uint64_t more = 0, refused = 0;

	for (size_t i = 0; i < event->as.message.recipient_count; i++) {
		if (!accepted(&list[i]))
			refused++;
		else if (named == NULL)
			named = &list[i];
		else
			more++;
	}
	if (named == NULL) {
		buffer_put(line->out, VIEW("nobody"));
	} else {
		buffer_char(line->out, '<');
		escape_octets(line->out, view_first(named->address, TEXT_EXCERPT));
		buffer_char(line->out, '>');
	}
	if (more > 0)
		buffer_printf(line->out, " and %llu more", (unsigned long long)more);
	if (refused > 0)
		buffer_printf(line->out, ", %llu refused", (unsigned long long)refused);
	if (event->as.message.recipients_unlisted > 0)
		buffer_printf(line->out, ", %llu not counted here",
		    (unsigned long long)event->as.message.recipients_unlisted);
}

/* What became of it: the code that the client was told, and where the server said another. */
static void
outcome(struct text_line *line, const struct event *event)
{
	uint16_t code = event->as.message.code, server = event->as.message.server_code;

	if (code == 0)
		buffer_put(line->out, VIEW("without final reply"));
	else
		buffer_printf(line->out, "%u", (unsigned)code);
	if (server != 0 && server != code)
		buffer_printf(line->out, ", the server said %u", (unsigned)server);
}

static enum text_colour
outcome_colour(uint16_t code)
{
	return code / 100 == 2 ? COLOUR_BOLD : code / 100 == 4 ? COLOUR_TRANSIENT : COLOUR_PERMANENT;
}

void
text_show_message(struct text_line *line, const struct event *event)
{
	uint64_t lines = event->as.message.lines;

	text_line_begin(line, event, true, "==", outcome_colour(event->as.message.code));
	buffer_put(line->out, VIEW("message "));
	outcome(line, event);
	buffer_put(line->out, VIEW(": <"));
	escape_octets(line->out, view_first(event->as.message.reverse_path, TEXT_EXCERPT));
	buffer_put(line->out, VIEW("> to "));
	recipients(line, event);
	buffer_printf(line->out, "; %llu octets, %llu line%s by %s", (unsigned long long)event->as.message.octets,
	    (unsigned long long)lines, lines == 1 ? "" : "s", event->as.message.transfer);
	if (event->as.message.subject.at != NULL) {
		buffer_put(line->out, VIEW("; \""));
		escape_octets(line->out, event->as.message.subject);
		buffer_char(line->out, '"');
	}
	if (event->as.message.message_id.len > 0) {
		buffer_char(line->out, ' ');
		escape_octets(line->out, event->as.message.message_id);
	}
	if (!event->as.message.complete)
		text_line_note(line, "[|smtp] incomplete");
	if (event->as.message.changed)
		text_line_note(line, "the server was sent %llu octets",
		    (unsigned long long)event->as.message.forwarded_octets);
	text_line_end(line);
}

/* Octets in quotes, a few of them: they can be pasted into a rule. */
static void
quoted(struct text_line *line, struct view octets)
{
	buffer_char(line->out, '"');
	escape_octets(line->out, view_first(octets, TEXT_EXCERPT));
	buffer_put(line->out, octets.len > TEXT_EXCERPT ? VIEW("\"...") : VIEW("\""));
}

/* The excerpt is left out where the line above shows it already. */
void
text_show_finding(struct text_line *line, const struct event *event, bool excerpt)
{
	const struct finding_entry *entry = finding_entry(event->as.finding.finding);
	struct view detail = event->as.finding.detail;
	enum text_colour colour = entry->severity == FINDING_ERROR ? COLOUR_ERROR :
	    entry->severity == FINDING_WARNING ? COLOUR_WARNING : COLOUR_NOTE;

	text_line_begin(line, event, true, entry->severity >= FINDING_WARNING ? "!!" : "!", colour);
	buffer_printf(line->out, "%s (%s, %s): ", entry->id, finding_severity_name(entry->severity),
	    side_names[event->as.finding.side]);
	escape_words(line->out, view_of(entry->line));
	if (detail.len > 0) {
		buffer_put(line->out, VIEW(": "));
		escape_words(line->out, detail);
	}
	if (excerpt && event->as.finding.excerpt.at != NULL) {
		buffer_put(line->out, VIEW(": "));
		quoted(line, event->as.finding.excerpt);
	}
	text_line_note(line, "%s", entry->reference);
	if (event->as.finding.unsure)
		text_line_note(line, "unsure: octets are missing");
	text_line_end(line);
}

void
text_show_rule(struct text_line *line, const struct event *event)
{
	text_line_begin(line, event, true, "||", COLOUR_RULE);
	buffer_put(line->out, VIEW("rule \""));
	escape_octets(line->out, view_of(event->as.rule.rule));
	buffer_put(line->out, VIEW("\": "));
	escape_words(line->out, view_of(event->as.rule.action));
	text_line_note(line, "%s", event->as.rule.at);
	if (event->as.rule.thrown)
		text_line_note(line, "threw %.6g%%", event->as.rule.throw);
	if (event->as.rule.fired)
		text_line_note(line, "fired");
	if (event->as.rule.dry_run)
		text_line_note(line, "not done: dry run");
	text_line_end(line);
}

void
text_show_log(struct text_line *line, const struct event *event)
{
	text_line_begin(line, event, true, "||", COLOUR_RULE);
	buffer_put(line->out, VIEW("log \""));
	escape_octets(line->out, event->as.log.text);
	buffer_char(line->out, '"');
	text_line_note(line, "rule \"%s\"", event->as.log.rule);
	text_line_end(line);
}

static void
plural(struct text_line *line, uint64_t count, const char *one, const char *many)
{
	buffer_printf(line->out, ", %llu %s", (unsigned long long)count, count == 1 ? one : many);
}

void
text_show_close(struct text_line *line, const struct event *event)
{
	bool quit = strcmp(event->as.close.how, "quit") == 0;
	const uint64_t *octets = event->as.close.octets, *encrypted = event->as.close.encrypted;
	uint64_t us = event->as.close.duration_us;

	text_line_begin(line, event, true, "**", quit ? COLOUR_BOLD : COLOUR_WARNING);
	buffer_printf(line->out, "close by %s, %s", side_names[event->as.close.by], event->as.close.how);
	if (event->as.close.reason.len > 0) {
		buffer_put(line->out, VIEW(" ("));
		escape_words(line->out, event->as.close.reason);
		buffer_char(line->out, ')');
	}
	buffer_printf(line->out, ": %llu.%03u s", (unsigned long long)(us / 1000000),
	    (unsigned)(us / 1000 % 1000));
	plural(line, event->as.close.commands, "command", "commands");
	plural(line, event->as.close.replies, "reply", "replies");
	plural(line, event->as.close.messages, "message", "messages");
	buffer_printf(line->out, "; octets: client %llu, server %llu", (unsigned long long)octets[0],
	    (unsigned long long)octets[1]);
	if (encrypted[0] > 0 || encrypted[1] > 0)
		buffer_printf(line->out, "; not decoded: client %llu, server %llu",
		    (unsigned long long)encrypted[0], (unsigned long long)encrypted[1]);
	if (event->as.close.gaps > 0)
		buffer_printf(line->out, "; [|smtp] %llu gap%s", (unsigned long long)event->as.close.gaps,
		    event->as.close.gaps == 1 ? "" : "s");
	text_line_end(line);
}

