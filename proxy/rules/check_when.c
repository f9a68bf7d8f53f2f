/* SPDX-License-Identifier: MIT */
/*
 * Conditions that can never hold. The condition is taken apart into its alternatives, each a
 * list of tests that must hold at once; one in which the tests of a field leave it no value
 * cannot be. Where that cannot be decided, or there are too many alternatives, it is taken to be
 * possible: what is said here is so.
 */
#include <stdlib.h>

#include "proxy/rules/check_rule.h"
#include "proxy/rules/ranges.h"

#define TESTS_MOST        256u  /* of one alternative */
#define ALTERNATIVES_MOST 1000u
#define DEEPEST           2000u /* steps from one test to the next, of all that are open */

/* A test as the alternative has it. */
struct literal {
	const struct expr *test;
	bool               negated;     /* then it also holds where the field has no value */
};

/* Tests that are yet to be taken apart. */
struct todo {
	const struct expr  *expr;
	bool                negated;
	const struct todo  *next;
};

struct inquiry {
	const struct place *place;
	bool                changing;   /* an earlier rule may have made the command another one */
	struct literal      literal[TESTS_MOST];
	size_t              count;
	unsigned            alternatives;
	const struct field_ref *blamed; /* whose tests contradict each other; NULL: not known */
	bool                several;    /* another one's in another alternative */
};

static bool
same_field(const struct field_ref *a, const struct field_ref *b)
{
	return a->field == b->field && a->number == b->number && view_equal_nocase(a->index, b->index);
}

/* Recipients at content: each test may be met by another of them. */
static bool
has_many(const struct inquiry *q, enum field field)
{
	if (field != FIELD_RECIPIENT && field != FIELD_RECIPIENT_DOMAIN)
		return false;
	return q->place->at != RULES_AT_COMMAND && !place_is(q->place, RULES_AT_REPLY, SMTP_RCPT);
}

static wide
wide_of(const struct address *address)
{
	wide value = 0;

	for (size_t i = 0; i < sizeof address->octets; i++)
		value = value << 8 | address->octets[i];
	return value;
}

static void
add_item(struct ranges *ranges, const struct item *item, bool address)
{
	unsigned bits = item->bits + (address && address_is_v4(&item->low.address) ? 96u : 0);
	wide low, rest;

	if (!address) {
		ranges_add(ranges, item->low.number, item->high.number);
		return;
	}
	low = wide_of(&item->low.address);
	if (!item->network) {
		ranges_add(ranges, low, wide_of(&item->high.address));
		return;
	}
	rest = bits == 0 ? WIDE_MOST : bits == 128 ? 0 : WIDE_MOST >> bits;
	ranges_add(ranges, low & ~rest, low | rest);
}

static void
add_comparison(struct ranges *ranges, enum expr_operator op, wide value)
{
	if (op == OP_EQ || op == OP_LE || op == OP_GE)
		ranges_add(ranges, value, value);
	if ((op == OP_LT || op == OP_LE || op == OP_NE) && value > 0)
		ranges_add(ranges, 0, value - 1);
	if ((op == OP_GT || op == OP_GE || op == OP_NE) && value < WIDE_MOST)
		ranges_add(ranges, value + 1, WIDE_MOST);
}

/* An IPv4 address is in no network of IPv6, though in its range: what is outside of it is not known so. */
static bool
is_inexact(const struct expr *test, bool address)
{
	for (size_t i = 0; address && test->type == EXPR_IN && i < test->item_count; i++)
		if (!address_is_v4(&test->items[i].low.address))
			return true;
	return false;
}

/* The values for which a literal holds. */
static void
values_of(const struct literal *literal, struct ranges *ranges)
{
	const struct expr *test = literal->test;
	bool address = language_fields[test->field.field].type == TYPE_ADDRESS;

	ranges_none(ranges);
	/* What a pattern finds in a number's text is not looked into. */
	if (test->type == EXPR_MATCH || test->type == EXPR_FIND || (literal->negated && is_inexact(test, address))) {
		ranges_all(ranges);
		return;
	}
	if (test->type == EXPR_HAS)
		ranges_add(ranges, address ? 0 : 1, WIDE_MOST);
	else if (test->type == EXPR_COMPARE)
		add_comparison(ranges, test->op, address ? wide_of(&test->value.address) : test->value.number);
	for (size_t i = 0; test->type == EXPR_IN && i < test->item_count; i++)
		add_item(ranges, &test->items[i], address);
	if (literal->negated)
		ranges_invert(ranges);
}

