/* SPDX-License-Identifier: MIT */
/*
 * One direction of a TCP connection, put in order (RFC 9293 3.4): any order, duplicates,
 * overlaps (the first octet seen stays), sequence wrap, keep-alives and zero-window probes
 * that add nothing. A hole is a gap when the other side has acknowledged what is missing,
 * and not earlier; or when the ceiling says that no more can be kept.
 *
 * In order and nothing kept, nothing is copied: what came is handed on from where it lies.
 */
#ifndef DECODERS_NET_STREAM_H
#define DECODERS_NET_STREAM_H

#include "decoders/net/segment.h"

enum stream_news_type {
	STREAM_DATA,            /* octets, the next in order */
	STREAM_GAP,             /* count octets are not in the capture */
	STREAM_OVERLAP,         /* count octets came twice with other contents: the first stay */
	STREAM_FIN,
	STREAM_RESET
};

struct stream_news {
	enum stream_news_type type;
	struct view           octets;   /* DATA: until the next call for this stream */
	uint64_t              count;
};

struct tcp_stream {
	struct stream_piece *pieces;    /* out of order, by sequence number; owned */
	size_t   kept;                  /* octets in pieces */
	uint32_t next;                  /* sequence number of the next octet in order */
	uint32_t fin;                   /* sequence number of FIN, where fin_seen */
	bool     begun;                 /* next is known: by SYN, or by the first octets (mid-stream) */
	bool     midstream;             /* begun without SYN */
	bool     fin_seen, ended;
	/* private: what the present segment has left to tell */
	struct view present;
	uint64_t gap, overlap;
	uint32_t acked;
	bool     acked_known, reset;
};

void tcp_stream_init(struct tcp_stream *stream);
void tcp_stream_clear(struct tcp_stream *stream);

/* Takes a segment of this direction. max_kept: octets kept out of order before a hole is given up. */
void tcp_stream_segment(struct tcp_stream *stream, const struct tcp_segment *segment, size_t max_kept);

/* The other side has acknowledged everything before ack: what of it is missing will not come. */
void tcp_stream_acknowledged(struct tcp_stream *stream, uint32_t ack);

/* The capture ends: what is kept out of order comes now, behind the gaps in front of it. */
void tcp_stream_flush(struct tcp_stream *stream);

/* What is new, one thing a call, in order; false: nothing more. Call it until then. */
bool tcp_stream_next(struct tcp_stream *stream, struct stream_news *news);

#endif
