/* SPDX-License-Identifier: MIT */
/*
 * What the sink says to a command line and to the lines of an AUTH exchange. One row a verb;
 * verbs of a mail transaction are in sink_mail.c.
 */
#include "proxy/sink/sink_state.h"

#include <stdarg.h>
#include <stdio.h>

#include "decoders/base64.h"
#include "decoders/smtp/line.h"

uint16_t
sink_say(struct buffer *out, uint16_t code, const char *format, ...)
{
	char    text[400];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	buffer_printf(out, "%03u %s\r\n", code, text);
	return code;
}

struct sink_shown
sink_shown(struct view octets)
{
	struct sink_shown shown;
	size_t            n = 0;

	for (; n < octets.len && n < sizeof shown.text - 1; n++)
		shown.text[n] = octets.at[n] >= ' ' && octets.at[n] <= '~' ? octets.at[n] : '?';
	shown.text[n] = '\0';
	return shown;
}

static struct view
trim(struct view v)
{
	while (v.len > 0 && (*v.at == ' ' || *v.at == '\t'))
		v = view_from(v, 1);
	while (v.len > 0 && (v.at[v.len - 1] == ' ' || v.at[v.len - 1] == '\t'))
		v.len--;
	return v;
}

void
sink_reset(struct sink *sink)
{
	sink_transaction_free(sink->transaction);
	sink->transaction = NULL;
}

static uint16_t
extended_hello(struct sink *sink, struct buffer *out)
{
	buffer_printf(out,
	    "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n250-CHUNKING\r\n%s250 AUTH PLAIN LOGIN\r\n",
	    SINK_NAME, (unsigned long long)sink->settings->max_size,
	    sink->settings->starttls && !sink->secured ? "250-STARTTLS\r\n" : "");
	return 250;
}

static uint16_t
hello(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	bool lmtp = sink->settings->lmtp || sink->hello == SINK_LHLO;

	/* RFC 2033 4.1: HELO and EHLO are not of LMTP. */
	if (lmtp && command->verb != SMTP_LHLO)
		return sink_say(out, 500, "5.5.1 This is LMTP: say LHLO");
	if (trim(command->argument).len == 0)
		return sink_say(out, 501, "5.5.4 Expected %s client.example.org",
		    smtp_verb_entry(command->verb)->name.at);
	sink_reset(sink);
	if (command->verb == SMTP_HELO) {
		sink->hello = SINK_HELO;
		return sink_say(out, 250, "%s", SINK_NAME);
	}
	sink->hello = command->verb == SMTP_LHLO ? SINK_LHLO : SINK_EHLO;
	return extended_hello(sink, out);
}

static uint16_t
rset(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	(void)command;
	sink_reset(sink);
	return sink_say(out, 250, "2.0.0 Ok");
}

static uint16_t
noop(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	(void)sink;
	(void)command;
	return sink_say(out, 250, "2.0.0 Ok");
}

static uint16_t
quit(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	(void)command;
	sink->over = true;
	return sink_say(out, 221, "2.0.0 Bye");
}

static uint16_t
not_implemented(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	(void)sink;
	return sink_say(out, 502, "5.5.1 %s is not implemented", smtp_verb_entry(command->verb)->name.at);
}

static uint16_t
starttls(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	if (!sink->settings->starttls)
		return not_implemented(sink, command, out);
	if (trim(command->argument).len > 0)
		return sink_say(out, 501, "5.5.4 STARTTLS takes no argument");
	if (sink->secured)
		return sink_say(out, 503, "5.5.1 This is TLS already");
	if (sink->hello != SINK_EHLO && sink->hello != SINK_LHLO)
		return sink_say(out, 503, "5.5.1 Say %s first", sink->settings->lmtp ? "LHLO" : "EHLO");
	sink->awaits_tls = true;
	return sink_say(out, 220, "2.0.0 TLS begins behind this line");
}

static uint16_t
vrfy(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	(void)sink;
	if (trim(command->argument).len == 0)
		return sink_say(out, 501, "5.5.4 Expected VRFY mailbox");
	return sink_say(out, 252, "2.0.0 Cannot verify, but would take a message for it");
}

static uint16_t
help(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	enum smtp_verb verb = smtp_verb_find(trim(command->argument));

	(void)sink;
	if (verb != SMTP_VERB_UNKNOWN)
		return sink_say(out, 214, "2.0.0 %s %s (%s)", smtp_verb_entry(verb)->name.at,
		    smtp_verb_entry(verb)->meaning, smtp_verb_entry(verb)->reference);
	buffer_put(out, VIEW("214-2.0.0 smtpscope's built-in server: takes every message, relays none\r\n"));
	return sink_say(out, 214,
	    "2.0.0 HELO EHLO LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY AUTH HELP%s QUIT; HELP VERB says more",
	    sink->settings->starttls ? " STARTTLS" : "");
}

static uint16_t
authenticated(struct sink *sink, struct buffer *out)
{
	sink->auth = SINK_AUTH_NONE;
	sink->authenticated = true;
	return sink_say(out, 235, "2.7.0 Authentication succeeded, as it does with any credentials");
}

