/* SPDX-License-Identifier: MIT */
/*
 * TLS that the proxy itself speaks: it begins on a leg where the session's plan says so, once
 * all in front of it is out, and the session is told what came of it. The client's hello is read
 * before the server is spoken to (its SNI is passed on), its certificate is chosen when the
 * server's is known; so each handshake may have to wait for the other one.
 */
#include "proxy/relay/pair_state.h"

#include <stdlib.h>

#include "proxy/intercept/intercept.h"
#include "proxy/relay/leg_tls.h"

static struct event_tls
event_of(struct tls_conn *conn)
{
	struct tls_conn_facts facts;

	tls_conn_facts(conn, &facts);
	return (struct event_tls){.version = facts.version, .cipher = facts.cipher, .sni = facts.sni,
	    .subject = facts.subject, .issuer = facts.issuer, .verify_error = facts.verify_error,
	    .verified = facts.verified == TLS_CONN_VERIFIED ? 1 : facts.verified == TLS_CONN_NOT_VERIFIED ? -1 : 0};
}

/* No TLS on this leg, and so nothing of what was meant for it can go out. */
static void
fail(struct pair *pair, enum smtp_side side, const struct event_tls *event, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];
	struct plan plan;

	pair->secure_due[side] = false;
	pair->resumes[smtp_other_side(side)] += outlet_clear(&leg->outlet);
	session_leg_failed(pair->session, side, event, now_us, &plan);
	pair_carry_out(pair, side, &plan, now_us);
	leg_tls_free(leg);
	/* An alert may be on its way: no reset must overtake it. */
	leg->fin_due = leg->draining = true;
}

void
pair_tls_failed(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct tls_conn *conn = pair->leg[side].tls->conn;
	struct event_tls event = event_of(conn);
	struct tls_conn_failure failure;

	tls_conn_failure(conn, &failure);
	event.alert = failure.alert;
	event.reason = failure.reason;
	event.hint = failure.hint;
	fail(pair, side, &event, now_us);
}

void
pair_tls_lost(struct pair *pair, enum smtp_side side, struct view reason, uint64_t now_us)
{
	struct event_tls event = event_of(pair->leg[side].tls->conn);

	event.reason = reason;
	fail(pair, side, &event, now_us);
}

bool
pair_tls_is_late(const struct pair *pair, enum smtp_side side)
{
	const struct leg *leg = &pair->leg[side];

	return pair->secure_due[side] && !pair->over && leg->tls == NULL &&
	    (leg->state == LEG_GONE || leg->lost || leg->fin_sent);
}

void
pair_tls_cannot(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct event_tls event = {.reason = pair->leg[side].fin_sent
	    ? VIEW("the client had closed its half of the connection") : VIEW("the connection was lost")};

	fail(pair, side, &event, now_us);
}

static void
succeed(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct event_tls event = event_of(pair->leg[side].tls->conn);
	struct plan plan;

	pair->secure_due[side] = false;
	session_leg_secured(pair->session, side, &event, now_us, &plan);
	pair_carry_out(pair, side, &plan, now_us);
	pair_flush(pair, side, now_us);
}

void
pair_tls_step(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	switch (leg_tls_handshake(&pair->leg[side])) {
	case TLS_CONN_OK:
		succeed(pair, side, now_us);
		break;
	case TLS_CONN_HELLO:
	case TLS_CONN_WANT_READ:
	case TLS_CONN_WANT_WRITE:
		break;
	default:
		pair_tls_failed(pair, side, now_us);
		break;
	}
}

/* Whom we have dialled, as its certificate is to say it. */
static struct view
host_of(const struct pair *pair)
{
	const struct url *url = upstreams_first(pair->worker->upstreams) + pair->server_url;

	return url->scheme == URL_SINK ? VIEW("localhost") : view_of(url->host);
}

/* What is known of the server decides on the client's certificate. */
static bool
serve(struct pair *pair)
{
	const struct leg *server = &pair->leg[SMTP_SERVER];

	return tls_conn_serve(pair->leg[SMTP_CLIENT].tls->conn, server->tls != NULL && server->tls->up ? server->tls->conn
	    : NULL, host_of(pair));
}

static bool
server_is_decided(const struct pair *pair)
{
	return pair->over || session_server_is_decided(pair->session);
}

static struct tls_conn *
new_conn(struct pair *pair, enum smtp_side side)
{
	const struct intercept *intercept = pair->worker->tls.intercept;
	const struct leg *client = &pair->leg[SMTP_CLIENT];

	if (side == SMTP_CLIENT)
		return intercept_towards_client(intercept);
	return intercept_towards_server(intercept, host_of(pair), client->tls != NULL ? client->tls->conn : NULL);
}

/* Whether the client has begun, and not yet said whom it wants to speak to. */
static bool
hello_is_coming(const struct pair *pair)
{
	const struct leg *client = &pair->leg[SMTP_CLIENT];

	return client->state == LEG_OPEN && (client->outlet.secure || leg_is_securing(client)) &&
	    !(client->tls != NULL && client->tls->hello);
}

static bool
begin(struct pair *pair, enum smtp_side side, uint64_t now_us)
{
	struct leg *leg = &pair->leg[side];

	if (leg->state != LEG_OPEN || leg->lost || !leg->outlet.secure || leg->tls != NULL ||
	    (side == SMTP_SERVER && hello_is_coming(pair)))
		return false;
	if (!leg_tls_begin(leg, new_conn(pair, side), side == SMTP_CLIENT, now_us + pair->worker->tls.handshake_us))
		abort();
	if (side == SMTP_CLIENT && server_is_decided(pair) && !serve(pair))
		abort();
	pair_tls_step(pair, side, now_us);
	return true;
}

bool
pair_tls_go_on(struct pair *pair, uint64_t now_us)
{
	struct leg *client = &pair->leg[SMTP_CLIENT];

	if (pair->session == NULL)
		return false;
	if (begin(pair, SMTP_CLIENT, now_us) || begin(pair, SMTP_SERVER, now_us))
		return true;
	if (client->tls == NULL || !client->tls->hello || !server_is_decided(pair))
		return false;
	if (!serve(pair))
		abort();
	pair_tls_step(pair, SMTP_CLIENT, now_us);
	return true;
}

void
pair_tls_wake(struct pair *pair, uint64_t now_us)
{
	char reason[64];

	for (int i = SMTP_CLIENT; i <= SMTP_SERVER; i++) {
		const struct leg *leg = &pair->leg[i];

		if (!leg_is_securing(leg) || now_us < leg->tls->by_us)
			continue;
		snprintf(reason, sizeof reason, "no TLS within %g s", (double)pair->worker->tls.handshake_us / 1e6);
		pair_tls_lost(pair, (enum smtp_side)i, view_of(reason), now_us);
	}
}
