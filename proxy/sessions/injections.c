/* SPDX-License-Identifier: MIT */
/*
 * What rules send to the server of their own accord. Each line is a command, and will be
 * answered (law 2): it may only stand between commands. While the client's octets on the
 * server's leg are inside a line, an AUTH exchange or content, it waits for their end.
 */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/state.h"

/* All of them, or the first alone where the server gets one command at a time. Returns what is left. */
static struct view
put_commands(struct session *s, struct view octets)
{
	struct view rest = octets, line;
	struct smtp_command command;
	size_t searched, len;

	while (rest.len > 0 && !(verdicts_one_by_one(s) && smtp_dialogue_server_owes(&s->dialogue))) {
		searched = 0;
		len = smtp_line_length(rest.at, rest.len, &searched);
		line = view_first(rest, len > 0 ? len : rest.len);
		rest = view_from(rest, line.len);
		put_octets(s, SMTP_SERVER, line);
		smtp_command_parse(smtp_line_text(line), &command);
		event_injected(s, smtp_line_text(line), ORIGIN_RULE);
		if (smtp_dialogue_inserted(&s->dialogue, command.verb, s->now_us, NULL) != NULL)
			s->unplain++;
	}
	return rest;
}

void
injections_forget(struct session *s)
{
	free(s->injections.octets);
	s->injections = (struct kept_octets){.octets = NULL};
}

bool
injections_wait(struct session *s)
{
	return s->injections.len > 0 && verdicts_one_by_one(s) && smtp_dialogue_between_commands(&s->dialogue) &&
	    smtp_dialogue_server_owes(&s->dialogue);
}

void
injections_put(struct session *s)
{
	struct view octets, rest;

	if (s->from[SMTP_CLIENT].ahead > 0 || rewriting_holds_command(s) ||
	    !smtp_dialogue_between_commands(&s->dialogue))
		return;
	octets = arena_copy(s->config->arena, (struct view){s->injections.octets, s->injections.len});
	injections_forget(s);
	if (s->server != SERVER_OPEN || s->closing)
		return;
	rest = put_commands(s, octets);
	octets_keep(&s->injections, rest);
}

void
inject_copies(struct session *s, struct view line, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		octets_keep(&s->injections, line);
	injections_go_out(s);
}

void
inject_server(struct session *s, const struct passage *p, struct view octets)
{
	bool at_dot = p->unit.type == SMTP_UNIT_CONTENT_END && !s->dialogue.content.by_count;

	/* In front of the dot the server reads content, and so it gets these octets. */
	if (at_dot && s->content_way != CONTENT_SWALLOWED) {
		s->content_way = CONTENT_FORWARDED;
		withheld_release(s);
		rewriting_content_ends(s);
		put_octets(s, SMTP_SERVER, octets);
		if (s->content != NULL)
			s->content->added += octets.len;
		return;
	}
	octets_keep(&s->injections, octets);
	injections_go_out(s);
}
