/* SPDX-License-Identifier: MIT */
/*
 * One session: octets are fed to the dialogue, its units to the rules, their verdicts are
 * carried out and told to the dialogue. What a unit means is in commands.c, replies.c and
 * contents.c; what happens where the legs disagree, in verdicts.c.
 */
#include "proxy/sessions/session.h"

#include <stddef.h>
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

_Static_assert(sizeof(struct session) <= 1024, "an idle session is small: some text and the queue's notes come on top");

#define CLOSE_WAIT_US   5000000u        /* a closing session waits so long for replies */
#define KEPT_MAX        65536u          /* octets of a side that wait for a verdict before it is read no more */
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

struct session *
session_new(const struct session_config *config, uint64_t number, const struct session_ends *ends,
    uint64_t time_us)
{
	struct smtp_limits limits = {.max_line = config->max_line, .max_pending = PENDING_MAX};
	size_t room = ends->client_text.len + ends->server.len + ends->listener.len;
	struct session *s = calloc(1, sizeof *s + room);
	char *at;

	if (s == NULL)
		return NULL;
	s->config = config;
	s->number = number;
	s->opened_us = s->now_us = time_us;
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
	rules_run_init(&s->rules, config->rules, config->rules_state, number);
	event_open(s, ends->capture);
	return s;
}

void
session_ends(struct session *s, enum event_side by, const char *how, struct view reason)
{
	/* A client may close before it reads the 221: that is a quit all the same. */
	if (s->end_how != NULL && (strcmp(s->end_how, "eof") != 0 || strcmp(how, "quit") != 0))
		return;
	s->end_how = how;
	s->end_by = (uint8_t)by;
	if (reason.at != NULL)
		s->end_reason = session_keep_text(s->end_reason, reason);
}

char *
session_keep_text(char *old, struct view text)
{
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		abort();
	if (text.len > 0)
		memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	free(old);
	return copy;
}

void
session_closing(struct session *s)
{
	if (s->closing)
		return;
	s->closing = true;
	s->deadline_us = s->now_us + CLOSE_WAIT_US;
	smtp_dialogue_abandon_content(&s->dialogue);
}

bool
session_judge(struct session *s, struct passage *p, const struct rules_facts *facts, struct view unit)
{
	enum smtp_side from = p->unit.type == SMTP_UNIT_REPLY ? SMTP_SERVER : SMTP_CLIENT;

	/* What has gone ahead cannot be called back. */
	if (s->rules.passed || s->from[from].ahead > 0)
		return false;
	if (!rules_judge(&s->rules, facts, unit, s->config->arena, &p->verdict))
		return false;
	if (s->config->dry_run) {
		for (size_t i = 0; i < p->verdict.step_count; i++)
			event_rule(s, &p->verdict.steps[i]);
		memset(&p->verdict, 0, sizeof p->verdict);
		return false;
	}
	return true;
}

static void
spent_free(struct session *s)
{
	struct pending *pending;

	while ((pending = s->spent) != NULL) {
		s->spent = pending->next;
		arena_clear(&pending->arena);
		free(pending);
	}
}

void
call_begins(struct session *s, uint64_t time_us, struct plan *plan)
{
	spent_free(s);
	arena_empty(s->config->arena);
	plan->segments = 0;
	plan->used = 0;
	plan->end[0] = plan->end[1] = END_NOT;
	plan->drain[0] = plan->drain[1] = false;
	plan->dial = plan->again = plan->other = plan->over = false;
	s->plan = plan;
	s->now_us = time_us;
}

/* The server has gone, and all that it said has been passed on. */
static bool
server_is_silent(const struct session *s)
{
	const struct direction *dir = &s->from[SMTP_SERVER];

	return dir->eof && dir->pending == NULL && !dir->held && !dir->interrupted && !s->plan->again;
}

