/* SPDX-License-Identifier: MIT */
/*
 * Message content on its way: forwarded as it comes, swallowed where the server does not
 * know of it, or withheld until a rule has decided. Its end is judged apart.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/state.h"

void
content_begins(struct session *s, struct transaction *t, const char *transfer, enum content_way way)
{
	transaction_ref(t);
	transaction_unref(s, s->content);
	s->content = t;
	s->content_way = (uint8_t)way;
	if (t == NULL)
		return;
	if (t->transfer == NULL) {
		t->transfer = transfer;
		t->unstuff = 0;
		t->message = ++s->contents;
	}
}

void
content_ends(struct session *s)
{
	if (s->sending == s->content) {
		transaction_unref(s, s->sending);
		s->sending = NULL;
	}
	transaction_unref(s, s->content);
	s->content = NULL;
	s->content_way = CONTENT_FORWARDED;
	s->recipients = 0;
}

static bool
has_rules(const struct session *s, enum rules_place place)
{
	return !s->rules.passed && rules_need(s->config->rules, place, 0) != RULES_NONE;
}

/* A chunk that a rule has answered is gone, whatever comes. */
static bool
is_answered(const struct passage *p)
{
	const struct note *note = p->unit.of != NULL ? p->unit.of->note : NULL;

	return note != NULL && note->forged != NULL;
}

static bool
judge_at(struct session *s, struct passage *p, enum rules_place place)
{
	struct rules_facts facts;

	facts_fill(s, &facts, place);
	facts_of_content(s, &facts, s->content);
	p->place = place;
	return session_judge(s, p, &facts, VIEW_NONE);
}

/*
 * Rules at CONTENT are asked once, when its first octets are there, or its header where a
 * rule may read that: where the octets were cut must not matter.
 */
static void
judge_content(struct session *s, struct passage *p, bool over)
{
	struct transaction *t = s->content;

	if (t == NULL || t->judged || !has_rules(s, RULES_AT_CONTENT) || is_answered(p))
		return;
	if (ruleset_wants_header(s->config->rules) && !t->header_done && !over) {
		if (s->content_way == CONTENT_FORWARDED)
			s->content_way = CONTENT_WITHHELD;
		return;
	}
	t->judged = true;
	judge_at(s, p, RULES_AT_CONTENT);
}

/* Where some messages alone are kept, they are kept as they went on. */
void
content_tell_passed(struct session *s, struct view octets)
{
	if (s->config->events.wants_content && octets.len > 0 && ruleset_saves(s->config->rules) != NULL &&
	    ruleset_edits_content(s->config->rules))
		event_content(s, s->content, octets);
}

/* Whether a stretch is told when it goes on, and not when it comes. */
static bool
is_told_later(const struct session *s)
{
	const struct transaction *t = s->content;

	if (t == NULL || ruleset_saves(s->config->rules) == NULL || !ruleset_edits_content(s->config->rules))
		return false;
	return s->content_way != CONTENT_SWALLOWED && (t->rewriting != NULL ||
	    (s->content_way == CONTENT_WITHHELD && !t->judged));
}

static bool
ends_trying(const struct passage *p)
{
	for (size_t i = 0; i < p->verdict.step_count; i++) {
		enum step_type type = p->verdict.steps[i].type;

		if (type == STEP_HOLD || type == STEP_CLOSE || type == STEP_RESET)
			return true;
	}
	return false;
}

/* Both places fall together where the content is empty: first what CONTENT says, then its end. */
static void
judge_end(struct session *s, struct passage *p)
{
	struct verdict first;
	struct step *steps;
	size_t count;

	judge_content(s, p, true);
	if (ends_trying(p) || !has_rules(s, RULES_AT_CONTENT_END) || is_answered(p))
		return;
	first = p->verdict;
	memset(&p->verdict, 0, sizeof p->verdict);
	judge_at(s, p, RULES_AT_CONTENT_END);
	if (first.step_count == 0)
		return;
	count = first.step_count + p->verdict.step_count;
	steps = arena_take(s->config->arena, count * sizeof *steps);
	memcpy(steps, first.steps, first.step_count * sizeof *steps);
	if (p->verdict.step_count > 0)
		memcpy(steps + first.step_count, p->verdict.steps, p->verdict.step_count * sizeof *steps);
	p->verdict.steps = steps;
	p->verdict.step_count = count;
}

/* By rules, or for the message event. */
static bool
header_is_wanted(const struct session *s)
{
	return s->has_rules || !s->config->events.counts_only;
}

void
content_arrives(struct session *s, struct passage *p)
{
	struct transaction *t = s->content;
	const struct smtp_content *framing = &s->dialogue.content;
	unsigned marks = p->unit.marks;
	uint64_t before;

	p->place = RULES_AT_CONTENT;
	if (t == NULL)
		return;
	if (p->unit.type == SMTP_UNIT_CONTENT_END) {
		judge_end(s, p);
		return;
	}
	if (header_is_wanted(s))
		transaction_keep_header(t, p->unit.wire, !framing->by_count, p->unit.dotted > 0);
	t->lines += p->unit.lines;
	before = t->octets;
	t->octets = framing->by_count ? t->octets + p->unit.wire.len : framing->wire - framing->stuffed;
	if (s->content_way == CONTENT_SWALLOWED)
		t->swallowed += t->octets - before;
	if (framing->by_count)
		marks &= ~(unsigned)(SMTP_MARK_BARE_LF | SMTP_MARK_BARE_CR);
	if (smtp_keyword_in(s->keywords[SMTP_CLIENT], SMTP_KEYWORD_BINARYMIME))
		marks &= ~(unsigned)SMTP_MARK_NUL;
	content_count_findings(s, t, marks);
	judge_content(s, p, framing->by_count && framing->left == 0);
}

