/* SPDX-License-Identifier: MIT */
/*
 * The words of `smtpscope ctl`, and how they travel: the client writes "1", the format ("text" or
 * "json") and its words, each with a NUL behind it, and ends its stream; the proxy answers with an
 * exit code as one digit, then what is to be printed (on standard error, where the code is not 0),
 * and ends the connection.
 */
#ifndef CONTROL_WORDS_H
#define CONTROL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONTROL_VERSION     "1"
#define CONTROL_REQUEST_MAX ((size_t)64 << 10)  /* octets of a request: a rule's name may be long */

enum control_word {
	CONTROL_RULES, CONTROL_ENABLE, CONTROL_DISABLE, CONTROL_FIRE, CONTROL_SESSIONS, CONTROL_CLOSE, CONTROL_STATS,
	CONTROL_WORD_COUNT
};

/*
 * Which word that is, and whether it has the operand that it wants; CONTROL_WORD_COUNT: what is
 * wrong was written to err.
 */
enum control_word control_word_read(const char *const *words, size_t count, FILE *err);

#endif
