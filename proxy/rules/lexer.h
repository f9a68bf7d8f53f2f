/* SPDX-License-Identifier: MIT */
/*
 * Rule files in tokens. What cannot be a token is told to the source and stands in the list
 * as TOKEN_BAD, of which the parser says nothing more.
 */
#ifndef RULES_LEXER_H
#define RULES_LEXER_H

#include "proxy/arena.h"
#include "proxy/rules/address.h"
#include "proxy/rules/source.h"

/*      id          what an error calls it */
#define RULES_TOKENS(X) \
	X(END,      "the end of the file") \
	X(BAD,      "something that cannot be read") \
	X(WORD,     "a word") \
	X(STRING,   "a string") \
	X(REGEX,    "a pattern") \
	X(NUMBER,   "a number") \
	X(SIZE,     "a size") \
	X(DURATION, "a duration") \
	X(PERCENT,  "a percentage") \
	X(ENHANCED, "an enhanced status code") \
	X(ADDRESS,  "an address") \
	X(CIDR,     "a network") \
	X(LBRACE,   "{") \
	X(RBRACE,   "}") \
	X(LPAREN,   "(") \
	X(RPAREN,   ")") \
	X(LBRACKET, "[") \
	X(RBRACKET, "]") \
	X(COMMA,    ",") \
	X(DOT,      ".") \
	X(RANGE,    "..") \
	X(EQ,       "==") \
	X(NE,       "!=") \
	X(LT,       "<") \
	X(LE,       "<=") \
	X(GT,       ">") \
	X(GE,       ">=") \
	X(TILDE,    "~") \
	X(PER_S,    "/s")

enum token_type {
#define X(id, ...) TOKEN_##id,
	RULES_TOKENS(X)
#undef X
	TOKEN_COUNT
};

struct token {
	enum token_type type;
	bool     first;         /* the first of its line */
	bool     spaced;        /* white space before it */
	bool     caseless;      /* REGEX: /i */
	uint8_t  bits;          /* CIDR */
	uint32_t line;          /* from 1 */
	size_t   at, len;       /* in the source */
	struct view text;       /* STRING: escapes done, in the arena; REGEX: between the slashes; else as in the source */
	uint64_t number;        /* NUMBER, SIZE: octets; DURATION: microseconds; ENHANCED: packed, see below */
	double   percent;
	struct address address; /* ADDRESS, CIDR */
};

/* An enhanced status code as one number, in its order: class, subject, detail (RFC 3463 2). */
static inline uint64_t
enhanced_pack(uint64_t class, uint64_t subject, uint64_t detail)
{
	return class << 32 | subject << 16 | detail;
}

/* "4.3.2" packed; false: it is none. */
bool enhanced_parse(struct view text, uint64_t *packed);

struct tokens {
	struct token *at;       /* the last is TOKEN_END; malloced, the caller frees it */
	size_t        count;
	bool          binary;   /* given up: this is no text */
	size_t        open;     /* 1 + where the last string or pattern that does not end begins; 0: none */
};

/* Strings are put into the arena, which must outlive the tokens; other texts borrow from the source. */
void lexer_run(struct source *source, struct arena *arena, struct tokens *tokens);

/* Where in the source the nth octet of a STRING's text is written. */
size_t token_origin(const struct source *source, const struct token *token, size_t nth);

#endif