/* What the server has not answered by now it will not: the rule's reply comes out behind it. */
static void
forgo_answers(struct session *s)
{
	struct smtp_exchange *e;

	smtp_dialogue_server_gone(&s->dialogue);
	while ((e = smtp_dialogue_turn(&s->dialogue)) != NULL) {
		const struct note *note = e->note;

		if (note != NULL && note->forged != NULL)
			forged_go_out(s);
		else
			smtp_dialogue_answered(&s->dialogue, e->serial, 0);
	}
}

/* Closing: FIN follows what the client is owed, and what the server still has to answer. */
static void
closing_goes_on(struct session *s)
{
	bool silent = server_is_silent(s);

	if (s->forced || silent)
		forgo_answers(s);
	forged_go_out(s);
	if (smtp_dialogue_client_is_owed(&s->dialogue) && s->server == SERVER_OPEN && !s->forced && !silent)
		return;
	if (!s->from[SMTP_SERVER].ended) {
		put_end(s, SMTP_CLIENT, END_FIN);
		s->plan->drain[SMTP_CLIENT] = true;
	}
	if (s->server == SERVER_OPEN && smtp_dialogue_server_owes(&s->dialogue) && !s->forced && !silent)
		return;
	if (s->server == SERVER_OPEN && !s->from[SMTP_CLIENT].ended) {
		put_end(s, SMTP_SERVER, END_FIN);
		s->plan->drain[SMTP_SERVER] = true;
	}
	s->over = true;
}

/* A side has said FIN: it follows the octets before it, and both make an end. */
static void
eof_goes_on(struct session *s, enum smtp_side from, bool stuck)
{
	struct direction *dir = &s->from[from];

	if (dir->eof && !dir->ended && !stuck && !dir->held && dir->pending == NULL)
		put_end(s, smtp_other_side(from), END_FIN);
	/* Without a server there is nobody left to talk to. */
	if (from == SMTP_CLIENT && dir->eof && s->server != SERVER_OPEN) {
		put_end(s, SMTP_CLIENT, END_FIN);
		s->over = true;
	}
	if (s->from[SMTP_CLIENT].eof && s->from[SMTP_SERVER].eof && s->from[SMTP_CLIENT].pending == NULL &&
	    s->from[SMTP_SERVER].pending == NULL) {
		put_end(s, SMTP_CLIENT, END_FIN);
		put_end(s, SMTP_SERVER, END_FIN);
		s->over = true;
	}
}

void
call_ends(struct session *s)
{
	forged_go_out(s);
	if (s->closing && !s->over)
		closing_goes_on(s);
	if (s->over) {
		s->plan->over = true;
		s->plan->again = s->plan->other = false;
	}
	s->plan = NULL;
}

/* `close` and `reset` of a rule: who is cut off, and how the other hears of it. */
static void
end_by_rule(struct session *s, const struct passage *p)
{
	if (!p->close[0] && !p->close[1] && !p->reset[0] && !p->reset[1])
		return;
	session_ends(s, EVENT_PROXY, "rule", VIEW_NONE);
	if (p->reset[SMTP_CLIENT] || p->reset[SMTP_SERVER]) {
		put_end(s, SMTP_CLIENT, p->reset[SMTP_CLIENT] ? END_RST : END_RST_AFTER);
		if (s->server == SERVER_OPEN)
			put_end(s, SMTP_SERVER, p->reset[SMTP_SERVER] ? END_RST : END_RST_AFTER);
		s->over = true;
	} else if (!p->close[SMTP_CLIENT]) {
		put_end(s, SMTP_SERVER, END_FIN);
		put_end(s, SMTP_CLIENT, END_FIN);
		s->plan->drain[SMTP_SERVER] = s->plan->drain[SMTP_CLIENT] = true;
		s->over = true;
	} else {
		session_closing(s);
	}
}

