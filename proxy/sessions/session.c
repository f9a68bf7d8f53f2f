/* SPDX-License-Identifier: MIT */
/*
 * One session: octets are fed to the dialogue, its units to the rules, their verdicts are
 * carried out and told to the dialogue. What a unit means is in commands.c, replies.c and
 * contents.c; what happens where the legs disagree, in verdicts.c.
 */
#include "proxy/sessions/session.h"

#include <stddef.h>
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

#define KEPT_MAX        65536u          /* octets of a side that wait for a verdict before it is read no more */

char *
session_keep_text(char *old, struct view text)
{
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		abort();
	if (text.len > 0)
		memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	free(old);
	return copy;
}

bool
session_judge(struct session *s, struct passage *p, const struct rules_facts *facts, struct view unit)
{
	enum smtp_side from = p->unit.type == SMTP_UNIT_REPLY ? SMTP_SERVER : SMTP_CLIENT;

	/* What has gone ahead cannot be called back. */
	if (s->rules.passed || s->from[from].ahead > 0)
		return false;
	if (!rules_judge(&s->rules, facts, unit, s->config->arena, &p->verdict))
		return false;
	if (s->config->dry_run) {
		for (size_t i = 0; i < p->verdict.step_count; i++)
			step_report(s, &p->verdict.steps[i]);
		memset(&p->verdict, 0, sizeof p->verdict);
		return false;
	}
	return true;
}

void
spent_free(struct session *s)
{
	struct pending *pending;

	while ((pending = s->spent) != NULL) {
		s->spent = pending->next;
		arena_clear(&pending->arena);
		free(pending);
	}
}

void
call_begins(struct session *s, uint64_t time_us, struct plan *plan)
{
	plan->segments = 0;
	plan->used = 0;
	plan->end[0] = plan->end[1] = END_NOT;
	plan->drain[0] = plan->drain[1] = false;
	plan->dial = plan->again = plan->other = plan->over = false;
	s->plan = plan;
	s->now_us = time_us;
	if (s->spent != NULL)
		spent_free(s);
	arena_empty(s->config->arena);
}

void
call_ends(struct session *s)
{
	forged_go_out(s);
	if (s->closing && !s->over)
		ending_goes_on(s);
	if (s->over) {
		s->plan->over = true;
		s->plan->again = s->plan->other = false;
	}
	s->plan = NULL;
}

/* TLS begins: what the client was told before does not count any more (RFC 3207 4.2). */
static void
handover_settles(struct session *s, struct passage *p)
{
	struct smtp_fate fate = {.time_us = s->now_us, .forwarded = true};

	smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
	ending_by_rule(s, p);
	if (!s->over && !s->closing && !s->unheard && !securing_begins_with_client(s))
		passed_begins(s);
	s->tls = true;
	s->keywords[0] = s->keywords[1] = 0;
	s->offered = false;
	s->size_limit = 0;
	free(s->helo);
	free(s->user);
	s->helo = s->user = NULL;
}

/* Octets that are no unit of SMTP: they go on, and are told. */
static void
other_settles(struct session *s, enum smtp_side from, struct passage *p)
{
	struct smtp_fate fate = {.time_us = s->now_us, .forwarded = true};
	enum event_side side = from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER;
	const struct smtp_unit *unit = &p->unit;
	struct view rest = unit->wire;          /* OPAQUE: behind what was sent in the clear */
	bool secret = from == SMTP_CLIENT && !s->config->show_secrets && wire_secret(s, unit).at != NULL;

	if (unit->type == SMTP_UNIT_OPAQUE && from == SMTP_SERVER)
		rest = glued_from_server(s, rest);
	if (unit->type == SMTP_UNIT_REST && cut_is_kept(s, from))
		take_unit(s, from, rest);
	else
		put_unit(s, from, rest);
	switch (unit->type) {
	case SMTP_UNIT_REST:
		cut_goes_on(s, from, unit->wire, unit->last);
		break;
	case SMTP_UNIT_NOT_REPLY:
		if (!s->first_reply)
			s->not_replies++;
		event_undecoded(s, side, unit->wire, unit->wire.len, "this line is no reply");
		finding_marks(s, p, unit->marks);
		finding_count(s, p, FINDING_RSP_SYNTAX);
		break;
	case SMTP_UNIT_LEFTOVER:
		event_undecoded(s, side, secret ? VIEW("***") : unit->wire, unit->wire.len, unit->marks & SMTP_MARK_UNSURE
		    ? "octets around it are missing" : "the stream ended inside a line");
		if (!(unit->marks & SMTP_MARK_UNSURE))
			finding_count(s, p, FINDING_LINE_UNTERMINATED);
		break;
	default:
		s->from[from].opaque += rest.len;
		passed_goes_on(s, from, rest);
		break;
	}
	findings_tell(s, p, from);
	smtp_dialogue_settle(&s->dialogue, from, &fate);
}

