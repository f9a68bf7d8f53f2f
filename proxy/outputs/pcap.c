/* SPDX-License-Identifier: MIT */
/*
 * From a session's octets to segments. Each segment acknowledges all that the other side has
 * sent so far; an empty one does where much is unacknowledged, and behind a gap, so that a
 * reader knows at once that nothing will fill it.
 */
#include "proxy/must.h"
#include "proxy/outputs/pcap.h"

#include <stdlib.h>

#include "proxy/outputs/buffer.h"
#include "proxy/outputs/numbered.h"
#include "proxy/outputs/packet.h"
#include "proxy/outputs/pcap_file.h"

#define UNACKNOWLEDGED_MAX (16u * 1024) /* a quarter of the window */
#define HELD_MAX           (256u * 1024) /* no handshake is longer */
#define FIRST_SEQ          1000u        /* of the client; the server's is as far from that */

/* What waits until it is known whether the TLS that it leads to can be read. */
struct held {
	struct held   *next;
	enum wire_type type;
	enum smtp_side from;
	uint64_t       time_us, missing;
	size_t         len;
	char           octets[];
};

struct connection {
	struct numbered    session;             /* first member */
	struct packet_ends ends;
	uint64_t           opened_us, last_us;
	uint32_t           seq[2], acked[2];    /* by enum smtp_side: the next octet; what the other side has acknowledged */
	uint16_t           id[2];
	bool               begun, midstream, over;
	bool               fin[2];
	bool               unheard[2];          /* nothing of this side is in the capture, nor will be here */
	bool               holding;             /* STARTTLS was sent: what leads to TLS is held */
	struct held       *held, **held_end;
	size_t             held_octets;
};

struct pcap_output {
	struct pcap_file *file;
	struct numbers    connections;
	bool              keys;
	bool              beside;       /* the file is another's */
};

/*
 * One segment. It acknowledges what the other side has sent so far. Of a side of which the
 * capture has nothing there is none without data.
 */
static void
put_segment(struct pcap_output *output, struct connection *c, enum smtp_side from, unsigned flags, struct view data)
{
	struct packet_segment segment = {.from = from == SMTP_CLIENT ? 0 : 1, .seq = c->seq[from],
	    .ack = c->seq[smtp_other_side(from)], .flags = (uint8_t)flags, .id = c->id[from]++, .data = data};
	uint8_t packet[PACKET_MAX];
	size_t len = packet_build(packet, &c->ends, &segment);

	if (data.len > 0 || (flags & PACKET_RST) != 0)
		c->unheard[from] = false;
	if (!c->unheard[from])
		pcap_file_write(output->file, (struct view){(const char *)packet, len}, c->last_us);
	c->seq[from] += (uint32_t)data.len + ((flags & (PACKET_SYN | PACKET_FIN)) != 0);
	if ((flags & PACKET_ACK) != 0)
		c->acked[smtp_other_side(from)] = segment.ack;
}

/* Times do not go back within a connection, although what was held comes late. */
static void
set_time(struct connection *c, uint64_t time_us)
{
	if (time_us > c->last_us)
		c->last_us = time_us;
}

/* The handshake, if the session was seen to begin. */
static void
begin(struct pcap_output *output, struct connection *c)
{
	if (c->begun)
		return;
	c->begun = true;
	set_time(c, c->opened_us);
	if (c->midstream)
		return;
	put_segment(output, c, SMTP_CLIENT, PACKET_SYN, VIEW_NONE);
	put_segment(output, c, SMTP_SERVER, PACKET_SYN | PACKET_ACK, VIEW_NONE);
	put_segment(output, c, SMTP_CLIENT, PACKET_ACK, VIEW_NONE);
}

static void
put_octets(struct pcap_output *output, struct connection *c, enum smtp_side from, struct view octets)
{
	while (octets.len > 0) {
		struct view data = view_first(octets, PACKET_DATA_MAX);

		octets = view_from(octets, data.len);
		put_segment(output, c, from, PACKET_ACK | (octets.len == 0 ? PACKET_PSH : 0), data);
		if (c->seq[from] - c->acked[from] >= UNACKNOWLEDGED_MAX)
			put_segment(output, c, smtp_other_side(from), PACKET_ACK, VIEW_NONE);
	}
}

/* A gap of more octets than there are sequence numbers is one all the same. */
static void
put_missing(struct pcap_output *output, struct connection *c, enum smtp_side from, uint64_t missing)
{
	c->seq[from] += missing < INT32_MAX ? (uint32_t)missing : INT32_MAX;
	put_segment(output, c, smtp_other_side(from), PACKET_ACK, VIEW_NONE);
}

/* A side's stream ends: by FIN, which the other side acknowledges once it has nothing more to say. */
static void
put_end(struct pcap_output *output, struct connection *c, enum smtp_side from, bool reset)
{
	/* A reset may still follow what said that it ends. */
	if (c->over || (c->fin[from] && !reset))
		return;
	put_segment(output, c, from, (reset ? PACKET_RST : PACKET_FIN) | PACKET_ACK, VIEW_NONE);
	c->fin[from] = true;
	c->over = reset || c->fin[smtp_other_side(from)];
	/* The FIN of a side that is not heard is known from who acknowledges it. */
	if (!reset && (c->over || c->unheard[from]))
		put_segment(output, c, smtp_other_side(from), PACKET_ACK, VIEW_NONE);
}

static void
write_now(struct pcap_output *output, struct connection *c, enum wire_type type, enum smtp_side from,
    struct view octets, uint64_t missing)
{
	/* Nothing comes behind its end. */
	if (c->over || c->fin[from])
		return;
	if (type == WIRE_MISSING)
		put_missing(output, c, from, missing);
	else
		put_octets(output, c, from, octets);
}

