/* SPDX-License-Identifier: MIT */
/*
 * TLS on a leg, which has it in one pointer: a leg in the clear pays nothing more. The handshake
 * is driven by the loop as reads and writes are; what begins it and what follows is pair_tls.c's.
 */
#ifndef RELAY_LEG_TLS_H
#define RELAY_LEG_TLS_H

#include "proxy/intercept/conn.h"
#include "proxy/relay/leg.h"

struct leg_tls {
	struct tls_conn *conn;          /* owned */
	uint64_t         by_us;         /* the handshake must be done by then */
	bool             up;            /* it is done */
	bool             hello;         /* the client's hello is there, the certificate is not chosen yet */
	bool             wants_write;   /* what is under way (the handshake, a read) needs the socket writable */
	bool             more;          /* something can be read although the socket may be silent */
	bool             cut;           /* FIN came without close_notify */
};

/*
 * Takes conn (NULL: out of memory). Octets that were kept of the leg and belong to TLS are its
 * first (early). False: out of memory.
 */
bool leg_tls_begin(struct leg *leg, struct tls_conn *conn, bool early, uint64_t by_us);

/* The handshake goes on; TLS_CONN_OK: it is done, and octets go out and come in by TLS. */
enum tls_conn_step leg_tls_handshake(struct leg *leg);

/* As leg_read. */
enum leg_read leg_tls_read(struct leg *leg, char *at, size_t size, size_t *len);

/* Says close_notify. False: the socket is full, and it must be said again when it is not. */
bool leg_tls_close(struct leg *leg);

/* In the clear again: what is left of the connection is no TLS. */
void leg_tls_free(struct leg *leg);

/* Whether the handshake is under way. */
static inline bool
leg_is_securing(const struct leg *leg)
{
	return leg->tls != NULL && !leg->tls->up;
}

#endif
