/* SPDX-License-Identifier: MIT */
/*
 * Octets of peers as text that no terminal obeys, with the escapes that strings of rule files
 * have: \r \n \t \xHH \" \\. What is printed can be pasted between the quotes of a rule.
 */
#ifndef OUTPUTS_ESCAPE_H
#define OUTPUTS_ESCAPE_H

#include "proxy/outputs/buffer.h"

/*
 * Valid UTF-8 stands as it is but for `"`, `\` and control characters (utf8_is_control), whose
 * octets are escaped each. A space at the end is \x20, so that it can be seen.
 */
void escape_octets(struct buffer *out, struct view octets);

/* The same without care for `"`, `\` and the last space: words of ours that may quote a peer. */
void escape_words(struct buffer *out, struct view octets);

#endif
