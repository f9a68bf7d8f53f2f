/* SPDX-License-Identifier: MIT */
/*
 * One queue under one lock, touched once a block. An output that keeps something for a better
 * moment (a full disk, a pipe that does not block) is tried again every RETRY_US, under the lock:
 * it does not take long then.
 */
#include "proxy/must.h"
#include "proxy/outputs/writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define RETRY_US  20000
#define SPARE     8     /* empty blocks kept for the next */

struct writer_source {
	struct writer        *writer;
	struct output        *output;
	size_t                waiting;  /* octets that were given and not taken; the lock guards it */
	struct writer_source *next;
};

struct job {
	struct block         *block;
	struct writer_source *source;   /* NULL: reopen the output */
	struct output        *output;
	struct job           *next;
};

struct writer {
	pthread_t        thread;
	pthread_mutex_t  lock;
	pthread_cond_t   given, taken;
	struct job      *first, **last; /* the queue */
	struct job      *idle;          /* jobs to be used again */
	struct block    *spare;
	unsigned         spares;
	bool             stopping;
	enum writer_full full;
	FILE            *err;
	struct writer_source *sources;
};

/* Under the lock; unlock_given is to follow. */
static void
queue(struct writer *writer, struct writer_source *source, struct output *output, struct block *block)
{
	struct job *job = writer->idle;

	if (job != NULL)
		writer->idle = job->next;
	else
		job = must(malloc(sizeof(*job)));
	*job = (struct job){.block = block, .source = source, .output = output};
	*writer->last = job;
	writer->last = &job->next;
}

/* Wakes the thread, without the lock: else it would wait for that at once. */
static void
unlock_given(struct writer *writer)
{
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->given);
}

/* Under the lock. */
static struct block *
take_spare(struct writer *writer)
{
	struct block *block = writer->spare;

	if (block == NULL)
		return block_new();
	writer->spare = block->next;
	writer->spares--;
	block->next = NULL;
	return block;
}

struct writer_source *
writer_source(struct writer *writer, struct output *output)
{
	struct writer_source *source = must(calloc(1, sizeof(*source)));

	source->writer = writer;
	source->output = output;
	pthread_mutex_lock(&writer->lock);
	source->next = writer->sources;
	writer->sources = source;
	pthread_mutex_unlock(&writer->lock);
	return source;
}

struct block *
writer_give(struct writer_source *source, struct block *block)
{
	struct writer *writer = source->writer;

	if (block->records == 0)
		return block;
	pthread_mutex_lock(&writer->lock);
	while (source->waiting + block->text.len > WRITER_QUOTA && source->waiting > 0) {
		if (writer->full == WRITER_DROP) {
			pthread_mutex_unlock(&writer->lock);
			output_drop(source->output, block->records);
			block_empty(block);
			return block;
		}
		pthread_cond_wait(&writer->taken, &writer->lock);
	}
	source->waiting += block->text.len;
	queue(writer, source, source->output, block);
	block = take_spare(writer);
	unlock_given(writer);
	return block;
}

void
writer_reopen(struct writer *writer, struct output *output)
{
	pthread_mutex_lock(&writer->lock);
	queue(writer, NULL, output, NULL);
	unlock_given(writer);
}

/* Whether an output keeps something. Under the lock, for the list's sake; outputs are the thread's own. */
static bool
is_behind(const struct writer *writer)
{
	for (const struct writer_source *s = writer->sources; s != NULL; s = s->next) {
		if (output_waiting(s->output))
			return true;
	}
	return false;
}

static void
try_again(struct writer *writer)
{
	for (struct writer_source *s = writer->sources; s != NULL; s = s->next) {
		if (output_waiting(s->output))
			output_flush(s->output, writer->err);
	}
}

static struct job *
unqueue(struct writer *writer, struct job **at)
{
	struct job *job = *at;

	if (job == NULL)
		return NULL;
	*at = job->next;
	if (job->next == NULL)
		writer->last = at;
	return job;
}

/* While a disk is full and who has events waits for it, nothing but another file helps. */
static struct job *
next_reopening(struct writer *writer)
{
	struct job **at = &writer->first;

	while (*at != NULL && (*at)->source != NULL)
		at = &(*at)->next;
	return unqueue(writer, at);
}

static void
wait_a_while(struct writer *writer)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += RETRY_US * 1000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&writer->given, &writer->lock, &until);
}

/* Under the lock. NULL: all is done. */
static struct job *
next_job(struct writer *writer)
{
	struct job *job;

	while (is_behind(writer) && !writer->stopping) {
		bool held = writer->full == WRITER_BLOCK;

		job = held ? next_reopening(writer) : unqueue(writer, &writer->first);
		if (job != NULL)
			return job;
		wait_a_while(writer);
		try_again(writer);
	}
	while (writer->first == NULL && !writer->stopping)
		pthread_cond_wait(&writer->given, &writer->lock);
	return unqueue(writer, &writer->first);
}

/* Under the lock: the job is done. */
static void
let_go(struct writer *writer, struct job *job, size_t octets)
{
	if (job->source != NULL) {
		job->source->waiting -= octets;
		pthread_cond_broadcast(&writer->taken);
	}
	if (job->block != NULL && writer->spares < SPARE) {
		job->block->next = writer->spare;
		writer->spare = job->block;
		writer->spares++;
	} else {
		block_free(job->block);
	}
	job->next = writer->idle;
	writer->idle = job;
}

static void *
run(void *to)
{
	struct writer *writer = to;
	struct job *job;

	pthread_mutex_lock(&writer->lock);
	while ((job = next_job(writer)) != NULL) {
		size_t octets = job->block != NULL ? job->block->text.len : 0;

		pthread_mutex_unlock(&writer->lock);
		if (job->block != NULL)
			output_take(job->output, job->block, writer->err);
		else
			output_reopen(job->output, writer->err);
		pthread_mutex_lock(&writer->lock);
		let_go(writer, job, octets);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* Signals are main's: the thread is born with all of them blocked. */
static void
start_thread(struct writer *writer)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&writer->thread, NULL, run, writer) != 0)
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct writer *
writer_start(enum writer_full full, FILE *err)
{
	struct writer *writer = must(calloc(1, sizeof(*writer)));
	pthread_condattr_t clock;

	writer->full = full;
	writer->err = err;
	writer->last = &writer->first;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->given, &clock);
	pthread_cond_init(&writer->taken, NULL);
	pthread_condattr_destroy(&clock);
	start_thread(writer);
	return writer;
}

void
writer_stop(struct writer *writer)
{
	if (writer == NULL)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->given);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	while (writer->spare != NULL) {
		struct block *block = writer->spare;

		writer->spare = block->next;
		block_free(block);
	}
	while (writer->sources != NULL) {
		struct writer_source *source = writer->sources;

		writer->sources = source->next;
		free(source);
	}
	while (writer->idle != NULL) {
		struct job *job = writer->idle;

		writer->idle = job->next;
		free(job);
	}
	pthread_cond_destroy(&writer->taken);
	pthread_cond_destroy(&writer->given);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}
