/* SPDX-License-Identifier: MIT */
/* A TCP segment in an IP packet, made from its parts, with checksums (RFC 791, RFC 8200, RFC 9293 3.1). */
#ifndef OUTPUTS_PACKET_H
#define OUTPUTS_PACKET_H

#include <stdint.h>
#include <sys/socket.h>

#include "decoders/view.h"

#define PACKET_DATA_MAX 1460u           /* octets of data: what fits into a frame of Ethernet over IPv4 */
#define PACKET_MAX      (40u + 20u + PACKET_DATA_MAX)

/* One end of a connection. IPv4 addresses are the last 4 octets. */
struct packet_end {
	uint8_t  address[16];
	uint16_t port;
};

/* The two ends of a connection, in one family of addresses. */
struct packet_ends {
	struct packet_end end[2];
	bool              six;
};

enum packet_flag { PACKET_FIN = 1, PACKET_SYN = 2, PACKET_RST = 4, PACKET_PSH = 8, PACKET_ACK = 16 };

struct packet_segment {
	unsigned    from;       /* which end sends it */
	uint32_t    seq, ack;
	uint8_t     flags;      /* enum packet_flag */
	uint16_t    id;         /* of the datagram; IPv4 */
	struct view data;       /* PACKET_DATA_MAX octets at most */
};

/*
 * The ends by their addresses, either of which may be NULL (0.0.0.0 or ::, port 0). IPv4 in IPv6
 * (::ffff:192.0.2.1) is IPv4, unless the other end is not.
 */
void packet_ends_of(struct packet_ends *ends, const struct sockaddr *client, const struct sockaddr *server);

/* Returns how many octets of out it takes. */
size_t packet_build(uint8_t out[PACKET_MAX], const struct packet_ends *ends, const struct packet_segment *segment);

#endif
