/* SPDX-License-Identifier: MIT */
/*
 * Where to listen and where to connect, as the command line says it: smtp://host:port, smtps://,
 * lmtp://host:port, host:port, [v6]:port, host alone, `sink`. Apart, because the proxy and
 * the built-in server read the same words. Nothing is looked up here: names are resolved
 * when a session is dialled.
 */
#ifndef PROXY_URL_H
#define PROXY_URL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "decoders/view.h"

enum url_use { URL_LISTEN, URL_UPSTREAM };
enum url_scheme { URL_SMTP, URL_LMTP, URL_SINK };

#define URL_HOST_MAX 253        /* octets of a domain name (RFC 1035 2.3.4, without the root's) */
#define URL_TEXT_MAX (URL_HOST_MAX + 20)
#define URL_ERROR_MAX 512       /* enough for every message below */

#define URL_PORT_SMTP  25       /* an upstream without a port */
#define URL_PORT_SMTPS 465      /* the same with implicit TLS (RFC 8314 7.3) */
#define URL_PORT_PROXY 2525     /* the proxy's listener without one */
#define URL_PORT_SINK  2526     /* the built-in server's */

union url_address {
	struct sockaddr     any;
	struct sockaddr_in  v4;
	struct sockaddr_in6 v6;
};

struct url {
	enum url_scheme   scheme;
	uint16_t          port;                         /* 0: a listener picks one */
	bool              tls;                          /* smtps: it begins with TLS (RFC 8314) */
	bool              numeric;                      /* address is filled in, port too */
	union url_address address;
	char              host[URL_HOST_MAX + 1];       /* without brackets; "" for `sink` */
	char              text[URL_TEXT_MAX + 1];       /* smtp://host:port, or sink */
};

/*
 * Reads a URL. False: error holds a sentence that quotes the text and says what was
 * expected. A listener has a numeric address or `localhost`; `sink` is an upstream only.
 */
bool url_parse(const char *text, enum url_use use, uint16_t default_port, struct url *url,
    char error[static URL_ERROR_MAX]);

/* "smtp://", "smtps://", "lmtp://": what stands before it, but for the sink. */
const char *url_scheme_text(const struct url *url);

/* As if it had been smtps://; with its port. Of smtp:// alone. */
void url_make_tls(struct url *url);

/* The host:port part of url->text, borrowed from it; `sink` for the sink. */
struct view url_authority(const struct url *url);

/* Length of an address for bind, connect and the like. */
socklen_t url_address_length(const union url_address *address);
uint16_t url_address_port(const union url_address *address);
void url_address_set_port(union url_address *address, uint16_t port);

/* "192.0.2.1:25" or "[2001:db8::1]:25", with a NUL behind it. Returns the view of it. */
#define URL_ADDRESS_MAX 80
struct view url_address_text(const union url_address *address, char text[static URL_ADDRESS_MAX]);

/* An IPv4 address that came through an IPv6 socket (::ffff:192.0.2.1) is made the IPv4 one that it is. */
void url_address_unmap(union url_address *address);

#endif
