/* SPDX-License-Identifier: MIT */
/*
 * What a connection is, told from its first octets, which are kept until then and told to the
 * session in the order in which they came. What begins with TLS is looked into where there
 * are keys.
 */
#include <stddef.h>
#include <string.h>

#include "decoders/net/preface.h"
#include "decoders/smtp/recognise.h"

#include "proxy/captures/conversation_state.h"

/* Octets, or a gap or end, in the order in which they came, while it is not known what they are. */
struct start_record {
	uint64_t             time_us;
	enum stream_news_type type;
	uint8_t              end;
	uint64_t             count;     /* octets of the end's start, or of a gap */
};

struct starting {
	size_t               count;             /* of records */
	bool                 gap;               /* what came behind it is no start */
	struct preface       preface;
	size_t               skip[2];           /* octets of each end that are preface */
	/* These stay when it is used again. */
	struct octets        octets[2];
	struct start_record *records;
	size_t               room;
};

#define STARTS_SPARE   16u      /* most are known what they are with their second packet */
#define START_SMALL    1024u    /* octets of one end; what is larger does not stay */
#define RECORDS_SMALL  32u

static struct starting *
starting_new(struct capture_run *run)
{
	bool new = run->starts.first == NULL;
	struct starting *starting = spares_take(&run->starts, sizeof *starting);

	if (new)
		*starting = (struct starting){.records = NULL};
	memset(starting, 0, offsetof(struct starting, octets));
	starting->octets[0].len = starting->octets[1].len = 0;
	return starting;
}

static void
drop_buffers(struct starting *starting)
{
	octets_free(&starting->octets[0]);
	octets_free(&starting->octets[1]);
	free(starting->records);
	starting->records = NULL;
	starting->room = 0;
}

static void
starting_free(struct capture_run *run, struct starting *starting)
{
	if (starting == NULL)
		return;
	if (starting->octets[0].room > START_SMALL || starting->octets[1].room > START_SMALL ||
	    starting->room > RECORDS_SMALL || run->starts.count >= STARTS_SPARE)
		drop_buffers(starting);
	spares_give(&run->starts, starting, sizeof *starting, STARTS_SPARE);
}

void
starts_clear(struct capture_run *run)
{
	while (run->starts.first != NULL) {
		struct starting *starting = spares_take(&run->starts, sizeof *starting);

		drop_buffers(starting);
		free(starting);
	}
}

/* What came is kept, in its order, until it is known what it is. */
static void
record(struct conversation *c, unsigned end, const struct stream_news *news, uint64_t time_us)
{
	struct starting *starting = c->starting;
	struct start_record *last = starting->count > 0 ? &starting->records[starting->count - 1] : NULL;
	bool data = news->type == STREAM_DATA;

	turns_join(c, time_us);
	starting->gap = starting->gap || news->type == STREAM_GAP;
	if (last != NULL && news->type == STREAM_GAP && last->type == STREAM_GAP && last->end == end) {
		last->count += news->count;
		return;
	}
	if (starting->count == starting->room) {
		starting->room = starting->room > 0 ? 2 * starting->room : 8;
		starting->records = must(realloc(starting->records, starting->room * sizeof *starting->records));
	}
	starting->records[starting->count++] = (struct start_record){.time_us = time_us, .type = news->type,
	    .end = (uint8_t)end, .count = data ? news->octets.len : news->count};
	if (data)
		octets_add(&starting->octets[end], news->octets);
}

