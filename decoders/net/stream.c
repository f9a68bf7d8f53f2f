/* SPDX-License-Identifier: MIT */
/*
 * Reassembly. Sequence numbers are compared by their distance, which is right as long as
 * nothing is further off than a window can be; what is, belongs to no connection of ours.
 *
 * Invariant between calls: pieces are sorted, do not touch what is in front of next, and do
 * not overlap. While there are none, a segment in order is handed on as it lies.
 */
#include "decoders/net/stream.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

struct stream_piece {
	struct stream_piece *after;
	uint32_t             seq, len;
	char                 octets[];
};

/* The largest window that there is (RFC 7323 2.2). */
#define MAX_WINDOW (1 << 30)

/* How far a lies behind b; negative: in front of it. */
static inline int32_t
distance(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* A piece's price: small ones count as more than they are, so that their number is bounded too. */
static size_t
cost_of(uint32_t len)
{
	return sizeof(struct stream_piece) + (len < 64 ? 64 : len);
}

void
tcp_stream_init(struct tcp_stream *stream)
{
	/* What octets a history has is said in front of them. */
	memset(stream, 0, offsetof(struct tcp_stream, history.octets));
}

static void
drop_pieces(struct tcp_stream *stream)
{
	struct stream_piece *piece, *after;

	for (piece = stream->pieces; piece != NULL; piece = after) {
		after = piece->after;
		free(piece);
	}
	stream->pieces = stream->latest = NULL;
	stream->kept = 0;
}

void
tcp_stream_clear(struct tcp_stream *stream)
{
	drop_pieces(stream);
	free(stream->shown);
	tcp_stream_init(stream);
}

static void
begin(struct tcp_stream *stream, uint32_t seq, bool midstream)
{
	stream->begun = true;
	stream->midstream = midstream;
	stream->start = stream->next = stream->end = seq;
}

void
tcp_stream_begin(struct tcp_stream *stream, uint32_t seq)
{
	if (!stream->begun)
		begin(stream, seq, false);
}

/* Octets that are the next in order. */
static inline void
hand_on(struct tcp_stream *stream, struct view octets)
{
	stream->present = octets;
	stream_history_add(&stream->history, stream->next, octets);
	stream->next += (uint32_t)octets.len;
	if (distance(stream->next, stream->end) > 0)
		stream->end = stream->next;
	stream->pending = true;
}

/* Puts a copy of octets in front of *at. False: no memory; then they are as good as not captured. */
static bool
insert_piece(struct tcp_stream *stream, struct stream_piece **at, uint32_t seq, struct view octets)
{
	struct stream_piece *piece = malloc(sizeof *piece + octets.len);

	if (piece == NULL)
		return false;
	piece->seq = seq;
	piece->len = (uint32_t)octets.len;
	memcpy(piece->octets, octets.at, octets.len);
	piece->after = *at;
	*at = stream->latest = piece;
	stream->kept += cost_of(piece->len);
	return true;
}

/* Where the search for a piece's place begins: at the last one put, if that lies in front. */
static struct stream_piece **
search_from(struct tcp_stream *stream, uint32_t seq)
{
	if (stream->latest != NULL && distance(stream->latest->seq, seq) < 0)
		return &stream->latest->after;
	return &stream->pieces;
}

/* Keeps octets for later; where there are pieces already, these stay and are compared. */
static void
keep(struct tcp_stream *stream, uint32_t seq, struct view octets)
{
	struct stream_piece **at = search_from(stream, seq);
	struct stream_piece  *latest = stream->latest;

	/* The piece in front of the search may reach into the octets. */
	if (at != &stream->pieces && distance(latest->seq + latest->len, seq) > 0)
		at = &stream->pieces;
	while (octets.len > 0) {
		struct stream_piece *piece = *at;
		size_t               take = octets.len, inside;

		if (piece != NULL && distance(piece->seq + piece->len, seq) <= 0) {
			at = &piece->after;
			continue;
		}
		if (piece == NULL || distance(piece->seq, seq) > 0) {
			if (piece != NULL && take > piece->seq - seq)
				take = piece->seq - seq;
			if (!insert_piece(stream, at, seq, view_first(octets, take)))
				return;
			at = &(*at)->after;
		} else {
			inside = seq - piece->seq;
			if (take > piece->len - inside)
				take = piece->len - inside;
			for (size_t i = 0; i < take; i++)
				stream->overlap += octets.at[i] != piece->octets[inside + i];
		}
		seq += (uint32_t)take;
		octets = view_from(octets, take);
	}
}

/* FIN stands where the first one said; one in front of octets that the wire has had is a stray. */
static void
take_fin(struct tcp_stream *stream, uint32_t fin)
{
	if (stream->fin_seen ? fin != stream->fin : distance(fin, stream->end) < 0) {
		stream->strays++;
		return;
	}
	stream->fin_seen = stream->pending = true;
	stream->fin = stream->end = fin;
}

/* Data at or behind next, or in front of it: any place but exactly the expected one. */
static void
take_data(struct tcp_stream *stream, uint32_t seq, struct view data, size_t data_len)
{
	int32_t offset = distance(seq, stream->next);

	if (stream->fin_seen) {
		int32_t room = distance(stream->fin, seq);

		if (room <= 0)
			return;
		data = view_first(data, (size_t)room);
		data_len = data_len < (size_t)room ? data_len : (size_t)room;
	}
	if (distance(seq + (uint32_t)data_len, stream->end) > 0)
		stream->end = seq + (uint32_t)data_len;
	if (offset < 0) {
		size_t old = (size_t)-(int64_t)offset;

		/* A keep-alive is one octet of anything in front of next (RFC 9293 3.8.4). */
		if (old != 1 || data_len != 1)
			stream->overlap += stream_history_differs(&stream->history, seq, view_first(data, old));
		data = view_from(data, old);
		seq = stream->next;
	}
	if (data.len > 0) {
		if (seq == stream->next && stream->pieces == NULL)
			hand_on(stream, data);
		else
			keep(stream, seq, data);
	}
	stream->pending = true;
}

static void
drop_shown(struct tcp_stream *stream)
{
	free(stream->shown);
	stream->shown = NULL;
}

void
tcp_stream_segment(struct tcp_stream *stream, const struct tcp_segment *segment, size_t max_kept)
{
	uint32_t seq = segment->seq;
	int32_t  offset;

	assert(stream->present.len == 0);       /* tcp_stream_next was called until it said false */
	if (stream->begun && seq == stream->next && stream->pieces == NULL && !stream->fin_seen && !stream->ended &&
	    (segment->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0 && segment->data.len == segment->data_len) {
		if (segment->data.len > 0)
			hand_on(stream, segment->data);
		return;
	}
	if ((segment->flags & TCP_RST) != 0) {
		stream->reset = stream->flushing = stream->pending = !stream->reset_told;
		return;
	}
	if (stream->ended)
		return;
	if ((segment->flags & TCP_SYN) != 0)
		seq++;
	if (!stream->begun) {
		if ((segment->flags & (TCP_SYN | TCP_FIN)) == 0 && segment->data_len == 0)
			return;
		begin(stream, seq, (segment->flags & TCP_SYN) == 0);
	} else if ((segment->flags & TCP_SYN) != 0 && seq == stream->start) {
		stream->midstream = false;
	}
	offset = distance(seq, stream->next);
	if (offset > MAX_WINDOW || offset < -MAX_WINDOW) {
		stream->strays++;
		return;
	}
	stream->max_kept = max_kept;
	if ((segment->flags & TCP_FIN) != 0)
		take_fin(stream, seq + (uint32_t)segment->data_len);
	if (segment->data_len > 0)
		take_data(stream, seq, segment->data, segment->data_len);
}

void
tcp_stream_acknowledged(struct tcp_stream *stream, uint32_t ack)
{
	int32_t ahead = distance(ack, stream->next);

	if (!stream->begun)
		begin(stream, ack, true);
	else if (ahead > MAX_WINDOW)
		stream->strays++;
	else if (ahead > 0 && !stream->ended && (!stream->acked_known || distance(ack, stream->acked) > 0)) {
		stream->acked = ack;
		stream->acked_known = stream->pending = true;
	}
}

void
tcp_stream_flush(struct tcp_stream *stream)
{
	stream->flushing = stream->pending = true;
}

/*
 * How many of the missing octets at next are known to be a gap. An ACK that counts one more than
 * the wire had may be the FIN's, not captured: it waits for what comes behind it, and when
 * nothing does, it was.
 */
static uint32_t
gap_at_next(struct tcp_stream *stream)
{
	uint32_t sent = stream->end - stream->next, acked = 0;

	if (stream->acked_known && distance(stream->acked, stream->next) > 0)
		acked = stream->acked - stream->next;
	else
		stream->acked_known = false;
	if (stream->fin_seen && acked > stream->fin - stream->next)
		acked = stream->fin - stream->next;
	if (!stream->fin_seen && acked == sent + 1) {
		acked = sent;
		if (stream->flushing && sent == 0) {
			stream->fin_seen = true;
			stream->fin = stream->next;
		}
	}
	if (stream->pieces != NULL) {
		sent = stream->pieces->seq - stream->next;
		return stream->flushing || stream->kept > stream->max_kept || acked > sent ? sent : acked;
	}
	return stream->flushing && sent > acked ? sent : acked;
}

static void
show_piece(struct tcp_stream *stream, struct stream_news *news)
{
	struct stream_piece *piece = stream->pieces;

	stream->pieces = piece->after;
	if (stream->latest == piece)
		stream->latest = NULL;
	stream->kept -= cost_of(piece->len);
	stream->shown = piece;
	*news = (struct stream_news){STREAM_DATA, {piece->octets, piece->len}, 0};
	stream_history_add(&stream->history, stream->next, news->octets);
	stream->next += piece->len;
}

/* What comes behind what was handed on as it lay: pieces, gaps, and the end. */
static bool
tell_rest(struct tcp_stream *stream, struct stream_news *news)
{
	uint32_t gap;

	if (stream->ended && !stream->reset)
		return false;
	if (!stream->ended && stream->pieces != NULL && stream->pieces->seq == stream->next) {
		show_piece(stream, news);
		return true;
	}
	gap = stream->begun && !stream->ended ? gap_at_next(stream) : 0;
	if (gap > 0) {
		stream->next += gap;
		if (distance(stream->next, stream->end) > 0)
			stream->end = stream->next;
		*news = (struct stream_news){STREAM_GAP, VIEW_NONE, gap};
		return true;
	}
	if (!stream->ended && stream->fin_seen && stream->next == stream->fin) {
		stream->ended = true;
		drop_pieces(stream);
		*news = (struct stream_news){STREAM_FIN, VIEW_NONE, 0};
		return true;
	}
	if (stream->reset) {
		stream->reset = false;
		stream->reset_told = stream->ended = true;
		*news = (struct stream_news){STREAM_RESET, VIEW_NONE, 0};
		return true;
	}
	return false;
}

bool
tcp_stream_news(struct tcp_stream *stream, struct stream_news *news)
{
	if (stream->shown != NULL)
		drop_shown(stream);
	if (stream->overlap > 0) {
		*news = (struct stream_news){STREAM_OVERLAP, VIEW_NONE, stream->overlap};
		stream->overlap = 0;
		return true;
	}
	if (stream->present.len > 0) {
		*news = (struct stream_news){STREAM_DATA, stream->present, 0};
		stream->present = VIEW_NONE;
		return true;
	}
	if (tell_rest(stream, news))
		return true;
	stream->pending = stream->flushing = false;
	return false;
}
