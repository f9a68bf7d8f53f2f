/* SPDX-License-Identifier: MIT */
#include "tests/unit/capture_made.h"

#include <stdlib.h>

#define ETHERNET     1u
#define SEGMENT_MAX  1400u
#define SEGMENT_LONG 16384u             /* as loopback has it, where a session is large */
#define LARGE        (64u * 1024)

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* One TCP connection; every packet comes a millisecond behind the one before. */
struct maker {
	struct buffer      *out;
	enum capture_format format;
	uint64_t            time_us;
	uint32_t            next[2];    /* by enum smtp_side: sequence numbers */
	uint16_t            port;
	size_t              segment;
};

static void
little(struct buffer *out, uint64_t number, unsigned octets)
{
	for (; octets > 0; octets--, number >>= 8)
		buffer_char(out, (char)(number & 255));
}

static void
big(struct buffer *out, uint64_t number, unsigned octets)
{
	while (octets-- > 0)
		buffer_char(out, (char)(number >> 8 * octets & 255));
}

static void
file_header(const struct maker *m)
{
	if (m->format == CAPTURE_PCAP) {
		little(m->out, 0xa1b2c3d4, 4);
		little(m->out, 2 | 4 << 16, 4);
		little(m->out, 0, 8);
		little(m->out, 262144, 4);
		little(m->out, ETHERNET, 4);
		return;
	}
	little(m->out, 0x0a0d0d0a, 4);          /* section header, of unknown length */
	little(m->out, 28, 4);
	little(m->out, 0x1a2b3c4d, 4);
	little(m->out, 1, 4);
	little(m->out, UINT64_MAX, 8);
	little(m->out, 28, 4);
	little(m->out, 1, 4);                   /* interface */
	little(m->out, 20, 4);
	little(m->out, ETHERNET, 4);
	little(m->out, 262144, 4);
	little(m->out, 20, 4);
}

static void
record(struct maker *m, struct view frame)
{
	size_t padded = (frame.len + 3) / 4 * 4;

	if (m->format == CAPTURE_PCAP) {
		little(m->out, m->time_us / 1000000, 4);
		little(m->out, m->time_us % 1000000, 4);
		little(m->out, frame.len, 4);
		little(m->out, frame.len, 4);
		buffer_put(m->out, frame);
		return;
	}
	little(m->out, 6, 4);                   /* enhanced packet */
	little(m->out, 32 + padded, 4);
	little(m->out, 0, 4);
	little(m->out, m->time_us >> 32, 4);
	little(m->out, m->time_us, 4);
	little(m->out, frame.len, 4);
	little(m->out, frame.len, 4);
	buffer_put(m->out, frame);
	little(m->out, 0, (unsigned)(padded - frame.len));
	little(m->out, 32 + padded, 4);
}

static void
packet(struct maker *m, enum smtp_side from, unsigned flags, struct view data)
{
	static const uint32_t address[2] = {0xc0000201, 0xc0000219};
	enum smtp_side to = smtp_other_side(from);
	uint16_t port[2] = {m->port, 25};
	struct buffer frame = {.at = NULL};

	buffer_put(&frame, VIEW("\2\0\0\0\0\1\2\0\0\0\0\2\x08\0"));
	big(&frame, 0x4500, 2);
	big(&frame, 40 + data.len, 2);
	big(&frame, 0x00004000, 4);
	big(&frame, 0x40060000, 4);
	big(&frame, address[from], 4);
	big(&frame, address[to], 4);
	big(&frame, port[from], 2);
	big(&frame, port[to], 2);
	big(&frame, m->next[from], 4);
	big(&frame, flags == SYN ? 0 : m->next[to], 4);
	big(&frame, 5u << 12 | flags, 2);
	big(&frame, UINT64_C(0xffff00000000), 6);
	buffer_put(&frame, data);
	record(m, (struct view){frame.at, frame.len});
	buffer_free(&frame);
	m->next[from] += (uint32_t)data.len + ((flags & (SYN | FIN)) != 0);
	m->time_us += 1000;
}

static void
play(struct maker *m, const struct transcript_step *step)
{
	enum smtp_side from = (enum smtp_side)step->writer;

	if (step->begins) {
		m->port++;
		m->next[SMTP_CLIENT] = 0xfffffff0;      /* wraps at once */
		m->next[SMTP_SERVER] = 7000;
		packet(m, SMTP_CLIENT, SYN, VIEW_NONE);
		packet(m, SMTP_SERVER, SYN | ACK, VIEW_NONE);
		packet(m, SMTP_CLIENT, ACK, VIEW_NONE);
	}
	if (step->writer == TRANSCRIPT_NOBODY)
		return;
	for (struct view rest = step->octets; rest.len > 0; rest = view_from(rest, m->segment))
		packet(m, from, PSH | ACK, view_first(rest, m->segment));
	if (step->octets.len > 0)
		packet(m, smtp_other_side(from), ACK, VIEW_NONE);
	if (step->ends != TRANSCRIPT_OPEN)
		packet(m, from, (step->ends == TRANSCRIPT_RESET ? RST : FIN) | ACK, VIEW_NONE);
}

void
capture_of_transcript(const struct transcript *transcript, enum capture_format format, struct buffer *out)
{
	struct maker m = {.out = out, .format = format, .time_us = 1795338000000000, .port = 40000, .segment = SEGMENT_MAX};
	size_t octets = 0;

	for (size_t i = 0; i < transcript->steps; i++)
		octets += transcript->step[i].octets.len;
	if (octets > LARGE)
		m.segment = SEGMENT_LONG;
	*out = (struct buffer){.at = NULL};
	file_header(&m);
	for (size_t i = 0; i < transcript->steps; i++)
		play(&m, &transcript->step[i]);
}

static uint32_t
little_at(struct view capture, size_t at)
{
	uint32_t number = 0;

	for (size_t i = 0; i < 4 && at + i < capture.len; i++)
		number |= (uint32_t)(unsigned char)capture.at[at + i] << 8 * i;
	return number;
}

size_t
capture_records(struct view capture, size_t **at)
{
	uint32_t magic = little_at(capture, 0);
	bool next_generation = magic == 0x0a0d0d0a;
	/* A pcapng needs its section header and an interface in front of all. */
	size_t count = 0, room = 64, place = next_generation ? little_at(capture, 4) : 24;

	*at = NULL;
	if (!next_generation && magic != 0xa1b2c3d4 && magic != 0xa1b23c4d)
		return 0;
	if (next_generation)
		place += little_at(capture, place + 4);
	*at = malloc(room * sizeof **at);
	for (;;) {
		if (count == room)
			*at = realloc(*at, (room *= 2) * sizeof **at);
		if (*at == NULL)
			abort();
		(*at)[count++] = place < capture.len ? place : capture.len;
		if (place >= capture.len)
			return count;
		place += next_generation ? little_at(capture, place + 4) : 16 + little_at(capture, place + 8);
	}
}
