/* SPDX-License-Identifier: MIT */
#include "proxy/captures/frames.h"

#include <inttypes.h>
#include <stdlib.h>

#include "decoders/net/fragments.h"
#include "proxy/captures/flows.h"

#define FRAGMENTS_OCTETS (8u << 20)
#define FRAGMENTS_US     (30ull * 1000000)      /* RFC 8200 4.5 gives them 60 s, hosts give half of it */

#define DISORDER_US      1000000ull             /* by so much may packets of one capture be out of order */

struct frames {
	struct capture_run *run;
	struct flows       *flows;
	struct fragments   *fragments;
	uint64_t            time_us;
	uint64_t            count, partial, cut, bad;
};

struct frames *
frames_new(struct capture_run *run)
{
	struct frames *frames = calloc(1, sizeof *frames);

	if (frames == NULL)
		abort();
	frames->run = run;
	frames->flows = flows_new(run);
	frames->fragments = fragments_new(FRAGMENTS_OCTETS, FRAGMENTS_US);
	return frames;
}

uint64_t
frames_next_file(struct frames *frames, const struct capture_frame *first)
{
	flows_next_file(frames->flows);
	if (first->time_us + DISORDER_US >= frames->time_us)
		return 0;
	return flows_end(frames->flows, frames->time_us);
}

void
frames_take(struct frames *frames, const struct capture_frame *frame)
{
	struct net_packet packet;

	frames->time_us = frame->time_us;
	frames->count++;
	frames->partial += frame->octets.len < frame->len;
	switch (net_packet_parse(frame->linktype, frame->octets, frame->len, &packet)) {
	case NET_PACKET:
		break;
	case NET_CUT:
		frames->cut++;
		return;
	case NET_BAD:
		frames->bad++;
		return;
	default:
		return;
	}
	if (packet.fragment && !fragments_add(frames->fragments, &packet, frame->time_us))
		return;
	flows_packet(frames->flows, &packet, frame->time_us);
}

void
frames_end(struct frames *frames)
{
	flows_end(frames->flows, frames->time_us);
}

uint64_t
frames_time(const struct frames *frames)
{
	return frames->time_us;
}

static void
tell(FILE *out, uint64_t count, const char *what)
{
	if (count > 0)
		fprintf(out, "  %" PRIu64 " %s\n", count, what);
}

/* Why there is nothing to show. */
static void
tell_nothing(const struct frames *frames, FILE *out)
{
	uint64_t other = frames->run->other;

	fprintf(out, "no SMTP in %" PRIu64 " packet%s: ", frames->count, frames->count == 1 ? "" : "s");
	if (other == 0)
		fputs("no TCP connection has data in them\n", out);
	else
		fprintf(out, "%" PRIu64 " TCP connection%s with data, and nothing of SMTP in %s\n", other,
		    other == 1 ? "" : "s", other == 1 ? "it" : "them");
}

void
frames_tell(const struct frames *frames, FILE *out)
{
	struct fragments_counts fragments = fragments_count(frames->fragments);

	if (out == NULL)
		return;
	if (frames->run->sessions == 0 && frames->count > 0)
		tell_nothing(frames, out);
	if (frames->partial + frames->cut + frames->bad + fragments.given_up + frames->run->given_up == 0)
		return;
	fputs("not decoded\n", out);
	tell(out, frames->partial, "packets were captured in part (snaplen)");
	tell(out, frames->cut, "packets are cut inside their headers (snaplen)");
	tell(out, frames->bad, "packets have headers that contradict themselves");
	tell(out, fragments.given_up, "datagrams lack fragments");
	tell(out, frames->run->given_up, "octets were given up at a ceiling");
}

void
frames_free(struct frames *frames)
{
	if (frames == NULL)
		return;
	flows_free(frames->flows);
	fragments_free(frames->fragments);
	free(frames);
}
