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
	struct numbered    key;                 /* first member; by key_of */
	struct packet_ends ends;
	uint64_t           opened_us, last_us;
	uint32_t           seq[2], acked[2];    /* by enum smtp_side: the next octet; what the other side has acknowledged */
	uint16_t           id[2];
	bool               begun, midstream, over;
	bool               live, secured;
	bool               unconnected;         /* live, the server's leg: what goes out waits for its ends */
	bool               fin[2];
	bool               unheard[2];          /* nothing of this side is in the capture, nor will be here */
	bool               holding;             /* STARTTLS was sent: what leads to TLS is held */
	struct held       *held, **held_end;
	size_t             held_octets;
};

struct pcap_output {
	struct pcap_file *file;
	struct numbers    connections;
	bool              may_open_tls;
	bool              legs[2];              /* by enum smtp_side: which are written */
	bool              beside;       /* the file is another's */
};

/* A session's two legs are connections of their own. */
static uint64_t
key_of(uint64_t session, enum smtp_side leg)
{
	return session << 1 | (leg == SMTP_SERVER);
}

/*
 * Who reads captures knows SMTP by the server's port. So live, where it may be any, another than
 * these is written as 25; and so is that of implicit TLS, behind which they look for TLS.
 */
static uint16_t
port_for_readers(const struct connection *c, uint16_t port)
{
	bool is_known = port == 25 || port == 587;

	return is_known || !(c->live || (c->secured && port == 465)) ? port : 25;
}

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
	c->ends.end[1].port = port_for_readers(c, c->ends.end[1].port);
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
	if (c->unconnected)
		return c->held_octets <= HELD_MAX;
	if (news->type == WIRE_OCTETS && news->kind == WIRE_STARTTLS)
		return output->may_open_tls;
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

static struct connection *
connection_new(struct pcap_output *output, enum smtp_side leg, const struct wire_news *news)
{
	struct connection *c = must(calloc(1, sizeof *c));

	c->key.number = key_of(news->session, leg);
	c->opened_us = news->time_us;
	c->live = news->live;
	c->seq[SMTP_CLIENT] = c->acked[SMTP_CLIENT] = FIRST_SEQ;
	c->seq[SMTP_SERVER] = c->acked[SMTP_SERVER] = 2 * FIRST_SEQ;
	c->held_end = &c->held;
	numbers_add(&output->connections, &c->key);
	return c;
}

static void
opened(struct pcap_output *output, const struct wire_news *news)
{
	struct connection *c;

	if (news->live && output->legs[SMTP_SERVER])
		connection_new(output, SMTP_SERVER, news)->unconnected = true;
	/* A capture has one leg, which is both. */
	if (news->live && !output->legs[SMTP_CLIENT])
		return;
	c = connection_new(output, SMTP_CLIENT, news);
	packet_ends_of(&c->ends, news->client, news->server);
	c->unheard[SMTP_CLIENT] = news->unheard[SMTP_CLIENT];
	c->unheard[SMTP_SERVER] = news->unheard[SMTP_SERVER];
	/* Of a capture it is not known yet whether it began before. */
	if (news->live)
		begin(output, c);
}

static void
connected(struct pcap_output *output, const struct wire_news *news)
{
	struct connection *c = (struct connection *)numbers_find(&output->connections, key_of(news->session, SMTP_SERVER));

	if (c == NULL || !c->unconnected)
		return;
	packet_ends_of(&c->ends, news->client, news->server);
	c->opened_us = news->time_us;
	c->unconnected = false;
	release(output, c);
}

static void
closed(struct pcap_output *output, uint64_t session)
{
	for (enum smtp_side leg = SMTP_CLIENT; leg <= SMTP_SERVER; leg++) {
		struct connection *c = (struct connection *)numbers_find(&output->connections, key_of(session, leg));

		if (c == NULL)
			continue;
		if (!c->unconnected)
			release(output, c);
		numbers_remove(&output->connections, &c->key);
		connection_free(c);
	}
}

static void
put_of_leg(struct pcap_output *output, struct connection *c, const struct wire_news *news)
{
	switch (news->type) {
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
		c->secured = true;
		forget_held(c);
		break;
	case WIRE_FIN:
	case WIRE_RESET:
		if (!c->unconnected)
			end_came(output, c, news);
		break;
	default:
		break;
	}
}

static void
put(void *to, const struct wire_news *news)
{
	struct pcap_output *output = to;
	struct connection *c;

	switch (news->type) {
	case WIRE_OPENED:
		opened(output, news);
		break;
	case WIRE_CONNECTED:
		connected(output, news);
		break;
	case WIRE_CLOSED:
		closed(output, news->session);
		break;
	default:
		c = (struct connection *)numbers_find(&output->connections, key_of(news->session, news->leg));
		if (c != NULL)
			put_of_leg(output, c, news);
		break;
	}
}

struct pcap_output *
pcap_output_open(const struct pcap_options *options, FILE *err)
{
	struct pcap_file *file = pcap_file_open(options->path, err);
	struct pcap_output *output;

	if (file == NULL)
		return NULL;
	output = must(calloc(1, sizeof *output));
	output->file = file;
	output->may_open_tls = options->may_open_tls;
	output->legs[SMTP_CLIENT] = options->leg != PCAP_SERVER_LEG;
	output->legs[SMTP_SERVER] = options->leg != PCAP_CLIENT_LEG;
	return output;
}

struct pcap_output *
pcap_output_beside(const struct pcap_output *first)
{
	struct pcap_output *output = must(calloc(1, sizeof *output));

	*output = (struct pcap_output){.file = first->file, .may_open_tls = first->may_open_tls,
	    .legs = {first->legs[SMTP_CLIENT], first->legs[SMTP_SERVER]}, .beside = true};
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
