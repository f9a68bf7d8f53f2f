/* SPDX-License-Identifier: MIT */
/*
 * The two ends of the world: a client that says whatever clients say, and waits where it
 * must (mostly), and a server that answers as it likes. Each reads its octets by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/ordering_world.h"

static struct said *
say(struct world *w, enum smtp_verb verb)
{
	struct said *s = &w->said[w->said_count++];

	world_check(w, w->said_count < WORLD_THINGS, "the world is too small");
	s->id = ++w->last_id;
	s->verb = verb;
	return s;
}

static void
say_line(struct world *w, enum smtp_verb verb, const char *text)
{
	struct said *s = say(w, verb);

	octets_add(&s->text, text, strlen(text));
	octets_add(&w->client_out, text, strlen(text));
	octets_add(&w->client_out, "\r\n", 2);
}

/* Content that looks like everything but its own end: lines, commands, replies, dots. */
static void
some_content(struct world *w, struct octets *o)
{
	static const char *const lines[] = {"x\r\n", "QUIT\r\n", "..\r\n", ".x\r\n", "250 ok\r\n", "\r\n", "BDAT 5\r\n",
	    "x\n.\n\r\n", "354\r\r\n", "\rx\r\n"};

	for (unsigned n = roll(w, 5); n > 0; n--) {
		const char *line = lines[roll(w, sizeof lines / sizeof *lines)];

		octets_add(o, line, strlen(line));
	}
}

static void
say_content(struct world *w)
{
	struct said *s = say(w, SMTP_DATA);

	s->is_content = true;
	some_content(w, &s->text);
	octets_add(&w->client_out, s->text.at, s->text.len);
	octets_add(&w->client_out, ".\r\n", 3);
}

static void
say_chunk(struct world *w)
{
	struct octets chunk = {NULL, 0, 0};
	bool last = chance(w, 50);
	char line[60];

	some_content(w, &chunk);
	if (chunk.len > 0 && chance(w, 30))
		chunk.len--;            /* a chunk may end anywhere */
	snprintf(line, sizeof line, "BDAT %zu%s", chunk.len, last ? " LAST" : "");
	say_line(w, SMTP_BDAT, line);
	if (chunk.len > 0 || last) {
		struct said *s = say(w, SMTP_BDAT);

		s->is_content = true;
		s->id = --w->last_id;   /* it is the command's own */
		octets_add(&s->text, chunk.at, chunk.len);
		octets_add(&w->client_out, chunk.at, chunk.len);
	}
	free(chunk.at);
}

static void
say_data(struct world *w)
{
	char line[60];

	say_line(w, SMTP_DATA, "DATA");
	if (chance(w, 80)) {
		w->waits_for = w->last_id;
		w->waits_verb = SMTP_DATA;
		return;
	}
	/* It does not wait: lines that are content if there is a 354, and commands if not. */
	w->waits_for = w->glued_to = w->last_id;
	w->waits_verb = SMTP_DATA;
	for (unsigned n = roll(w, 3); n > 0; n--) {
		snprintf(line, sizeof line, "glued %u.%u\r\n", w->glued_to, n);
		octets_add(&w->glued, line, strlen(line));
	}
	octets_add(&w->glued, ".\r\n", 3);
	octets_add(&w->client_out, w->glued.at, w->glued.len);
}

static void
say_something(struct world *w)
{
	char line[400], filler[300];

	switch (roll(w, 14)) {
	case 0:
	case 1:
		say_line(w, SMTP_MAIL, "MAIL FROM:<ann@example.org>");
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		snprintf(line, sizeof line, "RCPT TO:<bob%u@example.net>", w->last_id);
		say_line(w, SMTP_RCPT, line);
		break;
	case 6:
		say_line(w, SMTP_RSET, "RSET");
		break;
	case 7:
		snprintf(line, sizeof line, "xyzzy %u", w->last_id);
		say_line(w, SMTP_VERB_UNKNOWN, line);
		break;
	case 8:
		say_line(w, SMTP_VERB_UNKNOWN, "");
		break;
	case 9:
		/* Longer than the dialogue's limit. */
		memset(filler, 'x', sizeof filler - 1);
		filler[sizeof filler - 1] = '\0';
		snprintf(line, sizeof line, "NOOP %u %s", w->last_id, filler);
		say_line(w, SMTP_NOOP, line);
		break;
	case 10:
		say_line(w, SMTP_AUTH, chance(w, 50) ? "AUTH LOGIN" : "AUTH PLAIN AGEAYg==");
		w->waits_for = w->last_id;
		w->waits_verb = SMTP_AUTH;
		w->auth_lines = 0;
		break;
	case 11:
		say_data(w);
		break;
	case 12:
		say_chunk(w);
		break;
	default:
		snprintf(line, sizeof line, "VRFY %u", w->last_id);
		say_line(w, SMTP_VRFY, line);
		break;
	}
}

