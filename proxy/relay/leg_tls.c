/* SPDX-License-Identifier: MIT */
/* TLS on a leg: its handshake, its reads, its end. */
#include "proxy/relay/leg_tls.h"

#include <stdlib.h>

#define TLS_RECORD ((size_t)16 << 10)   /* octets in one at most: a read that has room for it leaves nothing behind */

bool
leg_tls_begin(struct leg *leg, struct tls_conn *conn, bool early, uint64_t by_us)
{
	struct leg_tls *tls = calloc(1, sizeof *tls);
	struct view first = early ? (struct view){leg->kept, leg->kept_len} : VIEW_NONE;

	if (tls == NULL || conn == NULL || !tls_conn_attach(conn, leg->fd, first)) {
		free(tls);
		tls_conn_free(conn);
		return false;
	}
	if (early)
		leg_keep(leg, NULL, 0);
	tls->conn = conn;
	tls->by_us = by_us;
	leg->tls = tls;
	return true;
}

enum tls_conn_step
leg_tls_handshake(struct leg *leg)
{
	struct leg_tls *tls = leg->tls;
	enum tls_conn_step step = tls_conn_handshake(tls->conn);

	tls->hello = step == TLS_CONN_HELLO;
	tls->wants_write = step == TLS_CONN_WANT_WRITE;
	if (step == TLS_CONN_OK) {
		tls->up = true;
		/* Data may have come with the last of the handshake. */
		tls->more = true;
		outlet_secured(&leg->outlet, tls->conn);
	}
	return step;
}

/* What a step that gave no octets means. */
static enum leg_read
ends_by(struct leg_tls *tls, enum tls_conn_step step)
{
	switch (step) {
	case TLS_CONN_WANT_WRITE:
		tls->wants_write = true;
		return LEG_READ_NOTHING;
	case TLS_CONN_EOF:
		tls->cut = true;
		return LEG_READ_FIN;
	case TLS_CONN_CLOSED:
		return LEG_READ_FIN;
	case TLS_CONN_LOST:
		return LEG_READ_LOST;
	case TLS_CONN_FAILED:
		return LEG_READ_FAILED;
	default:
		return LEG_READ_NOTHING;
	}
}

enum leg_read
leg_tls_read(struct leg *leg, char *at, size_t size, size_t *len)
{
	struct leg_tls *tls = leg->tls;
	enum tls_conn_step step = TLS_CONN_OK;
	enum leg_read end;
	size_t n;

	*len = 0;
	tls->more = false;
	if (!tls->up)
		return LEG_READ_NOTHING;
	tls->wants_write = false;
	while (size - *len >= TLS_RECORD && (step = tls_conn_read(tls->conn, at + *len, size - *len, &n)) == TLS_CONN_OK)
		*len += n;
	end = step == TLS_CONN_OK ? LEG_READ_SOME : ends_by(tls, step);
	if (*len == 0)
		return end;
	/* What ended the reading is said next time. */
	tls->more = end != LEG_READ_NOTHING;
	return LEG_READ_SOME;
}

bool
leg_tls_close(struct leg *leg)
{
	return tls_conn_close(leg->tls->conn) != TLS_CONN_WANT_WRITE;
}

void
leg_tls_free(struct leg *leg)
{
	if (leg->tls == NULL)
		return;
	leg->outlet.tls = NULL;
	tls_conn_free(leg->tls->conn);
	free(leg->tls);
	leg->tls = NULL;
}
