/* SPDX-License-Identifier: MIT */
/*
 * Two legs and a session. Whatever wakes a pair (octets, a full socket that has room again,
 * the timer, the server reached or not) leaves something due; pair_settle() does what is due
 * until nothing is, and then says what the loop is to wake it for next. So no call into the
 * session is ever made from inside another, and nothing but pair_settle() frees.
 */
#include "proxy/relay/pair_state.h"

#include <errno.h>
#include <stdlib.h>

#include "proxy/relay/leg_tls.h"
#include "proxy/relay/round.h"

/* The socket said that it takes nothing any more. What the peer sent before that is still read. */
void
pair_is_broken(struct pair *pair, enum smtp_side side)
{
	pair->resumes[smtp_other_side(side)] += outlet_clear(&pair->leg[side].outlet);
	pair->leg[side].lost = true;
}

static void
put_now(struct pair *pair, enum smtp_side to, const struct plan *plan, uint64_t now_us)
{
	struct leg *leg = &pair->leg[to];

	/* Before the server is dialled (a rule delays that) its octets wait, as they do while it is. */
	if (leg->state == LEG_NONE || leg->state == LEG_CONNECTING ||
	    (leg->state == LEG_OPEN && !leg->lost && !leg->fin_sent)) {
		if (outlet_put(&leg->outlet, leg->fd, to, plan->segment, plan->segments, now_us,
		    &pair->resumes[smtp_other_side(to)]) != 0)
			pair_is_broken(pair, to);
		return;
	}
	/* Nobody is there; who waits for its turn need not wait for it. */
	for (unsigned i = 0; i < plan->segments; i++) {
		if (plan->segment[i].to == to && plan->segment[i].resume)
			pair->resumes[smtp_other_side(to)]++;
	}
}

static void
put(struct pair *pair, enum smtp_side to, const struct plan *plan, uint64_t now_us)
{
	if (round_send(pair, to, plan))
		return;
	round_send_now(pair);
	put_now(pair, to, plan, now_us);
}

void
pair_flush(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];

	if (leg->state == LEG_OPEN && !leg->lost && outlet_flush(&leg->outlet, leg->fd, now_us,
	    &pair->resumes[smtp_other_side(side)]) != 0)
		pair_is_broken(pair, side);
}

static void
end_leg(struct pair *pair, enum smtp_side side, enum ending ending, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];

	switch (ending) {
	case END_NOT:
		break;
	case END_FIN:
		leg->fin_due = true;
		break;
	case END_RST_AFTER:
		pair->reset_by_us[side] = now_us + PAIR_RESET_US;
		break;
	case END_RST:
		pair_lose(pair, side, true);
		break;
	}
}

/* All segments of a plan: mostly there is one, and for the other side nothing. */
static void
put_all(struct pair *pair, const struct plan *plan, uint64_t now_us)
{
	for (unsigned i = 0; i < plan->segments; i++)
		pair->secure_due[plan->segment[i].to] |= plan->segment[i].secure;
	if (plan->segments == 1) {
		put(pair, plan->segment[0].to, plan, now_us);
		return;
	}
	put(pair, SMTP_CLIENT, plan, now_us);
	put(pair, SMTP_SERVER, plan, now_us);
}

void
pair_carry_out(struct pair *pair, enum smtp_side side, const struct plan *plan, uint64_t now_us)
{
	if (plan->dial && pair->leg[SMTP_SERVER].state == LEG_NONE) {
		pair->leg[SMTP_SERVER].state = LEG_CONNECTING;
		pair->dial_due = true;
	}
	if (plan->segments > 0)
		put_all(pair, plan, now_us);
	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		if (plan->end[i] != END_NOT)
			end_leg(pair, (enum smtp_side)i, plan->end[i], now_us);
		pair->leg[i].draining |= plan->drain[i];
	}
	pair->feed_due[side] |= plan->again;
	pair->feed_due[smtp_other_side(side)] |= plan->other;
	pair->over |= plan->over;
}

void
pair_carry_out_for_both(struct pair *pair, struct plan *plan, uint64_t now_us)
{
	plan->again |= plan->other;
	plan->other = plan->again;
	pair_carry_out(pair, SMTP_CLIENT, plan, now_us);
}

/* Octets that a side sent and the session has not used; they are behind what was kept, or are it. */
static void
offer(struct pair *pair, enum smtp_side from, const char *octets, size_t len, uint64_t now_us)
{
	struct plan plan;

	do {
		pair->feed_due[from] = false;
		session_feed(pair->session, from, octets, len, now_us, &plan);
		pair_carry_out(pair, from, &plan, now_us);
		if (plan.used > 0)
			octets += plan.used;
		len -= plan.used;
	} while (pair->feed_due[from] && !pair->over);
	leg_keep(&pair->leg[from], octets, len);
}

