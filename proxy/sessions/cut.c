/* SPDX-License-Identifier: MIT */
/*
 * Lines and replies beyond the ceiling. They go on as they come; the event waits until the
 * true length is known.
 */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

struct cut {
	struct passage        passage;
	struct event_reply_of reply;
	struct smtp_exchange  of;
	struct note           note;             /* what `of` needs of its note */
	struct smtp_reply     told;
	uint64_t              octets;           /* without the line end, once it is known */
	bool                  is_reply, forwarded;
	bool                  cr;               /* the last octet is CR */
	char                  wire[];
};

static struct cut *
cut_new(const struct passage *p)
{
	struct cut *cut = calloc(1, sizeof *cut + p->unit.wire.len);

	if (cut == NULL)
		abort();
	cut->passage = *p;
	cut->octets = p->unit.wire.len;
	memcpy(cut->wire, p->unit.wire.at, p->unit.wire.len);
	cut->passage.unit.wire.at = cut->wire;
	cut->cr = cut->wire[p->unit.wire.len - 1] == '\r';
	return cut;
}

void
cut_begins(struct session *s, enum smtp_side from, const struct passage *p, bool forwarded)
{
	struct cut *cut = cut_new(p);
	struct view secret = p->unit.as.command.secret;

	cut->forwarded = forwarded;
	smtp_command_parse(smtp_line_text(cut->passage.unit.wire), &cut->passage.unit.as.command);
	/* Secret for a reason that only the dialogue knew. */
	if (secret.at != NULL)
		cut->passage.unit.as.command.secret = cut->passage.unit.as.command.line;
	s->cut[from] = cut;
}

void
cut_reply_begins(struct session *s, const struct passage *p, const struct event_reply_of *r)
{
	struct cut *cut = cut_new(p);

	cut->is_reply = true;
	cut->reply = *r;
	cut->reply.recipient = NULL;
	smtp_reply_parse(cut->passage.unit.wire, &cut->told);
	cut->reply.reply = &cut->told;
	if (r->of != NULL) {
		const struct note *note = r->of->note;

		cut->of = *r->of;
		cut->note.verb_name = note != NULL && note->verb_name != NULL
		    ? session_keep_text(NULL, view_of(note->verb_name)) : NULL;
		cut->of.note = &cut->note;
		cut->reply.of = &cut->of;
	}
	s->cut[SMTP_SERVER] = cut;
}

bool
cut_is_kept(const struct session *s, enum smtp_side from)
{
	const struct cut *cut = s->cut[from];

	return cut != NULL && !(cut->is_reply ? cut->reply.delivered : cut->forwarded);
}

/* The true length is that of the text: what NAME_octets says in JSON. */
static void
count(struct cut *cut, struct view rest)
{
	if (rest.len == 0)
		return;
	cut->octets += rest.len;
	if (rest.len > 1)
		cut->cr = rest.at[rest.len - 2] == '\r';
	if (rest.at[rest.len - 1] == '\n')
		cut->octets -= cut->cr ? 2 : 1;
	cut->cr = rest.at[rest.len - 1] == '\r';
}

void
cut_goes_on(struct session *s, enum smtp_side from, struct view rest, bool last)
{
	struct cut *cut = s->cut[from];

	if (cut == NULL)
		return;
	count(cut, rest);
	if (!last)
		return;
	s->cut[from] = NULL;
	if (cut->is_reply) {
		cut->reply.true_octets = cut->octets;
		event_reply(s, &cut->reply);
	} else {
		event_command(s, &cut->passage, cut->forwarded, VIEW_NONE, cut->octets);
	}
	finding_tell(s, FINDING_LINE_CUT, from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER,
	    arena_printf(s->config->arena, "%s of %llu octets, of which the first %zu were decoded",
	        cut->is_reply ? "a reply" : "a line", (unsigned long long)cut->octets, cut->passage.unit.wire.len),
	    VIEW_NONE);
	free(cut->note.verb_name);
	free(cut);
}
