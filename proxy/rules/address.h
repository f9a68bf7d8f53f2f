/* SPDX-License-Identifier: MIT */
/* Addresses and networks as rules compare them: IPv4 and IPv6 in one form. */
#ifndef RULES_ADDRESS_H
#define RULES_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>

#include "decoders/view.h"

/*
 * 16 octets, IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2): a client that came in over a socket
 * of both families is the same client.
 */
struct address {
	uint8_t octets[16];
};

/* Reads a text, without brackets, port or zone. False: it is no address. */
bool address_parse(struct view text, struct address *address);
/* False: of another family than AF_INET and AF_INET6. */
bool address_of(const struct sockaddr *from, struct address *address);
bool address_is_v4(const struct address *address);
int  address_compare(const struct address *a, const struct address *b);
/* Whether both agree in the first bits, counted in the family of the network; IPv4 is in no IPv6 network. */
bool address_in(const struct address *address, const struct address *network, unsigned bits);

#endif
