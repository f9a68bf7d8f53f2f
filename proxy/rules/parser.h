/* SPDX-License-Identifier: MIT */
/* What the files of the parser share: the tokens of one file, and the rule that is being read. */
#ifndef RULES_PARSER_H
#define RULES_PARSER_H

#include "proxy/rules/lexer.h"
#include "proxy/rules/ruleset.h"

/* A place in the text where a field is named: judged when the rule's places are known. */
struct field_use {
	struct field_ref ref;
	size_t           origin;
	bool             in_dose;       /* `per sender`, `per recipient` */
	struct field_use *next;
};

struct parser {
	struct source   *source;
	size_t           file;          /* its number */
	struct ruleset  *rules;
	struct tokens    tokens;
	size_t           next;
	/* the rule that is being read */
	struct rule      rule;
	struct field_use *uses, **uses_end;
	size_t          *action_origins;        /* in step with rule.actions */
	unsigned         stage;
	bool             has_on, has_when;
	bool             failed;        /* something of it was gone over */
	bool             place_unknown; /* one of its places was wrong: nothing can be said about the rest */
	unsigned         depth;         /* of an expression */
};

/* Looking at tokens. There is always one: the last is TOKEN_END. */
const struct token *parser_token(const struct parser *p);
const struct token *parser_ahead(const struct parser *p, size_t n);
const struct token *parser_take(struct parser *p);
bool parser_is(const struct parser *p, enum token_type type);
bool parser_is_word(const struct parser *p, const char *word);
bool parser_accept(struct parser *p, enum token_type type);
bool parser_accept_word(struct parser *p, const char *word);

/* "expected X, found Y" at the token that is next. Nothing of a TOKEN_BAD. Always false. */
bool parser_expected(struct parser *p, const char *what);
/* The same where one of these names was expected: the nearest is suggested. */
bool parser_expected_one(struct parser *p, const char *what, const struct names *names);
bool parser_expect(struct parser *p, enum token_type type);
void parser_error(struct parser *p, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));
void parser_warn(struct parser *p, size_t at, const char *format, ...) __attribute__((format(printf, 3, 4)));

void *parser_room(struct parser *p, size_t size);       /* in the ruleset's arena, zeroed */
/* One more element in an array of the arena; *array and *count are brought up to date. */
void *parser_more(struct parser *p, void **array, size_t *count, size_t size);

/* Whether a line begins here with a word that begins a part of a rule: errors are gone over up to it. */
bool parser_at_clause(const struct parser *p);
/* NAME { "." NAME } as one view (without white space); false: there is no word. */
bool parser_name(struct parser *p, struct view *name);
/* Notes that the rule reads a field there. */
void parser_use(struct parser *p, const struct field_ref *ref, size_t origin, bool in_dose);

/* Files of their own. Each returns false when it cannot go on; the error is told then. */
bool parse_places(struct parser *p);            /* parse_place.c: behind "on" */
struct expr *parse_expr(struct parser *p);      /* parse_expr.c; NULL: error */
bool parse_field_name(struct parser *p, struct view name, size_t at, struct field_ref *ref);
bool parse_field_index(struct parser *p, struct view index, size_t at, struct field_ref *ref);
bool parse_values(struct parser *p, struct expr *test); /* parse_value.c: what follows a field */
bool parse_dose(struct parser *p);              /* parse_dose.c: at its word */
bool parse_expect(struct parser *p);
bool parse_action(struct parser *p);            /* parse_action.c: at its word */
/* parse_template.c: a STRING with %{field} in it. */
bool parse_template(struct parser *p, const struct token *string, struct template *template);
bool template_is_constant(const struct template *template);
struct view template_constant(const struct template *template);        /* the whole text of such */

/* What can be said of a whole rule: check_rule.c. */
void check_rule(struct parser *p);
/* What can be said of all rules together, if none is wrong: check_reach.c. */
void check_reach(const struct ruleset *rules, struct source *sources);

#endif