void
client_talks(struct world *w)
{
	/* A group of commands, without waiting (RFC 2920 3.1). */
	for (unsigned n = 1 + roll(w, 8); n > 0 && w->budget > 0 && w->waits_for == 0; n--) {
		w->budget--;
		if (w->last_id == 0 && w->lmtp)
			say_line(w, SMTP_LHLO, "LHLO client.example.org");
		else
			say_something(w);
	}
}

void
client_decided(struct world *w, unsigned id, unsigned code)
{
	char *line, *end;

	if (w->glued_to == 0 || id != w->glued_to) {
		/* Only what it never hears it cannot read. */
		if (id == w->waits_for && code == 0)
			w->waits_for = 0;
		return;
	}
	if (code / 100 == 3) {
		struct said *s = say(w, SMTP_DATA);

		s->is_content = true;
		octets_add(&s->text, w->glued.at, w->glued.len - 3);
	} else {
		for (line = w->glued.at; line < w->glued.at + w->glued.len; line = end + 2) {
			struct said *s = say(w, SMTP_VERB_UNKNOWN);

			end = memchr(line, '\r', (size_t)(w->glued.at + w->glued.len - line));
			octets_add(&s->text, line, (size_t)(end - line));
		}
	}
	w->glued.len = 0;
	w->glued_to = w->waits_for = 0;
}

struct said *
client_next(struct world *w)
{
	world_check(w, w->decoded < w->said_count, "a unit that the client did not send");
	return &w->said[w->decoded++];
}

/* The client has read a reply: the model says whether it may be this one. */
static void
client_saw(struct world *w, unsigned id, unsigned code, const char *token)
{
	struct client_must *m;

	while (w->client_saw < w->client_must_count && w->client_must[w->client_saw].replies == 0)
		w->client_saw++;
	world_check(w, w->client_saw < w->client_must_count, "a reply too many, %03u %s", code, token);
	m = &w->client_must[w->client_saw];
	world_check(w, m->id == id, "%03u %s is for %u, but %u is next", code, token, id, m->id);
	if (m->verb == SMTP_AUTH && code == 334)
		;
	else
		m->replies--;
	if (w->waits_for == 0 || id != w->waits_for)
		return;
	if (w->waits_verb == SMTP_AUTH && code == 334) {
		say_line(w, SMTP_AUTH, w->auth_lines++ < 2 ? "YQ==" : "*");
		w->said[w->said_count - 1].is_auth_line = true;
		return;
	}
	w->waits_for = 0;
	if (w->waits_verb == SMTP_DATA && code / 100 == 3)
		say_content(w);
}

