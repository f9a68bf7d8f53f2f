/* SPDX-License-Identifier: MIT */
#include "proxy/captures/conversation.h"

#include <stddef.h>
#include <string.h>

#include "decoders/net/preface.h"
#include "proxy/captures/conversation_state.h"

#define GONE_MAX        256u            /* conversations kept: about as many as can be told and not heard yet */
#define UNIT_KEPT_MAX   (1u << 20)      /* octets of a side that cannot be decoded yet */

void
octets_add(struct octets *o, struct view more)
{
	if (more.len == 0)
		return;
	if (o->room - o->len < more.len) {
		o->room = 2 * (o->len + more.len);
		o->at = must(realloc(o->at, o->room));
	}
	memcpy(o->at + o->len, more.at, more.len);
	o->len += more.len;
}

void
octets_free(struct octets *o)
{
	free(o->at);
	*o = (struct octets){.at = NULL};
}

struct conversation *
conversation_new(struct capture_run *run)
{
	struct conversation *c = run->conversations.taken;
	unsigned got;

	if (c == NULL)
		c = atomic_exchange_explicit(&run->conversations.gone, NULL, memory_order_acquire);
	if (c == NULL) {
		c = must(malloc(sizeof *c));
		atomic_init(&c->over, false);
		return c;
	}
	run->conversations.taken = c->next_gone;
	got = atomic_load_explicit(&run->conversations.got, memory_order_relaxed);
	atomic_store_explicit(&run->conversations.got, got + 1, memory_order_relaxed);
	return c;
}

static void
hear_start(struct conversation *c, const struct told *told)
{
	struct conversation_start start;

	memcpy(&start, told->news.octets.at, sizeof start);
	memset(c, 0, offsetof(struct conversation, apart));
	c->run = start.run;
	c->capture = start.capture;
	c->ends = start.ends;
	memcpy(c->heard, start.heard, sizeof c->heard);
	memcpy(c->dialled, start.dialled, sizeof c->dialled);
}

/* By who hears: it is handed back to who begins the next, whichever thread that is. */
static void
conversation_goes(struct conversation *c)
{
	struct capture_run *run = c->run;
	unsigned given = atomic_load_explicit(&run->conversations.given, memory_order_relaxed);

	if (given - atomic_load_explicit(&run->conversations.got, memory_order_relaxed) >= GONE_MAX) {
		free(c);
		return;
	}
	atomic_store_explicit(&run->conversations.given, given + 1, memory_order_relaxed);
	atomic_store_explicit(&c->over, false, memory_order_relaxed);
	c->next_gone = atomic_load_explicit(&run->conversations.gone, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&run->conversations.gone, &c->next_gone, c,
	    memory_order_release, memory_order_relaxed))
		;
}

void
conversations_clear(struct capture_run *run)
{
	while (run->conversations.got != run->conversations.given)
		free(conversation_new(run));
	starts_clear(run);
}

void
conversation_ignore(struct conversation *c)
{
	c->state = CONVERSATION_IGNORED;
	atomic_store_explicit(&c->over, true, memory_order_relaxed);
}

static void
session_is_over(struct conversation *c, uint64_t time_us)
{
	session_end(c->session, time_us);
	c->session = NULL;
	conversation_ignore(c);
}

/* What is not used of a side is kept for the next call; a plan's segments go nowhere here. */
static void
keep(struct conversation *c, enum smtp_side side, struct view rest)
{
	struct octets *kept = &c->kept[side];

	if (rest.len == 0) {
		octets_free(kept);
	} else if (kept->at != NULL && rest.at >= kept->at && rest.at < kept->at + kept->len) {
		memmove(kept->at, rest.at, rest.len);
		kept->len = rest.len;
	} else {
		octets_add(kept, rest);
	}
}

/* Goes on as the plan says, each side with what is kept of it. */
static void
follow(struct conversation *c, enum smtp_side side, const struct plan *plan, uint64_t time_us)
{
	enum smtp_side other = smtp_other_side(side);

	if (plan->over) {
		session_is_over(c, time_us);
		return;
	}
	if (plan->again)
		conversation_feed(c, side, VIEW_NONE, time_us);
	if (plan->other && c->session != NULL)
		conversation_feed(c, other, VIEW_NONE, time_us);
}

