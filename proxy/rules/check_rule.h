/* SPDX-License-Identifier: MIT */
/* What check_rule.c and check_reply.c share. */
#ifndef RULES_CHECK_RULE_H
#define RULES_CHECK_RULE_H

#include "proxy/rules/parser.h"

/* "reply to RCPT", as a rule file says it. */
void place_say(const struct place *place, char *out, size_t size);
/* Whether it is just that command, or the reply to just that. */
bool place_is(const struct place *place, enum rules_place at, unsigned slot);

/* check_when.c: whether the condition can hold at all. Without errors so far. */
void check_when(struct parser *p);
/* check_reach.c: whether it may turn a command into another one. */
bool rule_changes_verb(const struct rule *rule);

/* Whether this code may be said there (3xx belongs to DATA and AUTH alone). */
void check_reply_code(struct parser *p, uint16_t code, const struct place *place, size_t origin);
/* Classes that differ, refusals of what the server has accepted. */
void check_reply(struct parser *p, const struct action *action, size_t origin);
void check_set_code(struct parser *p, const struct action *action, size_t origin);

#endif
