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

/*
 * Unfolds a field's body and decodes its encoded words to UTF-8, up to size octets; returns
 * how many. A charset that is not known or octets that are not of it stay as sent.
 */
size_t header_decode(struct view value, char *out, size_t size);

#endif
