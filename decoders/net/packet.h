/* SPDX-License-Identifier: MIT */
/*
 * From a captured frame to the IP packet in it: link layers, VLAN tags, PPPoE, one tunnel
 * (GRE, IP in IP), IPv4 and IPv6 with their extension headers. Checksums are not asked for:
 * captures of a sending host have none (offload).
 */
#ifndef DECODERS_NET_PACKET_H
#define DECODERS_NET_PACKET_H

#include <stdint.h>

#include "decoders/view.h"

struct net_address {
	uint8_t family;         /* 4 or 6 */
	uint8_t octets[16];     /* 4 or 16 of them, in network order; the rest 0 */
};

struct net_packet {
	struct net_address source, destination;
	uint8_t     protocol;           /* of what payload is: IP_TCP, ... */
	struct view payload;            /* behind the IP headers, as far as it was captured */
	size_t      payload_len;        /* as long as it was on the wire; more than payload.len: cut (snaplen) */
	bool        fragment;           /* payload is a part: see fragments.h */
	bool        more;               /* fragment: others follow it */
	uint32_t    id;                 /* fragment: which datagram's */
	uint32_t    offset;             /* fragment: where in it, in octets */
	bool        tunnelled;          /* this packet was in another one */
};

#define IP_TCP 6        /* of protocol */

enum net_result {
	NET_PACKET,
	NET_OTHER,              /* a frame, but no IP in it */
	NET_CUT,                /* the capture ends inside the headers */
	NET_BAD,                /* headers that contradict themselves */
	NET_UNKNOWN_LINK        /* this link layer is not known */
};

/*
 * linktype: as in the capture file (LINKTYPE_), or as libpcap says it (DLT_). frame_len: as long
 * as it was on the wire. *packet borrows from the frame; it is filled in where NET_PACKET is said.
 */
enum net_result net_packet_parse(int linktype, struct view frame, size_t frame_len, struct net_packet *packet);

/* Reads on in a datagram that was put together: extension headers and a tunnel may stand in it. */
enum net_result net_packet_continue(struct net_packet *packet);

/* Whether net_packet_parse knows the link layer, and its name; NULL: it has none here. */
bool net_link_known(int linktype);
const char *net_link_name(int linktype);

static inline bool
net_address_equal(const struct net_address *a, const struct net_address *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* "192.0.2.1" or "2001:db8::1", RFC 5952; returns its length. */
#define NET_ADDRESS_TEXT 46
size_t net_address_text(const struct net_address *address, char text[NET_ADDRESS_TEXT]);
/* The same with a port: "192.0.2.1:25", "[2001:db8::1]:25". */
#define NET_END_TEXT (NET_ADDRESS_TEXT + 8)
size_t net_end_text(const struct net_address *address, uint16_t port, char text[NET_END_TEXT]);
/* From text, with nothing around it; false: it is no address. */
bool net_address_parse(struct view text, struct net_address *address);

#endif
