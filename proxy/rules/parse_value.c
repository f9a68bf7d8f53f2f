/* SPDX-License-Identifier: MIT */
/*
 * What a field is compared with, and whether the two agree: a number with a number, text
 * with a string. A field that is unknown (told already) takes any value.
 */
#include <stdio.h>

#include "proxy/rules/parser.h"

static const struct {
	const char *is;         /* "sender is ..." */
	const char *wants;      /* "expected ..." */
	bool        ordered;    /* < and ranges mean something */
	bool        has_text;   /* ~ can be tried on it */
} types[] = {
	[TYPE_TEXT] = {"text", "a string in double quotes", false, true},
	[TYPE_NUMBER] = {"a number", "a number", true, false},
	[TYPE_SECONDS] = {"a number of seconds", "a number, or a duration such as 500ms or 1.5m", true, false},
	[TYPE_DURATION] = {"a duration", "a duration such as 500ms or 30s", true, false},
	[TYPE_BOOLEAN] = {"true or false", "true or false", false, false},
	[TYPE_ENHANCED] = {"an enhanced status code", "a code such as 4.3.2, without quotes", true, true},
	[TYPE_ADDRESS] = {"an address", "one such as 192.0.2.1 or 2001:db8::1, without quotes", true, true},
};

static bool
is_value(const struct token *token)
{
	return (token->type >= TOKEN_STRING && token->type <= TOKEN_CIDR) || token->type == TOKEN_WORD;
}

/* Whether a token of this kind is a value of that type; fills in *value. */
static bool
value_fits(enum field_type type, const struct token *token, struct value *value)
{
	value->text = token->text;
	value->number = token->number;
	value->address = token->address;
	switch (type) {
	case TYPE_TEXT:
		return token->type == TOKEN_STRING;
	case TYPE_NUMBER:
		return token->type == TOKEN_NUMBER || token->type == TOKEN_SIZE;
	case TYPE_SECONDS:
		if (token->type == TOKEN_NUMBER && token->number < UINT64_MAX / 1000000)
			value->number = token->number * 1000000;
		return token->type == TOKEN_NUMBER || token->type == TOKEN_DURATION;
	case TYPE_DURATION:
		return token->type == TOKEN_DURATION;
	case TYPE_BOOLEAN:
		value->number = view_equal(token->text, VIEW("true"));
		return token->type == TOKEN_WORD && (value->number || view_equal(token->text, VIEW("false")));
	case TYPE_ENHANCED:
		return token->type == TOKEN_ENHANCED;
	case TYPE_ADDRESS:
		return token->type == TOKEN_ADDRESS;
	}
	return false;
}

/* Takes a value; a wrong type is told and gone over, what is no value at all ends the condition. */
static bool
parse_value(struct parser *p, const struct field_ref *ref, struct value *value)
{
	const struct field_entry *entry;
	const struct token *token = parser_token(p);
	char what[160];

	if (ref->field == FIELD_COUNT) {
		if (!is_value(token))
			return parser_expected(p, "a value");
		parser_take(p);
		return true;
	}
	entry = &language_fields[ref->field];
	snprintf(what, sizeof what, "%s (%s is %s)", types[entry->type].wants, entry->name.at, types[entry->type].is);
	if (!value_fits(entry->type, token, value)) {
		if (token->type == TOKEN_CIDR && entry->type == TYPE_ADDRESS)
			parser_error(p, token->at, "a network is looked up by `in`: %s in %.*s", entry->name.at,
			    SOURCE_SHOWN(token->len), token->text.at);
		else
			parser_expected(p, what);
		if (!is_value(token))
			return false;
		/* A word that begins the next line is not this line's value. */
		if (token->type == TOKEN_WORD && token->first)
			return false;
	}
	parser_take(p);
	return true;
}

static bool
parse_comparison(struct parser *p, struct expr *test)
{
	static const char *const marks[] = {"==", "!=", "<", "<=", ">", ">="};
	const struct token *token = parser_take(p);

	test->type = EXPR_COMPARE;
	test->op = (enum expr_operator)(token->type - TOKEN_EQ);
	if (test->field.field < FIELD_COUNT && test->op >= OP_LT) {
		const struct field_entry *entry = &language_fields[test->field.field];

		if (!types[entry->type].ordered || entry->type == TYPE_ADDRESS)
			parser_error(p, token->at, "%s is %s and has no order: expected ==, !=%s or `in`, found %s",
			    entry->name.at, types[entry->type].is, types[entry->type].has_text ? ", ~" : "",
			    marks[test->op]);
	}
	return parse_value(p, &test->field, &test->value);
}

static void
compile(struct parser *p, const struct token *token, struct expr *test)
{
	size_t offset;
	char why[200];

	test->type = EXPR_MATCH;
	if (token->text.len == 0)
		parser_error(p, token->at, "an empty pattern is found everywhere");
	test->pattern = pattern_new(token->text, token->caseless, &offset, why, sizeof why);
	if (test->pattern == NULL)
		parser_error(p, token->at + 1 + offset, "this pattern cannot be used: %s", why);
	else
		pattern_chain(&p->rules->patterns, test->pattern);
}

