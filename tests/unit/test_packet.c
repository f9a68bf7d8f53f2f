/* SPDX-License-Identifier: MIT */
/* Frames of every link layer, tunnels, extension headers, and lengths that are not what they seem. */
#include <stdint.h>
#include <stdio.h>

#include "decoders/net/packet.h"
#include "tests/unit/edge.h"
#include "tests/unit/frames.h"

#define MACS "\x02\0\0\0\0\x01\x02\0\0\0\0\x02"
#define TEXT "these octets stand for TCP"

/* What stands in front of IP, for both versions. */
static const struct layer {
	int         link;
	struct view ipv4, ipv6;
} layers[] = {
    {1, VIEW(MACS "\x08\0"), VIEW(MACS "\x86\xdd")},
    {1, VIEW(MACS "\x81\0\0\x05\x08\0"), VIEW(MACS "\x81\0\xe0\x05\x86\xdd")},
    {1, VIEW(MACS "\x88\xa8\0\x05\x81\0\0\x06\x08\0"), VIEW(MACS "\x91\0\0\x05\x81\0\0\x06\x86\xdd")},
    {1, VIEW(MACS "\x81\0\0\x05\x81\0\0\x06\x81\0\0\x07\x08\0"), VIEW(MACS "\x91\0\0\x05\x88\xa8\0\x06\x86\xdd")},
    {1, VIEW(MACS "\0\x40\xaa\xaa\x03\0\0\0\x08\0"), VIEW(MACS "\0\x40\xaa\xaa\x03\0\0\xf8\x86\xdd")},
    {1, VIEW(MACS "\x88\x64\x11\0\0\x01\0\x48\0\x21"), VIEW(MACS "\x81\0\0\x05\x88\x64\x11\0\0\x01\0\x48\0\x57")},
    {1, VIEW(MACS "\x88\x47\0\x01\0\xff\0\x02\x01\xff"), VIEW(MACS "\x88\x48\0\x02\x01\xff")},
    {113, VIEW("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0"), VIEW("\0\x04\x03\x04\0\x06\0\0\0\0\0\0\0\0\x86\xdd")},
    {113, VIEW("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x81\0\0\x05\x08\0"),
	VIEW("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\0\x04\xaa\xaa\x03\0\0\0\x86\xdd")},
    {276, VIEW("\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0"), VIEW("\x86\xdd\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0")},
    {12, VIEW(""), VIEW("")},
    {14, VIEW(""), VIEW("")},
    {101, VIEW(""), VIEW("")},
    {228, VIEW(""), VIEW("")},
    {229, VIEW(""), VIEW("")},
    {0, VIEW("\x02\0\0\0"), VIEW("\x1e\0\0\0")},
    {0, VIEW("\0\0\0\x02"), VIEW("\0\0\0\x1c")},
    {0, VIEW("\x02\0\0\0"), VIEW("\x0a\0\0\0")},
    {108, VIEW("\0\0\0\x02"), VIEW("\0\0\0\x18")},
    {9, VIEW("\0\x21"), VIEW("\0\x57")},
    {9, VIEW("\xff\x03\0\x21"), VIEW("\x57")},
    {50, VIEW("\xff\x03\0\x21"), VIEW("\xff\x03\0\x57")},
    {50, VIEW("\xff\x03\x02\x81\0\x02\x01\xff"), VIEW("\xff\x03\x57")},
    {51, VIEW("\x11\0\0\x01\0\x48\0\x21"), VIEW("\x11\0\0\x01\0\x48\0\x57")},
};

static void
parse_ok(int link, struct view octets, size_t frame_len, struct net_packet *packet)
{
	memset(packet, 0xee, sizeof *packet);
	ck_assert_int_eq(net_packet_parse(link, octets, frame_len, packet), NET_PACKET);
}

static void
assert_addresses(const struct net_packet *packet, const char *source, const char *destination)
{
	char text[NET_ADDRESS_TEXT];

	ck_assert_uint_eq(net_address_text(&packet->source, text), strlen(source));
	ck_assert_str_eq(text, source);
	ck_assert_uint_eq(net_address_text(&packet->destination, text), strlen(destination));
	ck_assert_str_eq(text, destination);
}