static void
unit_arrives(struct session *s, struct passage *p)
{
	struct rules_facts facts;

	switch (p->unit.type) {
	case SMTP_UNIT_COMMAND:
		command_arrives(s, p);
		break;
	case SMTP_UNIT_REPLY:
		reply_arrives(s, p);
		break;
	case SMTP_UNIT_CONTENT:
	case SMTP_UNIT_CONTENT_END:
		content_arrives(s, p);
		break;
	case SMTP_UNIT_HANDOVER:
		p->place = RULES_AT_TLS;
		facts_fill(s, &facts, RULES_AT_TLS);
		session_judge(s, p, &facts, VIEW_NONE);
		break;
	default:
		break;
	}
}

void
unit_settles(struct session *s, enum smtp_side from, struct passage *p)
{
	if (from == SMTP_SERVER)
		wire_leads_on(s, &p->unit);
	else
		s->wire_unit = &p->unit;
	switch (p->unit.type) {
	case SMTP_UNIT_COMMAND:
		command_settles(s, p);
		break;
	case SMTP_UNIT_AUTH_LINE:
		auth_line_settles(s, p);
		break;
	case SMTP_UNIT_REPLY:
		reply_settles(s, p);
		break;
	case SMTP_UNIT_CONTENT:
		content_settles(s, p);
		break;
	case SMTP_UNIT_CONTENT_END:
		content_end_settles(s, p);
		break;
	case SMTP_UNIT_HANDOVER:
		s->wire_unit = NULL;
		handover_settles(s, p);
		return;
	default:
		other_settles(s, from, p);
		break;
	}
	s->wire_kind = WIRE_SMTP;
	s->wire_unit = NULL;
	ending_by_rule(s, p);
}

/* The unit that a delay held: its octets are offered anew, so its views are made anew. */
static void
passage_restore(struct session *s, enum smtp_side from, struct passage *p, struct view rest)
{
	size_t len;

	*p = s->from[from].pending->passage;
	len = p->unit.wire.len;
	p->unit.wire = view_first(rest, len);
	p->unit.of = smtp_dialogue_unsettled(&s->dialogue, from);
	if (p->unit.type == SMTP_UNIT_COMMAND) {
		bool secret = p->unit.as.command.secret.at != NULL;

		smtp_command_parse(smtp_line_text(p->unit.wire), &p->unit.as.command);
		if (secret && p->unit.as.command.secret.at == NULL)
			p->unit.as.command.secret = p->unit.as.command.line;
	} else if (p->unit.type == SMTP_UNIT_REPLY) {
		smtp_reply_parse(p->unit.wire, &p->unit.as.reply);
	}
}

/* The delay is over. What the plan got of the verdict lasts until the next call. */
void
pending_done(struct session *s, struct direction *dir)
{
	if (dir->pending == NULL)
		return;
	dir->pending->next = s->spent;
	s->spent = dir->pending;
	dir->pending = NULL;
}

/* The first command that began among the octets that could not be judged yet came as early as they. */
static void
has_waited(struct session *s, struct smtp_unit *unit)
{
	bool over = unit->type == SMTP_UNIT_COMMAND || s->waiting <= unit->wire.len;

	if (unit->type == SMTP_UNIT_COMMAND)
		unit->marks |= s->waited;
	s->waiting -= over ? s->waiting : (uint32_t)unit->wire.len;
	if (over)
		s->waited = 0;
}

