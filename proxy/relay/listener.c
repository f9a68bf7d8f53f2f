/* SPDX-License-Identifier: MIT */
/* Where sessions come in: sockets that listen, and what is said to who cannot be let in. */
#include "proxy/relay/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/relay/pair.h"

#define BACKLOG 4096
#define PAUSE_US 100000         /* without descriptors: try again, even if none of ours was closed */
#define TELL_US  UINT64_C(60000000)     /* and say so this often at most */

struct socket {
	struct listener   listener;
	struct listeners *all;
	struct loop_event      event;
	int               fd;
	struct socket    *next;
};

struct listeners {
	bool           shared;          /* by workers, each with a socket of its own */
	struct worker *worker;
	FILE          *err;
	struct socket *first;
	struct loop_event   retry;
	bool           paused;
};

static void
retry_is_due(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	(void)what;
	listeners_resume(to);
}

struct listeners *
listeners_new(struct worker *worker, FILE *err)
{
	struct listeners *listeners = calloc(1, sizeof *listeners);

	if (listeners == NULL)
		abort();
	listeners->worker = worker;
	listeners->err = err;
	evtimer_assign(&listeners->retry, worker->base, retry_is_due, listeners);
	return listeners;
}

/* Level-triggered, a connection that cannot be taken would wake the loop for ever. */
static void
pause_all(struct listeners *listeners, int error)
{
	struct timeval pause = {.tv_usec = PAUSE_US};
	uint64_t now_us = worker_now(listeners->worker);
	atomic_uint_fast64_t *told = &listeners->worker->tally->paused_us;
	uint64_t told_us = *told;

	if (told_us == 0 || now_us >= told_us + TELL_US) {
		*told = now_us;
		fprintf(listeners->err, "smtpscope: accepting no connection for now: %s "
		    "(%zu sessions are open; ulimit -n is the limit); who comes waits\n", strerror(error),
		    (size_t)listeners->worker->tally->open);
	}
	listeners->paused = true;
	for (struct socket *s = listeners->first; s != NULL; s = s->next)
		event_del(&s->event);
	evtimer_add(&listeners->retry, &pause);
}

void
listeners_resume(struct listeners *listeners)
{
	if (!listeners->paused)
		return;
	listeners->paused = false;
	evtimer_del(&listeners->retry);
	for (struct socket *s = listeners->first; s != NULL; s = s->next)
		event_add(&s->event, NULL);
}

/*
 * One session too many (RFC 5321 3.8). What the client has said already is read first, as
 * far as it is here: closing a socket with unread octets would send a reset, which may
 * overtake the reply.
 */
