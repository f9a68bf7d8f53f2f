/* SPDX-License-Identifier: MIT */
/*
 * Fragments, kept by datagram until all of one are there. Parts are sorted and do not overlap,
 * so a datagram is whole when their lengths add up to its own; no map of holes is needed.
 */
#include "decoders/net/fragments.h"

#include <stdlib.h>

#define BUCKETS      256
#define MAX_DATAGRAM 65535

/* Tunnels are entered once, so a datagram can be in fragments, and what it carries too. */
#define MAX_DEPTH 2

struct part {
	struct part *after;
	uint32_t     offset, len;       /* on the wire */
	uint32_t     have;              /* octets of it that were captured */
	char         octets[];
};

struct datagram {
	struct datagram   *next;                /* in the bucket */
	struct datagram   *older, *younger;
	struct net_address source, destination;
	uint32_t           id;
	uint8_t            protocol;            /* IPv4: a part of what names the datagram */
	uint8_t            first_protocol;      /* as the first fragment says it, which counts for IPv6 */
	uint32_t           covered;             /* octets in parts, as on the wire */
	uint32_t           total;               /* its length; 0: not known */
	uint64_t           since_us;
	size_t             kept;
	struct part       *parts, *last;        /* last: the furthest one */
};

struct fragments {
	size_t                  max_octets, kept;
	uint64_t                timeout_us;
	struct datagram        *oldest, *youngest;
	struct datagram        *buckets[BUCKETS];
	char                   *whole;          /* what the last call gave; owned */
	struct fragments_counts counts;
};

struct fragments *
fragments_new(size_t max_octets, uint64_t timeout_us)
{
	struct fragments *f = calloc(1, sizeof *f);

	if (f == NULL)
		return NULL;
	f->max_octets = max_octets;
	f->timeout_us = timeout_us;
	return f;
}

static struct datagram **
bucket_of(struct fragments *f, const struct net_packet *packet)
{
	uint32_t hash = packet->id * UINT32_C(2654435761);

	for (size_t i = 0; i < sizeof packet->source.octets; i++)
		hash = (hash ^ packet->source.octets[i] ^ (uint32_t)packet->destination.octets[i] << 8) * UINT32_C(16777619);
	return &f->buckets[hash >> 16 & (BUCKETS - 1)];
}

static bool
is_of(const struct datagram *d, const struct net_packet *packet)
{
	return d->id == packet->id && net_address_equal(&d->source, &packet->source) &&
	    net_address_equal(&d->destination, &packet->destination) &&
	    (d->source.family == 6 || d->protocol == packet->protocol);
}

static void
datagram_free(struct fragments *f, struct datagram *d)
{
	struct net_packet key = {.source = d->source, .destination = d->destination, .id = d->id};
	struct datagram **at = bucket_of(f, &key);
	struct part      *part, *after;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	*(d->older == NULL ? &f->oldest : &d->older->younger) = d->younger;
	*(d->younger == NULL ? &f->youngest : &d->younger->older) = d->older;
	f->kept -= d->kept;
	for (part = d->parts; part != NULL; part = after) {
		after = part->after;
		free(part);
	}
	free(d);
}

static void
give_up(struct fragments *f, struct datagram *d)
{
	f->counts.given_up++;
	datagram_free(f, d);
}

void
fragments_free(struct fragments *f)
{
	if (f == NULL)
		return;
	while (f->oldest != NULL)
		datagram_free(f, f->oldest);
	free(f->whole);
	free(f);
}

/* The datagram that the fragment is of, a new one if there is none yet. NULL: no memory. */
static struct datagram *
datagram_find(struct fragments *f, const struct net_packet *packet, uint64_t time_us)
{
	struct datagram **bucket = bucket_of(f, packet), *d;

	for (d = *bucket; d != NULL; d = d->next)
		if (is_of(d, packet))
			return d;
	d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->source = packet->source;
	d->destination = packet->destination;
	d->id = packet->id;
	d->protocol = d->first_protocol = packet->protocol;
	d->since_us = time_us;
	d->kept = sizeof *d;
	f->kept += d->kept;
	d->next = *bucket;
	*bucket = d;
	d->older = f->youngest;
	*(f->youngest == NULL ? &f->oldest : &f->youngest->younger) = d;
	f->youngest = d;
	return d;
}

/* Puts a part in front of *at; the octets are those that were captured, of len on the wire. */
static bool
part_insert(struct fragments *f, struct datagram *d, struct part **at, uint32_t offset, struct view octets, uint32_t len)
{
	struct view  have = view_first(octets, len);
	struct part *part = malloc(sizeof *part + have.len);

	if (part == NULL)
		return false;
	part->offset = offset;
	part->len = len;
	part->have = (uint32_t)have.len;
	if (have.len > 0)
		memcpy(part->octets, have.at, have.len);
	part->after = *at;
	*at = part;
	if (part->after == NULL)
		d->last = part;
	d->covered += len;
	d->kept += sizeof *part + have.len;
	f->kept += sizeof *part + have.len;
	return true;
}