/* The rules at `connect` have spoken: a greeting of their own, or the server's. */
static void
connect_settles(struct session *s, struct passage *p)
{
	struct smtp_exchange *greeting = smtp_queue_nth(&s->dialogue.queue, 0);
	bool welcome = p->reply == NULL || p->reply->code / 100 == 2;

	end_by_rule(s, p);
	if (p->held || s->over)
		return;
	if (p->reply != NULL) {
		/* The server's own greeting, if it comes, is not the client's any more. */
		greeting->by_proxy = true;
		s->unplain++;
		forged_tell(s, greeting, p->reply->octets, p->reply->code, ORIGIN_RULE);
	}
	if (!welcome || s->closing) {
		s->server = SERVER_REFUSED;
		smtp_dialogue_server_gone(&s->dialogue);
	}
	s->plan->dial = s->server == SERVER_OPEN;
}

static void
connect_goes_on(struct session *s, struct passage *p)
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
	connect_goes_on(s, &p);
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
	note_forge(note, reply, 421, ORIGIN_PROXY);
	e = smtp_dialogue_turn(&s->dialogue);
	if (e != NULL && e->note == NULL)
		e->note = note;
	else if (e != NULL && ((struct note *)e->note)->forged == NULL) {
		note_forge(e->note, reply, 421, ORIGIN_PROXY);
		note_free(s, note, false);
	} else if (smtp_dialogue_aside(&s->dialogue, note) != NULL)
		s->unplain++;
	session_closing(s);
	call_ends(s);
}

/* TLS begins: what the client was told before does not count any more (RFC 3207 4.2). */
static void
handover_settles(struct session *s, struct passage *p)
{
	struct smtp_fate fate = {.time_us = s->now_us, .forwarded = true};

	end_by_rule(s, p);
	passed_begins(s);
	s->tls = true;
	s->keywords[0] = s->keywords[1] = 0;
	free(s->helo);
	free(s->user);
	s->helo = s->user = NULL;
	smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
}

/* Octets that are no unit of SMTP: they go on, and are told. */
static void
other_settles(struct session *s, enum smtp_side from, struct passage *p)
{
	struct smtp_fate fate = {.time_us = s->now_us, .forwarded = true};
	enum event_side side = from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER;
	const struct smtp_unit *unit = &p->unit;

	if (unit->type == SMTP_UNIT_REST && cut_is_kept(s, from))
		take_unit(s, from, unit->wire);
	else
		put_unit(s, from, unit->wire);
	switch (unit->type) {
	case SMTP_UNIT_REST:
		cut_goes_on(s, from, unit->wire, unit->last);
		break;
	case SMTP_UNIT_NOT_REPLY:
		if (!s->first_reply)
			s->not_replies++;
		event_undecoded(s, side, unit->wire, unit->wire.len, "this line is no reply");
		finding_marks(s, p, unit->marks);
		finding_count(s, p, FINDING_RSP_SYNTAX);
		break;
	case SMTP_UNIT_LEFTOVER:
		event_undecoded(s, side, unit->wire, unit->wire.len, unit->marks & SMTP_MARK_UNSURE
		    ? "octets around it are missing" : "the stream ended inside a line");
		if (!(unit->marks & SMTP_MARK_UNSURE))
			finding_count(s, p, FINDING_LINE_UNTERMINATED);
		break;
	default:
		s->from[from].opaque += unit->wire.len;
		passed_goes_on(s, from, unit->wire);
		break;
	}
	findings_tell(s, p, from);
	smtp_dialogue_settle(&s->dialogue, from, &fate);
}

static void
unit_arrives(struct session *s, enum smtp_side from, struct passage *p)
{
	struct rules_facts facts;

	(void)from;
	switch (p->unit.type) {
	case SMTP_UNIT_COMMAND:
		command_arrives(s, p);
		break;
	case SMTP_UNIT_REPLY:
		reply_arrives(s, p);
		p->unit.of = smtp_dialogue_unsettled(&s->dialogue, from);
		break;
	case SMTP_UNIT_CONTENT:
	case SMTP_UNIT_CONTENT_END:
		content_arrives(s, p);
		break;
	case SMTP_UNIT_HANDOVER:
		p->place = RULES_AT_TLS;
		facts_fill(s, &facts, RULES_AT_TLS);
		session_judge(s, p, &facts, VIEW_NONE);
		break;
	default:
		break;
	}
}