static void
forget_held(struct connection *c)
{
	struct held *held;

	while ((held = c->held) != NULL) {
		c->held = held->next;
		free(held);
	}
	c->held_end = &c->held;
	c->held_octets = 0;
	c->holding = false;
}

/* What was held leads nowhere: it goes out, behind the handshake. */
static void
release(struct pcap_output *output, struct connection *c)
{
	begin(output, c);
	for (const struct held *held = c->held; held != NULL; held = held->next) {
		set_time(c, held->time_us);
		write_now(output, c, held->type, held->from, (struct view){held->octets, held->len}, held->missing);
	}
	forget_held(c);
}

static void
hold(struct pcap_output *output, struct connection *c, const struct wire_news *news)
{
	struct held *held = must(malloc(sizeof *held + news->octets.len));

	*held = (struct held){.type = news->type, .from = news->from, .time_us = news->time_us,
	    .missing = news->missing, .len = news->octets.len};
	if (news->octets.len > 0)
		memcpy(held->octets, news->octets.at, news->octets.len);
	*c->held_end = held;
	c->held_end = &held->next;
	c->held_octets += sizeof *held + news->octets.len;
	c->holding = true;
	if (c->held_octets > HELD_MAX)
		release(output, c);
}

/* The server's replies to what came before STARTTLS are no part of it. */
static bool
is_to_be_held(const struct pcap_output *output, const struct connection *c, const struct wire_news *news)
{
	if (news->type == WIRE_OCTETS && news->kind == WIRE_STARTTLS)
		return output->keys;
	return c->holding && (news->type == WIRE_MISSING || news->kind == WIRE_OPAQUE);
}

static void
octets_came(struct pcap_output *output, struct connection *c, const struct wire_news *news)
{
	if (is_to_be_held(output, c, news)) {
		hold(output, c, news);
		return;
	}
	begin(output, c);
	if (c->holding && (news->from == SMTP_CLIENT || news->kind == WIRE_STARTTLS_REFUSED))
		release(output, c);
	set_time(c, news->time_us);
	write_now(output, c, news->type, news->from, news->octets, news->missing);
}

static void
end_came(struct pcap_output *output, struct connection *c, const struct wire_news *news)
{
	release(output, c);
	set_time(c, news->time_us);
	put_end(output, c, news->from, news->type == WIRE_RESET);
}

static void
connection_free(struct connection *c)
{
	forget_held(c);
	free(c);
}

static void
opened(struct pcap_output *output, const struct wire_news *news)
{
	struct connection *c = must(calloc(1, sizeof *c));

	c->session.number = news->session;
	packet_ends_of(&c->ends, news->client, news->server);
	c->opened_us = news->time_us;
	c->unheard[SMTP_CLIENT] = news->unheard[SMTP_CLIENT];
	c->unheard[SMTP_SERVER] = news->unheard[SMTP_SERVER];
	c->seq[SMTP_CLIENT] = c->acked[SMTP_CLIENT] = FIRST_SEQ;
	c->seq[SMTP_SERVER] = c->acked[SMTP_SERVER] = 2 * FIRST_SEQ;
	c->held_end = &c->held;
	numbers_add(&output->connections, &c->session);
	/* Of a capture it is not known yet whether it began before. */
	if (news->live)
		begin(output, c);
}

static void
put(void *to, const struct wire_news *news)
{
	struct pcap_output *output = to;
	struct connection *c = (struct connection *)numbers_find(&output->connections, news->session);

	if (c == NULL) {
		if (news->type == WIRE_OPENED)
			opened(output, news);
		return;
	}
	switch (news->type) {
	case WIRE_OPENED:
		break;
	case WIRE_MIDSTREAM:
		c->midstream = true;
		break;
	case WIRE_HEARD:
		begin(output, c);
		set_time(c, news->time_us);
		c->unheard[news->from] = false;
		put_segment(output, c, news->from, PACKET_ACK, VIEW_NONE);
		break;
	case WIRE_OCTETS:
	case WIRE_MISSING:
		octets_came(output, c, news);
		break;
	case WIRE_SECURED:
		forget_held(c);
		break;
	case WIRE_FIN:
	case WIRE_RESET:
		end_came(output, c, news);
		break;
	case WIRE_CLOSED:
		release(output, c);
		numbers_remove(&output->connections, &c->session);
		connection_free(c);
		break;
	}
}

struct pcap_output *
pcap_output_open(const char *path, bool keys, FILE *err)
{
	struct pcap_file *file = pcap_file_open(path, err);
	struct pcap_output *output;

	if (file == NULL)
		return NULL;
	output = must(calloc(1, sizeof *output));
	output->file = file;
	output->keys = keys;
	return output;
}

struct pcap_output *
pcap_output_beside(const struct pcap_output *first)
{
	struct pcap_output *output = must(calloc(1, sizeof *output));

	output->file = first->file;
	output->keys = first->keys;
	output->beside = true;
	return output;
}

struct wire_sink
pcap_output_sink(struct pcap_output *output)
{
	return (struct wire_sink){put, output};
}

void
pcap_output_flush(struct pcap_output *output)
{
	pcap_file_flush(output->file);
}

uint64_t
pcap_output_close(struct pcap_output *output)
{
	struct connection *c;
	uint64_t lost = 0;

	if (output == NULL)
		return 0;
	while ((c = (struct connection *)numbers_take(&output->connections)) != NULL)
		connection_free(c);
	numbers_clear(&output->connections);
	if (!output->beside)
		lost = pcap_file_close(output->file);
	free(output);
	return lost;
}
