/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 4), for AUTH, encoded words and octets that JSON cannot hold. */
#ifndef DECODERS_BASE64_H
#define DECODERS_BASE64_H

#include "decoders/view.h"

/* Decodes up to size octets into out; returns how many, or -1 if text is not base64. */
long base64_decode(struct view text, char *out, size_t size);

/* Writes (len + 2) / 3 * 4 octets, no NUL; returns how many. */
size_t base64_encode(struct view octets, char *out);

#endif
