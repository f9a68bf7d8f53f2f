/* SPDX-License-Identifier: MIT */
/*
 * Connections of the built-in server: octets between sockets and sessions. A client that does
 * not read its replies is not read from; what waits for it is bounded by the session, what waits
 * for the session by one read.
 */
#include "proxy/sink/sink_server.h"

#include <errno.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define READ_MAX        65536   /* octets a read */
#define BACKLOG         4096
#define HANDSHAKE_S     60      /* how long TLS may take to begin */
#define LINGER_S        5       /* how long a client may take to close behind its last reply */
#define RETRY_S         1       /* behind an accept that failed for want of descriptors */

enum state {
	TALKING,
	SHAKING_HANDS,          /* a TLS handshake is under way */
	LAST_WORDS,             /* the session is over, its replies go out */
	LINGERING               /* all is said, FIN is sent; what still comes is thrown away */
};

struct connection {
	TAILQ_ENTRY(connection) link;
	struct sink_server     *server;
	struct sink            *sink;
	struct tls_conn        *tls;            /* NULL: in the clear */
	struct event            readable, writable;
	struct buffer           in;             /* what was read and not used: part of a line, mostly */
	struct buffer           out;            /* what was said and not sent */
	enum state              state;
	bool                    at_end;         /* the client has sent its last octet */
	bool                    wants_write;    /* TLS does, to go on with its handshake or with reading */
};

struct sink_server {
	const struct sink_server_settings *settings;
	struct event_base                 *base;
	struct evconnlistener             *listener;    /* NULL: none */
	struct event                      *retry;       /* accepting stopped for want of descriptors */
	TAILQ_HEAD(connections, connection) connections;
	uint32_t                           count;
	uint16_t                           port;
	struct timeval                     idle;
	char                               scratch[READ_MAX];
};

static void
resume_accepting(struct sink_server *server)
{
	if (server->listener != NULL && !event_pending(server->retry, EV_TIMEOUT, NULL) &&
	    (server->settings->max_sessions == 0 || server->count < server->settings->max_sessions))
		evconnlistener_enable(server->listener);
}

static void
connection_free(struct connection *c)
{
	struct sink_server *server = c->server;

	TAILQ_REMOVE(&server->connections, c, link);
	server->count--;
	event_del(&c->readable);
	event_del(&c->writable);
	tls_conn_free(c->tls);
	close(event_get_fd(&c->readable));
	sink_free(c->sink);
	buffer_free(&c->in);
	buffer_free(&c->out);
	free(c);
	resume_accepting(server);
}

/* Gives the session what is there; what it does not use yet is kept. */
static void
feed(struct connection *c, const char *octets, size_t len)
{
	size_t used;

	if (c->in.len > 0) {
		buffer_put(&c->in, (struct view){octets, len});
		buffer_drop(&c->in, sink_feed(c->sink, c->in.at, c->in.len, &c->out));
	} else {
		used = sink_feed(c->sink, octets, len, &c->out);
		buffer_put(&c->in, (struct view){octets + used, len - used});
	}
	if (c->in.len == 0)
		buffer_free(&c->in);
	if (sink_is_over(c->sink))
		c->state = LAST_WORDS;
}

