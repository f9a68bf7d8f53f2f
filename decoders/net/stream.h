/* SPDX-License-Identifier: MIT */
/*
 * One direction of a TCP connection, put in order (RFC 9293 3.4): any order, duplicates,
 * overlaps (the first octet seen stays), sequence wrap, keep-alives and zero-window probes
 * that add nothing. A hole is a gap when the other side has acknowledged what is missing,
 * and not earlier; or when the ceiling says that no more can be kept.
 *
 * In order and nothing kept, nothing is copied: what came is handed on from where it lies.
 *
 * For each segment of A:
 *
 *	tcp_stream_acknowledged(&b, segment.ack)        where it has TCP_ACK; then tcp_stream_next(&b)
 *	tcp_stream_segment(&a, &segment, max_kept)      then tcp_stream_next(&a)
 *
 * tcp_stream_next is called until it says false, each time. Where the segment is a SYN with an
 * ACK, tcp_stream_begin(&b, segment.ack) instead tells where b began, should its SYN be missing.
 */
#ifndef DECODERS_NET_STREAM_H
#define DECODERS_NET_STREAM_H

#include "decoders/net/history.h"
#include "decoders/net/segment.h"

enum stream_news_type {
	STREAM_DATA,            /* octets, the next in order */
	STREAM_GAP,             /* count octets are not in the capture; gaps may follow each other */
	STREAM_OVERLAP,         /* count octets came twice with other contents: the first stay */
	STREAM_FIN,
	STREAM_RESET            /* maybe behind FIN; nothing comes after it */
};

struct stream_news {
	enum stream_news_type type;
	struct view           octets;   /* DATA: until the next call for this stream */
	uint64_t              count;
};

/* 0 up to the octets of its history is a stream of which nothing is known: tcp_stream_init says no more. */
struct tcp_stream {
	struct stream_piece *pieces;    /* out of order, by sequence number; owned */
	size_t   kept;                  /* memory that pieces take, in octets */
	uint32_t next;                  /* sequence number of the next octet in order */
	uint32_t fin;                   /* sequence number of FIN, where fin_seen */
	uint32_t start;                 /* sequence number of the first octet, where begun */
	uint32_t strays;                /* segments and ACKs that cannot be of this connection: ignored */
	bool     begun;                 /* next is known: by SYN, or by the first octets (mid-stream) */
	bool     midstream;             /* begun without SYN */
	bool     fin_seen, ended;       /* ended: FIN or RESET was told */
	/* private: what there is left to tell */
	bool     pending, acked_known, flushing, reset, reset_told;
	uint32_t acked;                 /* the other side has everything before it */
	uint32_t end;                   /* the wire had everything before it */
	uint64_t overlap;
	size_t   max_kept;
	struct view present;            /* of the segment that came last, in order */
	struct stream_piece *shown;     /* what the last DATA looks into; owned */
	struct stream_piece *latest;    /* where the last piece was put: the next goes there mostly */
	struct stream_history history;
};

void tcp_stream_init(struct tcp_stream *stream);
void tcp_stream_clear(struct tcp_stream *stream);

/* The first octet has this sequence number: for what another segment tells than the first of this side. */
void tcp_stream_begin(struct tcp_stream *stream, uint32_t seq);

/*
 * Takes a segment of this direction, which must last until tcp_stream_next has said false.
 * max_kept: octets kept out of order before a hole is given up.
 */
void tcp_stream_segment(struct tcp_stream *stream, const struct tcp_segment *segment, size_t max_kept);

/* The other side has acknowledged everything before ack: what of it is missing will not come. */
void tcp_stream_acknowledged(struct tcp_stream *stream, uint32_t ack);

/* The capture ends: what is kept out of order comes now, behind the gaps in front of it. */
void tcp_stream_flush(struct tcp_stream *stream);

/* What is new, one thing a call, in order; false: nothing more. Call it until then. */
bool tcp_stream_news(struct tcp_stream *stream, struct stream_news *news);
static inline bool
tcp_stream_next(struct tcp_stream *stream, struct stream_news *news)
{
	/* Of most ACKs there is nothing to tell. */
	return stream->pending && tcp_stream_news(stream, news);
}

#endif
