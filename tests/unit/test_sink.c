/* SPDX-License-Identifier: MIT */
/*
 * The built-in server by transcripts: what a client says ("C:", with CRLF; "c:", as it stands)
 * and how the replies begin ("S:"). Every transcript is played whole line by line, and cut at
 * every octet, where the same octets have to come out.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "proxy/sink/sink.h"
#include "tests/unit/edge.h"

#define SIZE_MAX_OCTETS 100

struct told {
	struct sink_message last;       /* without its views */
	unsigned            count;
	char                reverse_path[64], error[64];
};

static void
on_message(void *owner, const struct sink_message *m)
{
	struct told *told = owner;

	told->last = *m;
	told->count++;
	snprintf(told->reverse_path, sizeof told->reverse_path, "%.*s", (int)m->reverse_path.len,
	    m->reverse_path.len == 0 ? "" : m->reverse_path.at);
	snprintf(told->error, sizeof told->error, "%s", m->error == NULL ? "" : m->error);
}

#define GREETING "S: 220 smtpscope.invalid ESMTP\n"
#define EHLO \
	"C: EHLO client.example.org\n" \
	"S: 250-smtpscope.invalid\nS: 250-PIPELINING\nS: 250-SIZE 100\nS: 250-8BITMIME\nS: 250-SMTPUTF8\n" \
	"S: 250-ENHANCEDSTATUSCODES\nS: 250-DSN\nS: 250-CHUNKING\nS: 250 AUTH PLAIN LOGIN\n"
#define LHLO \
	"S: 220 smtpscope.invalid LMTP\n" \
	"C: LHLO client.example.org\n" \
	"S: 250-smtpscope.invalid\nS: 250-PIPELINING\nS: 250-SIZE 100\nS: 250-8BITMIME\nS: 250-SMTPUTF8\n" \
	"S: 250-ENHANCEDSTATUSCODES\nS: 250-DSN\nS: 250-CHUNKING\nS: 250 AUTH PLAIN LOGIN\n"
#define ENVELOPE \
	"C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 Sender <ann@example.org> ok\n" \
	"C: RCPT TO:<bob@example.net>\nS: 250 2.1.5 Recipient <bob@example.net> ok\n"
#define QUIT "C: QUIT\nS: 221 2.0.0 \n"

