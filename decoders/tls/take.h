/* SPDX-License-Identifier: MIT */
/*
 * Numbers and vectors of the presentation language of TLS (RFC 8446 3), taken from the front
 * of a view. Each says false, and takes nothing, where the view is too short.
 */
#ifndef DECODERS_TLS_TAKE_H
#define DECODERS_TLS_TAKE_H

#include <stdint.h>

#include "decoders/view.h"

static inline bool
take(struct view *from, size_t n, struct view *octets)
{
	if (n > from->len)
		return false;
	*octets = view_first(*from, n);
	*from = view_from(*from, n);
	return true;
}

/* A number of so many octets (at most 4), the first the highest. */
static inline bool
take_number(struct view *from, unsigned octets, uint32_t *number)
{
	struct view  digits;
	uint32_t     sum = 0;

	if (!take(from, octets, &digits))
		return false;
	for (size_t i = 0; i < digits.len; i++)
		sum = sum << 8 | (unsigned char)digits.at[i];
	*number = sum;
	return true;
}

/* A vector behind its length, which has so many octets. */
static inline bool
take_vector(struct view *from, unsigned length_octets, struct view *vector)
{
	struct view rest = *from;
	uint32_t    len;

	if (!take_number(&rest, length_octets, &len) || !take(&rest, len, vector))
		return false;
	*from = rest;
	return true;
}

#endif
