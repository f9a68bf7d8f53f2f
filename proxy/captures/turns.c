/* SPDX-License-Identifier: MIT */
/*
 * Sessions are numbered in the order of their first octets, but what a connection is may be known
 * late: by what the client says, or inside TLS. One that is known waits until all that began before
 * it are, with what was said in it kept; for so long, and for so many octets, and no more.
 */
#include "proxy/captures/conversation_state.h"

#define WAIT_US   2000000u      /* of capture time, for one that does not say what it is */
#define KEPT_MAX  (64u << 10)   /* octets of one that waits */
#define READY_MAX 256u          /* that wait */

static void
leave(struct conversation *c)
{
	struct turns *turns = &c->run->turns;

	*(c->newer != NULL ? &c->newer->older : &turns->newest) = c->older;
	*(c->older != NULL ? &c->older->newer : &turns->oldest) = c->newer;
	c->newer = c->older = NULL;
	c->queued = false;
}

/* Those that waited for nobody else. */
static void
release(struct turns *turns)
{
	struct conversation *c;

	while ((c = turns->oldest) != NULL && c->ready) {
		leave(c);
		c->ready = false;
		turns->ready--;
		starting_replay(c);
	}
}

void
turns_join(struct conversation *c, uint64_t time_us)
{
	struct turns *turns = &c->run->turns;

	if (!turns->kept || c->began_us != 0)
		return;
	c->began_us = time_us;
	c->older = turns->newest;
	*(turns->newest != NULL ? &turns->newest->newer : &turns->oldest) = c;
	turns->newest = c;
	c->queued = true;
}

void
turns_known(struct conversation *c)
{
	if (!c->queued) {
		starting_replay(c);
		return;
	}
	c->ready = true;
	c->run->turns.ready++;
	release(&c->run->turns);
}

void
turns_leave(struct conversation *c)
{
	struct turns *turns = &c->run->turns;

	if (!c->queued)
		return;
	leave(c);
	release(turns);
}

void
turns_wait(struct conversation *c, size_t kept, uint64_t time_us)
{
	struct turns *turns = &c->run->turns;

	while (c->ready &&
	    (kept > KEPT_MAX || turns->ready > READY_MAX || turns->oldest->began_us + WAIT_US < time_us))
		turns_leave(turns->oldest);
}

void
turns_end(struct conversation *c)
{
	while (c->ready)
		turns_leave(c->run->turns.oldest);
	turns_leave(c);
}