static const struct transcript {
	const char *name, *text;
	bool        lmtp;
	unsigned    messages;           /* of which the last was: */
	uint64_t    octets;
	uint16_t    code;
} transcripts[] = {
    {.name = "greeting and QUIT", .text = GREETING QUIT},
    {.name = "a message by HELO", .text =
        GREETING "C: HELO client.example.org\nS: 250 smtpscope.invalid\n" ENVELOPE
                 "C: DATA\nS: 354 \nC: Subject: x\nC:\nC: body\nC: .\nS: 250 2.0.0 Ok\n" QUIT,
        .messages = 1, .octets = 20, .code = 250},
    {.name = "a message by EHLO, dots taken off", .text =
        GREETING EHLO ENVELOPE "C: DATA\nS: 354 \nC: ..one\nC: ..\nC: .\nS: 250 2.0.0 Ok\n" QUIT,
        .messages = 1, .octets = 9, .code = 250},
    {.name = "an empty message", .text = GREETING EHLO ENVELOPE "C: DATA\nS: 354 \nC: .\nS: 250 2.0.0 Ok\n" QUIT, .messages = 1,
        .code = 250},
    {.name = "a bare LF does not end content", .text =
        GREETING EHLO ENVELOPE "C: DATA\nS: 354 \nc: a\v.\v\nC: b\nC: .\nS: 250 2.0.0 Ok\n" QUIT,
        .messages = 1, .octets = 7, .code = 250},
    {.name = "two messages in one session, the second with two recipients and the null reverse-path", .text =
        GREETING EHLO ENVELOPE "C: DATA\nS: 354 \nC: a\nC: .\nS: 250 2.0.0 Ok\n"
                               "C: MAIL FROM:<>\nS: 250 2.1.0 Sender <> ok\n"
                               "C: RCPT TO:<bob@example.net>\nS: 250 2.1.5 \n"
                               "C: RCPT TO:<postmaster>\nS: 250 2.1.5 Recipient <postmaster> ok\n"
                               "C: DATA\nS: 354 \nC: abc\nC: .\nS: 250 2.0.0 Ok\n" QUIT,
        .messages = 2, .octets = 5, .code = 250},
    {.name = "a pipelined group is answered in order", .text =
        GREETING EHLO "C: MAIL FROM:<ann@example.org>\nC: RCPT TO:<>\nC: RCPT TO:<bob@example.net>\nC: DATA\n"
                      "S: 250 2.1.0 \nS: 501 5.1.3 \nS: 250 2.1.5 \nS: 354 \n"
                      "C: body\nC: .\nC: QUIT\nS: 250 2.0.0 Ok\nS: 221 2.0.0 \n",
        .messages = 1, .octets = 6, .code = 250},
    {.name = "three chunks, the last of no octets", .text =
        GREETING EHLO ENVELOPE "C: BDAT 4\nc: a\b.\b\nS: 250 2.0.0 Ok, 4 octets\n"
                               "C: BDAT 3\nc: b\b\v\nS: 250 2.0.0 Ok, 3 octets\n"
                               "C: BDAT 0 LAST\nS: 250 2.0.0 Ok\n" QUIT,
        .messages = 1, .octets = 7, .code = 250},
    {.name = "chunks in one group, commands behind them", .text =
        GREETING EHLO "C: MAIL FROM:<ann@example.org>\nC: RCPT TO:<bob@example.net>\nC: BDAT 0\nC: BDAT 5 LAST\n"
                      "c: QUIT!\nC: NOOP\nC: QUIT\nS: 250 2.1.0 \nS: 250 2.1.5 \nS: 250 2.0.0 Ok, 0 octets\n"
                      "S: 250 2.0.0 Ok\nS: 250 2.0.0 Ok\nS: 221 2.0.0 \n",
        .messages = 1, .octets = 5, .code = 250},
    {.name = "a chunk without a transaction is swallowed", .text =
        GREETING EHLO "C: BDAT 6 LAST\nc: RSET\b\v\nS: 503 5.5.1 \nC: NOOP\nS: 250 2.0.0 \n" QUIT},
    {.name = "a chunk without a recipient is swallowed, the transaction stays", .text =
        GREETING EHLO "C: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 \nC: BDAT 4\nc: RSET\nS: 503 5.5.1 \n"
                      "C: RCPT TO:<bob@example.net>\nS: 250 2.1.5 \nC: BDAT 1 LAST\nc: x\nS: 250 2.0.0 \n" QUIT,
        .messages = 1, .octets = 1, .code = 250},
    {.name = "a chunk whose count is none is no chunk", .text =
        GREETING EHLO ENVELOPE "C: BDAT\nS: 501 5.5.4 \nC: BDAT -1\nS: 501 5.5.4 \nC: BDAT x LAST\nS: 501 5.5.4 \n"
                               "C: BDAT 99999999999999999999\nS: 501 5.5.4 \nC: NOOP\nS: 250 \n" QUIT},
    {.name = "what may not stand between chunks", .text =
        GREETING EHLO ENVELOPE "C: BDAT 1\nc: x\nS: 250 2.0.0 \nC: DATA\nS: 503 5.5.1 \n"
                               "C: RCPT TO:<carol@example.net>\nS: 503 5.5.1 \nC: MAIL FROM:<>\nS: 503 5.5.1 \n"
                               "C: NOOP\nS: 250 \nC: BDAT 1 LAST\nc: y\nS: 250 2.0.0 \n" QUIT,
        .messages = 1, .octets = 2, .code = 250},
    {.name = "MAIL SIZE= beyond SIZE", .text =
        GREETING EHLO "C: MAIL FROM:<ann@example.org> SIZE=101\nS: 552 5.3.4 \n"
                      "C: RCPT TO:<bob@example.net>\nS: 503 5.5.1 \n"
                      "C: MAIL FROM:<ann@example.org> SIZE=99999999999999999999\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> SIZE=100\nS: 250 2.1.0 \n" QUIT},
    {.name = "content beyond SIZE is swallowed and refused", .text =
        GREETING EHLO ENVELOPE
        "C: DATA\nS: 354 \n"
        "C: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456\n"
        "C: QUIT\nC: .\nS: 552 5.3.4 \nC: MAIL FROM:<ann@example.org>\nS: 250 2.1.0 \n" QUIT,
        .messages = 1, .octets = 105, .code = 552},
    {.name = "content of SIZE is taken, dots that transparency added not counted", .text =
        GREETING EHLO ENVELOPE
        "C: DATA\nS: 354 \n"
        "C: ...3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
        "C: .\nS: 552 5.3.4 \n" ENVELOPE "C: DATA\nS: 354 \n"
        "C: ..2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345\n"
        "C: ..\nC: .\nS: 250 2.0.0 \n" QUIT,
        .messages = 2, .octets = 100, .code = 250},
    {.name = "chunks beyond SIZE", .text =
        GREETING EHLO ENVELOPE
        "C: BDAT 60\nc: 012345678901234567890123456789012345678901234567890123456789\nS: 250 2.0.0 \n"
        "C: BDAT 60\nc: 012345678901234567890123456789012345678901234567890123456789\nS: 552 5.3.4 \n"
        "C: BDAT 1\nc: x\nS: 552 5.3.4 \nC: BDAT 1 LAST\nc: x\nS: 552 5.3.4 \n" ENVELOPE QUIT,
        .messages = 1, .octets = 122, .code = 552},
    {.name = "order", .text =
        GREETING "C: MAIL FROM:<ann@example.org>\nS: 503 5.5.1 \nC: RCPT TO:<bob@example.net>\nS: 503 5.5.1 \n"
                 "C: DATA\nS: 503 5.5.1 \nC: AUTH LOGIN\nS: 503 5.5.1 \nC: NOOP\nS: 250 \n" EHLO
                 "C: RCPT TO:<bob@example.net>\nS: 503 5.5.1 \nC: DATA\nS: 503 5.5.1 \n"
                 "C: MAIL FROM:<ann@example.org>\nS: 250 \nC: DATA\nS: 503 5.5.1 There is no recipient\n"
                 "C: MAIL FROM:<ann@example.org>\nS: 503 5.5.1 \nC: AUTH LOGIN\nS: 503 5.5.1 \n"
                 "C: RSET\nS: 250 \nC: RCPT TO:<bob@example.net>\nS: 503 5.5.1 \n" QUIT},
    {.name = "a new EHLO gives the transaction up", .text = GREETING EHLO ENVELOPE EHLO "C: DATA\nS: 503 5.5.1 \n" QUIT},
    {.name = "a wrong EHLO does not", .text = GREETING EHLO ENVELOPE "C: EHLO \nS: 501 5.5.4 \nC: DATA\nS: 354 \nC: .\nS: 250 \n" QUIT,
        .messages = 1, .code = 250},
    {.name = "arguments", .text =
        GREETING "C: EHLO\nS: 501 5.5.4 \nC: HELO\nS: 501 5.5.4 \n" EHLO "C: MAIL\nS: 501 5.5.4 \n"
                 "C: MAIL FROM\nS: 501 5.5.4 \nC: MAIL <ann@example.org>\nS: 501 5.5.4 \n"
                 "C: MAIL FROM:\nS: 501 5.5.4 \n" ENVELOPE "C: RCPT\nS: 501 5.5.4 \nC: RCPT TO:\nS: 501 5.5.4 \n"
                 "C: RCPT TO:<>\nS: 501 5.1.3 \nC: DATA now\nS: 501 5.5.4 \nC: RSET now\nS: 501 5.5.4 \n"
                 "C: VRFY\nS: 501 5.5.4 \nC: QUIT now\nS: 501 5.5.4 \nC: NOOP anything\nS: 250 \n" QUIT},
    {.name = "parameters", .text =
        GREETING EHLO "C: MAIL FROM:<ann@example.org> FOO=bar\nS: 555 5.5.4 Parameter FOO \n"
                      "C: MAIL FROM:<ann@example.org> NOTIFY=NEVER\nS: 555 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> BODY=BINARYMIME\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> SIZE\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> SIZE=1k\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> RET=SOME\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> SMTPUTF8=1\nS: 501 5.5.4 \n"
                      "C: MAIL FROM:<ann@example.org> size=1 body=8bitmime SMTPUTF8 RET=full ENVID=x AUTH=<>\nS: 250 \n"
                      "C: RCPT TO:<bob@example.net> SIZE=1\nS: 555 5.5.4 \n"
                      "C: RCPT TO:<bob@example.net> NOTIFY=NEVER,DELAY\nS: 501 5.5.4 \n"
                      "C: RCPT TO:<bob@example.net> NOTIFY=\nS: 501 5.5.4 \n"
                      "C: RCPT TO:<bob@example.net> ORCPT=bob\nS: 501 5.5.4 \n"
                      "C: RCPT TO:<bob@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@example.net\nS: 250 \n" QUIT},
    {.name = "no parameters behind HELO", .text =
        GREETING "C: HELO client.example.org\nS: 250 \nC: MAIL FROM:<ann@example.org> SIZE=1\nS: 555 5.5.4 \n" QUIT},
    {.name = "what is unknown, not implemented or empty, and the session goes on", .text =
        GREETING "C: XYZZY\nS: 500 5.5.1 \nC:\nS: 500 5.5.2 \nC:   \nS: 500 5.5.2 \nC: STARTTLS\nS: 502 5.5.1 \n"
                 "C: EXPN list\nS: 502 5.5.1 \nC: XCLIENT NAME=x\nS: 502 5.5.1 \nC: GET / HTTP/1.1\nS: 500 5.5.1 \n"
                 "C: VRFY bob\nS: 252 2.0.0 \nC: HELP\nS: 214-2.0.0 \nS: 214 2.0.0 \n"
                 "C: HELP RCPT\nS: 214 2.0.0 RCPT \nC: HELP xyzzy\nS: 214-2.0.0 \nS: 214 2.0.0 \nC: noop\nS: 250 \n" QUIT},
    {.name = "a line that ends in LF alone is a command", .text = GREETING "c: NOOP\vQUIT\v\nS: 250 \nS: 221 \n"},
    {.name = "AUTH PLAIN", .text = GREETING EHLO "C: AUTH PLAIN\nS: 334 \nC: AGFubgBzZWNyZXQ=\nS: 235 2.7.0 \n"
                                 "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 503 5.5.1 \n" ENVELOPE QUIT},
    {.name = "AUTH PLAIN at once", .text = GREETING EHLO "C: AUTH plain AGFubgBzZWNyZXQ=\nS: 235 2.7.0 \n" QUIT},
    {.name = "AUTH LOGIN", .text =
        GREETING EHLO "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 \n" QUIT},
    {.name = "AUTH LOGIN at once", .text = GREETING EHLO "C: AUTH LOGIN YW5u\nS: 334 UGFzc3dvcmQ6\nC: c2VjcmV0\nS: 235 2.7.0 \n" QUIT},
    {.name = "AUTH cancelled, and tried again", .text =
        GREETING EHLO "C: AUTH LOGIN\nS: 334 \nC: *\nS: 501 5.7.0 \nC: AUTH LOGIN\nS: 334 \nC: YW5u\nS: 334 \n"
                      "C: *\nS: 501 5.7.0 \nC: AUTH PLAIN\nS: 334 \nC: *\nS: 501 5.7.0 \n"
                      "C: AUTH PLAIN AGFubgBzZWNyZXQ=\nS: 235 2.7.0 \n" QUIT},
    {.name = "AUTH that is wrong", .text =
        GREETING EHLO "C: AUTH\nS: 501 5.5.4 \nC: AUTH CRAM-MD5\nS: 504 5.5.4 \nC: AUTH PLAIN !\nS: 501 5.5.2 \n"
                      "C: AUTH PLAIN =\nS: 501 5.5.2 \nC: AUTH PLAIN YW5u\nS: 501 5.5.2 \n"
                      "C: AUTH PLAIN AGFu bgBz\nS: 501 5.5.2 \nC: AUTH LOGIN\nS: 334 \nC: ann\nS: 501 5.5.2 \n"
                      "C: AUTH PLAIN\nS: 334 \nC:\nS: 501 5.5.2 \nC: NOOP\nS: 250 \n" QUIT},
    {.name = "TLS, which nobody offered", .text = GREETING "c: \x16\x03\x01\nS: 500 5.5.1 \n"},
    {.name = "LMTP with two recipients", .text =
        LHLO ENVELOPE "C: RCPT TO:<carol@example.net>\nS: 250 2.1.5 \nC: DATA\nS: 354 \nC: a\nC: .\n"
                      "S: 250 2.0.0 Ok <bob@example.net>\nS: 250 2.0.0 Ok <carol@example.net>\nC: NOOP\nS: 250 \n" QUIT,
        .lmtp = true, .messages = 1, .octets = 3, .code = 250},
    {.name = "LMTP, a recipient refused, content by chunks, beyond SIZE", .text =
        LHLO ENVELOPE "C: RCPT TO:<>\nS: 501 \nC: RCPT TO:<carol@example.net>\nS: 250 2.1.5 \nC: BDAT 1\nc: a\nS: 250 \n"
                      "C: BDAT 100 LAST\n"
                      "c: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
                      "S: 552 5.3.4 \nS: 552 5.3.4 \nC: NOOP\nS: 250 \n" QUIT,
        .lmtp = true, .messages = 1, .octets = 101, .code = 552},
    {.name = "LMTP knows neither HELO nor EHLO", .text =
        "S: 220 smtpscope.invalid LMTP\nC: EHLO client.example.org\nS: 500 5.5.1 \nC: HELO x\nS: 500 5.5.1 \n" QUIT,
        .lmtp = true},
    {.name = "LMTP without recipients", .text = LHLO "C: MAIL FROM:<>\nS: 250 \nC: DATA\nS: 503 \nC: BDAT 1 LAST\nc: x\nS: 503 \n" QUIT,
        .lmtp = true},
    {.name = "LHLO makes a session LMTP", .text =
        GREETING "C: LHLO client.example.org\n"
                 "S: 250-smtpscope.invalid\nS: 250-PIPELINING\nS: 250-SIZE 100\nS: 250-8BITMIME\nS: 250-SMTPUTF8\n"
                 "S: 250-ENHANCEDSTATUSCODES\nS: 250-DSN\nS: 250-CHUNKING\nS: 250 AUTH PLAIN LOGIN\n" ENVELOPE
                 "C: RCPT TO:<carol@example.net>\nS: 250 2.1.5 \nC: DATA\nS: 354 \nC: .\n"
                 "S: 250 2.0.0 Ok <bob@example.net>\nS: 250 2.0.0 Ok <carol@example.net>\nC: EHLO x\nS: 500 5.5.1 \n" QUIT,
        .messages = 1, .code = 250},
};

