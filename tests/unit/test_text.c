/* SPDX-License-Identifier: MIT */
/*
 * The transcript: a day's worth of sessions against the page transcript.txt beside this file, which
 * is meant to be read; and what no octets may do to a terminal. `test_text --print` writes the
 * page anew, `test_text --colour` shows it as a terminal does.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "decoders/utf8.h"
#include "proxy/outputs/escape.h"
#include "proxy/outputs/text.h"
#include "tests/unit/events.h"

#define PAGE "tests/unit/transcript.txt"

/* A session that is told event by event; now is the time since it was opened. */
struct told {
	struct text   *text;
	struct buffer *out;
	uint64_t       session, now;
};

static void
tell(struct told *t, struct event *event)
{
	event->session = t->session;
	event->since_open_us = t->now;
	event->time_us = EVENTS_BEGAN + t->now;
	text_event(t->text, t->out, event);
}

static void
opened(struct told *t, const char *client, const char *server)
{
	struct event e = event_made(EVENT_OPEN, 0, 0);

	e.as.open.client = view_of(client);
	e.as.open.server = view_of(server);
	e.as.open.source = "proxy";
	tell(t, &e);
}

static void
upstream(struct told *t, const char *server, const char *is, const char *reason)
{
	struct event e = event_made(EVENT_UPSTREAM, 0, 0);

	t->now += 1234;
	e.as.upstream.server = view_of(server);
	e.as.upstream.outcome = is;
	e.as.upstream.duration_us = 1234;
	e.as.upstream.reason = view_of(reason);
	tell(t, &e);
}

/* A command as the line says; how: what a rule did to it. */
static void
command(struct told *t, const char *line, const char *how)
{
	char upper[2048];
	struct event e = command_made(0, 0, view_of(line), upper);

	t->now += 311;
	if (how != NULL && strcmp(how, "kept") == 0)
		e.as.command.forwarded = false;
	else if (how != NULL && strcmp(how, "rule") == 0)
		e.as.command.origin = ORIGIN_RULE;
	else if (how != NULL && strcmp(how, "lf") == 0)
		e.as.command.marks = SMTP_MARK_BARE_LF;
	else if (how != NULL && strcmp(how, "pipelined") == 0)
		e.as.command.pipelined = true;
	else if (how != NULL)
		e.as.command.forwarded_line = view_of(how);
	tell(t, &e);
}

static void
reply(struct told *t, uint64_t after_us, const char *to, const char *wire)
{
	struct event e = reply_made(0, 0, view_of(wire), to);

	t->now += after_us;
	e.as.reply.latency_us = (int64_t)after_us;
	tell(t, &e);
}

static void
forged(struct told *t, const char *to, enum event_origin origin, const char *original, const char *wire)
{
	struct event e = reply_made(0, 0, view_of(wire), to);

	t->now += 20;
	e.as.reply.latency_us = EVENT_NO_LATENCY;
	e.as.reply.origin = origin;
	e.as.reply.changed = original != NULL;
	if (original != NULL)
		smtp_reply_parse(view_of(original), &e.as.reply.original);
	tell(t, &e);
}

static void
rule(struct told *t, const char *name, const char *action, const char *at)
{
	struct event e = event_made(EVENT_RULE, 0, 0);

	e.as.rule.rule = name;
	e.as.rule.action = action;
	e.as.rule.at = at;
	tell(t, &e);
}

static void
finding(struct told *t, enum finding id, enum event_side side, const char *excerpt)
{
	struct event e = event_made(EVENT_FINDING, 0, 0);

	e.as.finding.finding = id;
	e.as.finding.side = side;
	e.as.finding.excerpt = view_of(excerpt);
	tell(t, &e);
}

static void
content(struct told *t, const char *octets)
{
	struct event e = event_made(EVENT_CONTENT, 0, 0);

	t->now += 90;
	e.as.content.octets = view_of(octets);
	tell(t, &e);
}

