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
#define LINGER_S        5       /* how long a client may take to close behind its last reply */
#define RETRY_S         1       /* behind an accept that failed for want of descriptors */

enum state {
	TALKING,
	LAST_WORDS,             /* the session is over, its replies go out */
	LINGERING               /* all is said, FIN is sent; what still comes is thrown away */
};

struct connection {
	TAILQ_ENTRY(connection) link;
	struct sink_server     *server;
	struct sink            *sink;
	struct event            readable, writable;
	struct buffer           in;             /* what was read and not used: part of a line, mostly */
	struct buffer           out;            /* what was said and not sent */
	enum state              state;
	bool                    at_end;         /* the client has sent its last octet */
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

/* False: the connection is broken. */
static bool
flush(struct connection *c)
{
	size_t  sent = 0;
	ssize_t n;

	while (sent < c->out.len) {
		n = send(event_get_fd(&c->writable), c->out.at + sent, c->out.len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return false;
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	buffer_drop(&c->out, sent);
	if (c->out.len == 0)
		buffer_free(&c->out);
	return true;
}

/* Waits for what can come next: room for replies, or, without any, the client's octets. */
static void
await(struct connection *c)
{
	static const struct timeval linger = {LINGER_S, 0};
	const struct timeval       *idle = evutil_timerisset(&c->server->idle) ? &c->server->idle : NULL;

	if (c->out.len > 0) {
		event_del(&c->readable);
		event_add(&c->writable, c->state == LAST_WORDS ? &linger : idle);
		return;
	}
	event_del(&c->writable);
	event_add(&c->readable, c->state == LINGERING ? &linger : idle);
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
		if (!flush(c)) {
			connection_free(c);
			return;
		}
		if (c->out.len > 0 || c->state != TALKING)
			break;
		before = c->in.len;
		if (before == 0)
			break;
		feed(c, NULL, 0);
		if (c->in.len == before && c->out.len == 0)
			break;
	}
	if (c->out.len == 0 && c->at_end) {
		connection_free(c);
		return;
	}
	/* FIN behind the last reply, and no close before the client's: RST would overtake the reply. */
	if (c->out.len == 0 && c->state == LAST_WORDS) {
		shutdown(event_get_fd(&c->readable), SHUT_WR);
		buffer_free(&c->in);
		c->state = LINGERING;
	}
	await(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;
	ssize_t            n;

	if (what & EV_TIMEOUT) {
		if (c->state == LINGERING) {
			connection_free(c);
			return;
		}
		sink_end(c->sink, "4.4.2 Nothing was heard for too long, closing", &c->out);
		c->state = LAST_WORDS;
		update(c);
		return;
	}
	n = recv(fd, c->server->scratch, sizeof c->server->scratch, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && c->state == LINGERING)) {
		connection_free(c);
		return;
	}
	if (c->state == LINGERING)
		return;
	if (n == 0)
		c->at_end = true;
	else
		feed(c, c->server->scratch, (size_t)n);
	update(c);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		connection_free(c);
	else
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
		sink_end(c->sink, "4.3.2 The server is going down", &c->out);
		flush(c);
		connection_free(c);
	}
	if (server->retry != NULL)
		event_free(server->retry);
	free(server);
}
