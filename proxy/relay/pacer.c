/* SPDX-License-Identifier: MIT */
/*
 * Octets go in groups. Dribbled, a group is as large as the rule says and the next may go a
 * period later. Spread, a group is what the line carries in 10 ms and goes when it has been
 * carried, so that n octets are there n / rate seconds after the first was in line.
 *
 * Times follow from the time before, not from when the timer was served, or the errors would
 * add up; who was idle, or kept waiting by a full socket, begins anew.
 */
#include "proxy/relay/pacer.h"

#define GROUP_US UINT64_C(10000)
#define LINE_LEAST 16384u
#define LATE_US  UINT64_C(100000)       /* later than this was no timer: the socket was full */

void
pacer_set(struct pacer *pacer, const struct pace *pace)
{
	*pacer = (struct pacer){.pace = *pace};
}

static size_t
group_size(const struct pace *pace, size_t in_line)
{
	uint64_t size = pace->octets * GROUP_US / pace->period_us;

	/* Dribbled, others may still join it before it is due. */
	if (!pace->spread)
		return pace->octets < SIZE_MAX ? (size_t)pace->octets : SIZE_MAX;
	if (size == 0)
		size = 1;
	/* A fast line does not take all that is there: it would stand idle until more is read. */
	if (in_line >= LINE_LEAST && size > in_line / 2)
		size = in_line / 2;
	return size < in_line ? (size_t)size : in_line;
}

/* When the group begins: as soon as the one before it is through, if it was waiting for that. */
static uint64_t
begins_at(const struct pacer *pacer, uint64_t now_us)
{
	if (now_us < pacer->due_us)
		return pacer->due_us;
	return pacer->waited && now_us - pacer->due_us < LATE_US ? pacer->due_us : now_us;
}

static void
begin_group(struct pacer *pacer, size_t in_line, uint64_t now_us)
{
	const struct pace *pace = &pacer->pace;
	uint64_t begins = begins_at(pacer, now_us), parts;

	if (begins != pacer->due_us)
		pacer->rest = 0;
	pacer->group = group_size(pace, in_line);
	pacer->due_us = begins;
	if (!pace->spread)
		return;
	parts = pacer->group * pace->period_us + pacer->rest;
	pacer->due_us += parts / pace->octets;
	pacer->rest = parts % pace->octets;
}

size_t
pacer_allows(struct pacer *pacer, size_t in_line, uint64_t now_us)
{
	if (in_line == 0)
		return 0;
	if (pacer->group == 0)
		begin_group(pacer, in_line, now_us);
	if (now_us < pacer->due_us)
		return 0;
	return pacer->group < in_line ? pacer->group : in_line;
}

void
pacer_went(struct pacer *pacer, size_t octets, size_t in_line, uint64_t now_us)
{
	pacer->group -= octets;
	pacer->waited = in_line > 0;
	if (pacer->pace.spread || (pacer->group > 0 && in_line > 0))
		return;
	pacer->group = 0;
	/* Never two groups at once: they would be one to who reads them. */
	if (now_us - pacer->due_us >= pacer->pace.period_us)
		pacer->due_us = now_us;
	pacer->due_us += pacer->pace.period_us;
}