void
pair_read_ended(struct pair *pair, enum smtp_side side, enum close_how how, struct view reason, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	bool told = leg->eof;
	struct plan plan;

	if (how == CLOSE_RESET && leg_is_securing(leg) && !pair->over)
		pair_tls_lost(pair, side, VIEW("the connection was reset"), now_us);
	else if (how != CLOSE_EOF && pair_tls_is_late(pair, side))
		pair_tls_cannot(pair, side, now_us);
	leg->eof = true;
	if (how != CLOSE_EOF)
		pair_lose(pair, side, false);
	if (pair->over || (how == CLOSE_EOF && (told || leg->draining)))
		return;
	session_closed(pair->session, side, how, reason, leg->kept, leg->kept_len, now_us, &plan);
	pair_carry_out(pair, side, &plan, now_us);
	if (plan.used > 0)
		leg_keep(leg, leg->kept + plan.used, leg->kept_len - plan.used);
}

/* What one read of a leg came to: octets, behind which there is room for what was kept, in front; or an end. */
static void
take_read(struct pair *pair, enum smtp_side side, enum leg_read got, char *octets, size_t len, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	size_t kept = leg->kept_len;

	switch (got) {
	case LEG_READ_SOME:
		if (leg->draining || pair->over)
			break;
		if (kept > 0)
			memcpy(octets - kept, leg->kept, kept);
		offer(pair, side, octets - kept, kept + len, now_us);
		break;
	case LEG_READ_NOTHING:
		break;
	case LEG_READ_FIN:
		/* Where writing has failed, the error was told there; reading says no more than this. */
		if (leg->lost)
			pair_read_ended(pair, side, CLOSE_RESET, VIEW_NONE, now_us);
		else
			pair_read_ended(pair, side, CLOSE_EOF, leg->tls != NULL && leg->tls->cut
			    ? VIEW("the TLS stream ended without close_notify") : VIEW_NONE, now_us);
		break;
	case LEG_READ_FAILED:
		if (pair->session != NULL)
			pair_tls_failed(pair, side, now_us);
		else
			leg->lost = true;
		break;
	case LEG_READ_LOST:
		pair_read_ended(pair, side, CLOSE_RESET, errno == ECONNRESET ? VIEW_NONE : view_of(strerror(errno)),
		    now_us);
		break;
	}
}

/* One read of a leg into the scratch buffer, behind what was kept of it. */
static void
read_leg(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	size_t kept = leg->draining ? 0 : leg->kept_len, len;
	size_t size = leg->avid ? WORKER_READ_MOST : WORKER_READ;
	char *scratch = worker_scratch(pair->worker, kept, size);
	enum leg_read got = leg_read(leg, scratch, size, &len);

	take_read(pair, side, got, scratch, len, now_us);
	leg->avid = got == LEG_READ_SOME && len >= LEG_AVID && leg->kept_len == 0;
}

static bool
wants_read(const struct pair *pair, enum smtp_side side)
{
	const struct leg *leg = &pair->leg[side];

	if (leg->state != LEG_OPEN || leg->eof)
		return false;
	/* Its TLS is about to begin, and reads what comes from now on. */
	if (side == SMTP_SERVER && leg->outlet.secure)
		return false;
	if (leg->draining)
		return true;
	return !pair->over && pair->reset_by_us[side] == 0 && !pair->leg[smtp_other_side(side)].outlet.full &&
	    session_wants(pair->session, side, leg->kept_len);
}

static void
plain_leg_is_ready(struct pair *pair, enum smtp_side side, short what, uint64_t now_us)
{
	const struct leg *leg = &pair->leg[side];

	/* libevent says both where there is an error: reading finds out which. */
	if ((what & EV_WRITE) != 0 && (leg->watched & EV_WRITE) != 0)
		pair_flush(pair, side, now_us);
	if ((what & EV_READ) != 0 && (leg->watched & EV_READ) != 0)
		read_leg(pair, side, now_us);
}

/* TLS may have to write so as to read, and the other way round: whichever came, both may go on. */
static void
secure_leg_is_ready(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];

	if (leg->outlet.refused)
		pair_flush(pair, side, now_us);
	if (wants_read(pair, side))
		read_leg(pair, side, now_us);
}