void
unit_settles(struct session *s, enum smtp_side from, struct passage *p)
{
	switch (p->unit.type) {
	case SMTP_UNIT_COMMAND:
		command_settles(s, p);
		break;
	case SMTP_UNIT_AUTH_LINE:
		auth_line_settles(s, p);
		break;
	case SMTP_UNIT_REPLY:
		reply_settles(s, p);
		break;
	case SMTP_UNIT_CONTENT:
		content_settles(s, p);
		break;
	case SMTP_UNIT_CONTENT_END:
		content_end_settles(s, p);
		break;
	case SMTP_UNIT_HANDOVER:
		handover_settles(s, p);
		return;
	default:
		other_settles(s, from, p);
		break;
	}
	end_by_rule(s, p);
}

/* The unit that a delay held: its octets are offered anew, so its views are made anew. */
static void
passage_restore(struct session *s, enum smtp_side from, struct passage *p, struct view rest)
{
	size_t len;

	*p = s->from[from].pending->passage;
	len = p->unit.wire.len;
	p->unit.wire = view_first(rest, len);
	p->unit.of = smtp_dialogue_unsettled(&s->dialogue, from);
	if (p->unit.type == SMTP_UNIT_COMMAND) {
		bool secret = p->unit.as.command.secret.at != NULL;

		smtp_command_parse(smtp_line_text(p->unit.wire), &p->unit.as.command);
		if (secret && p->unit.as.command.secret.at == NULL)
			p->unit.as.command.secret = p->unit.as.command.line;
	} else if (p->unit.type == SMTP_UNIT_REPLY) {
		smtp_reply_parse(p->unit.wire, &p->unit.as.reply);
	}
}

/* The delay is over. What the plan got of the verdict lasts until the next call. */
static void
pending_done(struct session *s, struct direction *dir)
{
	if (dir->pending == NULL)
		return;
	dir->pending->next = s->spent;
	s->spent = dir->pending;
	dir->pending = NULL;
}

/* The next unit of a side, or the one that a delay has let go. False: there is none now. */
static bool
next_unit(struct session *s, enum smtp_side from, struct passage *p, struct view rest)
{
	struct direction *dir = &s->from[from];

	if (dir->held || (dir->pending != NULL && !dir->pending->resumed))
		return false;
	if (dir->pending != NULL) {
		passage_restore(s, from, p, rest);
		return true;
	}
	if (from == SMTP_CLIENT && verdicts_wait(s)) {
		s->waited = s->waited || (rest.len > 0 && smtp_dialogue_client_is_owed(&s->dialogue));
		return false;
	}
	memset(&p->verdict, 0, sizeof p->verdict);
	memset(&p->note, 0, sizeof *p - offsetof(struct passage, note));
	if (!smtp_dialogue_feed(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit) &&
	    !(from == SMTP_CLIENT && gap_decides(s, rest) &&
	        smtp_dialogue_feed(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit)) &&
	    !(dir->eof && smtp_dialogue_finish(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit)))
		return false;
	p->arrived_us = s->now_us;
	if (from == SMTP_CLIENT && s->waited) {
		if (p->unit.type == SMTP_UNIT_COMMAND)
			p->unit.marks |= SMTP_MARK_PIPELINED;
		s->waited = false;
	}
	unit_arrives(s, from, p);
	return true;
}

/* Whether the client's octets may be waiting for the reply that has just been settled. */
static bool
client_may_go_on(struct session *s)
{
	enum smtp_place place = smtp_dialogue_place(&s->dialogue, SMTP_CLIENT, NULL);

	return place == SMTP_HANDOVER || s->from[SMTP_CLIENT].blocked;
}

