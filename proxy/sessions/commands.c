/* SPDX-License-Identifier: MIT */
/*
 * A command of the client's: what it means for the transaction when it arrives, and what
 * became of it when its verdict is known.
 */
#include <ctype.h>
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/state.h"

#define VERB_NAME_MAX 64u

static char *
copy_upper(struct view name)
{
	size_t len = name.len < VERB_NAME_MAX ? name.len : VERB_NAME_MAX;
	char *text = malloc(len + 1);

	if (text == NULL)
		abort();
	for (size_t i = 0; i < len; i++)
		text[i] = (char)toupper((unsigned char)name.at[i]);
	text[len] = '\0';
	return text;
}

struct transaction *
session_transaction(struct session *s)
{
	if (s->sending == NULL)
		s->sending = transaction_new(VIEW_NONE, 0);
	return s->sending;
}

/* SIZE= (RFC 1870 6.1); 0: none that can be read. */
static uint64_t
declared_size(const struct smtp_command *c)
{
	struct view rest = c->params;
	struct smtp_param param;
	uint64_t size = 0;

	while (smtp_param_next(&rest, &param)) {
		if (!view_equal_nocase(param.name, VIEW("SIZE")) || param.value.len > 18)
			continue;
		for (size_t i = 0; i < param.value.len; i++) {
			if (param.value.at[i] < '0' || param.value.at[i] > '9')
				return 0;
			size = size * 10 + (uint64_t)(param.value.at[i] - '0');
		}
	}
	return size;
}

/* What the client has sent opens and ends transactions before anything is answered. */
static void
transaction_follows(struct session *s, const struct smtp_command *c, struct note *note)
{
	switch (c->verb) {
	case SMTP_MAIL:
		s->transactions++;
		s->recipients = 0;
		s->rules.transaction++;
		note->ended = true;
		note->previous = s->sending;
		s->sending = transaction_new(c->address, (uint32_t)s->transactions);
		s->sending->declared = declared_size(c);
		note->transaction = transaction_ref(s->sending);
		break;
	case SMTP_RSET:
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO:
		s->recipients = 0;
		note->ended = true;
		note->previous = s->sending;
		s->sending = NULL;
		break;
	case SMTP_RCPT:
		s->recipients++;
		/* fall through */
	case SMTP_DATA:
	case SMTP_BDAT:
		note->transaction = transaction_ref(session_transaction(s));
		if (c->verb == SMTP_RCPT)
			note->recipient = transaction_add_recipient(s->sending, c->address);
		break;
	default:
		break;
	}
}

/* RFC 5321 4.5.3.1.4, and what extensions add to it where they are offered. */
static size_t
command_limit(const struct session *s, enum smtp_verb verb)
{
	static const struct { enum smtp_keyword keyword; uint16_t more; } adds[] = {
	    {SMTP_KEYWORD_SIZE, 26}, {SMTP_KEYWORD_AUTH, 500}, {SMTP_KEYWORD_8BITMIME, 17},
	    {SMTP_KEYWORD_SMTPUTF8, 10}, {SMTP_KEYWORD_DELIVERBY, 17},
	    {SMTP_KEYWORD_FUTURERELEASE, 34}, {SMTP_KEYWORD_MT_PRIORITY, 15}};
	size_t limit = verb == SMTP_AUTH ? 12288 : 512;

	if (verb == SMTP_RCPT && smtp_keyword_in(s->keywords[SMTP_CLIENT], SMTP_KEYWORD_DSN))
		limit += 500;
	if (verb == SMTP_MAIL)
		for (size_t i = 0; i < sizeof adds / sizeof *adds; i++)
			if (smtp_keyword_in(s->keywords[SMTP_CLIENT], adds[i].keyword))
				limit += adds[i].more;
	return limit;
}

/* Whether what is offered is known: in a capture the reply to EHLO may be missing. */
static bool
offer_is_known(const struct session *s)
{
	return s->offered || (s->gaps == 0 && !s->dialogue.commands_missing);
}

