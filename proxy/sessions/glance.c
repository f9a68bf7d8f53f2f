/* SPDX-License-Identifier: MIT */
/* How a session stands, for who looks on while it runs. */
#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

void
session_glance(const struct session *s, struct session_glance *glance)
{
	const struct smtp_exchange *e;

	*glance = (struct session_glance){
	    .number = s->number,
	    .opened_us = s->opened_us,
	    .client = s->client_text,
	    .server = s->server_text,
	    .helo = view_of(s->helo),
	    .user = view_of(s->user),
	    .tls = s->tls,
	    .commands = s->commands,
	    .replies = s->replies,
	    .messages = s->messages,
	    .octets = {s->from[SMTP_CLIENT].octets, s->from[SMTP_SERVER].octets},
	};
	for (uint32_t i = 0; (e = smtp_queue_nth(&s->dialogue.queue, i)) != NULL; i++) {
		if (e->server_owes == 0)
			continue;
		glance->awaited = event_reply_to(e);
		glance->awaited_us = e->sent_us;
		return;
	}
}