static void
message(struct told *t, const struct event_recipient *list, size_t count, uint16_t code, uint16_t server_code)
{
	struct event e = event_made(EVENT_MESSAGE, 0, 0);

	e.as.message.reverse_path = VIEW("ann@example.org");
	e.as.message.recipients = list;
	e.as.message.recipient_count = count;
	e.as.message.octets = 1234;
	e.as.message.lines = 30;
	e.as.message.transfer = "DATA";
	e.as.message.subject = VIEW("Gr\xc3\xbc\xc3\x9f" "e");
	e.as.message.message_id = VIEW("<20261122.7@example.org>");
	e.as.message.code = code;
	e.as.message.server_code = server_code;
	e.as.message.complete = code != 0;
	tell(t, &e);
}

static void
closed(struct told *t, enum event_side by, const char *how, const char *reason, unsigned commands)
{
	struct event e = event_made(EVENT_CLOSE, 0, 0);

	t->now += 150;
	e.as.close.by = by;
	e.as.close.how = how;
	e.as.close.reason = view_of(reason);
	e.as.close.duration_us = t->now;
	e.as.close.commands = commands;
	e.as.close.replies = commands + 1;
	e.as.close.messages = 1;
	e.as.close.octets[0] = 1518;
	e.as.close.octets[1] = 402;
	tell(t, &e);
}

static const struct event_recipient three[] = {
	{{"bob@example.net", 15}, 250, 0, 0, {NULL, 0}},
	{{"nobody@example.net", 18}, 550, 0, 0, {NULL, 0}},
	{{"carol@example.net", 17}, 250, 0, 0, {NULL, 0}}
};

static const char ehlo[] = "250-mx.example.net\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n";

/* Two sessions that run side by side: one goes well, one meets a rule. */
static void
side_by_side(struct text *text, struct buffer *out)
{
	struct told a = {text, out, 1, 0}, b = {text, out, 2, 0};

	opened(&a, "192.0.2.7:40123", "smtp://mx.example.net:25");
	upstream(&a, "192.0.2.25:25", "connected", NULL);
	opened(&b, "[2001:db8::7]:51000", "smtp://mx.example.net:25");
	reply(&a, 13040, "CONNECT", "220 mx.example.net ESMTP Postfix\r\n");
	command(&a, "EHLO client.example.org", NULL);
	upstream(&b, "192.0.2.25:25", "connected", NULL);
	reply(&a, 1020, "EHLO", ehlo);
	reply(&b, 5013040, "CONNECT", "220 mx.example.net ESMTP Postfix\r\n");
	command(&a, "MAIL FROM:<ann@example.org> SIZE=1234", NULL);
	command(&a, "RCPT TO:<bob@example.net>", "pipelined");
	command(&b, "EHLO [192.0.2.8]", NULL);
	command(&a, "RCPT TO:<nobody@example.net>", "pipelined");
	command(&a, "RCPT TO:<carol@example.net>", "pipelined");
	command(&a, "DATA", "pipelined");
	rule(&b, "hide what it cannot do", "hide PIPELINING", "hide.rules:3");
	forged(&b, "EHLO", ORIGIN_RULE, ehlo, "250-mx.example.net\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n");
	reply(&a, 2100, "MAIL", "250 2.1.0 Ok\r\n");
	reply(&a, 20, "RCPT", "250 2.1.5 Ok\r\n");
	reply(&a, 140000, "RCPT", "550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown\r\n");
	reply(&a, 20, "RCPT", "250 2.1.5 Ok\r\n");
	command(&b, "MAIL FROM:<dan@example.org> BODY=8BITMIME", "MAIL FROM:<dan@example.com> BODY=8BITMIME\r\n");
	reply(&a, 20, "DATA", "354 End data with <CR><LF>.<CR><LF>\r\n");
	reply(&b, 3000, "MAIL", "250 2.1.0 Ok\r\n");
	reply(&a, 21345, "CONTENT", "250 2.0.0 Ok: queued as 4F1B22C0\r\n");
	message(&a, three, 3, 250, 0);
	command(&b, "RCPT TO:<eve@example.net>", "kept");
	rule(&b, "421 at the third recipient", "reply 421 4.3.2 \"mx.example.org Service not available\"",
	    "421.rules:9");
	rule(&b, "421 at the third recipient", "close", "421.rules:10");
	forged(&b, "RCPT", ORIGIN_RULE, NULL, "421 4.3.2 mx.example.org Service not available\r\n");
	command(&a, "QUIT", NULL);
	closed(&b, EVENT_PROXY, "rule", "421 at the third recipient", 3);
	reply(&a, 900, "QUIT", "221 2.0.0 Bye\r\n");
	closed(&a, EVENT_SERVER, "quit", NULL, 7);
}

