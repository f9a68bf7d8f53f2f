/* SPDX-License-Identifier: MIT */
/*
 * A reply of the server's: what rules make of it, what the client is told, and what that
 * means for the session.
 */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

/* A reply that is not the client's: to a command of our own, or more than the client is owed. */
static bool
is_swallowed(struct session *s, struct smtp_exchange *e)
{
	const struct note *note = e != NULL ? e->note : NULL;
	struct recipient *r;

	if (e == NULL)
		return false;
	if (e->by_proxy || e->client_is_owed == 0)
		return true;
	if (e->kind != SMTP_CONTENT_DONE || !s->dialogue.lmtp || note == NULL || note->transaction->unlisted > 0)
		return false;
	/* LMTP: it is for a recipient whom the client was told is refused. */
	r = transaction_peek_final(note->transaction, COLUMN_SERVER);
	return r != NULL && r->code / 100 != 2;
}

void
reply_arrives(struct session *s, struct passage *p)
{
	struct smtp_exchange *e = p->unit.of;
	const struct smtp_reply *reply = &p->unit.as.reply;
	struct rules_facts facts;

	p->place = RULES_AT_REPLY;
	s->first_reply = true;
	if (is_swallowed(s, e))
		return;
	finding_marks(s, p, p->unit.marks);
	if (p->unit.marks & SMTP_MARK_CODE_CHANGE)
		finding_count(s, p, FINDING_RSP_CODE_CHANGE);
	if (p->unit.marks & SMTP_MARK_BAD_LINE)
		finding_count(s, p, FINDING_RSP_SYNTAX);
	if (reply->code == 421)
		finding_count(s, p, FINDING_RSP_421);
	else if (e == NULL && !smtp_dialogue_is_unsure(&s->dialogue))
		finding_count(s, p, FINDING_RSP_UNSOLICITED);
	if (p->unit.missing > 0)
		finding_count(s, p, FINDING_RSP_MISSING);
	if (e != NULL && e->kind == SMTP_CONTENT_DONE && s->dialogue.lmtp) {
		verdicts_lmtp_missing(s, e);
		p->unit.of = e = smtp_dialogue_unsettled(&s->dialogue, SMTP_SERVER);
	}
	if ((p->unit.marks & SMTP_MARK_CUT) || !session_has_rules(s))
		return;
	facts_fill(s, &facts, RULES_AT_REPLY);
	facts_of_reply(s, &facts, reply, e, reply_latency(s, p));
	session_judge(s, p, &facts, p->unit.wire);
}

int64_t
reply_latency(const struct session *s, const struct passage *p)
{
	const struct smtp_exchange *e = p->unit.of;
	uint64_t since;

	if (e == NULL)
		return EVENT_NO_LATENCY;
	since = e->kind == SMTP_GREETING ? s->connected_us : e->sent_us;
	/* The clocks of a merged capture may disagree. */
	return since == 0 || since > p->unit.started_us ? EVENT_NO_LATENCY : (int64_t)(p->unit.started_us - since);
}

static struct transaction *
content_in_gap(struct session *s)
{
	if (s->content == NULL) {
		content_begins(s, session_transaction(s), "DATA", CONTENT_FORWARDED);
		s->content->gap = true;
	}
	return s->content;
}

/* Recipients' final replies in LMTP, the one final reply else (RFC 5321 3.3, RFC 2033 4.2). */
static void
content_answered(struct session *s, const struct smtp_exchange *e, const struct smtp_reply *told,
    const struct smtp_reply *said)
{
	struct note *note = e->note;
	struct transaction *t = note != NULL ? note->transaction : NULL;
	struct recipient *r = NULL;

	/* Its end is missing from the capture, or all of it. */
	if (note == NULL)
		t = content_in_gap(s);
	if (t == NULL)
		return;
	if (told != NULL && told->code > t->code)
		t->code = told->code;
	if (said != NULL && said->code > t->server_code)
		t->server_code = said->code;
	if (s->dialogue.lmtp) {
		if (said != NULL)
			transaction_next_final(t, COLUMN_SERVER);
		r = told != NULL ? transaction_next_final(t, COLUMN_CLIENT) : NULL;
		if (r != NULL) {
			size_t len = told->enhanced.len < sizeof r->final_enhanced ? told->enhanced.len : 0;

			r->final = told->code;
			memcpy(r->final_enhanced, told->enhanced.at != NULL ? told->enhanced.at : "", len);
		}
	}
	if (note == NULL)
		content_tell_findings(s, t);
	losses_tell(s, t, r, told, said);
	if (told != NULL && e->client_is_owed <= 1)
		event_message(s, t);
	if (note == NULL && e->client_is_owed <= 1)
		content_ends(s);
}