struct play {
	struct sink_settings settings;
	struct told          told;
	struct sink         *sink;
	struct buffer        in, out;   /* offered and not used; said and not looked at */
	struct buffer        all;       /* everything that was said */
};

static void
play_begin(struct play *p, const struct sink_settings *settings)
{
	memset(p, 0, sizeof *p);
	p->settings = *settings;
	p->settings.message = on_message;
	p->settings.owner = &p->told;
	p->sink = sink_new(&p->settings, &p->out);
	ck_assert_ptr_nonnull(p->sink);
}

static void
play_end(struct play *p)
{
	sink_free(p->sink);
	buffer_free(&p->in);
	buffer_free(&p->out);
	buffer_free(&p->all);
}

/* Offers octets, against the end of memory. */
static void
play_feed(struct play *p, struct view octets)
{
	struct view edge;

	buffer_put(&p->in, octets);
	edge = edge_copy((struct view){p->in.at, p->in.len});
	buffer_drop(&p->in, sink_feed(p->sink, edge.at, edge.len, &p->out));
	edge_free(edge);
}

/* What a line of a transcript stands for: in "c:" lines \b is CR and \v is LF. */
static void
client_line(struct buffer *b, const char *line, size_t len)
{
	bool raw = *line == 'c';

	for (size_t i = len > 2 ? 3 : 2; i < len; i++)
		buffer_char(b, raw && line[i] == '\b' ? '\r' : raw && line[i] == '\v' ? '\n' : line[i]);
	if (!raw)
		buffer_put(b, VIEW("\r\n"));
}

