/* SPDX-License-Identifier: MIT */
#include "decoders/smtp/queue.h"

#include <stdlib.h>
#include <string.h>

void
smtp_queue_init(struct smtp_queue *q)
{
	memset(q, 0, sizeof *q);
	q->size = SMTP_QUEUE_INLINE;
}

void
smtp_queue_clear(struct smtp_queue *q)
{
	free(q->grown);
	smtp_queue_init(q);
}

static bool
grow(struct smtp_queue *q)
{
	struct smtp_exchange *wider = calloc(2 * (size_t)q->size, sizeof *wider);

	if (wider == NULL)
		return false;
	for (uint32_t i = 0; i < q->count; i++)
		wider[i] = *smtp_queue_slot(q, i);
	free(q->grown);
	q->grown = wider;
	q->size *= 2;
	q->head = 0;
	return true;
}

struct smtp_exchange *
smtp_queue_push(struct smtp_queue *q)
{
	struct smtp_exchange *e;

	if (q->count == q->size && !grow(q))
		return NULL;
	e = smtp_queue_slot(q, q->count++);
	memset(e, 0, sizeof *e);
	e->serial = ++q->last_serial;
	return e;
}

void
smtp_queue_pop(struct smtp_queue *q)
{
	q->head = (q->head + 1) & (q->size - 1);
	q->count--;
	/* A burst of pipelined commands must not cost an idle session its memory for good. */
	if (q->count == 0 && q->grown != NULL) {
		free(q->grown);
		q->grown = NULL;
		q->size = SMTP_QUEUE_INLINE;
		q->head = 0;
	}
}