/* A string behind ~ is text to be found; one that was meant as a pattern is worth a word. */
static void
check_text(struct parser *p, const struct token *token)
{
	struct view text = token->text;

	if (text.len == 0)
		parser_error(p, token->at, "an empty string is found everywhere");
	else if (text.at[0] == '^' || text.at[text.len - 1] == '$' || memmem(text.at, text.len, ".*", 2) != NULL)
		parser_warn(p, token->at, "a string behind ~ is looked for as it stands; a pattern is written "
		    "between slashes: /^.../");
}

static bool
parse_match(struct parser *p, struct expr *test)
{
	const struct token *token = parser_token(p);

	if (test->field.field < FIELD_COUNT) {
		const struct field_entry *entry = &language_fields[test->field.field];

		if (!types[entry->type].has_text)
			parser_error(p, token->at, "%s is %s: ~ is tried on text", entry->name.at, types[entry->type].is);
	}
	parser_take(p);
	token = parser_token(p);
	if (token->type == TOKEN_REGEX) {
		compile(p, token, test);
	} else if (token->type == TOKEN_STRING) {
		test->type = EXPR_FIND;
		test->value.text = token->text;
		check_text(p, token);
	} else {
		return parser_expected(p, "a pattern (/^postmaster@/i) or a string");
	}
	parser_take(p);
	return true;
}

static void
check_range(struct parser *p, const struct field_entry *entry, size_t at, const struct item *item)
{
	if (!types[entry->type].ordered)
		parser_error(p, at, "%s is %s: there are no ranges of it", entry->name.at, types[entry->type].is);
	else if (entry->type == TYPE_ADDRESS ? address_compare(&item->low.address, &item->high.address) > 0 :
	    item->low.number > item->high.number)
		parser_error(p, at, "this range is empty: the smaller end stands first");
}

static void
parse_network(struct parser *p, const struct token *token, struct item *item)
{
	struct address base = token->address;
	unsigned bits = token->bits + (address_is_v4(&base) ? 96u : 0);

	item->network = true;
	item->bits = token->bits;
	item->low.address = token->address;
	for (unsigned i = bits; i < 128; i++)
		base.octets[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	if (address_compare(&base, &token->address) != 0)
		parser_warn(p, token->at, "this address has bits behind its prefix of %u: the whole network is meant",
		    token->bits);
	parser_take(p);
}

/* CIDR | value [ ".." value ] */
static bool
parse_item(struct parser *p, struct expr *test)
{
	const struct token *token = parser_token(p);
	const struct field_entry *entry = test->field.field == FIELD_COUNT ? NULL : &language_fields[test->field.field];
	struct item item = {.network = false};
	size_t errors = p->source->errors;

	if (token->type == TOKEN_CIDR && (entry == NULL || entry->type == TYPE_ADDRESS)) {
		parse_network(p, token, &item);
	} else {
		if (!parse_value(p, &test->field, &item.low))
			return false;
		item.high = item.low;
		if (parser_accept(p, TOKEN_RANGE)) {
			if (!parse_value(p, &test->field, &item.high))
				return false;
			if (entry != NULL && p->source->errors == errors)
				check_range(p, entry, token->at, &item);
		}
	}
	*(struct item *)parser_more(p, (void **)&test->items, &test->item_count, sizeof item) = item;
	return true;
}

/* "in" ( item | "{" item { "," item } "}" ) */
static bool
parse_in(struct parser *p, struct expr *test)
{
	const struct token *token = parser_take(p);
	bool good;

	test->type = EXPR_IN;
	if (test->field.field < FIELD_COUNT && language_fields[test->field.field].type == TYPE_BOOLEAN) {
		parser_error(p, token->at, "%s is true or false: write it alone, or `not %s`",
		    language_fields[test->field.field].name.at, language_fields[test->field.field].name.at);
		test->field.field = FIELD_COUNT;
	}
	if (!parser_accept(p, TOKEN_LBRACE))
		return parse_item(p, test);
	do {
		good = parse_item(p, test);
	} while (good && parser_accept(p, TOKEN_COMMA));
	if (good && parser_accept(p, TOKEN_RBRACE))
		return true;
	if (good)
		parser_expected(p, "\",\" or \"}\"");
	/* On to the set's own brace, lest it be taken for the rule's. */
	while (!parser_is(p, TOKEN_END) && !parser_at_clause(p) && !parser_accept(p, TOKEN_RBRACE))
		parser_take(p);
	return false;
}

bool
parse_values(struct parser *p, struct expr *test)
{
	const struct token *token = parser_token(p);

	if (token->type >= TOKEN_EQ && token->type <= TOKEN_GE)
		return parse_comparison(p, test);
	if (token->type == TOKEN_TILDE)
		return parse_match(p, test);
	if (parser_is_word(p, "in"))
		return parse_in(p, test);
	/* A mark that cannot be read was told; what follows it is lost. */
	if (token->type == TOKEN_BAD)
		return false;
	if (token->type >= TOKEN_STRING && token->type <= TOKEN_CIDR)
		return parser_expected(p, "==, !=, <, <=, >, >=, ~ or in between a field and a value");
	return true;
}
