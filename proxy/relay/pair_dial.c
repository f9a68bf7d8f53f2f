/* SPDX-License-Identifier: MIT */
/* How a pair comes by its server's leg: what dialling came to is told to the session, and the leg opened. */
#include "proxy/relay/pair_state.h"

#include <stdlib.h>

static void
attempt_is_over(void *to, struct view server, const char *outcome, struct view reason, uint64_t duration_us)
{
	struct pair *pair = to;

	if (pair->session != NULL)
		session_upstream(pair->session, server, outcome, reason, duration_us, worker_now(pair->worker));
}

/* The ends of the server's leg; those of a socket pair have no address. */
static void
tell_server_ends(struct pair *pair, int fd, uint64_t now_us)
{
	union url_address own, server;
	socklen_t own_len = sizeof own, server_len = sizeof server;
	bool known = getsockname(fd, &own.any, &own_len) == 0 && getpeername(fd, &server.any, &server_len) == 0 &&
	    own.any.sa_family != AF_UNIX;

	session_server_ends(pair->session, known ? &own.any : NULL, known ? &server.any : NULL, now_us);
}

static void
server_is_connected(void *to, const struct url *url, int fd, bool was_reset)
{
	struct pair *pair = to;
	uint64_t now_us = worker_now(pair->worker);

	pair->dial = NULL;
	if (pair->session != NULL && pair->rulebook->config.wire.put != NULL)
		tell_server_ends(pair, fd, now_us);
	pair->server_url = (uint16_t)(url - upstreams_first(pair->worker->upstreams));
	leg_open(&pair->leg[SMTP_SERVER], pair->worker->base, fd, pair_server_is_ready, pair);
	if (was_reset)
		pair_is_broken(pair, SMTP_SERVER);
	pair_flush(pair, SMTP_SERVER, now_us);
	pair_settle(pair, now_us);
}

static void
server_is_unreachable(void *to, struct view reason)
{
	struct pair *pair = to;

	pair->dial = NULL;
	pair->why = strndup(reason.at, reason.len);
	pair->unreachable_due = true;
	pair_settle(pair, worker_now(pair->worker));
}

void
pair_dial(struct pair *pair)
{
	struct dialler dialler = {attempt_is_over, server_is_connected, server_is_unreachable, pair};

	pair->dial_due = false;
	pair->dial = dial_start(pair->worker->upstreams, &dialler);
}