static void
leg_is_ready(struct pair *pair, enum smtp_side side, short what)
{
	struct leg *leg = &pair->leg[side];
	uint64_t now_us = worker_now(pair->worker);

	if ((leg->watched & EV_ET) != 0) {
		/* Nothing was asked for. By edges, the kernel says so once although nothing is wrong. */
		if (!leg_has_vanished(leg))
			return;
		pair_is_broken(pair, side);
	} else {
		pair->active_us = now_us;
		if (leg_is_securing(leg))
			pair_tls_step(pair, side, now_us);
		else if (leg->tls != NULL)
			secure_leg_is_ready(pair, side, now_us);
		else
			plain_leg_is_ready(pair, side, what, now_us);
	}
	pair_settle(pair, now_us);
}

bool
pair_reads_plainly(const struct pair *pair, enum smtp_side side)
{
	const struct leg *leg = &pair->leg[side];

	return leg->watched == LEG_READING && leg->tls == NULL && leg->kept_len == 0 && !leg->avid && !leg->draining &&
	    !pair->over;
}

void
pair_read(struct pair *pair, enum smtp_side side)
{
	if ((pair->leg[side].watched & EV_READ) != 0)
		leg_is_ready(pair, side, EV_READ);
}

void
pair_take(struct pair *pair, enum smtp_side side, enum leg_read got, char *octets, size_t len)
{
	uint64_t now_us = worker_now(pair->worker);

	pair->active_us = now_us;
	take_read(pair, side, got, octets, len, now_us);
	pair->leg[side].avid = len >= LEG_AVID;
	pair_settle(pair, now_us);
}

void
pair_put_rest(struct pair *pair, enum smtp_side to, struct view octets, uint64_t now_us)
{
	put_now(pair, to, &(struct plan){.segment = {{.octets = octets, .to = to}}, .segments = 1}, now_us);
}

/* What is no more than a read waits for the others of this round of the loop. TLS is stepped through at once. */
static void
wakes(struct pair *pair, enum smtp_side side, short what)
{
	if (what != EV_READ || pair->leg[side].watched != LEG_READING || pair->leg[SMTP_CLIENT].tls != NULL ||
	    pair->leg[SMTP_SERVER].tls != NULL || !round_read(pair, side))
		leg_is_ready(pair, side, what);
}

static void
client_is_ready(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	wakes(to, SMTP_CLIENT, what);
}

void
pair_server_is_ready(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	wakes(to, SMTP_SERVER, what);
}

/* Octets of a leg that TLS has, although its socket may be silent. */
static bool
has_more(const struct pair *pair, enum smtp_side side)
{
	const struct leg *leg = &pair->leg[side];

	return leg->tls != NULL && leg->tls->up && leg->tls->more && wants_read(pair, side);
}

static bool
is_due(const struct pair *pair)
{
	return has_more(pair, SMTP_CLIENT) || has_more(pair, SMTP_SERVER) ||
	    pair->resumes[SMTP_CLIENT] > 0 || pair->resumes[SMTP_SERVER] > 0 ||
	    pair->feed_due[SMTP_CLIENT] || pair->feed_due[SMTP_SERVER] || pair->dial_due ||
	    pair_tls_is_late(pair, SMTP_CLIENT) || pair_tls_is_late(pair, SMTP_SERVER) ||
	    pair->unreachable_due;
}

/* One thing that is due. False: nothing is. */
static bool
do_due(struct pair *pair, uint64_t now_us)
{
	struct plan plan;

	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		enum smtp_side side = (enum smtp_side)i;

		if (pair->resumes[side] > 0) {
			pair->resumes[side]--;
			session_resume(pair->session, side, now_us, &plan);
			pair_carry_out(pair, side, &plan, now_us);
			return true;
		}
		if (pair->feed_due[side]) {
			offer(pair, side, pair->leg[side].kept, pair->leg[side].kept_len, now_us);
			return true;
		}
	}
	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		if (has_more(pair, (enum smtp_side)i)) {
			read_leg(pair, (enum smtp_side)i, now_us);
			return true;
		}
		if (pair_tls_is_late(pair, (enum smtp_side)i)) {
			pair_tls_cannot(pair, (enum smtp_side)i, now_us);
			return true;
		}
	}
	if (pair->dial_due) {
		pair_dial(pair);
		return true;
	}
	if (pair->unreachable_due) {
		pair->unreachable_due = false;
		pair_lose(pair, SMTP_SERVER, false);
		session_unreachable(pair->session, view_of(pair->why), now_us, &plan);
		pair_carry_out_for_both(pair, &plan, now_us);
		return true;
	}
	return false;
}