/*
 * What was withheld for the header's sake alone goes on once the rules have been asked, or can
 * be asked no more.
 */
static bool
may_release(const struct session *s, bool chunk_ends)
{
	const struct smtp_content *framing = &s->dialogue.content;

	if (s->content_way != CONTENT_WITHHELD || (!s->content->judged && !chunk_ends))
		return false;
	return s->content->rewriting != NULL ||
	    !(framing->by_count && framing->last && (has_rules(s, RULES_AT_CONTENT_END) || s->size_limit != 0));
}

bool
content_awaits_header(const struct session *s)
{
	return s->content != NULL && !s->content->judged && has_rules(s, RULES_AT_CONTENT) &&
	    ruleset_wants_header(s->config->rules);
}

static void
put_content(struct session *s, struct view wire)
{
	if (s->content_way == CONTENT_FORWARDED && s->content != NULL && s->content->rewriting != NULL) {
		take_unit(s, SMTP_CLIENT, wire);
		rewriting_put(s, wire);
	} else {
		put_unit(s, SMTP_CLIENT, wire);
	}
}

void
content_settles(struct session *s, struct passage *p)
{
	const struct smtp_content *framing = &s->dialogue.content;
	struct smtp_fate fate = {.time_us = s->now_us};
	bool chunk_ends = framing->by_count && framing->left == 0 && !framing->last;
	bool is_told = s->config->events.wants_content && !is_told_later(s);

	fate.forwarded = !passage_ends(p);
	if (s->content != NULL && fate.forwarded && may_release(s, chunk_ends)) {
		s->content_way = CONTENT_FORWARDED;
		withheld_release(s);
	}
	if (fate.forwarded)
		put_content(s, p->unit.wire);
	else
		take_unit(s, SMTP_CLIENT, p->unit.wire);
	if (s->content != NULL && !fate.forwarded)
		transaction_forget_content(s->content);
	if (fate.forwarded && chunk_ends && s->content_way == CONTENT_FORWARDED)
		rewriting_chunk_ends(s);
	if (fate.forwarded)
		rewriting_cuts_off(s, p);
	/* What comes behind a chunk that was swallowed is a command. */
	if (chunk_ends)
		s->content_way = CONTENT_FORWARDED;
	if (is_told)
		event_content(s, s->content, p->unit.wire);
	smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
}

/* The end goes to the server, behind what was withheld. */
static void
forward_end(struct session *s, struct passage *p)
{
	s->content_way = CONTENT_FORWARDED;
	withheld_release(s);
	rewriting_content_ends(s);
	put_unit(s, SMTP_CLIENT, p->unit.wire);
	rewriting_cuts_off(s, p);
}

void
content_end_settles(struct session *s, struct passage *p)
{
	struct smtp_fate fate = {.time_us = s->now_us, .owed = true};
	bool ended = passage_ends(p);
	bool by_count = s->dialogue.content.by_count, was_forwarded = p->unit.of != NULL && p->unit.of->forwarded;
	struct smtp_exchange *e;
	struct note *note = by_count ? (p->unit.of != NULL ? p->unit.of->note : NULL) : note_new(s);
	bool answered = is_answered(p), too_large = size_refuses_content(s);

	if (s->content != NULL)
		s->content->complete = true;
	fate.forwarded = s->content_way != CONTENT_SWALLOWED && p->reply == NULL && !ended && !too_large;
	fate.owed = fate.forwarded || p->reply != NULL || !ended;
	if (!by_count) {
		note->transaction = transaction_ref(s->content);
		fate.note = note;
	}
	if (fate.forwarded)
		forward_end(s, p);
	else
		take_unit(s, SMTP_CLIENT, p->unit.wire);
	if (s->content != NULL) {
		content_tell_findings(s, s->content);
		if (fate.forwarded)
			rewriting_tell_findings(s, s->content);
	}
	e = smtp_dialogue_settle(&s->dialogue, SMTP_CLIENT, &fate);
	if (e == NULL && !by_count)
		note_free(s, note, false);
	if (e != NULL && !e->forwarded && (!by_count || was_forwarded))
		s->unplain++;
	if (p->reply != NULL)
		parted_by(s->content, p);
	if (p->reply != NULL && e != NULL && !answered)
		note_forge(s, note, p->reply->octets, p->reply->code, ORIGIN_RULE);
	else if (too_large && !ended && !answered && e != NULL)
		note_forge(s, note, SIZE_REPLY, 552, ORIGIN_PROXY);
	else if (!fate.forwarded && !ended && !answered && e != NULL)
		note_forge(s, note, VIEW("451 4.3.0 The content was not passed on\r\n"), 451, ORIGIN_PROXY);
	if (!fate.forwarded && s->content_way != CONTENT_SWALLOWED)
		verdicts_content_end_answered(s, by_count);
	content_ends(s);
}