/* Whether the octets at a place of a part, as far as both were captured, are the same. */
static bool
part_agrees(const struct part *part, uint32_t inside, struct view octets, uint32_t len)
{
	uint32_t both = part->have > inside ? part->have - inside : 0;

	if (both > len)
		both = len;
	if (both > octets.len)
		both = (uint32_t)octets.len;
	return both == 0 || memcmp(part->octets + inside, octets.at, both) == 0;
}

/* Fills the holes that the fragment reaches; what is there stays. */
static bool
parts_fill(struct fragments *f, struct datagram *d, const struct net_packet *packet)
{
	uint32_t      offset = packet->offset, left = (uint32_t)packet->payload_len;
	struct view   octets = packet->payload;
	bool          differs = false;
	struct part **at = &d->parts;

	/* Mostly they come in order. */
	if (d->last != NULL && d->last->offset + d->last->len <= offset)
		at = &d->last->after;
	while (left > 0) {
		struct part *part = *at;
		uint32_t     take = left;

		if (part != NULL && part->offset + part->len <= offset) {
			at = &part->after;
			continue;
		}
		if (part == NULL || part->offset > offset) {
			if (part != NULL && take > part->offset - offset)
				take = part->offset - offset;
			if (!part_insert(f, d, at, offset, octets, take))
				return false;
			at = &(*at)->after;
		} else {
			if (take > part->offset + part->len - offset)
				take = part->offset + part->len - offset;
			differs |= !part_agrees(part, offset - part->offset, octets, take);
		}
		offset += take;
		left -= take;
		octets = view_from(octets, take);
	}
	f->counts.overlaps += differs;
	return true;
}

/* Whether the fragment fits what is known of the datagram's length; notes what it says of it. */
static bool
length_agrees(struct datagram *d, const struct net_packet *packet)
{
	uint32_t end;

	if (packet->payload_len > MAX_DATAGRAM - packet->offset)
		return false;
	end = packet->offset + (uint32_t)packet->payload_len;
	if (packet->more)
		return packet->payload_len % 8 == 0 && packet->payload_len > 0 && (d->total == 0 || end <= d->total);
	if (d->total != 0 ? end != d->total : d->last != NULL && d->last->offset + d->last->len > end)
		return false;
	d->total = end;
	return true;
}

/* Makes *packet the whole datagram. False: no memory. */
static bool
make_whole(struct fragments *f, const struct datagram *d, struct net_packet *packet)
{
	char  *octets;
	size_t len = 0;

	for (const struct part *part = d->parts; part != NULL; part = part->after) {
		len += part->have;
		if (part->have < part->len)
			break;
	}
	octets = malloc(len > 0 ? len : 1);
	if (octets == NULL)
		return false;
	packet->payload = (struct view){octets, len};
	packet->payload_len = d->total;
	packet->protocol = d->first_protocol;
	for (const struct part *part = d->parts; part != NULL && len > 0; part = part->after) {
		memcpy(octets, part->octets, part->have);
		octets += part->have;
		len -= part->have;
	}
	free(f->whole);
	f->whole = (char *)(uintptr_t)packet->payload.at;
	return true;
}

/* One fragment; true: *packet is the datagram. */
static bool
add_one(struct fragments *f, struct net_packet *packet, uint64_t time_us)
{
	struct datagram *d = datagram_find(f, packet, time_us);
	bool             whole;

	if (d == NULL) {
		f->counts.given_up++;
		return false;
	}
	if (packet->offset == 0 && (d->parts == NULL || d->parts->offset != 0))
		d->first_protocol = packet->protocol;
	if (!length_agrees(d, packet) || !parts_fill(f, d, packet)) {
		give_up(f, d);
		return false;
	}
	if (d->total == 0 || d->covered < d->total) {
		while (f->kept > f->max_octets)
			give_up(f, f->oldest);
		return false;
	}
	whole = make_whole(f, d, packet);
	datagram_free(f, d);
	f->counts.whole += whole;
	f->counts.given_up += !whole;
	return whole;
}

bool
fragments_add(struct fragments *f, struct net_packet *packet, uint64_t time_us)
{
	/* A clock that was set back makes nothing old. */
	while (f->oldest != NULL && time_us > f->oldest->since_us && time_us - f->oldest->since_us > f->timeout_us)
		give_up(f, f->oldest);
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		if (!add_one(f, packet, time_us))
			return false;
		if (net_packet_continue(packet) != NET_PACKET) {
			f->counts.given_up++;
			return false;
		}
		if (!packet->fragment)
			return true;
	}
	return false;
}

struct fragments_counts
fragments_count(const struct fragments *f)
{
	return f->counts;
}
