/* SPDX-License-Identifier: MIT */
/*
 * The link layers, a row each (https://www.tcpdump.org/linktypes.html), and what they carry
 * between them and IP: tags, labels, PPPoE. All end in the same words, Ethernet types or an
 * IP header that says its own version, so a frame costs one step for each header in it.
 */
#include "decoders/net/link.h"
#include "decoders/net/octets.h"

/* Nested tags and labels: more than any network has, and an end for nonsense. */
#define MAX_TAGS 16

/* IP without a word in front that says which: the version tells. */
static enum net_result
raw_strip(struct net_rest *rest)
{
	if (rest->octets.len == 0)
		return NET_CUT;
	switch (octet_at(rest->octets.at) >> 4) {
	case 4:
	case 6:
		return NET_PACKET;
	default:
		return NET_OTHER;
	}
}

/* IEEE 802.2: of all of it only SNAP with an Ethernet type in it carries IP (RFC 1042). */
static enum net_result
llc_strip(struct net_rest *rest)
{
	static const char snap[] = {'\xaa', '\xaa', 3, 0, 0};
	const char       *at = rest->octets.at;
	unsigned          type;

	if (rest->octets.len < 8)
		return NET_CUT;
	/* 00-00-00, or 00-00-f8 of bridges (RFC 1042, IEEE 802.1H). */
	if (memcmp(at, snap, sizeof snap) != 0 || (octet_at(at + 5) != 0 && octet_at(at + 5) != 0xf8))
		return NET_OTHER;
	type = be16_at(at + 6);
	net_rest_skip(rest, 8);
	return type < 1536 ? NET_OTHER : net_ethertype_strip(type, rest);
}

/* RFC 1661 and 1662: with address and control or without, the protocol in one octet or two. */
enum net_result
net_ppp_strip(struct net_rest *rest)
{
	unsigned protocol;

	if (rest->octets.len >= 2 && octet_at(rest->octets.at) == 0xff && octet_at(rest->octets.at + 1) == 3)
		net_rest_skip(rest, 2);
	if (rest->octets.len < 2)
		return NET_CUT;
	protocol = octet_at(rest->octets.at);
	if (protocol & 1) {
		net_rest_skip(rest, 1);
	} else {
		protocol = be16_at(rest->octets.at);
		net_rest_skip(rest, 2);
	}
	switch (protocol) {
	case 0x0021:
	case 0x0057:
		return raw_strip(rest);
	case 0x0281:
		return net_ethertype_strip(0x8847, rest);
	default:
		return NET_OTHER;
	}
}

/* RFC 2516 4: version and type, code (0 in a session), session, length. */
static enum net_result
pppoe_strip(struct net_rest *rest)
{
	if (rest->octets.len < 6)
		return NET_CUT;
	if (octet_at(rest->octets.at) != 0x11)
		return NET_BAD;
	if (octet_at(rest->octets.at + 1) != 0)
		return NET_OTHER;
	net_rest_skip(rest, 6);
	return net_ppp_strip(rest);
}

/* RFC 3032 2.1: the label at the bottom has a bit for it; what is below says its version itself. */
static enum net_result
mpls_strip(struct net_rest *rest)
{
	for (int labels = 0; labels < MAX_TAGS; labels++) {
		bool bottom;

		if (rest->octets.len < 4)
			return NET_CUT;
		bottom = octet_at(rest->octets.at + 2) & 1;
		net_rest_skip(rest, 4);
		if (bottom)
			return raw_strip(rest);
	}
	return NET_BAD;
}

enum net_result
net_ethertype_strip(unsigned type, struct net_rest *rest)
{
	for (int tags = 0; tags < MAX_TAGS; tags++) {
		switch (type) {
		case ETHERTYPE_IPV4:
		case ETHERTYPE_IPV6:
			return raw_strip(rest);
		case 0x8100:    /* IEEE 802.1Q */
		case 0x88a8:    /* IEEE 802.1ad: QinQ */
		case 0x9100:    /* QinQ of before there was a number for it */
			if (rest->octets.len < 4)
				return NET_CUT;
			type = be16_at(rest->octets.at + 2);
			net_rest_skip(rest, 4);
			break;
		case 0x8847:
		case 0x8848:
			return mpls_strip(rest);
		case 0x8864:
			return pppoe_strip(rest);
		default:
			/* A length in the place of a type (IEEE 802.3 3.2.6). */
			return type <= 1500 ? llc_strip(rest) : NET_OTHER;
		}
	}
	return NET_BAD;
}

