/* SPDX-License-Identifier: MIT */
/*
 * A ring of blocks between two threads. In a block, each thing told is followed by its octets.
 * The lock is taken once a block; who has nothing to do sleeps.
 */
#include "proxy/captures/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/must.h"

#define BLOCK_OCTETS (64u << 10)        /* small enough to stay in a processor's cache on the way */
#define BLOCKS       8u                 /* on their way at most: memory has a ceiling */
#define BLOCKS_AGAIN 4u                 /* who has had to wait goes on when so many are left, and not for each */
#define ALIGNMENT    8u
#define NOBODY_WAITS UINT64_MAX
#define WAIT_NS      100000000

struct block_of_told {
	size_t len;
	char   octets[BLOCK_OCTETS];
};

struct pipeline {
	pthread_t        thread;
	pthread_mutex_t  lock;          /* of all that follows, up to the blocks */
	pthread_cond_t   given, heard;
	uint64_t         in, out;       /* blocks given and heard so far */
	uint64_t         awaited;       /* who gives sleeps until so many are left; or NOBODY_WAITS */
	bool             ends, sleeps;  /* who hears sleeps */
	struct pipeline_calls calls;
	struct block_of_told block[BLOCKS];     /* those from out to in are the thread's */
};

static struct block_of_told *
block_at(struct pipeline *p, uint64_t n)
{
	return &p->block[n % BLOCKS];
}

static size_t
padded(size_t len)
{
	return (len + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static void
hear_block(const struct block_of_told *block)
{
	struct told told;

	for (size_t at = 0; at < block->len; at += sizeof told + padded(told.news.octets.len)) {
		memcpy(&told, block->octets + at, sizeof told);
		told.news.octets.at = block->octets + at + sizeof told;
		conversation_hear(told.to, &told);
	}
}

/* Waits for a block; false: none will come. */
static bool
next_block(struct pipeline *p)
{
	while (p->out == p->in && !p->ends) {
		p->sleeps = true;
		pthread_cond_wait(&p->given, &p->lock);
	}
	p->sleeps = false;
	return p->out != p->in;
}

static void *
hear(void *to)
{
	struct pipeline *p = to;
	bool idle;

	pthread_mutex_lock(&p->lock);
	while (next_block(p)) {
		pthread_mutex_unlock(&p->lock);
		hear_block(block_at(p, p->out));
		pthread_mutex_lock(&p->lock);
		idle = p->out + 1 == p->in;
		if (idle || (p->out + 1) % BLOCKS == 0) {
			pthread_mutex_unlock(&p->lock);
			p->calls.pauses(p->calls.to);
			pthread_mutex_lock(&p->lock);
		}
		p->out++;
		if (p->in - p->out == p->awaited)
			pthread_cond_signal(&p->heard);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool
one_processor(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) < 2;
}

struct pipeline *
pipeline_open(const struct pipeline_calls *calls)
{
	struct pipeline *p;

	if (one_processor())
		return NULL;
	/* Blocks cost nothing before they are written. */
	p = must(calloc(1, sizeof *p));
	p->calls = *calls;
	p->awaited = NOBODY_WAITS;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->given, NULL);
	pthread_cond_init(&p->heard, NULL);
	if (pthread_create(&p->thread, NULL, hear, p) == 0) {
		pthread_setname_np(p->thread, "sessions");
		return p;
	}
	free(p);
	return NULL;
}

static struct timespec
soon(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += WAIT_NS;
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

/* While there are more blocks that the thread has not heard; then until there are so many less. */
static void
wait_while(struct pipeline *p, uint64_t more, uint64_t left)
{
	if (p->in - p->out <= more)
		return;
	p->awaited = left;
	while (p->in - p->out > left) {
		struct timespec until = soon();

		if (pthread_cond_timedwait(&p->heard, &p->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&p->lock);
		p->calls.waits(p->calls.to);
		pthread_mutex_lock(&p->lock);
	}
	p->awaited = NOBODY_WAITS;
}

/* The block that is being filled becomes the thread's; wait_while. */
static void
give(struct pipeline *p, uint64_t more, uint64_t left)
{
	pthread_mutex_lock(&p->lock);
	if (block_at(p, p->in)->len > 0) {
		p->in++;
		if (p->sleeps)
			pthread_cond_signal(&p->given);
	}
	wait_while(p, more, left);
	block_at(p, p->in)->len = 0;
	pthread_mutex_unlock(&p->lock);
}

static void
put(struct pipeline *p, const struct told *told)
{
	struct block_of_told *block = block_at(p, p->in);
	size_t need = sizeof *told + padded(told->news.octets.len);

	if (BLOCK_OCTETS - block->len < need) {
		give(p, BLOCKS - 1, BLOCKS_AGAIN);
		block = block_at(p, p->in);
	}
	memcpy(block->octets + block->len, told, sizeof *told);
	if (told->news.octets.len > 0)
		memcpy(block->octets + block->len + sizeof *told, told->news.octets.at, told->news.octets.len);
	block->len += need;
}

void
pipeline_tell(struct pipeline *p, const struct told *told)
{
	struct told part = *told;
	struct view rest = told->news.octets;

	if (p == NULL) {
		conversation_hear(told->to, told);
		return;
	}
	/* More octets than a block holds are told in parts. */
	do {
		part.news.octets = view_first(rest, BLOCK_OCTETS / 2);
		rest = view_from(rest, part.news.octets.len);
		put(p, &part);
	} while (rest.len > 0);
}

void
pipeline_flush(struct pipeline *p)
{
	if (p != NULL)
		give(p, BLOCKS - 1, BLOCKS_AGAIN);
}

void
pipeline_settle(struct pipeline *p)
{
	if (p != NULL)
		give(p, 0, 0);
}

void
pipeline_close(struct pipeline *p)
{
	if (p == NULL)
		return;
	give(p, 0, 0);
	pthread_mutex_lock(&p->lock);
	p->ends = true;
	pthread_cond_signal(&p->given);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->given);
	pthread_cond_destroy(&p->heard);
	free(p);
}
