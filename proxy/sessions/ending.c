/* SPDX-License-Identifier: MIT */
/*
 * How a session ends: by a side's FIN or reset, by a rule, by a signal or a limit. FIN follows
 * the octets before it, a rule's close what the client is owed.
 */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

#define CLOSE_WAIT_US   5000000u        /* a closing session waits so long for replies */

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

void
session_closing(struct session *s)
{
	if (s->closing)
		return;
	s->closing = true;
	s->deadline_us = s->now_us + CLOSE_WAIT_US;
	smtp_dialogue_abandon_content(&s->dialogue);
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
void
ending_goes_on(struct session *s)
{
	bool silent = server_is_silent(s);

	if (securing_holds_replies(s) && !s->forced)
		return;
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

/* It follows the octets before it, and both make an end. */
static void
fin_follows(struct session *s, enum smtp_side from, bool stuck)
{
	struct direction *dir = &s->from[from];

	if (from == SMTP_SERVER && securing_lost_server(s))
		return;
	if (dir->eof && !dir->ended && !stuck && !dir->held && dir->pending == NULL)
		put_end(s, smtp_other_side(from), END_FIN);
	/* Without a server there is nobody left to talk to. */
	if (from == SMTP_CLIENT && dir->eof && s->server != SERVER_OPEN) {
		put_end(s, SMTP_CLIENT, END_FIN);
		s->over = true;
	}
	/* What the client said in front of its own may have waited for the server's until now. */
	if (from == SMTP_SERVER && s->plan->other)
		return;
	if (s->from[SMTP_CLIENT].eof && s->from[SMTP_SERVER].eof && s->from[SMTP_CLIENT].pending == NULL &&
	    s->from[SMTP_SERVER].pending == NULL) {
		put_end(s, SMTP_CLIENT, END_FIN);
		put_end(s, SMTP_SERVER, END_FIN);
		s->over = true;
	}
}

/* What of the client's has waited for the server's answers waits no more. */
static void
server_falls_silent(struct session *s)
{
	struct passage p;

	memset(&p, 0, sizeof p);
	injections_go_out(s);
	rewriting_goes_on(s);
	rewriting_cuts_off(s, &p);
	ending_by_rule(s, &p);
	s->plan->other = s->plan->other || client_may_go_on(s);
}

void
ending_of_side(struct session *s, enum smtp_side from, bool stuck)
{
	bool waits = s->from[from].pending != NULL;

	if (from == SMTP_SERVER && !waits && !s->over)
		server_falls_silent(s);
	if (from == SMTP_CLIENT && !waits && !s->over)
		stuck = stuck || !rewriting_stream_ends(s) || injections_wait(s);
	fin_follows(s, from, stuck);
}

void
direction_ends(struct session *s, enum smtp_side from)
{
	s->from[from].held = s->from[from].truncated = true;
	put_end(s, smtp_other_side(from), END_FIN);
}

/* `close` and `reset` of a rule: who is cut off, and how the other hears of it. */
void
ending_of_rule(struct session *s, const struct passage *p)
{
	session_ends(s, EVENT_PROXY, "rule", VIEW_NONE);
	/* The client is to have what the rule says; of the server it hears no more. */
	if (p->reply != NULL && !p->close[SMTP_CLIENT] && !p->reset[SMTP_CLIENT])
		forgo_answers(s);
	if (p->reset[SMTP_CLIENT] || p->reset[SMTP_SERVER]) {
		/* Behind what `truncate` has left of the unit: that is to arrive. */
		put_end(s, SMTP_CLIENT, p->reset[SMTP_CLIENT] && !p->truncated ? END_RST : END_RST_AFTER);
		/* Left inside the content it has been sent FIN: that is not what was asked for. */
		if (s->server == SERVER_OPEN || s->server == SERVER_LEFT)
			put_end(s, SMTP_SERVER, p->reset[SMTP_SERVER] && !p->truncated ? END_RST : END_RST_AFTER);
		s->over = true;
	} else if (!p->close[SMTP_CLIENT]) {
		if (s->server == SERVER_OPEN)
			put_end(s, SMTP_SERVER, END_FIN);
		put_end(s, SMTP_CLIENT, END_FIN);
		s->plan->drain[SMTP_SERVER] = s->plan->drain[SMTP_CLIENT] = true;
		s->over = true;
	} else {
		session_closing(s);
	}
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

	if (s->tls_fresh && by == SMTP_CLIENT && len == 0 && (how == CLOSE_EOF || how == CLOSE_RESET)) {
		s->tls_fresh = false;
		s->now_us = time_us;
		finding_tell(s, FINDING_TLS_LEFT, EVENT_CLIENT, VIEW("it closed the connection, and said nothing"), VIEW_NONE);
	}
	s->from[by].eof = true;
	s->from[by].fin = how == CLOSE_EOF;
	s->wire_quiet = how == CLOSE_CAPTURE;
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
		wire_ends(s, by, by, true);
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
		if (s->from[side].fin)
			wire_ends(s, side, side, false);
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
	wire_tell(s, WIRE_CLOSED);
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
	securing_free(s->securing);
	session_goes(s);
}
