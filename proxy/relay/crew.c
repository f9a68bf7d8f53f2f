/* SPDX-License-Identifier: MIT */
/* Workers made after main's, their threads, and what they are told. */
#include "proxy/relay/crew_state.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "proxy/relay/pair.h"
#include "proxy/relay/round.h"
#include "proxy/relay/upstream.h"

/* What a mate is told. */
struct order {
	struct letter    letter;        /* first member */
	struct mate     *mate;
	struct rulebook *rulebook;      /* to have from now on */
	const char      *reason;        /* of the end */
};

static struct order *
order_new(struct mate *mate, void (*read)(struct letter *letter))
{
	struct order *order = calloc(1, sizeof *order);

	if (order == NULL)
		abort();
	order->letter.read = read;
	order->mate = mate;
	return order;
}

static void
send_order(struct order *order)
{
	inbox_put(&order->mate->inbox, &order->letter);
}

/* The model's rules for a mate: its events and its scratch are its own. */
static struct rulebook *
rules_for(struct mate *mate, const struct rulebook *rulebook)
{
	struct session_config config = rulebook->config;

	config.events = reporting_sink(&mate->reporting);
	config.wire = reporting_wire(&mate->reporting);
	config.arena = &mate->worker.arena;
	return rulebook_beside(rulebook, &config);
}

static bool
sink_takes(void *to, int fd)
{
	return sink_server_take(to, fd);
}

static bool
make_sink(struct mate *mate, char error[static URL_ERROR_MAX])
{
	char why[SINK_SERVER_ERROR_MAX];

	if (mate->crew->model.sink == NULL)
		return true;
	mate->sink = sink_server_start(mate->worker.base, NULL, 0, mate->crew->model.sink, why);
	if (mate->sink == NULL) {
		snprintf(error, URL_ERROR_MAX, "the built-in server: %.200s", why);
		return false;
	}
	upstreams_set_sink(mate->worker.upstreams, sink_takes, mate->sink);
	return true;
}

static bool
make(struct mate *mate, struct crew *crew, char error[static URL_ERROR_MAX])
{
	const struct crew_model *model = &crew->model;
	struct worker *worker = &mate->worker;

	mate->crew = crew;
	snprintf(error, URL_ERROR_MAX, "no event loop for a worker");
	if (!worker_init_beside(worker, model->worker))
		return false;
	mate->made = true;
	if (!inbox_open(&mate->inbox, worker->base)) {
		worker_clear(worker);
		mate->made = false;
		return false;
	}
	worker->listeners = listeners_new(worker, stderr);
	worker->upstreams = upstreams_new(worker, model->upstream, model->upstreams, model->connect_timeout_us, NULL);
	if (!reporting_beside(&mate->reporting, model->reporting, worker->base)) {
		snprintf(error, URL_ERROR_MAX, "an output cannot be shared by workers");
		return false;
	}
	worker->rulebook = rules_for(mate, model->worker->rulebook);
	return make_sink(mate, error) && listeners_beside(worker->listeners, model->worker->listeners, error);
}

struct crew *
crew_new(const struct crew_model *model, unsigned count, char error[static URL_ERROR_MAX])
{
	struct crew *crew = calloc(1, sizeof *crew + count * sizeof *crew->mates);

	if (crew == NULL)
		abort();
	crew->model = *model;
	if (!inbox_open(&crew->inbox, model->worker->base)) {
		snprintf(error, URL_ERROR_MAX, "no descriptor is left for the workers: %s", strerror(errno));
		free(crew);
		return NULL;
	}
	for (; crew->count < count; crew->count++) {
		if (!make(&crew->mates[crew->count], crew, error)) {
			crew->count++;
			crew_free(crew);
			return NULL;
		}
	}
	crew->busy = count;
	return crew;
}

static void *
run(void *to)
{
	struct mate *mate = to;

	if (round_go_on(&mate->worker) < 0)
		fprintf(stderr, "smtpscope: a worker's event loop failed: %s\n", strerror(errno));
	pairs_stop(&mate->worker, mate->reason != NULL ? mate->reason : "the worker ends");
	if (mate->sink != NULL)
		sink_server_stop(mate->sink);
	mate->sink = NULL;
	return NULL;
}

