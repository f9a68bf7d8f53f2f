/* SPDX-License-Identifier: MIT */
/*
 * TLS that the proxy itself speaks (RFC 3207, RFC 8314): when it begins on a leg, and what
 * follows from how that went. The server's leg comes first, so that its certificate is known
 * and the client can still be told 454; in the meantime the 220 is an unsettled reply.
 */
#include "proxy/sessions/securing.h"

#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

struct securing *
securing_new(const struct session_ends *ends)
{
	struct securing *securing;

	if (ends->tls[SMTP_CLIENT] == SESSION_TLS_PASSED && ends->tls[SMTP_SERVER] == SESSION_TLS_PASSED &&
	    !ends->drops_glued)
		return NULL;
	securing = calloc(1, sizeof *securing);
	if (securing == NULL)
		abort();
	securing->drops_glued = ends->drops_glued;
	for (int side = SMTP_CLIENT; side <= SMTP_SERVER; side++) {
		securing->way[side] = (uint8_t)ends->tls[side];
		if (ends->tls[side] == SESSION_TLS_IMPLICIT)
			securing->leg[side] = LEG_DUE;
	}
	/* Where the client does not ask for it, or has it already, nobody else will. */
	if (ends->tls[SMTP_SERVER] == SESSION_TLS_STARTTLS && ends->tls[SMTP_CLIENT] != SESSION_TLS_STARTTLS)
		securing->own = OWN_GREETING;
	return securing;
}

void
securing_free(struct securing *securing)
{
	if (securing == NULL)
		return;
	free(securing->greeting);
	free(securing);
}

/* From this segment on, what goes to that side is in TLS. */
static void
begin(struct session *s, enum smtp_side side)
{
	s->securing->leg[side] = LEG_BEGINS;
	s->plan->segment[s->plan->segments++] = (struct segment){.octets = VIEW(""), .to = side, .secure = true};
}

void
securing_opens(struct session *s)
{
	if (s->securing == NULL || s->securing->leg[SMTP_CLIENT] != LEG_DUE)
		return;
	smtp_dialogue_tls_first(&s->dialogue);
	s->plan->again = s->plan->other = true;
}

void
securing_dials(struct session *s)
{
	if (s->securing != NULL && s->securing->leg[SMTP_SERVER] == LEG_DUE)
		begin(s, SMTP_SERVER);
}

bool
session_server_is_decided(const struct session *s)
{
	const struct securing *t = s->securing;

	return t == NULL || s->over || s->server != SERVER_OPEN ||
	    (t->own == OWN_NONE && t->leg[SMTP_SERVER] != LEG_DUE && t->leg[SMTP_SERVER] != LEG_BEGINS);
}

bool
securing_blocks(const struct session *s, enum smtp_side from)
{
	const struct securing *t = s->securing;

	if (t == NULL)
		return false;
	if (from == SMTP_SERVER)
		return t->leg[SMTP_SERVER] == LEG_BEGINS || t->leg[SMTP_CLIENT] == LEG_DUE ||
		    (t->own == OWN_NONE && t->leg[SMTP_CLIENT] == LEG_BEGINS);
	/* Its hello needs no server. */
	if (t->leg[SMTP_CLIENT] == LEG_DUE)
		return false;
	return t->leg[SMTP_CLIENT] == LEG_BEGINS || (s->server == SERVER_OPEN &&
	    (t->own != OWN_NONE || t->leg[SMTP_SERVER] == LEG_BEGINS || t->leg[SMTP_SERVER] == LEG_DUE));
}

bool
securing_is_early(const struct session *s)
{
	/* The start of its own handshake is no talk. */
	return !s->greeted && s->securing->leg[SMTP_CLIENT] != LEG_BEGINS;
}

bool
securing_holds_replies(const struct session *s)
{
	return s->securing != NULL && s->securing->leg[SMTP_CLIENT] == LEG_DUE;
}

bool
securing_wants_units(struct session *s, enum smtp_side from, const struct smtp_exchange *e)
{
	const struct securing *t = s->securing;
	enum smtp_place place;

	if (t == NULL)
		return false;
	if (securing_blocks(s, from))
		return true;
	place = smtp_dialogue_place(&s->dialogue, from, NULL);
	if (from == SMTP_SERVER)
		return place != SMTP_OPAQUE;
	if (place == SMTP_UNDECIDED)
		return e != NULL && e->verb == SMTP_STARTTLS && (t->drops_glued || t->leg[SMTP_SERVER] != LEG_PLAIN);
	return place == SMTP_COMMANDS || place == SMTP_FULL || place == SMTP_HANDOVER;
}

