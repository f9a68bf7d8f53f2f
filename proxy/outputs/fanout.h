/* SPDX-License-Identifier: MIT */
/* One stream of events for several sinks, in the order in which they were added. */
#ifndef OUTPUTS_FANOUT_H
#define OUTPUTS_FANOUT_H

#include "proxy/sessions/event.h"

#define FANOUT_SINKS 8

/* All zero: no sinks. Owns nothing: the sinks must outlive what puts events into it. */
struct fanout {
	struct event_sink sinks[FANOUT_SINKS];
	size_t            count;
};

/* At most FANOUT_SINKS: one more is an error of the program. */
void fanout_add(struct fanout *fanout, struct event_sink sink);

/* To be asked for when all have been added: it wants content if one of them does. One alone stands for itself. */
struct event_sink fanout_sink(struct fanout *fanout);

#endif
