/* SPDX-License-Identifier: MIT */
#include "proxy/captures/flows.h"

#include <endian.h>
#include <stdlib.h>

#include "proxy/captures/connection.h"
#include "proxy/captures/pipeline.h"
#include "proxy/must.h"

#define FLOWS_MAX       (1u << 18)              /* connections at once; then the longest silent one goes */
#define FLOWS_EASY      4096u                   /* beyond so many, those that are over go first */
#define SILENCE_US      (3600ull * 1000000)     /* RFC 5321 4.5.3.2 lets nobody wait longer */
#define LISTED_US       1000000                 /* so exact is the order by last packets: every packet touches three else */
#define INDEX_START     1024u
#define ENDING          256u                    /* connections that ended last: more than a pipeline is behind */
#define SPARE_MAX       64u
#define TCP_PROTOCOL    6
#define NEAR            (16 << 20)              /* octets that a capture may lack between two files of it */

struct flow {
	struct flow_key {
		uint64_t address[2][2]; /* as they lie; IPv4: in the first word */
		uint64_t ports;         /* and the family */
	} key;
	uint32_t             hash;
	uint32_t             slot;              /* in the index */
	struct connection   *talk;              /* NULL: no data yet, or over */
	struct flow         *newer, *older;     /* by their last packets */
	uint64_t             last_us, listed_us;        /* listed: when it became the newest */
	uint32_t             syn[2];            /* sequence numbers of the SYNs, by end */
	uint32_t             syn_ack[2];        /* what they acknowledge, */
	uint8_t              syn_flags[2];      /* and their flags, for when data comes */
	uint32_t             first_ack[2];      /* where a SYN was seen, in front of all data */
	uint32_t             next[2];           /* sequence numbers behind the last packet, where sent */
	uint32_t             file;              /* that its last packet was in */
	uint32_t             ending;            /* 1 + its place among those that are ending; 0: none */
	uint64_t             established_us;    /* the handshake's last packet so far, in front of all data; 0: none */
	bool                 sent[2], syn_seen[2], acked[2];
	bool                 over;              /* what is still said in it is nobody's business */
	bool                 fin[2], reset;     /* they were seen, by end */
};

struct flows {
	struct capture_run *run;
	struct place {
		struct flow *flow;              /* NULL: free */
		uint32_t     hash;              /* the flow's: most that are another's are told by it alone */
	}                  *index;              /* open-addressed */
	uint32_t            size, count;        /* size: a power of two */
	uint32_t            file;               /* which one is read, from 0 */
	struct flow        *newest, *oldest;
	struct flow        *ending[ENDING];     /* they may be over: a ring */
	uint32_t            ended;              /* so many were put into it */
	struct spares       spare;              /* flows */
};

struct flows *
flows_new(struct capture_run *run)
{
	struct flows *flows = must(calloc(1, sizeof *flows));

	flows->run = run;
	flows->size = INDEX_START;
	flows->index = must(calloc(flows->size, sizeof *flows->index));
	return flows;
}

