/* SPDX-License-Identifier: MIT */
/* What the files of this room share; nobody else includes it. */
#ifndef INTERCEPT_INTERCEPT_STATE_H
#define INTERCEPT_INTERCEPT_STATE_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "decoders/smtp/dialogue.h"
#include "proxy/intercept/intercept.h"
#include "proxy/intercept/mint.h"
#include "proxy/intercept/pem.h"
#include "proxy/intercept/secrets_log.h"

#define INTERCEPT_NOTES 4

struct intercept {
	struct intercept_settings settings;
	SSL_CTX            *contexts[2];/* towards the client, towards the server: enum smtp_side */
	struct mint        *mint;       /* NULL: the certificate is given */
	struct pem_pair     given;      /* --cert and --key; .cert NULL: minted */
	struct secrets_log *secrets;    /* NULL: none */
	char               *notes[INTERCEPT_NOTES];
};

#define CONN_NAME_MAX 255       /* octets of an SNI that are kept */

struct tls_conn {
	const struct intercept *intercept;
	SSL   *ssl;
	BIO   *socket;          /* while early octets are read first: what is read behind them */
	X509  *peer;            /* its certificate, once seen; a reference */
	X509  *like;            /* server's role: whose names are minted; a reference, or NULL */
	char  *subject, *issuer;/* of peer */
	char  *reason;          /* why it failed; NULL: it has not */
	const char *hint;
	int    unverified;      /* the first X509_V_ERR_*; 0: none */
	bool   server;          /* the role */
	bool   served;          /* tls_conn_serve was called */
	bool   hello;           /* the client's hello was read */
	bool   asked;           /* for the client's certificate */
	bool   established;     /* the handshake is done */
	bool   notified;        /* the peer has sent close_notify */
	bool   failed;          /* nothing more can be done */
	bool   alerted, alert_from_peer;
	uint8_t alert;
	uint8_t alpn_len;       /* what the client offers, as in its hello */
	uint8_t chosen_len;     /* what is to be agreed upon */
	uint8_t sni_len, host_len;
	unsigned char alpn[CONN_NAME_MAX], chosen[CONN_NAME_MAX];
	char   sni[CONN_NAME_MAX + 1], host[CONN_NAME_MAX + 1];
};

/* contexts.c: both contexts by the settings. False: error is a sentence, the settings' fault. */
bool intercept_contexts_make(struct intercept *intercept, char error[static INTERCEPT_ERROR_MAX]);

/* hello.c: what OpenSSL asks in the midst of a handshake; put into the contexts. */
int tls_conn_on_hello(SSL *ssl, int *alert, void *arg);
int tls_conn_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg);
int tls_conn_on_asked(SSL *ssl, void *arg);
int tls_conn_on_verify(int well, X509_STORE_CTX *store);
void tls_conn_on_info(const SSL *ssl, int where, int value);
void tls_conn_on_secret(const SSL *ssl, const char *line);

/* failure.c: keeps what is to be said of a call that failed; error is SSL_get_error's. */
void tls_conn_explain(struct tls_conn *conn, int error, int system);

#endif
