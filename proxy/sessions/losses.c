/* SPDX-License-Identifier: MIT */
/*
 * Mail that is lost because rules wanted it so: the client was told 2xx and will forget the
 * message, and the server does not have it (RFC 5321 4.2.5, 6.1 say whose it is then). That is
 * said aloud, once a message, so that nobody looks for it elsewhere.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

void
parted_by(struct transaction *t, const struct passage *p)
{
	if (t == NULL || p->verdict.step_count == 0)
		return;
	t->parted_by = p->reply != NULL ? p->reply->rule : p->verdict.steps[p->verdict.step_count - 1].rule;
}

static void
tell(struct session *s, const struct transaction *t, const struct smtp_reply *told, struct view whom)
{
	const char *from = t->reverse_path != NULL ? t->reverse_path : "";

	event_log(s, t->parted_by != NULL ? t->parted_by : "", arena_printf(s->config->arena,
	    "MAIL LOST ON PURPOSE: the client was told %03u, and the server has no message from <%s>%.*s", told->code,
	    from, (int)whom.len, whom.len > 0 ? whom.at : ""));
}

static struct view
to_one(struct session *s, const struct recipient *r)
{
	return arena_printf(s->config->arena, " to <%.*s>", (int)r->address_len, r->address != NULL ? r->address : "");
}

void
losses_tell(struct session *s, const struct transaction *t, const struct recipient *of, const struct smtp_reply *told,
    const struct smtp_reply *said)
{
	if (s->config->dry_run || told == NULL || told->code / 100 != 2)
		return;
	if (said == NULL || said->code / 100 != 2) {
		tell(s, t, told, of != NULL ? to_one(s, of) : VIEW(""));
		return;
	}
	/* LMTP has a reply for each of them, which is the proxy's where the server has none. */
	for (uint32_t i = 0; i < t->recipient_count && !s->dialogue.lmtp; i++)
		if (t->recipients[i].code / 100 == 2 && t->recipients[i].server_code / 100 != 2)
			tell(s, t, told, to_one(s, &t->recipients[i]));
}