/* Signals are main's. */
bool
crew_start(struct crew *crew)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < crew->count && error == 0; i++) {
		struct mate *mate = &crew->mates[i];

		mate->worker.room = crew->model.worker->room;
		error = pthread_create(&mate->thread, NULL, run, mate);
		mate->running = error == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return error == 0;
}

static void
take_rules(struct letter *letter)
{
	struct order *order = (struct order *)letter;

	rulebook_release(order->mate->worker.rulebook);
	order->mate->worker.rulebook = order->rulebook;
	free(order);
}

void
crew_rules(struct crew *crew, const struct rulebook *rulebook)
{
	for (size_t i = 0; i < crew->count; i++) {
		struct order *order = order_new(&crew->mates[i], take_rules);

		order->rulebook = rules_for(order->mate, rulebook);
		send_order(order);
	}
}

/* On main's loop. */
static void
is_idle(struct letter *letter)
{
	struct order *order = (struct order *)letter;
	struct crew *crew = order->mate->crew;

	free(order);
	if (--crew->busy == 0 && crew->idle != NULL)
		crew->idle(crew->to);
}

/* On the mate's. */
static void
tell_idle(void *to)
{
	struct mate *mate = to;

	inbox_put(&mate->crew->inbox, &order_new(mate, is_idle)->letter);
}

static void
take_stop(struct letter *letter)
{
	struct order *order = (struct order *)letter;
	struct mate *mate = order->mate;

	free(order);
	listeners_stop(mate->worker.listeners);
	mate->worker.stopped = tell_idle;
	mate->worker.stopped_to = mate;
	mate->worker.stopping = true;
	if (mate->worker.pair_count == 0)
		tell_idle(mate);
}

void
crew_stop(struct crew *crew, void (*idle)(void *to), void *to)
{
	crew->idle = idle;
	crew->to = to;
	for (size_t i = 0; i < crew->count; i++) {
		/* Who is told that the proxy stops finds nobody listening, though a worker may yet have to hear of it. */
		listeners_refuse(crew->mates[i].worker.listeners);
		send_order(order_new(&crew->mates[i], take_stop));
	}
}

bool
crew_is_idle(const struct crew *crew)
{
	return crew->busy == 0;
}

static void
take_end(struct letter *letter)
{
	struct order *order = (struct order *)letter;

	order->mate->worker.stopping = false;   /* nobody waits for the last of its sessions now */
	order->mate->reason = order->reason;
	event_base_loopbreak(order->mate->worker.base);
	free(order);
}

void
crew_end(struct crew *crew, const char *reason)
{
	crew->idle = NULL;
	for (size_t i = 0; i < crew->count; i++) {
		struct order *order;

		if (!crew->mates[i].running)
			continue;
		order = order_new(&crew->mates[i], take_end);
		order->reason = reason;
		send_order(order);
	}
	for (size_t i = 0; i < crew->count; i++) {
		if (!crew->mates[i].running)
			continue;
		pthread_join(crew->mates[i].thread, NULL);
		crew->mates[i].running = false;
		inbox_read(&crew->mates[i].inbox);      /* what it was asked behind its end */
	}
	inbox_read(&crew->inbox);
}

static void
mate_clear(struct mate *mate)
{
	struct worker *worker = &mate->worker;

	if (!mate->made)
		return;
	if (mate->sink != NULL)
		sink_server_stop(mate->sink);
	inbox_read(&mate->inbox);
	inbox_close(&mate->inbox);
	if (mate->reporting.summary != NULL)
		reporting_leave(&mate->reporting, mate->crew->model.reporting);
	mate->crew->model.worker->turned_away += worker->turned_away;
	listeners_free(worker->listeners);
	upstreams_free(worker->upstreams);
	worker_clear(worker);
}

void
crew_free(struct crew *crew)
{
	if (crew == NULL)
		return;
	for (size_t i = 0; i < crew->count; i++)
		mate_clear(&crew->mates[i]);
	inbox_read(&crew->inbox);
	inbox_close(&crew->inbox);
	free(crew);
}