static void
hello_answered(struct session *s, const struct smtp_exchange *e, const struct smtp_reply *told,
    const struct smtp_reply *said)
{
	if (told == NULL || told->code / 100 != 2)
		return;
	s->offered = !smtp_dialogue_is_unsure(&s->dialogue);
	s->keywords[SMTP_CLIENT] = e->verb == SMTP_HELO ? 0 : smtp_ehlo_keywords(told);
	s->keywords[SMTP_SERVER] = e->verb == SMTP_HELO ? 0 :
	    said != NULL && said->code / 100 == 2 ? smtp_ehlo_keywords(said) :
	    said != NULL ? 0 : s->keywords[SMTP_CLIENT];
	size_offered(s, e->verb == SMTP_HELO ? NULL : told, said);
	if (e->verb != SMTP_HELO)
		event_ehlo(s, told, said);
}

static void
auth_answered(struct session *s, const struct smtp_reply *told)
{
	struct auth_state *a = s->auth;

	if (a == NULL || told == NULL || told->code == 334)
		return;
	event_auth(s, told->code / 100 == 2 ? "accepted" : a->cancelled ? "cancelled" : "refused", told->code);
	if (told->code / 100 == 2)
		s->user = session_keep_text(s->user, (struct view){a->user, a->user_len});
	free(a);
	s->auth = NULL;
}

static void
command_answered(struct session *s, struct smtp_exchange *e, const struct smtp_reply *told,
    const struct smtp_reply *said)
{
	struct note *note = e->note;
	uint16_t code = told != NULL ? told->code : 0, server = said != NULL ? said->code : 0;

	switch (e->verb) {
	case SMTP_RCPT:
		if (note != NULL && note->transaction != NULL)
			transaction_rcpt_answered(note->transaction, note->recipient, code, server);
		break;
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO:
		hello_answered(s, e, told, said);
		break;
	case SMTP_AUTH:
		auth_answered(s, told);
		break;
	case SMTP_DATA:
		/* One that is missing from a capture has no note. */
		if (code / 100 == 3 && (note != NULL || !e->by_proxy))
			content_begins(s, note != NULL ? note->transaction : session_transaction(s), "DATA",
			    server / 100 == 3 ? CONTENT_FORWARDED : CONTENT_SWALLOWED);
		break;
	case SMTP_STARTTLS:
		s->starttls_told = code == 220;
		verdicts_starttls_told(s, code, server);
		break;
	case SMTP_QUIT:
		if (code == 221)
			session_ends(s, EVENT_CLIENT, "quit", VIEW_NONE);
		break;
	default:
		break;
	}
}

/* The client has been told, or (told NULL) the server has said what the client will not hear. */
void
client_told(struct session *s, struct smtp_exchange *e, const struct smtp_reply *told,
    const struct smtp_reply *said)
{
	if (told != NULL)
		s->replies++;
	if (told != NULL && said != NULL && said->code == 421 && told->code == 421)
		session_ends(s, EVENT_SERVER, "shutdown", VIEW_NONE);
	if (e == NULL)
		return;
	if (e->kind == SMTP_GREETING)
		s->greeted = s->greeted || told != NULL;
	else if (e->kind == SMTP_CONTENT_DONE)
		content_answered(s, e, told, said);
	else if (e->kind == SMTP_COMMAND)
		command_answered(s, e, told, said);
}

/* What the proxy makes of it, where a rule or nobody had a say before; .at NULL: nothing. */
static struct view
changed_by_proxy(struct session *s, struct passage *p, struct view octets)
{
	struct view changed = p->reply == NULL ? securing_refuses(s, p) : VIEW_NONE;

	if (changed.at == NULL)
		changed = securing_keywords(s, p->unit.of, octets);
	p->by_proxy = changed.at != NULL && view_equal(octets, p->unit.wire);
	return changed;
}

/* What the client is told in place of the reply; .at NULL: nothing. */
static struct view
reply_to_client(struct session *s, struct passage *p, bool swallowed)
{
	bool ended = passage_ends(p);
	struct view octets = p->unit.wire, changed;

	if (swallowed)
		return VIEW_NONE;
	if (p->reply != NULL)
		octets = p->reply->octets;
	/* What is left of it by `truncate` goes out, whatever comes behind. */
	else if (p->dropped || (ended && !p->truncated))
		return VIEW_NONE;
	else if (p->verdict.octets.at != NULL)
		octets = p->verdict.octets;
	changed = s->securing != NULL ? changed_by_proxy(s, p, octets) : VIEW_NONE;
	return changed.at != NULL ? changed : octets;
}

static void
reply_event(struct session *s, struct passage *p, const struct smtp_reply *told, bool changed, bool delivered)
{
	struct smtp_exchange *e = p->unit.of;
	struct note *note = e != NULL ? e->note : NULL;
	struct event_reply_of r = {.of = e, .reply = told, .original = changed ? &p->unit.as.reply : NULL,
	    .origin = changed ? (p->by_proxy ? ORIGIN_PROXY : ORIGIN_RULE) : ORIGIN_PEER, .delivered = delivered, .marks = p->unit.marks,
	    .latency_us = reply_latency(s, p)};

	if (e != NULL && e->kind == SMTP_CONTENT_DONE && s->dialogue.lmtp && note != NULL)
		r.recipient = transaction_peek_final(note->transaction, delivered ? COLUMN_CLIENT : COLUMN_SERVER);
	if (p->unit.marks & SMTP_MARK_CUT)
		cut_reply_begins(s, p, &r);
	else
		event_reply(s, &r);
}

