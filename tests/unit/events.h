/* SPDX-License-Identifier: MIT */
/* Events made by hand, for the tests of what shows them. Views borrow from the arguments. */
#ifndef TESTS_UNIT_EVENTS_H
#define TESTS_UNIT_EVENTS_H

#include <ctype.h>

#include "decoders/smtp/line.h"
#include "proxy/sessions/event.h"

/* 2026-11-22T09:00:00.000213Z */
#define EVENTS_BEGAN UINT64_C(1795338000000213)

static inline struct event
event_made(enum event_type type, uint64_t session, uint64_t since_open_us)
{
	struct event event = {.type = type, .session = session, .since_open_us = since_open_us};

	event.time_us = EVENTS_BEGAN + since_open_us;
	return event;
}

/* upper has room for the verb. */
static inline struct event
command_made(uint64_t session, uint64_t since_open_us, struct view line, char *upper)
{
	struct event event = event_made(EVENT_COMMAND, session, since_open_us);
	struct view name;

	smtp_command_parse(line, &event.as.command.command);
	name = event.as.command.command.name;
	for (size_t i = 0; i < name.len; i++)
		upper[i] = (char)toupper((unsigned char)name.at[i]);
	event.as.command.name_upper = (struct view){upper, name.len};
	event.as.command.forwarded = true;
	return event;
}

static inline struct event
reply_made(uint64_t session, uint64_t since_open_us, struct view wire, const char *to)
{
	struct event event = event_made(EVENT_REPLY, session, since_open_us);

	event.as.reply.marks = smtp_reply_parse(wire, &event.as.reply.reply);
	event.as.reply.to = view_of(to);
	event.as.reply.latency_us = to == NULL ? EVENT_NO_LATENCY : 1500;
	event.as.reply.delivered = true;
	return event;
}

#endif
