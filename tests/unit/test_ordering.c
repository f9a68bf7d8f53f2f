/* SPDX-License-Identifier: MIT */
/*
 * Law of the one queue, without a socket: random dialogues with random fates. This file
 * does with a dialogue what a session does, and lets chance be the rules; whether both
 * ends then see what they must is for ordering_world.c to say.
 *
 * SMTPSCOPE_SEED=n runs one seed, SMTPSCOPE_LONG=1 a hundred thousand.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "decoders/smtp/dialogue.h"
#include "tests/unit/ordering_world.h"

/* What became of a command, kept with its exchange. */
struct note {
	unsigned id;
	unsigned forged;        /* code of the reply that a rule gives; 0: none */
	bool     kept;          /* the server does not see it */
	bool     own_chunk;     /* a chunk of the proxy's, which the client does not hear of */
	unsigned left;          /* how often the dialogue gave it back */
};

/* Where the octets of the content at hand go. */
enum way { WAY_ON, WAY_SWALLOWED, WAY_WITHHELD };

struct proxy {
	struct world         w;
	struct smtp_dialogue d;
	struct note          notes[WORLD_THINGS];
	unsigned             note_count;
	struct octets        kept[2];           /* offered and not used yet */
	bool                 held[2];           /* a unit waits for its verdict */
	struct smtp_unit     unit[2];
	bool                 rest_on[2];        /* the rest of a cut unit goes on */
	bool                 in_rest;
	bool                 gone;              /* the server */
	enum way             way;
	size_t               content_len;       /* seen of the content at hand */
	size_t               chunk_len;         /* its length, if it is a chunk */
	bool                 in_chunk;
	unsigned             chunk_id;          /* of its BDAT */
	struct said         *chunk;
	struct octets        withheld;
	struct server_must  *content_must;
	bool                 auth_kept;         /* the AUTH at hand is ours alone */
	uint64_t             now_us;
};

static void
leaves(void *owner, struct smtp_exchange *e)
{
	struct proxy *p = owner;

	if (e->note != NULL) {
		world_check(&p->w, ((struct note *)e->note)->left == 0, "a note given back twice");
		((struct note *)e->note)->left++;
	}
}

static struct note *
note_new(struct proxy *p, unsigned id, unsigned forged)
{
	struct note *note = &p->notes[p->note_count++];

	world_check(&p->w, p->note_count < WORLD_THINGS, "the world is too small");
	*note = (struct note){.id = id, .forged = forged};
	return note;
}

/* The client is told a code for a thing: the model counts, and the client may decide. */
static void
told(struct proxy *p, unsigned id, unsigned code)
{
	struct client_must *m = client_must_find(&p->w, id);

	world_check(&p->w, m != NULL, "a reply for %u, which is owed none", id);
	if (m->replies == -1)
		m->replies = (int)world_finals_owed(&p->w, 0);
	world_answered(&p->w, 0, id, m->verb, m->is_content, code);
	if (m->verb == SMTP_DATA && !m->is_content) {
		p->in_chunk = false;
		p->content_len = 0;
	}
	client_decided(&p->w, id, code);
}

static void
forge(struct proxy *p, struct smtp_exchange *e, unsigned code)
{
	struct note *note = e->note;
	char line[60];
	int len = snprintf(line, sizeof line, "%03u f%u forged\r\n", code, note->id);

	octets_add(&p->w.client_in, line, (size_t)len);
	/* What the server did not open, it does not get; nor a line of an AUTH that it does not know. */
	if (e->kind == SMTP_COMMAND && e->verb == SMTP_DATA && code / 100 == 3)
		p->way = WAY_SWALLOWED;
	if (e->kind == SMTP_COMMAND && e->verb == SMTP_AUTH)
		p->auth_kept = true;
	told(p, note->id, code);
	smtp_dialogue_answered(&p->d, e->serial, (uint16_t)code);
}

