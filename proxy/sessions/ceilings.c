/* SPDX-License-Identifier: MIT */
/*
 * Where decoding must give way so that the octets do not: what cannot be decoded within the
 * ceilings goes by undecoded, and the events say so. Only where nobody is owed anything by us.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

/* So many lines that are no replies, before any reply: this is not SMTP. */
#define NOT_SMTP_LINES 16u

static bool
owes_nobody(const struct session *s)
{
	return s->unplain == 0 && ruleset_count(s->config->rules) == 0 && s->server == SERVER_OPEN && !s->closing;
}

bool
ceilings_give_up(struct session *s, enum smtp_side from, size_t kept)
{
	const char *reason = NULL;

	if (from == SMTP_SERVER ? s->first_reply || s->not_replies < NOT_SMTP_LINES : kept == 0)
		return false;
	/* Once is enough. */
	if (!owes_nobody(s) || smtp_dialogue_place(&s->dialogue, from, NULL) == SMTP_OPAQUE)
		return false;
	if (from == SMTP_SERVER)
		reason = "the server does not speak SMTP";
	else if (smtp_dialogue_place(&s->dialogue, SMTP_CLIENT, NULL) == SMTP_FULL)
		reason = "too many commands are unanswered";
	if (reason == NULL)
		return false;
	if (from == SMTP_CLIENT)
		finding_tell(s, FINDING_CMD_PENDING, EVENT_CLIENT, VIEW_NONE, VIEW_NONE);
	event_undecoded(s, from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER, VIEW_NONE, 0, reason);
	smtp_dialogue_give_up(&s->dialogue);
	return true;
}
