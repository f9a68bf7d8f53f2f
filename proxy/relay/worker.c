/* SPDX-License-Identifier: MIT */
/* What all sessions of one loop share: the loop, its clock, its scratch buffer, the rules in force. */
#include "proxy/relay/worker.h"

#include "proxy/relay/pair.h"
#include "proxy/relay/round.h"

#include <stdlib.h>
#include <time.h>

#define SCRATCH_PAGE ((size_t)4096)

static uint64_t
clock_read(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

bool
worker_init(struct worker *worker)
{
	*worker = (struct worker){.alarms = {.fd = -1}};
	worker->base = event_base_new();
	if (worker->base == NULL)
		return false;
	worker->round = round_new();
	arena_init(&worker->arena);
	worker->clock_us = clock_read(CLOCK_REALTIME) - clock_read(CLOCK_MONOTONIC);
	worker->tally = &worker->own_tally;
	return alarms_init(&worker->alarms, worker->base, worker->clock_us, pair_is_woken);
}

bool
worker_init_beside(struct worker *worker, const struct worker *first)
{
	if (!worker_init(worker))
		return false;
	worker->tally = first->tally;
	worker->tls = first->tls;
	worker->idle_timeout_us = first->idle_timeout_us;
	worker->max_sessions = first->max_sessions;
	worker->room = first->room;
	return true;
}

void
worker_clear(struct worker *worker)
{
	if (worker->rulebook != NULL)
		rulebook_release(worker->rulebook);
	free(worker->scratch);
	round_free(worker->round);
	arena_clear(&worker->arena);
	alarms_clear(&worker->alarms);
	if (worker->base != NULL)
		event_base_free(worker->base);
}

void
worker_tls_agree(const struct worker_tls *tls, enum session_tls way[2], bool *drops_glued)
{
	bool passes = way[SMTP_CLIENT] == SESSION_TLS_PASSED && way[SMTP_SERVER] == SESSION_TLS_PASSED;

	for (int side = SMTP_CLIENT; !passes && side <= SMTP_SERVER; side++)
		if (way[side] == SESSION_TLS_PASSED)
			way[side] = SESSION_TLS_NONE;
	*drops_glued = tls->glued_given ? tls->drops_glued : !passes;
}

uint64_t
worker_now(const struct worker *worker)
{
	return clock_read(CLOCK_MONOTONIC) + worker->clock_us;
}

static size_t
whole_pages(size_t octets)
{
	return (octets + SCRATCH_PAGE - 1) & ~(SCRATCH_PAGE - 1);
}

char *
worker_scratch(struct worker *worker, size_t kept, size_t size)
{
	size_t front = whole_pages(kept);

	if (worker->scratch_size < front + size) {
		free(worker->scratch);
		worker->scratch_size = whole_pages(front + size);
		worker->scratch = aligned_alloc(SCRATCH_PAGE, worker->scratch_size);
		if (worker->scratch == NULL)
			abort();
	}
	return worker->scratch + front;
}