/* The legs disagree: what the server now waits for cannot come from the client (law 3). */
static void
mend_disagreement(struct session *s, uint8_t verb, uint16_t said, uint16_t told)
{
	if (verb == SMTP_DATA && said / 100 == 3 && told / 100 != 3)
		verdicts_leave_server(s);
	if (verb == SMTP_STARTTLS && said == 220 && told != 220)
		verdicts_tls_with_server_alone(s);
	if (verb == SMTP_AUTH && said == 334 && told != 334 && told != 0) {
		put_octets(s, SMTP_SERVER, VIEW("*\r\n"));
		if (smtp_dialogue_inserted(&s->dialogue, SMTP_AUTH, s->now_us, NULL) != NULL)
			s->unplain++;
	}
}

/* The client gets it so often more: out of step, on purpose. */
static void
tell_again(struct session *s, const struct passage *p, struct view reply)
{
	char *copies, *at;

	if (p->repeat == 0 || reply.len == 0)
		return;
	at = copies = arena_take(s->config->arena, reply.len * p->repeat);
	for (uint32_t i = 0; i < p->repeat; i++, at += reply.len) {
		memcpy(at, reply.at, reply.len);
		event_injected_reply(s, reply);
	}
	put_octets(s, SMTP_CLIENT, (struct view){copies, (size_t)(at - copies)});
}

void
reply_settles(struct session *s, struct passage *p)
{
	struct smtp_exchange *e = p->unit.of;
	const struct smtp_reply *said = &p->unit.as.reply;
	struct smtp_reply other;
	const struct smtp_reply *told = said;
	bool swallowed = is_swallowed(s, e);
	struct view to_client = reply_to_client(s, p, swallowed);
	bool cut = p->truncated && to_client.at != NULL && p->truncate_at < to_client.len;
	bool changed = cut || (to_client.at != NULL && !view_equal(to_client, p->unit.wire));
	/* Of what was cut off the client cannot know what it says: it is owed that for ever. */
	struct smtp_fate fate = {.time_us = s->now_us, .forwarded = to_client.at != NULL && !cut};
	uint8_t verb = e != NULL && e->kind == SMTP_COMMAND && !e->by_proxy ? e->verb : SMTP_VERB_UNKNOWN;
	bool own = e != NULL && (e->by_proxy || e->kind == SMTP_GREETING);
	enum smtp_verb own_verb = own && e->kind == SMTP_COMMAND ? e->verb : SMTP_VERB_UNKNOWN;

	if (s->securing != NULL &&
	    securing_keeps_greeting(s, e, to_client, !changed ? ORIGIN_PEER : ORIGIN_RULE, reply_latency(s, p))) {
		take_unit(s, SMTP_SERVER, p->unit.wire);
		findings_tell(s, p, SMTP_SERVER);
		fate = (struct smtp_fate){.time_us = s->now_us, .owed = true};
		smtp_dialogue_settle(&s->dialogue, SMTP_SERVER, &fate);
		securing_goes_on(s, SMTP_VERB_UNKNOWN, said);
		return;
	}
	fate.owed = swallowed || cut;
	if (cut)
		to_client = view_first(to_client, p->truncate_at);
	if (changed) {
		put_changed(s, SMTP_SERVER, p->unit.wire, to_client);
		smtp_reply_parse(to_client, &other);
		told = &other;
		fate.code = told->code;
	} else if (fate.forwarded) {
		put_unit(s, SMTP_SERVER, p->unit.wire);
	} else {
		take_unit(s, SMTP_SERVER, p->unit.wire);
	}
	if (changed && e != NULL && e->note != NULL)
		parted_by(((struct note *)e->note)->transaction, p);
	reply_event(s, p, told, changed, fate.forwarded || (cut && to_client.len > 0));
	if (p->truncated)
		direction_ends(s, SMTP_SERVER);
	else
		tell_again(s, p, to_client);
	findings_tell(s, p, SMTP_SERVER);
	client_told(s, swallowed && e->by_proxy ? NULL : e, fate.forwarded ? told : NULL, said);
	if (swallowed && e->by_proxy && e->verb == SMTP_BDAT)
		rewriting_chunk_answered(s, said);
	smtp_dialogue_settle(&s->dialogue, SMTP_SERVER, &fate);
	rewriting_goes_on(s);
	rewriting_cuts_off(s, p);
	if (fate.forwarded)
		mend_disagreement(s, verb, said->code, told->code);
	if (own)
		securing_goes_on(s, own_verb, said);
}
