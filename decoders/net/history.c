/* SPDX-License-Identifier: MIT */
/*
 * The memory of a stream. Every octet of a capture comes through here once, so the hash is four
 * sums of words, and the sums of these (Fletcher's idea), which do not wait for each other. It
 * need not withstand an enemy: who can choose the octets can as well choose others.
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

static inline uint64_t
mixed(uint64_t sum, uint64_t of_sums)
{
	return (sum ^ of_sums >> 29) * UINT64_C(0x9e3779b97f4a7c15) + (of_sums ^ sum >> 31) * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static uint32_t
hash_of(struct view v)
{
	uint64_t    a = v.len, b = 1, c = 2, d = 3, aa = 0, bb = 0, cc = 0, dd = 0;
	const char *at = v.at, *end = v.at + v.len;
	char        last[STEP] = {0};

	for (; end - at >= STEP; at += STEP) {
		aa += a += eight_at(at);
		bb += b += eight_at(at + 8);
		cc += c += eight_at(at + 16);
		dd += d += eight_at(at + 24);
	}
	if (at < end) {
		memcpy(last, at, (size_t)(end - at));
		aa += a += eight_at(last);
		bb += b += eight_at(last + 8);
		cc += c += eight_at(last + 16);
		dd += d += eight_at(last + 24);
	}
	a = mixed(a, bb) ^ mixed(b, cc) ^ mixed(c, dd) ^ mixed(d, aa);
	return (uint32_t)(a >> 32) ^ (uint32_t)a;
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