/* To the client, in the clear or by TLS. */
static enum tls_conn_step
put_out(struct connection *c, const char *at, size_t len, size_t *taken)
{
	ssize_t n;

	if (c->tls != NULL)
		return tls_conn_write(c->tls, at, len, taken);
	do {
		n = send(event_get_fd(&c->writable), at, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	*taken = n < 0 ? 0 : (size_t)n;
	if (n >= 0)
		return TLS_CONN_OK;
	return errno == EAGAIN || errno == EWOULDBLOCK ? TLS_CONN_WANT_WRITE : TLS_CONN_LOST;
}

/* From the client, likewise. */
static enum tls_conn_step
take_in(struct connection *c, char *at, size_t size, size_t *len)
{
	ssize_t n;

	if (c->tls != NULL)
		return tls_conn_read(c->tls, at, size, len);
	n = recv(event_get_fd(&c->readable), at, size, 0);
	*len = n < 0 ? 0 : (size_t)n;
	if (n != 0)
		return n > 0 ? TLS_CONN_OK
		    : errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? TLS_CONN_WANT_READ : TLS_CONN_LOST;
	return TLS_CONN_EOF;
}

/* False: the connection is broken. */
static bool
flush(struct connection *c)
{
	enum tls_conn_step step = TLS_CONN_OK;
	size_t  sent = 0, taken;

	while (sent < c->out.len && step == TLS_CONN_OK) {
		step = put_out(c, c->out.at + sent, c->out.len - sent, &taken);
		sent += taken;
	}
	if (step == TLS_CONN_LOST || step == TLS_CONN_FAILED)
		return false;
	buffer_drop(&c->out, sent);
	if (c->out.len == 0)
		buffer_free(&c->out);
	return true;
}

/* Waits for what can come next: room for replies, or, without any, the client's octets. */
static void
await(struct connection *c)
{
	static const struct timeval linger = {LINGER_S, 0}, handshake = {HANDSHAKE_S, 0};
	const struct timeval       *idle = evutil_timerisset(&c->server->idle) ? &c->server->idle : NULL;

	if (c->state == SHAKING_HANDS)
		idle = &handshake;
	if (c->out.len > 0 || c->wants_write) {
		event_del(&c->readable);
		event_add(&c->writable, c->state == LAST_WORDS ? &linger : idle);
		return;
	}
	event_del(&c->writable);
	event_add(&c->readable, c->state == LINGERING ? &linger : idle);
}

/* FIN behind what was said last, and no close before the client's: RST would overtake it. */
static void
begin_lingering(struct connection *c)
{
	shutdown(event_get_fd(&c->readable), SHUT_WR);
	tls_conn_free(c->tls);          /* what still comes is thrown away unread */
	c->tls = NULL;
	buffer_free(&c->in);
	buffer_free(&c->out);
	c->wants_write = false;
	c->state = LINGERING;
}

/* The handshake goes on, as far as the socket lets it. */
static void
shake_hands(struct connection *c)
{
	const struct sink_server_settings *settings = c->server->settings;
	struct tls_conn_failure failure;
	enum tls_conn_step step = tls_conn_handshake(c->tls);

	c->wants_write = step == TLS_CONN_WANT_WRITE;
	if (step == TLS_CONN_WANT_READ || step == TLS_CONN_WANT_WRITE)
		return;
	if (step != TLS_CONN_OK)
		tls_conn_failure(c->tls, &failure);
	if (settings->secured != NULL)
		settings->secured(settings->session.owner, c->tls, step == TLS_CONN_OK ? NULL : &failure);
	if (step != TLS_CONN_OK) {
		begin_lingering(c);
		return;
	}
	if (sink_awaits_tls(c->sink))
		sink_secure(c->sink);
	c->state = TALKING;
}

/* False: out of memory. */
static bool
begin_tls(struct connection *c)
{
	c->tls = intercept_towards_client(c->server->settings->tls);
	if (c->tls == NULL || !tls_conn_attach(c->tls, event_get_fd(&c->readable), VIEW_NONE) ||
	    !tls_conn_serve(c->tls, NULL, VIEW_NONE))
		return false;
	c->state = SHAKING_HANDS;
	return true;
}

/*
 * Sends, and goes on with what the session left over for want of room, until it waits for the
 * client. The connection may be gone behind this.
 */
static void
update(struct connection *c)
{
	size_t before;

	for (;;) {
		if (c->state == SHAKING_HANDS)
			shake_hands(c);
		if (c->state == SHAKING_HANDS)
			break;
		if (!flush(c)) {
			connection_free(c);
			return;
		}
		if (c->out.len > 0 || c->state != TALKING)
			break;
		if (sink_awaits_tls(c->sink)) {
			if (begin_tls(c))
				continue;
			connection_free(c);
			return;
		}
		before = c->in.len;
		if (before == 0)
			break;
		feed(c, NULL, 0);
		if (c->in.len == before && c->out.len == 0)
			break;
	}
	if (c->out.len == 0 && c->at_end && c->state != SHAKING_HANDS) {
		connection_free(c);
		return;
	}
	if (c->out.len == 0 && c->state == LAST_WORDS) {
		if (c->tls != NULL)
			tls_conn_close(c->tls);
		begin_lingering(c);
	}
	await(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	enum tls_conn_step step;
	size_t             len;

	(void)fd;
	if (what & EV_TIMEOUT) {
		if (c->state == LINGERING || c->state == SHAKING_HANDS) {
			connection_free(c);
			return;
		}
		sink_end(c->sink, "4.4.2 Nothing was heard for too long, closing", &c->out);
		c->state = LAST_WORDS;
		update(c);
		return;
	}
	if (c->state == SHAKING_HANDS) {
		update(c);
		return;
	}
	step = take_in(c, c->server->scratch, sizeof c->server->scratch, &len);
	if (step == TLS_CONN_WANT_READ)
		return;
	if (step == TLS_CONN_LOST || step == TLS_CONN_FAILED || (step == TLS_CONN_EOF && c->state == LINGERING)) {
		connection_free(c);
		return;
	}
	if (c->state == LINGERING)
		return;
	c->wants_write = step == TLS_CONN_WANT_WRITE;
	if (step == TLS_CONN_OK)
		feed(c, c->server->scratch, len);
	else if (step != TLS_CONN_WANT_WRITE)
		c->at_end = true;
	update(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT) {
		connection_free(c);
		return;
	}
	c->wants_write = false;
	update(c);
}

bool
sink_server_take(struct sink_server *server, evutil_socket_t fd)
{
	struct connection *c = calloc(1, sizeof *c);
	int                on = 1;

	if (c != NULL)
		c->sink = sink_new(&server->settings->session, &c->out);
	if (c == NULL || c->sink == NULL) {
		free(c);
		close(fd);
		return false;
	}
	c->server = server;
	evutil_make_socket_nonblocking(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);       /* fails for what is no TCP */
	event_assign(&c->readable, server->base, fd, EV_READ | EV_PERSIST, on_readable, c);
	event_assign(&c->writable, server->base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
	TAILQ_INSERT_TAIL(&server->connections, c, link);
	server->count++;
	if (server->settings->session.secured && !begin_tls(c)) {
		connection_free(c);
		return false;
	}
	update(c);
	return true;
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
	struct sink_server *server = arg;

	(void)from;
	(void)len;
	sink_server_take(server, fd);
	if (server->settings->max_sessions != 0 && server->count >= server->settings->max_sessions)
		evconnlistener_disable(listener);
}

/* Descriptors or memory are used up: who connects waits in the backlog until some are free. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval retry = {RETRY_S, 0};
	struct sink_server         *server = arg;

	evconnlistener_disable(listener);
	event_add(server->retry, &retry);
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	resume_accepting(arg);
}

static uint16_t
bound_port(evutil_socket_t fd)
{
	union {
		struct sockaddr     any;
		struct sockaddr_in  v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len = sizeof address;

	if (getsockname(fd, &address.any, &len) != 0)
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static bool
listen_at(struct sink_server *server, const struct sockaddr *address, socklen_t len, char *error)
{
	evutil_socket_t fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int             on = 1;

	if (fd < 0) {
		snprintf(error, SINK_SERVER_ERROR_MAX, "cannot make a socket: %s", strerror(errno));
		return false;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, len) != 0) {
		snprintf(error, SINK_SERVER_ERROR_MAX, "cannot bind: %s", strerror(errno));
		close(fd);
		return false;
	}
	server->listener = evconnlistener_new(
	    server->base, on_accept, server, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (server->listener == NULL) {
		snprintf(error, SINK_SERVER_ERROR_MAX, "cannot listen: %s", strerror(errno));
		close(fd);
		return false;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	server->port = bound_port(fd);
	return true;
}

struct sink_server *
sink_server_start(struct event_base *base, const struct sockaddr *address, socklen_t address_len,
    const struct sink_server_settings *settings, char error[static SINK_SERVER_ERROR_MAX])
{
	struct sink_server *server = calloc(1, sizeof *server);

	if (server == NULL) {
		snprintf(error, SINK_SERVER_ERROR_MAX, "out of memory");
		return NULL;
	}
	server->settings = settings;
	server->base = base;
	server->idle.tv_sec = (time_t)(settings->idle_us / 1000000);
	server->idle.tv_usec = (suseconds_t)(settings->idle_us % 1000000);
	TAILQ_INIT(&server->connections);
	server->retry = evtimer_new(base, on_retry, server);
	if (server->retry == NULL) {
		snprintf(error, SINK_SERVER_ERROR_MAX, "out of memory");
		goto out;
	}
	if (address != NULL && !listen_at(server, address, address_len, error))
		goto out;
	return server;
out:
	sink_server_stop(server);
	return NULL;
}

uint16_t
sink_server_port(const struct sink_server *server)
{
	return server->port;
}

uint32_t
sink_server_sessions(const struct sink_server *server)
{
	return server->count;
}

void
sink_server_stop(struct sink_server *server)
{
	struct connection *c;

	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	server->listener = NULL;
	while ((c = TAILQ_FIRST(&server->connections)) != NULL) {
		if (c->state == TALKING) {
			sink_end(c->sink, "4.3.2 The server is going down", &c->out);
			if (flush(c) && c->tls != NULL)
				tls_conn_close(c->tls);
		}
		connection_free(c);
	}
	if (server->retry != NULL)
		event_free(server->retry);
	free(server);
}
