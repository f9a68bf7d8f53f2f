/* SPDX-License-Identifier: MIT */
/* How often a rule acts (skip, every, limit, chance), and how often it should have matched (expect). */
#include "proxy/rules/parser.h"

static bool
parse_scope(struct parser *p, struct dose *dose)
{
	const struct token *token = parser_token(p);
	struct names names = {.count = 0};
	struct field_ref ref = {.field = FIELD_COUNT};
	int scope = token->type == TOKEN_WORD ? language_scope(token->text) : -1;

	if (scope < 0) {
		names_add_views(&names, language_scopes, SCOPE_COUNT);
		return parser_expected_one(p, "rule, client, session, transaction, sender or recipient", &names);
	}
	parser_take(p);
	dose->scope = (enum dose_scope)scope;
	if (dose->scope == SCOPE_SENDER)
		ref.field = FIELD_SENDER;
	else if (dose->scope == SCOPE_RECIPIENT)
		ref.field = FIELD_RECIPIENT;
	if (ref.field < FIELD_COUNT)
		parser_use(p, &ref, token->at, true);
	return true;
}

static bool
parse_chance(struct parser *p, struct dose *dose)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_PERCENT)
		return parser_expected(p, "a percentage such as 10% or 0.5%");
	if (token->percent > 100)
		parser_error(p, token->at, "a chance is at most 100%%");
	dose->percent = token->percent;
	parser_take(p);
	return true;
}

/* NUMBER [ "within" DURATION ] [ "per" scope ] */
static bool
parse_count(struct parser *p, struct dose *dose)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_NUMBER)
		return parser_expected(p, "a number");
	dose->number = token->number;
	if (token->number == 0 && dose->type == DOSE_EVERY)
		parser_error(p, token->at, "`every` counts from 1: every 1 is each match");
	else if (token->number == 0 && dose->type == DOSE_LIMIT)
		parser_warn(p, token->at, "limit 0: this rule never acts");
	parser_take(p);
	if (parser_accept_word(p, "within")) {
		token = parser_token(p);
		if (token->type != TOKEN_DURATION)
			return parser_expected(p, "a duration such as 1m");
		if (token->number == 0)
			parser_error(p, token->at, "a window of no time holds nothing: expected a longer duration");
		dose->within_us = token->number;
		parser_take(p);
	}
	return !parser_accept_word(p, "per") || parse_scope(p, dose);
}

bool
parse_dose(struct parser *p)
{
	const struct token *word = parser_take(p);
	struct dose dose = {.type = (enum dose_type)language_dose(word->text), .scope = SCOPE_RULE};
	struct rule *rule = &p->rule;

	if (!(dose.type == DOSE_CHANCE ? parse_chance(p, &dose) : parse_count(p, &dose)))
		return false;
	for (size_t i = 0; i < rule->dose_count && dose.type == DOSE_CHANCE; i++)
		if (rule->doses[i].type == DOSE_CHANCE) {
			parser_error(p, word->at, "a rule has one chance: multiply them");
			break;
		}
	if (dose.scope == SCOPE_SESSION || dose.scope == SCOPE_TRANSACTION)
		dose.slot = p->rules->run_slots++;
	else if (dose.scope == SCOPE_RULE)
		dose.slot = rule->own_slots++;
	rule->throws = rule->throws || dose.type == DOSE_CHANCE;
	*(struct dose *)parser_more(p, (void **)&rule->doses, &rule->dose_count, sizeof dose) = dose;
	return true;
}

bool
parse_expect(struct parser *p)
{
	const struct token *word = parser_take(p), *token;
	struct rule *rule = &p->rule;
	struct names names = {.count = 0};

	if (rule->expect != EXPECT_NONE)
		parser_error(p, word->at, "a rule has one `expect`");
	if (parser_accept_word(p, "exactly")) {
		rule->expect = EXPECT_EXACTLY;
	} else if (parser_accept_word(p, "at")) {
		if (parser_accept_word(p, "least"))
			rule->expect = EXPECT_AT_LEAST;
		else if (parser_accept_word(p, "most"))
			rule->expect = EXPECT_AT_MOST;
		else
			return parser_expected(p, "least or most");
	} else {
		names_add(&names, "exactly");
		return parser_expected_one(p, "`at least`, `at most` or `exactly`", &names);
	}
	token = parser_token(p);
	if (token->type != TOKEN_NUMBER)
		return parser_expected(p, "a number");
	rule->expect_number = token->number;
	if (token->number == 0 && rule->expect == EXPECT_AT_LEAST)
		parser_warn(p, token->at, "at least 0: this is always met");
	parser_take(p);
	return true;
}