/* It is SMTP: what came so far is told in the order in which it came. */
void
starting_replay(struct conversation *c)
{
	struct starting *starting = c->starting;
	size_t at[2] = {0, 0};
	bool in_tls = c->state == CONVERSATION_TLS_FIRST;

	c->starting = NULL;
	conversation_begin_session(c, &starting->preface, starting->records[0].time_us);
	if (in_tls) {
		c->secured = true;
		session_secured(c->session, tls_reader_facts(c->tls), starting->records[0].time_us);
	}
	for (size_t i = 0; i < starting->count; i++) {
		const struct start_record *r = &starting->records[i];
		struct stream_news news = {.type = r->type, .count = r->count};

		if (r->type == STREAM_DATA) {
			size_t skip = starting->skip[r->end] < r->count ? starting->skip[r->end] : r->count;

			news.octets = view_from((struct view){starting->octets[r->end].at + at[r->end], r->count}, skip);
			at[r->end] += r->count;
			starting->skip[r->end] -= skip;
			if (news.octets.len == 0)
				continue;
		}
		if (in_tls && r->type == STREAM_DATA && c->session != NULL)
			conversation_feed(c, r->end == c->client ? SMTP_CLIENT : SMTP_SERVER, news.octets, r->time_us);
		else
			conversation_news(c, r->end, &news, r->time_us);
	}
	starting_free(c->run, starting);
}

static void
ignore(struct conversation *c)
{
	starting_free(c->run, c->starting);
	c->starting = NULL;
	conversation_ignore(c);
	c->run->other++;
	turns_leave(c);
}

static bool
is_own_port(const struct capture_run *run, uint16_t port)
{
	for (const uint16_t *p = run->ports; p != NULL && *p != 0; p++)
		if (*p == port)
			return true;
	return false;
}

static void decide(struct conversation *c, bool final);

/* What came may tell what this is, or waits for its turn. */
static void
more_came(struct conversation *c, bool data, uint64_t time_us)
{
	if (c->ready)
		turns_wait(c, c->starting->octets[0].len + c->starting->octets[1].len, time_us);
	else if (data)
		decide(c, false);
}

/* In TLS from its first octet: what was sent in it decides. */
static void
tls_first_octets(struct conversation *c, unsigned end, struct view octets, uint64_t time_us)
{
	struct tls_news news;
	enum tls_side side;

	tls_reader_feed(c->tls, conversation_tls_side(c, end), octets);
	while (c->state != CONVERSATION_IGNORED && tls_reader_next(c->tls, &side, &news)) {
		unsigned sender = side == TLS_CLIENT ? c->client : !c->client;
		struct stream_news inside = {.type = STREAM_DATA, .octets = news.octets};

		if (news.type != TLS_DATA)
			continue;
		if (c->session != NULL) {
			conversation_feed(c, side == TLS_CLIENT ? SMTP_CLIENT : SMTP_SERVER, news.octets, time_us);
			continue;
		}
		record(c, sender, &inside, time_us);
		more_came(c, true, time_us);
	}
}

/* Whether the key log has the connection whose hello is among the first octets: 1, 0, or -1: no hello yet. */
static int
has_keys(struct conversation *c, unsigned client)
{
	struct tls_reader *reader = tls_reader_new(c->run->keylog);
	struct tls_news news;
	enum tls_side side;
	bool hello = false, keys;

	tls_reader_feed(reader, TLS_CLIENT, octets_view(&c->starting->octets[client]));
	while (tls_reader_next(reader, &side, &news))
		hello = hello || news.type != TLS_DATA;
	keys = tls_reader_facts(reader)->known;
	tls_reader_free(reader);
	return keys ? 1 : hello ? 0 : -1;
}

/* The session's own octets begin inside the TLS: the start is read again through it. */
static void
enter_tls(struct conversation *c)
{
	struct starting *outside = c->starting;
	size_t at[2] = {0, 0};

	c->tls = tls_reader_new(c->run->keylog);
	c->tls_tried = true;
	c->state = CONVERSATION_TLS_FIRST;
	c->starting = starting_new(c->run);
	for (size_t i = 0; i < outside->count; i++) {
		const struct start_record *r = &outside->records[i];

		if (r->type != STREAM_DATA)
			continue;
		tls_first_octets(c, r->end, (struct view){outside->octets[r->end].at + at[r->end], r->count}, r->time_us);
		at[r->end] += r->count;
	}
	starting_free(c->run, outside);
}

