/* SPDX-License-Identifier: MIT */
/* A pair's one timer: when it must be woken although nothing comes, and what is due then. */
#include "proxy/relay/pair_state.h"

#include <stdlib.h>

#include "proxy/relay/leg_tls.h"

static void
earlier(uint64_t *at, uint64_t other)
{
	if (other != 0 && (*at == 0 || other < *at))
		*at = other;
}

/* When the pair must be woken although nothing comes; 0: never. */
static uint64_t
wake_at(const struct pair *pair)
{
	uint64_t at = 0;

	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		const struct leg *leg = &pair->leg[i];

		earlier(&at, pair->reset_by_us[i]);
		earlier(&at, pair->reset_look_us[i]);
		if (leg->state != LEG_OPEN)
			continue;
		earlier(&at, outlet_wake_at(&leg->outlet));
		earlier(&at, pair->lost_by_us[i]);
		if (leg_is_securing(leg))
			earlier(&at, leg->tls->by_us);
		if (leg->draining)
			earlier(&at, leg->drain_until_us);
		if (pair->over && leg->outlet.refused)
			earlier(&at, pair->active_us + PAIR_STUCK_US);
	}
	if (pair->dial != NULL)
		earlier(&at, dial_wake_at(pair->dial));
	if (!pair->over) {
		earlier(&at, session_wake_at(pair->session));
		if (pair->worker->idle_timeout_us != 0)
			earlier(&at, pair->active_us + pair->worker->idle_timeout_us);
	}
	return at;
}

static void
wake(struct pair *pair, uint64_t now_us)
{
	const struct worker *worker = pair->worker;
	struct plan plan;

	pair_flush(pair, SMTP_CLIENT, now_us);
	pair_flush(pair, SMTP_SERVER, now_us);
	if (pair->dial != NULL)
		dial_wake(pair->dial);
	if (pair->session != NULL)
		pair_tls_wake(pair, now_us);
	if (pair->over)
		return;
	if (session_wake_at(pair->session) != 0 && session_wake_at(pair->session) <= now_us) {
		session_wake(pair->session, now_us, &plan);
		pair_carry_out_for_both(pair, &plan, now_us);
	} else if (worker->idle_timeout_us != 0 && now_us >= pair->active_us + worker->idle_timeout_us) {
		pair->active_us = now_us;
		session_closed(pair->session, SMTP_CLIENT, CLOSE_TIMEOUT, VIEW("nothing came for the idle timeout"),
		    pair->leg[SMTP_CLIENT].kept, pair->leg[SMTP_CLIENT].kept_len, now_us, &plan);
		pair_carry_out_for_both(pair, &plan, now_us);
	}
}

static void
timer_is_due(evutil_socket_t fd, short what, void *to)
{
	struct pair *pair = to;
	uint64_t now_us = worker_now(pair->worker);

	(void)fd;
	(void)what;
	pair_timer_free(pair);
	pair->settling = true;          /* what dialling comes to is settled below */
	wake(pair, now_us);
	pair->settling = false;
	pair_settle(pair, now_us);
}

void
pair_timer_arm(struct pair *pair, uint64_t now_us)
{
	uint64_t at = wake_at(pair), wait;
	struct timeval tv;

	if (at == 0 || (pair->armed_us != 0 && pair->armed_us <= at))
		return;
	if (pair->timer == NULL)
		pair->timer = evtimer_new(pair->worker->base, timer_is_due, pair);
	wait = at > now_us ? at - now_us : 0;
	tv = (struct timeval){.tv_sec = (time_t)(wait / 1000000), .tv_usec = (suseconds_t)(wait % 1000000)};
	if (pair->timer == NULL || evtimer_add(pair->timer, &tv) != 0)
		abort();
	pair->armed_us = at;
}

void
pair_timer_free(struct pair *pair)
{
	if (pair->timer != NULL)
		event_free(pair->timer);
	pair->timer = NULL;
	pair->armed_us = 0;
}