static void
turns(struct proxy *p)
{
	struct smtp_exchange *e;

	while ((e = smtp_dialogue_turn(&p->d)) != NULL) {
		struct note *note = e->note;
		unsigned code = note->forged != 0 ? note->forged : p->gone ? 421 : 0;

		/* LMTP: a recipient whom the server does not know. */
		if (code == 0 && p->w.lmtp && e->kind == SMTP_CONTENT_DONE)
			code = 451;
		world_check(&p->w, code != 0, "a turn for %u that nobody forged", note->id);
		world_check(&p->w, !p->in_chunk || note->id != p->chunk_id || p->content_len == p->chunk_len,
		    "a turn for %u inside its chunk", note->id);
		forge(p, e, code);
	}
}

/* Not inside a reply that was cut: the client would see half of it. */
static bool
server_is_between_replies(const struct proxy *p)
{
	return !p->in_rest && !(p->held[SMTP_SERVER] && (p->unit[SMTP_SERVER].marks & SMTP_MARK_CUT));
}

/* The server's connection ends; what it has said and what is not decoded is lost. */
static void
server_goes(struct proxy *p)
{
	size_t held = p->held[SMTP_SERVER] ? p->unit[SMTP_SERVER].wire.len : 0;

	if (p->gone)
		return;
	p->gone = true;
	p->w.server_in.len = p->w.server_out.len = 0;
	p->kept[SMTP_SERVER].len = held;
	p->withheld.len = 0;
	if (p->way == WAY_WITHHELD)
		p->way = WAY_SWALLOWED;
	smtp_dialogue_server_gone(&p->d);
}

static void
to_server(struct proxy *p, const char *at, size_t len)
{
	if (!p->gone)
		octets_add(p->way == WAY_WITHHELD ? &p->withheld : &p->w.server_in, at, len);
}

static void
insert(struct proxy *p)
{
	enum smtp_verb verb = chance(&p->w, 70) ? SMTP_NOOP : SMTP_RSET;
	struct view text = smtp_verb_entry(verb)->name;
	unsigned id = INSERTED + p->w.server_must_count;

	server_must_get(&p->w, id, verb, text.at, text.len);
	to_server(p, text.at, text.len);
	to_server(p, "\r\n", 2);
	smtp_dialogue_inserted(&p->d, verb, p->now_us, note_new(p, id, 0));
}

static void
aside(struct proxy *p)
{
	unsigned id = INSERTED + WORLD_THINGS + p->note_count;

	client_must_see(&p->w, id, SMTP_VERB_UNKNOWN, false);
	smtp_dialogue_aside(&p->d, note_new(p, id, 299));
}

static unsigned
forged_code(struct proxy *p, enum smtp_verb verb)
{
	if (verb == SMTP_DATA)
		return chance(&p->w, 60) ? 354 : 452;
	if (verb == SMTP_AUTH)
		return chance(&p->w, 50) ? 334 : chance(&p->w, 50) ? 235 : 535;
	return chance(&p->w, 60) ? 250 : 550;
}

/* A command's fate, and what else a rule does at it. */
static struct smtp_fate
command_fate(struct proxy *p, const struct said *s)
{
	struct smtp_fate fate = {.forwarded = true, .owed = true, .time_us = p->now_us};
	unsigned n = roll(&p->w, 100);

	if (s->verb == SMTP_LHLO && !p->gone)
		return fate;
	if (n < 8 && !p->gone)
		insert(p);
	else if (n < 13)
		aside(p);
	else if (n < 22 && s->verb != SMTP_LHLO) {
		fate.forwarded = fate.owed = false;
		return fate;
	}
	fate.forwarded = !p->gone && !chance(&p->w, 25);
	return fate;
}

static void
chunk_begins(struct proxy *p, const struct smtp_unit *unit, const struct smtp_fate *fate)
{
	bool is_last = unit->as.command.chunk_last;

	p->content_len = 0;
	p->in_chunk = true;
	p->chunk_len = unit->as.command.chunk;
	p->chunk_id = p->w.said[p->w.decoded - 1].id;
	p->chunk = p->chunk_len > 0 || is_last ? client_next(&p->w) : NULL;
	if (!fate->forwarded)
		p->way = WAY_SWALLOWED;
	else if (is_last && chance(&p->w, 30))
		p->way = WAY_WITHHELD;
	else
		p->way = WAY_ON;
}

