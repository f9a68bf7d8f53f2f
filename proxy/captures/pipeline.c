/* SPDX-License-Identifier: MIT */
/*
 * A ring of blocks between two threads. In a block, each thing told is followed by its octets.
 * Blocks change hands without a lock. To sleep and to be woken is what costs, a multiple of what
 * is done with a block: who has nothing to do is woken for several, and not for each.
 */
#include "proxy/captures/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proxy/must.h"

#define BLOCK_OCTETS (32u << 10)        /* small enough to stay in a processor's cache on the way */
#define BLOCKS       16u                /* on their way at most: memory has a ceiling */
#define BLOCKS_AGAIN 8u                 /* who has had to wait goes on when so many are left, and not for each */
#define BLOCKS_WAKE  6u                 /* who sleeps is woken for so many; BLOCKS is enough for those that come meanwhile */
#define ALIGNMENT    8u
#define NOBODY_WAITS UINT64_MAX
#define WAIT_NS      100000000
#define CACHE_LINE   64
#define AHEAD        512u               /* octets in front of what is written now */

struct block_of_told {
	size_t len;
	char   octets[BLOCK_OCTETS];
};

struct pipeline {
	struct pipeline_calls calls;
	pthread_t       thread;
	pthread_mutex_t lock;           /* to sleep and to wake: of sleeps and awaited where they are taken back, and of ends */
	pthread_cond_t  given, heard;
	bool            ends;
	/* What one thread writes often does not lie beside what the other does. */
	alignas(CACHE_LINE) _Atomic uint64_t in;        /* blocks given so far */
	_Atomic uint64_t awaited;       /* who gives sleeps until so many are heard; or NOBODY_WAITS */
	alignas(CACHE_LINE) _Atomic uint64_t out;       /* blocks heard so far */
	atomic_bool      sleeps;        /* who hears */
	alignas(CACHE_LINE) struct block_of_told block[BLOCKS];      /* those from out to in are the thread's */
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

/*
 * Waits for a block; false: none will come. Who gives looks at sleeps when it has given, and this looks
 * at what is given when it has said that it sleeps: one of the two sees the other.
 */
static bool
next_block(struct pipeline *p, uint64_t out)
{
	bool more;

	if (p->in != out)
		return true;
	pthread_mutex_lock(&p->lock);
	p->sleeps = true;
	p->sleeps = p->in == out;
	while (p->sleeps && !p->ends)
		pthread_cond_wait(&p->given, &p->lock);
	p->sleeps = false;
	more = p->in != out;
	pthread_mutex_unlock(&p->lock);
	return more;
}

/* So many blocks are heard. */
static void
say_heard(struct pipeline *p, uint64_t out)
{
	bool wakes;

	p->out = out;
	if (out < p->awaited)
		return;
	pthread_mutex_lock(&p->lock);
	wakes = out >= p->awaited;
	if (wakes)
		p->awaited = NOBODY_WAITS;
	pthread_mutex_unlock(&p->lock);
	if (wakes)
		pthread_cond_signal(&p->heard);
}

static void *
hear(void *to)
{
	struct pipeline *p = to;

	for (uint64_t out = 0; next_block(p, out); say_heard(p, ++out)) {
		hear_block(block_at(p, out));
		if (out + 1 == p->in || (out + 1) % BLOCKS == 0)
			p->calls.pauses(p->calls.to);
	}
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
	p = must(aligned_alloc(alignof(struct pipeline), sizeof *p));
	memset(p, 0, offsetof(struct pipeline, block));
	p->block[0].len = 0;
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
	uint64_t until_heard = p->in - left;

	if (p->in - p->out <= more)
		return;
	pthread_mutex_lock(&p->lock);
	p->awaited = until_heard;
	while (p->out < until_heard) {
		struct timespec until = soon();

		if (pthread_cond_timedwait(&p->heard, &p->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&p->lock);
		p->calls.waits(p->calls.to);
		pthread_mutex_lock(&p->lock);
	}
	p->awaited = NOBODY_WAITS;
	pthread_mutex_unlock(&p->lock);
}

static void
wake(struct pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->sleeps = false;
	pthread_mutex_unlock(&p->lock);
	pthread_cond_signal(&p->given);
}

/* The block that is being filled becomes the thread's, which is woken for so many; wait_while. */
static void
give(struct pipeline *p, uint64_t wakes_for, uint64_t more, uint64_t left)
{
	uint64_t in = p->in;

	if (block_at(p, in)->len > 0)
		p->in = ++in;
	if (in - p->out >= wakes_for && p->sleeps)
		wake(p);
	wait_while(p, more, left);
	block_at(p, in)->len = 0;
}

/* What is written next was read last by the other processor: it takes a while to come, and is asked for in time. */
static inline void
ask_for(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i += CACHE_LINE)
#ifdef __x86_64__
		__asm__ volatile("prefetchw %0" : : "m"(at[i]));        /* __builtin_prefetch would ask for it to be read */
#else
		__builtin_prefetch(at + i, 1);
#endif
}

static void
put(struct pipeline *p, const struct told *told)
{
	struct block_of_told *block = block_at(p, p->in);
	size_t need = sizeof *told + padded(told->news.octets.len);
	char *at;

	if (BLOCK_OCTETS - block->len < need) {
		give(p, BLOCKS_WAKE, BLOCKS - 1, BLOCKS_AGAIN);
		block = block_at(p, p->in);
	}
	at = block->octets + block->len;
	if (BLOCK_OCTETS - block->len >= need + AHEAD)
		ask_for(at + AHEAD, need);
	memcpy(at, told, sizeof *told);
	if (told->news.octets.len > 0)
		memcpy(at + sizeof *told, told->news.octets.at, told->news.octets.len);
	block->len += need;
}

void
pipeline_tell(struct pipeline *p, const struct told *told)
{
	struct view rest = told->news.octets;
	struct told part;

	if (p == NULL) {
		conversation_hear(told->to, told);
		return;
	}
	if (rest.len <= BLOCK_OCTETS / 2) {
		put(p, told);
		return;
	}
	/* More octets than a block holds are told in parts. */
	part = *told;
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
		give(p, 1, BLOCKS - 1, BLOCKS_AGAIN);
}

void
pipeline_settle(struct pipeline *p)
{
	if (p != NULL)
		give(p, 1, 0, 0);
}

void
pipeline_close(struct pipeline *p)
{
	if (p == NULL)
		return;
	give(p, 1, 0, 0);
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
