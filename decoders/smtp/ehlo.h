/* SPDX-License-Identifier: MIT */
/* What a 250 to EHLO or LHLO offers: a line of it a keyword (RFC 5321 4.1.1.1). */
#ifndef DECODERS_SMTP_EHLO_H
#define DECODERS_SMTP_EHLO_H

#include <stdint.h>

#include "decoders/smtp/registry.h"
#include "decoders/smtp/reply.h"
#include "decoders/view.h"

/* The registered keywords that were offered, a bit each: 1 << enum smtp_keyword. */
typedef uint64_t smtp_keyword_set;

struct smtp_ehlo_keyword {
	enum smtp_keyword keyword;      /* SMTP_KEYWORD_UNKNOWN: see name */
	struct view       name;         /* as sent; of "AUTH=LOGIN" it is "AUTH" */
	struct view       params;       /* behind the keyword, "" when none */
};

/* The name that the server gives itself: the first word of the reply's first line. */
struct view smtp_ehlo_name(const struct smtp_reply *reply);

/* The registered keywords that the reply offers. */
smtp_keyword_set smtp_ehlo_keywords(const struct smtp_reply *reply);

/*
 * Takes the next keyword off *rest, which is at first reply.wire without its first line
 * (smtp_ehlo_rest). False: there are no more.
 */
struct view smtp_ehlo_rest(const struct smtp_reply *reply);
bool smtp_ehlo_next(struct view *rest, struct smtp_ehlo_keyword *keyword);

/* The same for a text behind the code, such as "SIZE 1000" of a rule's `offer`. */
void smtp_ehlo_keyword_parse(struct view text, struct smtp_ehlo_keyword *keyword);

static inline bool
smtp_keyword_in(smtp_keyword_set set, enum smtp_keyword keyword)
{
	return set >> keyword & 1;
}

#endif