static void
command_settles(struct proxy *p, const struct smtp_unit *unit, struct said *s)
{
	struct smtp_fate fate = command_fate(p, s);
	bool is_last_chunk = s->verb == SMTP_BDAT && unit->as.command.chunk_last;
	struct smtp_exchange *e;
	struct note *note = NULL;

	if (fate.forwarded || fate.owed)
		fate.note = note = note_new(p, s->id, fate.forwarded ? 0 : forged_code(p, s->verb));
	p->way = WAY_ON;
	if (s->verb == SMTP_BDAT)
		chunk_begins(p, unit, &fate);
	if (fate.forwarded) {
		p->content_must = server_must_get(&p->w, s->id, s->verb, s->text.at, s->text.len);
		p->content_must->is_content = is_last_chunk;
		to_server(p, unit->wire.at, unit->wire.len);
	}
	p->rest_on[SMTP_CLIENT] = fate.forwarded;
	if (fate.owed)
		client_must_see(&p->w, s->id, s->verb, is_last_chunk);
	p->auth_kept = !fate.forwarded;
	e = smtp_dialogue_settle(&p->d, SMTP_CLIENT, &fate);
	world_check(&p->w, (e != NULL) == (fate.forwarded || fate.owed), "an exchange or none for %u", s->id);
	world_check(&p->w, e == NULL || e->note == note, "the exchange of another");
	if (!fate.owed)
		client_decided(&p->w, s->id, 0);
}

/* The chunk that is withheld will not be the server's any more. */
static void
take_back(struct proxy *p)
{
	p->withheld.len = 0;
	free(p->content_must->text.at);
	free(p->content_must->content.at);
	memset(p->content_must, 0, sizeof *p->content_must);
	p->w.server_must_count--;
}

/* A chunk of the proxy's own, in front of the one that is withheld. */
static void
own_chunk(struct proxy *p)
{
	struct world *w = &p->w;
	struct server_must last = w->server_must[--w->server_must_count];
	unsigned id = INSERTED + WORLD_THINGS + p->note_count;
	struct note *note = note_new(p, id, 0);

	memset(&w->server_must[w->server_must_count], 0, sizeof last);
	octets_add(&server_must_get(w, id, SMTP_BDAT, "BDAT 3", 6)->content, "abc", 3);
	octets_add(&w->server_in, "BDAT 3\r\nabc", 11);
	p->content_must = &w->server_must[w->server_must_count++];
	*p->content_must = last;
	world_check(w, smtp_dialogue_inserted_chunk(&p->d, p->now_us, note) != NULL, "no chunk can be inserted");
	note->own_chunk = true;
}

/* The server refuses it: that is what the client is told of its own, of which the rest is swallowed. */
static void
own_chunk_answered(struct proxy *p, unsigned code)
{
	struct smtp_exchange *e;

	if (code < 400 || p->way != WAY_WITHHELD || chance(&p->w, 40))
		return;
	e = smtp_dialogue_chunk_unsent(&p->d);
	world_check(&p->w, e != NULL && ((struct note *)e->note)->id == p->chunk_id, "another chunk is not sent");
	((struct note *)e->note)->forged = code;
	take_back(p);
	p->way = WAY_SWALLOWED;
}

static void
content_settles(struct proxy *p, const struct smtp_unit *unit)
{
	struct smtp_fate fate = {.forwarded = p->way != WAY_SWALLOWED && !p->gone, .time_us = p->now_us};
	struct said *s = p->in_chunk ? p->chunk : &p->w.said[p->w.decoded];

	world_check(&p->w, p->in_chunk || p->w.decoded < p->w.said_count, "content that the client did not send");
	world_check(&p->w, s != NULL && s->is_content && p->content_len + unit->wire.len <= s->text.len &&
	    memcmp(s->text.at + p->content_len, unit->wire.at, unit->wire.len) == 0, "other content than was sent");
	p->content_len += unit->wire.len;
	if (p->way == WAY_WITHHELD && !p->gone && chance(&p->w, 30))
		own_chunk(p);
	if (fate.forwarded) {
		if (p->in_chunk)
			octets_add(&p->content_must->content, unit->wire.at, unit->wire.len);
		to_server(p, unit->wire.at, unit->wire.len);
	}
	smtp_dialogue_settle(&p->d, SMTP_CLIENT, &fate);
}

