/* SPDX-License-Identifier: MIT */
/* One character of UTF-8 at a time (RFC 3629), out of octets that may be anything. */
#ifndef DECODERS_UTF8_H
#define DECODERS_UTF8_H

#include <stdint.h>

#include "decoders/view.h"

/* The character at the start of v, which is not empty, and its octets; 0: there is none. */
size_t utf8_decode(struct view v, uint32_t *character);

/*
 * A character that would change how a terminal or a page shows what is around it: C0, DEL, C1,
 * the separators U+2028 and U+2029, and what turns the direction of text (Unicode's Bidi_Control).
 */
bool utf8_is_control(uint32_t character);

#endif
