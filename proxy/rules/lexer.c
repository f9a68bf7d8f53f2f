/* SPDX-License-Identifier: MIT */
/*
 * The lexer of the rule language: white space, comments, words, marks, and the order in
 * which tokens are tried. Strings and patterns are in lexer_text.c, numbers in lexer_number.c.
 * Two tokens depend on what stands before them: a KEYWORD behind `hide` (8BITMIME begins like
 * a number), and "/s" behind a number (elsewhere a slash begins a pattern).
 */
#include <stdlib.h>

#include "proxy/rules/lexer_parts.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Skips white space and comments; says of the next token whether it is the first of its line. */
static void
skip_space(struct lexer *lexer)
{
	const char *text = lexer->source->text;

	lexer->spaced = false;
	while (lexer->at < lexer->len) {
		if (text[lexer->at] == '#') {
			while (lexer->at < lexer->len && text[lexer->at] != '\n')
				lexer->at++;
			continue;
		}
		if (!is_space(text[lexer->at]))
			return;
		if (text[lexer->at] == '\n') {
			lexer->line++;
			lexer->first = true;
		}
		lexer->spaced = true;
		lexer->at++;
	}
}

struct token *
lexer_add(struct lexer *lexer, enum token_type type, size_t len)
{
	struct tokens *tokens = lexer->tokens;
	struct token *token;

	if (tokens->count == lexer->size) {
		lexer->size = lexer->size == 0 ? 64 : lexer->size * 2;
		tokens->at = realloc(tokens->at, lexer->size * sizeof *tokens->at);
		if (tokens->at == NULL)
			abort();
	}
	token = &tokens->at[tokens->count++];
	memset(token, 0, sizeof *token);
	token->type = type;
	token->first = lexer->first;
	token->spaced = lexer->spaced;
	token->line = lexer->line;
	token->at = lexer->at;
	token->len = len;
	token->text = (struct view){lexer->source->text + lexer->at, len};
	lexer->at += len;
	lexer->first = false;
	return token;
}

struct view
lexer_rest(const struct lexer *lexer)
{
	return (struct view){lexer->source->text + lexer->at, lexer->len - lexer->at};
}

bool
lexer_is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
behind_word(const struct lexer *lexer, struct view word)
{
	const struct token *last;

	if (lexer->tokens->count == 0)
		return false;
	last = &lexer->tokens->at[lexer->tokens->count - 1];
	return last->type == TOKEN_WORD && view_equal(last->text, word);
}

static bool
behind_number(const struct lexer *lexer)
{
	enum token_type last;

	if (lexer->tokens->count == 0)
		return false;
	last = lexer->tokens->at[lexer->tokens->count - 1].type;
	return last == TOKEN_NUMBER || last == TOKEN_SIZE;
}

bool
lexer_wants_regex(const struct lexer *lexer)
{
	size_t count = lexer->tokens->count;

	return behind_word(lexer, VIEW("replace")) || (count > 0 && lexer->tokens->at[count - 1].type == TOKEN_TILDE);
}

/* KEYWORD = ALNUM { ALNUM | '-' | '=' }: a word as good as any once it is cut out. */
static bool
lex_keyword(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer);
	size_t len = 0;

	if (!behind_word(lexer, VIEW("hide")) || !lexer_is_alnum(rest.at[0]))
		return false;
	while (len < rest.len && (lexer_is_alnum(rest.at[len]) || rest.at[len] == '-' || rest.at[len] == '='))
		len++;
	lexer_add(lexer, TOKEN_WORD, len);
	return true;
}

static bool
lex_word(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer);
	size_t len = 0;

	if (!is_letter(rest.at[0]))
		return false;
	while (len < rest.len && (is_letter(rest.at[len]) || lexer_is_alnum(rest.at[len]) || rest.at[len] == '-'))
		len++;
	lexer_add(lexer, TOKEN_WORD, len);
	return true;
}

static bool
lex_mark(struct lexer *lexer)
{
	static const struct {
		struct view     text;
		enum token_type type;
	} marks[] = {
		{VIEW(".."), TOKEN_RANGE}, {VIEW("=="), TOKEN_EQ}, {VIEW("!="), TOKEN_NE},
		{VIEW("<="), TOKEN_LE}, {VIEW(">="), TOKEN_GE}, {VIEW("<"), TOKEN_LT},
		{VIEW(">"), TOKEN_GT}, {VIEW("{"), TOKEN_LBRACE}, {VIEW("}"), TOKEN_RBRACE},
		{VIEW("("), TOKEN_LPAREN}, {VIEW(")"), TOKEN_RPAREN}, {VIEW("["), TOKEN_LBRACKET},
		{VIEW("]"), TOKEN_RBRACKET}, {VIEW(","), TOKEN_COMMA}, {VIEW("."), TOKEN_DOT},
		{VIEW("~"), TOKEN_TILDE},
	};
	struct view rest = lexer_rest(lexer);

	if (behind_number(lexer) && view_equal(view_first(rest, 2), VIEW("/s")) &&
	    (rest.len == 2 || !lexer_is_alnum(rest.at[2]))) {
		lexer_add(lexer, TOKEN_PER_S, 2);
		return true;
	}
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		if (!view_equal(view_first(rest, marks[i].text.len), marks[i].text))
			continue;
		lexer_add(lexer, marks[i].type, marks[i].text.len);
		return true;
	}
	return false;
}

