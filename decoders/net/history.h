/* SPDX-License-Identifier: MIT */
/*
 * What a stream has handed on is not kept, but remembered well enough to see that it comes
 * again with other contents: the last octets themselves, and of the last pieces a hash.
 * Inside this room only; a part of struct tcp_stream.
 */
#ifndef DECODERS_NET_HISTORY_H
#define DECODERS_NET_HISTORY_H

#include <stdint.h>

#include "decoders/view.h"

#define HISTORY_PIECES 8
#define HISTORY_OCTETS 256      /* a power of two: an octet's place is its sequence number's */

struct stream_history {
	struct {
		uint32_t seq, len, hash;
	}        pieces[HISTORY_PIECES];
	uint32_t end;           /* sequence number behind the last octet */
	uint16_t kept;          /* octets in front of end that are kept */
	uint8_t  oldest;        /* in pieces: the next to be forgotten */
	char     octets[HISTORY_OCTETS];
};

/* All 0 is a history of nothing. */
void stream_history_add(struct stream_history *h, uint32_t seq, struct view octets);

/*
 * Octets that came again, all of them before h->end: how many are not what they were. Exact
 * for those that are kept; in front of them a piece that lies in the octets with both its ends
 * counts whole, and what cannot be compared is taken for equal.
 */
size_t stream_history_differs(const struct stream_history *h, uint32_t seq, struct view octets);

#endif