static void
decide_tls(struct conversation *c, bool a_is_client, bool expected, bool final)
{
	int keys = c->run->keylog == NULL ? 0 : has_keys(c, a_is_client ? 0 : 1);

	if (keys < 0 && !final)
		return;
	c->client = a_is_client ? 0 : 1;
	if (keys > 0)
		enter_tls(c);
	else if (expected)
		turns_known(c);
	else
		ignore(c);
}

/* What a proxy or a client of one put in front is stepped over. False: more octets may belong to it. */
static bool
step_over_preface(struct conversation *c)
{
	struct starting *starting = c->starting;
	unsigned client = c->dialled[1] ? 1 : 0;
	struct view said = octets_view(&starting->octets[client]), heard = octets_view(&starting->octets[!client]);
	struct preface *preface = &starting->preface;

	if ((!c->dialled[0] && !c->dialled[1]) || c->state == CONVERSATION_TLS_FIRST)
		return true;
	preface_read(said, heard, preface);
	starting->skip[client] = preface->client_len;
	starting->skip[!client] = preface->server_len;
	return preface->client_len <= said.len && preface->server_len <= heard.len &&
	    !(preface->client_more && said.len > 0) && !(preface->server_more && heard.len > 0);
}

static void
decide(struct conversation *c, bool final)
{
	struct starting *starting = c->starting;
	bool whole = step_over_preface(c);
	struct smtp_guess_facts facts = {.a = view_from(octets_view(&starting->octets[0]), starting->skip[0]),
	    .b = view_from(octets_view(&starting->octets[1]), starting->skip[1]),
	    .from_start = !c->midstream[0] && !c->midstream[1] && !starting->gap,
	    .a_dialled = c->dialled[0], .b_dialled = c->dialled[1],
	    .a_port = c->ends.port[0], .b_port = c->ends.port[1]};
	bool a_is_client = true;

	if (!whole && !final)
		return;
	/* A port that the user named stands for the ones where SMTP is expected. */
	if (is_own_port(c->run, facts.a_port))
		facts.a_port = 25;
	if (is_own_port(c->run, facts.b_port))
		facts.b_port = 25;
	switch (smtp_recognise(&facts, &a_is_client)) {
	case SMTP_GUESS_YES:
		if (c->state != CONVERSATION_TLS_FIRST)
			c->client = a_is_client ? 0 : 1;
		turns_known(c);
		return;
	case SMTP_GUESS_TLS:
		decide_tls(c, a_is_client, smtp_port_is_usual(facts.a_port) || smtp_port_is_usual(facts.b_port), final);
		return;
	case SMTP_GUESS_NO:
		ignore(c);
		return;
	case SMTP_GUESS_UNKNOWN:
		break;
	}
	if (final)
		ignore(c);
}

void
starting_ends(struct conversation *c)
{
	if (c->starting != NULL && c->starting->count > 0 && !c->ready)
		decide(c, true);
}

void
starting_goes(struct conversation *c)
{
	starting_free(c->run, c->starting);
	c->starting = NULL;
}

void
starting_news(struct conversation *c, unsigned end, const struct stream_news *news, uint64_t time_us)
{
	bool in_tls = c->state == CONVERSATION_TLS_FIRST;

	if (c->state == CONVERSATION_STARTS && c->starting == NULL)
		c->starting = starting_new(c->run);
	if (in_tls && news->type == STREAM_DATA) {
		tls_first_octets(c, end, news->octets, time_us);
	} else if (in_tls && news->type == STREAM_GAP) {
		tls_reader_gap(c->tls, conversation_tls_side(c, end), news->count);
	} else if (c->starting != NULL) {
		record(c, end, news, time_us);
		more_came(c, news->type == STREAM_DATA, time_us);
	} else {
		conversation_news(c, end, news, time_us);
	}
}