/* Marks of other languages: one word of help each. */
static bool
lex_foreign(struct lexer *lexer)
{
	static const struct {
		struct view text;
		const char *help;
	} marks[] = {
		{VIEW("=~"), "a pattern is tried with ~"},
		{VIEW("!~"), "write: not FIELD ~ PATTERN"},
		{VIEW("="), "fields are compared with =="},
		{VIEW("&&"), "write: and"}, {VIEW("&"), "write: and"},
		{VIEW("||"), "write: or"}, {VIEW("|"), "write: or"},
		{VIEW("!"), "write: not"},
		{VIEW(";"), "nothing stands between actions but white space"},
		{VIEW(":"), "nothing stands behind a word but white space"},
		{VIEW("//"), "comments begin with #"}, {VIEW("/*"), "comments begin with #"},
		{VIEW("-"), "there are no negative numbers"}, {VIEW("+"), "numbers have no sign"},
		{VIEW("$"), "fields are named without $"}, {VIEW("%"), "a percentage is a number with % behind it"},
	};
	struct view rest = lexer_rest(lexer);

	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		size_t len = marks[i].text.len;

		if (!view_equal(view_first(rest, len), marks[i].text))
			continue;
		source_error(lexer->source, lexer->at, "\"%.*s\" has no meaning here: %s", (int)len, rest.at,
		    marks[i].help);
		while (rest.at[0] == '/' && len < rest.len && rest.at[len] != '\n')
			len++;
		lexer_add(lexer, TOKEN_BAD, len);
		return true;
	}
	return false;
}

/* Strings in the quotes of other languages, or of a word processor: read as the strings that are meant. */
static bool
lex_quoted(struct lexer *lexer)
{
	static const struct view quotes[][2] = {
		{VIEW("'"), VIEW("'")}, {VIEW("`"), VIEW("`")}, {VIEW("\xe2\x80\x9c"), VIEW("\xe2\x80\x9d")},
		{VIEW("\xe2\x80\x9d"), VIEW("\xe2\x80\x9d")}, {VIEW("\xe2\x80\x9e"), VIEW("\xe2\x80\x9c")},
	};
	struct view rest = lexer_rest(lexer);

	for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
		struct view open = quotes[i][0], close = quotes[i][1];
		size_t len = open.len;

		if (!view_equal(view_first(rest, open.len), open))
			continue;
		source_error(lexer->source, lexer->at, "strings stand in straight double quotes: \"...\"");
		while (len < rest.len && rest.at[len] != '\n' && !view_equal(view_first(view_from(rest, len), close.len), close))
			len++;
		if (len < rest.len && rest.at[len] != '\n')
			len += close.len;
		lexer_add(lexer, TOKEN_STRING, len);
		return true;
	}
	return false;
}

/* Whatever is left. A control character means that this is no text at all: one error is enough. */
static void
lex_unknown(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer);
	unsigned char c = (unsigned char)rest.at[0];
	size_t len = 1;

	if (c < 0x20 || c == 0x7f) {
		source_error(lexer->source, lexer->at,
		    "octet 0x%02x outside a string: rule files are text, is this a binary file?", c);
		lexer->tokens->binary = true;
		lexer->at = lexer->len;
		return;
	}
	while (len < rest.len && (unsigned char)rest.at[len] >= 0x80 && c >= 0x80)
		len++;
	if (c >= 0x80)
		source_error(lexer->source, lexer->at, "only strings, patterns and comments may hold other than ASCII");
	else
		source_error(lexer->source, lexer->at, "\"%c\" has no meaning here", c);
	lexer_add(lexer, TOKEN_BAD, len);
}

void
lexer_run(struct source *source, struct arena *arena, struct tokens *tokens)
{
	struct lexer lexer = {.source = source, .arena = arena, .tokens = tokens, .len = source->len, .line = 1,
	    .first = true};

	memset(tokens, 0, sizeof *tokens);
	for (;;) {
		skip_space(&lexer);
		if (lexer.at >= lexer.len)
			break;
		if (!lex_keyword(&lexer) && !lexer_string(&lexer) && !lexer_number(&lexer) && !lex_word(&lexer) &&
		    !lex_mark(&lexer) && !lexer_regex(&lexer) && !lex_quoted(&lexer) && !lex_foreign(&lexer))
			lex_unknown(&lexer);
	}
	lexer_add(&lexer, TOKEN_END, 0);
}
