/* SPDX-License-Identifier: MIT */
/* A TCP segment taken apart (RFC 9293 3.1). */
#ifndef DECODERS_NET_SEGMENT_H
#define DECODERS_NET_SEGMENT_H

#include <stdint.h>

#include "decoders/view.h"

enum tcp_flag { TCP_FIN = 1, TCP_SYN = 2, TCP_RST = 4, TCP_PSH = 8, TCP_ACK = 16 };

struct tcp_segment {
	uint16_t    source_port, destination_port;
	uint32_t    seq, ack;
	uint16_t    window;
	uint8_t     flags;              /* enum tcp_flag */
	struct view data;               /* as far as it was captured */
	size_t      data_len;           /* as long as it was on the wire */
};

/* payload_len: as long as it was on the wire. False: too short, or a header that lies. */
bool tcp_segment_parse(struct view payload, size_t payload_len, struct tcp_segment *segment);

#endif
