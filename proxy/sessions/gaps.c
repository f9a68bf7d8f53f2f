/* SPDX-License-Identifier: MIT */
/*
 * What only captures have: octets that are missing, sessions that were under way before, TLS
 * that can be read with somebody's keys.
 */
#include "decoders/tls/tls.h"

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

/* The unfinished line in front of a gap is told as what it is. False: nobody will know what it was. */
static bool
finish_kept(struct session *s, enum smtp_side from, const char *kept, size_t len)
{
	struct passage p;

	memset(&p, 0, sizeof p);
	if (!smtp_dialogue_finish(&s->dialogue, from, kept, len, s->now_us, &p.unit))
		return false;
	p.unit.marks |= SMTP_MARK_UNSURE;
	p.arrived_us = s->now_us;
	if (p.unit.type == SMTP_UNIT_CONTENT)
		content_arrives(s, &p);
	if (from == SMTP_CLIENT)
		wire_from_client(s, &p.unit);
	unit_settles(s, from, &p);
	return true;
}

void
session_gap(struct session *s, enum smtp_side from, const char *kept, size_t len, uint64_t missing,
    uint64_t time_us, struct plan *plan)
{
	enum event_side side = from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER;

	call_begins(s, time_us, plan);
	wire_missing(s, from, missing + (finish_kept(s, from, kept, len) ? 0 : len));
	plan->used = len;
	s->from[from].octets += len;
	s->gaps++;
	if (from == SMTP_CLIENT && s->content != NULL) {
		s->content->gap = true;
		s->content->missing += missing;
	}
	smtp_dialogue_gap(&s->dialogue, from, missing);
	finding_tell(s, FINDING_CAP_GAP, side, arena_printf(s->config->arena,
	    "%llu octets of the %s's are missing from the capture", (unsigned long long)missing,
	    from == SMTP_CLIENT ? "client" : "server"), VIEW_NONE);
	/* What the client sent behind DATA may be decided now. */
	plan->other = from == SMTP_SERVER;
	call_ends(s);
}

void
session_midstream(struct session *s)
{
	smtp_dialogue_midstream(&s->dialogue);
	wire_tell(s, WIRE_MIDSTREAM);
	finding_tell(s, FINDING_CAP_MIDSTREAM, EVENT_NETWORK, VIEW_NONE, VIEW_NONE);
}

void
session_heard(struct session *s, enum smtp_side side, uint64_t time_us)
{
	s->now_us = time_us;
	wire_heard(s, side);
}

void
session_network_finding(struct session *s, enum finding finding, struct view detail, uint64_t time_us)
{
	s->now_us = time_us;
	finding_tell(s, finding, EVENT_NETWORK, detail, VIEW_NONE);
}

bool
session_is_handed_over(const struct session *s)
{
	return s->dialogue.handover || s->dialogue.opaque;
}

uint64_t
session_undecoded(const struct session *s, enum smtp_side from)
{
	return s->from[from].opaque;
}

void
session_has_keys(struct session *s)
{
	s->has_keys = true;
}

void
session_secured(struct session *s, const struct tls_facts *facts, uint64_t time_us)
{
	s->now_us = time_us;
	s->tls = true;
	s->tls_fresh = s->starttls_told;
	/* What has gone by as encrypted is the handshake, which is none of the session's octets: as live. */
	for (int side = SMTP_CLIENT; side <= SMTP_SERVER; side++) {
		s->from[side].octets -= s->from[side].opaque;
		s->told -= side == SMTP_SERVER ? s->from[side].opaque : 0;
		s->from[side].opaque = 0;
	}
	tls_reader_free(s->passed);
	s->passed = NULL;
	event_tls(s, "established", facts, VIEW_NONE);
	smtp_dialogue_secured(&s->dialogue);
	s->opaque_known = false;
	wire_secured(s, SMTP_CLIENT);
}

void
session_encrypted(struct session *s, enum smtp_side from, uint64_t octets)
{
	s->from[from].opaque += octets;
}

/* Content that shows itself by its shape: the DATA in front of it is missing, and maybe its start too. */
static void
content_shows_itself(struct session *s)
{
	content_begins(s, session_transaction(s), "DATA", CONTENT_FORWARDED);
	s->content->gap = true;
	smtp_dialogue_presumed(&s->dialogue, 354);
}

/* The reply that decides what the client's octets are is missing: their shape decides. */
bool
gap_decides(struct session *s, struct view octets)
{
	struct smtp_exchange *e;
	struct smtp_reply presumed = {.code = 0};

	if (s->dialogue.presume == 0 && !s->dialogue.unsure)
		return false;
	presumed.code = smtp_dialogue_presume(&s->dialogue, octets.at, octets.len);
	if (presumed.code == 0)
		return false;
	if (smtp_dialogue_place(&s->dialogue, SMTP_CLIENT, &e) == SMTP_COMMANDS && presumed.code == 354) {
		content_shows_itself(s);
		return true;
	}
	if (presumed.code == 354) {
		client_told(s, e, &presumed, &presumed);
		s->replies--;   /* nobody has seen it */
		s->content->gap = s->dialogue.lost[SMTP_CLIENT];
	}
	smtp_dialogue_presumed(&s->dialogue, presumed.code);
	return true;
}
