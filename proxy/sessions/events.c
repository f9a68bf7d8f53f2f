/* SPDX-License-Identifier: MIT */
/*
 * Events, made from a session's state. Whatever is a secret becomes "***" here, before any
 * output sees it.
 */
#include "proxy/sessions/events.h"

#include "proxy/sessions/rewriting.h"

#include <ctype.h>

#include "decoders/message/header.h"
#include "decoders/tls/tls.h"
#include "proxy/sessions/state.h"

#define MASK VIEW("***")

static struct event
begin(struct session *s, enum event_type type)
{
	return (struct event){.type = type, .time_us = s->now_us, .session = s->number,
	    .since_open_us = s->now_us - s->opened_us};
}

/* The same for those that come with every unit and set all that is theirs: an event is large. */
static inline void
begin_unset(struct session *s, struct event *e, enum event_type type, uint64_t time_us)
{
	e->type = type;
	e->time_us = time_us;
	e->session = s->number;
	e->since_open_us = time_us - s->opened_us;
}

static void
put(struct session *s, const struct event *event)
{
	s->config->events.put(s->config->events.to, event);
}

void
event_open(struct session *s, struct view capture, struct view preface)
{
	struct event e = begin(s, EVENT_OPEN);

	e.as.open.client = s->client_text;
	e.as.open.server = s->server_text;
	e.as.open.source = s->config->source;
	e.as.open.capture = capture;
	e.as.open.preface = preface;
	put(s, &e);
}

void
event_upstream(struct session *s, struct view server, const char *outcome, struct view reason,
    uint64_t duration_us)
{
	struct event e = begin(s, EVENT_UPSTREAM);

	e.as.upstream.server = server;
	e.as.upstream.outcome = outcome;
	e.as.upstream.duration_us = duration_us;
	e.as.upstream.reason = reason;
	put(s, &e);
}

/* The line with its secret covered; c becomes what that line says. */
static void
mask_command(struct session *s, struct smtp_command *c)
{
	size_t before, after;
	struct view secret = c->secret;
	char *line;

	if (secret.at == NULL || s->config->show_secrets)
		return;
	before = (size_t)(secret.at - c->line.at);
	after = c->line.len - before - secret.len;
	line = arena_take(s->config->arena, before + MASK.len + after + 1);
	memcpy(line, c->line.at, before);
	memcpy(line + before, MASK.at, MASK.len);
	memcpy(line + before + MASK.len, secret.at + secret.len, after);
	smtp_command_parse((struct view){line, before + MASK.len + after}, c);
}

static struct view
upper(struct session *s, struct view name)
{
	struct view copy = arena_copy(s->config->arena, name);
	char *at = (char *)copy.at;

	for (size_t i = 0; i < copy.len; i++)
		at[i] = (char)toupper((unsigned char)at[i]);
	return copy;
}

static struct view
verb_upper(struct session *s, const struct smtp_command *c)
{
	return c->verb != SMTP_VERB_UNKNOWN ? smtp_verb_entry(c->verb)->name : upper(s, c->name);
}

void
event_command(struct session *s, const struct passage *p, bool forwarded, struct view forwarded_line,
    size_t true_octets)
{
	struct smtp_command other;
	struct event e;

	begin_unset(s, &e, EVENT_COMMAND, p->arrived_us);
	e.as.command.command = p->unit.as.command;
	mask_command(s, &e.as.command.command);
	e.as.command.name_upper = verb_upper(s, &e.as.command.command);
	e.as.command.line_octets = true_octets;
	e.as.command.forwarded = forwarded;
	e.as.command.forwarded_line = VIEW_NONE;
	if (forwarded_line.at != NULL) {
		smtp_command_parse(forwarded_line, &other);
		/* Where a rule has spoilt it the secret cannot be told from the rest any more. */
		if (p->unit.as.command.secret.at != NULL && (other.verb == SMTP_VERB_UNKNOWN ||
		    (p->unit.as.command.verb == SMTP_AUTH && other.secret.at == NULL)))
			other.secret = other.line;
		mask_command(s, &other);
		e.as.command.forwarded_line = other.line;
	}
	e.as.command.origin = ORIGIN_PEER;
	e.as.command.marks = p->unit.marks;
	e.as.command.pipelined = p->unit.marks & SMTP_MARK_PIPELINED;
	put(s, &e);
}

void
event_injected(struct session *s, struct view line, enum event_origin origin)
{
	struct event e = begin(s, EVENT_COMMAND);

	smtp_command_parse(line, &e.as.command.command);
	mask_command(s, &e.as.command.command);
	e.as.command.name_upper = verb_upper(s, &e.as.command.command);
	e.as.command.forwarded = true;
	e.as.command.origin = origin;
	put(s, &e);
}