/* Whether what a side still says is thrown away: the client's behind a close, the server's when it owes no more. */
static bool
nobody_listens(struct session *s, enum smtp_side from)
{
	if (from == SMTP_CLIENT)
		return s->closing;
	return s->server == SERVER_LEFT || (s->closing && !smtp_dialogue_server_owes(&s->dialogue));
}

/* Feeds what is there, unit by unit; returns octets used. What is thrown away counts as used, not as received. */
static size_t
feed_units(struct session *s, enum smtp_side from, struct view octets)
{
	struct direction *dir = &s->from[from];
	struct view rest = octets;
	struct passage p;

	dir->blocked = false;
	while (!s->over) {
		if (dir->pending == NULL && nobody_listens(s, from)) {
			take_unit(s, from, rest);
			return octets.len;
		}
		if (!plan_has_room(s)) {
			s->plan->again = true;
			break;
		}
		if (!next_unit(s, from, &p, rest)) {
			if (ceilings_give_up(s, from, rest.len))
				continue;
			break;
		}
		if (!steps_run(s, from, &p)) {
			steps_pause(s, from, &p);
			break;
		}
		if (p.held) {
			pending_done(s, dir);
			note_free(s, p.note, false);
			dir->held = true;
			break;
		}
		unit_settles(s, from, &p);
		injections_go_out(s);
		pending_done(s, dir);
		rest = view_from(rest, p.unit.wire.len);
		dir->octets += p.unit.wire.len;
		forged_go_out(s);
		if (from == SMTP_SERVER && client_may_go_on(s)) {
			s->plan->other = true;
			dir->interrupted = rest.len > 0;
			break;
		}
		if (from == SMTP_SERVER && ceilings_give_up(s, from, rest.len))
			continue;
	}
	dir->blocked = rest.len > 0;
	return s->over ? octets.len : octets.len - rest.len;
}

void
session_feed(struct session *s, enum smtp_side from, const char *octets, size_t len, uint64_t time_us,
    struct plan *plan)
{
	struct direction *dir = &s->from[from];
	size_t used;

	call_begins(s, time_us, plan);
	/* A server that was left may still talk: nobody listens. */
	if (s->over || (from == SMTP_SERVER && s->server == SERVER_LEFT)) {
		plan->used = len;
		call_ends(s);
		return;
	}
	used = feed_units(s, from, (struct view){octets, len});
	/* What is held never goes on: it need not be kept, and the end behind it must be seen. */
	if (dir->held)
		used = len;
	/* What an interruption left may be several units. */
	if (!s->over && !plan->again && !dir->interrupted)
		put_ahead(s, from, (struct view){octets + used, len - used});
	plan->used = used;
	if (from == SMTP_CLIENT && !plan->again && s->from[SMTP_SERVER].interrupted) {
		s->from[SMTP_SERVER].interrupted = false;
		plan->other = true;
	}
	if (dir->eof && !plan->again && !dir->interrupted)
		eof_goes_on(s, from, len - used > dir->ahead);
	call_ends(s);
}

bool
session_wants(const struct session *s, enum smtp_side from, size_t kept)
{
	size_t limit = s->config->max_line > KEPT_MAX ? s->config->max_line : KEPT_MAX;

	(void)from;
	return kept < limit;
}

void
session_resume(struct session *s, enum smtp_side from, uint64_t time_us, struct plan *plan)
{
	struct direction *dir = &s->from[from];

	call_begins(s, time_us, plan);
	if (dir->pending != NULL && dir->pending->passage.place == RULES_AT_CONNECT) {
		struct passage p = dir->pending->passage;

		pending_done(s, dir);
		connect_goes_on(s, &p);
		plan->other = true;
	} else if (dir->pending != NULL) {
		dir->pending->resumed = true;
		plan->again = true;
	}
	call_ends(s);
}