/* The last chunk goes on at last, or is taken back by a RSET. */
static void
last_chunk_settles(struct proxy *p, struct smtp_fate *fate)
{
	struct smtp_exchange *e;
	bool taken_back = p->way == WAY_WITHHELD && chance(&p->w, 50);
	unsigned code = forged_code(p, SMTP_BDAT);

	fate->forwarded = p->way != WAY_SWALLOWED && !taken_back && !p->gone;
	if (p->way == WAY_WITHHELD && !taken_back) {
		octets_add(&p->w.server_in, p->withheld.at, p->withheld.len);
		p->withheld.len = 0;
	}
	e = smtp_dialogue_settle(&p->d, SMTP_CLIENT, fate);
	p->way = WAY_ON;
	if (!taken_back)
		return;
	((struct note *)e->note)->forged = code;
	/* It never was the server's: RSET has its number. */
	take_back(p);
	insert(p);
}

static void
content_end_settles(struct proxy *p, const struct smtp_unit *unit)
{
	struct smtp_fate fate = {.owed = true, .time_us = p->now_us};
	struct said *s = p->in_chunk ? p->chunk : client_next(&p->w);

	world_check(&p->w, s->is_content && p->content_len == s->text.len, "content of %zu octets ends behind %zu",
	    s->text.len, p->content_len);
	if (p->in_chunk) {
		last_chunk_settles(p, &fate);
		return;
	}
	fate.forwarded = p->way == WAY_ON && !p->gone && !(server_is_between_replies(p) && chance(&p->w, 5));
	/* The server is left inside the content: it discards the message. */
	if (!fate.forwarded && p->way == WAY_ON)
		server_goes(p);
	if (fate.forwarded) {
		struct server_must *m = server_must_get(&p->w, s->id, SMTP_DATA, "", 0);

		m->is_content = true;
		octets_add(&m->content, s->text.at, s->text.len);
		to_server(p, unit->wire.at, unit->wire.len);
	}
	client_must_see(&p->w, s->id, SMTP_DATA, true);
	fate.note = note_new(p, s->id, fate.forwarded ? 0 : forged_code(p, SMTP_BDAT));
	smtp_dialogue_settle(&p->d, SMTP_CLIENT, &fate);
	p->way = WAY_ON;
}

static void
auth_line_settles(struct proxy *p, const struct smtp_unit *unit, const struct said *s)
{
	struct smtp_exchange *e = smtp_dialogue_unsettled(&p->d, SMTP_CLIENT);
	struct smtp_fate fate = {.forwarded = !p->auth_kept && !p->gone, .owed = true, .time_us = p->now_us};
	struct note *note;

	world_check(&p->w, e != NULL && e->verb == SMTP_AUTH, "a line of no AUTH");
	note = e->note;
	note->forged = fate.forwarded ? 0 : forged_code(p, SMTP_AUTH);
	if (fate.forwarded) {
		server_must_get(&p->w, note->id, SMTP_AUTH, s->text.at, s->text.len);
		to_server(p, unit->wire.at, unit->wire.len);
	}
	smtp_dialogue_settle(&p->d, SMTP_CLIENT, &fate);
}

static bool
is_line_of(const struct smtp_unit *unit, const struct said *s)
{
	struct view text = smtp_line_text(unit->wire);

	if (unit->marks & SMTP_MARK_CUT)
		return s->text.len > text.len && memcmp(s->text.at, text.at, text.len) == 0;
	return s->text.len == text.len && (text.len == 0 || memcmp(s->text.at, text.at, text.len) == 0);
}

