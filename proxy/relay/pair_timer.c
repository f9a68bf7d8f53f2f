/* SPDX-License-Identifier: MIT */
/* A pair's one timer: when it must be woken although nothing comes, and what is due then. */
#include "proxy/relay/pair_state.h"

#include <stddef.h>

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

static size_t
unsent_octets(const struct pair *pair)
{
	return pair->leg[SMTP_CLIENT].outlet.size + pair->leg[SMTP_SERVER].outlet.size;
}

static void
wake(struct pair *pair, uint64_t now_us)
{
	const struct worker *worker = pair->worker;
	struct plan plan;

	size_t unsent = unsent_octets(pair);

	pair_flush(pair, SMTP_CLIENT, now_us);
	pair_flush(pair, SMTP_SERVER, now_us);
	/* Who is slowed down is not idle. */
	if (unsent_octets(pair) != unsent)
		pair->active_us = now_us;
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

void
pair_is_woken(struct alarm *alarm)
{
	struct pair *pair = (struct pair *)((char *)alarm - offsetof(struct pair, alarm));
	uint64_t now_us = worker_now(pair->worker);

	pair->settling = true;          /* what dialling comes to is settled below */
	wake(pair, now_us);
	pair->settling = false;
	pair_settle(pair, now_us);
}

void
pair_timer_arm(struct pair *pair)
{
	uint64_t at_us = wake_at(pair);

	if (at_us != 0 && (pair->alarm.at_us == 0 || at_us < pair->alarm.at_us))
		alarms_set(&pair->worker->alarms, &pair->alarm, at_us);
}

bool
pair_timer_is_late(const struct pair *pair)
{
	uint64_t at_us = session_wake_at(pair->session);

	/* Of times that move back with each octet, one that is too early is as good as the right one. */
	if (pair->alarm.at_us == 0)
		return at_us != 0 || pair->worker->idle_timeout_us != 0;
	return at_us != 0 && at_us < pair->alarm.at_us;
}

void
pair_timer_free(struct pair *pair)
{
	alarms_unset(&pair->worker->alarms, &pair->alarm);
}
