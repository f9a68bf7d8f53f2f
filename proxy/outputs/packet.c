/* SPDX-License-Identifier: MIT */
/* Headers of IP and TCP, octet by octet in network order. */
#include "proxy/outputs/packet.h"

#include <assert.h>
#include <netinet/in.h>

#define TCP_HEADER   20u
#define TCP_PROTOCOL 6u
#define HOPS         64u
#define WINDOW       65535u

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};  /* IPv4 in IPv6 (RFC 4291 2.5.5.2) */

/* The end as IPv6 has it; true: that can be said as IPv4. */
static bool
read_end(struct packet_end *end, const struct sockaddr *address)
{
	memset(end, 0, sizeof *end);
	memcpy(end->address, mapped, sizeof mapped);
	if (address != NULL && address->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, address, sizeof in);
		memcpy(end->address + sizeof mapped, &in.sin_addr, 4);
		end->port = ntohs(in.sin_port);
	} else if (address != NULL && address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof in6);
		memcpy(end->address, &in6.sin6_addr, 16);
		end->port = ntohs(in6.sin6_port);
	}
	return memcmp(end->address, mapped, sizeof mapped) == 0;
}

static bool
is_unknown(const struct packet_end *end)
{
	static const uint8_t none[4];

	return memcmp(end->address + sizeof mapped, none, sizeof none) == 0;
}

void
packet_ends_of(struct packet_ends *ends, const struct sockaddr *client, const struct sockaddr *server)
{
	bool four[2] = {read_end(&ends->end[0], client), read_end(&ends->end[1], server)};

	ends->six = !four[0] || !four[1];
	/* An address that is not known is of the family of the other. */
	for (int i = 0; i < 2; i++)
		if (ends->six && four[i] && is_unknown(&ends->end[i]))
			memset(ends->end[i].address, 0, sizeof ends->end[i].address);
}

static uint8_t *
put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *
put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, (uint16_t)(value >> 16)), (uint16_t)value);
}

static uint8_t *
put_octets(uint8_t *at, const void *octets, size_t len)
{
	if (len > 0)
		memcpy(at, octets, len);
	return at + len;
}

/* Adds octets to a sum in ones' complement (RFC 1071). All but the last addition are of an even number. */
static uint32_t
add(uint32_t sum, const uint8_t *octets, size_t len)
{
	for (; len > 1; octets += 2, len -= 2)
		sum += (uint32_t)octets[0] << 8 | octets[1];
	if (len > 0)
		sum += (uint32_t)octets[0] << 8;
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint8_t *
put_ipv4(uint8_t *at, const struct packet_end *from, const struct packet_end *to, uint16_t id, size_t len)
{
	uint8_t *start = at;

	*at++ = 0x45;
	*at++ = 0;
	at = put16(at, (uint16_t)(20 + len));
	at = put16(at, id);
	at = put16(at, 0x4000);         /* not to be fragmented */
	*at++ = HOPS;
	*at++ = TCP_PROTOCOL;
	at = put16(at, 0);
	at = put_octets(at, from->address + 12, 4);
	at = put_octets(at, to->address + 12, 4);
	put16(start + 10, fold(add(0, start, 20)));
	return at;
}

static uint8_t *
put_ipv6(uint8_t *at, const struct packet_end *from, const struct packet_end *to, size_t len)
{
	at = put32(at, 6u << 28);
	at = put16(at, (uint16_t)len);
	*at++ = TCP_PROTOCOL;
	*at++ = HOPS;
	at = put_octets(at, from->address, 16);
	return put_octets(at, to->address, 16);
}

static uint8_t *
put_tcp(uint8_t *at, const struct packet_end *from, const struct packet_end *to, const struct packet_segment *segment)
{
	at = put16(at, from->port);
	at = put16(at, to->port);
	at = put32(at, segment->seq);
	at = put32(at, (segment->flags & PACKET_ACK) != 0 ? segment->ack : 0);
	*at++ = TCP_HEADER / 4 << 4;
	*at++ = segment->flags;
	at = put16(at, WINDOW);
	at = put32(at, 0);              /* checksum, urgent pointer */
	return put_octets(at, segment->data.at, segment->data.len);
}

size_t
packet_build(uint8_t out[PACKET_MAX], const struct packet_ends *ends, const struct packet_segment *segment)
{
	const struct packet_end *from = &ends->end[segment->from], *to = &ends->end[!segment->from];
	size_t len = TCP_HEADER + segment->data.len, start = ends->six ? 0 : 12;
	uint32_t sum = TCP_PROTOCOL + (uint32_t)len;
	uint8_t *tcp, *end;

	assert(segment->data.len <= PACKET_DATA_MAX);
	tcp = ends->six ? put_ipv6(out, from, to, len) : put_ipv4(out, from, to, segment->id, len);
	end = put_tcp(tcp, from, to, segment);
	/* The pseudo header is the addresses, the protocol and the length (RFC 9293 3.1, RFC 8200 8.1). */
	sum = add(sum, from->address + start, 16 - start);
	sum = add(sum, to->address + start, 16 - start);
	put16(tcp + 16, fold(add(sum, tcp, len)));
	return (size_t)(end - out);
}