/* Takes the reply line that was said next; it has to begin as the transcript says. */
static void
server_line(struct play *p, const char *name, const char *line, size_t len)
{
	const char *lf = p->out.len == 0 ? NULL : memchr(p->out.at, '\n', p->out.len);
	size_t      said;

	ck_assert_msg(lf != NULL, "%s: nothing was said where \"%.*s\" is expected", name, (int)len, line);
	said = (size_t)(lf - p->out.at) + 1;
	ck_assert_msg(said >= len - 3 && memcmp(p->out.at, line + 3, len - 3) == 0 && p->out.at[said - 2] == '\r',
	    "%s: \"%.*s\" was said where \"%.*s\" is expected", name, (int)said, p->out.at, (int)len, line);
	buffer_put(&p->all, view_first((struct view){p->out.at, p->out.len}, said));
	buffer_drop(&p->out, said);
}

static void
play_transcript(struct play *p, const char *name, const char *text, struct buffer *client)
{
	struct buffer octets = {NULL, 0, 0};

	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		if (*text == 'S') {
			play_feed(p, (struct view){octets.at, octets.len});
			octets.len = 0;
			server_line(p, name, text, len);
		} else {
			client_line(&octets, text, len);
			client_line(client, text, len);
			ck_assert_msg(p->out.len == 0, "%s: \"%.*s\" was said before \"%.*s\"", name, (int)p->out.len,
			    p->out.at, (int)len, text);
		}
		text += len + 1;
	}
	ck_assert_msg(p->out.len == 0, "%s: and then \"%.*s\"", name, (int)p->out.len, p->out.at);
	buffer_free(&octets);
}