struct view
securing_takes_clear(struct session *s, struct view octets)
{
	struct securing *t = s->securing;

	if (t == NULL || !t->server_in_clear || s->from[SMTP_SERVER].pending != NULL)
		return octets;
	t->server_in_clear = false;
	if (!glued_by_server(s, octets))
		return octets;
	s->from[SMTP_SERVER].octets += octets.len;
	return view_from(octets, octets.len);
}

/* ---- the client asks, the server agrees ---- */

static bool
is_starttls(const struct smtp_exchange *e)
{
	return e != NULL && e->kind == SMTP_COMMAND && e->verb == SMTP_STARTTLS && !e->by_proxy;
}

bool
securing_waits(struct session *s, const struct passage *p)
{
	struct securing *t = s->securing;

	if (t == NULL || t->way[SMTP_SERVER] != SESSION_TLS_STARTTLS || p->unit.type != SMTP_UNIT_REPLY ||
	    !is_starttls(p->unit.of) || p->unit.as.reply.code != 220)
		return false;
	/* Behind our FIN no hello can go: the client has left, and will not have TLS either. */
	if (t->leg[SMTP_SERVER] == LEG_PLAIN && !s->from[SMTP_CLIENT].ended)
		begin(s, SMTP_SERVER);
	return t->leg[SMTP_SERVER] == LEG_BEGINS;
}

struct view
securing_refuses(struct session *s, const struct passage *p)
{
	const struct securing *t = s->securing;

	if (t == NULL || t->leg[SMTP_SERVER] != LEG_FAILED || !is_starttls(p->unit.of) || p->unit.as.reply.code != 220)
		return VIEW_NONE;
	return VIEW("454 4.7.0 TLS with the server could not be started\r\n");
}

bool
securing_has_client(const struct session *s)
{
	const struct securing *t = s->securing;

	return t != NULL && !s->from[SMTP_SERVER].ended && (t->leg[SMTP_CLIENT] == LEG_DUE ||
	    (t->leg[SMTP_CLIENT] == LEG_PLAIN && t->way[SMTP_CLIENT] == SESSION_TLS_STARTTLS));
}

bool
securing_begins_with_client(struct session *s)
{
	if (!securing_has_client(s))
		return false;
	begin(s, SMTP_CLIENT);
	/* Until its TLS is up nothing is fed; from then on it is commands again. */
	smtp_dialogue_secured(&s->dialogue);
	return true;
}

/* ---- where the legs differ ---- */

/* Whether STARTTLS is the proxy's own affair with the client: the server is not asked. */
static bool
answers_itself(const struct securing *t)
{
	return t->way[SMTP_CLIENT] == SESSION_TLS_STARTTLS && t->way[SMTP_SERVER] != SESSION_TLS_STARTTLS;
}

struct view
securing_answers(const struct session *s, const struct smtp_command *command)
{
	const struct securing *t = s->securing;

	if (t == NULL || t->way[SMTP_CLIENT] == SESSION_TLS_PASSED)
		return VIEW_NONE;
	if (t->leg[SMTP_CLIENT] == LEG_SECURE)
		return t->leg[SMTP_SERVER] == LEG_SECURE && t->way[SMTP_CLIENT] == t->way[SMTP_SERVER] ? VIEW_NONE
		    : VIEW("503 5.5.1 TLS is active already\r\n");
	if (t->way[SMTP_CLIENT] != SESSION_TLS_STARTTLS)
		return VIEW("502 5.5.1 STARTTLS is not offered\r\n");
	if (!answers_itself(t))
		return VIEW_NONE;
	if (command->argument.len > 0)
		return VIEW("501 5.5.4 STARTTLS takes no argument\r\n");
	return VIEW("220 2.0.0 Ready to start TLS\r\n");
}

struct view
securing_keywords(struct session *s, const struct smtp_exchange *e, struct view octets)
{
	const struct securing *t = s->securing;
	struct smtp_reply reply;
	bool secure;

	if (t == NULL || t->way[SMTP_CLIENT] == SESSION_TLS_PASSED || octets.at == NULL || e == NULL || e->by_proxy ||
	    e->kind != SMTP_COMMAND || (e->verb != SMTP_EHLO && e->verb != SMTP_LHLO))
		return VIEW_NONE;
	smtp_reply_parse(octets, &reply);
	secure = t->leg[SMTP_CLIENT] == LEG_SECURE;
	if (answers_itself(t) && !secure)
		return smtp_keyword_in(smtp_ehlo_keywords(&reply), SMTP_KEYWORD_STARTTLS) ? VIEW_NONE
		    : rules_offer(s->config->arena, &reply, VIEW("STARTTLS"));
	if (t->way[SMTP_CLIENT] == SESSION_TLS_STARTTLS && !answers_itself(t) &&
	    secure == (t->leg[SMTP_SERVER] == LEG_SECURE))
		return VIEW_NONE;
	return rules_hide(s->config->arena, &reply, VIEW("STARTTLS"));
}

