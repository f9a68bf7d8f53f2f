/* SPDX-License-Identifier: MIT */
/*
 * TLS on one connection, which stays the caller's: OpenSSL drives its descriptor, which must not
 * block. Nothing here waits or closes: each call says what the descriptor must be ready for. Used
 * by the relay's legs and by the built-in server; knows no loop. SIGPIPE must be ignored.
 */
#ifndef INTERCEPT_CONN_H
#define INTERCEPT_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "decoders/view.h"

struct tls_conn;

enum tls_conn_step {
	TLS_CONN_OK,
	TLS_CONN_WANT_READ,     /* again when the descriptor is readable, whatever was asked for */
	TLS_CONN_WANT_WRITE,    /* again when it is writable */
	TLS_CONN_HELLO,         /* handshake of the server's role: the hello is read, tls_conn_serve is due */
	TLS_CONN_CLOSED,        /* reading: the peer sent close_notify */
	TLS_CONN_EOF,           /* reading: FIN without close_notify */
	TLS_CONN_LOST,          /* reading, writing: the connection was reset, errno says how */
	TLS_CONN_FAILED         /* no more can be done; tls_conn_failure says why. The descriptor may be closed */
};

/*
 * Begins on fd. early: what was read from it already and belongs to TLS; it is copied, and goes
 * first. False: out of memory.
 */
bool tls_conn_attach(struct tls_conn *conn, int fd, struct view early);

/* OK: it is done. After FAILED an alert has been sent where one is due. */
enum tls_conn_step tls_conn_handshake(struct tls_conn *conn);

/*
 * Server's role, once the handshake said HELLO: decides on the certificate; call
 * tls_conn_handshake again. upstream: the server's leg, established, whose certificate's names are
 * taken, whose choice of ALPN is passed on and whose wish for a client's certificate too; NULL:
 * there is no TLS behind us. host is taken where neither it nor the client's SNI names anybody.
 * May be called before the handshake begins (STARTTLS): then there is no HELLO. False: out of memory.
 */
bool tls_conn_serve(struct tls_conn *conn, const struct tls_conn *upstream, struct view host);

/* OK: *len octets. Read until it says something else: OpenSSL may hold octets that no loop will wake for. */
enum tls_conn_step tls_conn_read(struct tls_conn *conn, char *at, size_t size, size_t *len);

/*
 * OK: *len octets were taken, not all of them perhaps. After WANT_* the same octets have to be
 * offered again, at the same place or at another, with more behind them or not.
 */
enum tls_conn_step tls_conn_write(struct tls_conn *conn, const char *at, size_t len, size_t *taken);

/* Sends close_notify, once; waits for none. WANT_WRITE: again. FAILED: it could not go. */
enum tls_conn_step tls_conn_close(struct tls_conn *conn);

/* Frees; the descriptor is left as it is. NULL is fine. */
void tls_conn_free(struct tls_conn *conn);

/* Octets decrypted and not read yet. */
size_t tls_conn_pending(const struct tls_conn *conn);

enum tls_conn_verified { TLS_CONN_UNKNOWN, TLS_CONN_VERIFIED, TLS_CONN_NOT_VERIFIED };

/* What is known of it so far. Texts are the conn's; .at NULL: not known (yet). */
struct tls_conn_facts {
	struct view version, cipher;    /* "TLSv1.3"; "TLS_AES_256_GCM_SHA384", the IANA name */
	struct view sni, alpn;          /* SNI: asked for by whoever is the client; ALPN: agreed upon */
	struct view subject, issuer;    /* of the peer's certificate, RFC 4514 in UTF-8 */
	enum tls_conn_verified verified;/* of the server's certificate: name, time and CA; a client's is UNKNOWN */
	struct view verify_error;       /* in words, where NOT_VERIFIED */
	bool        asked;              /* the server asked for a certificate of the client */
};
void tls_conn_facts(struct tls_conn *conn, struct tls_conn_facts *facts);

/* Why it failed. Texts are the conn's or constant; .at NULL: there is none. */
struct tls_conn_failure {
	struct view alert;              /* its name: unknown_ca */
	bool        alert_from_peer;    /* else we sent it */
	struct view reason;             /* in words, whose fault included; never NULL */
	struct view hint;               /* what the user may do about it */
};
void tls_conn_failure(const struct tls_conn *conn, struct tls_conn_failure *failure);

#endif