START_TEST(transcripts_whole_and_cut)
{
	const struct transcript   *t = &transcripts[_i];
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS, .lmtp = t->lmtp};
	struct buffer              client = {NULL, 0, 0};
	struct play                whole, cut;

	play_begin(&whole, &settings);
	play_transcript(&whole, t->name, t->text, &client);
	ck_assert_msg(sink_is_over(whole.sink), "%s: the session is not over", t->name);
	ck_assert_uint_eq(whole.told.count, t->messages);
	if (t->messages > 0) {
		ck_assert_uint_eq(whole.told.last.octets, t->octets);
		ck_assert_uint_eq(whole.told.last.code, t->code);
	}
	for (size_t at = 0; at <= client.len; at++) {
		play_begin(&cut, &settings);
		play_feed(&cut, (struct view){client.at, at});
		play_feed(&cut, (struct view){client.at + at, client.len - at});
		ck_assert_msg(cut.out.len == whole.all.len && memcmp(cut.out.at, whole.all.at, cut.out.len) == 0,
		    "%s: cut at %zu it says\n%.*s", t->name, at, (int)cut.out.len, cut.out.at);
		ck_assert_uint_eq(cut.told.count, t->messages);
		play_end(&cut);
	}
	play_begin(&cut, &settings);
	for (size_t at = 0; at < client.len; at++)
		play_feed(&cut, (struct view){client.at + at, 1});
	ck_assert(cut.out.len == whole.all.len && memcmp(cut.out.at, whole.all.at, cut.out.len) == 0);
	play_end(&cut);
	play_end(&whole);
	buffer_free(&client);
}
END_TEST

/* Anything in any order, and in any cuts: the same replies, and nothing that ends the program. */
static void
random_session(uint32_t seed, bool lmtp)
{
	static const char *const words[] = {"EHLO x\r\n", "HELO x\r\n", "LHLO x\r\n", "MAIL FROM:<>\r\n",
	    "RCPT TO:<bob@example.net>\r\n", "DATA\r\n", ".\r\n", "..\r\n", "\r\n", "\n", "BDAT 3\r\n", "BDAT 9 LAST\r\n",
	    "BDAT 0 LAST\r\n", "BDAT 0\r\n", "BDAT x\r\n", "abc", "RSET\r\n", "NOOP\r\n", "AUTH PLAIN\r\n", "AUTH LOGIN YW5u\r\n",
	    "AGFubgBzZWNyZXQ=\r\n", "*\r\n", "YW5u\r\n", "HELP\r\n", "VRFY x\r\n", "STARTTLS\r\n", "\r", "xyzzy\r\n",
	    "MAIL FROM:<ann@example.org> SIZE=101\r\n", "0123456789012345678901234567890123456789\r\n"};
	struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS, .lmtp = lmtp};
	struct buffer        client = {NULL, 0, 0};
	struct play          whole, cut;

	for (int n = 0; n < 60; n++) {
		seed = seed * 1664525 + 1013904223;
		buffer_put(&client, view_of(words[(seed >> 12) % (sizeof words / sizeof *words)]));
	}
	play_begin(&whole, &settings);
	play_feed(&whole, (struct view){client.at, client.len});
	play_begin(&cut, &settings);
	for (size_t at = 0, n; at < client.len; at += n) {
		seed = seed * 1664525 + 1013904223;
		n = 1 + (seed >> 16) % 24;
		if (n > client.len - at)
			n = client.len - at;
		play_feed(&cut, (struct view){client.at + at, n});
	}
	ck_assert_uint_eq(cut.out.len, whole.out.len);
	ck_assert(memcmp(cut.out.at, whole.out.at, whole.out.len) == 0);
	ck_assert_uint_eq(cut.told.count, whole.told.count);
	play_end(&cut);
	play_end(&whole);
	buffer_free(&client);
}

START_TEST(random_sessions_however_they_are_cut)
{
	for (uint32_t n = 1; n <= 1000; n++)
		random_session(n * 7919, n % 2 == 0);
}
END_TEST

