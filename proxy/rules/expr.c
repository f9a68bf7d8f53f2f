/* SPDX-License-Identifier: MIT */
/*
 * Conditions on a unit. A field with several values (the recipients of a message) meets a
 * comparison if one of them does; a field without a value meets none.
 */
#include <stdio.h>

#include "proxy/rules/judging.h"
#include "proxy/rules/state.h"

static bool
compare_numbers(enum expr_operator op, uint64_t a, uint64_t b)
{
	switch (op) {
	case OP_EQ:
		return a == b;
	case OP_NE:
		return a != b;
	case OP_LT:
		return a < b;
	case OP_LE:
		return a <= b;
	case OP_GT:
		return a > b;
	case OP_GE:
		return a >= b;
	}
	return false;
}

static bool
compare(const struct expr *e, const struct reading *reading)
{
	switch (language_fields[e->field.field].type) {
	case TYPE_TEXT:
		return view_equal_nocase(reading->text, e->value.text) == (e->op == OP_EQ);
	case TYPE_ADDRESS:
		return (address_compare(&reading->address, &e->value.address) == 0) == (e->op == OP_EQ);
	default:
		return compare_numbers(e->op, reading->number, e->value.number);
	}
}

static bool
in_item(const struct field_ref *ref, const struct item *item, const struct reading *reading)
{
	if (item->network)
		return address_in(&reading->address, &item->low.address, item->bits);
	switch (language_fields[ref->field].type) {
	case TYPE_TEXT:
		return view_equal_nocase(reading->text, item->low.text);
	case TYPE_ADDRESS:
		return address_is_v4(&reading->address) == address_is_v4(&item->low.address) &&
		    address_compare(&item->low.address, &reading->address) <= 0 &&
		    address_compare(&reading->address, &item->high.address) <= 0;
	default:
		return item->low.number <= reading->number && reading->number <= item->high.number;
	}
}

static bool
in(const struct expr *e, const struct reading *reading)
{
	for (size_t i = 0; i < e->item_count; i++)
		if (in_item(&e->field, &e->items[i], reading))
			return true;
	return false;
}

static bool
match(struct judging *j, const struct expr *e, struct view text)
{
	bool found = pattern_match(e->pattern, j->state->user, text, 0, NULL);

	if (pattern_cut_short(j->state->user) > 0 && !j->state->told_pattern) {
		j->state->told_pattern = true;
		fputs("rules: a pattern took too long on what a peer sent: it counts as no match\n", stderr);
	}
	return found;
}

static bool
has(const struct expr *e, const struct reading *reading)
{
	switch (language_fields[e->field.field].type) {
	case TYPE_TEXT:
		return reading->text.len > 0;
	case TYPE_ADDRESS:
		return true;
	default:
		return reading->number != 0;
	}
}

static bool
test_holds(struct judging *j, const struct expr *e)
{
	size_t count = field_readings(j, &e->field);
	struct reading reading;
	bool holds = false;

	for (size_t i = 0; i < count && !holds; i++) {
		if (!field_read(j, &e->field, i, &reading))
			continue;
		if (e->type == EXPR_COMPARE)
			holds = compare(e, &reading);
		else if (e->type == EXPR_IN)
			holds = in(e, &reading);
		else if (e->type == EXPR_MATCH)
			holds = match(j, e, reading.text);
		else if (e->type == EXPR_FIND)
			holds = reading.text.len > 0 &&
			    memmem(reading.text.at, reading.text.len, e->value.text.at, e->value.text.len) != NULL;
		else
			holds = has(e, &reading);
	}
	return holds;
}

bool
expr_holds(struct judging *j, const struct expr *e)
{
	/* Chains lean to the right: only what is in parentheses goes deeper. */
	for (;;) {
		if (e->type == EXPR_OR) {
			if (expr_holds(j, e->left))
				return true;
		} else if (e->type == EXPR_AND) {
			if (!expr_holds(j, e->left))
				return false;
		} else if (e->type == EXPR_NOT) {
			return !expr_holds(j, e->left);
		} else {
			return test_holds(j, e);
		}
		e = e->right;
	}
}
