/* SPDX-License-Identifier: MIT */
/*
 * The parser's hands: looking at tokens, saying what was expected, room for what it
 * builds. The grammar itself is in parse_*.c, its top in ruleset_parse.c.
 */
#include "proxy/near.h"
#include "proxy/rules/parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct token *
parser_ahead(const struct parser *p, size_t n)
{
	size_t last = p->tokens.count - 1;

	return &p->tokens.at[p->next + n < last ? p->next + n : last];
}

const struct token *
parser_token(const struct parser *p)
{
	return parser_ahead(p, 0);
}

const struct token *
parser_take(struct parser *p)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_END)
		p->next++;
	return token;
}

bool
parser_is(const struct parser *p, enum token_type type)
{
	return parser_token(p)->type == type;
}

static bool
token_is_word(const struct token *token, const char *word)
{
	return token->type == TOKEN_WORD && view_equal(token->text, view_of(word));
}

bool
parser_is_word(const struct parser *p, const char *word)
{
	return token_is_word(parser_token(p), word);
}

bool
parser_accept(struct parser *p, enum token_type type)
{
	if (!parser_is(p, type))
		return false;
	parser_take(p);
	return true;
}

bool
parser_accept_word(struct parser *p, const char *word)
{
	if (!parser_is_word(p, word))
		return false;
	parser_take(p);
	return true;
}

void
parser_error(struct parser *p, size_t at, const char *format, ...)
{
	va_list list;
	char text[1024];

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	source_error(p->source, at, "%s", text);
}

void
parser_warn(struct parser *p, size_t at, const char *format, ...)
{
	va_list list;
	char text[1024];

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	source_warn(p->source, at, "%s", text);
}

/* What stands there, for "found ...". */
static void
describe(const struct token *token, char *out, size_t size)
{
	static const char *const names[TOKEN_COUNT] = {
#define X(id, name) name,
		RULES_TOKENS(X)
#undef X
	};

	if (token->type == TOKEN_WORD || token->type == TOKEN_NUMBER)
		snprintf(out, size, "\"%.*s\"", SOURCE_SHOWN(token->len), token->text.at);
	else if (token->type >= TOKEN_LBRACE)
		snprintf(out, size, "\"%s\"", names[token->type]);
	else
		snprintf(out, size, "%s", names[token->type]);
}

/* An error at the end of a file is shown behind its last token: that is where something is missing. */
static size_t
error_origin(const struct parser *p)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_END || p->next == 0)
		return token->at;
	token = &p->tokens.at[p->next - 1];
	return token->at + token->len;
}

bool
parser_expected(struct parser *p, const char *what)
{
	return parser_expected_one(p, what, NULL);
}

bool
parser_expected_one(struct parser *p, const char *what, const struct names *names)
{
	const struct token *token = parser_token(p);
	const char *near = NULL;
	char found[64];

	if (token->type == TOKEN_BAD)
		return false;
	if (names != NULL && token->type == TOKEN_WORD)
		near = near_word(token->text, names->at, names->count);
	describe(token, found, sizeof found);
	if (near != NULL)
		parser_error(p, error_origin(p), "expected %s, found %s (did you mean %s?)", what, found, near);
	else
		parser_error(p, error_origin(p), "expected %s, found %s", what, found);
	return false;
}

bool
parser_expect(struct parser *p, enum token_type type)
{
	struct token wanted = {.type = type};
	char what[64];

	if (parser_accept(p, type))
		return true;
	describe(&wanted, what, sizeof what);
	return parser_expected(p, what);
}

void *
parser_room(struct parser *p, size_t size)
{
	void *room = arena_take(&p->rules->arena, size);

	memset(room, 0, size);
	return room;
}

void *
parser_more(struct parser *p, void **array, size_t *count, size_t size)
{
	/* Doubled at each power of two: what is left behind in the arena is small. */
	if ((*count & (*count - 1)) == 0) {
		void *larger = parser_room(p, size * (*count == 0 ? 1 : *count * 2));

		if (*count > 0)
			memcpy(larger, *array, *count * size);
		*array = larger;
	}
	return (char *)*array + size * (*count)++;
}

bool
parser_name(struct parser *p, struct view *name)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_WORD)
		return false;
	*name = token->text;
	parser_take(p);
	while (parser_is(p, TOKEN_DOT) && parser_ahead(p, 1)->type == TOKEN_WORD) {
		parser_take(p);
		token = parser_take(p);
		*name = arena_printf(&p->rules->arena, "%.*s.%.*s", (int)name->len, name->at, (int)token->len,
		    token->text.at);
	}
	return true;
}

void
parser_use(struct parser *p, const struct field_ref *ref, size_t origin, bool in_dose)
{
	struct field_use *use = parser_room(p, sizeof *use);

	use->ref = *ref;
	use->origin = origin;
	use->in_dose = in_dose;
	*p->uses_end = use;
	p->uses_end = &use->next;
}