START_TEST(a_line_that_is_too_long_and_the_session_goes_on)
{
	static char                line[40000];
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS};
	struct buffer              client = {NULL, 0, 0};
	struct play                p;

	memset(line, 'x', sizeof line);
	memcpy(line, "NOOP ", 5);
	line[sizeof line - 2] = '\r';
	line[sizeof line - 1] = '\n';
	play_begin(&p, &settings);
	play_transcript(&p, "before", GREETING EHLO, &client);
	play_feed(&p, (struct view){line, 20000});
	play_feed(&p, (struct view){line + 20000, 20000});
	play_transcript(&p, "long line", "S: 500 5.5.2 \nC: AUTH LOGIN\nS: 334 \n", &client);
	memset(line, 'A', 5);
	play_feed(&p, (struct view){line, sizeof line});
	ck_assert_uint_eq(p.in.len, 0);
	play_transcript(&p, "long line of AUTH", "S: 500 5.5.6 \nC: NOOP\nS: 250 \n" QUIT, &client);
	play_end(&p);
	buffer_free(&client);
}
END_TEST

START_TEST(recipients_are_bounded)
{
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS, .lmtp = true};
	struct buffer              client = {NULL, 0, 0};
	unsigned                   taken = 0, refused = 0, replies = 0;
	struct play                p;

	play_begin(&p, &settings);
	play_transcript(&p, "before", LHLO "C: MAIL FROM:<>\nS: 250 \n", &client);
	for (unsigned n = 0; n < 1100; n++) {
		char line[64];
		int  len = snprintf(line, sizeof line, "RCPT TO:<user%u@example.net>\r\n", n);

		play_feed(&p, (struct view){line, (size_t)len});
		taken += memcmp(p.out.at, "250 2.1.5", 9) == 0;
		refused += memcmp(p.out.at, "452 4.5.3", 9) == 0;
		buffer_drop(&p.out, p.out.len);
	}
	ck_assert_uint_eq(taken, 1000);
	ck_assert_uint_eq(refused, 100);
	play_transcript(&p, "DATA", "C: DATA\nS: 354 \n", &client);
	play_feed(&p, VIEW(".\r\n"));
	for (size_t i = 0; i < p.out.len; i++)
		replies += p.out.at[i] == '\n';
	ck_assert_uint_eq(replies, 1000);
	play_end(&p);
	buffer_free(&client);
}
END_TEST

/* A client that sends and does not read: what is not used waits with it. */
START_TEST(replies_that_nobody_reads_push_back)
{
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS};
	struct buffer              flood = {NULL, 0, 0};
	unsigned                   replies = 0;
	size_t                     used = 0;
	struct play                p;

	for (int n = 0; n < 50000; n++)
		buffer_put(&flood, VIEW("NOOP\r\n"));
	play_begin(&p, &settings);
	while (used < flood.len) {
		size_t took = sink_feed(p.sink, flood.at + used, flood.len - used, &p.out);

		ck_assert_uint_gt(took, 0);
		ck_assert_uint_lt(p.out.len, 20000);
		ck_assert_uint_eq(sink_feed(p.sink, flood.at + used + took, used + took < flood.len ? 6 : 0, &p.out), 0);
		used += took;
		for (size_t i = 0; i < p.out.len; i++)
			replies += p.out.at[i] == '\n';
		p.out.len = 0;
	}
	ck_assert_uint_eq(replies, 50001);
	play_end(&p);
	buffer_free(&flood);
}
END_TEST

/* Feeds a line, and expects a reply that begins so; NULL: none. */
static void
said_to(struct sink *sink, struct buffer *out, const char *line, const char *begins)
{
	ck_assert_uint_eq(sink_feed(sink, line, strlen(line), out), strlen(line));
	if (begins == NULL)
		ck_assert_uint_eq(out->len, 0);
	else
		ck_assert_msg(out->len >= strlen(begins) && memcmp(out->at, begins, strlen(begins)) == 0, "%s%.*s", line,
		    (int)out->len, out->at);
	out->len = 0;
}

/* RFC 3207 4.2: what was said in the clear is forgotten, and what was glued behind STARTTLS never read. */
START_TEST(starttls_begins_anew)
{
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS, .starttls = true};
	struct buffer out = {NULL, 0, 0};
	struct sink  *sink = sink_new(&settings, &out);

	out.len = 0;
	said_to(sink, &out, "STARTTLS\r\n", "503 5.5.1 Say EHLO first\r\n");
	sink_feed(sink, "EHLO client.example.org\r\n", 25, &out);
	ck_assert_ptr_nonnull(memmem(out.at, out.len, "250-STARTTLS\r\n", 14));
	out.len = 0;
	said_to(sink, &out, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "235 ");
	said_to(sink, &out, "MAIL FROM:<ann@example.org>\r\n", "250 2.1.0");
	said_to(sink, &out, "STARTTLS now\r\n", "501 5.5.4");
	ck_assert(!sink_awaits_tls(sink));
	said_to(sink, &out, "STARTTLS\r\nRSET\r\nMAIL FROM:<carol@example.org>\r\nRC", "220 2.0.0");
	ck_assert(sink_awaits_tls(sink));
	sink_secure(sink);
	ck_assert(!sink_awaits_tls(sink));
	said_to(sink, &out, "", NULL);
	said_to(sink, &out, "RCPT TO:<bob@example.net>\r\n", "503 ");
	sink_feed(sink, "EHLO client.example.org\r\n", 25, &out);
	ck_assert_ptr_null(memmem(out.at, out.len, "STARTTLS", 8));
	out.len = 0;
	said_to(sink, &out, "RCPT TO:<bob@example.net>\r\n", "503 ");
	said_to(sink, &out, "STARTTLS\r\n", "503 5.5.1 This is TLS already\r\n");
	said_to(sink, &out, "AUTH PLAIN AGFubgBzZWNyZXQ=\r\n", "235 ");
	said_to(sink, &out, "MAIL FROM:<ann@example.org>\r\n", "250 2.1.0");
	said_to(sink, &out, "QUIT\r\n", "221 ");
	sink_free(sink);
	buffer_free(&out);
}
END_TEST

