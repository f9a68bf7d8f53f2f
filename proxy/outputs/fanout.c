/* SPDX-License-Identifier: MIT */
/* Hands each event to each sink; content to those alone that want it. */
#include "proxy/outputs/fanout.h"

#include <assert.h>

static void
put(void *to, const struct event *event)
{
	const struct fanout *fanout = to;

	for (size_t i = 0; i < fanout->count; i++) {
		if (event->type != EVENT_CONTENT || fanout->sinks[i].wants_content)
			fanout->sinks[i].put(fanout->sinks[i].to, event);
	}
}

void
fanout_add(struct fanout *fanout, struct event_sink sink)
{
	assert(fanout->count < FANOUT_SINKS);
	fanout->sinks[fanout->count++] = sink;
}

struct event_sink
fanout_sink(struct fanout *fanout)
{
	struct event_sink sink = {.put = put, .to = fanout, .counts_only = true};

	if (fanout->count == 1)
		return fanout->sinks[0];
	for (size_t i = 0; i < fanout->count; i++) {
		sink.wants_content |= fanout->sinks[i].wants_content;
		sink.counts_only &= fanout->sinks[i].counts_only;
	}
	return sink;
}
