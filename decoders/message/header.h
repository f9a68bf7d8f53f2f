/* SPDX-License-Identifier: MIT */
/* Header fields of a message (RFC 5322 2.2), unfolded, and encoded words (RFC 2047). */
#ifndef DECODERS_MESSAGE_HEADER_H
#define DECODERS_MESSAGE_HEADER_H

#include "decoders/view.h"

/*
 * Finds the first field of that name (ASCII case ignored) in a header: octets as the
 * receiver stores them, up to the empty line or as far as they go. *value is its body as
 * sent, folding included, without the last line end and white space around it.
 */
bool header_find(struct view header, struct view name, struct view *value);
/* The same for several names, in one go; .at of a value NULL: there is none. */
void header_find_each(struct view header, const struct view *names, struct view *values, size_t count);

/* The name of the field that a line begins; .at NULL: it begins none (text, a folded line, an empty one). */
struct view header_line_name(struct view line);

/*
 * The next field of a header, *rest being what is left of it. A line that belongs to no field is
 * skipped. False: there are no more, or the empty line has come.
 */
bool header_next(struct view *rest, struct view *name, struct view *value);

/* Whether header_decode would give the body as it is: one line, and no encoded word in it. Most are. */
bool header_is_plain(struct view value);

/*
 * Unfolds a field's body and decodes its encoded words to UTF-8, up to size octets; returns
 * how many. A charset that is not known or octets that are not of it stay as sent.
 */
size_t header_decode(struct view value, char *out, size_t size);

#endif