/* The next unit of a side, or the one that a delay has let go. False: there is none now. */
static bool
next_unit(struct session *s, enum smtp_side from, struct passage *p, struct view rest)
{
	struct direction *dir = &s->from[from];

	if (dir->pending != NULL && dir->pending->in_turn)
		dir->pending->resumed = !verdicts_wait_for(s, &dir->pending->passage);
	if (dir->held || (dir->pending != NULL && !dir->pending->resumed))
		return false;
	if (s->securing != NULL && securing_blocks(s, from)) {
		/* A client that is in TLS waits for a greeting as any other. */
		if (from == SMTP_CLIENT && s->waited == 0 && rest.len > 0 && securing_is_early(s))
			s->waited = SMTP_MARK_EARLY;
		return false;
	}
	if (dir->pending != NULL) {
		passage_restore(s, from, p, rest);
		return true;
	}
	if (from == SMTP_CLIENT && verdicts_wait(s)) {
		if (s->waited == 0 && rest.len > 0 && smtp_dialogue_client_is_owed(&s->dialogue))
			s->waited = s->greeted ? SMTP_MARK_PIPELINED : SMTP_MARK_EARLY;
		s->waiting = (uint32_t)rest.len;
		return false;
	}
	memset(&p->verdict, 0, sizeof *p - offsetof(struct passage, verdict));
	if (!smtp_dialogue_feed(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit) &&
	    !(from == SMTP_CLIENT && gap_decides(s, rest) &&
	        smtp_dialogue_feed(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit)) &&
	    !(dir->eof && smtp_dialogue_finish(&s->dialogue, from, rest.at, rest.len, s->now_us, &p->unit)))
		return false;
	p->arrived_us = s->now_us;
	if (from == SMTP_CLIENT)
		wire_from_client(s, &p->unit);
	else
		wire_from_server(s, &p->unit);
	if (from == SMTP_CLIENT && s->waited != 0)
		has_waited(s, &p->unit);
	unit_arrives(s, p);
	return true;
}

/*
 * Whether the client's octets, or their end, may be waiting for the reply that has just been settled:
 * one that has gone has nobody left to hear where the server was left, too.
 */
bool
client_may_go_on(struct session *s)
{
	return smtp_dialogue_hands_over(&s->dialogue) || s->from[SMTP_CLIENT].blocked || rewriting_holds_command(s) ||
	    (s->from[SMTP_CLIENT].eof && (!s->from[SMTP_CLIENT].ended || s->server != SERVER_OPEN));
}

/* Whether what a side still says is thrown away: the client's behind a close, the server's when it owes no more. */
static bool
nobody_listens(struct session *s, enum smtp_side from)
{
	if (from == SMTP_CLIENT)
		return s->closing || s->unheard;
	return s->server == SERVER_LEFT || (s->closing && !smtp_dialogue_server_owes(&s->dialogue));
}

/* Of content that goes no further none counts: how much of it there was by then is a matter of cuts. */
static inline void
count_unit(struct session *s, struct direction *dir, const struct passage *p)
{
	bool ended = p->held || passage_ends(p);
	uint64_t before = s->dialogue.content.wire - p->unit.wire.len;

	if (p->unit.type == SMTP_UNIT_CONTENT && ended)
		dir->octets -= before < dir->octets ? before : dir->octets;
	else if (!p->held)
		dir->octets += p->unit.wire.len;
}