static void
command_findings(struct session *s, struct passage *p)
{
	const struct smtp_command *c = &p->unit.as.command;
	unsigned marks = p->unit.marks;

	/* Once is enough: what follows in the same breath is early for the same reason. */
	if ((marks & SMTP_MARK_EARLY) && (s->findings == NULL || s->findings[FINDING_PIPE_EARLY_TALK] == 0))
		finding_count(s, p, FINDING_PIPE_EARLY_TALK);
	if ((marks & SMTP_MARK_PIPELINED) && !smtp_keyword_in(s->keywords[SMTP_CLIENT], SMTP_KEYWORD_PIPELINING) &&
	    offer_is_known(s))
		finding_count(s, p, FINDING_PIPE_UNOFFERED);
	if (s->tls_fresh && c->verb == SMTP_QUIT)
		finding_count(s, p, FINDING_TLS_LEFT);
	s->tls_fresh = false;
	finding_marks(s, p, marks);
	if (c->verb == SMTP_VERB_UNKNOWN && c->secret.at == NULL)
		finding_count(s, p, FINDING_CMD_UNKNOWN);
	if (!(marks & SMTP_MARK_CUT) && p->unit.wire.len > command_limit(s, c->verb))
		finding_count(s, p, FINDING_LINE_CMD_LONG);
}

static void
begin_auth(struct session *s, const struct smtp_command *c)
{
	if (s->auth == NULL)
		s->auth = malloc(sizeof *s->auth);
	if (s->auth == NULL)
		abort();
	memset(s->auth, 0, sizeof *s->auth);
	s->auth->mechanism_len = c->mechanism.len < sizeof s->auth->mechanism ? c->mechanism.len :
	    sizeof s->auth->mechanism;
	if (s->auth->mechanism_len > 0)
		memcpy(s->auth->mechanism, c->mechanism.at, s->auth->mechanism_len);
	if (c->initial.at != NULL)
		auth_response(s, c->initial);
}

/* A client's response of an AUTH exchange: who it is, and the secret for those who want to see it. */
void
auth_response(struct session *s, struct view response)
{
	struct auth_state *a = s->auth;
	struct view mechanism = {a->mechanism, a->mechanism_len};
	size_t room = sizeof a->secret - a->secret_len;

	a->given = true;
	if (response.len == 1 && response.at[0] == '*') {
		a->cancelled = true;
		return;
	}
	if (a->user_len == 0)
		a->user_len = smtp_auth_user(mechanism, a->step, response, a->user, sizeof a->user);
	a->step++;
	if (a->secret_len > 0 && room > 0) {
		a->secret[a->secret_len++] = ' ';
		room--;
	}
	if (response.len < room)
		room = response.len;
	memcpy(a->secret + a->secret_len, response.at, room);
	a->secret_len += room;
}

void
command_arrives(struct session *s, struct passage *p)
{
	const struct smtp_command *c = &p->unit.as.command;
	struct rules_facts facts;

	p->place = RULES_AT_COMMAND;
	s->commands++;
	command_findings(s, p);
	rules_run_heard(&s->rules, c->line);
	p->note = note_new(s);
	if (c->verb == SMTP_VERB_UNKNOWN)
		p->note->verb_name = copy_upper(c->secret.at != NULL && !s->config->show_secrets ? VIEW("***") :
		    c->name);
	if (ruleset_wants_command_at_reply(s->config->rules)) {
		p->note->line = session_keep_text(NULL, c->line);
		p->note->line_len = c->line.len;
		p->note->line_secret = c->verb == SMTP_VERB_UNKNOWN && c->secret.at != NULL;
	}
	transaction_follows(s, c, p->note);
	if (c->verb == SMTP_EHLO || c->verb == SMTP_HELO || c->verb == SMTP_LHLO)
		s->helo = session_keep_text(s->helo, c->argument);
	/* Beyond the ceiling nothing is held, so there is nothing to judge. */
	if ((p->unit.marks & SMTP_MARK_CUT) || !session_has_rules(s))
		return;
	facts_fill(s, &facts, RULES_AT_COMMAND);
	facts_of_command(s, &facts, c, p->note);
	session_judge(s, p, &facts, p->unit.wire);
}

/* Whether the last chunk must be kept back: a rule at CONTENT-END is to be asked, or it will be refused. */
static bool
withholds(const struct session *s, const struct smtp_command *c)
{
	if (c->verb != SMTP_BDAT || !c->chunk_last || s->config->dry_run)
		return false;
	return size_refuses_chunk(s, c) ||
	    (!s->rules.passed && rules_need(s->config->rules, RULES_AT_CONTENT_END, 0) != RULES_NONE);
}

/* The proxy answers where no rule did and the server cannot be asked. */
static bool
answer_of_proxy(struct session *s, struct passage *p, struct view *reply, bool *close)
{
	if (p->dropped || p->reply != NULL || passage_ends(p) || s->from[SMTP_CLIENT].ahead > 0)
		return false;
	return verdicts_answer(s, &p->unit.as.command, reply, close);
}