/* Everything that a rule, the proxy and a wrong peer can do, with -v. */
static void
all_that_is_odd(struct text *text, struct buffer *out)
{
	struct told t = {text, out, 3, 0};
	struct event e;
	char upper[2048], line[1101];

	opened(&t, "192.0.2.9:40124", "lmtp://127.0.0.1:24");
	command(&t, "LHLO early.example.org", NULL);
	finding(&t, FINDING_PIPE_EARLY_TALK, EVENT_CLIENT, "LHLO early.example.org\r\n");
	reply(&t, 200, "CONNECT", "220-mx.example.net\r\n220 \x1b]0;owned\x07\xc2\x9b" "2J\xe2\x80\xae\r\n");
	reply(&t, 200, "LHLO", ehlo);
	command(&t, "AUTH PLAIN ***", NULL);
	reply(&t, 2000, "AUTH", "235 2.7.0 Authentication successful\r\n");
	e = event_made(EVENT_AUTH, 0, 0);
	e.as.auth.mechanism = VIEW("PLAIN");
	e.as.auth.user = VIEW("ann \"a\"");
	e.as.auth.outcome = "accepted";
	e.as.auth.code = 235;
	tell(&t, &e);
	command(&t, "NOOP a rule asks", "rule");
	e = reply_made(0, 0, VIEW("250 2.0.0 Ok\r\n"), "NOOP");
	e.as.reply.delivered = false;
	tell(&t, &e);
	command(&t, "MAIL FROM:<\"ann b\"@example.org> ", "lf");
	finding(&t, FINDING_LINE_BARE_LF, EVENT_CLIENT, "MAIL FROM:<\"ann b\"@example.org> \n");
	reply(&t, 1234567, "MAIL", "250 2.1.0 Ok\n");
	command(&t, "", NULL);
	reply(&t, 60, "", "500 5.5.2 Error: bad syntax\r\n");
	command(&t, "DATA", NULL);
	reply(&t, 60, "DATA", "354 go on\r\n");
	content(&t, "Subject: Gr\xc3\xbc\xc3\x9f" "e\r\nFrom: ann@example.org\r\n\r\nA line with ");
	content(&t, "two halves \r");
	content(&t, "\n..a dot\r\nbare\nlast");
	finding(&t, FINDING_LINE_BARE_LF, EVENT_CLIENT, "bare\n");
	forged(&t, "CONTENT", ORIGIN_RULE, "250 2.0.0 <bob@example.net> saved\r\n",
	    "452 4.3.1 Insufficient system storage\r\n");
	e = reply_made(0, 0, VIEW("250 2.0.0 saved\r\n"), "CONTENT");
	e.as.reply.recipient = VIEW("carol@example.net");
	e.as.reply.latency_us = 9876;
	tell(&t, &e);
	message(&t, three, 3, 452, 250);
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "XYZZY ", 6);
	e = command_made(0, 0, (struct view){line, sizeof(line) - 1}, upper);
	e.as.command.line_octets = 1048576;
	tell(&t, &e);
	finding(&t, FINDING_LINE_CUT, EVENT_CLIENT, NULL);
	e = event_made(EVENT_LOG, 0, 0);
	e.as.log.rule = "say it";
	e.as.log.text = VIEW("from \x1b[31m<ann@example.org>");
	tell(&t, &e);
	e = event_made(EVENT_RULE, 0, 0);
	e.as.rule = (__typeof__(e.as.rule)){.rule = "one in ten", .action = "drop",
	    .at = "ten.rules:4", .thrown = true, .throw = 7.25, .dry_run = true};
	tell(&t, &e);
	reply(&t, 60, "XYZZY", "500-5.5.1 What?\r\nnonsense\r\n502 5.5.1 Unknown\r\n");
	finding(&t, FINDING_RSP_CODE_CHANGE, EVENT_SERVER, "500-5.5.1 What?\r\nnonsense\r\n502 5.5.1 Unknown\r\n");
	e = event_made(EVENT_UNDECODED, 0, 0);
	e.as.undecoded.side = EVENT_SERVER;
	e.as.undecoded.octets = VIEW("+OK POP3 ready\r\n");
	e.as.undecoded.count = 16;
	e.as.undecoded.reason = "this line is no reply";
	tell(&t, &e);
	finding(&t, FINDING_RSP_SYNTAX, EVENT_SERVER, "+OK POP3 ready\r\n");
	e.as.undecoded.octets = VIEW("220 2.0");
	e.as.undecoded.count = 7;
	e.as.undecoded.reason = "the stream ended inside a line";
	tell(&t, &e);
	e.as.undecoded.octets = (struct view){line, 120};
	e.as.undecoded.count = 4000;
	e.as.undecoded.reason = "this line is no reply";
	tell(&t, &e);
	e.as.undecoded.count = 0;
	e.as.undecoded.reason = "the server does not speak SMTP";
	tell(&t, &e);
	reply(&t, 60, NULL, "421 4.4.2 mx.example.net Error: timeout exceeded\r\n");
	finding(&t, FINDING_RSP_421, EVENT_SERVER, "421 4.4.2 mx.example.net Error: timeout exceeded\r\n");
	command(&t, "QUIT", "kept");
	forged(&t, "QUIT", ORIGIN_PROXY, NULL, "221 2.0.0 Bye\r\n");
	closed(&t, EVENT_SERVER, "shutdown", "timeout exceeded", 8);
}

