/* SPDX-License-Identifier: MIT */
/*
 * What is known while a unit is being judged: its facts as the rules before have left them.
 * The parts of judging (fields, conditions, doses, changes) are a file each.
 */
#ifndef RULES_JUDGING_H
#define RULES_JUDGING_H

#include "proxy/rules/counts.h"
#include "proxy/rules/ruleset.h"
#include "proxy/rules/text.h"

struct judging {
	struct rules_run      *run;
	const struct ruleset  *rules;
	struct rules_state    *state;
	struct rules_facts     facts;   /* a copy, to be changed */
	struct view            unit;    /* with its line ends */
	struct view            reply_text;      /* put together; .at NULL: not yet */
	struct view            recipient;       /* what facts.recipients points to once a rule set it */
	struct arena          *arena;
	struct step           *steps;
	size_t                 step_count, step_size;
	bool                   changed; /* unit is no longer what it was */
	bool                   over;    /* no more rules are tried */
};

/* fields.c: a field's value. */
struct reading {
	struct view    text;            /* .at NULL: a number, which has none of its own */
	uint64_t       number;
	struct address address;
};
/* How many values a field has: recipients at content have one each, all others one. */
size_t field_readings(const struct judging *j, const struct field_ref *ref);
/* The nth; false: it has no value here. */
bool field_read(struct judging *j, const struct field_ref *ref, size_t nth, struct reading *reading);
/* The text of all its values, with a comma between; secrets as *** if masked. "" without one. */
struct view field_text(struct judging *j, const struct field_ref *ref, bool masked);

/* expr.c */
bool expr_holds(struct judging *j, const struct expr *expr);

/* template.c: the string with its fields filled in, in the arena. CR and LF of a field become SP. */
struct view template_fill(struct judging *j, const struct template *template, bool masked);

/* doses.c: whether the rule acts on this match, and what was thrown for that. */
struct throw {
	bool     thrown;
	double   percent;
	uint64_t number;        /* how many throws there were before with the same history */
};
bool doses_allow(struct judging *j, const struct rule *rule, struct throw *throw);
/* A number made of the throw, for the nth action of the rule; the same for the same seed. */
uint64_t throw_number(const struct judging *j, const struct rule *rule, const struct throw *throw, uint64_t which);

/* tags.c */
bool tag_has(const struct judging *j, unsigned tag);
void tag_set(struct judging *j, const struct action *action);
void tag_remove(struct judging *j, unsigned tag);

/* change.c, change_ehlo.c, change_corrupt.c: the unit after set, replace, hide, offer; facts follow it. */
void change_unit(struct judging *j, const struct action *action);
void change_hide(struct judging *j, struct view keyword);
void change_offer(struct judging *j, struct view text);
/* Flips bits, never of a CR or LF nor into one; which ones is thrown. */
void change_corrupt(struct judging *j, const struct rule *rule, const struct action *action,
    const struct throw *throw);
/* The command line is this now, without its line end, which stays. */
void change_line(struct judging *j, struct view line);
/* The reply is these octets now. */
void change_reply(struct judging *j, struct view wire);

#endif