/* Products that do not wait for each other, and a last mix: ends have been put in order before. */
static inline uint32_t
hash_of(const struct flow_key *key)
{
	uint64_t hash;

	hash = (key->address[0][0] ^ key->address[0][0] >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	hash ^= (key->address[0][1] ^ key->address[0][1] >> 32) * UINT64_C(0xc2b2ae3d27d4eb4f);
	hash ^= (key->address[1][0] ^ key->address[1][0] >> 32) * UINT64_C(0x165667b19e3779f9);
	hash ^= (key->address[1][1] ^ key->address[1][1] >> 32) * UINT64_C(0xff51afd7ed558ccd);
	hash ^= (key->ports ^ key->ports >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
	hash = (hash ^ hash >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

static inline bool
same_key(const struct flow_key *a, const struct flow_key *b)
{
	return ((a->address[0][0] ^ b->address[0][0]) | (a->address[0][1] ^ b->address[0][1]) |
	    (a->address[1][0] ^ b->address[1][0]) | (a->address[1][1] ^ b->address[1][1]) |
	    (a->ports ^ b->ports)) == 0;
}

static void
unlink_flow(struct flows *flows, struct flow *flow)
{
	*(flow->newer != NULL ? &flow->newer->older : &flows->newest) = flow->older;
	*(flow->older != NULL ? &flow->older->newer : &flows->oldest) = flow->newer;
}

static void
link_newest(struct flows *flows, struct flow *flow)
{
	flow->newer = NULL;
	flow->older = flows->newest;
	*(flows->newest != NULL ? &flows->newest->newer : &flows->oldest) = flow;
	flows->newest = flow;
}

static void
put_into_index(struct flows *flows, struct flow *flow)
{
	uint32_t slot = flow->hash & (flows->size - 1);

	while (flows->index[slot].flow != NULL)
		slot = (slot + 1) & (flows->size - 1);
	flows->index[slot] = (struct place){flow, flow->hash};
	flow->slot = slot;
}

/* Takes a slot out; those behind it move up, so that no search ends too early. */
static void
take_out_of_index(struct flows *flows, uint32_t slot)
{
	uint32_t mask = flows->size - 1, next = slot;

	flows->index[slot].flow = NULL;
	for (;;) {
		struct place *place;
		uint32_t home;

		next = (next + 1) & mask;
		place = &flows->index[next];
		if (place->flow == NULL)
			return;
		home = place->hash & mask;
		if (((next - home) & mask) < ((next - slot) & mask))
			continue;
		flows->index[slot] = *place;
		place->flow->slot = slot;
		place->flow = NULL;
		slot = next;
	}
}

static void
widen(struct flows *flows)
{
	free(flows->index);
	flows->size *= 2;
	flows->index = must(calloc(flows->size, sizeof *flows->index));
	for (struct flow *f = flows->oldest; f != NULL; f = f->newer)
		put_into_index(flows, f);
}

static void
end_talk(struct flow *flow, uint64_t time_us)
{
	if (flow->talk != NULL)
		connection_close(flow->talk, time_us);
	flow->talk = NULL;
}

/* Its conversation may have found that out at any time. */
static bool
end_if_over(struct flow *flow, uint64_t time_us)
{
	if (flow->talk != NULL && connection_is_over(flow->talk)) {
		end_talk(flow, time_us);
		flow->over = true;
	}
	return flow->over;
}

static void
leave_ending(struct flows *flows, struct flow *flow)
{
	if (flow->ending > 0)
		flows->ending[flow->ending - 1] = NULL;
	flow->ending = 0;
}

/* No packet of it may come any more, on which to see that it is over: it is looked at when as many have ended behind it. */
static void
join_ending(struct flows *flows, struct flow *flow)
{
	uint32_t place = flows->ended++ % ENDING;
	struct flow *before = flows->ending[place];

	if (before != NULL) {
		before->ending = 0;
		end_if_over(before, before->last_us);
	}
	flows->ending[place] = flow;
	flow->ending = 1 + place;
}

static void
forget(struct flows *flows, struct flow *flow, uint64_t time_us)
{
	end_talk(flow, time_us);
	leave_ending(flows, flow);
	take_out_of_index(flows, flow->slot);
	unlink_flow(flows, flow);
	flows->count--;
	spares_give(&flows->spare, flow, sizeof *flow, SPARE_MAX);
}

static void
forget_silent(struct flows *flows, uint64_t time_us)
{
	struct flow *oldest = flows->oldest;

	if (flows->count > FLOWS_EASY)
		end_if_over(oldest, oldest->last_us);
	/* Many of them are over, mostly: the one that is open, though silent, stays. */
	if (flows->count > FLOWS_EASY && oldest->talk != NULL && oldest->last_us + SILENCE_US >= time_us) {
		unlink_flow(flows, oldest);
		link_newest(flows, oldest);
	}
	while ((oldest = flows->oldest) != NULL && (flows->count > FLOWS_MAX ||
	    (flows->count > FLOWS_EASY && oldest->talk == NULL) || oldest->last_us + SILENCE_US < time_us))
		forget(flows, oldest, oldest->last_us);
}

/* As read_ipv4 has written it: what is loaded otherwise than it was stored waits until all stores are done. */
static inline void
words_of(const struct net_address *address, uint64_t words[2])
{
	uint32_t four;

	if (address->family == 4) {
		memcpy(&four, address->octets, sizeof four);
		words[0] = four;
		words[1] = 0;
	} else {
		memcpy(&words[0], address->octets, 8);
		memcpy(&words[1], address->octets + 8, 8);
	}
}

static void
address_from(const struct flow_key *key, unsigned end, struct net_address *address)
{
	uint32_t four = (uint32_t)key->address[end][0];

	memset(address, 0, sizeof *address);
	address->family = (uint8_t)(key->ports >> 32);
	if (address->family == 4)
		memcpy(address->octets, &four, sizeof four);
	else
		memcpy(address->octets, key->address[end], 16);
}

/* Both directions of a connection have one key: the lower end comes first. *end: who sent the packet. */
static inline void
key_of(const struct net_packet *packet, const struct tcp_segment *segment, struct flow_key *key, unsigned *end)
{
	uint64_t from[2], to[2], from_port = segment->source_port, to_port = segment->destination_port;
	bool from_first;

	words_of(&packet->source, from);
	words_of(&packet->destination, to);
	if (from[0] != to[0])
		from_first = be64toh(from[0]) < be64toh(to[0]);
	else if (from[1] != to[1])
		from_first = be64toh(from[1]) < be64toh(to[1]);
	else
		from_first = from_port <= to_port;
	*end = from_first ? 0 : 1;
	*key = (struct flow_key){
	    .address = {{from_first ? from[0] : to[0], from_first ? from[1] : to[1]},
	        {from_first ? to[0] : from[0], from_first ? to[1] : from[1]}},
	    .ports = (from_first ? from_port | to_port << 16 : to_port | from_port << 16) |
	        (uint64_t)packet->source.family << 32};
}

static struct flow *
find(const struct flows *flows, const struct flow_key *key, uint32_t hash)
{
	uint32_t slot = hash & (flows->size - 1);
	const struct place *place;

	while ((place = &flows->index[slot])->flow != NULL) {
		if (place->hash == hash && same_key(&place->flow->key, key))
			return place->flow;
		slot = (slot + 1) & (flows->size - 1);
	}
	return NULL;
}

static struct flow *
flow_new(struct flows *flows, const struct flow_key *key, uint32_t hash)
{
	struct flow *flow = spares_take(&flows->spare, sizeof *flow);

	memset(flow, 0, sizeof *flow);
	flow->key = *key;
	flow->hash = hash;
	if (2 * (flows->count + 1) > flows->size)
		widen(flows);
	put_into_index(flows, flow);
	link_newest(flows, flow);
	flows->count++;
	return flow;
}

/* The same ports in use again: a SYN behind the end, or with another sequence number than the one that began this. */
static bool
is_reused(const struct flow *flow, unsigned end, const struct tcp_segment *segment)
{
	if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
		return false;
	return (flow->fin[0] && flow->fin[1]) || flow->reset ||
	    (flow->syn_seen[end] ? flow->syn[end] != segment->seq : flow->talk != NULL || flow->over);
}

/* Whether a sequence number is where an end's next octets can be. */
static bool
is_near(const struct flow *flow, unsigned end, uint32_t seq)
{
	int32_t distance = (int32_t)(seq - flow->next[end]);

	return !flow->sent[end] || (distance > -NEAR && distance < NEAR);
}

/*
 * The first packet of a connection in a file. Parts of one capture go on where the last ended; in
 * files that have nothing to do with each other the same ports are not the same connection.
 */
static bool
goes_on(const struct flow *flow, unsigned end, const struct tcp_segment *segment)
{
	if ((segment->flags & TCP_SYN) != 0 && (flow->talk != NULL || flow->over))
		return false;
	return is_near(flow, end, segment->seq) &&
	    ((segment->flags & TCP_ACK) == 0 || is_near(flow, !end, segment->ack));
}

static void
begin_again(struct flow *flow)
{
	end_talk(flow, flow->last_us);
	flow->over = flow->reset = false;
	flow->sent[0] = flow->sent[1] = flow->fin[0] = flow->fin[1] = false;
	flow->established_us = 0;
	flow->syn_seen[0] = flow->syn_seen[1] = flow->acked[0] = flow->acked[1] = false;
}

static void
begin_talk(struct flows *flows, struct flow *flow)
{
	struct conversation_ends ends = {.port = {(uint16_t)flow->key.ports, (uint16_t)(flow->key.ports >> 16)},
	    .established_us = flow->established_us};

	for (unsigned end = 0; end < 2; end++)
		address_from(&flow->key, end, &ends.address[end]);
	flow->talk = connection_new(flows->run, &ends);
	/* Of an end that is not in the capture, the handshake's ACK still says where its octets begin. */
	for (unsigned end = 0; end < 2; end++)
		if (flow->acked[end] && !flow->syn_seen[!end])
			connection_starts_at(flow->talk, !end, flow->first_ack[end]);
	/* The SYN that carries no ACK came first. */
	for (unsigned i = 0; i < 2; i++) {
		unsigned end = flow->syn_seen[0] && !(flow->syn_flags[0] & TCP_ACK) ? i : !i;
		struct tcp_segment syn = {.seq = flow->syn[end], .ack = flow->syn_ack[end],
		    .flags = flow->syn_flags[end], .data = VIEW_NONE};

		if (flow->syn_seen[end])
			connection_segment(flow->talk, end, &syn, flow->last_us);
	}
}

/* What the packets in front of all data tell: where each end begins, and when the handshake was over. */
static void
take_opening(struct flow *flow, unsigned end, const struct tcp_segment *segment, uint64_t time_us)
{
	if ((segment->flags & TCP_SYN) != 0 && !flow->syn_seen[end]) {
		flow->syn_seen[end] = true;
		flow->syn[end] = segment->seq;
		flow->syn_ack[end] = segment->ack;
		flow->syn_flags[end] = segment->flags;
	}
	if (flow->talk == NULL && segment->data_len == 0 && (segment->flags & TCP_ACK) != 0 && !flow->acked[end] &&
	    (flow->syn_seen[end] || flow->syn_seen[!end])) {
		flow->acked[end] = true;
		flow->first_ack[end] = segment->ack;
		flow->established_us = time_us;
	}
}

/* The connection that a packet is of, as the newest of all. */
static struct flow *
flow_of(struct flows *flows, const struct flow_key *key, unsigned end, const struct tcp_segment *segment,
    uint64_t time_us)
{
	uint32_t hash = hash_of(key);
	struct flow *flow = find(flows, key, hash);

	if (flow == NULL)
		flow = flow_new(flows, key, hash);
	else if (is_reused(flow, end, segment) || (flow->file != flows->file && !goes_on(flow, end, segment)))
		begin_again(flow);
	if (time_us - flow->listed_us >= LISTED_US) {
		if (flows->newest != flow) {
			unlink_flow(flows, flow);
			link_newest(flows, flow);
		}
		flow->listed_us = time_us;
	}
	flow->last_us = time_us;
	flow->file = flows->file;
	flow->sent[end] = true;
	flow->fin[end] |= (segment->flags & TCP_FIN) != 0;
	flow->reset |= (segment->flags & TCP_RST) != 0;
	flow->next[end] = segment->seq + (uint32_t)segment->data_len + ((segment->flags & (TCP_SYN | TCP_FIN)) != 0);
	return flow;
}

void
flows_packet(struct flows *flows, const struct net_packet *packet, uint64_t time_us)
{
	struct tcp_segment segment;
	struct flow_key key;
	struct flow *flow;
	unsigned end;

	if (packet->protocol != TCP_PROTOCOL || !tcp_segment_parse(packet->payload, packet->payload_len, &segment))
		return;
	forget_silent(flows, time_us);
	key_of(packet, &segment, &key, &end);
	flow = flow_of(flows, &key, end, &segment, time_us);
	take_opening(flow, end, &segment, time_us);
	if (flow->talk == NULL && (flow->over || segment.data_len == 0))
		return;
	if (flow->talk == NULL)
		begin_talk(flows, flow);
	else if (connection_learns_nothing(flow->talk, end, &segment) || end_if_over(flow, time_us))
		return;
	connection_segment(flow->talk, end, &segment, time_us);
	if ((segment.flags & (TCP_FIN | TCP_RST)) != 0 && flow->ending == 0)
		join_ending(flows, flow);
}

void
flows_next_file(struct flows *flows)
{
	flows->file++;
}

uint64_t
flows_end(struct flows *flows, uint64_t time_us)
{
	uint64_t open = 0;

	pipeline_settle(flows->run->pipeline);
	for (struct flow *flow = flows->oldest; flow != NULL; flow = flow->newer)
		open += flow->talk != NULL && connection_is_open(flow->talk);
	while (flows->oldest != NULL)
		forget(flows, flows->oldest, time_us);
	return open;
}

void
flows_free(struct flows *flows)
{
	if (flows == NULL)
		return;
	spares_clear(&flows->spare, sizeof(struct flow));
	connections_clear(flows->run);
	free(flows->index);
	free(flows);
}
