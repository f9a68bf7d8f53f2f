/* SPDX-License-Identifier: MIT */
#include "proxy/captures/connection.h"

#include "proxy/captures/pipeline.h"

#define STREAM_KEPT_MAX (4u << 20)      /* octets of a stream that wait for a hole to be filled */
#define SPARE_MAX       64u

struct connection {
	struct conversation *conversation;      /* owned, until it is told that it ends; NULL: nothing was told yet */
	struct conversation_start start;        /* what is known by now, and then what was when it began to be told */
	struct tcp_stream    stream[2];
};

struct connection *
connection_new(struct capture_run *run, const struct conversation_ends *ends)
{
	struct connection *c = spares_take(&run->connections, sizeof *c);

	c->conversation = NULL;
	c->start = (struct conversation_start){.run = run, .capture = run->capture, .ends = *ends};
	tcp_stream_init(&c->stream[0]);
	tcp_stream_init(&c->stream[1]);
	return c;
}

void
connection_starts_at(struct connection *c, unsigned end, uint32_t seq)
{
	tcp_stream_begin(&c->stream[end], seq);
}

static void
tell_start(struct connection *c)
{
	struct told told = {.type = TOLD_START, .news.octets = {(const char *)&c->start, sizeof c->start}};

	c->conversation = told.to = conversation_new(c->start.run);
	pipeline_tell(c->start.run->pipeline, &told);
}

static void
tell(struct connection *c, struct told *told)
{
	if (c->conversation == NULL)
		tell_start(c);
	told->to = c->conversation;
	told->midstream[0] = c->stream[0].midstream;
	told->midstream[1] = c->stream[1].midstream;
	pipeline_tell(c->start.run->pipeline, told);
}

static void
tell_news(struct connection *c, unsigned end, uint64_t time_us)
{
	struct told told = {.type = TOLD_NEWS, .end = end, .time_us = time_us};

	while (tcp_stream_next(&c->stream[end], &told.news))
		tell(c, &told);
}

static void
tell_of(struct connection *c, enum told_type type, unsigned end, uint64_t time_us)
{
	struct told told = {.type = type, .end = end, .time_us = time_us};

	tell(c, &told);
}

static void
dialled(struct connection *c, unsigned end, uint64_t time_us)
{
	if (c->conversation != NULL)
		tell_of(c, TOLD_DIALLED, end, time_us);
	c->start.dialled[end] = true;
}

bool
connection_learns_nothing(const struct connection *c, unsigned end, const struct tcp_segment *segment)
{
	const struct tcp_stream *from = &c->stream[end], *to = &c->stream[!end];

	return segment->flags == TCP_ACK && segment->data_len == 0 && c->start.heard[end] && from->begun && to->begun &&
	    segment->seq == from->next && segment->ack == to->next && !from->pending && !to->pending;
}

void
connection_segment(struct connection *c, unsigned end, const struct tcp_segment *segment, uint64_t time_us)
{
	if (!c->start.heard[end] && c->conversation != NULL)
		tell_of(c, TOLD_HEARD, end, time_us);
	c->start.heard[end] = true;
	if ((segment->flags & TCP_SYN) != 0)
		dialled(c, (segment->flags & TCP_ACK) != 0 ? !end : end, time_us);
	/* What this end has acknowledged comes first: it had it when it sent this. */
	if ((segment->flags & TCP_ACK) != 0) {
		/* The answer to a SYN tells where the other end began, should its own be missing. */
		if ((segment->flags & TCP_SYN) != 0)
			tcp_stream_begin(&c->stream[!end], segment->ack);
		tcp_stream_acknowledged(&c->stream[!end], segment->ack);
		tell_news(c, !end, time_us);
	}
	tcp_stream_segment(&c->stream[end], segment, STREAM_KEPT_MAX);
	tell_news(c, end, time_us);
}

bool
connection_is_over(const struct connection *c)
{
	return c->conversation != NULL && conversation_is_over(c->conversation);
}

bool
connection_is_open(const struct connection *c)
{
	return c->conversation != NULL && conversation_is_open(c->conversation);
}

void
connection_close(struct connection *c, uint64_t time_us)
{
	for (unsigned end = 0; end < 2 && !connection_is_over(c); end++) {
		tcp_stream_flush(&c->stream[end]);
		tell_news(c, end, time_us);
	}
	if (c->conversation != NULL)
		tell_of(c, TOLD_END, 0, time_us);
	tcp_stream_clear(&c->stream[0]);
	tcp_stream_clear(&c->stream[1]);
	spares_give(&c->start.run->connections, c, sizeof *c, SPARE_MAX);
}

void
connections_clear(struct capture_run *run)
{
	spares_clear(&run->connections, sizeof(struct connection));
	conversations_clear(run);
}