static void take_tls_news(struct conversation *c, uint64_t time_us);

/* A copy, since the news may lead to the end of what is kept. */
static void
read_ahead(struct conversation *c, enum smtp_side from, struct view octets, uint64_t time_us)
{
	struct octets copy = {.at = NULL};

	if (octets.len == 0 || c->session == NULL)
		return;
	octets_add(&copy, octets);
	tls_reader_feed(c->tls, from == SMTP_CLIENT ? TLS_CLIENT : TLS_SERVER, octets_view(&copy));
	take_tls_news(c, time_us);
	octets_free(&copy);
}

static bool
tls_begins(const struct conversation *c)
{
	return !c->tls_tried && c->run->keylog != NULL && session_is_handed_over(c->session);
}

/*
 * The session is handed over: TLS is read from its first octet on, and that may be there already.
 * It has gone by with what was fed last (of which used octets are), or waits for the 220.
 */
static void
begin_tls(struct conversation *c, enum smtp_side side, struct view octets, size_t used, uint64_t time_us)
{
	uint64_t undecoded = session_undecoded(c->session, side);
	enum smtp_side other = smtp_other_side(side);
	struct octets gone = {.at = NULL};

	octets_add(&gone, view_from(view_first(octets, used), undecoded < used ? used - (size_t)undecoded : 0));
	keep(c, side, view_from(octets, used));
	c->tls_tried = true;
	c->tls = tls_reader_new(c->run->keylog);
	read_ahead(c, side, octets_view(&gone), time_us);
	read_ahead(c, side, octets_view(&c->kept[side]), time_us);
	read_ahead(c, other, octets_view(&c->kept[other]), time_us);
	if (c->session != NULL && tls_reader_facts(c->tls)->known)
		session_has_keys(c->session);
	octets_free(&gone);
}

/* The session gets what is kept of a side and what is new; mostly nothing is kept, and nothing copied. */
void
conversation_feed(struct conversation *c, enum smtp_side side, struct view octets, uint64_t time_us)
{
	struct octets *kept = &c->kept[side];
	struct plan plan;

	if (kept->len > 0) {
		octets_add(kept, octets);
		octets = octets_view(kept);
	}
	session_feed(c->session, side, octets.at, octets.len, time_us, &plan);
	if (!plan.over && tls_begins(c))
		begin_tls(c, side, octets, plan.used, time_us);
	else
		keep(c, side, view_from(octets, plan.used));
	if (c->session != NULL)
		follow(c, side, &plan, time_us);
	if (c->session == NULL || c->kept[side].len < UNIT_KEPT_MAX)
		return;
	/* The reply that would decide what this is has not come for so long that it is taken for missing. */
	c->run->given_up += c->kept[side].len;
	session_gap(c->session, side, c->kept[side].at, c->kept[side].len, 0, time_us, &plan);
	octets_free(&c->kept[side]);
	follow(c, side, &plan, time_us);
}

/* What the TLS reader has found: until it can decrypt, the session sees the octets as they are. */
static void
take_tls_news(struct conversation *c, uint64_t time_us)
{
	struct tls_news news;
	enum tls_side side;

	while (c->session != NULL && tls_reader_next(c->tls, &side, &news)) {
		enum smtp_side sender = side == TLS_CLIENT ? SMTP_CLIENT : SMTP_SERVER;
		const struct tls_facts *facts = tls_reader_facts(c->tls);

		if (news.type == TLS_DATA && !c->secured) {
			c->secured = true;
			session_secured(c->session, facts, time_us);
			octets_free(&c->kept[0]);
			octets_free(&c->kept[1]);
		}
		if (news.type == TLS_DATA)
			conversation_feed(c, sender, news.octets, time_us);
		else if (news.type == TLS_OPAQUE && c->secured)
			session_encrypted(c->session, sender, news.count);
	}
}

