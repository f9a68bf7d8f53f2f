/* SPDX-License-Identifier: MIT */
/* What the files of the lexer share with each other, and with nobody else. */
#ifndef RULES_LEXER_PARTS_H
#define RULES_LEXER_PARTS_H

#include "proxy/rules/lexer.h"

struct lexer {
	struct source *source;
	struct arena  *arena;
	struct tokens *tokens;
	size_t         size;            /* tokens that there is room for */
	size_t         at, len;
	uint32_t       line;
	bool           first, spaced;   /* of the next token */
};

/* Adds the token that begins here and goes on behind it. Lasts until the next is added. */
struct token *lexer_add(struct lexer *lexer, enum token_type type, size_t len);
struct view lexer_rest(const struct lexer *lexer);
bool lexer_is_alnum(char c);
/* Whether a pattern may follow what was read last: ~ or replace. */
bool lexer_wants_regex(const struct lexer *lexer);

/* Each takes its token if one begins here; at least one octet is left. */
bool lexer_string(struct lexer *lexer);
bool lexer_regex(struct lexer *lexer);
bool lexer_number(struct lexer *lexer);

#endif