/* Feeds what is there, unit by unit; returns octets used. What is thrown away counts as used, not as received. */
static size_t
feed_units(struct session *s, enum smtp_side from, struct view octets)
{
	struct direction *dir = &s->from[from];
	struct view rest = octets;
	struct passage p;

	dir->blocked = false;
	while (!s->over) {
		if (dir->pending == NULL && nobody_listens(s, from)) {
			take_unit(s, from, rest);
			return octets.len;
		}
		if (from == SMTP_SERVER && s->securing != NULL)
			rest = securing_takes_clear(s, rest);
		if (!plan_has_room(s)) {
			s->plan->again = true;
			break;
		}
		if (!next_unit(s, from, &p, rest)) {
			if (ceilings_give_up(s, from, rest.len))
				continue;
			break;
		}
		if (p.step < p.verdict.step_count && !steps_run(s, from, &p)) {
			steps_pause(s, from, &p);
			break;
		}
		if (!p.held && from == SMTP_SERVER && s->securing != NULL && securing_waits(s, &p)) {
			steps_keep(s, from, &p);
			break;
		}
		if (from == SMTP_CLIENT && verdicts_wait_for(s, &p)) {
			steps_wait(s, &p);
			break;
		}
		if (p.held) {
			pending_done(s, dir);
			note_free(s, p.note, false);
			if (p.unit.type == SMTP_UNIT_CONTENT && s->content != NULL) {
				rewriting_held(s);
				transaction_forget_content(s->content);
			}
			/* What the server has said is known, and that the client never hears it. */
			if (p.unit.type == SMTP_UNIT_REPLY)
				client_told(s, p.unit.of, NULL, &p.unit.as.reply);
			count_unit(s, dir, &p);
			dir->held = true;
			break;
		}
		unit_settles(s, from, &p);
		injections_go_out(s);
		pending_done(s, dir);
		rest = view_from(rest, p.unit.wire.len);
		count_unit(s, dir, &p);
		if (p.unit.type == SMTP_UNIT_HANDOVER)
			rest = glued_by_client(s, rest);
		if (from == SMTP_SERVER && s->securing != NULL)
			rest = securing_takes_clear(s, rest);
		forged_go_out(s);
		if (from == SMTP_SERVER && client_may_go_on(s)) {
			s->plan->other = true;
			dir->interrupted = rest.len > 0;
			break;
		}
		if (from == SMTP_SERVER && ceilings_give_up(s, from, rest.len))
			continue;
		if (rest.len == 0 && !dir->eof && smtp_dialogue_wants_octets(&s->dialogue, from))
			break;
	}
	dir->blocked = rest.len > 0;
	return s->over ? octets.len : octets.len - rest.len;
}

void
session_feed(struct session *s, enum smtp_side from, const char *octets, size_t len, uint64_t time_us,
    struct plan *plan)
{
	struct direction *dir = &s->from[from];
	size_t used;

	call_begins(s, time_us, plan);
	/* A server that was left may still talk: nobody listens. */
	if (s->over || (from == SMTP_SERVER && s->server == SERVER_LEFT && dir->pending == NULL)) {
		plan->used = len;
		call_ends(s);
		return;
	}
	used = feed_units(s, from, (struct view){octets, len});
	/* What is held never goes on: it need not be kept, and the end behind it must be seen. */
	if (dir->held)
		used = len;
	/* What an interruption left may be several units. */
	if (used < len && !s->over && !plan->again && !dir->interrupted)
		put_ahead(s, from, (struct view){octets + used, len - used});
	plan->used = used;
	if (from == SMTP_CLIENT && !plan->again && s->from[SMTP_SERVER].interrupted) {
		s->from[SMTP_SERVER].interrupted = false;
		plan->other = true;
	}
	if (dir->fin && used == len && (from == SMTP_CLIENT || !s->config->dry_run))
		wire_ends(s, from, from, false);
	if (dir->eof && !plan->again && !dir->interrupted)
		ending_of_side(s, from, len - used > dir->ahead);
	call_ends(s);
}

bool
session_wants(const struct session *s, enum smtp_side from, size_t kept)
{
	size_t limit = s->config->max_line > KEPT_MAX ? s->config->max_line : KEPT_MAX;

	(void)from;
	return kept < limit;
}

void
session_resume(struct session *s, enum smtp_side from, uint64_t time_us, struct plan *plan)
{
	struct direction *dir = &s->from[from];

	call_begins(s, time_us, plan);
	if (dir->pending != NULL && dir->pending->passage.place == RULES_AT_CONNECT) {
		struct passage p = dir->pending->passage;

		pending_done(s, dir);
		opening_goes_on(s, &p);
		plan->other = true;
	} else if (dir->pending != NULL) {
		dir->pending->resumed = true;
		plan->again = true;
	}
	call_ends(s);
}