/* ---- the proxy itself asks the server ---- */

static void
say(struct session *s, const char *line, enum smtp_verb verb)
{
	struct view octets = arena_printf(s->config->arena, "%s\r\n", line);

	put_octets(s, SMTP_SERVER, octets);
	event_injected(s, smtp_line_text(octets), ORIGIN_PROXY);
	if (smtp_dialogue_inserted(&s->dialogue, verb, s->now_us, NULL) != NULL)
		s->unplain++;
}

static void
keep_greeting(struct session *s, struct view octets, enum event_origin origin, int64_t latency_us)
{
	struct securing *t = s->securing;

	free(t->greeting);
	t->greeting = session_keep_text(NULL, octets);
	t->greeting_len = octets.len;
	t->greeting_origin = (uint8_t)origin;
	t->greeting_latency_us = latency_us;
	t->greeting_kept = true;
}

bool
securing_holds_greeting(struct session *s, struct view octets)
{
	if (!securing_holds_replies(s))
		return false;
	keep_greeting(s, octets, ORIGIN_RULE, EVENT_NO_LATENCY);
	return true;
}

bool
securing_keeps_greeting(struct session *s, const struct smtp_exchange *e, struct view octets,
    enum event_origin origin, int64_t latency_us)
{
	struct securing *t = s->securing;
	struct smtp_reply reply;

	if (t == NULL || t->own != OWN_GREETING || e == NULL || e->kind != SMTP_GREETING || octets.at == NULL)
		return false;
	smtp_reply_parse(octets, &reply);
	/* A server that wants no session is asked for nothing. */
	if (reply.code / 100 != 2) {
		t->own = OWN_NONE;
		return false;
	}
	keep_greeting(s, octets, origin, latency_us);
	return true;
}

/* The client hears the greeting now: the server's, or why there is none. */
static void
greet(struct session *s, struct view instead)
{
	struct securing *t = s->securing;
	struct smtp_exchange *e = smtp_queue_nth(&s->dialogue.queue, 0);
	struct view kept = arena_copy(s->config->arena, (struct view){t->greeting, t->greeting_len});
	struct smtp_reply said, told;
	struct event_reply_of r = {.of = e, .reply = &told, .delivered = true, .latency_us = EVENT_NO_LATENCY,
	    .origin = ORIGIN_PROXY};

	if (e == NULL || e->kind != SMTP_GREETING || e->client_is_owed == 0)
		return;
	if (t->greeting_kept) {
		smtp_reply_parse(kept, &said);
		r.latency_us = t->greeting_latency_us;
		r.original = instead.at != NULL ? &said : NULL;
		r.origin = instead.at != NULL ? ORIGIN_PROXY : t->greeting_origin;
	}
	t->greeting_kept = false;
	if (instead.at == NULL)
		instead = kept;
	smtp_reply_parse(instead, &told);
	event_reply(s, &r);
	put_octets(s, SMTP_CLIENT, instead);
	client_told(s, e, &told, NULL);
	smtp_dialogue_answered(&s->dialogue, e->serial, told.code);
}

static bool
greeting_is_owed(struct session *s)
{
	const struct smtp_exchange *e = smtp_queue_nth(&s->dialogue.queue, 0);

	return e != NULL && e->kind == SMTP_GREETING && e->client_is_owed > 0;
}

/* There is no TLS with the server, and so nobody to talk to. */
static void
server_fails(struct session *s, const struct event_tls *tls)
{
	struct securing *t = s->securing;
	struct event_tls event = *tls;
	bool greeting = greeting_is_owed(s);

	event.side = EVENT_SERVER;
	event_tls_of_leg(s, &event);
	session_ends(s, EVENT_SERVER, "tls", tls->reason);
	t->leg[SMTP_SERVER] = LEG_FAILED;
	t->own = OWN_NONE;
	verdicts_leave_server(s);
	if (greeting) {
		greet(s, VIEW("421 4.7.0 TLS with the server could not be started\r\n"));
		session_closing(s);
	}
}

static void
server_lacks_tls(struct session *s, struct view reason)
{
	struct event_tls tls = {.outcome = "refused", .reason = reason};

	server_fails(s, &tls);
}

