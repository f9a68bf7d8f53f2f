/* SPDX-License-Identifier: MIT */
/*
 * Strings with their escapes, and patterns, which have none: what stands between the
 * slashes goes to PCRE2 as it is. Both end on the line on which they begin.
 */
#include "proxy/rules/lexer_parts.h"

/*
 * The octet that the text begins with, escaped or not, and how many octets it is written in;
 * 0: a backslash that begins no escape.
 */
static size_t
string_octet(struct view text, char *octet)
{
	static const struct {
		char written, meant;
	} escapes[] = {{'"', '"'}, {'\\', '\\'}, {'r', '\r'}, {'n', '\n'}, {'t', '\t'}};

	*octet = text.at[0];
	if (text.at[0] != '\\')
		return 1;
	for (size_t i = 0; i < sizeof escapes / sizeof escapes[0] && text.len > 1; i++) {
		*octet = escapes[i].meant;
		if (text.at[1] == escapes[i].written)
			return 2;
	}
	if (text.len < 4 || text.at[1] != 'x' || hex_digit(text.at[2]) < 0 || hex_digit(text.at[3]) < 0)
		return 0;
	*octet = (char)(hex_digit(text.at[2]) << 4 | hex_digit(text.at[3]));
	return 4;
}

static void
escape_error(struct lexer *lexer, size_t at, struct view rest)
{
	unsigned char c = rest.len > 1 ? (unsigned char)rest.at[1] : 0;

	if (c == 'x')
		source_error(lexer->source, at, "\\x needs two hexadecimal digits behind it, such as \\x0b");
	else if (c == 'b' || c == 'd' || c == 's' || c == 'w' || c == '.')
		source_error(lexer->source, at,
		    "\\%c is no escape of a string; a pattern is written between slashes: /\\%c/", c, c);
	else
		source_error(lexer->source, at,
		    "a string has the escapes \\\" \\\\ \\r \\n \\t \\xHH; a backslash itself is \\\\");
}

bool
lexer_string(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer);
	size_t len = 1, written = 0;
	struct token *token;
	char *text;

	if (rest.at[0] != '"')
		return false;
	while (len < rest.len && rest.at[len] != '"' && rest.at[len] != '\n')
		len += rest.at[len] == '\\' && len + 1 < rest.len && rest.at[len + 1] != '\n' ? 2 : 1;
	text = arena_take(lexer->arena, len + 1);
	for (size_t i = 1; i < len;) {
		struct view here = {rest.at + i, len - i};
		size_t used = string_octet(here, &text[written]);

		if (used == 0) {
			escape_error(lexer, lexer->at + i, here);
			text[written] = '\\';
			used = 1;
		}
		i += used;
		written++;
	}
	text[written] = '\0';
	if (len < rest.len && rest.at[len] == '"') {
		len++;
	} else {
		source_error(lexer->source, lexer->at,
		    "this string does not end: expected \" before the end of the line (a line end in it is \\r\\n)");
		lexer->tokens->open = lexer->at + 1;
	}
	token = lexer_add(lexer, TOKEN_STRING, len);
	token->text = (struct view){text, written};
	return true;
}

size_t
token_origin(const struct source *source, const struct token *token, size_t nth)
{
	size_t at = token->at + 1, end = token->at + token->len;
	char octet;

	while (nth-- > 0 && at < end) {
		size_t used = string_octet((struct view){source->text + at, end - at}, &octet);

		at += used == 0 ? 1 : used;
	}
	return at;
}

/*
 * A backslash takes the octet behind it along, so that \/ does not end the pattern and \\/
 * does, as PCRE2 itself would read them.
 */
bool
lexer_regex(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer), text;
	struct token *token;
	size_t len = 1;
	bool caseless = false;

	/* Where no pattern is due, // and a slash with a star are comments of another language. */
	if (rest.at[0] != '/' ||
	    (!lexer_wants_regex(lexer) && rest.len > 1 && (rest.at[1] == '/' || rest.at[1] == '*')))
		return false;
	while (len < rest.len && rest.at[len] != '/' && rest.at[len] != '\n')
		len += rest.at[len] == '\\' && len + 1 < rest.len && rest.at[len + 1] != '\n' ? 2 : 1;
	text = (struct view){rest.at + 1, len - 1};
	if (len >= rest.len || rest.at[len] != '/') {
		source_error(lexer->source, lexer->at,
		    "this pattern does not end: expected / before the end of the line (a slash in it is \\/)");
		lexer->tokens->open = lexer->at + 1;
		lexer_add(lexer, TOKEN_BAD, len);
		return true;
	}
	len++;
	while (len < rest.len && lexer_is_alnum(rest.at[len])) {
		if (rest.at[len] != 'i')
			source_error(lexer->source, lexer->at + len,
			    "\"%c\" behind a pattern: only i (ignore case) may follow it", rest.at[len]);
		caseless = true;
		len++;
	}
	token = lexer_add(lexer, TOKEN_REGEX, len);
	token->text = text;
	token->caseless = caseless;
	return true;
}