struct view
event_reply_to(const struct smtp_exchange *e)
{
	const struct note *note = e != NULL ? e->note : NULL;

	if (e == NULL || e->kind == SMTP_ASIDE)
		return VIEW_NONE;
	if (e->kind == SMTP_GREETING)
		return VIEW("CONNECT");
	if (e->kind == SMTP_CONTENT_DONE)
		return VIEW("CONTENT");
	if (e->verb != SMTP_VERB_UNKNOWN)
		return smtp_verb_entry(e->verb)->name;
	return note != NULL && note->verb_name != NULL ? view_of(note->verb_name) : VIEW("");
}

void
event_reply(struct session *s, const struct event_reply_of *r)
{
	struct event e;

	begin_unset(s, &e, EVENT_REPLY, s->now_us);
	e.as.reply.reply = *r->reply;
	e.as.reply.to = event_reply_to(r->of);
	e.as.reply.latency_us = r->latency_us;
	e.as.reply.origin = r->origin;
	e.as.reply.changed = r->original != NULL;
	if (r->original != NULL)
		e.as.reply.original = *r->original;
	e.as.reply.delivered = r->delivered;
	e.as.reply.recipient = r->recipient == NULL ? VIEW_NONE :
	    (struct view){r->recipient->address, r->recipient->address_len};
	e.as.reply.wire_octets = r->true_octets;
	e.as.reply.marks = r->marks;
	put(s, &e);
}

void
event_injected_reply(struct session *s, struct view octets)
{
	struct smtp_reply reply;
	struct event_reply_of r = {.reply = &reply, .origin = ORIGIN_RULE, .delivered = true,
	    .latency_us = EVENT_NO_LATENCY};

	smtp_reply_parse(octets, &reply);
	event_reply(s, &r);
}

void
event_ehlo(struct session *s, const struct smtp_reply *told, const struct smtp_reply *said)
{
	struct event e = begin(s, EVENT_EHLO);

	e.as.ehlo.name = smtp_ehlo_name(told);
	e.as.ehlo.offered = *told;
	e.as.ehlo.tls = s->tls;
	e.as.ehlo.changed = said != NULL && !view_equal(said->wire, told->wire);
	if (said != NULL)
		e.as.ehlo.server = *said;
	put(s, &e);
}

void
event_auth(struct session *s, const char *outcome, uint16_t code)
{
	const struct auth_state *a = s->auth;
	struct event e = begin(s, EVENT_AUTH);

	e.as.auth.mechanism = (struct view){a->mechanism, a->mechanism_len};
	if (a->user_len > 0)
		e.as.auth.user = (struct view){a->user, a->user_len};
	if (s->config->show_secrets && a->given)
		e.as.auth.secret = (struct view){a->secret, a->secret_len};
	e.as.auth.outcome = outcome;
	e.as.auth.code = code;
	put(s, &e);
}

void
event_tls(struct session *s, const char *outcome, const struct tls_facts *facts, struct view reason)
{
	struct event e = begin(s, EVENT_TLS);

	e.as.tls.side = EVENT_CLIENT;
	e.as.tls.outcome = outcome;
	e.as.tls.reason = reason;
	if (facts != NULL) {
		e.as.tls.version = facts->version;
		e.as.tls.cipher = facts->cipher;
		e.as.tls.sni = facts->sni;
		e.as.tls.subject = facts->subject;
		e.as.tls.issuer = facts->issuer;
		if (facts->alerted)
			e.as.tls.alert = view_of(tls_alert_name(facts->alert));
	}
	put(s, &e);
}

void
event_tls_of_leg(struct session *s, const struct event_tls *tls)
{
	struct event e = begin(s, EVENT_TLS);

	e.as.tls = *tls;
	put(s, &e);
}

static struct view
header_text(struct session *s, struct view value)
{
	size_t size;
	char *out;

	if (value.at == NULL || header_is_plain(value))
		return value;
	/* An encoded octet becomes four of UTF-8 at most. */
	size = 4 * value.len + 1;
	out = arena_take(s->config->arena, size);
	return (struct view){out, header_decode(value, out, size)};
}

static void
header_fields(struct session *s, const struct transaction *t, struct event *e)
{
	static const struct view names[] = {
	    {"Subject", 7}, {"From", 4}, {"To", 2}, {"Message-ID", 10}, {"Date", 4}};
	struct view values[sizeof names / sizeof *names];

	header_find_each((struct view){t->header, t->header_len}, names, values, sizeof names / sizeof *names);
	e->as.message.subject = header_text(s, values[0]);
	e->as.message.from = header_text(s, values[1]);
	e->as.message.to = header_text(s, values[2]);
	e->as.message.message_id = header_text(s, values[3]);
	e->as.message.date = header_text(s, values[4]);
}

