/* SPDX-License-Identifier: MIT */
/*
 * Judging a unit: the rules that stand at its place are tried in order, those that match
 * and whose doses let them act in the order in which they are written. What they do becomes
 * the steps of the verdict; a change is made at once, so that the next rule sees it.
 */
#include "proxy/rules/editor.h"
#include "proxy/rules/judging.h"
#include "proxy/rules/state.h"

static struct step *
add_step(struct judging *j, enum step_type type)
{
	if (j->step_count == j->step_size) {
		struct step *more;

		j->step_size = j->step_size == 0 ? 4 : j->step_size * 2;
		more = arena_take(j->arena, j->step_size * sizeof *more);
		if (j->step_count > 0)
			memcpy(more, j->steps, j->step_count * sizeof *more);
		j->steps = more;
	}
	memset(&j->steps[j->step_count], 0, sizeof *j->steps);
	j->steps[j->step_count].type = type;
	return &j->steps[j->step_count++];
}

/* 0: octets that do not begin as a reply does. */
static uint16_t
raw_code(struct view octets)
{
	struct smtp_reply_line line;
	size_t len = 0;

	while (len < octets.len && octets.at[len] != '\r' && octets.at[len] != '\n')
		len++;
	smtp_reply_line_parse(view_first(octets, len), &line);
	return line.code;
}

/* All lines of a forged reply. The enhanced code stands on each (RFC 2034 4). */
static struct view
reply_octets(struct judging *j, const struct action *action)
{
	struct text octets = TEXT_IN(j->arena);

	if (action->raw)
		return template_fill(j, &action->strings[0], true);
	for (size_t i = 0; i < action->string_count; i++) {
		struct view text = template_fill(j, &action->strings[i], true), head;
		bool last = i + 1 == action->string_count, spaced;

		/* An empty challenge has its space all the same (RFC 4954 4); elsewhere a code may stand alone. */
		spaced = text.len > 0 || action->enhanced.at != NULL || action->code == 334;
		head = arena_printf(j->arena, "%03u%s%.*s%s", action->code, !last ? "-" : spaced ? " " : "",
		    (int)action->enhanced.len,
		    action->enhanced.at != NULL ? action->enhanced.at : "",
		    action->enhanced.at != NULL && text.len > 0 ? " " : "");
		text_put(&octets, head);
		text_put(&octets, text);
		text_put(&octets, VIEW("\r\n"));
	}
	return text_done(&octets);
}

static void
act_reply(struct judging *j, const struct action *action)
{
	struct step *step = add_step(j, STEP_REPLY);

	step->raw = action->raw;
	step->octets = reply_octets(j, action);
	step->code = action->raw ? raw_code(step->octets) : action->code;
}

static void
act_delay(struct judging *j, const struct rule *rule, const struct action *action, const struct throw *throw)
{
	struct step *step = add_step(j, STEP_DELAY);
	uint64_t range = action->delay_high - action->delay_low;

	step->delay_us = action->delay_low;
	if (range > 0)
		step->delay_us += throw_number(j, rule, throw, action->ordinal + 1) % (range + 1);
}

static void
act_pace(struct judging *j, const struct action *action)
{
	struct step *step = add_step(j, STEP_PACE);
	bool reply = j->facts.place == RULES_AT_REPLY;

	step->pace = action->pace;
	/* dribble names no side: it is the unit's own direction. Nothing goes in one when a client connects. */
	if (action->type == ACTION_THROTTLE)
		step->which = action->which;
	else
		step->which = j->facts.place == RULES_AT_CONNECT ? STEP_BOTH : reply ? STEP_CLIENT : STEP_SERVER;
}

static void
act_repeat(struct judging *j, const struct action *action)
{
	bool once = j->facts.place == RULES_AT_COMMAND && !language_repeats((enum smtp_verb)j->facts.verb);

	add_step(j, STEP_REPEAT)->number = once ? 0 : action->number;
}

/* What is injected is whole lines: the last line's end may be left out. */
static void
act_inject(struct judging *j, const struct action *action)
{
	struct step *step = add_step(j, STEP_INJECT);
	struct text octets = TEXT_IN(j->arena);

	text_put(&octets, template_fill(j, &action->strings[0], action->which == STEP_CLIENT));
	if (octets.len > 0 && octets.at[octets.len - 1] != '\n')
		text_put(&octets, VIEW("\r\n"));
	step->which = action->which;
	step->octets = text_done(&octets);
}

/* Content is changed as it passes; what is known of its header by now, for the next rule. */
static struct step *
act_edit(struct judging *j, const struct action *action)
{
	struct step *step = add_step(j, STEP_EDIT);
	struct text field = TEXT_IN(j->arena);

	step->edit = action;
	if (action->type == ACTION_HEADER && action->header != HEADER_REMOVE) {
		text_put(&field, action->field_name);
		text_put(&field, VIEW(": "));
		text_put(&field, template_fill(j, &action->strings[0], false));
		step->octets = text_done(&field);
	}
	if (j->facts.header.len > 0 && (action->type == ACTION_HEADER || action->type == ACTION_REPLACE))
		j->facts.header = editor_preview(j->state, step, j->facts.header, j->arena);
	return step;
}