/* No server to be reached; STARTTLS passed through; content that nobody answered. */
static void
short_ones(struct text *text, struct buffer *out)
{
	struct told a = {text, out, 4, 0}, b = {text, out, 1005, 0};
	struct event e;

	opened(&a, "192.0.2.9:40125", "smtp://192.0.2.66:25");
	upstream(&a, "192.0.2.66:25", "refused", "Connection refused");
	forged(&a, "CONNECT", ORIGIN_PROXY, NULL, "421 4.4.1 No server could be reached\r\n");
	closed(&a, EVENT_PROXY, "upstream", "no server could be reached: 192.0.2.66:25 refused", 0);
	opened(&b, "192.0.2.9:40126", "smtp://192.0.2.25:25");
	b.now += 12345678901;
	command(&b, "STARTTLS", NULL);
	reply(&b, 300, "STARTTLS", "220 2.0.0 Ready to start TLS\r\n");
	e = event_made(EVENT_TLS, 0, 0);
	e.as.tls.side = EVENT_CLIENT;
	e.as.tls.outcome = "passed";
	tell(&b, &e);
	message(&b, three + 1, 1, 0, 0);
	e = event_made(EVENT_CLOSE, 0, 0);
	e.as.close.by = EVENT_CLIENT;
	e.as.close.how = "eof";
	e.as.close.duration_us = b.now;
	e.as.close.encrypted[0] = 3000;
	e.as.close.encrypted[1] = 4000;
	e.as.close.gaps = 1;
	tell(&b, &e);
}

static void
page(struct buffer *out, bool colour)
{
	struct text *text = text_new(colour);

	side_by_side(text, out);
	all_that_is_odd(text, out);
	short_ones(text, out);
	text_free(text);
}

START_TEST(the_page)
{
	struct buffer out = {NULL, 0, 0};
	FILE *file = fopen(PAGE, "r");
	char *line = NULL;
	size_t size = 0, at = 0;
	ssize_t len;

	ck_assert_msg(file != NULL, "%s: run this where the Makefile is", PAGE);
	page(&out, false);
	for (int number = 1; (len = getline(&line, &size, file)) > 0; number++) {
		ck_assert_msg(out.len - at >= (size_t)len && memcmp(out.at + at, line, (size_t)len) == 0,
		    "%s:%d: expected\n%sinstead of\n%.*s", PAGE, number, line,
		    (int)(out.len - at < 200 ? out.len - at : 200), out.at + at);
		at += (size_t)len;
	}
	ck_assert_msg(at == out.len, "more than the page: %.*s", (int)(out.len - at), out.at + at);
	fclose(file);
	free(line);
	buffer_free(&out);
}
END_TEST

