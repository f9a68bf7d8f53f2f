/* SPDX-License-Identifier: MIT */
/* Addresses in one form, so that nothing else has to tell the families apart. */
#include "proxy/rules/address.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool
address_parse(struct view text, struct address *address)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof copy)
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	if (memchr(copy, ':', text.len) != NULL)
		return inet_pton(AF_INET6, copy, address->octets) == 1;
	memcpy(address->octets, mapped, sizeof mapped);
	return inet_pton(AF_INET, copy, address->octets + sizeof mapped) == 1;
}

bool
address_of(const struct sockaddr *from, struct address *address)
{
	if (from == NULL)
		return false;
	if (from->sa_family == AF_INET6) {
		memcpy(address->octets, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
		return true;
	}
	if (from->sa_family != AF_INET)
		return false;
	memcpy(address->octets, mapped, sizeof mapped);
	memcpy(address->octets + sizeof mapped, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	return true;
}

bool
address_is_v4(const struct address *address)
{
	return memcmp(address->octets, mapped, sizeof mapped) == 0;
}

int
address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a->octets, b->octets, sizeof a->octets);
}

bool
address_in(const struct address *address, const struct address *network, unsigned bits)
{
	unsigned whole, rest;

	if (address_is_v4(address) != address_is_v4(network))
		return false;
	if (address_is_v4(network))
		bits += 96;
	whole = bits / 8;
	rest = bits % 8;
	if (memcmp(address->octets, network->octets, whole) != 0)
		return false;
	return rest == 0 || ((address->octets[whole] ^ network->octets[whole]) >> (8 - rest)) == 0;
}
