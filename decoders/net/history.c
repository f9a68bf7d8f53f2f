/* SPDX-License-Identifier: MIT */
/*
 * The memory of a stream. Every octet of a capture comes through here once, so the hash takes
 * 32 of them in a step, by four multiplications that do not wait for each other. It need not
 * withstand an enemy: who can choose the octets can as well choose others.
 */
#include "decoders/net/history.h"

#define STEP 32

static inline uint64_t
eight_at(const char *at)
{
	uint64_t eight;

	memcpy(&eight, at, sizeof eight);
	return eight;
}

static uint32_t
hash_of(struct view v)
{
	static const uint64_t odd[4] = {
	    UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f), UINT64_C(0x165667b19e3779f9),
	    UINT64_C(0xff51afd7ed558ccd)};
	uint64_t    a = v.len, b = 1, c = 2, d = 3;
	char        last[STEP] = {0};
	const char *at = v.at, *end = v.at + v.len;

	for (; end - at >= STEP; at += STEP) {
		a = (a ^ eight_at(at)) * odd[0];
		b = (b ^ eight_at(at + 8)) * odd[1];
		c = (c ^ eight_at(at + 16)) * odd[2];
		d = (d ^ eight_at(at + 24)) * odd[3];
		a ^= a >> 32, b ^= b >> 32, c ^= c >> 32, d ^= d >> 32;
	}
	if (at < end) {
		memcpy(last, at, (size_t)(end - at));
		a = (a ^ eight_at(last)) * odd[1];
		b = (b ^ eight_at(last + 8)) * odd[2];
		c = (c ^ eight_at(last + 16)) * odd[3];
		d = (d ^ eight_at(last + 24)) * odd[0];
	}
	a = (a ^ a >> 29) + (b ^ b >> 31) * 3 + (c ^ c >> 30) * 5 + (d ^ d >> 28) * 7;
	return (uint32_t)((a * odd[0]) >> 32);
}

void
stream_history_add(struct stream_history *h, uint32_t seq, struct view octets)
{
	struct view last = octets;
	uint32_t    place;
	size_t      to_end;

	if (octets.len == 0)
		return;
	h->pieces[h->oldest].seq = seq;
	h->pieces[h->oldest].len = (uint32_t)octets.len;
	h->pieces[h->oldest].hash = hash_of(octets);
	h->oldest = (h->oldest + 1) % HISTORY_PIECES;

	if (seq != h->end)
		h->kept = 0;            /* behind a gap */
	h->end = seq + (uint32_t)octets.len;
	if (last.len > HISTORY_OCTETS)
		last = view_from(last, last.len - HISTORY_OCTETS);
	h->kept = h->kept + last.len > HISTORY_OCTETS ? HISTORY_OCTETS : (uint16_t)(h->kept + last.len);
	place = (h->end - (uint32_t)last.len) % HISTORY_OCTETS;
	to_end = HISTORY_OCTETS - place;
	if (last.len <= to_end) {
		memcpy(h->octets + place, last.at, last.len);
	} else {
		memcpy(h->octets + place, last.at, to_end);
		memcpy(h->octets, last.at + to_end, last.len - to_end);
	}
}

size_t
stream_history_differs(const struct stream_history *h, uint32_t seq, struct view octets)
{
	uint32_t kept_from = h->end - h->kept;
	size_t   before, differ = 0;

	/* How many of the octets lie in front of those that are kept. */
	before = (int32_t)(kept_from - seq) > 0 ? kept_from - seq : 0;
	for (size_t i = before; i < octets.len && (int32_t)(seq + (uint32_t)i - h->end) < 0; i++)
		differ += octets.at[i] != h->octets[(seq + i) % HISTORY_OCTETS];
	if (before == 0)
		return differ;
	for (int i = 0; i < HISTORY_PIECES; i++) {
		uint32_t len = h->pieces[i].len, offset = h->pieces[i].seq - seq;
		size_t   counts;

		if (len == 0 || offset >= before || offset + (uint64_t)len > octets.len)
			continue;
		counts = before - offset;
		if (hash_of((struct view){octets.at + offset, len}) != h->pieces[i].hash)
			differ += counts < len ? counts : len;
	}
	return differ;
}