/* What is there to be had at the place, whatever the rule asks for. */
static void
values_at(const struct inquiry *q, enum field field, struct ranges *ranges)
{
	bool command = q->place->at == RULES_AT_COMMAND, fresh = q->place->at == RULES_AT_CONNECT;
	wide low = 0, high = UINT64_MAX;

	ranges_none(ranges);
	switch (field) {
	case FIELD_SESSION_CLIENT:
		high = WIDE_MOST;
		break;
	case FIELD_SESSION_CLIENT_PORT:
		high = 65535;
		break;
	case FIELD_SESSION_NUMBER:
		low = 1;
		break;
	case FIELD_SESSION_COMMANDS:
		low = command;
		high = fresh ? 0 : high;
		break;
	case FIELD_SESSION_TRANSACTIONS:
		low = place_is(q->place, RULES_AT_COMMAND, SMTP_MAIL) && !q->changing;
		high = fresh ? 0 : high;
		break;
	case FIELD_TRANSACTION_RECIPIENTS:
		low = place_is(q->place, RULES_AT_COMMAND, SMTP_RCPT) && !q->changing;
		high = fresh ? 0 : high;
		break;
	case FIELD_SESSION_TLS:
	case FIELD_SESSION_TAG:
		high = 1;
		break;
	case FIELD_REPLY_CODE:
		high = 999;     /* three digits are a code, whatever RFC 5321 knows of it */
		break;
	case FIELD_REPLY_ENHANCED:
		for (unsigned class = 2; class <= 5; class += class == 2 ? 2 : 1)
			ranges_add(ranges, enhanced_pack(class, 0, 0), enhanced_pack(class, 999, 999));
		return;
	default:
		break;
	}
	ranges_add(ranges, low, high);
}

/* Whether text is what a literal asks for by == or in; false for one that asks for no text. */
static bool
is_one_of(const struct expr *test, struct view text)
{
	if (test->type == EXPR_COMPARE)
		return view_equal_nocase(test->value.text, text);
	for (size_t i = 0; i < test->item_count; i++)
		if (view_equal_nocase(test->items[i].low.text, text))
			return true;
	return false;
}

/* Whether a field that has this text meets the literal; true where it cannot be told. */
static bool
text_meets(const struct literal *literal, struct view text)
{
	const struct expr *test = literal->test;

	switch (test->type) {
	case EXPR_HAS:
		return (text.len > 0) != literal->negated;
	case EXPR_COMPARE:
		return (view_equal_nocase(test->value.text, text) == (test->op == OP_EQ)) != literal->negated;
	case EXPR_IN:
		return is_one_of(test, text) != literal->negated;
	default:
		return true;
	}
}

static bool
text_meets_all(const struct inquiry *q, const struct field_ref *field, struct view text)
{
	for (size_t i = 0; i < q->count; i++)
		if (same_field(&q->literal[i].test->field, field) && !text_meets(&q->literal[i], text))
			return false;
	return true;
}

/* Whether there is a text that meets all tests of the field: one of those that a test names. */
static bool
text_is_left(const struct inquiry *q, const struct field_ref *field)
{
	if (field->field == FIELD_VERB && q->place->at == RULES_AT_COMMAND && !q->place->any && !q->changing)
		return text_meets_all(q, field, smtp_verb_entry((enum smtp_verb)q->place->slot)->name);
	for (size_t i = 0; i < q->count; i++) {
		const struct literal *l = &q->literal[i];
		bool equal = l->test->type == EXPR_COMPARE && (l->test->op == OP_EQ) != l->negated;

		if (!same_field(&l->test->field, field))
			continue;
		if (l->test->type == EXPR_HAS && l->negated)
			return text_meets_all(q, field, VIEW(""));
		if (equal)
			return text_meets_all(q, field, l->test->value.text);
		for (size_t k = 0; l->test->type == EXPR_IN && !l->negated && k < l->test->item_count; k++)
			if (text_meets_all(q, field, l->test->items[k].low.text))
				return true;
		if (l->test->type == EXPR_IN && !l->negated)
			return false;
	}
	return true;
}