START_TEST(it_can_be_ended)
{
	const struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS};
	struct buffer              client = {NULL, 0, 0};
	struct play                p;

	play_begin(&p, &settings);
	play_transcript(&p, "before", GREETING EHLO ENVELOPE "C: DATA\nS: 354 \n", &client);
	sink_end(p.sink, "4.4.2 Too slow", &p.out);
	sink_end(p.sink, "4.4.2 Too slow", &p.out);
	ck_assert(sink_is_over(p.sink));
	play_transcript(&p, "the end", "S: 421 4.4.2 Too slow\n", &client);
	play_feed(&p, VIEW("NOOP\r\n"));
	ck_assert_uint_eq(p.out.len, 0);
	ck_assert_uint_eq(p.told.count, 0);
	play_end(&p);
	buffer_free(&client);
}
END_TEST

/* The files of a directory of the Maildir; the last one's content is put in *content. */
static unsigned
files_in(const char *maildir, const char *sub, char *content, size_t size)
{
	char           path[512];
	struct dirent *entry;
	unsigned       count = 0;
	DIR           *dir;

	snprintf(path, sizeof path, "%s/%s", maildir, sub);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)) != NULL) {
		char  file[1024];
		FILE *in;

		if (entry->d_name[0] == '.')
			continue;
		count++;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		in = fopen(file, "r");
		ck_assert_ptr_nonnull(in);
		content[fread(content, 1, size - 1, in)] = '\0';
		fclose(in);
		ck_assert_int_eq(unlink(file), 0);
	}
	closedir(dir);
	return count;
}

/* A Maildir below the build's temporary files, made by the test and gone behind it. */
static void
with_maildir(void (*test)(struct play *p, const char *path))
{
	char                 path[] = "/tmp/smtpscope-test-sink-XXXXXX", error[MAILDIR_ERROR_MAX], sub[64];
	struct sink_settings settings = {.max_size = SIZE_MAX_OCTETS};
	struct play          p;

	ck_assert_ptr_nonnull(mkdtemp(path));
	settings.maildir = maildir_open(path, error);
	ck_assert_msg(settings.maildir != NULL, "%s", error);
	play_begin(&p, &settings);
	test(&p, path);
	play_end(&p);
	maildir_close(settings.maildir);
	ck_assert_uint_eq(files_in(path, "tmp", sub, sizeof sub), 0);
	ck_assert_uint_eq(files_in(path, "new", sub, sizeof sub), 0);
	for (const char *const *d = (const char *const[]){"tmp", "new", "cur", "", NULL}; *d != NULL; d++) {
		snprintf(sub, sizeof sub, "%s/%s", path, *d);
		ck_assert_int_eq(rmdir(sub), 0);
	}
}

static void
keep_by_data(struct play *p, const char *path)
{
	struct buffer client = {NULL, 0, 0};
	char          content[512];

	play_transcript(p, "kept", GREETING EHLO ENVELOPE
	    "C: RCPT TO:<carol@example.net>\nS: 250 \nC: DATA\nS: 354 \nC: Subject: x\nC:\nC: ..dot\nC: .\n"
	    "S: 250 2.0.0 Ok, kept as \n", &client);
	ck_assert_ptr_nonnull(p->told.last.file);
	ck_assert_uint_eq(files_in(path, "new", content, sizeof content), 1);
	ck_assert_str_eq(content, "Return-Path: <ann@example.org>\r\nX-Envelope-To: <bob@example.net>\r\n"
	                          "X-Envelope-To: <carol@example.net>\r\nSubject: x\r\n\r\n.dot\r\n");
	buffer_free(&client);
}

START_TEST(kept_by_data)
{
	with_maildir(keep_by_data);
}
END_TEST

static void
keep_by_chunks(struct play *p, const char *path)
{
	struct buffer client = {NULL, 0, 0};
	char          content[512];

	play_transcript(p, "kept", GREETING EHLO
	    "C: MAIL FROM:<>\nS: 250 \nC: RCPT TO:<bob@example.net>\nS: 250 \nC: BDAT 4\nc: a: \b\nS: 250 \n"
	    "C: BDAT 4\nc: \v\b\v.\nS: 250 \nC: BDAT 2 LAST\nc: \b\v\nS: 250 2.0.0 Ok, kept as \n", &client);
	ck_assert_uint_eq(files_in(path, "new", content, sizeof content), 1);
	ck_assert_str_eq(content, "Return-Path: <>\r\nX-Envelope-To: <bob@example.net>\r\na: \r\n\r\n.\r\n");
	buffer_free(&client);
}

