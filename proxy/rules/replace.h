/* SPDX-License-Identifier: MIT */
/* replace, in one line: of a command, of a reply, of the content. */
#ifndef RULES_REPLACE_H
#define RULES_REPLACE_H

#include "proxy/rules/ruleset.h"
#include "proxy/rules/text.h"

/*
 * Puts a line (without its line end) into out, every occurrence of what the action replaces
 * replaced; returns how many there were. *at_start: one of them was at the line's start. Where
 * there was none nothing is put: most lines of content are such.
 */
size_t replace_in_line(const struct action *action, struct pattern_user *user, struct view line,
    struct text *out, bool *at_start);

#endif
