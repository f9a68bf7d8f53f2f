/* SPDX-License-Identifier: MIT */
/* The octets that a line of a transcript stands for. */
#ifndef UNIT_TRANSCRIPT_TEXT_H
#define UNIT_TRANSCRIPT_TEXT_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"

/* Appends the octets of a text. False: it has a wrong escape, *wrong is where. */
bool transcript_octets(struct view text, struct buffer *out, struct view *wrong);

/* Reads digits. False: there is something else, or too many of them. */
bool transcript_number(struct view digits, uint64_t *number);

#endif
