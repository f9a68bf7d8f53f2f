/* SPDX-License-Identifier: MIT */
/*
 * The steps of a verdict, in the order in which the rules wrote them. A delay stops them:
 * what is left is kept outside the arena and taken up again when the wait is over.
 */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/state.h"

/* Octets for the client stand behind the replies that it is owed by now. */
static void
inject_client(struct session *s, enum smtp_side from, struct view octets)
{
	struct smtp_exchange *e;
	struct note *note;

	if (from == SMTP_SERVER || !smtp_dialogue_client_is_owed(&s->dialogue)) {
		event_injected_reply(s, octets);
		put_octets(s, SMTP_CLIENT, octets);
		return;
	}
	note = note_new(s);
	note_forge(s, note, octets, 0, ORIGIN_RULE);
	e = smtp_dialogue_aside(&s->dialogue, note);
	if (e != NULL)
		s->unplain++;
}

static bool
is_content(const struct passage *p)
{
	return p->unit.type == SMTP_UNIT_CONTENT || p->unit.type == SMTP_UNIT_CONTENT_END;
}

void
mark_sides(bool sides[2], enum step_which which)
{
	if (which != STEP_SERVER)
		sides[SMTP_CLIENT] = true;
	if (which != STEP_CLIENT)
		sides[SMTP_SERVER] = true;
}

/* True: go on with the next step. */
static bool
step_run(struct session *s, enum smtp_side from, struct passage *p, struct step *step)
{
	event_rule(s, step);
	switch (step->type) {
	case STEP_DELAY:
		return false;
	case STEP_HOLD:
		p->held = true;
		break;
	case STEP_REPLY:
		p->reply = step;
		break;
	case STEP_DROP:
		p->dropped = true;
		break;
	case STEP_CLOSE:
	case STEP_RESET:
		if (!rewriting_defers(s, p, step))
			mark_sides(step->type == STEP_CLOSE ? p->close : p->reset, step->which);
		break;
	case STEP_INJECT:
		if (step->which == STEP_SERVER)
			inject_server(s, p, step->octets);
		else
			inject_client(s, from, step->octets);
		break;
	case STEP_PACE:
		if (step->which != STEP_SERVER)
			put_pace(s, SMTP_CLIENT, &step->pace);
		if (step->which != STEP_CLIENT)
			put_pace(s, SMTP_SERVER, &step->pace);
		break;
	case STEP_TRUNCATE:
		p->truncated = true;
		if (is_content(p))
			rewriting_truncates(s, step->number);
		else
			p->truncate_at = step->number < SIZE_MAX ? (size_t)step->number : SIZE_MAX;
		break;
	case STEP_REPEAT:
		p->repeat += (uint32_t)step->number;
		break;
	case STEP_EDIT:
		rewriting_edits(s, step);
		break;
	case STEP_SAVE:
		if (s->content != NULL)
			s->content->saved = true;
		break;
	case STEP_LOG:
		event_log(s, step->rule, step->octets);
		break;
	case STEP_CHANGE:
	case STEP_NOTE:
		break;
	}
	return true;
}

void
step_report(struct session *s, const struct step *step)
{
	event_rule(s, step);
	if (step->type == STEP_SAVE && s->content != NULL)
		s->content->saved = true;
}

bool
steps_run(struct session *s, enum smtp_side from, struct passage *p)
{
	while (p->step < p->verdict.step_count)
		if (!step_run(s, from, p, &p->verdict.steps[p->step++]))
			return false;
	/* What was inserted may have moved the queue. */
	if (p->place != RULES_AT_CONNECT)
		p->unit.of = smtp_dialogue_unsettled(&s->dialogue, from);
	return true;
}

/* The verdict's memory is the arena's: it is copied to outlive this call. */
static void
keep_verdict(struct pending *pending, struct passage *p)
{
	struct step *steps = arena_take(&pending->arena, p->verdict.step_count * sizeof *steps + 1);

	if (p->verdict.step_count > 0)
		memcpy(steps, p->verdict.steps, p->verdict.step_count * sizeof *steps);
	for (size_t i = 0; i < p->verdict.step_count; i++) {
		if (steps[i].octets.at != NULL)
			steps[i].octets = arena_copy(&pending->arena, steps[i].octets);
		if (p->reply == &p->verdict.steps[i])
			p->reply = &steps[i];
	}
	p->verdict.steps = steps;
	if (p->verdict.octets.at != NULL)
		p->verdict.octets = arena_copy(&pending->arena, p->verdict.octets);
}

static void
keep_passage(struct direction *dir, struct passage *p)
{
	if (dir->pending == NULL) {
		dir->pending = calloc(1, sizeof *dir->pending);
		if (dir->pending == NULL)
			abort();
		arena_init(&dir->pending->arena);
		keep_verdict(dir->pending, p);
	}
	dir->pending->passage = *p;
	dir->pending->resumed = dir->pending->in_turn = false;
}

void
steps_keep(struct session *s, enum smtp_side from, struct passage *p)
{
	keep_passage(&s->from[from], p);
}

void
steps_wait(struct session *s, struct passage *p)
{
	keep_passage(&s->from[SMTP_CLIENT], p);
	s->from[SMTP_CLIENT].pending->in_turn = true;
}

void
steps_pause(struct session *s, enum smtp_side from, struct passage *p)
{
	struct plan *plan = s->plan;

	keep_passage(&s->from[from], p);
	plan->segment[plan->segments++] = (struct segment){.octets = VIEW(""), .to = smtp_other_side(from),
	    .wait_us = p->verdict.steps[p->step - 1].delay_us, .resume = true};
}