static void
read_tls(struct conversation *c, enum smtp_side from, struct view octets, uint64_t time_us)
{
	tls_reader_feed(c->tls, from == SMTP_CLIENT ? TLS_CLIENT : TLS_SERVER, octets);
	take_tls_news(c, time_us);
	if (c->session == NULL || c->secured)
		return;
	if (tls_reader_facts(c->tls)->known)
		session_has_keys(c->session);
	conversation_feed(c, from, octets, time_us);
}

static void
smtp_octets(struct conversation *c, unsigned end, struct view octets, uint64_t time_us)
{
	enum smtp_side side = end == c->client ? SMTP_CLIENT : SMTP_SERVER;

	if (c->tls != NULL) {
		read_tls(c, side, octets, time_us);
		return;
	}
	conversation_feed(c, side, octets, time_us);
}

static void
smtp_gap(struct conversation *c, unsigned end, uint64_t count, uint64_t time_us)
{
	enum smtp_side side = end == c->client ? SMTP_CLIENT : SMTP_SERVER;
	struct plan plan;

	if (c->tls != NULL) {
		tls_reader_gap(c->tls, conversation_tls_side(c, end), count);
		take_tls_news(c, time_us);
		if (c->session == NULL)
			return;
	}
	session_gap(c->session, side, c->kept[side].at, c->kept[side].len, count, time_us, &plan);
	octets_free(&c->kept[side]);
	follow(c, side, &plan, time_us);
}

/* Gaps of a side that nothing stands between are one, as large as they are together. */
static void
tell_missing(struct conversation *c, uint64_t time_us)
{
	uint64_t count = c->missing;

	c->missing = 0;
	if (count > 0)
		smtp_gap(c, c->missing_end, count, time_us);
}

/* To be told in front of what ends the session. An end that is there and silent is another matter. */
static void
tell_oneside(struct conversation *c, uint64_t time_us)
{
	if (c->heard[0] == c->heard[1] || c->oneside_told)
		return;
	c->oneside_told = true;
	session_network_finding(c->session, FINDING_CAP_ONESIDE, VIEW_NONE, time_us);
}

static void
smtp_closed(struct conversation *c, unsigned end, enum close_how how, uint64_t time_us)
{
	enum smtp_side side = end == c->client ? SMTP_CLIENT : SMTP_SERVER;
	struct plan plan;

	tell_oneside(c, time_us);
	session_closed(c->session, side, how, VIEW_NONE, c->kept[side].at, c->kept[side].len, time_us, &plan);
	keep(c, side, view_from(octets_view(&c->kept[side]), plan.used));
	follow(c, side, &plan, time_us);
}

void
conversation_news(struct conversation *c, unsigned end, const struct stream_news *news, uint64_t time_us)
{
	if (c->session == NULL)
		return;
	if (news->type != STREAM_GAP || c->missing_end != end)
		tell_missing(c, time_us);
	if (c->session == NULL)
		return;
	switch (news->type) {
	case STREAM_DATA:
		smtp_octets(c, end, news->octets, time_us);
		break;
	case STREAM_GAP:
		c->missing += news->count;
		c->missing_end = end;
		break;
	case STREAM_OVERLAP:
		session_network_finding(c->session, FINDING_CAP_OVERLAP, VIEW_NONE, time_us);
		break;
	case STREAM_FIN:
		smtp_closed(c, end, CLOSE_EOF, time_us);
		break;
	case STREAM_RESET:
		smtp_closed(c, end, CLOSE_RESET, time_us);
		break;
	}
}

static struct view
end_text(const struct conversation *c, unsigned end, char text[NET_END_TEXT])
{
	return (struct view){text, net_end_text(&c->ends.address[end], c->ends.port[end], text)};
}

#define PREFACE_TEXT 160