void
session_closed(struct session *s, enum smtp_side by, enum close_how how, struct view reason,
    const char *kept, size_t len, uint64_t time_us, struct plan *plan)
{
	static const char *const names[] = {
	    [CLOSE_EOF] = "eof", [CLOSE_RESET] = "reset", [CLOSE_TIMEOUT] = "timeout",
	    [CLOSE_LIMIT] = "limit", [CLOSE_STOP] = "stop", [CLOSE_CAPTURE] = "capture-end"};
	enum event_side side = how == CLOSE_EOF || how == CLOSE_RESET
	    ? (by == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER) : EVENT_PROXY;

	s->from[by].eof = true;
	if (how == CLOSE_EOF) {
		if (s->closing || (by == SMTP_SERVER && s->server == SERVER_LEFT)) {
			session_feed(s, by, kept, len, time_us, plan);
			return;
		}
		session_ends(s, side, names[how], reason);
		session_feed(s, by, kept, len, time_us, plan);
		return;
	}
	call_begins(s, time_us, plan);
	session_ends(s, side, names[how], reason);
	if (how == CLOSE_RESET) {
		put_end(s, smtp_other_side(by), END_RST_AFTER);
	} else {
		put_end(s, SMTP_CLIENT, END_FIN);
		put_end(s, SMTP_SERVER, END_FIN);
		plan->drain[0] = plan->drain[1] = true;
	}
	s->over = true;
	call_ends(s);
}

uint64_t
session_wake_at(const struct session *s)
{
	return s->over ? 0 : s->deadline_us;
}

void
session_wake(struct session *s, uint64_t time_us, struct plan *plan)
{
	call_begins(s, time_us, plan);
	if (s->closing && time_us >= s->deadline_us) {
		s->deadline_us = 0;
		s->forced = true;
	}
	call_ends(s);
}

static void
judge_close(struct session *s)
{
	struct rules_facts facts;
	struct passage p;
	struct plan plan;

	if (s->rules.passed || rules_need(s->config->rules, RULES_AT_CLOSE, 0) == RULES_NONE)
		return;
	call_begins(s, s->now_us, &plan);
	memset(&p, 0, sizeof p);
	p.place = RULES_AT_CONNECT;
	facts_fill(s, &facts, RULES_AT_CLOSE);
	if (session_judge(s, &p, &facts, VIEW_NONE))
		steps_run(s, SMTP_CLIENT, &p);
	s->plan = NULL;
}

void
session_end(struct session *s, uint64_t time_us)
{
	struct note *note;

	s->now_us = time_us;
	arena_empty(s->config->arena);
	for (enum smtp_side side = SMTP_CLIENT; side <= SMTP_SERVER; side++) {
		cut_goes_on(s, side, VIEW_NONE, true);
		if (s->from[side].pending != NULL)
			note_free(s, s->from[side].pending->passage.note, false);
		pending_done(s, &s->from[side]);
		/* Half a unit was received if it was put out; what was kept back of it has gone nowhere. */
		s->from[side].octets += s->from[side].ahead;
	}
	passed_ends(s);
	if (s->auth != NULL)
		event_auth(s, "unfinished", 0);
	smtp_dialogue_clear(&s->dialogue);
	transaction_unref(s, s->content);
	transaction_unref(s, s->sending);
	session_ends(s, EVENT_PROXY, "stop", VIEW_NONE);
	judge_close(s);
	event_close(s);
	rules_run_clear(&s->rules, s->number);
	spent_free(s);
	withheld_forget(s);
	injections_forget(s);
	while ((note = s->free_notes) != NULL) {
		s->free_notes = note->next;
		free(note);
	}
	free(s->auth);
	free(s->helo);
	free(s->user);
	free(s->findings);
	free(s->end_reason);
	free(s);
}
