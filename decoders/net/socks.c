/* SPDX-License-Identifier: MIT */
/* SOCKS 4, 4a and 5 (RFC 1928, 1929): what a client asks a relay for, and what that answers. */
#include "decoders/net/preface_parts.h"
#include "decoders/net/octets.h"

/* The octets up to a NUL, which must be there: their number, or found != FOUND. */
static enum found
up_to_nul(struct view octets, size_t *len)
{
	const char *nul = octets.len == 0 ? NULL : memchr(octets.at, '\0', octets.len < 256 ? octets.len : 256);

	if (nul == NULL)
		return octets.len < 256 ? CUT_SHORT : NOT_THIS;
	*len = (size_t)(nul - octets.at);
	return FOUND;
}

/* Version 4, CONNECT, port, address, user, NUL; 4a: where the address is 0.0.0.x, a name and NUL. */
enum found
socks4_request(struct view octets, size_t *used, struct preface *p)
{
	enum found start = preface_begins(octets, VIEW("\x04\x01")), found;
	size_t     user, name;

	if (start != FOUND)
		return start;
	if (octets.len < 8)
		return CUT_SHORT;
	found = up_to_nul(view_from(octets, 8), &user);
	if (found != FOUND)
		return found;
	*used = 8 + user + 1;
	if (be32_at(octets.at + 4) == 0 || be32_at(octets.at + 4) > 0xff) {
		preface_address(&p->server, 4, octets.at + 4);
		p->has_server = true;
	} else {
		found = up_to_nul(view_from(octets, *used), &name);
		if (found != FOUND)
			return found;
		p->host = view_first(view_from(octets, *used), name);
		*used += name + 1;
	}
	p->server_port = be16_at(octets.at + 2);
	return FOUND;
}

enum found
socks4_reply(struct view octets, size_t *used, struct preface *p)
{
	enum found start = preface_begins(octets, VIEW("\0"));

	if (start != FOUND)
		return start;
	if (octets.len < 8)
		return octets.len > 1 && (octet_at(octets.at + 1) < 90 || octet_at(octets.at + 1) > 93) ? NOT_THIS : CUT_SHORT;
	if (octet_at(octets.at + 1) < 90 || octet_at(octets.at + 1) > 93)
		return NOT_THIS;
	p->refused = octet_at(octets.at + 1) != 90;
	*used = 8;
	return FOUND;
}

/* An address in a request or a reply of SOCKS 5: its kind, itself, and a port behind it. */
static enum found
socks5_address(struct view octets, size_t *used, struct net_address *address, struct view *host, uint16_t *port)
{
	size_t size;

	if (octets.len < 2)
		return CUT_SHORT;
	switch (octet_at(octets.at)) {
	case 1:
		size = 4;
		break;
	case 3:
		size = 1 + (size_t)octet_at(octets.at + 1);
		break;
	case 4:
		size = 16;
		break;
	default:
		return NOT_THIS;
	}
	*used = 1 + size + 2;
	if (octets.len < *used)
		return CUT_SHORT;
	address->family = 0;
	if (octet_at(octets.at) == 3)
		*host = (struct view){octets.at + 2, size - 1};
	else
		preface_address(address, size == 4 ? 4 : 6, octets.at + 1);
	*port = be16_at(octets.at + 1 + size);
	return FOUND;
}

/* The methods that the client offers, perhaps its name and password (RFC 1929), and its request. */
enum found
socks5_request(struct view octets, size_t *used, struct preface *p)
{
	enum found start = preface_begins(octets, VIEW("\x05"));
	size_t     at, size;

	if (start != FOUND)
		return start;
	if (octets.len < 2)
		return CUT_SHORT;
	if (octet_at(octets.at + 1) == 0)
		return NOT_THIS;
	at = 2 + (size_t)octet_at(octets.at + 1);
	if (octets.len > at && octet_at(octets.at + at) == 1) {
		if (octets.len < at + 2)
			return CUT_SHORT;
		at += 2 + (size_t)octet_at(octets.at + at + 1);
		if (octets.len <= at)
			return CUT_SHORT;
		at += 1 + (size_t)octet_at(octets.at + at);
	}
	if (octets.len <= at)
		return CUT_SHORT;
	start = preface_begins(view_from(octets, at), VIEW("\x05\x01\0"));
	if (start != FOUND)
		return start;
	start = socks5_address(view_from(octets, at + 3), &size, &p->server, &p->host, &p->server_port);
	if (start != FOUND)
		return start;
	p->has_server = p->server.family != 0;
	*used = at + 3 + size;
	return FOUND;
}

enum found
socks5_reply(struct view octets, size_t *used, struct preface *p)
{
	enum found         start = preface_begins(octets, VIEW("\x05"));
	size_t             at = 2, size;
	struct net_address bound;
	struct view        host;
	uint16_t           port;

	if (start != FOUND)
		return start;
	if (octets.len < 2)
		return CUT_SHORT;
	p->refused = true;
	*used = 2;
	switch (octet_at(octets.at + 1)) {
	case 0:
		break;
	case 2:
		if (octets.len < 4)
			return CUT_SHORT;
		if (octet_at(octets.at + 2) != 1)
			return NOT_THIS;
		*used = at = 4;
		if (octet_at(octets.at + 3) != 0)
			return FOUND;
		break;
	case 255:
		return FOUND;
	default:
		return NOT_THIS;
	}
	if (octets.len < at + 3)
		return CUT_SHORT;
	if (octet_at(octets.at + at) != 5)
		return NOT_THIS;
	start = socks5_address(view_from(octets, at + 3), &size, &bound, &host, &port);
	if (start != FOUND)
		return start;
	p->refused = octet_at(octets.at + at + 1) != 0;
	*used = at + 3 + size;
	return FOUND;
}
