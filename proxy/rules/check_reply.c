/* SPDX-License-Identifier: MIT */
/*
 * What can be said of replies that a rule forges before they are sent: codes that no
 * command there is answered by, enhanced codes of another class (RFC 2034 4), and refusals
 * that come too late, because the server has accepted.
 */
#include "proxy/rules/check_rule.h"

void
check_reply_code(struct parser *p, uint16_t code, const struct place *place, size_t origin)
{
	unsigned verb = code == 354 ? SMTP_DATA : SMTP_AUTH;
	char here[64];

	if (code / 100 != 3)
		return;
	place_say(place, here, sizeof here);
	if (code != 354 && code != 334)
		parser_error(p, origin, "no reply code %u: of 3xx there are 354 (to DATA) and 334 (to AUTH); others "
		    "are sent by `reply raw`", code);
	else if (!place_is(place, RULES_AT_COMMAND, verb) && !place_is(place, RULES_AT_REPLY, verb))
		parser_error(p, origin, "%u answers %s alone, not what stands on %s: it may stand on %s and on "
		    "reply to %s", code, smtp_verb_entry((enum smtp_verb)verb)->name.at, here,
		    smtp_verb_entry((enum smtp_verb)verb)->name.at, smtp_verb_entry((enum smtp_verb)verb)->name.at);
}

enum maybe { NO, YES, MAYBE };

static enum maybe
code_holds(const struct expr *e, uint64_t code)
{
	bool holds = false;

	if (e->type == EXPR_HAS)
		return YES;
	for (size_t i = 0; e->type == EXPR_IN && i < e->item_count; i++)
		holds = holds || (code >= e->items[i].low.number && code <= e->items[i].high.number);
	if (e->type == EXPR_COMPARE) {
		uint64_t value = e->value.number;
		const bool by_operator[] = {code == value, code != value, code < value, code <= value, code > value,
		    code >= value};

		holds = by_operator[e->op];
	}
	return holds ? YES : NO;
}

/* Whether a condition can hold where the reply has this code, whatever else is the case. */
static enum maybe
can_hold(const struct expr *e, uint64_t code)
{
	enum maybe left, right;

	switch (e->type) {
	case EXPR_NOT:
		left = can_hold(e->left, code);
		return left == MAYBE ? MAYBE : left == YES ? NO : YES;
	case EXPR_AND:
	case EXPR_OR:
		left = can_hold(e->left, code);
		right = can_hold(e->right, code);
		if (e->type == EXPR_AND)
			return left == NO || right == NO ? NO : left == YES && right == YES ? YES : MAYBE;
		return left == YES || right == YES ? YES : left == NO && right == NO ? NO : MAYBE;
	default:
		return e->field.field == FIELD_REPLY_CODE ? code_holds(e, code) : MAYBE;
	}
}

static bool
meets_acceptance(const struct rule *rule)
{
	for (uint64_t code = 200; code < 300; code++)
		if (rule->when == NULL || can_hold(rule->when, code) != NO)
			return true;
	return false;
}

/* The server has accepted the recipient by then, and will deliver. */
static void
check_refusal(struct parser *p, uint16_t code, size_t origin)
{
	bool late = false;

	for (size_t i = 0; i < p->rule.place_count; i++)
		late = late || place_is(&p->rule.places[i], RULES_AT_REPLY, SMTP_RCPT);
	if (late && code >= 400 && meets_acceptance(&p->rule))
		parser_warn(p, origin, "the client is told %u, but where the server accepted the recipient it will "
		    "deliver to it: `on RCPT` refuses for both", code);
}

static void
check_class(struct parser *p, uint16_t code, struct view enhanced, size_t origin)
{
	if (enhanced.at == NULL || code == 0)
		return;
	if (code / 100 == 3)
		parser_warn(p, origin, "%u has no enhanced status code (RFC 2034 4)", code);
	else if ((unsigned)(enhanced.at[0] - '0') != code / 100)
		parser_warn(p, origin, "%.*s is of another class than %u: RFC 2034 4 wants %u.%.*s", (int)enhanced.len,
		    enhanced.at, code, code / 100, (int)enhanced.len - 2, enhanced.at + 2);
}

void
check_reply(struct parser *p, const struct action *action, size_t origin)
{
	struct view enhanced = action->enhanced;

	for (size_t i = 0; i < action->string_count && enhanced.at == NULL; i++)
		if (action->strings[i].count > 0)
			enhanced = smtp_enhanced_parse(action->strings[i].pieces[0].literal);
	check_class(p, action->code, enhanced, origin);
	check_refusal(p, action->code, origin);
}

void
check_set_code(struct parser *p, const struct action *action, size_t origin)
{
	struct view text;
	uint16_t code = 0;

	if (!template_is_constant(&action->strings[0]))
		return;
	text = template_constant(&action->strings[0]);
	for (size_t i = 0; i < text.len && code < 1000; i++)
		code = text.at[i] >= '0' && text.at[i] <= '9' ? (uint16_t)(code * 10 + (text.at[i] - '0')) : 1000;
	if (text.len != 3 || code < 200 || code > 599) {
		parser_error(p, origin, "set reply.code: expected a code from \"200\" to \"599\"");
		return;
	}
	for (size_t i = 0; i < p->rule.place_count; i++)
		check_reply_code(p, code, &p->rule.places[i], origin);
	check_refusal(p, code, origin);
}
