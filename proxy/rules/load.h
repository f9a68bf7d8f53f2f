/* SPDX-License-Identifier: MIT */
/* Loading as `smtpscope check` needs it: with the number of rules in each file. */
#ifndef RULES_LOAD_H
#define RULES_LOAD_H

#include "proxy/rules/rules.h"

/* As ruleset_load; counts (may be NULL) has room for a number for each path. */
struct ruleset *ruleset_load_counting(const char *const *paths, size_t count, FILE *err, size_t *counts);

#endif