static void
client_unit_settles(struct proxy *p, const struct smtp_unit *unit)
{
	struct smtp_fate fate = {.forwarded = true, .time_us = p->now_us};
	struct said *s;

	switch (unit->type) {
	case SMTP_UNIT_COMMAND:
	case SMTP_UNIT_AUTH_LINE:
		s = client_next(&p->w);
		world_check(&p->w, !s->is_content && is_line_of(unit, s), "\"%.*s\" instead of \"%.*s\"",
		    (int)unit->wire.len, unit->wire.at, (int)s->text.len, s->text.at);
		world_check(&p->w, s->is_auth_line == (unit->type == SMTP_UNIT_AUTH_LINE), "%u is misread", s->id);
		if (s->is_auth_line)
			auth_line_settles(p, unit, s);
		else
			command_settles(p, unit, s);
		break;
	case SMTP_UNIT_CONTENT:
		content_settles(p, unit);
		break;
	case SMTP_UNIT_CONTENT_END:
		content_end_settles(p, unit);
		break;
	default:
		world_check(&p->w, unit->type == SMTP_UNIT_REST, "a unit of type %d", unit->type);
		if (p->rest_on[SMTP_CLIENT])
			to_server(p, unit->wire.at, unit->wire.len);
		smtp_dialogue_settle(&p->d, SMTP_CLIENT, &fate);
		break;
	}
}

/* LMTP: which of the server's final replies is the client's, and who gets none before it. */
static bool
lmtp_final(struct proxy *p, struct smtp_exchange *e)
{
	struct world *w = &p->w;
	unsigned rcpt, serial = 0;

	if (w->recipient_count[0] == 0)
		return w->finals[1] == 0;
	if (w->recipient_count[1] == 0)
		return false;
	rcpt = w->recipients[1][w->finals[1]];
	while (w->recipient_count[0] > 0 && w->recipients[0][w->finals[0]] < rcpt && serial != w->finals[0] + 1) {
		/* Recipients of earlier transactions may still be the server's: they never are the client's. */
		serial = w->finals[0] + 1;
		forge(p, e, 451);
	}
	return w->recipient_count[0] > 0 && w->recipients[0][w->finals[0]] == rcpt;
}

static struct smtp_fate
reply_fate(struct proxy *p, const struct smtp_unit *unit, struct smtp_exchange *e)
{
	struct smtp_fate fate = {.forwarded = true, .time_us = p->now_us};
	struct note *note = e->note;
	unsigned n = roll(&p->w, 100);
	bool is_cut = unit->marks & SMTP_MARK_CUT;

	if (e->by_proxy || e->client_is_owed == 0) {
		fate.forwarded = false;
	} else if (e->kind == SMTP_CONTENT_DONE && p->w.lmtp) {
		fate.forwarded = lmtp_final(p, e);
		fate.owed = true;
	} else if (e->verb == SMTP_LHLO || n < 75) {
		;
	} else if (n < 85 && !is_cut) {
		fate.code = (uint16_t)forged_code(p, e->kind == SMTP_COMMAND ? e->verb : SMTP_BDAT);
	} else if (n < 92 && !is_cut) {
		fate.forwarded = false;
		fate.owed = true;
		note->forged = forged_code(p, e->kind == SMTP_COMMAND ? e->verb : SMTP_BDAT);
	} else {
		fate.forwarded = false;
	}
	return fate;
}