static void
turn_away(struct worker *worker, int fd, bool tls)
{
	static const char reply[] = "421 4.3.2 Too many sessions, try again later\r\n";
	char ignored[1024];

	worker->turned_away++;
	/* Behind a hello there would have to be a handshake. */
	if (!tls && send(fd, reply, sizeof reply - 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	while (recv(fd, ignored, sizeof ignored, MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static void
connection_is_there(evutil_socket_t listening, short what, void *to)
{
	struct socket *s = to;
	struct worker *worker = s->all->worker;
	union url_address from;
	socklen_t len = sizeof from;
	int fd;

	(void)what;
	/* Who comes in must find a descriptor for the server's leg too: better to wait than to be told 421. */
	if (worker->room != 0 && worker->tally->open >= worker->room) {
		pause_all(s->all, EMFILE);
		return;
	}
	fd = accept4(listening, &from.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_all(s->all, errno);
		return;         /* else the client has gone again (ECONNABORTED and the like) */
	}
	url_address_unmap(&from);
	if (worker->max_sessions != 0 && worker->tally->open >= worker->max_sessions)
		turn_away(worker, fd, s->listener.url.tls);
	else
		pair_new(worker, fd, &from, &s->listener);
}

/* Options that the connections inherit are set here, once, instead of on each of them. */
static int
open_socket(const union url_address *address, bool shared, const char **step)
{
	int family = address->any.sa_family, on = 1, off = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*step = "socket";
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (shared)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	*step = "bind";
	if (bind(fd, &address->any, url_address_length(address)) == 0) {
		*step = "listen";
		if (listen(fd, BACKLOG) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

/*
 * With SO_REUSEPORT the kernel would let us in beside another smtpscope of the same user, which would
 * get half of the connections: one that must not be shared finds that out.
 */
static int
open_first(const struct listeners *listeners, const union url_address *address, const char **step)
{
	int fd;

	if (listeners->shared && url_address_port(address) != 0) {
		fd = open_socket(address, false, step);
		if (fd < 0)
			return -1;
		close(fd);
	}
	return open_socket(address, listeners->shared, step);
}

/* What to do about it, where that can be said. */
static const char *
way_out(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "; another program listens there: choose another port, or 0 for any";
	case EACCES:
		return "; ports below 1024 need root or CAP_NET_BIND_SERVICE";
	case EADDRNOTAVAIL:
		return "; that is no address of this host";
	default:
		return "";
	}
}

static void
cannot(const struct url *url, const char *step, int why, char error[static URL_ERROR_MAX])
{
	snprintf(error, URL_ERROR_MAX, "cannot listen on %s: %s: %s%s", url->text, step, strerror(why), way_out(why));
}

static struct socket *
take_socket(struct listeners *listeners, int fd)
{
	struct socket *s = calloc(1, sizeof *s), **at = &listeners->first;

	if (s == NULL)
		abort();
	s->all = listeners;
	s->fd = fd;
	while (*at != NULL)
		at = &(*at)->next;
	*at = s;
	event_assign(&s->event, listeners->worker->base, fd, EV_READ | EV_PERSIST, connection_is_there, s);
	event_add(&s->event, NULL);
	return s;
}

static void
tell(const struct socket *s)
{
	fprintf(s->all->err, "listening on %s\n", s->listener.url.text);
	fflush(s->all->err);
}

void
listeners_share(struct listeners *listeners)
{
	listeners->shared = true;
}

bool
listeners_beside(struct listeners *listeners, const struct listeners *first, char error[static URL_ERROR_MAX])
{
	for (const struct socket *of = first->first; of != NULL; of = of->next) {
		const char *step;
		int fd = open_socket(&of->listener.bound, true, &step);

		if (fd < 0) {
			cannot(&of->listener.url, step, errno, error);
			return false;
		}
		take_socket(listeners, fd)->listener = of->listener;
	}
	return true;
}

bool
listeners_add(struct listeners *listeners, const struct url *url, char error[static URL_ERROR_MAX])
{
	struct socket *s;
	const char *step;
	socklen_t len;
	char text[URL_ADDRESS_MAX];
	int fd = open_first(listeners, &url->address, &step);

	if (fd < 0) {
		cannot(url, step, errno, error);
		return false;
	}
	s = take_socket(listeners, fd);
	s->listener.url = *url;
	s->listener.lmtp = url->scheme == URL_LMTP;
	len = sizeof s->listener.bound;
	getsockname(fd, &s->listener.bound.any, &len);
	url_address_text(&s->listener.bound, text);
	s->listener.url.port = url_address_port(&s->listener.bound);
	snprintf(s->listener.url.text, sizeof s->listener.url.text, "%s%s",
	    url_scheme_text(url), text);
	if (!listeners->shared)
		tell(s);
	return true;
}

void
listeners_tell(const struct listeners *listeners)
{
	if (!listeners->shared)
		return;         /* it was told at once */
	for (const struct socket *s = listeners->first; s != NULL; s = s->next)
		tell(s);
}

/* An address without meaning as a destination is taken for this host's loopback. */
static bool
is_any(const union url_address *a)
{
	return a->any.sa_family == AF_INET ? a->v4.sin_addr.s_addr == INADDR_ANY
	                                   : IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

static bool
same_host(const union url_address *a, const union url_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

/* Only an address of this host can be bound. */
static bool
is_here(const union url_address *address)
{
	union url_address any_port = *address;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool here;

	if (fd < 0)
		return false;
	url_address_set_port(&any_port, 0);
	here = bind(fd, &any_port.any, url_address_length(&any_port)) == 0;
	close(fd);
	return here;
}

static void
any_is_loopback(union url_address *address)
{
	if (!is_any(address))
		return;
	if (address->any.sa_family == AF_INET)
		address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address->v6.sin6_addr = in6addr_loopback;
}

bool
listeners_own(const struct listeners *listeners, const union url_address *address)
{
	union url_address to = *address;

	url_address_unmap(&to);
	any_is_loopback(&to);
	for (const struct socket *s = listeners->first; s != NULL; s = s->next) {
		union url_address bound = s->listener.bound;

		if (url_address_port(&bound) != url_address_port(&to))
			continue;
		if (is_any(&bound)) {
			/* [::] listens for IPv4 too. */
			if ((bound.any.sa_family == AF_INET6 || to.any.sa_family == AF_INET) && is_here(&to))
				return true;
			continue;
		}
		url_address_unmap(&bound);
		if (same_host(&bound, &to))
			return true;
	}
	return false;
}

void
listeners_refuse(const struct listeners *listeners)
{
	for (const struct socket *s = listeners->first; s != NULL; s = s->next)
		shutdown(s->fd, SHUT_RD);
}

void
listeners_stop(struct listeners *listeners)
{
	evtimer_del(&listeners->retry);
	listeners->paused = false;
	while (listeners->first != NULL) {
		struct socket *s = listeners->first;

		listeners->first = s->next;
		event_del(&s->event);
		close(s->fd);
		free(s);
	}
}

void
listeners_free(struct listeners *listeners)
{
	listeners_stop(listeners);
	free(listeners);
}
