/* SPDX-License-Identifier: MIT */
/*
 * Datagrams put together from fragments (RFC 791 3.2, RFC 8200 4.5, in the spirit of RFC
 * 815). Where fragments overlap the octets that came first stay. Bounded in datagrams,
 * octets and in capture time; what is given up is counted.
 */
#ifndef DECODERS_NET_FRAGMENTS_H
#define DECODERS_NET_FRAGMENTS_H

#include "decoders/net/packet.h"

struct fragments;

struct fragments_counts {
	uint64_t whole;         /* datagrams put together */
	uint64_t given_up;      /* datagrams whose parts were dropped: time, memory, nonsense */
	uint64_t overlaps;
};

struct fragments *fragments_new(size_t max_octets, uint64_t timeout_us);
void fragments_free(struct fragments *f);

/*
 * Takes a packet that is a fragment. True: *packet has become the whole datagram; its payload
 * lasts until the next call.
 */
bool fragments_add(struct fragments *f, struct net_packet *packet, uint64_t time_us);
struct fragments_counts fragments_count(const struct fragments *f);

#endif
