/* SPDX-License-Identifier: MIT */
/*
 * Addresses as text and back, in the one way of RFC 5952 2 to 4. inet_ntop would do, but lives
 * with the sockets, and this room has none.
 */
#include "decoders/net/octets.h"
#include "decoders/net/packet.h"

#define GROUPS 8

/* A number below 65536; returns what is behind it. No printf: every session that is decoded comes through here. */
static char *
put_number(char *at, unsigned number, unsigned base)
{
	char   digits[5];
	size_t from = sizeof digits;

	do {
		digits[--from] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number > 0);
	memcpy(at, digits + from, sizeof digits - from);
	return at + sizeof digits - from;
}

static char *
put_ipv4(char *at, const uint8_t *octets)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_number(at, octets[i], 10);
	}
	return at;
}

/* The first of the longest runs of at least two zero groups (RFC 5952 4.2); *length 0: none. */
static size_t
longest_zeros(const uint16_t groups[GROUPS], size_t *length)
{
	size_t first = 0;

	*length = 0;
	for (size_t i = 0; i < GROUPS;) {
		size_t end = i;

		while (end < GROUPS && groups[end] == 0)
			end++;
		if (end - i > *length && end - i >= 2) {
			first = i;
			*length = end - i;
		}
		i = end + 1;
	}
	return first;
}

static char *
put_ipv6(char *at, const uint8_t *octets)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	uint16_t             groups[GROUPS];
	size_t               zeros, first;

	if (memcmp(octets, mapped, sizeof mapped) == 0) {       /* RFC 5952 5 */
		memcpy(at, "::ffff:", 7);
		return put_ipv4(at + 7, octets + 12);
	}
	for (size_t i = 0; i < GROUPS; i++)
		groups[i] = (uint16_t)(octets[2 * i] << 8 | octets[2 * i + 1]);
	first = longest_zeros(groups, &zeros);
	for (size_t i = 0; i < GROUPS; i++) {
		if (zeros > 0 && i == first) {
			*at++ = ':';
			if (i == 0)
				*at++ = ':';
			i += zeros - 1;
			continue;
		}
		at = put_number(at, groups[i], 16);
		if (i + 1 < GROUPS)
			*at++ = ':';
	}
	return at;
}

static char *
put_address(char *at, const struct net_address *address)
{
	if (address->family == 4)
		return put_ipv4(at, address->octets);
	if (address->family == 6)
		return put_ipv6(at, address->octets);
	*at++ = '?';
	return at;
}

size_t
net_address_text(const struct net_address *address, char text[NET_ADDRESS_TEXT])
{
	char *end = put_address(text, address);

	*end = '\0';
	return (size_t)(end - text);
}

size_t
net_end_text(const struct net_address *address, uint16_t port, char text[NET_END_TEXT])
{
	char *at = text;

	if (address->family == 6)
		*at++ = '[';
	at = put_address(at, address);
	if (address->family == 6)
		*at++ = ']';
	*at++ = ':';
	at = put_number(at, port, 10);
	*at = '\0';
	return (size_t)(at - text);
}

/* Four numbers below 256, none with a zero in front, and nothing else. */
static bool
ipv4_parse(struct view text, uint8_t octets[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned number = 0;
		size_t   digits = 0;

		while (digits < text.len && digits < 3 && text.at[digits] >= '0' && text.at[digits] <= '9')
			number = number * 10 + (unsigned)(text.at[digits++] - '0');
		if (digits == 0 || number > 255 || (digits > 1 && text.at[0] == '0'))
			return false;
		octets[i] = (uint8_t)number;
		text = view_from(text, digits);
		if (i < 3) {
			if (text.len == 0 || text.at[0] != '.')
				return false;
			text = view_from(text, 1);
		}
	}
	return text.len == 0;
}

/* The octets of one group; 0: there is none. */
static size_t
group_parse(struct view text, unsigned *group)
{
	size_t digits = 0;

	*group = 0;
	while (digits < text.len && digits < 4 && hex_digit(text.at[digits]) >= 0)
		*group = *group * 16 + (unsigned)hex_digit(text.at[digits++]);
	return digits;
}

/* RFC 4291 2.2. What is read goes to the front; what stood behind "::" is moved to the end. */
static bool
ipv6_parse(struct view text, uint8_t octets[16])
{
	size_t used = 0, gap = 17;

	memset(octets, 0, 16);
	if (text.len >= 2 && text.at[0] == ':' && text.at[1] == ':') {
		gap = 0;
		text = view_from(text, 2);
	}
	while (text.len > 0) {
		unsigned group;
		size_t   digits = group_parse(text, &group);

		if (used <= 12 && digits < text.len && text.at[digits] == '.') {
			if (!ipv4_parse(text, octets + used))
				return false;
			used += 4;
			text = view_from(text, text.len);
			break;
		}
		if (digits == 0 || used > 14)
			return false;
		octets[used++] = (uint8_t)(group >> 8);
		octets[used++] = (uint8_t)group;
		text = view_from(text, digits);
		if (text.len == 0)
			break;
		if (text.len < 2 || text.at[0] != ':')
			return false;
		text = view_from(text, 1);
		if (text.at[0] == ':') {
			if (gap <= 16)
				return false;
			gap = used;
			text = view_from(text, 1);
		}
	}
	if (gap > 16)
		return used == 16;
	if (used > 14)
		return false;
	memmove(octets + 16 - (used - gap), octets + gap, used - gap);
	memset(octets + gap, 0, 16 - used);
	return true;
}

bool
net_address_parse(struct view text, struct net_address *address)
{
	memset(address, 0, sizeof *address);
	if (ipv4_parse(text, address->octets)) {
		address->family = 4;
		return true;
	}
	memset(address, 0, sizeof *address);
	if (!ipv6_parse(text, address->octets)) {
		memset(address, 0, sizeof *address);
		return false;
	}
	address->family = 6;
	return true;
}