/* The one response of PLAIN: base64 of three names with NULs between (RFC 4616 2). */
static uint16_t
auth_plain(struct sink *sink, struct view response, struct buffer *out)
{
	char payload[1024];
	long len = base64_decode(response, payload, sizeof payload);
	int  nuls = 0;

	for (long i = 0; i < len; i++)
		nuls += payload[i] == '\0';
	sink->auth = SINK_AUTH_NONE;
	if (len < 0)
		return sink_say(out, 501, "5.5.2 The response is not base64");
	if (nuls < 2)
		return sink_say(out, 501, "5.5.2 Expected authorization identity, NUL, user, NUL, password");
	return authenticated(sink, out);
}

static uint16_t
auth_login(struct sink *sink, struct view response, struct buffer *out)
{
	char payload[4];

	if (base64_decode(response, payload, sizeof payload) < 0) {
		sink->auth = SINK_AUTH_NONE;
		return sink_say(out, 501, "5.5.2 The response is not base64");
	}
	if (sink->auth == SINK_AUTH_LOGIN_PASSWORD)
		return authenticated(sink, out);
	sink->auth = SINK_AUTH_LOGIN_PASSWORD;
	return sink_say(out, 334, "UGFzc3dvcmQ6");      /* "Password:" */
}

static uint16_t
auth(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	bool plain = view_equal_nocase(command->mechanism, VIEW("PLAIN"));

	if (sink->hello != SINK_EHLO && sink->hello != SINK_LHLO)
		return sink_say(out, 503, "5.5.1 Say %s first", sink->settings->lmtp ? "LHLO" : "EHLO");
	if (sink->authenticated)
		return sink_say(out, 503, "5.5.1 Already authenticated (RFC 4954 4)");
	if (sink->transaction != NULL)
		return sink_say(out, 503, "5.5.1 Not in a mail transaction (RFC 4954 4)");
	if (trim(command->argument).len == 0)
		return sink_say(out, 501, "5.5.4 Expected AUTH MECHANISM");
	if (!plain && !view_equal_nocase(command->mechanism, VIEW("LOGIN")))
		return sink_say(out, 504, "5.5.4 Not this mechanism: PLAIN or LOGIN");
	sink->auth = plain ? SINK_AUTH_PLAIN : SINK_AUTH_LOGIN_USER;
	if (command->initial.at != NULL) {
		struct view response = command->initial.len == 0 ? VIEW("") : trim(command->secret);

		return plain ? auth_plain(sink, response, out) : auth_login(sink, response, out);
	}
	return sink_say(out, 334, "%s", plain ? "" : "VXNlcm5hbWU6");   /* "Username:" */
}

uint16_t
sink_answer_auth_line(struct sink *sink, struct view line, unsigned marks, struct buffer *out)
{
	struct view response = trim(smtp_line_text(line));

	if (marks & SMTP_MARK_CUT) {
		sink->auth = SINK_AUTH_NONE;
		return sink_say(out, 500, "5.5.6 The line is too long");
	}
	if (view_equal(response, VIEW("*"))) {
		sink->auth = SINK_AUTH_NONE;
		return sink_say(out, 501, "5.7.0 Authentication cancelled");
	}
	return sink->auth == SINK_AUTH_PLAIN ? auth_plain(sink, response, out) : auth_login(sink, response, out);
}

static const struct {
	uint16_t (*answer)(struct sink *, const struct smtp_command *, struct buffer *);
	bool       bare;                /* takes no argument */
} verbs[SMTP_VERB_COUNT] = {
    [SMTP_HELO] = {hello, false},
    [SMTP_EHLO] = {hello, false},
    [SMTP_LHLO] = {hello, false},
    [SMTP_MAIL] = {sink_mail, false},
    [SMTP_RCPT] = {sink_rcpt, false},
    [SMTP_DATA] = {sink_data, true},
    [SMTP_BDAT] = {sink_bdat, false},
    [SMTP_RSET] = {rset, true},
    [SMTP_VRFY] = {vrfy, false},
    [SMTP_HELP] = {help, false},
    [SMTP_NOOP] = {noop, false},
    [SMTP_QUIT] = {quit, true},
    [SMTP_AUTH] = {auth, false},
    [SMTP_STARTTLS] = {starttls, false},
};

uint16_t
sink_answer_command(struct sink *sink, const struct smtp_command *command, unsigned marks, struct buffer *out)
{
	if (marks & SMTP_MARK_CUT)
		return sink_say(out, 500, "5.5.2 The line is too long");
	if (command->name.len == 0)
		return sink_say(out, 500, "5.5.2 Expected a command, and the line is empty");
	if (command->verb == SMTP_VERB_UNKNOWN)
		return sink_say(out, 500, "5.5.1 Command not recognized");
	if (verbs[command->verb].answer == NULL)
		return not_implemented(sink, command, out);
	if (verbs[command->verb].bare && trim(command->argument).len > 0)
		return sink_say(
		    out, 501, "5.5.4 %s takes no argument", smtp_verb_entry(command->verb)->name.at);
	return verbs[command->verb].answer(sink, command, out);
}