/* Cut at every octet: first the headers are, then the payload is shorter, and always as long as it was. */
static void
cut_everywhere(int link, const struct frame *frame, size_t headers)
{
	struct view edge = edge_copy(frame_view(frame));

	for (size_t cut = 0; cut <= frame->len; cut++) {
		struct view       part = edge_first(edge, frame_view(frame), cut);
		struct net_packet packet;

		if (cut < headers) {
			ck_assert_int_eq(net_packet_parse(link, part, frame->len, &packet), NET_CUT);
			continue;
		}
		parse_ok(link, part, frame->len, &packet);
		ck_assert_uint_eq(packet.payload.len, cut - headers);
		ck_assert_uint_eq(packet.payload_len, frame->len - headers);
		ck_assert_uint_eq(packet.protocol, IP_TCP);
		ck_assert(!packet.fragment);
		ck_assert_int_eq(memcmp(packet.payload.at, frame->octets + headers, cut - headers), 0);
	}
	edge_free(edge);
}

START_TEST(link_layers)
{
	const struct layer *layer = &layers[_i];
	struct frame        frame = {.len = 0};
	struct net_packet   packet;

	ck_assert(net_link_known(layer->link));
	ck_assert_ptr_nonnull(net_link_name(layer->link));
	frame_add(&frame, layer->ipv4);
	frame_add_ipv4(&frame, IP_TCP, 7, 0x4000, VIEW(""), strlen(TEXT));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(layer->link, &frame, layer->ipv4.len + 20);
	parse_ok(layer->link, frame_view(&frame), frame.len, &packet);
	assert_addresses(&packet, "192.0.2.1", "198.51.100.2");
	ck_assert(!packet.tunnelled);

	frame.len = 0;
	frame_add(&frame, layer->ipv6);
	frame_add_ipv6(&frame, IP_TCP, strlen(TEXT));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(layer->link, &frame, layer->ipv6.len + 40);
	parse_ok(layer->link, frame_view(&frame), frame.len, &packet);
	assert_addresses(&packet, "2001:db8::1", "2001:db8::2");
}
END_TEST