START_TEST(kept_by_chunks)
{
	with_maildir(keep_by_chunks);
}
END_TEST

/* The header on top is ours: nothing that the client puts into a path makes a line of it. */
static void
keep_with_odd_paths(struct play *p, const char *path)
{
	struct buffer client = {NULL, 0, 0};
	char          content[512];

	play_transcript(p, "kept", GREETING EHLO
	    "c: MAIL FROM:<a\bX: y@example.org>\b\v\nS: 250 2.1.0 Sender <a?X: y@example.org> ok\n"
	    "C: RCPT TO:<b\tc@example.net>\nS: 250 \nC: DATA\nS: 354 \nC: .\nS: 250 2.0.0 Ok, kept as \n", &client);
	ck_assert_uint_eq(files_in(path, "new", content, sizeof content), 1);
	ck_assert_str_eq(content, "Return-Path: <a?X: y@example.org>\r\nX-Envelope-To: <b?c@example.net>\r\n");
	buffer_free(&client);
}

START_TEST(kept_with_odd_paths)
{
	with_maildir(keep_with_odd_paths);
}
END_TEST

static void
give_up(struct play *p, const char *path)
{
	struct buffer client = {NULL, 0, 0};
	char          content[512];

	play_transcript(p, "given up", GREETING EHLO ENVELOPE
	    "C: BDAT 60\nc: 012345678901234567890123456789012345678901234567890123456789\nS: 250 \n"
	    "C: BDAT 60\nc: 012345678901234567890123456789012345678901234567890123456789\nS: 552 \n"
	    "C: RSET\nS: 250 \n" ENVELOPE "C: BDAT 1\nc: x\nS: 250 \nC: RSET\nS: 250 \n" ENVELOPE
	    "C: DATA\nS: 354 \nC: half of it\nC: NOOP\nC: ..\nC: .\nS: 250 \n" ENVELOPE "C: DATA\nS: 354 \nC: vanishes\n",
	    &client);
	ck_assert_uint_eq(files_in(path, "new", content, sizeof content), 1);
	ck_assert_ptr_nonnull(strstr(content, "\r\nhalf of it\r\nNOOP\r\n.\r\n"));
	buffer_free(&client);
}

START_TEST(what_is_given_up_leaves_no_file)
{
	with_maildir(give_up);
}
END_TEST

/* A file that may not grow is as a full disk to who writes it. */
static void
fill_disk(struct play *p, const char *path)
{
	struct rlimit old, none;
	struct buffer client = {NULL, 0, 0};
	char          content[512];

	getrlimit(RLIMIT_FSIZE, &old);
	none = old;
	none.rlim_cur = 120;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &none);
	play_transcript(p, "full in the content", GREETING EHLO ENVELOPE
	    "C: DATA\nS: 354 \nC: 01234567890123456789012345678901234567890123456789012345678901234567890123456789\n"
	    "C: .\nS: 452 4.3.1 \n", &client);
	ck_assert_uint_eq(p->told.count, 1);
	ck_assert_uint_eq(p->told.last.code, 452);
	ck_assert_str_ne(p->told.error, "");
	none.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &none);
	play_transcript(p, "full before it",
	    ENVELOPE "C: DATA\nS: 452 4.3.1 \nC: BDAT 1\nc: x\nS: 452 4.3.1 \nC: BDAT 1 LAST\nc: x\nS: 452 4.3.1 \n", &client);
	ck_assert_uint_eq(p->told.count, 3);
	setrlimit(RLIMIT_FSIZE, &old);
	play_transcript(p, "room again", ENVELOPE "C: DATA\nS: 354 \nC: .\nS: 250 2.0.0 Ok, kept as \n", &client);
	ck_assert_uint_eq(files_in(path, "new", content, sizeof content), 1);
	buffer_free(&client);
}

START_TEST(a_full_disk)
{
	with_maildir(fill_disk);
}
END_TEST

START_TEST(a_maildir_that_cannot_be)
{
	char error[MAILDIR_ERROR_MAX];

	ck_assert_ptr_null(maildir_open("/dev/null", error));
	ck_assert_ptr_nonnull(strstr(error, "/dev/null: "));
	ck_assert_ptr_null(maildir_open("/dev/null/below", error));
	ck_assert_ptr_nonnull(strstr(error, "/dev/null/below: "));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sink");
	TCase *tcase = tcase_create("sink");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, transcripts_whole_and_cut, 0, sizeof transcripts / sizeof *transcripts);
	tcase_add_test(tcase, random_sessions_however_they_are_cut);
	tcase_add_test(tcase, a_line_that_is_too_long_and_the_session_goes_on);
	tcase_add_test(tcase, recipients_are_bounded);
	tcase_add_test(tcase, replies_that_nobody_reads_push_back);
	tcase_add_test(tcase, starttls_begins_anew);
	tcase_add_test(tcase, it_can_be_ended);
	tcase_add_test(tcase, kept_by_data);
	tcase_add_test(tcase, kept_by_chunks);
	tcase_add_test(tcase, kept_with_odd_paths);
	tcase_add_test(tcase, what_is_given_up_leaves_no_file);
	tcase_add_test(tcase, a_full_disk);
	tcase_add_test(tcase, a_maildir_that_cannot_be);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
