/* SPDX-License-Identifier: MIT */
/*
 * One round of a worker's loop. While the loop tells what is ready, reads are collected; then all are
 * done, then what they lead to is decoded pair by pair, and sends are collected; then those are done.
 * Every request is one that does not wait, so the kernel has answered all of them when the call
 * returns, and nothing is on its way between two rounds.
 */
#include "proxy/relay/round.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proxy/relay/pair_state.h"

#ifndef ROUND_LEAST
#define ROUND_LEAST 2                           /* legs in one round; one alone is read as ever */
#endif
#define ROUND_READS 64                          /* legs read together; more are read alone */
#define ROUND_SEND  ((size_t)8 << 10)           /* octets to one leg; more are not worth a copy */

/* A place in the round: for one leg of a pair. pair NULL: there is nothing to do any more. */
struct place {
	struct pair   *pair;
	enum smtp_side side;
	bool           together;        /* to be read by the one call for all */
	char          *octets;
	size_t         len;
	int            result;          /* octets, or an errno below 0 */
};

struct round {
	struct io_uring ring;
	bool            has_ring;               /* false: all is read and sent one by one */
	bool            collecting;             /* sends wait for the end of the round */
	unsigned        reads, sends;
	size_t          unsent;                 /* octets of out */
	struct place    read[ROUND_READS];
	struct place    send[ROUND_READS];
	char           *out;                    /* what is to be sent; ROUND_READS * ROUND_SEND */
	char           *in;                     /* ROUND_READS * LEG_AVID, at the start of a page */
};

struct round *
round_new(void)
{
	struct round *round = calloc(1, sizeof *round);

	if (round == NULL)
		abort();
	round->in = aligned_alloc(4096, ROUND_READS * LEG_AVID);
	round->out = malloc(ROUND_READS * ROUND_SEND);
	if (round->in == NULL || round->out == NULL)
		abort();
	round->has_ring = io_uring_queue_init(ROUND_READS, &round->ring, 0) == 0;
	return round;
}

void
round_free(struct round *round)
{
	if (round == NULL)
		return;
	if (round->has_ring)
		io_uring_queue_exit(&round->ring);
	free(round->in);
	free(round->out);
	free(round);
}

/* Lets the kernel do what was prepared, count requests; results go to places. */
static void
do_all(struct round *round, struct place *places, unsigned count)
{
	struct io_uring_cqe *done;
	unsigned head, seen;
	int n;

	for (unsigned left = count; left > 0; left -= seen) {
		do {
			n = io_uring_submit_and_wait(&round->ring, left);
		} while (n == -EINTR);
		seen = 0;
		io_uring_for_each_cqe(&round->ring, head, done) {
			places[done->user_data].result = done->res;
			seen++;
		}
		io_uring_cq_advance(&round->ring, seen);
		if (n < 0 && seen == 0) {
			/* What it has not begun must never be: the places are used again. */
			io_uring_queue_exit(&round->ring);
			round->has_ring = false;
			return;
		}
	}
}

bool
round_read(struct pair *pair, enum smtp_side side)
{
	struct round *round = pair->worker->round;

	if (!round->has_ring || round->reads == ROUND_READS)
		return false;
	round->read[round->reads++] = (struct place){.pair = pair, .side = side};
	pair->to_read = true;
	return true;
}

/* Whether octets of the plan may wait, all of them; then how many there are for that side. */
static bool
may_wait(const struct pair *pair, enum smtp_side to, const struct plan *plan, size_t *len)
{
	const struct leg *leg = &pair->leg[to];

	if (pair->settling || leg->watched != LEG_READING || leg->tls != NULL || leg->lost || leg->fin_sent ||
	    !outlet_is_empty(&leg->outlet) || leg->outlet.pacer != NULL)
		return false;
	*len = 0;
	for (unsigned i = 0; i < plan->segments; i++) {
		const struct segment *s = &plan->segment[i];

		if (s->to != to)
			continue;
		if (s->wait_us != 0 || s->resume || s->pace != NULL || s->secure)
			return false;
		*len += s->octets.len;
	}
	return *len <= ROUND_SEND;
}

/* Where the octets to that leg go. NULL: nowhere; a pair has one place, and what is behind it in order. */
static struct place *
place_for(struct round *round, struct pair *pair, enum smtp_side to, size_t len)
{
	struct place *place = &round->send[round->sends];

	if (pair->to_send) {
		place--;
		return place->side == to && place->len + len <= ROUND_SEND ? place : NULL;
	}
	if (round->sends == ROUND_READS)
		return NULL;
	*place = (struct place){.pair = pair, .side = to, .octets = round->out + round->unsent};
	round->sends++;
	return place;
}

bool
round_send(struct pair *pair, enum smtp_side to, const struct plan *plan)
{
	struct round *round = pair->worker->round;
	struct place *place;
	size_t len;

	if (!round->collecting || !may_wait(pair, to, plan, &len))
		return false;
	if (len == 0)
		return true;
	place = place_for(round, pair, to, len);
	if (place == NULL)
		return false;
	for (unsigned i = 0; i < plan->segments; i++) {
		struct view octets = plan->segment[i].octets;

		if (plan->segment[i].to != to || octets.len == 0)
			continue;
		memcpy(place->octets + place->len, octets.at, octets.len);
		place->len += octets.len;
		round->unsent += octets.len;
	}
	pair->to_send = true;
	return true;
}