enum net_result
net_ethernet_strip(struct net_rest *rest)
{
	unsigned type;

	if (rest->octets.len < 14)
		return NET_CUT;
	type = be16_at(rest->octets.at + 12);
	net_rest_skip(rest, 14);
	return net_ethertype_strip(type, rest);
}

/* Linux "any", first version: kind of packet, device type, address of the sender, protocol. */
static enum net_result
cooked_strip(struct net_rest *rest)
{
	unsigned type;

	if (rest->octets.len < 16)
		return NET_CUT;
	type = be16_at(rest->octets.at + 14);
	net_rest_skip(rest, 16);
	return net_ethertype_strip(type, rest);
}

/* And the second: the protocol comes first. */
static enum net_result
cooked2_strip(struct net_rest *rest)
{
	unsigned type;

	if (rest->octets.len < 20)
		return NET_CUT;
	type = be16_at(rest->octets.at);
	net_rest_skip(rest, 20);
	return net_ethertype_strip(type, rest);
}

/*
 * BSD loopback: the address family in the order of the host that captured; of LOOP, in network
 * order. A family is a small number, so that its place tells the order for both. IPv6 has
 * another number on every system.
 */
static enum net_result
loopback_strip(struct net_rest *rest)
{
	uint32_t family;

	if (rest->octets.len < 4)
		return NET_CUT;
	family = be32_at(rest->octets.at);
	if (family > 0xffff)
		family = (family >> 24 & 0xff) | (family >> 8 & 0xff00);
	net_rest_skip(rest, 4);
	switch (family) {
	case 2:
	case 10:        /* Linux */
	case 24:        /* NetBSD, OpenBSD */
	case 28:        /* FreeBSD */
	case 30:        /* macOS */
		return raw_strip(rest);
	default:
		return NET_OTHER;
	}
}

static const struct {
	int         type;               /* LINKTYPE_, or DLT_ where Linux differs */
	enum net_result (*strip)(struct net_rest *rest);       /* NULL: it has a name here, no more */
	const char *name;
} links[] = {
    {1,   net_ethernet_strip, "Ethernet"},
    {113, cooked_strip,       "Linux cooked v1"},
    {276, cooked2_strip,      "Linux cooked v2"},
    {101, raw_strip,          "raw IP"},
    {12,  raw_strip,          "raw IP"},
    {14,  raw_strip,          "raw IP"},
    {228, raw_strip,          "raw IPv4"},
    {229, raw_strip,          "raw IPv6"},
    {0,   loopback_strip,     "BSD loopback"},
    {108, loopback_strip,     "OpenBSD loopback"},
    {9,   net_ppp_strip,      "PPP"},
    {50,  net_ppp_strip,      "PPP in HDLC framing"},
    {51,  pppoe_strip,        "PPPoE"},
    {6,   NULL, "Token Ring"},
    {10,  NULL, "FDDI"},
    {104, NULL, "Cisco HDLC"},
    {105, NULL, "IEEE 802.11"},
    {107, NULL, "Frame Relay"},
    {117, NULL, "OpenBSD pflog"},
    {119, NULL, "IEEE 802.11 with a Prism header"},
    {122, NULL, "IP over Fibre Channel"},
    {127, NULL, "IEEE 802.11 with radiotap"},
    {147, NULL, "for private use"},
    {163, NULL, "IEEE 802.11 with an AVS header"},
    {187, NULL, "Bluetooth HCI"},
    {189, NULL, "USB of Linux"},
    {192, NULL, "PPI"},
    {195, NULL, "IEEE 802.15.4"},
    {220, NULL, "USB of Linux, padded"},
    {227, NULL, "CAN of Linux"},
    {239, NULL, "Linux netfilter log"},
    {249, NULL, "USBPcap"},
    {252, NULL, "Wireshark upper PDU"},
    {253, NULL, "Linux netlink"},
    {258, NULL, "Apple pktap"},
};

enum net_result
net_link_strip(int linktype, struct net_rest *rest)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].type == linktype)
			return links[i].strip == NULL ? NET_UNKNOWN_LINK : links[i].strip(rest);
	return NET_UNKNOWN_LINK;
}

bool
net_link_known(int linktype)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].type == linktype)
			return links[i].strip != NULL;
	return false;
}

const char *
net_link_name(int linktype)
{
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (links[i].type == linktype)
			return links[i].name;
	return NULL;
}