/* Taking the colours out gives the page without. */
START_TEST(colours_add_nothing_but_colours)
{
	struct buffer plain = {NULL, 0, 0}, coloured = {NULL, 0, 0}, stripped = {NULL, 0, 0};

	page(&plain, false);
	page(&coloured, true);
	for (size_t i = 0; i < coloured.len; i++) {
		if (coloured.at[i] == '\033') {
			while (coloured.at[i] != 'm')
				i++;
		} else {
			buffer_char(&stripped, coloured.at[i]);
		}
	}
	ck_assert(view_equal((struct view){stripped.at, stripped.len}, (struct view){plain.at, plain.len}));
	ck_assert_uint_gt(coloured.len, plain.len);
	/* Each line ends in the terminal's own colour. */
	for (size_t i = 4; i < coloured.len; i++) {
		if (coloured.at[i] == '\n' && coloured.at[i - 1] != '\n')
			ck_assert(memcmp(coloured.at + i - 4, "\033[0m", 4) == 0);
	}
	buffer_free(&plain);
	buffer_free(&coloured);
	buffer_free(&stripped);
}
END_TEST

/* Octets at random, half of them drawn from what terminals and UTF-8 trip over. */
static size_t
random_octets(uint32_t *chance, char *octets, size_t size)
{
	static const char odd[] = "\xc2\x80\xe2\x80\xa8\xed\xa0\xf0\x9f\xf4\x90\xc0\xff\"\\\r\n\t\x1b\x7f <>=[]";
	size_t len;

	*chance = *chance * 1664525 + 1013904223;
	len = (*chance >> 16) % (size + 1);
	for (size_t i = 0; i < len; i++) {
		*chance = *chance * 1664525 + 1013904223;
		octets[i] = odd[(*chance >> 16) % (sizeof(odd) - 1)];
		if (*chance >> 30 == 0)
			octets[i] = (char)(*chance >> 16);
	}
	return len;
}

/* Valid UTF-8, and no control character but the LF at the end and tabs in front of notes. */
static bool
harmless(const struct buffer *out)
{
	for (struct view rest = {out->at, out->len}; rest.len > 0;) {
		uint32_t character;
		size_t len = utf8_decode(rest, &character);

		if (len == 0 || (utf8_is_control(character) && character != '\n' && character != '\t'))
			return false;
		if (character == '\n' && rest.len > 1 && rest.at[1] != '#')
			return false;
		rest = view_from(rest, len);
	}
	return true;
}

/* Every event with the same octets wherever a peer's can be. */
static void
hostile(struct told *t, struct view octets)
{
	struct event_recipient recipient = {octets, 250, 0, 0, VIEW_NONE};
	char upper[64];
	struct event e = command_made(0, 0, octets, upper);

	tell(t, &e);
	e.as.command.forwarded_line = octets;
	e.as.command.marks = SMTP_MARK_BARE_LF;
	tell(t, &e);
	e = reply_made(0, 0, octets, "NOOP");
	e.as.reply.changed = true;
	e.as.reply.original = e.as.reply.reply;
	e.as.reply.to = e.as.reply.recipient = octets;
	tell(t, &e);
	e = event_made(EVENT_AUTH, 0, 0);
	e.as.auth.mechanism = e.as.auth.user = e.as.auth.secret = octets;
	e.as.auth.outcome = "refused";
	tell(t, &e);
	e = event_made(EVENT_CONTENT, 0, 0);
	e.as.content.octets = octets;
	tell(t, &e);
	e = event_made(EVENT_MESSAGE, 0, 0);
	e.as.message.reverse_path = e.as.message.subject = e.as.message.message_id = octets;
	e.as.message.recipients = &recipient;
	e.as.message.recipient_count = 1;
	e.as.message.transfer = "BDAT";
	tell(t, &e);
	e = event_made(EVENT_FINDING, 0, 0);
	e.as.finding.detail = e.as.finding.excerpt = octets;
	tell(t, &e);
	e = event_made(EVENT_LOG, 0, 0);
	e.as.log.rule = "r";
	e.as.log.text = octets;
	tell(t, &e);
	e = event_made(EVENT_UNDECODED, 0, 0);
	e.as.undecoded.octets = octets;
	e.as.undecoded.reason = "r";
	tell(t, &e);
	e = event_made(EVENT_UPSTREAM, 0, 0);
	e.as.upstream.server = e.as.upstream.reason = octets;
	e.as.upstream.outcome = "dns";
	tell(t, &e);
}

