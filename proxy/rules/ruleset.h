/* SPDX-License-Identifier: MIT */
/*
 * Rules as they are once loaded: what the parser builds and the judge reads. All of it lies
 * in the ruleset's arena and never changes; counts are in a rules_state.
 */
#ifndef RULES_RULESET_H
#define RULES_RULESET_H

#include "proxy/rules/address.h"
#include "proxy/rules/language.h"
#include "proxy/rules/pattern.h"
#include "proxy/rules/source.h"

/* A field as a rule names it. */
struct field_ref {
	enum field  field;
	struct view index;      /* HEADER: the field's name */
	unsigned    number;     /* TAG: index into tag words; FINDING: enum finding */
};

/* A string with %{field} in it, in pieces: each a literal and then, but for the last, a field. */
struct template_piece {
	struct view      literal;       /* may be empty */
	bool             has_field;
	struct field_ref field;
};

struct template {
	struct template_piece *pieces;
	size_t                 count;   /* at least 1 */
};

/* A value to compare with, of its field's type. */
struct value {
	struct view    text;
	uint64_t       number;  /* NUMBER; SECONDS, DURATION: microseconds; BOOLEAN; ENHANCED: packed */
	struct address address;
};

/* What stands behind `in`: from low to high, or a network. */
struct item {
	struct value low, high; /* high is low where there is no range */
	bool         network;
	uint8_t      bits;
};

enum expr_type { EXPR_OR, EXPR_AND, EXPR_NOT, EXPR_HAS, EXPR_COMPARE, EXPR_FIND, EXPR_MATCH, EXPR_IN };
enum expr_operator { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

struct expr {
	enum expr_type     type;
	struct expr       *left, *right;        /* OR, AND; NOT: left */
	struct field_ref   field;
	enum expr_operator op;
	struct value       value;               /* COMPARE; FIND: the text to be found */
	struct pattern    *pattern;             /* MATCH */
	struct item       *items;               /* IN */
	size_t             item_count;
};

struct dose {
	enum dose_type  type;
	uint64_t        number;
	uint64_t        within_us;      /* 0: no window */
	enum dose_scope scope;
	unsigned        slot;           /* RULE: of the rule's own counters; SESSION, TRANSACTION: of a run's */
	double          percent;        /* CHANCE */
};

enum expect_type { EXPECT_NONE, EXPECT_AT_LEAST, EXPECT_AT_MOST, EXPECT_EXACTLY };

struct action {
	enum action_type type;
	const char      *text;          /* as written, white space folded */
	enum step_which  which;         /* CLOSE, RESET, INJECT, THROTTLE */
	bool             raw;           /* REPLY */
	uint16_t         code;          /* REPLY */
	struct view      enhanced;      /* REPLY; .at NULL: none */
	struct template *strings;       /* REPLY: its lines; SET, OFFER, LOG, INJECT: one; REPLY raw: one; HEADER add, set: one */
	size_t           string_count;
	uint64_t         delay_low, delay_high; /* DELAY: microseconds */
	uint64_t         number;        /* TRUNCATE, REPEAT, CORRUPT */
	struct pace      pace;          /* THROTTLE, DRIBBLE */
	enum set_what    set;
	enum header_what header;
	struct view      field_name;    /* HEADER */
	struct pattern  *pattern;       /* REPLACE; NULL: text instead */
	struct view      text_old, text_new;    /* REPLACE */
	struct view      keyword;       /* HIDE */
	unsigned         tag;           /* TAG, UNTAG: index into tag words */
	bool             of_client;     /* TAG */
	uint64_t         tag_us;        /* TAG: life time; 0: no end */
	unsigned         ordinal;       /* in its rule: what tells its throws from those of others */
	bool             broken;        /* a string or pattern of it was wrong: told, not to be looked at */
};

/* Where a rule stands. slot: a verb or RULES_VERB_...; any: whatever verb. */
struct place {
	enum rules_place at;
	unsigned         slot;
	bool             any;
	size_t           origin;        /* in the source */
};

struct rule {
	const char      *name;
	struct view      name_view;
	const char      *at;            /* "file:line" */
	size_t           origin;        /* of the name, in the source */
	size_t           file;
	uint64_t         text_hash;     /* of its source, from `rule` to } */
	struct place    *places;
	size_t           place_count;
	struct expr     *when;          /* NULL: always */
	struct dose     *doses;
	size_t           dose_count;
	unsigned         own_slots;     /* counters of doses per rule */
	bool             throws;        /* by chance, for the length of a delay, for what is corrupted */
	enum expect_type expect;
	uint64_t         expect_number;
	struct action   *actions;
	size_t           action_count;
};

/* Rules that stand at one place, in order. */
struct rule_list {
	const uint32_t *at;
	size_t          count;
};

/* A tag word that is read or set somewhere. */
struct tag_word {
	struct view    word;
	bool           set;             /* by some rule */
	bool           read;
	size_t         file, origin;    /* where it was read first */
};

struct ruleset {
	struct arena     arena;
	struct rule     *rules;         /* malloced while it grows */
	size_t           count, size;
	struct tag_word *tags;
	size_t           tag_count, tag_size;
	unsigned         run_slots;     /* counters of doses per session and transaction */
	struct pattern  *patterns;      /* a list, to be freed */
	struct rule_list lists[7][RULES_VERB_SLOTS];
	uint8_t          needs[7][RULES_VERB_SLOTS];    /* enum rules_need */
	bool             wants_header, wants_command;
	bool             edits_content; /* some rule may change content on its way */
	const char      *saves;         /* "file:line" of the first rule that saves; NULL: none does */
};

static inline const struct rule_list *
ruleset_at(const struct ruleset *rules, enum rules_place place, unsigned slot)
{
	bool by_verb = place == RULES_AT_COMMAND || place == RULES_AT_REPLY;

	return &rules->lists[place][by_verb && slot < RULES_VERB_SLOTS ? slot : SMTP_VERB_UNKNOWN];
}

/* Takes a word into the ruleset's tags (if it is not there yet) and returns its index. */
unsigned ruleset_tag(struct ruleset *rules, struct view word);

/* Makes the lists by place, once all rules are there. */
void ruleset_index(struct ruleset *rules);

/* Parses the sources in order; messages go to them. NULL after an error in any. */
struct ruleset *ruleset_parse(struct source *sources, size_t count);

#endif
