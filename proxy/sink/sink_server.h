/* SPDX-License-Identifier: MIT */
/*
 * The built-in SMTP server on a libevent base: for `smtpscope sink`, and inside of the proxy
 * where no upstream is given. One base, one thread; any number of servers on it.
 */
#ifndef SINK_SINK_SERVER_H
#define SINK_SINK_SERVER_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proxy/intercept/intercept.h"
#include "proxy/sink/sink.h"

#define SINK_SERVER_ERROR_MAX 256

struct sink_server_settings {
	struct sink_settings session;           /* what each session is told */
	const struct intercept *tls;            /* for STARTTLS and implicit TLS; NULL: neither */
	/* Told of each handshake that is over: failure is NULL where it went well. May be NULL; owner is the session's. */
	void               (*secured)(void *owner, struct tls_conn *conn, const struct tls_conn_failure *failure);
	uint32_t             max_sessions;      /* more wait to be accepted; 0: no limit of ours */
	uint64_t             idle_us;           /* nothing heard for so long: 421 and the end; 0: never */
};

/* RFC 5321 4.5.3.2.7 wants 5 minutes or more; a client that waits in a debugger may need longer. */
#define SINK_SERVER_IDLE_US (15 * 60 * UINT64_C(1000000))

struct sink_server;

/*
 * Listens at the address. address NULL: nowhere, sessions come by sink_server_take alone. NULL:
 * error says why. Borrows base and settings until sink_server_stop.
 */
struct sink_server *sink_server_start(struct event_base *base, const struct sockaddr *address,
    socklen_t address_len, const struct sink_server_settings *settings,
    char error[static SINK_SERVER_ERROR_MAX]);

/* The port it listens at, which is the real one where 0 was asked for. */
uint16_t sink_server_port(const struct sink_server *server);

/*
 * Serves a connected stream socket (such as one of a socketpair), beyond max_sessions if need be.
 * Takes fd, which is made non-blocking; false: out of memory, fd is closed.
 */
bool sink_server_take(struct sink_server *server, evutil_socket_t fd);

/* Sessions that are open. */
uint32_t sink_server_sessions(const struct sink_server *server);

/* Stops listening, tells every session 421 as far as its socket takes it, closes and frees all. */
void sink_server_stop(struct sink_server *server);

#endif