static void
watch(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];

	if (leg_is_securing(leg))
		leg_watch(leg, !leg->tls->hello && !leg->tls->wants_write, leg->tls->wants_write);
	else if (leg->tls != NULL)
		leg_watch(leg, wants_read(pair, side) || leg->outlet.wants_read,
		    leg->tls->wants_write || (leg->outlet.refused && !leg->outlet.wants_read));
	else
		leg_watch(leg, wants_read(pair, side), leg->outlet.refused);
	if (leg->lost && leg->state == LEG_OPEN && pair->lost_by_us[side] == 0)
		pair->lost_by_us[side] = now_us + PAIR_RESET_US;
}

/* It is read, and nothing else is to be done about it. */
static bool
leg_flows(const struct pair *pair, enum smtp_side side)
{
	const struct leg *leg = &pair->leg[side];

	return leg->watched == LEG_READING && leg->tls == NULL && leg->kept_len == 0 && !leg->eof && !leg->lost &&
	    !leg->fin_due && !leg->draining && outlet_is_empty(&leg->outlet) && !leg->outlet.refused &&
	    pair->resumes[side] == 0 && !pair->feed_due[side] && !pair->secure_due[side] &&
	    pair->reset_by_us[side] == 0;
}

/* Octets go to and fro, and all is as it was before: so it is nearly every time that a pair is woken. */
static bool
flows(const struct pair *pair)
{
	return leg_flows(pair, SMTP_CLIENT) && leg_flows(pair, SMTP_SERVER) && !pair->over && !pair->dial_due &&
	    !pair->unreachable_due && !pair_timer_is_late(pair);
}

void
pair_settle(struct pair *pair, uint64_t now_us)
{
	if (pair->settling || flows(pair))
		return;
	pair->settling = true;
	round_send_now(pair);
	do {
		do {
			while (!pair->over && do_due(pair, now_us))
				;
		} while (pair_tls_go_on(pair, now_us));
		pair_end_stream(pair, SMTP_CLIENT, now_us);
		pair_end_stream(pair, SMTP_SERVER, now_us);
	} while (!pair->over && is_due(pair));
	pair->settling = false;
	/* Nobody is left to talk to, whatever the session is waiting for. */
	if (pair->leg[SMTP_CLIENT].state == LEG_GONE && pair->leg[SMTP_SERVER].state == LEG_GONE)
		pair->over = true;
	if (pair->over && pair_finish(pair, now_us)) {
		pair_free(pair);
		return;
	}
	watch(pair, SMTP_CLIENT, now_us);
	watch(pair, SMTP_SERVER, now_us);
	pair_timer_arm(pair);
}

void
pair_new(struct worker *worker, int fd, const union url_address *client, const struct listener *listener)
{
	struct pair *pair = calloc(1, sizeof *pair);
	char text[URL_ADDRESS_MAX];
	const struct url *server = upstreams_first(worker->upstreams);
	struct session_ends ends = {.client = &client->any, .client_text = url_address_text(client, text),
	    .server = url_authority(server), .listener = url_authority(&listener->url),
	    .lmtp = listener->lmtp || server->scheme == URL_LMTP};
	const struct worker_tls *tls = &worker->tls;
	union url_address own;
	socklen_t own_len = sizeof own;
	uint64_t now_us = worker_now(worker);
	struct plan plan;

	if (pair == NULL)
		abort();
	if (worker->rulebook->config.wire.put != NULL && getsockname(fd, &own.any, &own_len) == 0)
		ends.server_address = &own.any;
	ends.tls[SMTP_CLIENT] = listener->url.tls ? SESSION_TLS_IMPLICIT : tls->way[SMTP_CLIENT];
	ends.tls[SMTP_SERVER] = server->tls ? SESSION_TLS_IMPLICIT : tls->way[SMTP_SERVER];
	worker_tls_agree(tls, ends.tls, &ends.drops_glued);
	pair->worker = worker;
	pair->active_us = now_us;
	pair->next = worker->pairs;
	pair->at = &worker->pairs;
	if (pair->next != NULL)
		pair->next->at = &pair->next;
	worker->pairs = pair;
	worker->pair_count++;
	worker->tally->open++;
	leg_init(&pair->leg[SMTP_CLIENT]);
	leg_init(&pair->leg[SMTP_SERVER]);
	leg_open(&pair->leg[SMTP_CLIENT], worker->base, fd, client_is_ready, pair);
	pair->rulebook = rulebook_use(worker->rulebook);
	pair->session = session_new(&pair->rulebook->config, ++worker->tally->last_session, &ends, now_us);
	session_connect(pair->session, now_us, &plan);
	pair_carry_out_for_both(pair, &plan, now_us);
	pair_settle(pair, now_us);
}