void
round_send_now(struct pair *pair)
{
	struct round *round = pair->worker->round;
	struct place *place;

	if (!pair->to_send)
		return;
	pair->to_send = false;
	place = &round->send[round->sends - 1];
	place->pair = NULL;
	pair_put_rest(pair, place->side, (struct view){place->octets, place->len}, worker_now(pair->worker));
}

void
round_forget(struct pair *pair)
{
	struct round *round = pair->worker->round;

	assert(!pair->to_send);
	for (unsigned i = 0; pair->to_read && i < round->reads; i++)
		if (round->read[i].pair == pair)
			round->read[i].pair = NULL;
}

/*
 * Who is read together with others: what one leg of a pair has said may change what is to be done
 * about the other, so that one is read alone, behind it. Returns how many there are.
 */
static unsigned
choose(struct round *round)
{
	unsigned count = 0;

	for (unsigned i = 0; i < round->reads; i++) {
		struct place *place = &round->read[i];

		if (place->pair == NULL || place->pair->to_take || !pair_reads_plainly(place->pair, place->side))
			continue;
		place->together = place->pair->to_take = true;
		count++;
	}
	return count;
}

static void
take(struct place *place)
{
	struct pair *pair = place->pair;
	int n = place->result;
	enum leg_read got = n > 0 ? LEG_READ_SOME : n == 0 ? LEG_READ_FIN : LEG_READ_LOST;

	if (n == -EAGAIN || n == -EINTR)
		got = LEG_READ_NOTHING;
	errno = n < 0 ? -n : 0;
	pair->to_take = false;
	pair_take(pair, place->side, got, place->octets, n > 0 ? (size_t)n : 0);
}

static void
read_together(struct round *round, unsigned count)
{
	for (unsigned i = 0; i < round->reads; i++) {
		struct place *place = &round->read[i];
		struct io_uring_sqe *request;

		if (!place->together)
			continue;
		request = io_uring_get_sqe(&round->ring);
		place->octets = round->in + i * LEG_AVID;
		place->result = -EAGAIN;
		io_uring_prep_recv(request, place->pair->leg[place->side].fd, place->octets, LEG_AVID, MSG_DONTWAIT);
		request->user_data = i;
	}
	do_all(round, round->read, count);
	/* The ring may be gone by now (do_all). */
	round->collecting = round->has_ring;
	for (unsigned i = 0; i < round->reads; i++)
		if (round->read[i].together)
			take(&round->read[i]);
	round->collecting = false;
}

/* The others. With the pair that a read ends go its places. */
static void
read_alone(struct round *round, bool all)
{
	for (unsigned i = 0; i < round->reads; i++) {
		struct place *place = &round->read[i];

		if (place->pair != NULL && (all || !place->together))
			pair_read(place->pair, place->side);
	}
	for (unsigned i = 0; i < round->reads; i++)
		if (round->read[i].pair != NULL)
			round->read[i].pair->to_read = round->read[i].pair->to_take = false;
	round->reads = 0;
}

/* What its socket has not taken of it goes the way that it would have gone at once. */
static void
is_sent(struct place *place, uint64_t now_us)
{
	struct pair *pair = place->pair;
	size_t sent = place->result > 0 ? (size_t)place->result : 0;

	if (pair == NULL)
		return;
	pair->to_send = false;
	if (sent == place->len)
		return;
	pair_put_rest(pair, place->side, (struct view){place->octets + sent, place->len - sent}, now_us);
	pair_settle(pair, now_us);
}

static void
send_together(struct round *round, uint64_t now_us)
{
	unsigned count = 0;

	for (unsigned i = 0; i < round->sends; i++) {
		struct place *place = &round->send[i];
		struct io_uring_sqe *request;

		place->result = -EAGAIN;
		if (place->pair == NULL)
			continue;
		request = io_uring_get_sqe(&round->ring);
		io_uring_prep_send(request, place->pair->leg[place->side].fd, place->octets, place->len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		request->user_data = i;
		count++;
	}
	do_all(round, round->send, count);
	for (unsigned i = 0; i < round->sends; i++)
		is_sent(&round->send[i], now_us);
	round->sends = 0;
	round->unsent = 0;
}

static void
end(struct worker *worker)
{
	struct round *round = worker->round;
	unsigned together = choose(round);

	if (together >= ROUND_LEAST) {
		read_together(round, together);
		if (round->sends > 0)
			send_together(round, worker_now(worker));
	}
	read_alone(round, together < ROUND_LEAST);
}

int
round_go(struct worker *worker)
{
	int code = event_base_loop(worker->base, EVLOOP_ONCE);

	if (worker->round->reads > 0)
		end(worker);
	return code;
}

int
round_go_on(struct worker *worker)
{
	int code;

	/* Saves a look-up in each call, in this thread. An old kernel has it not, and does without. */
	if (worker->round->has_ring)
		io_uring_register_ring_fd(&worker->round->ring);
	do {
		code = round_go(worker);
	} while (code == 0 && !event_base_got_break(worker->base));
	return code;
}