static void
act(struct judging *j, const struct rule *rule, const struct action *action, const struct throw *throw)
{
	switch (action->type) {
	case ACTION_REPLY:
		act_reply(j, action);
		break;
	case ACTION_DROP:
		add_step(j, STEP_DROP);
		break;
	case ACTION_HOLD:
		add_step(j, STEP_HOLD);
		break;
	case ACTION_CLOSE:
	case ACTION_RESET:
		add_step(j, action->type == ACTION_CLOSE ? STEP_CLOSE : STEP_RESET)->which = action->which;
		break;
	case ACTION_DELAY:
		act_delay(j, rule, action, throw);
		break;
	case ACTION_THROTTLE:
	case ACTION_DRIBBLE:
		act_pace(j, action);
		break;
	case ACTION_TRUNCATE:
		add_step(j, STEP_TRUNCATE)->number = action->number;
		break;
	case ACTION_REPEAT:
		act_repeat(j, action);
		break;
	case ACTION_CORRUPT:
		if (j->facts.place == RULES_AT_CONTENT) {
			act_edit(j, action)->seed = throw_number(j, rule, throw, (uint64_t)1 << 32 | action->ordinal);
			break;
		}
		change_corrupt(j, rule, action, throw);
		add_step(j, STEP_CHANGE);
		break;
	case ACTION_HEADER:
		act_edit(j, action);
		break;
	case ACTION_SAVE:
		add_step(j, STEP_SAVE);
		break;
	case ACTION_REPLACE:
		if (j->facts.place == RULES_AT_CONTENT) {
			act_edit(j, action);
			break;
		}
		/* fall through */
	case ACTION_SET:
	case ACTION_HIDE:
	case ACTION_OFFER:
		change_unit(j, action);
		add_step(j, STEP_CHANGE);
		break;
	case ACTION_INJECT:
		act_inject(j, action);
		break;
	case ACTION_LOG:
		add_step(j, STEP_LOG)->octets = template_fill(j, &action->strings[0], true);
		break;
	case ACTION_TAG:
		tag_set(j, action);
		add_step(j, STEP_NOTE);
		break;
	case ACTION_UNTAG:
		tag_remove(j, action->tag);
		add_step(j, STEP_NOTE);
		break;
	case ACTION_PASS:
		j->run->passed = true;
		add_step(j, STEP_NOTE);
		break;
	case ACTION_STOP:
		add_step(j, STEP_NOTE);
		break;
	default:
		break;  /* not there yet: no ruleset with it is loaded */
	}
}

/* Whether the rule is to act at this match whatever its doses: that is used up, then. */
static bool
take_fire(struct rule_switch *lever)
{
	unsigned fires = atomic_load_explicit(&lever->fires, memory_order_relaxed);

	while (fires > 0)
		if (atomic_compare_exchange_weak(&lever->fires, &fires, fires - 1))
			return true;
	return false;
}

/* Whether it is asked at all: one that is switched off is, while it is yet to be fired. */
static bool
is_asked(struct rule_switch *lever)
{
	return !atomic_load_explicit(&lever->off, memory_order_relaxed) ||
	    atomic_load_explicit(&lever->fires, memory_order_relaxed) > 0;
}

static void
try_rule(struct judging *j, uint32_t number)
{
	const struct rule *rule = &j->rules->rules[number];
	struct rule_state *state = j->state->rule[number];
	struct rule_switch *lever = j->state->switches[number];
	struct throw throw = {0};
	bool fired;

	if (!is_asked(lever))
		return;
	if (!atomic_load_explicit(&state->reached, memory_order_relaxed))
		atomic_store_explicit(&state->reached, true, memory_order_relaxed);
	if (rule->when != NULL && !expr_holds(j, rule->when))
		return;
	fired = take_fire(lever);
	if (!fired && atomic_load_explicit(&lever->off, memory_order_relaxed))
		return;         /* another session was faster */
	atomic_fetch_add_explicit(&state->matched, 1, memory_order_relaxed);
	if (rule->action_count == 0)
		return;         /* an `expect` alone */
	if (!fired && !doses_allow(j, rule, &throw)) {
		atomic_fetch_add_explicit(&state->skipped, 1, memory_order_relaxed);
		return;
	}
	atomic_fetch_add_explicit(&state->acted, 1, memory_order_relaxed);
	for (size_t i = 0; i < rule->action_count; i++) {
		const struct action *action = &rule->actions[i];
		size_t before = j->step_count;

		act(j, rule, action, &throw);
		j->over = j->over || action_ends_trying(action->type);
		if (j->step_count == before)
			continue;
		j->steps[before].rule = rule->name;
		j->steps[before].action = action->text;
		j->steps[before].at = rule->at;
		j->steps[before].fired = fired;
		j->steps[before].thrown = throw.thrown;
		j->steps[before].throw = throw.percent;
	}
}

/* The unit's first rule behind that one; a change may have made it a unit of another verb. */
static size_t
position_behind(const struct rule_list *list, uint32_t number)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (list->at[middle] <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
rules_judge(struct rules_run *run, const struct rules_facts *facts, struct view unit, struct arena *arena,
    struct verdict *verdict)
{
	const struct rule_list *list;
	struct judging j;
	unsigned slot = facts->verb;
	size_t at = 0;

	if (run->rules == NULL || run->passed)
		return false;
	list = ruleset_at(run->rules, facts->place, slot);
	if (list->count == 0)
		return false;
	memset(&j, 0, sizeof j);
	j.run = run;
	j.rules = run->rules;
	j.state = run->state;
	j.facts = *facts;
	j.unit = unit;
	j.arena = arena;
	while (at < list->count && !j.over) {
		uint32_t number = list->at[at++];

		try_rule(&j, number);
		if (j.facts.verb == slot)
			continue;
		slot = j.facts.verb;
		list = ruleset_at(run->rules, facts->place, slot);
		at = position_behind(list, number);
	}
	if (j.step_count == 0)
		return false;
	verdict->steps = j.steps;
	verdict->step_count = j.step_count;
	verdict->octets = j.changed && !view_equal(j.unit, unit) ? j.unit : VIEW_NONE;
	return true;
}
