/* SPDX-License-Identifier: MIT */
/*
 * What may stand in a TCP stream in front of what it is for, put there by who handed the
 * connection on: the PROXY protocol, version 1 and 2 (HAProxy's proxy-protocol.txt), SOCKS 4,
 * 4a and 5 (RFC 1928, 1929), HTTP CONNECT (RFC 9110 9.3.6). It is stepped over and reported.
 */
#ifndef DECODERS_NET_PREFACE_H
#define DECODERS_NET_PREFACE_H

#include "decoders/net/packet.h"

enum preface_kind {
	PREFACE_PROXY_V1,
	PREFACE_PROXY_V2,
	PREFACE_SOCKS4,
	PREFACE_SOCKS5,
	PREFACE_CONNECT
};

#define PREFACE_MAX 4           /* that stand behind each other: PROXY and then SOCKS, CONNECT and again with a password */

struct preface {
	uint8_t count;                          /* 0: none (so far) */
	enum preface_kind kinds[PREFACE_MAX];
	/*
	 * Octets of each side that are preface. May be more than were given: a long header that
	 * says its length. What comes is to be stepped over then.
	 */
	size_t  client_len, server_len;
	/* The side has too little behind them to say whether more of a preface follows. An empty side has. */
	bool    client_more, server_more;
	bool    refused;                        /* the last reply of SOCKS or CONNECT was a refusal */

	bool               has_client;          /* PROXY: who dialled first of all */
	struct net_address client;
	uint16_t           client_port;
	bool               has_server;          /* whom the client wanted, where that was an address */
	struct net_address server;
	uint16_t           server_port;         /* of server, or of host */
	struct view        host;                /* or where it was a name: borrows from the octets */
};

/*
 * Reads what both sides have sent so far, each from its first octet. To be asked again with more
 * as long as client_more or server_more; a side for which its flag is not set will not change, but
 * for a server that was read alone and whose client comes later. A head of more than 4096 octets
 * is none. The client is who dialled.
 */
void preface_read(struct view client, struct view server, struct preface *preface);

/* "PROXY protocol v1", "SOCKS5", "HTTP CONNECT". */
const char *preface_name(enum preface_kind kind);

#endif
