/* SPDX-License-Identifier: MIT */
/*
 * A client and a server of OpenSSL's with an intercepting proxy between them, over socketpairs
 * and in one thread: everybody is given a turn until nobody gets on. The proxy's two legs are the
 * tls_conn of proxy/intercept, driven as the relay drives them.
 */
#ifndef TESTS_UNIT_INTERCEPT_ENDS_H
#define TESTS_UNIT_INTERCEPT_ENDS_H

#include <openssl/ssl.h>

#include "proxy/intercept/intercept.h"
#include "proxy/intercept/pem.h"

struct ends_setup {
	struct intercept_settings settings;     /* of the proxy; ca_cert is filled in if NULL, unless it has a cert */
	const char *host;               /* whom the proxy dialled; NULL: mx.example.org */
	const char *server_host;        /* whose certificate the server has; NULL: mx.example.org */
	const char *client_sni, *client_alpn, *server_alpn;     /* NULL: none; ALPN: "smtp" */
	const char *client_trusts;      /* a file; NULL: the CA; "": none */
	const char *client_host;        /* whom the client wants; NULL: server_host */
	bool        client_verifies;
	bool        server_untrusted;   /* the proxy does not know the server's CA */
	bool        server_asks;        /* for a certificate */
	bool        server_insists;
	bool        implicit;           /* the client begins: its hello is known before the server is spoken to */
	bool        plain_server;       /* no TLS with the server */
	const char *client_ciphers, *server_ciphers;
	int         client_max, server_max;     /* TLS1_2_VERSION ...; 0: the highest */
};

struct ends {
	char dir[64];                   /* where its files are */
	char ca_cert[128], ca_key[128], server_ca[128], server_key[128], keylog[128];
	struct intercept_settings *settings;
	struct intercept *intercept;
	SSL_CTX *client_ctx, *server_ctx;
	SSL     *client, *server;
	struct tls_conn *to_client, *to_server;
	enum tls_conn_step client_leg, server_leg;      /* how each handshake ended */
	bool     client_done, server_done;
	int      fds[4];                /* client, its leg; server's leg, server */
};

/* Makes the ends and shakes hands as far as they get. */
struct ends *ends_new(const struct ends_setup *setup);
void ends_free(struct ends *ends);

/* All that the client says is heard by the server, over the proxy; then the other way round. */
void ends_talk(struct ends *ends);

/* "" where it did not verify anything or all was well. */
const char *ends_client_verdict(const struct ends *ends);

#endif
