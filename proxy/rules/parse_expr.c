/* SPDX-License-Identifier: MIT */
/*
 * Conditions: or, and, not, parentheses, and the fields that they are made of. Chains of
 * "or" and "and" lean to the right, so that a long one is walked in a loop.
 */
#include "proxy/near.h"
#include "proxy/rules/parser.h"

#define EXPR_DEEPEST 64

bool
parse_field_name(struct parser *p, struct view name, size_t at, struct field_ref *ref)
{
	struct names names = {.count = 0};
	int field = language_field(name);
	const char *near;

	ref->field = FIELD_COUNT;
	if (field >= 0) {
		ref->field = (enum field)field;
		return true;
	}
	names_add_fields(&names);
	near = near_word(name, names.at, names.count);
	if (near != NULL)
		parser_error(p, at, "no field \"%.*s\" (did you mean %s?)", SOURCE_SHOWN(name.len), name.at, near);
	else
		parser_error(p, at, "no field \"%.*s\": smtpscope.rules(5) lists them", SOURCE_SHOWN(name.len), name.at);
	return false;
}

static bool
finding_index(struct parser *p, struct view index, size_t at, struct field_ref *ref)
{
	const char *ids[FINDING_COUNT], *near;
	int finding = finding_find(index);

	if (finding >= 0) {
		ref->number = (unsigned)finding;
		return true;
	}
	for (unsigned i = 0; i < FINDING_COUNT; i++)
		ids[i] = finding_entry((enum finding)i)->id;
	near = near_word(index, ids, FINDING_COUNT);
	if (near != NULL)
		parser_error(p, at, "no finding \"%.*s\" (did you mean %s?)", SOURCE_SHOWN(index.len), index.at, near);
	else
		parser_error(p, at, "no finding \"%.*s\": `smtpscope explain` knows their names", SOURCE_SHOWN(index.len),
		    index.at);
	return false;
}

bool
parse_field_index(struct parser *p, struct view index, size_t at, struct field_ref *ref)
{
	struct tag_word *tag;

	switch (language_fields[ref->field].index) {
	case INDEX_NONE:
		return true;
	case INDEX_FINDING:
		return finding_index(p, index, at, ref);
	case INDEX_TAG:
		ref->number = ruleset_tag(p->rules, index);
		tag = &p->rules->tags[ref->number];
		if (!tag->read) {
			tag->read = true;
			tag->file = p->file;
			tag->origin = at;
		}
		return true;
	case INDEX_HEADER:
		ref->index = arena_copy(&p->rules->arena, index);
		for (size_t i = 0; i < index.len; i++)
			if (index.at[i] <= ' ' || index.at[i] == ':' || index.at[i] == 0x7f) {
				parser_error(p, at, "a header field's name has no white space and no colon in it "
				    "(RFC 5322 2.2)");
				return false;
			}
		return true;
	}
	return true;
}

/* [ "[" STRING "]" ] behind a field's name. */
static bool
parse_index(struct parser *p, struct field_ref *ref)
{
	const struct field_entry *entry = &language_fields[ref->field < FIELD_COUNT ? ref->field : 0];
	bool known = ref->field < FIELD_COUNT;
	const struct token *token;

	if (!parser_is(p, TOKEN_LBRACKET)) {
		if (!known || entry->index == INDEX_NONE)
			return true;
		parser_error(p, parser_token(p)->at, "%s is one of many: expected [\"...\"] behind it, such as %s",
		    entry->name.at, entry->index == INDEX_TAG ? "session.tag[\"greylisted\"]" :
		    entry->index == INDEX_HEADER ? "header[\"Subject\"]" : "finding[\"line.bare-lf\"]");
		ref->field = FIELD_COUNT;
		return true;
	}
	if (known && entry->index == INDEX_NONE)
		parser_error(p, parser_token(p)->at, "%s takes no [\"...\"]", entry->name.at);
	parser_take(p);
	token = parser_token(p);
	if (token->type != TOKEN_STRING)
		return parser_expected(p, "a string in the brackets");
	parser_take(p);
	if (known && token->text.len == 0 && entry->index != INDEX_NONE) {
		parser_error(p, token->at, "%s[\"\"]: expected a name in the brackets", entry->name.at);
		ref->field = FIELD_COUNT;
	} else if (known && !parse_field_index(p, token->text, token->at, ref)) {
		ref->field = FIELD_COUNT;
	}
	return parser_expect(p, TOKEN_RBRACKET);
}

static struct expr *
expr_new(struct parser *p, enum expr_type type)
{
	struct expr *expr = parser_room(p, sizeof *expr);

	expr->type = type;
	return expr;
}

/* field [ test ] */
static struct expr *
parse_test(struct parser *p)
{
	const struct token *token = parser_token(p);
	struct expr *test = expr_new(p, EXPR_HAS);
	struct view name;

	if (token->type >= TOKEN_STRING && token->type <= TOKEN_CIDR) {
		parser_expected(p, "a field (the field stands on the left: sender == \"...\")");
		return NULL;
	}
	if (parser_is_word(p, "and") || parser_is_word(p, "or") || parser_is_word(p, "in") || parser_at_clause(p) ||
	    !parser_name(p, &name)) {
		parser_expected(p, "a field such as recipient.domain, `not` or (");
		return NULL;
	}
	parse_field_name(p, name, token->at, &test->field);
	if (!parse_index(p, &test->field))
		return NULL;
	if (test->field.field < FIELD_COUNT)
		parser_use(p, &test->field, token->at, false);
	return parse_values(p, test) ? test : NULL;
}

static struct expr *
parse_term(struct parser *p)
{
	struct expr *term;

	if (p->depth >= EXPR_DEEPEST) {
		parser_error(p, parser_token(p)->at, "nested more than %d deep: split the rule in two", EXPR_DEEPEST);
		return NULL;
	}
	if (parser_accept_word(p, "not")) {
		term = expr_new(p, EXPR_NOT);
		p->depth++;
		term->left = parse_term(p);
		p->depth--;
		return term->left == NULL ? NULL : term;
	}
	if (!parser_accept(p, TOKEN_LPAREN))
		return parse_test(p);
	p->depth++;
	term = parse_expr(p);
	p->depth--;
	if (term == NULL || !parser_expect(p, TOKEN_RPAREN))
		return NULL;
	return term;
}

/* One word between, whatever is below: "or" above, "and" below it. */
static struct expr *
parse_chain(struct parser *p, const char *word, enum expr_type type, struct expr *(*part)(struct parser *))
{
	struct expr *first = part(p), **last = &first;

	while (*last != NULL && parser_accept_word(p, word)) {
		struct expr *node = expr_new(p, type);

		node->left = *last;
		node->right = part(p);
		*last = node;
		last = &node->right;
	}
	return *last == NULL ? NULL : first;
}

static struct expr *
parse_conj(struct parser *p)
{
	return parse_chain(p, "and", EXPR_AND, parse_term);
}

struct expr *
parse_expr(struct parser *p)
{
	return parse_chain(p, "or", EXPR_OR, parse_conj);
}
