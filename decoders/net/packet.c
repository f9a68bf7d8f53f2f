/* SPDX-License-Identifier: MIT */
/*
 * The IP packet of a frame: its headers, what they say of lengths, and what is in one tunnel
 * below. Link layers are link.c's.
 *
 * Lengths: the header's counts, since frames are padded; where it says 0, the sender left
 * segmentation to its card (TSO) and the frame's counts; where it says more than the frame
 * has, the capture was cut.
 */
#include "decoders/net/packet.h"
#include "decoders/net/link.h"
#include "decoders/net/octets.h"

/* IP protocol numbers, and IPv6 extension headers, which share them (RFC 8200 4). */
enum {
	IP_HOP_BY_HOP = 0, IP_IPV4 = 4, IP_IPV6 = 41, IP_ROUTING = 43, IP_FRAGMENT = 44, IP_GRE = 47, IP_AH = 51,
	IP_DESTINATION = 60, IP_MOBILITY = 135, IP_HIP = 139, IP_SHIM6 = 140
};

/* More extension headers than any host sends (RFC 8504 5.3 lets a host give up long before). */
#define MAX_EXTENSIONS 16

static enum net_result read_ip(struct view octets, size_t wire, struct net_packet *packet);
static enum net_result read_extensions(struct net_packet *packet);

/* What the headers leave of the frame is the payload. */
static inline void
set_payload(struct net_packet *packet, struct view octets, size_t wire)
{
	packet->payload = octets;
	packet->payload_len = wire;
}

static enum net_result
read_ipv4(struct view octets, size_t wire, struct net_packet *packet)
{
	const char *at = octets.at;
	size_t      header, total;
	unsigned    fragment;

	if (octets.len < 20)
		return NET_CUT;
	header = (size_t)(octet_at(at) & 15) * 4;
	total = be16_at(at + 2);
	if (header < 20 || (total != 0 && total < header))
		return NET_BAD;
	/* What is behind the packet is padding; what the capture lacks of it, it lacks (snaplen). */
	if (total != 0) {
		octets = view_first(octets, total);
		wire = total;
	}
	if (octets.len < header)
		return wire < header ? NET_BAD : NET_CUT;
	memset(&packet->source, 0, sizeof packet->source);
	memset(&packet->destination, 0, sizeof packet->destination);
	packet->source.family = packet->destination.family = 4;
	memcpy(packet->source.octets, at + 12, 4);
	memcpy(packet->destination.octets, at + 16, 4);
	packet->protocol = octet_at(at + 9);
	fragment = be16_at(at + 6);
	packet->more = (fragment & 0x2000) != 0;
	packet->offset = (fragment & 0x1fff) * 8;
	packet->fragment = packet->more || packet->offset != 0;
	packet->id = be16_at(at + 4);
	set_payload(packet, view_from(octets, header), wire - header);
	return packet->protocol == IP_AH && !packet->fragment ? read_extensions(packet) : NET_PACKET;
}

/* Extension headers, from the one that packet->protocol names (RFC 8200 4). */
static enum net_result
read_extensions(struct net_packet *packet)
{
	struct net_rest rest = {packet->payload, packet->payload_len};

	for (int headers = 0; headers < MAX_EXTENSIONS; headers++) {
		size_t length = 8;

		switch (packet->protocol) {
		case IP_HOP_BY_HOP:
		case IP_ROUTING:
		case IP_DESTINATION:
		case IP_MOBILITY:
		case IP_HIP:
		case IP_SHIM6:
		case IP_AH:
		case IP_FRAGMENT:
			break;
		default:
			set_payload(packet, rest.octets, rest.wire);
			return NET_PACKET;
		}
		if (rest.octets.len < 8)
			return rest.wire < 8 ? NET_BAD : NET_CUT;
		if (packet->protocol == IP_FRAGMENT) {
			unsigned fragment = be16_at(rest.octets.at + 2);

			packet->more = (fragment & 1) != 0;
			packet->offset = fragment & 0xfff8;
			packet->id = be32_at(rest.octets.at + 4);
			/* An atomic fragment is whole (RFC 6946). */
			packet->fragment = packet->more || packet->offset != 0;
		} else if (packet->protocol == IP_AH) {
			length = ((size_t)octet_at(rest.octets.at + 1) + 2) * 4;        /* RFC 4302 2.2 */
		} else {
			length = ((size_t)octet_at(rest.octets.at + 1) + 1) * 8;
		}
		if (length > rest.wire)
			return NET_BAD;
		if (length > rest.octets.len)
			return NET_CUT;
		packet->protocol = octet_at(rest.octets.at);
		net_rest_skip(&rest, length);
		if (packet->fragment) {
			set_payload(packet, rest.octets, rest.wire);
			return NET_PACKET;
		}
	}
	return NET_BAD;
}