bool
securing_lost_server(struct session *s)
{
	if (s->securing == NULL || s->securing->own == OWN_NONE || s->server != SERVER_OPEN)
		return false;
	server_lacks_tls(s, VIEW("the server closed the connection"));
	return true;
}

void
securing_goes_on(struct session *s, enum smtp_verb verb, const struct smtp_reply *said)
{
	struct securing *t = s->securing;

	if (t == NULL || s->server != SERVER_OPEN)
		return;
	if (t->own == OWN_GREETING && verb == SMTP_VERB_UNKNOWN && said->code / 100 == 2) {
		t->own = OWN_EHLO;
		say(s, arena_printf(s->config->arena, "%s %s", s->dialogue.lmtp ? "LHLO" : "EHLO",
		    s->config->own_name != NULL ? s->config->own_name : "localhost").at,
		    s->dialogue.lmtp ? SMTP_LHLO : SMTP_EHLO);
	} else if (t->own == OWN_EHLO && (verb == SMTP_EHLO || verb == SMTP_LHLO)) {
		if (said->code / 100 != 2 || !smtp_keyword_in(smtp_ehlo_keywords(said), SMTP_KEYWORD_STARTTLS)) {
			server_lacks_tls(s, VIEW("the server does not offer STARTTLS"));
			return;
		}
		t->own = OWN_STARTTLS;
		say(s, "STARTTLS", SMTP_STARTTLS);
	} else if (t->own == OWN_STARTTLS && verb == SMTP_STARTTLS) {
		if (s->from[SMTP_CLIENT].ended)
			server_lacks_tls(s, VIEW("the client has left"));
		else if (said->code == 220)
			begin(s, SMTP_SERVER);
		else
			server_lacks_tls(s, arena_printf(s->config->arena, "the server answered %u to STARTTLS", said->code));
	}
}

/* ---- what the relay tells ---- */

static void
server_is_secure(struct session *s)
{
	struct securing *t = s->securing;

	t->leg[SMTP_SERVER] = LEG_SECURE;
	t->server_in_clear = true;
	wire_secured(s, SMTP_SERVER);
	if (t->own != OWN_NONE) {
		t->own = OWN_NONE;
		if (t->greeting_kept && t->leg[SMTP_CLIENT] != LEG_BEGINS && t->leg[SMTP_CLIENT] != LEG_DUE)
			greet(s, VIEW_NONE);
	}
}

static void
client_is_secure(struct session *s)
{
	struct securing *t = s->securing;

	t->leg[SMTP_CLIENT] = LEG_SECURE;
	s->tls = true;
	s->tls_fresh = s->starttls_told;
	wire_secured(s, SMTP_CLIENT);
	if (t->greeting_kept && t->own == OWN_NONE)
		greet(s, VIEW_NONE);
}

/* The 220 that waited for the server's handshake goes on. */
static void
wake_reply(struct session *s)
{
	struct pending *pending = s->from[SMTP_SERVER].pending;

	if (pending != NULL)
		pending->resumed = true;
}

void
session_leg_secured(struct session *s, enum smtp_side side, const struct event_tls *facts, uint64_t time_us,
    struct plan *plan)
{
	struct event_tls event = *facts;

	call_begins(s, time_us, plan);
	event.side = side == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER;
	event.outcome = "established";
	event_tls_of_leg(s, &event);
	if (!s->over && s->securing != NULL) {
		if (side == SMTP_SERVER) {
			server_is_secure(s);
			wake_reply(s);
		} else {
			client_is_secure(s);
		}
		plan->again = plan->other = true;
	}
	call_ends(s);
}

void
session_leg_failed(struct session *s, enum smtp_side side, const struct event_tls *facts, uint64_t time_us,
    struct plan *plan)
{
	struct event_tls event = *facts;

	call_begins(s, time_us, plan);
	event.side = side == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER;
	event.outcome = "failed";
	if (s->over || s->securing == NULL) {
		event_tls_of_leg(s, &event);
	} else if (side == SMTP_SERVER) {
		server_fails(s, &event);
		wake_reply(s);
		plan->again = plan->other = true;
	} else {
		event_tls_of_leg(s, &event);
		session_ends(s, EVENT_CLIENT, "tls", facts->reason);
		s->securing->leg[SMTP_CLIENT] = LEG_FAILED;
		put_end(s, SMTP_CLIENT, END_FIN);
		put_end(s, SMTP_SERVER, END_FIN);
		plan->drain[SMTP_CLIENT] = plan->drain[SMTP_SERVER] = true;
		s->over = true;
	}
	call_ends(s);
}
