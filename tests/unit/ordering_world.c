/* SPDX-License-Identifier: MIT */
/* The model's lists, chance, and octets; the two ends are in ordering_ends.c. */
#include "tests/unit/ordering_world.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
octets_add(struct octets *o, const char *at, size_t len)
{
	if (o->len + len > o->room) {
		o->room = 2 * (o->len + len);
		o->at = realloc(o->at, o->room);
	}
	if (len > 0)
		memcpy(o->at + o->len, at, len);
	o->len += len;
}

void
octets_use(struct octets *o, size_t n)
{
	if (n < o->len)
		memmove(o->at, o->at + n, o->len - n);
	o->len -= n;
}

void
octets_move(struct octets *from, struct octets *to, size_t n)
{
	octets_add(to, from->at, n);
	octets_use(from, n);
}

/* SplitMix64: each seed its own sequence, the same everywhere. */
unsigned
roll(struct world *w, unsigned sides)
{
	uint64_t z = w->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ z >> 31) % sides);
}

bool
chance(struct world *w, unsigned percent)
{
	return roll(w, 100) < percent;
}

void
world_init(struct world *w, unsigned seed)
{
	memset(w, 0, sizeof *w);
	w->seed = seed;
	w->random = seed;
	w->lmtp = chance(w, 30);
	w->budget = 3 + roll(w, 30);
}

void
world_clear(struct world *w)
{
	for (unsigned i = 0; i < w->said_count; i++)
		free(w->said[i].text.at);
	for (unsigned i = 0; i < w->server_must_count; i++) {
		free(w->server_must[i].text.at);
		free(w->server_must[i].content.at);
	}
	free(w->client_out.at);
	free(w->client_in.at);
	free(w->glued.at);
	free(w->server_in.at);
	free(w->server_out.at);
	free(w->server_content.at);
}

void
world_fail(const struct world *w, const char *condition, const char *file, int line, const char *format, ...)
{
	char text[1000];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	ck_abort_msg("%s:%d: %s: %s; again with SMTPSCOPE_SEED=%u", file, line, condition, text, w->seed);
	abort();
}

struct server_must *
server_must_get(struct world *w, unsigned id, enum smtp_verb verb, const char *text, size_t len)
{
	struct server_must *m = &w->server_must[w->server_must_count++];

	world_check(w, w->server_must_count < WORLD_THINGS, "the world is too small");
	m->id = id;
	m->verb = verb;
	octets_add(&m->text, text, len);
	return m;
}

struct client_must *
client_must_see(struct world *w, unsigned id, enum smtp_verb verb, bool is_content)
{
	struct client_must *m = &w->client_must[w->client_must_count++];

	world_check(w, w->client_must_count < WORLD_THINGS, "the world is too small");
	m->id = id;
	m->verb = verb;
	m->is_content = is_content;
	m->replies = is_content && w->lmtp ? -1 : 1;
	return m;
}

struct client_must *
client_must_find(struct world *w, unsigned id)
{
	for (unsigned i = 0; i < w->client_must_count; i++)
		if (w->client_must[i].id == id)
			return &w->client_must[i];
	return NULL;
}

unsigned
world_finals_owed(const struct world *w, unsigned column)
{
	return w->lmtp && w->recipient_count[column] > 1 ? w->recipient_count[column] : 1;
}

void
world_answered(struct world *w, unsigned column, unsigned id, enum smtp_verb verb, bool is_content, unsigned code)
{
	unsigned *count = &w->recipient_count[column];

	if (is_content) {
		if (++w->finals[column] == world_finals_owed(w, column))
			w->finals[column] = *count = 0;
		return;
	}
	if (code / 100 != 2)
		return;
	switch (verb) {
	case SMTP_RCPT:
		w->recipients[column][(*count)++] = id;
		break;
	case SMTP_MAIL:
	case SMTP_RSET:
	case SMTP_HELO:
	case SMTP_EHLO:
	case SMTP_LHLO:
		*count = 0;
		break;
	default:
		break;
	}
}