static const struct event_recipient *
recipients_of(struct session *s, const struct transaction *t)
{
	struct event_recipient *list = arena_take(s->config->arena, t->recipient_count * sizeof *list + 1);

	for (uint32_t i = 0; i < t->recipient_count; i++) {
		const struct recipient *r = &t->recipients[i];

		list[i].address = (struct view){r->address, r->address_len};
		list[i].code = r->code;
		list[i].server_code = r->server_code != r->code ? r->server_code : 0;
		list[i].final = r->final;
		list[i].final_enhanced = r->final_enhanced[0] != '\0' ? view_of(r->final_enhanced) : VIEW_NONE;
	}
	return list;
}

void
event_content(struct session *s, struct transaction *t, struct view stretch)
{
	struct event e = begin(s, EVENT_CONTENT);

	e.as.content.octets = stretch;
	e.as.content.by_data = !s->dialogue.content.by_count;
	if (t != NULL) {
		e.as.content.message = t->message;
		e.as.content.begins = !t->begun;
		e.as.content.missing = t->missing;
		if (!t->begun)
			e.as.content.envelope = (struct event_envelope){view_of(t->reverse_path), recipients_of(s, t),
			    t->recipient_count, t->unlisted};
		t->begun = true;
		t->missing = 0;
	}
	put(s, &e);
}

/* Why the end of a content was not received, or not all of it; NULL: it was. */
static const char *
why_incomplete(const struct session *s, const struct transaction *t)
{
	if (t->gap)
		return "gap";
	if (t->complete)
		return NULL;
	return s->end_how != NULL ? s->end_how : "abandoned";
}

void
event_message(struct session *s, struct transaction *t)
{
	struct event e = begin(s, EVENT_MESSAGE);

	t->reported = true;
	s->messages++;
	e.as.message.message = t->message;
	e.as.message.reverse_path = view_of(t->reverse_path);
	e.as.message.recipients = recipients_of(s, t);
	e.as.message.recipient_count = t->recipient_count;
	e.as.message.recipients_unlisted = t->unlisted;
	e.as.message.octets = t->octets;
	e.as.message.lines = t->lines;
	e.as.message.transfer = t->transfer;
	if (!s->config->events.counts_only)
		header_fields(s, t, &e);
	e.as.message.code = t->code;
	e.as.message.server_code = t->server_code != t->code ? t->server_code : 0;
	e.as.message.incomplete = why_incomplete(s, t);
	e.as.message.complete = e.as.message.incomplete == NULL;
	e.as.message.changed = rewriting_has_changed(t, &e.as.message.forwarded_octets);
	if (!e.as.message.changed) {
		e.as.message.changed = t->swallowed > 0 || t->added > 0;
		e.as.message.forwarded_octets = t->octets - t->swallowed;
	}
	e.as.message.forwarded_octets += t->added;
	e.as.message.unwanted = ruleset_saves(s->config->rules) != NULL && !t->saved;
	put(s, &e);
}

void
event_finding(struct session *s, enum finding finding, enum event_side side, struct view detail,
    struct view excerpt, bool unsure)
{
	struct event e = begin(s, EVENT_FINDING);

	e.as.finding.finding = finding;
	e.as.finding.side = side;
	e.as.finding.detail = detail;
	e.as.finding.excerpt = excerpt;
	e.as.finding.unsure = unsure;
	put(s, &e);
}

void
event_rule(struct session *s, const struct step *step)
{
	struct event e = begin(s, EVENT_RULE);

	e.as.rule.rule = step->rule;
	e.as.rule.action = step->action;
	e.as.rule.at = step->at;
	e.as.rule.fired = step->fired;
	e.as.rule.thrown = step->thrown;
	e.as.rule.throw = step->throw;
	e.as.rule.dry_run = s->config->dry_run;
	put(s, &e);
}

void
event_log(struct session *s, const char *rule, struct view text)
{
	struct event e = begin(s, EVENT_LOG);

	e.as.log.rule = rule;
	e.as.log.text = text;
	put(s, &e);
}

void
event_undecoded(struct session *s, enum event_side side, struct view octets, uint64_t count,
    const char *reason)
{
	struct event e = begin(s, EVENT_UNDECODED);

	e.as.undecoded.side = side;
	e.as.undecoded.octets = view_first(octets, 120);
	e.as.undecoded.count = count;
	e.as.undecoded.reason = reason;
	put(s, &e);
}

void
event_close(struct session *s)
{
	struct event e = begin(s, EVENT_CLOSE);

	e.as.close.by = s->end_by;
	e.as.close.how = s->end_how;
	e.as.close.reason = view_of(s->end_reason);
	e.as.close.duration_us = s->now_us - s->opened_us;
	e.as.close.commands = s->commands;
	e.as.close.replies = s->replies;
	e.as.close.messages = s->messages;
	for (int side = SMTP_CLIENT; side <= SMTP_SERVER; side++) {
		e.as.close.octets[side] = side == SMTP_CLIENT ? s->from[side].octets : s->told;
		e.as.close.encrypted[side] = s->from[side].opaque;
	}
	e.as.close.gaps = s->gaps;
	put(s, &e);
}
