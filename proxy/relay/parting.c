/* SPDX-License-Identifier: MIT */
/*
 * How a pair ends: FINs behind what goes before them, resets handed on, the last octets of a
 * session that is over, legs that linger so that no reset of ours overtakes a reply (RFC 9293
 * 3.6.1: closing with unread octets is a reset), and the stop of all of them.
 */
#include "proxy/relay/pair_state.h"

#include <stdlib.h>

#include "proxy/relay/round.h"

void
pair_lose(struct pair *pair, enum smtp_side side, bool reset)
{
	struct leg *leg = &pair->leg[side];

	round_send_now(pair);
	if (side == SMTP_SERVER && pair->dial != NULL) {
		dial_cancel(pair->dial);
		pair->dial = NULL;
	}
	pair->resumes[smtp_other_side(side)] += outlet_clear(&leg->outlet);
	if (reset)
		leg_reset(leg);
	else
		leg_close(leg);
	pair->reset_by_us[side] = pair->reset_look_us[side] = 0;
	pair->lost_by_us[side] = 0;
}

void
pair_end_stream(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	bool out = outlet_is_empty(&leg->outlet) || leg->lost;

	pair->reset_look_us[side] = 0;
	if (pair->reset_by_us[side] != 0 && (out || now_us >= pair->reset_by_us[side])) {
		if (now_us >= pair->reset_by_us[side] || leg->lost || leg_is_taken(leg))
			pair_lose(pair, side, true);
		else
			pair->reset_look_us[side] = now_us + PAIR_LOOK_US;
		return;
	}
	if (leg->state != LEG_OPEN)
		return;
	/* Lost, and nothing more can be read of it, or nobody wants to: it is as if it had been read. */
	if (leg->lost && (leg->eof || (pair->lost_by_us[side] != 0 && now_us >= pair->lost_by_us[side]))) {
		pair_read_ended(pair, side, CLOSE_RESET, VIEW_NONE, now_us);
		return;
	}
	leg_send_fin(leg, now_us);
	if (leg->fin_sent && (leg->eof || (leg->draining && now_us >= leg->drain_until_us)))
		pair_lose(pair, side, false);
}

/* The session is over: whether this leg has nothing more to do. Behind a dam nothing ever goes out. */
static bool
is_out(const struct pair *pair, const struct leg *leg, uint64_t now_us)
{
	return outlet_is_empty(&leg->outlet) || leg->lost || leg->outlet.dammed ||
	    (leg->outlet.refused && now_us >= pair->active_us + PAIR_STUCK_US);
}

static void
end_session(struct pair *pair, uint64_t now_us)
{
	session_end(pair->session, now_us);
	pair->session = NULL;
	rulebook_release(pair->rulebook);
	pair->rulebook = NULL;
}

bool
pair_finish(struct pair *pair, uint64_t now_us)
{
	bool done = true;

	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		struct leg *leg = &pair->leg[i];

		if (leg->state == LEG_NONE)
			pair_lose(pair, (enum smtp_side)i, false);      /* what waited for it has no use */
		if (leg->state == LEG_GONE)
			continue;
		if ((leg->state == LEG_CONNECTING || is_out(pair, leg, now_us)) &&
		    !(leg->draining && leg->fin_sent) && pair->reset_by_us[i] == 0)
			pair_lose(pair, (enum smtp_side)i, leg->outlet.refused);
		else
			done = false;
	}
	/* What lingers is no part of the session any more: it ends when its last octet is out. */
	if (pair->session != NULL && outlet_is_empty(&pair->leg[SMTP_CLIENT].outlet) &&
	    outlet_is_empty(&pair->leg[SMTP_SERVER].outlet))
		end_session(pair, now_us);
	return done;
}

void
pair_free(struct pair *pair)
{
	struct worker *worker = pair->worker;

	assert(pair->session == NULL);
	round_forget(pair);
	leg_clear(&pair->leg[SMTP_CLIENT]);
	leg_clear(&pair->leg[SMTP_SERVER]);
	pair_timer_free(pair);
	*pair->at = pair->next;
	if (pair->next != NULL)
		pair->next->at = pair->at;
	worker->pair_count--;
	worker->tally->open--;
	free(pair->why);
	free(pair);
	listeners_resume(worker->listeners);
	if (worker->stopping && worker->pair_count == 0)
		worker->stopped(worker->stopped_to);
}

/*
 * Says what can be said at once. What the client has sent meanwhile is read first: closing a
 * socket with unread octets sends a reset, which may overtake what was put out.
 */
static void
stop_leg(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	size_t len;

	if (leg->state == LEG_OPEN && outlet_is_empty(&leg->outlet) && !leg->lost) {
		leg->fin_due = true;
		leg_send_fin(leg, now_us);
		leg_read(leg, worker_scratch(pair->worker, 0, WORKER_READ), WORKER_READ, &len);
	}
	pair_lose(pair, side, !outlet_is_empty(&leg->outlet));
}

static void
stop_pair(struct pair *pair, const char *reason, uint64_t now_us)
{
	struct plan plan;

	pair->settling = true;
	if (!pair->over) {
		session_closed(pair->session, SMTP_CLIENT, CLOSE_STOP, view_of(reason),
		    pair->leg[SMTP_CLIENT].kept, pair->leg[SMTP_CLIENT].kept_len, now_us, &plan);
		pair_carry_out_for_both(pair, &plan, now_us);
	}
	stop_leg(pair, SMTP_CLIENT, now_us);
	stop_leg(pair, SMTP_SERVER, now_us);
	if (pair->session != NULL)
		end_session(pair, now_us);
	pair_free(pair);
}

void
pairs_stop(struct worker *worker, const char *reason)
{
	uint64_t now_us = worker_now(worker);

	while (worker->pairs != NULL)
		stop_pair(worker->pairs, reason, now_us);
}

bool
pairs_stop_one(struct worker *worker, uint64_t session, const char *reason)
{
	struct session_glance glance;

	for (struct pair *pair = worker->pairs; pair != NULL; pair = pair->next) {
		if (pair->session == NULL)
			continue;
		session_glance(pair->session, &glance);
		if (glance.number != session)
			continue;
		stop_pair(pair, reason, worker_now(worker));
		return true;
	}
	return false;
}

void
pairs_glance(const struct worker *worker, void (*told)(void *to, const struct session_glance *glance), void *to)
{
	struct session_glance glance;

	for (const struct pair *pair = worker->pairs; pair != NULL; pair = pair->next) {
		/* One that has ended only lingers. */
		if (pair->session == NULL)
			continue;
		session_glance(pair->session, &glance);
		told(to, &glance);
	}
}