/* "SOCKS5", "PROXY protocol v1 for 192.0.2.1:1234"; .at NULL: there was none. */
static struct view
preface_text(const struct preface *preface, char text[PREFACE_TEXT])
{
	char client[NET_END_TEXT];
	size_t len = 0;

	if (preface->count == 0)
		return VIEW_NONE;
	for (unsigned i = 0; i < preface->count; i++)
		len += (size_t)snprintf(text + len, PREFACE_TEXT - len, "%s%s", i > 0 ? ", " : "",
		    preface_name(preface->kinds[i]));
	if (preface->has_client) {
		net_end_text(&preface->client, preface->client_port, client);
		len += (size_t)snprintf(text + len, PREFACE_TEXT - len, " for %s", client);
	}
	return (struct view){text, len};
}

union end_address {
	struct sockaddr     any;
	struct sockaddr_in  in;
	struct sockaddr_in6 in6;
};

static void
end_address(const struct conversation *c, unsigned end, union end_address *address)
{
	const struct net_address *from = &c->ends.address[end];

	if (from->family == 6) {
		address->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(c->ends.port[end])};
		memcpy(&address->in6.sin6_addr, from->octets, 16);
	} else {
		address->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(c->ends.port[end])};
		memcpy(&address->in.sin_addr, from->octets, 4);
	}
}

void
conversation_begin_session(struct conversation *c, const struct preface *preface, uint64_t time_us)
{
	char client[NET_END_TEXT], server[NET_END_TEXT], before[PREFACE_TEXT];
	union end_address address[2];
	struct session_ends ends = {.client = &address[0].any, .server_address = &address[1].any,
	    .unheard = {[SMTP_CLIENT] = !c->heard[c->client], [SMTP_SERVER] = !c->heard[!c->client]},
	    .client_text = end_text(c, c->client, client),
	    .server = end_text(c, !c->client, server), .listener = VIEW(""),
	    .capture = view_of(c->capture), .preface = preface_text(preface, before),
	    .established_us = preface->count == 0 ? c->ends.established_us : 0};

	end_address(c, c->client, &address[0]);
	end_address(c, !c->client, &address[1]);
	c->session = must(session_new(c->run->config, ++c->run->sessions, &ends, time_us));
	c->state = CONVERSATION_SMTP;
	if (c->midstream[0] || c->midstream[1])
		session_midstream(c->session);
}

static void
hear_news(struct conversation *c, const struct told *told)
{
	if (c->state == CONVERSATION_STARTS || c->state == CONVERSATION_TLS_FIRST)
		starting_news(c, told->end, &told->news, told->time_us);
	else
		conversation_news(c, told->end, &told->news, told->time_us);
}

static void
hear_end(struct conversation *c, uint64_t time_us)
{
	struct plan plan;

	starting_ends(c);
	turns_end(c);
	if (c->session != NULL)
		tell_missing(c, time_us);
	if (c->session != NULL) {
		tell_oneside(c, time_us);
		session_closed(c->session, SMTP_CLIENT, CLOSE_CAPTURE, VIEW_NONE, NULL, 0, time_us, &plan);
		session_is_over(c, time_us);
	}
	starting_goes(c);
	octets_free(&c->kept[0]);
	octets_free(&c->kept[1]);
	tls_reader_free(c->tls);
	conversation_goes(c);
}

void
conversation_hear(struct conversation *c, const struct told *told)
{
	if (told->type == TOLD_START)
		hear_start(c, told);
	c->midstream[0] = told->midstream[0];
	c->midstream[1] = told->midstream[1];
	switch (told->type) {
	case TOLD_START:
		break;
	case TOLD_NEWS:
		hear_news(c, told);
		break;
	case TOLD_HEARD:
		if (c->session != NULL)
			session_heard(c->session, told->end == c->client ? SMTP_CLIENT : SMTP_SERVER, told->time_us);
		c->heard[told->end] = true;
		break;
	case TOLD_DIALLED:
		if (c->state == CONVERSATION_STARTS)
			c->dialled[told->end] = true;
		break;
	case TOLD_END:
		hear_end(c, told->time_us);
		break;
	}
}

bool
conversation_is_over(const struct conversation *c)
{
	return atomic_load_explicit(&c->over, memory_order_relaxed);
}

bool
conversation_is_open(const struct conversation *c)
{
	return c->session != NULL || c->ready;
}
