/* SPDX-License-Identifier: MIT */
/*
 * Octets that a string of JSON has as they are: ASCII that is neither a control, `"`, `\` nor DEL.
 * Nearly all strings are of nothing else, so that they are looked at while they are copied, a word
 * at a time.
 */
#ifndef OUTPUTS_PLAIN_H
#define OUTPUTS_PLAIN_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "decoders/view.h"

#define PLAIN_EACH(octet) (UINT64_C(0x0101010101010101) * (octet))

static inline bool
plain_octet(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Whether all of eight octets are plain: the sign bits say which are not. */
static inline bool
plain_word(uint64_t octets)
{
	uint64_t quote = octets ^ PLAIN_EACH('"'), backslash = octets ^ PLAIN_EACH('\\');
	uint64_t del = octets ^ PLAIN_EACH(0x7f);

	/* Below a limit, or zero: subtracting makes the sign bit, which only octets from 0x80 had before. */
	return ((octets | (octets - PLAIN_EACH(0x20)) | (quote - PLAIN_EACH(1)) | (backslash - PLAIN_EACH(1)) |
	    (del - PLAIN_EACH(1))) & PLAIN_EACH(0x80)) == 0;
}

static inline uint64_t
plain_load(const char *at, size_t len)
{
	uint64_t octets = 0;

	memcpy(&octets, at, len);
	return octets;
}

#ifdef __SSE2__

#define PLAIN_STEP 16u

/* A bit for each octet that is not plain, the first lowest. Octets from 0x80 are below all others: they are signed. */
static inline unsigned
plain_odd(__m128i octets)
{
	__m128i below = _mm_cmplt_epi8(octets, _mm_set1_epi8(0x20)), del = _mm_cmpeq_epi8(octets, _mm_set1_epi8(0x7f));
	__m128i quote = _mm_cmpeq_epi8(octets, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(octets, _mm_set1_epi8('\\'));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(below, del), _mm_or_si128(quote, backslash)));
}

static inline bool
plain_words(uint64_t first, uint64_t last)
{
	return plain_odd(_mm_set_epi64x((long long)last, (long long)first)) == 0;
}

/* Copies PLAIN_STEP octets; returns how many of them are plain until the first that is not. */
static inline size_t
plain_step(char *to, const char *from)
{
	__m128i octets = _mm_loadu_si128((const __m128i *)(const void *)from);
	unsigned odd = plain_odd(octets);

	_mm_storeu_si128((__m128i *)(void *)to, octets);
	return odd == 0 ? PLAIN_STEP : (size_t)__builtin_ctz(odd);
}

#else

#define PLAIN_STEP 8u

static inline bool
plain_words(uint64_t first, uint64_t last)
{
	return plain_word(first) && plain_word(last);
}

static inline size_t
plain_step(char *to, const char *from)
{
	size_t n = 0;

	memcpy(to, from, PLAIN_STEP);
	if (plain_word(plain_load(from, PLAIN_STEP)))
		return PLAIN_STEP;
	while (plain_octet((unsigned char)from[n]))
		n++;
	return n;
}

#endif

/* Copies as many octets as are plain, and returns how many. There is room for all of v, which may be written to. */
static inline size_t
plain_copy(char *to, struct view v)
{
	size_t at = 0, n;

	for (; v.len - at >= PLAIN_STEP; at += PLAIN_STEP) {
		n = plain_step(to + at, v.at + at);
		if (n < PLAIN_STEP)
			return at + n;
	}
	/* The last few once more with those in front of them. */
	if (v.len >= PLAIN_STEP)
		return v.len - PLAIN_STEP + plain_step(to + v.len - PLAIN_STEP, v.at + v.len - PLAIN_STEP);
	while (at < v.len && plain_octet((unsigned char)v.at[at])) {
		to[at] = v.at[at];
		at++;
	}
	return at;
}

#define PLAIN_SHORT 16u

/*
 * PLAIN_SHORT octets at most, if all of them are plain: two words that overlap, or three octets. False:
 * they are not, or are more; what is at `to` is of no account.
 */
static inline bool
plain_copy_short(char *to, struct view v)
{
	uint64_t first, last;

	if (v.len > PLAIN_SHORT)
		return false;
	if (v.len > 8) {
		first = plain_load(v.at, 8);
		last = plain_load(v.at + v.len - 8, 8);
		memcpy(to, &first, 8);
		memcpy(to + v.len - 8, &last, 8);
		return plain_words(first, last);
	}
	if (v.len >= 4) {
		first = plain_load(v.at, 4);
		last = plain_load(v.at + v.len - 4, 4);
		memcpy(to, &first, 4);
		memcpy(to + v.len - 4, &last, 4);
		return plain_word(first | last << 32);
	}
	for (size_t i = 0; i < v.len; i++) {
		to[i] = v.at[i];
		if (!plain_octet((unsigned char)v.at[i]))
			return false;
	}
	return true;
}

#endif