/* What the client is told of a reply, and where the two now disagree. */
static void
reply_told(struct proxy *p, const struct smtp_unit *unit, struct smtp_exchange *e, const struct smtp_fate *fate,
    unsigned k)
{
	unsigned said = unit->as.reply.code, code = fate->code != 0 ? fate->code : said;
	struct note *note = e->note;
	char line[60];

	if (e->kind == SMTP_COMMAND && !e->by_proxy && e->client_is_owed > 0 &&
	    (e->verb == SMTP_DATA || e->verb == SMTP_AUTH)) {
		bool opened = said / 100 == 3, open = fate->forwarded && code / 100 == 3;

		if (e->verb == SMTP_DATA)
			p->way = opened ? WAY_ON : WAY_SWALLOWED;
		else
			p->auth_kept = !opened;
		if (opened && !open)
			server_goes(p);
	}
	if (e->by_proxy || e->client_is_owed == 0)
		return;
	if (fate->forwarded) {
		if (fate->code != 0) {
			int len = snprintf(line, sizeof line, "%03u k%u\r\n", code, k);

			octets_add(&p->w.client_in, line, (size_t)len);
		} else {
			octets_add(&p->w.client_in, unit->wire.at, unit->wire.len);
		}
		told(p, note->id, code);
	} else if (!fate->owed) {
		client_must_find(&p->w, note->id)->replies--;
		client_decided(&p->w, note->id, 0);
	}
}

static void
reply_settles(struct proxy *p, const struct smtp_unit *unit)
{
	struct smtp_exchange *e = smtp_dialogue_unsettled(&p->d, SMTP_SERVER);
	const struct server_must *m;
	struct smtp_fate fate;
	struct note *note;
	unsigned code, k;
	char start[20] = "";

	memcpy(start, unit->wire.at, unit->wire.len < sizeof start ? unit->wire.len : sizeof start - 1);
	world_check(&p->w, sscanf(start, "%3u%*ck%u", &code, &k) == 2 && k < p->w.server_must_count, "what is %s?", start);
	m = &p->w.server_must[k];
	world_check(&p->w, e != NULL, "a reply to %u is paired with nothing", m->id);
	note = e->note;
	world_check(&p->w, note->id == m->id, "a reply to %u is paired with %u", m->id, note->id);
	world_check(&p->w, unit->as.reply.code == code, "a code of %u is %u", code, unit->as.reply.code);
	fate = reply_fate(p, unit, e);
	world_answered(&p->w, 1, m->id, m->verb, m->is_content, code);
	p->rest_on[SMTP_SERVER] = fate.forwarded;
	reply_told(p, unit, e, &fate, k);
	if (note->own_chunk)
		own_chunk_answered(p, code);
	smtp_dialogue_settle(&p->d, SMTP_SERVER, &fate);
}

static void
server_unit_settles(struct proxy *p, const struct smtp_unit *unit)
{
	struct smtp_fate fate = {.forwarded = p->rest_on[SMTP_SERVER], .time_us = p->now_us};

	if (unit->type == SMTP_UNIT_REPLY) {
		p->in_rest = unit->marks & SMTP_MARK_CUT;
		reply_settles(p, unit);
		return;
	}
	world_check(&p->w, unit->type == SMTP_UNIT_REST, "a unit of type %d", unit->type);
	p->in_rest = !unit->last;
	if (fate.forwarded)
		octets_add(&p->w.client_in, unit->wire.at, unit->wire.len);
	smtp_dialogue_settle(&p->d, SMTP_SERVER, &fate);
}

static void
settle(struct proxy *p, enum smtp_side from)
{
	struct smtp_unit *unit = &p->unit[from];
	size_t len = unit->wire.len;

	unit->wire.at = p->kept[from].at;
	if (from == SMTP_CLIENT)
		client_unit_settles(p, unit);
	else
		server_unit_settles(p, unit);
	p->held[from] = false;
	octets_use(&p->kept[from], len);
	turns(p);
}

static void
feed(struct proxy *p, enum smtp_side from)
{
	struct octets *kept = &p->kept[from];

	while (smtp_dialogue_feed(&p->d, from, kept->at, kept->len, ++p->now_us, &p->unit[from])) {
		world_check(&p->w, !p->held[from], "a unit while another waits");
		p->held[from] = true;
		if (chance(&p->w, 10))
			return;
		settle(p, from);
	}
}