/* Frames that are whole, and have no IP in them, or none that holds. */
static const struct {
	int             link;
	struct view     frame;
	enum net_result result;
} others[] = {
    {1, VIEW(MACS "\x08\x06\0\x01\x08\0\x06\x04"), NET_OTHER},                      /* ARP */
    {1, VIEW(MACS "\0\x26\x42\x42\x03\0\0\0\0\0"), NET_OTHER},                      /* spanning tree */
    {1, VIEW(MACS "\0\x26\xaa\xaa\x03\0\0\x0c\x20\0"), NET_OTHER},                  /* SNAP of Cisco: CDP */
    {1, VIEW(MACS "\0\x26\xaa\xaa\x03\0\0\0\0\x10"), NET_OTHER},
    {1, VIEW(MACS "\x88\x63\x11\x09\0\0\0\0"), NET_OTHER},                          /* PPPoE discovery */
    {1, VIEW(MACS "\x88\x64\x11\x09\0\0\0\0"), NET_OTHER},
    {1, VIEW(MACS "\x88\x64\x21\0\0\x01\0\x08\0\x21"), NET_BAD},
    {1, VIEW(MACS "\x88\x64\x11\0\0\x01\0\x08\xc0\x21"), NET_OTHER},                /* LCP */
    {1, VIEW(MACS "\x08\0\x35\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NET_OTHER},
    {1, VIEW(MACS "\x08\0\x44\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NET_BAD},
    {1, VIEW(MACS "\x08\0\x45\0\0\x13\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NET_BAD},
    {1, VIEW(MACS "\x08\0\x4f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), NET_BAD},
    {1, VIEW(MACS "\x88\x47\0\x01\x01\xff\0\0\0\0"), NET_OTHER},                    /* a pseudowire */
    {113, VIEW("\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\x06\0\x01"), NET_OTHER},
    {276, VIEW("\x08\x06\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0\0\x01"), NET_OTHER},
    {101, VIEW("\0"), NET_OTHER},
    {0, VIEW("\x07\0\0\0\x45"), NET_OTHER},
    {0, VIEW("\x02\x02\x02\x02\x45"), NET_OTHER},
    {9, VIEW("\x80\x21\x01"), NET_OTHER},
    {105, VIEW("\x08\0"), NET_UNKNOWN_LINK},
    {99999, VIEW("\x45"), NET_UNKNOWN_LINK},
    {-1, VIEW("\x45"), NET_UNKNOWN_LINK},
};

START_TEST(frames_without_ip)
{
	struct view       edge = edge_copy(others[_i].frame);
	struct net_packet packet;

	ck_assert_int_eq(net_packet_parse(others[_i].link, edge, edge.len, &packet), others[_i].result);
	for (size_t cut = 0; cut < others[_i].frame.len; cut++) {
		enum net_result result = net_packet_parse(
		    others[_i].link, edge_first(edge, others[_i].frame, cut), others[_i].frame.len, &packet);

		ck_assert(result == NET_CUT || result == others[_i].result);
	}
	edge_free(edge);
}
END_TEST

START_TEST(tags_without_end)
{
	struct frame      frame = {.len = 0};
	struct net_packet packet;

	frame_add(&frame, VIEW(MACS));
	for (int i = 0; i < 500; i++)
		frame_add(&frame, VIEW("\x81\0\0\x05"));
	ck_assert_int_eq(net_packet_parse(1, frame_view(&frame), frame.len, &packet), NET_BAD);
	frame.len = 0;
	frame_add(&frame, VIEW(MACS "\x88\x47"));
	for (int i = 0; i < 500; i++)
		frame_add(&frame, VIEW("\0\0\0\xff"));
	ck_assert_int_eq(net_packet_parse(1, frame_view(&frame), frame.len, &packet), NET_BAD);
	frame.len = 0;
	frame_add_ipv6(&frame, 0, 2000);
	for (int i = 0; i < 250; i++)
		frame_add(&frame, VIEW("\0\0\x01\x04\0\0\0\0"));
	ck_assert_int_eq(net_packet_parse(101, frame_view(&frame), frame.len, &packet), NET_BAD);
}
END_TEST

START_TEST(lengths)
{
	struct frame      frame = {.len = 0};
	struct net_packet packet;

	/* Ethernet pads to 60 octets: what IP says counts. */
	frame_add(&frame, VIEW(MACS "\x08\0"));
	frame_add_ipv4(&frame, IP_TCP, 7, 0, VIEW(""), 4);
	frame_add(&frame, VIEW("text and padding"));
	parse_ok(1, frame_view(&frame), frame.len, &packet);
	assert_view(packet.payload, "text");
	ck_assert_uint_eq(packet.payload_len, 4);

	/* 0: the card was to cut it up (TSO). The frame's length counts, snaplen or not. */
	frame.octets[16] = frame.octets[17] = 0;
	parse_ok(1, frame_view(&frame), frame.len, &packet);
	assert_view(packet.payload, "text and padding");
	parse_ok(1, view_first(frame_view(&frame), frame.len - 4), 40000, &packet);
	assert_view(packet.payload, "text and pad");
	ck_assert_uint_eq(packet.payload_len, 40000 - 34);

	/* More than the frame had: the capture was cut by who does not say so. */
	frame.octets[16] = 1;
	parse_ok(1, frame_view(&frame), frame.len, &packet);
	assert_view(packet.payload, "text and padding");
	ck_assert_uint_eq(packet.payload_len, 256 - 20);

	/* A frame that says it was shorter than what there is of it. */
	parse_ok(1, frame_view(&frame), 3, &packet);
	assert_view(packet.payload, "text and padding");

	frame.len = 0;
	frame_add_ipv6(&frame, IP_TCP, 4);
	frame_add(&frame, VIEW("text and padding"));
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	assert_view(packet.payload, "text");
	frame.octets[5] = 0;
	parse_ok(101, frame_view(&frame), 1000, &packet);
	assert_view(packet.payload, "text and padding");
	ck_assert_uint_eq(packet.payload_len, 960);
}
END_TEST

START_TEST(options_and_extension_headers)
{
	struct frame frame = {.len = 0};

	frame_add_ipv4(&frame, IP_TCP, 7, 0, VIEW("\x94\x04\0\0\x01\x01\x01\0"), strlen(TEXT));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(101, &frame, 28);

	/* AH, in IPv4 too. */
	frame.len = 0;
	frame_add_ipv4(&frame, 51, 7, 0, VIEW(""), 24 + strlen(TEXT));
	frame_add(&frame, VIEW("\x06\x04\0\0\0\0\0\x01\0\0\0\x01" "icvicvicvicv"));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(101, &frame, 44);

	/* Hop-by-hop, destination, routing, an atomic fragment, AH. */
	frame.len = 0;
	frame_add_ipv6(&frame, 0, 8 + 16 + 24 + 8 + 24 + strlen(TEXT));
	frame_add(&frame, VIEW("\x3c\0\x05\x02\0\0\x01\0"));
	frame_add(&frame, VIEW("\x2b\x01\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0"));
	frame_add(&frame, VIEW("\x2c\x02\0\x01\0\0\0\0" "sixteen octets.."));
	frame_add(&frame, VIEW("\x33\0\0\0\0\0\0\x09"));
	frame_add(&frame, VIEW("\x06\x04\0\0\0\0\0\x01\0\0\0\x01" "icvicvicvicv"));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(101, &frame, 40 + 80);

	/* A header that is longer than its packet. */
	struct net_packet packet;

	frame.len = 0;
	frame_add_ipv6(&frame, 60, 8);
	frame_add(&frame, VIEW("\x06\x01\x05\x02\0\0\x01\0"));
	ck_assert_int_eq(net_packet_parse(101, frame_view(&frame), frame.len, &packet), NET_BAD);
	frame.len = 0;
	frame_add_ipv6(&frame, 60, 4);
	frame_add(&frame, VIEW("\x06\x01\x05\x02\0\0\x01\0"));
	ck_assert_int_eq(net_packet_parse(101, frame_view(&frame), frame.len, &packet), NET_BAD);
	/* No next header, and one that nobody knows. */
	frame.octets[6] = 59;
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert_uint_eq(packet.protocol, 59);
}
END_TEST

START_TEST(fragments_are_named)
{
	struct frame      frame = {.len = 0};
	struct net_packet packet;

	frame_add_ipv4(&frame, IP_TCP, 0xabcd, 0x2000, VIEW(""), 4);
	frame_add(&frame, VIEW("text"));
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.fragment && packet.more);
	ck_assert_uint_eq(packet.id, 0xabcd);
	ck_assert_uint_eq(packet.offset, 0);
	frame.octets[6] = 0;
	frame.octets[7] = 5;
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.fragment && !packet.more);
	ck_assert_uint_eq(packet.offset, 40);

	/* A tunnel in fragments is not entered. */
	frame.octets[9] = 4;
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.fragment && !packet.tunnelled);
	ck_assert_uint_eq(packet.protocol, 4);

	frame.len = 0;
	frame_add_ipv6(&frame, 44, 8 + 4);
	frame_add(&frame, VIEW("\x3c\0\0\x29\x12\x34\x56\x78" "text"));
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.fragment && packet.more);
	ck_assert_uint_eq(packet.id, 0x12345678);
	ck_assert_uint_eq(packet.offset, 40);
	ck_assert_uint_eq(packet.protocol, 60);
	assert_view(packet.payload, "text");
}
END_TEST

/* What stands behind an outer IPv4 header, and what protocol it names. */
static const struct {
	uint8_t     protocol;
	bool        ipv6;               /* what is inside */
	struct view head;
} tunnels[] = {
    {4, false, VIEW("")},
    {41, true, VIEW("")},
    {47, false, VIEW("\0\0\x08\0")},
    {47, true, VIEW("\0\0\x86\xdd")},
    {47, false, VIEW("\x80\0\x08\0\xab\xcd\0\0")},                      /* checksum */
    {47, false, VIEW("\x20\0\x08\0\0\0\0\x07")},                        /* key */
    {47, false, VIEW("\xb0\0\x08\0\xab\xcd\0\0\0\0\0\x07\0\0\0\x01")},  /* and a sequence number */
    {47, false, VIEW("\0\0\x65\x58" MACS "\x08\0")},                    /* an Ethernet frame */
    {47, true, VIEW("\x20\0\x65\x58\0\0\0\x07" MACS "\x81\0\0\x05\x86\xdd")},
    {47, false, VIEW("\x30\x81\x88\x0b\0\x40\0\x01\0\0\0\x01\0\0\0\x02\xff\x03\0\x21")},        /* PPTP */
    {47, true, VIEW("\x30\x01\x88\x0b\0\x40\0\x01\0\0\0\x01\x57")},
    {47, false, VIEW("\0\0\x88\x47\0\x01\x01\xff")},
};

START_TEST(tunnels_are_entered)
{
	struct frame      frame = {.len = 0};
	struct net_packet packet;
	size_t            inner = tunnels[_i].ipv6 ? 40 : 20;

	frame_add_ipv4(&frame, tunnels[_i].protocol, 7, 0, VIEW(""), tunnels[_i].head.len + inner + strlen(TEXT));
	frame.octets[15] = 99;          /* the outer source */
	frame_add(&frame, tunnels[_i].head);
	if (tunnels[_i].ipv6)
		frame_add_ipv6(&frame, IP_TCP, strlen(TEXT));
	else
		frame_add_ipv4(&frame, IP_TCP, 8, 0, VIEW(""), strlen(TEXT));
	frame_add(&frame, VIEW(TEXT));
	cut_everywhere(101, &frame, 20 + tunnels[_i].head.len + inner);
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.tunnelled);
	if (tunnels[_i].ipv6)
		assert_addresses(&packet, "2001:db8::1", "2001:db8::2");
	else
		assert_addresses(&packet, "192.0.2.1", "198.51.100.2");
}
END_TEST

/* Tunnels that carry something else are packets all the same. */
START_TEST(tunnels_that_are_not_entered)
{
	static const struct view heads[] = {
	    VIEW("\0\0\x08\x06\0\x01"), VIEW("\x40\0\x08\0\0\0\0\0"), VIEW("\0\x02\x08\0\x45\0"),
	    VIEW("\0\0\x65\x58" MACS "\x08\x06"), VIEW("\x30\x81\x88\x0b\0\0\0\x01\0\0\0\x01\0\0\0\x02")};
	struct net_packet packet;
	struct frame      frame;

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		frame.len = 0;
		frame_add_ipv4(&frame, 47, 7, 0, VIEW(""), heads[i].len);
		frame_add(&frame, heads[i]);
		parse_ok(101, frame_view(&frame), frame.len, &packet);
		ck_assert_uint_eq(packet.protocol, 47);
		ck_assert(!packet.tunnelled);
	}
	/* One level: of a second tunnel the outer header is shown. */
	frame.len = 0;
	frame_add_ipv4(&frame, 4, 1, 0, VIEW(""), 40 + strlen(TEXT));
	frame_add_ipv4(&frame, 4, 2, 0, VIEW(""), 20 + strlen(TEXT));
	frame_add_ipv4(&frame, IP_TCP, 3, 0, VIEW(""), strlen(TEXT));
	frame_add(&frame, VIEW(TEXT));
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert(packet.tunnelled);
	ck_assert_uint_eq(packet.protocol, 4);
	ck_assert_uint_eq(packet.id, 2);
}
END_TEST

/* A TCP header inside an ICMP error is the error's, and no TCP. */
START_TEST(an_icmp_error_is_no_tcp)
{
	struct frame      frame = {.len = 0};
	struct net_packet packet;

	frame_add_ipv4(&frame, 1, 1, 0, VIEW(""), 8 + 20 + 8);
	frame_add(&frame, VIEW("\x03\x01\0\0\0\0\0\0"));
	frame_add_ipv4(&frame, IP_TCP, 3, 0, VIEW(""), 8);
	frame_add(&frame, VIEW("\x04\0\0\x19\0\0\0\x01"));
	parse_ok(101, frame_view(&frame), frame.len, &packet);
	ck_assert_uint_eq(packet.protocol, 1);
}
END_TEST

START_TEST(random_octets)
{
	uint64_t state = 5;

	for (int round = 0; round < 100000; round++) {
		static const int  links[] = {0, 1, 9, 12, 50, 51, 101, 108, 113, 276};
		struct net_packet packet;
		char              octets[96];
		size_t            len;
		char             *copy;

		for (size_t i = 0; i < sizeof octets; i++) {
			state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			/* Mostly octets that mean something somewhere. */
			octets[i] = state >> 60 < 6 ? (char)(state >> 40) : "\x45\x60\x08\x86\xdd\x81\0\x2f\x04\x29\x2c\x3c\x03\xaa\x47\x11"[state >> 60];
		}
		len = (size_t)(state >> 33) % sizeof octets;
		copy = malloc(len + (len == 0));
		memcpy(copy, octets, len);
		if (net_packet_parse(links[round % 10], (struct view){copy, len}, len + (state >> 50) % 9, &packet) == NET_PACKET) {
			ck_assert(packet.payload.len == 0 || (packet.payload.at >= copy && packet.payload.at + packet.payload.len <= copy + len));
			ck_assert_uint_le(packet.payload.len, packet.payload_len);
		}
		free(copy);
	}
}
END_TEST

START_TEST(names_of_links)
{
	ck_assert_str_eq(net_link_name(1), "Ethernet");
	ck_assert_str_eq(net_link_name(105), "IEEE 802.11");
	ck_assert(!net_link_known(105));
	ck_assert_ptr_null(net_link_name(4711));
	ck_assert(!net_link_known(4711));
}
END_TEST

/* Addresses as text, and from text; canon NULL: no address. */
static const struct {
	const char *text, *canon;
} addresses[] = {
    {"192.0.2.1", "192.0.2.1"},
    {"0.0.0.0", "0.0.0.0"},
    {"255.255.255.255", "255.255.255.255"},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
    {"2001:db8::1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
    {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
    {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
    {"::FFFF:c000:201", "::ffff:192.0.2.1"},
    {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"},
    {"", NULL},
    {"192.0.2", NULL},
    {"192.0.2.256", NULL},
    {"192.0.2.01", NULL},
    {"192.0.2.1 ", NULL},
    {"192.0.2.1.2", NULL},
    {"192.0.2.", NULL},
    {"1234.0.2.1", NULL},
    {":", NULL},
    {":::", NULL},
    {"::1::", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"1:2:3:4:5:6:7:8::", NULL},
    {"1:2:3:4:5:6:7:", NULL},
    {":1:2:3:4:5:6:7", NULL},
    {"12345::", NULL},
    {"::g", NULL},
    {"::192.0.2", NULL},
    {"1:2:3:4:5:6:7:192.0.2.1", NULL},
    {"[::1]", NULL},
    {"mx.example.org", NULL},
};

START_TEST(texts_of_addresses)
{
	struct view        text = edge_copy(view_of(addresses[_i].text));
	struct net_address address, again;
	char               canon[NET_ADDRESS_TEXT];

	ck_assert_int_eq(net_address_parse(text, &address), addresses[_i].canon != NULL);
	edge_free(text);
	if (addresses[_i].canon == NULL) {
		ck_assert_uint_eq(address.family, 0);
		return;
	}
	ck_assert_uint_eq(net_address_text(&address, canon), strlen(addresses[_i].canon));
	ck_assert_str_eq(canon, addresses[_i].canon);
	ck_assert(net_address_parse(view_of(canon), &again));
	ck_assert(net_address_equal(&address, &again));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("packet");
	TCase *tcase = tcase_create("packet");

	tcase_add_loop_test(tcase, link_layers, 0, sizeof layers / sizeof *layers);
	tcase_add_loop_test(tcase, frames_without_ip, 0, sizeof others / sizeof *others);
	tcase_add_test(tcase, tags_without_end);
	tcase_add_test(tcase, lengths);
	tcase_add_test(tcase, options_and_extension_headers);
	tcase_add_test(tcase, fragments_are_named);
	tcase_add_loop_test(tcase, tunnels_are_entered, 0, sizeof tunnels / sizeof *tunnels);
	tcase_add_test(tcase, tunnels_that_are_not_entered);
	tcase_add_test(tcase, an_icmp_error_is_no_tcp);
	tcase_add_test(tcase, random_octets);
	tcase_add_test(tcase, names_of_links);
	tcase_add_loop_test(tcase, texts_of_addresses, 0, sizeof addresses / sizeof *addresses);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