START_TEST(no_octets_reach_the_terminal_raw)
{
	struct buffer out = {NULL, 0, 0};
	struct text *text = text_new(false);
	struct told t = {text, &out, 1, 0};
	uint32_t chance = 7;
	char octets[48];

	for (int i = 0; i < 2000; i++) {
		size_t len = random_octets(&chance, octets, sizeof(octets));

		out.len = 0;
		hostile(&t, (struct view){octets, len});
		ck_assert_msg(harmless(&out), "%.*s", (int)out.len, out.at);
	}
	text_free(text);
	buffer_free(&out);
}
END_TEST

/* The octets of a string as a rule file has it; -1: it is none. */
static long
unescaped(struct view string, char *out)
{
	long len = 0;

	for (size_t i = 0; i < string.len; i++, len++) {
		char c = string.at[i], hex[3] = "";

		if (c == '"' || c == '\n')
			return -1;
		out[len] = c;
		if (c != '\\')
			continue;
		if (++i == string.len)
			return -1;
		switch (string.at[i]) {
		case '"':
		case '\\':
			out[len] = string.at[i];
			break;
		case 'r':
			out[len] = '\r';
			break;
		case 'n':
			out[len] = '\n';
			break;
		case 't':
			out[len] = '\t';
			break;
		case 'x':
			if (string.len - i < 3)
				return -1;
			memcpy(hex, string.at + i + 1, 2);
			out[len] = (char)strtol(hex, NULL, 16);
			i += 2;
			break;
		default:
			return -1;
		}
	}
	return len;
}

START_TEST(what_is_shown_can_be_pasted_into_a_rule)
{
	struct buffer out = {NULL, 0, 0};
	uint32_t chance = 3;
	char octets[48], back[256];

	for (int i = 0; i < 2000; i++) {
		struct view v = {octets, random_octets(&chance, octets, sizeof(octets))};
		long len;

		out.len = 0;
		escape_octets(&out, v);
		len = unescaped((struct view){out.at, out.len}, back);
		ck_assert_int_ge(len, 0);
		ck_assert(view_equal((struct view){back, (size_t)len}, v));
		ck_assert(out.len == 0 || out.at[out.len - 1] != ' ');
	}
	buffer_free(&out);
}
END_TEST

/* Takes the time's column out: a stretch has one on its first line alone. */
static void
without_times(struct buffer *out)
{
	size_t len = 0, column = 0;

	for (size_t i = 0; i < out->len; i++, column++) {
		if (column < 4 || column > 12)
			out->at[len++] = out->at[i];
		if (out->at[i] == '\n')
			column = (size_t)-1;
	}
	out->len = len;
}

START_TEST(content_is_shown_alike_wherever_it_is_cut)
{
	static const char lines[] = "Subject: a\r\n\r\nbare\nCR \r in it\r\n..dot\r\nlong line\r\n";
	struct buffer whole = {NULL, 0, 0}, out = {NULL, 0, 0};

	for (size_t cut = 0; cut < sizeof(lines) - 1; cut++) {
		struct told t = {text_new(false), cut == 0 ? &whole : &out, 1, 0};
		struct event e = event_made(EVENT_CONTENT, 0, 0);

		out.len = 0;
		e.as.content.octets = view_first(VIEW(lines), cut);
		tell(&t, &e);
		e.as.content.octets = view_from(VIEW(lines), cut);
		tell(&t, &e);
		without_times(t.out);
		ck_assert(cut == 0 || view_equal((struct view){out.at, out.len}, (struct view){whole.at, whole.len}));
		text_free(t.text);
	}
	ck_assert_uint_gt(whole.len, sizeof(lines));
	buffer_free(&whole);
	buffer_free(&out);
}
END_TEST

static int
print(bool colour)
{
	struct buffer out = {NULL, 0, 0};

	page(&out, colour);
	fwrite(out.at, 1, out.len, stdout);
	buffer_free(&out);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("text");
	TCase *tcase = tcase_create("text");
	SRunner *runner;
	int failed;

	if (argc > 1)
		return print(strcmp(argv[1], "--colour") == 0);
	tcase_add_test(tcase, the_page);
	tcase_add_test(tcase, colours_add_nothing_but_colours);
	tcase_add_test(tcase, no_octets_reach_the_terminal_raw);
	tcase_add_test(tcase, what_is_shown_can_be_pasted_into_a_rule);
	tcase_add_test(tcase, content_is_shown_alike_wherever_it_is_cut);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
