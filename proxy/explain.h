/* SPDX-License-Identifier: MIT */
/*
 * What a word of SMTP means: verbs, reply codes, enhanced status codes, EHLO keywords,
 * parameters of MAIL and RCPT, findings. Made from the registries, so that everything that
 * the decoder knows by name can be asked for.
 */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include <stdio.h>

#include "decoders/view.h"

/*
 * Writes what there is to say of a word, as each thing that it is; again: behind another
 * explanation, an empty line between them. False: it is nothing that is known, and nothing was
 * written.
 */
bool explain_word(struct view word, bool again, FILE *out);

/* Says of such a word what it is not, and what may have been meant. */
void explain_unknown(struct view word, FILE *out);

/* The parts of it: each writes, and returns true, if the word is one of its kind. */
bool explain_reply_code(struct view word, bool again, FILE *out);
bool explain_enhanced_code(struct view word, bool again, FILE *out);

/* "421: reply code", as the first line of an explanation. */
void explain_heading(FILE *out, bool again, struct view word, const char *kind);

/* A labelled paragraph, wrapped. Without a label its first letter is made a capital. */
void explain_field(FILE *out, const char *label, const char *text);

#endif
