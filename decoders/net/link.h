/* SPDX-License-Identifier: MIT */
/*
 * The link layers: what stands between the start of a frame and its IP header. Inside this
 * room only; others ask net_packet_parse.
 */
#ifndef DECODERS_NET_LINK_H
#define DECODERS_NET_LINK_H

#include "decoders/net/packet.h"

/* What is left to read of a frame: the octets that the capture has, and how many the wire had. */
struct net_rest {
	struct view octets;
	size_t      wire;               /* at least octets.len */
};

static inline void
net_rest_skip(struct net_rest *rest, size_t n)
{
	rest->octets = view_from(rest->octets, n);
	rest->wire = n < rest->wire ? rest->wire - n : 0;
}

#define ETHERTYPE_IPV4     0x0800
#define ETHERTYPE_IPV6     0x86dd
#define ETHERTYPE_BRIDGED  0x6558       /* GRE: an Ethernet frame (RFC 1701) */
#define ETHERTYPE_PPP_GRE  0x880b       /* GRE version 1: PPTP (RFC 2637) */

/* Leave *rest at the IP header, and say NET_PACKET; or why there is none. */
enum net_result net_link_strip(int linktype, struct net_rest *rest);
enum net_result net_ethernet_strip(struct net_rest *rest);
enum net_result net_ppp_strip(struct net_rest *rest);
/* The same behind a header that names an Ethernet type: VLAN tags, PPPoE and MPLS are stepped over. */
enum net_result net_ethertype_strip(unsigned type, struct net_rest *rest);

#endif