/* Puts the command towards the server; returns what it was sent. */
static struct view
forward_command(struct session *s, struct passage *p, bool is_chunk)
{
	struct view wire = p->unit.wire, changed = p->verdict.octets;

	if (changed.at == NULL && s->from[SMTP_CLIENT].ahead == 0)
		changed = verdicts_change(s, &p->unit);
	if (is_chunk && withholds(s, &p->unit.as.command))
		s->content_way = CONTENT_WITHHELD;
	if (p->truncated)
		changed = view_first(changed.at != NULL ? changed : wire, p->truncate_at);
	if (changed.at == NULL || view_equal(changed, wire)) {
		put_unit(s, SMTP_CLIENT, wire);
		return wire;
	}
	put_changed(s, SMTP_CLIENT, wire, changed);
	return changed;
}

void
command_settles(struct session *s, struct passage *p)
{
	const struct smtp_command *c = &p->unit.as.command;
	struct smtp_fate fate = {.time_us = s->now_us, .note = p->note};
	struct view reply = p->reply != NULL ? p->reply->octets : VIEW_NONE, instead = VIEW_NONE, went = VIEW_NONE;
	enum event_origin origin = ORIGIN_RULE;
	bool close = false, waits, is_chunk = c->verb == SMTP_BDAT && c->chunk_valid && !(p->unit.marks & SMTP_MARK_CUT);
	bool is_empty = c->chunk == 0 && !c->chunk_last;
	struct smtp_exchange *e;
	struct note *note = p->note;

	if (p->reply != NULL)
		parted_by(note->transaction, p);
	if (answer_of_proxy(s, p, &reply, &close))
		origin = ORIGIN_PROXY;
	fate.forwarded = reply.at == NULL && !p->dropped && !passage_ends(p);
	fate.owed = fate.forwarded || reply.at != NULL;
	if (c->verb == SMTP_AUTH)
		begin_auth(s, c);
	if (is_chunk)
		content_begins(s, note->transaction, "BDAT",
		    fate.forwarded || is_empty ? CONTENT_FORWARDED : CONTENT_SWALLOWED);
	waits = is_chunk && fate.forwarded && rewriting_takes_command(s, p);
	if (fate.forwarded && !waits)
		went = forward_command(s, p, is_chunk);
	else
		take_unit(s, SMTP_CLIENT, p->unit.wire);
	if (fate.forwarded && !waits && !view_equal(went, p->unit.wire))
		instead = smtp_line_text(went);
	if (p->truncated)
		direction_ends(s, SMTP_CLIENT);
	if (p->unit.marks & SMTP_MARK_CUT)
		cut_begins(s, SMTP_CLIENT, p, fate.forwarded);
	else if (!waits)
		event_command(s, p, fate.forwarded, instead, 0);
	if (!waits)
		findings_tell(s, p, SMTP_CLIENT);
	e = smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
	if (e == NULL) {
		note_free(s, note, !fate.forwarded);
	} else {
		if (!e->forwarded)
			s->unplain++;
		if (reply.at != NULL)
			note_forge(s, note, reply, p->reply != NULL ? p->reply->code : 0, origin);
	}
	/* What a rule sends again is a command of the rule's: its reply is not the client's. */
	if (fate.forwarded && !p->truncated)
		inject_copies(s, went, p->repeat);
	if (close && c->verb != SMTP_QUIT)
		session_ends(s, EVENT_PROXY, "rule", VIEW_NONE);
	if (close)
		session_closing(s);
}

void
auth_line_settles(struct session *s, struct passage *p)
{
	struct smtp_exchange *e = p->unit.of;
	/* A server that said something else awaits a command, not a secret. */
	struct smtp_fate fate = {.time_us = s->now_us,
	    .forwarded = e != NULL && e->forwarded && e->server_code == 334};
	struct view line = smtp_line_text(p->unit.wire);

	if (s->auth != NULL)
		auth_response(s, line);
	if (fate.forwarded)
		put_unit(s, SMTP_CLIENT, p->unit.wire);
	else
		take_unit(s, SMTP_CLIENT, p->unit.wire);
	finding_marks(s, p, p->unit.marks);
	findings_tell(s, p, SMTP_CLIENT);
	smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
	/* A rule said 334 where the server did not: nobody else can answer. */
	if (e != NULL && !fate.forwarded && e->note != NULL)
		note_forge(s, e->note, VIEW("454 4.7.0 Temporary authentication failure\r\n"), 454, ORIGIN_PROXY);
}