static bool
number_is_left(const struct inquiry *q, const struct field_ref *field)
{
	struct ranges left, ranges;

	values_at(q, field->field, &left);
	for (size_t i = 0; i < q->count; i++) {
		if (!same_field(&q->literal[i].test->field, field))
			continue;
		values_of(&q->literal[i], &ranges);
		ranges_meet(&left, &ranges);
	}
	return left.count > 0;
}

/* Whether it may be that the field has no value: then all that is negated holds. */
static bool
may_be_absent(const struct inquiry *q, const struct field_ref *field)
{
	for (size_t i = 0; i < q->count; i++)
		if (same_field(&q->literal[i].test->field, field) && !q->literal[i].negated)
			return false;
	return true;
}

static bool
value_is_left(const struct inquiry *q, const struct field_ref *field)
{
	bool unborn = q->place->at == RULES_AT_CONNECT;

	if (has_many(q, field->field) || may_be_absent(q, field))
		return true;
	if (unborn && (field->field == FIELD_SESSION_HELO || field->field == FIELD_SESSION_USER))
		return false;
	return language_fields[field->field].type == TYPE_TEXT ? text_is_left(q, field) : number_is_left(q, field);
}

/* An alternative is complete: can all of it hold? */
static bool
alternative_holds(struct inquiry *q)
{
	if (++q->alternatives > ALTERNATIVES_MOST)
		return true;
	for (size_t i = 0; i < q->count; i++) {
		const struct field_ref *field = &q->literal[i].test->field;

		if (value_is_left(q, field))
			continue;
		q->several = q->several || (q->blamed != NULL && !same_field(q->blamed, field));
		q->blamed = field;
		return false;
	}
	return true;
}

static bool
can_hold(struct inquiry *q, const struct todo *todo, unsigned depth)
{
	const struct expr *e = todo == NULL ? NULL : todo->expr;
	struct todo left, right;
	bool good;

	if (e == NULL)
		return alternative_holds(q);
	if (depth == DEEPEST || q->count == TESTS_MOST)
		return true;
	if (e->type == EXPR_NOT) {
		left = (struct todo){e->left, !todo->negated, todo->next};
		return can_hold(q, &left, depth + 1);
	}
	if (e->type == EXPR_AND || e->type == EXPR_OR) {
		right = (struct todo){e->right, todo->negated, todo->next};
		if ((e->type == EXPR_AND) != todo->negated) {   /* both */
			left = (struct todo){e->left, todo->negated, &right};
			return can_hold(q, &left, depth + 1);
		}
		left = (struct todo){e->left, todo->negated, todo->next};
		return can_hold(q, &left, depth + 1) || can_hold(q, &right, depth + 1);
	}
	q->literal[q->count++] = (struct literal){e, todo->negated};
	good = can_hold(q, todo->next, depth + 1);
	q->count--;
	return good;
}

/* A rule before this one may turn commands into others. */
static bool
is_changed(const struct ruleset *rules)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rule_changes_verb(&rules->rules[i]))
			return true;
	return false;
}

static size_t
origin_of(const struct parser *p, const struct field_ref *field)
{
	for (const struct field_use *use = p->uses; use != NULL; use = use->next)
		if (!use->in_dose && (field == NULL || same_field(&use->ref, field)))
			return use->origin;
	return p->rule.origin;
}

static void
tell_impossible(struct parser *p, const struct inquiry *q, const char *here)
{
	const struct field_ref *field = q->several ? NULL : q->blamed;

	if (field == NULL)
		parser_warn(p, origin_of(p, NULL), "this condition never holds%s: the rule never matches", here);
	else
		parser_warn(p, origin_of(p, field), "no %s meets this condition%s: the rule never matches",
		    language_fields[field->field].name.at, here);
}

void
check_when(struct parser *p)
{
	struct inquiry *q;
	struct todo all = {p->rule.when, false, NULL};
	char place[64], here[80] = "";
	bool holds = p->rule.when == NULL || p->failed || p->rule.place_count == 0;

	if (holds)
		return;
	q = calloc(1, sizeof *q);
	if (q == NULL)
		abort();
	q->changing = is_changed(p->rules);
	for (size_t i = 0; i < p->rule.place_count && !holds; i++) {
		q->place = &p->rule.places[i];
		q->alternatives = 0;
		holds = can_hold(q, &all, 0);
	}
	place_say(&p->rule.places[0], place, sizeof place);
	if (p->rule.place_count == 1)
		snprintf(here, sizeof here, " on %s", place);
	if (!holds)
		tell_impossible(p, q, here);
	free(q);
}