static enum net_result
read_ipv6(struct view octets, size_t wire, struct net_packet *packet)
{
	const char *at = octets.at;
	size_t      length;

	if (octets.len < 40)
		return NET_CUT;
	packet->source.family = packet->destination.family = 6;
	memcpy(packet->source.octets, at + 8, 16);
	memcpy(packet->destination.octets, at + 24, 16);
	packet->fragment = packet->more = false;
	packet->id = packet->offset = 0;
	packet->protocol = octet_at(at + 6);
	length = be16_at(at + 4);
	octets = view_from(octets, 40);
	wire -= 40;
	if (length != 0) {      /* or TSO, or a jumbogram (RFC 2675): the frame's */
		octets = view_first(octets, length);
		wire = length;
	}
	set_payload(packet, octets, wire);
	return read_extensions(packet);
}

/* RFC 2784 and 2890; version 1 is PPTP's (RFC 2637). *rest is left at the IP header in it. */
static enum net_result
gre_strip(struct net_rest *rest)
{
	unsigned flags, type;
	size_t   length = 4;

	if (rest->octets.len < 4)
		return NET_CUT;
	flags = be16_at(rest->octets.at);
	type = be16_at(rest->octets.at + 2);
	if ((flags & 7) > 1 || (flags & 0x4000) != 0)   /* RFC 1701's source routes are gone */
		return NET_OTHER;
	for (unsigned bit = 0x8000; bit >= 0x1000; bit >>= 1)
		length += (flags & bit) != 0 ? 4 : 0;
	if ((flags & 7) == 1 && (flags & 0x0080) != 0)
		length += 4;
	if (rest->octets.len < length)
		return NET_CUT;
	net_rest_skip(rest, length);
	if (type == ETHERTYPE_BRIDGED)
		return net_ethernet_strip(rest);
	if (type == ETHERTYPE_PPP_GRE)
		return rest->wire == 0 ? NET_OTHER : net_ppp_strip(rest);    /* an ACK alone */
	return net_ethertype_strip(type, rest);
}

/* What a tunnel carries becomes the packet; of a second one inside, the outer header is shown. */
static enum net_result
enter_tunnel(struct net_packet *packet)
{
	struct net_rest   rest = {packet->payload, packet->payload_len};
	struct net_packet inside = {.tunnelled = true};
	enum net_result   result = NET_PACKET;

	if (packet->fragment || packet->tunnelled)
		return NET_PACKET;
	switch (packet->protocol) {
	case IP_GRE:
		result = gre_strip(&rest);
		break;
	case IP_IPV4:
	case IP_IPV6:
		break;
	default:
		return NET_PACKET;
	}
	if (result == NET_PACKET)
		result = read_ip(rest.octets, rest.wire, &inside);
	if (result == NET_OTHER)
		return NET_PACKET;
	if (result == NET_PACKET)
		*packet = inside;
	return result;
}

/*
 * Reads one IP header and its extensions; a tunnel is entered by who called. Octets and their number on
 * the wire come in registers: a struct of both, half of it just written, waits for all writes in front.
 */
static enum net_result
read_ip(struct view octets, size_t wire, struct net_packet *packet)
{
	if (octets.len == 0)
		return NET_CUT;
	switch (octet_at(octets.at) >> 4) {
	case 4:
		return read_ipv4(octets, wire, packet);
	case 6:
		return read_ipv6(octets, wire, packet);
	default:
		return NET_BAD;
	}
}

enum net_result
net_packet_parse(int linktype, struct view frame, size_t frame_len, struct net_packet *packet)
{
	struct net_rest rest = {frame, frame_len > frame.len ? frame_len : frame.len};
	enum net_result result = net_link_strip(linktype, &rest);

	if (result != NET_PACKET)
		return result;
	packet->tunnelled = false;
	result = read_ip(rest.octets, rest.wire, packet);
	if (result != NET_PACKET || packet->protocol == IP_TCP)
		return result;
	return enter_tunnel(packet);
}

enum net_result
net_packet_continue(struct net_packet *packet)
{
	enum net_result result = NET_PACKET;

	packet->fragment = packet->more = false;
	packet->offset = 0;
	if (packet->source.family == 6 || packet->protocol == IP_AH)
		result = read_extensions(packet);
	return result == NET_PACKET ? enter_tunnel(packet) : result;
}