static void
deliver(struct proxy *p, enum smtp_side from)
{
	struct octets *sent = from == SMTP_CLIENT ? &p->w.client_out : &p->w.server_out;
	size_t n = sent->len > 0 ? 1 + roll(&p->w, chance(&p->w, 50) ? (unsigned)sent->len : 5) : 0;

	octets_move(sent, &p->kept[from], n < sent->len ? n : sent->len);
	feed(p, from);
}

static bool
is_over(const struct proxy *p)
{
	const struct world *w = &p->w;

	return w->budget == 0 && w->waits_for == 0 && w->client_out.len == 0 && w->client_in.len == 0 &&
	    w->server_in.len == 0 && w->server_out.len == 0 && p->kept[0].len == 0 && p->kept[1].len == 0 &&
	    !p->held[0] && !p->held[1] && w->decoded == w->said_count &&
	    (p->gone || w->server_state != SERVER_READS_CHUNK);
}

static void
one_thing_happens(struct proxy *p, bool server_may_go)
{
	enum smtp_side side;

	switch (roll(&p->w, 8)) {
	case 0:
		client_talks(&p->w);
		break;
	case 1:
	case 2:
		deliver(p, SMTP_CLIENT);
		break;
	case 3:
	case 4:
		deliver(p, SMTP_SERVER);
		break;
	case 5:
		if (!p->gone)
			server_reads(&p->w);
		break;
	case 6:
		client_reads(&p->w);
		break;
	default:
		side = roll(&p->w, 2);
		if (p->held[side]) {
			settle(p, side);
			feed(p, side);
		} else if (server_may_go && server_is_between_replies(p) && p->w.lmtp == p->d.lmtp && chance(&p->w, 2)) {
			server_goes(p);
			turns(p);
		}
		break;
	}
}

static void
must_be_over(struct proxy *p)
{
	struct world *w = &p->w;

	world_check(w, p->d.queue.count == 0, "%u exchanges are left", p->d.queue.count);
	world_check(w, !smtp_dialogue_client_is_owed(&p->d) && !smtp_dialogue_server_owes(&p->d), "somebody is owed");
	world_check(w, p->gone || w->server_got == w->server_must_count, "the server got %u of %u", w->server_got,
	    w->server_must_count);
	for (unsigned i = 0; i < w->client_must_count; i++)
		world_check(w, w->client_must[i].replies == 0, "%u still waits", w->client_must[i].id);
	for (unsigned i = 0; i < p->note_count; i++)
		world_check(w, p->notes[i].left == 1, "the note of %u is not back", p->notes[i].id);
}

static void
run(unsigned seed)
{
	struct proxy *p = calloc(1, sizeof *p);
	struct smtp_limits limits = {.max_line = 128};
	bool server_may_go;

	world_init(&p->w, seed);
	limits.max_pending = 1 + roll(&p->w, 40);
	server_may_go = chance(&p->w, 30);
	smtp_dialogue_init(&p->d, &limits, p->w.lmtp && chance(&p->w, 50));
	p->d.leaves = leaves;
	p->d.owner = p;
	smtp_queue_nth(&p->d.queue, 0)->note = note_new(p, 0, 0);
	server_greets(&p->w);
	for (unsigned n = 0; !is_over(p); n++) {
		world_check(&p->w, n < 200000, "nothing happens any more");
		one_thing_happens(p, server_may_go);
	}
	must_be_over(p);
	smtp_dialogue_clear(&p->d);
	world_clear(&p->w);
	free(p->kept[0].at);
	free(p->kept[1].at);
	free(p->withheld.at);
	free(p);
}

START_TEST(both_ends_see_what_they_must)
{
	const char *seed = getenv("SMTPSCOPE_SEED"), *large = getenv("SMTPSCOPE_LONG");
	unsigned seeds = large != NULL && *large != '\0' ? 100000 : 5000;

	if (seed != NULL) {
		run((unsigned)strtoul(seed, NULL, 10));
		return;
	}
	for (unsigned n = 1; n <= seeds; n++)
		run(n);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ordering");
	TCase *tcase = tcase_create("ordering");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 1200);
	tcase_add_test(tcase, both_ends_see_what_they_must);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
