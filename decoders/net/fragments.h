/* SPDX-License-Identifier: MIT */
/*
 * Datagrams put together from fragments (RFC 791 3.2, RFC 8200 4.5, in the spirit of RFC
 * 815). Where fragments overlap the octets that came first stay. Bounded in datagrams,
 * octets and in capture time; what is given up is counted. A fragment that the capture cut short
 * counts as whole: then the datagram ends, for us, where the first of them was cut.
 */
#ifndef DECODERS_NET_FRAGMENTS_H
#define DECODERS_NET_FRAGMENTS_H

#include "decoders/net/packet.h"

struct fragments;

struct fragments_counts {
	uint64_t whole;         /* datagrams put together */
	uint64_t given_up;      /* datagrams whose parts were dropped: time, memory, nonsense */
	uint64_t overlaps;      /* fragments that came again, or across others, with other contents */
};

/* max_octets: of all that is kept. timeout_us: from a datagram's first fragment. NULL: no memory. */
struct fragments *fragments_new(size_t max_octets, uint64_t timeout_us);
void fragments_free(struct fragments *f);

/*
 * Takes a packet that is a fragment. True: *packet has become the whole datagram, or what was in
 * a tunnel in it; its payload lasts until the next call. False: others are to come, or it was
 * given up.
 */
bool fragments_add(struct fragments *f, struct net_packet *packet, uint64_t time_us);
struct fragments_counts fragments_count(const struct fragments *f);

#endif
