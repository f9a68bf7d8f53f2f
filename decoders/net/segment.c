/* SPDX-License-Identifier: MIT */
/* The header of a TCP segment. Options are stepped over: reassembly needs none of them. */
#include "decoders/net/segment.h"
#include "decoders/net/octets.h"

#define TCP_HEADER 20

bool
tcp_segment_parse(struct view payload, size_t payload_len, struct tcp_segment *segment)
{
	const char *at = payload.at;
	size_t      header;

	if (payload.len < TCP_HEADER)
		return false;
	header = (size_t)(octet_at(at + 12) >> 4) * 4;
	if (header < TCP_HEADER || header > payload_len)
		return false;
	segment->source_port = be16_at(at);
	segment->destination_port = be16_at(at + 2);
	segment->seq = be32_at(at + 4);
	segment->ack = be32_at(at + 8);
	segment->flags = octet_at(at + 13);
	segment->window = be16_at(at + 14);
	segment->data = view_from(payload, header);
	segment->data_len = payload_len - header;
	return true;
}