void
client_reads(struct world *w)
{
	char *line = w->client_in.at, *lf, *end = line + w->client_in.len;
	unsigned code, n;
	char separator, kind;

	/* Whole replies only; all lines of one say the same. */
	while (w->client_in.len > 0 && (lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		*lf = '\0';
		world_check(w, sscanf(line, "%3u%c%c%u", &code, &separator, &kind, &n) == 4, "not a reply: %s", line);
		world_check(w, separator == ' ' || separator == '-', "not a reply: %s", line);
		world_check(w, kind == 'f' || n < w->server_must_count, "an answer to nothing: %s", line);
		if (separator == ' ')
			client_saw(w, kind == 'f' ? n : w->server_must[n].id, code, line + 4);
		line = lf + 1;
	}
	if (w->client_in.len > 0)
		octets_use(&w->client_in, (size_t)(line - w->client_in.at));
}

/* A reply to thing k: of one line or more, sometimes longer than the dialogue's limit. */
static void
server_says(struct world *w, unsigned k, unsigned code)
{
	char line[400], filler[300];
	int len;

	memset(filler, 'y', sizeof filler);
	filler[code / 100 != 3 && chance(w, 10) ? sizeof filler - 1 : roll(w, 20)] = '\0';
	for (unsigned n = chance(w, 80) ? 0 : roll(w, 4); n > 0; n--) {
		len = snprintf(line, sizeof line, "%03u-k%u %s\r\n", code, k, n % 2 ? filler : "");
		octets_add(&w->server_out, line, (size_t)len);
	}
	len = snprintf(line, sizeof line, "%03u k%u %s\r\n", code, k, filler);
	octets_add(&w->server_out, line, (size_t)len);
}

void
server_greets(struct world *w)
{
	server_must_get(w, 0, SMTP_VERB_UNKNOWN, "", 0);
	client_must_see(w, 0, SMTP_VERB_UNKNOWN, false);
	server_says(w, w->server_got++, chance(w, 90) ? 220 : 554);
}

static void
server_answers_content(struct world *w, unsigned k)
{
	unsigned replies = w->lmtp && w->server_accepted > 1 ? w->server_accepted : 1;

	w->server_accepted = 0;
	while (replies-- > 0)
		server_says(w, k, chance(w, 70) ? 250 : 452);
}

/* What it got is what the model says that it gets now. */
static struct server_must *
server_gets(struct world *w, const char *text, size_t len)
{
	struct server_must *m = &w->server_must[w->server_got];

	world_check(w, w->server_got < w->server_must_count, "the server got more than was forwarded: %.*s", (int)len, text);
	world_check(w, m->text.len == len && (len == 0 || memcmp(m->text.at, text, len) == 0),
	    "the server got \"%.*s\" instead of \"%.*s\"", (int)len, text, (int)m->text.len, m->text.at);
	w->server_got++;
	return m;
}

static void
server_answers(struct world *w, unsigned k, enum smtp_verb verb)
{
	unsigned code = chance(w, 75) ? 250 : 550;

	if (verb == SMTP_DATA)
		code = chance(w, 75) ? 354 : 554;
	else if (verb == SMTP_AUTH)
		code = chance(w, 50) ? 334 : chance(w, 50) ? 235 : 535;
	else if (verb == SMTP_RSET || verb == SMTP_LHLO)
		code = 250;
	if (verb == SMTP_RCPT)
		w->server_accepted += code == 250;
	else if (code == 250 && (verb == SMTP_MAIL || verb == SMTP_RSET || verb == SMTP_LHLO))
		w->server_accepted = 0;
	w->server_state = code == 354 ? SERVER_READS_CONTENT : code == 334 ? SERVER_READS_AUTH : SERVER_READS_COMMANDS;
	server_says(w, k, code);
}

static bool
server_reads_line(struct world *w)
{
	char *lf = w->server_in.len > 0 ? memchr(w->server_in.at, '\n', w->server_in.len) : NULL;
	struct server_must *m;
	unsigned k = w->server_got;
	size_t len;

	if (lf == NULL)
		return false;
	len = (size_t)(lf - w->server_in.at);
	world_check(w, len > 0 && lf[-1] == '\r', "a line without CRLF");
	m = server_gets(w, w->server_in.at, len - 1);
	octets_use(&w->server_in, len + 1);
	if (m->verb == SMTP_BDAT) {
		w->chunk_left = strtoul(m->text.at + 5, NULL, 10);
		w->chunk_last = m->text.at[m->text.len - 1] == 'T';
		w->chunk = k;
		w->server_content.len = 0;
		w->server_state = SERVER_READS_CHUNK;
		/* Some servers refuse before they have read it. */
		w->chunk_answered = !w->lmtp && chance(w, 15);
		if (w->chunk_answered)
			server_says(w, k, 552);
		return true;
	}
	server_answers(w, k, m->verb);
	return true;
}

static void
server_compares(struct world *w, const struct server_must *m)
{
	world_check(w, m->content.len == w->server_content.len &&
	    (m->content.len == 0 || memcmp(m->content.at, w->server_content.at, m->content.len) == 0),
	    "the content of %u is not what the client sent", m->id);
	w->server_content.len = 0;
	w->server_state = SERVER_READS_COMMANDS;
}

static bool
server_reads_chunk(struct world *w)
{
	size_t n = w->server_in.len < w->chunk_left ? w->server_in.len : w->chunk_left;

	octets_move(&w->server_in, &w->server_content, n);
	w->chunk_left -= n;
	if (w->chunk_left > 0)
		return false;
	server_compares(w, &w->server_must[w->chunk]);
	if (w->chunk_answered)
		return true;
	if (w->chunk_last)
		server_answers_content(w, w->chunk);
	else
		server_says(w, w->chunk, chance(w, 80) ? 250 : 503);
	return true;
}

/* The end of data is CRLF.CRLF; the CRLF before it may be that of DATA itself. */
static bool
server_reads_content(struct world *w)
{
	struct octets *content = &w->server_content;
	struct server_must *m;
	bool end;

	while (w->server_in.len > 0) {
		octets_move(&w->server_in, content, 1);
		end = content->len >= 3 && memcmp(content->at + content->len - 3, ".\r\n", 3) == 0 &&
		    (content->len == 3 || (content->len >= 5 && memcmp(content->at + content->len - 5, "\r\n", 2) == 0));
		if (!end)
			continue;
		content->len -= 3;
		m = &w->server_must[w->server_got];
		world_check(w, w->server_got < w->server_must_count && m->is_content, "an end of content that was not forwarded");
		server_compares(w, m);
		server_answers_content(w, w->server_got++);
		return true;
	}
	return false;
}

void
server_reads(struct world *w)
{
	bool again = true;

	while (again && chance(w, 80)) {
		switch (w->server_state) {
		case SERVER_READS_COMMANDS:
		case SERVER_READS_AUTH:
			again = server_reads_line(w);
			break;
		case SERVER_READS_CONTENT:
			again = server_reads_content(w);
			break;
		case SERVER_READS_CHUNK:
			again = server_reads_chunk(w);
			break;
		}
	}
}
