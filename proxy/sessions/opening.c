/* SPDX-License-Identifier: MIT */
/* How a session begins: what it knows of its ends, the rules at `connect`, the server reached or not. */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"
#include "proxy/spares.h"

_Static_assert(sizeof(struct session) <= 1024, "an idle session is small: some text and the queue's notes come on top");

#define PENDING_MAX     4096u           /* unanswered commands */

static struct view
keep(char **room, struct view text)
{
	struct view kept = {*room, text.len};

	if (text.len > 0)
		memcpy(*room, text.at, text.len);
	*room += text.len;
	return kept;
}

/* "192.0.2.1:25" and "[2001:db8::1]:25" without the port and its brackets. */
static struct view
address_of(struct view text)
{
	while (text.len > 0 && text.at[text.len - 1] != ':')
		text.len--;
	if (text.len > 0)
		text.len--;
	if (text.len >= 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		text = (struct view){text.at + 1, text.len - 2};
	return text;
}

#define SPARE_TEXTS     192u            /* octets: three ends with names of usual length */
#define SPARE_SESSIONS  64u

static struct session *
session_take(struct spares *spares, size_t texts)
{
	struct session *s;

	if (spares == NULL || texts > SPARE_TEXTS)
		return calloc(1, sizeof *s + texts);
	s = spares_take(spares, sizeof *s + SPARE_TEXTS);
	memset(s, 0, sizeof *s);
	s->spare = true;
	return s;
}

void
session_goes(struct session *s)
{
	if (s->spare)
		spares_give(s->config->spares, s, sizeof *s + SPARE_TEXTS, SPARE_SESSIONS);
	else
		free(s);
}

void
session_spares_clear(struct spares *spares)
{
	spares_clear(spares, sizeof(struct session) + SPARE_TEXTS);
}

struct session *
session_new(const struct session_config *config, uint64_t number, const struct session_ends *ends,
    uint64_t time_us)
{
	struct smtp_limits limits = {.max_line = config->max_line, .max_pending = PENDING_MAX};
	size_t room = ends->client_text.len + ends->server.len + ends->listener.len;
	struct session *s = session_take(config->spares, room);
	char *at;

	if (s == NULL)
		return NULL;
	s->config = config;
	s->number = number;
	s->opened_us = s->now_us = time_us;
	s->connected_us = ends->established_us;
	at = s->texts;
	s->client_text = keep(&at, ends->client_text);
	s->client_address = address_of(s->client_text);
	s->server_text = keep(&at, ends->server);
	s->listener_text = keep(&at, ends->listener);
	if (ends->client != NULL)
		memcpy(&s->client, ends->client, ends->client->sa_family == AF_INET6 ? sizeof s->client.in6 :
		    ends->client->sa_family == AF_INET ? sizeof s->client.in : sizeof s->client.any);
	smtp_dialogue_init(&s->dialogue, &limits, ends->lmtp);
	s->dialogue.leaves = note_leaves;
	s->dialogue.owner = s;
	s->securing = securing_new(ends);
	s->has_rules = ruleset_count(config->rules) > 0;
	rules_run_init(&s->rules, config->rules, config->rules_state, number);
	event_open(s, ends->capture, ends->preface);
	wire_opened(s, ends);
	return s;
}

/* The rules at `connect` have spoken: a greeting of their own, or the server's. */
static void
connect_settles(struct session *s, struct passage *p)
{
	struct smtp_exchange *greeting = smtp_queue_nth(&s->dialogue.queue, 0);
	bool welcome = p->reply == NULL || p->reply->code / 100 == 2;

	/* Whom it throws out here, it calls no server for. */
	if (passage_ends(p))
		s->server = SERVER_REFUSED;
	ending_by_rule(s, p);
	if (p->held || s->over)
		return;
	if (p->reply != NULL) {
		/* The server's own greeting, if it comes, is not the client's any more. */
		greeting->by_proxy = true;
		s->unplain++;
		if (!securing_holds_greeting(s, p->reply->octets))
			forged_tell(s, greeting, p->reply->octets, p->reply->code, ORIGIN_RULE);
	}
	if (!welcome || s->closing) {
		s->server = SERVER_REFUSED;
		smtp_dialogue_server_gone(&s->dialogue);
	}
	s->plan->dial = s->server == SERVER_OPEN;
	if (s->plan->dial)
		securing_dials(s);
}

void
opening_goes_on(struct session *s, struct passage *p)
{
	p->place = RULES_AT_CONNECT;
	if (!steps_run(s, SMTP_SERVER, p)) {
		steps_pause(s, SMTP_SERVER, p);
		return;
	}
	if (p->held) {
		s->from[SMTP_SERVER].held = s->from[SMTP_CLIENT].held = true;
		s->server = SERVER_REFUSED;     /* it will never be reached */
	}
	connect_settles(s, p);
}

void
session_connect(struct session *s, uint64_t time_us, struct plan *plan)
{
	struct rules_facts facts;
	struct passage p;

	call_begins(s, time_us, plan);
	memset(&p, 0, sizeof p);
	p.place = RULES_AT_CONNECT;
	p.arrived_us = time_us;
	if (rules_need(s->config->rules, RULES_AT_CONNECT, 0) != RULES_NONE) {
		facts_fill(s, &facts, RULES_AT_CONNECT);
		session_judge(s, &p, &facts, VIEW_NONE);
	}
	securing_opens(s);
	opening_goes_on(s, &p);
	call_ends(s);
}

void
session_upstream(struct session *s, struct view server, const char *outcome, struct view reason,
    uint64_t duration_us, uint64_t time_us)
{
	s->now_us = time_us;
	if (strcmp(outcome, "connected") == 0)
		s->connected_us = time_us;
	arena_empty(s->config->arena);
	event_upstream(s, server, outcome, reason, duration_us);
}

void
session_server_ends(struct session *s, const struct sockaddr *own, const struct sockaddr *server, uint64_t time_us)
{
	s->now_us = time_us;
	wire_connected(s, own, server);
}

void
session_unreachable(struct session *s, struct view reason, uint64_t time_us, struct plan *plan)
{
	struct smtp_exchange *e;
	struct note *note;
	struct view reply;

	call_begins(s, time_us, plan);
	session_ends(s, EVENT_PROXY, "upstream", reason);
	reply = arena_printf(s->config->arena, "421 4.4.1 No server could be reached: %.*s\r\n", (int)reason.len,
	    reason.at != NULL ? reason.at : "");
	s->server = SERVER_UNREACHABLE;
	smtp_dialogue_server_gone(&s->dialogue);
	note = note_new(s);
	note_forge(s, note, reply, 421, ORIGIN_PROXY);
	e = smtp_dialogue_turn(&s->dialogue);
	if (e != NULL && e->note == NULL)
		e->note = note;
	else if (e != NULL && ((struct note *)e->note)->forged == NULL) {
		note_forge(s, e->note, reply, 421, ORIGIN_PROXY);
		note_free(s, note, false);
	} else if (smtp_dialogue_aside(&s->dialogue, note) != NULL)
		s->unplain++;
	session_closing(s);
	call_ends(s);
}
