/* SPDX-License-Identifier: MIT */
/* Where sessions go: one server after the other, one address after the other. */
#include "proxy/relay/upstream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/relay/listener.h"
#include "proxy/relay/resolver.h"

struct upstreams {
	struct worker    *worker;
	uint64_t          connect_timeout_us;
	char             *servers;      /* of names; owned; NULL: this host's */
	struct resolver  *resolver;     /* made for the first name */
	bool            (*take)(void *to, int fd);      /* URL_SINK */
	void             *take_to;
	size_t            count;
	struct url        url[];
};

struct dial {
	struct upstreams     *upstreams;
	struct dialler        dialler;
	size_t                next_url;         /* index */
	struct query         *query;            /* a name is being asked for; NULL: none */
	struct ares_addrinfo *found;            /* of that name; owned */
	struct ares_addrinfo_node *next_node;   /* in found */
	union url_address     address;          /* being connected to */
	struct loop_event          event;
	int                   fd;
	uint64_t              started_us;       /* the attempt */
	bool                  over, starting;
	char                  reason[URL_ADDRESS_MAX + 256];    /* of the last failure */
};

struct upstreams *
upstreams_new(struct worker *worker, const struct url *urls, size_t count, uint64_t connect_timeout_us,
    const char *servers)
{
	struct upstreams *upstreams = calloc(1, sizeof *upstreams + count * sizeof *urls);

	if (upstreams == NULL)
		abort();
	upstreams->worker = worker;
	upstreams->connect_timeout_us = connect_timeout_us;
	upstreams->servers = servers == NULL ? NULL : strdup(servers);
	upstreams->count = count;
	memcpy(upstreams->url, urls, count * sizeof *urls);
	return upstreams;
}

void
upstreams_free(struct upstreams *upstreams)
{
	if (upstreams->resolver != NULL)
		resolver_free(upstreams->resolver);
	free(upstreams->servers);
	free(upstreams);
}

void
upstreams_set_sink(struct upstreams *upstreams, bool (*take)(void *to, int fd), void *to)
{
	upstreams->take = take;
	upstreams->take_to = to;
}

const struct url *
upstreams_first(const struct upstreams *upstreams)
{
	return &upstreams->url[0];
}

const struct url *
upstreams_find_own(const struct upstreams *upstreams)
{
	for (size_t i = 0; i < upstreams->count; i++) {
		const struct url *url = &upstreams->url[i];

		if (url->numeric && listeners_own(upstreams->worker->listeners, &url->address))
			return url;
	}
	return NULL;
}

static void go_on(struct dial *dial);

/* Remembers why, for the case that no other attempt does better. */
static void
set_reason(struct dial *dial, struct view server, const char *why)
{
	snprintf(dial->reason, sizeof dial->reason, "%.*s: %s", (int)(server.len < 128 ? server.len : 128),
	    server.at, why);
}

/* Leaves the attempt that is going on, without a word. */
static void
stop_attempt(struct dial *dial)
{
	if (dial->fd >= 0) {
		event_del(&dial->event);
		close(dial->fd);
	}
	dial->fd = -1;
	if (dial->query != NULL)
		query_cancel(dial->query);
	dial->query = NULL;
}

/* While dial_start is still on the stack, it is the one that frees. */
static void
end(struct dial *dial)
{
	stop_attempt(dial);
	if (dial->found != NULL)
		ares_freeaddrinfo(dial->found);
	dial->found = NULL;
	dial->over = true;
	if (!dial->starting)
		free(dial);
}

static void
tell(struct dial *dial, struct view server, const char *outcome, struct view reason)
{
	dial->dialler.attempt(dial->dialler.to, server, outcome, reason,
	    worker_now(dial->upstreams->worker) - dial->started_us);
}

static void
attempt_failed(struct dial *dial, const char *outcome, const char *why)
{
	char text[URL_ADDRESS_MAX];
	struct view server = url_address_text(&dial->address, text);

	set_reason(dial, server, why);
	tell(dial, server, outcome, view_of(why));
	stop_attempt(dial);
}

static void
connect_failed(struct dial *dial, int error)
{
	attempt_failed(dial, error == ECONNREFUSED ? "refused" : error == ETIMEDOUT ? "timeout" : "unreachable",
	    strerror(error));
}

/*
 * A port of this host that nobody listens on may be the very one that the kernel picked for
 * this end: the socket is then connected to itself (RFC 9293 3.5, simultaneous open). The
 * kernel picks no port below 1024.
 */
static bool
is_itself(const struct dial *dial)
{
	union url_address own;
	socklen_t len = sizeof own;

	return url_address_port(&dial->address) >= 1024 && getsockname(dial->fd, &own.any, &len) == 0 &&
	    url_address_port(&own) == url_address_port(&dial->address) &&
	    memcmp(&own, &dial->address, len) == 0;
}

/*
 * connect() has come to an end, for good or bad. False: go on with the next address. A server
 * that refuses is ECONNREFUSED; one that resets was there, and what it said can be read.
 */
static bool
is_decided(struct dial *dial, int error)
{
	bool was_reset = error == ECONNRESET || error == EPIPE;
	char text[URL_ADDRESS_MAX];
	struct dialler dialler = dial->dialler;
	const struct url *url = &dial->upstreams->url[dial->next_url - 1];
	int fd = dial->fd;

	if (error == 0 && is_itself(dial))
		error = ECONNREFUSED;
	if (error != 0 && !was_reset) {
		connect_failed(dial, error);
		return false;
	}
	tell(dial, url_address_text(&dial->address, text), "connected", VIEW_NONE);
	event_del(&dial->event);
	dial->fd = -1;
	end(dial);
	dialler.connected(dialler.to, url, fd, was_reset);
	return true;
}

static int
error_of(int fd)
{
	int error = 0;
	socklen_t len = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ? errno : error;
}

static void
can_be_written(evutil_socket_t fd, short what, void *to)
{
	struct dial *dial = to;

	(void)what;
	if (!is_decided(dial, error_of(fd)))
		go_on(dial);
}

static bool
is_loopback(const union url_address *a)
{
	return a->any.sa_family == AF_INET ? ntohl(a->v4.sin_addr.s_addr) >> 24 == 127
	                                   : IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/*
 * Even on loopback a socket that does not block says EINPROGRESS, though all is decided when
 * it returns. To look costs one call and spares the loop four. (connect() again would throw
 * away what a server said that resets at once.)
 */
static int
try_connect(const struct dial *dial)
{
	struct pollfd decided = {.fd = dial->fd, .events = POLLOUT};
	int error;

	if (connect(dial->fd, &dial->address.any, url_address_length(&dial->address)) == 0)
		return 0;
	error = errno;
	if (error != EINPROGRESS || !is_loopback(&dial->address) || poll(&decided, 1, 0) <= 0)
		return error;
	return (decided.revents & (POLLERR | POLLHUP)) != 0 ? error_of(dial->fd) : 0;
}

/* False: it failed at once. */
static bool
start_attempt(struct dial *dial)
{
	struct worker *worker = dial->upstreams->worker;
	int on = 1, error;

	dial->started_us = worker_now(worker);
	if (listeners_own(worker->listeners, &dial->address)) {
		attempt_failed(dial, "refused", "that is this proxy's own listener");
		return false;
	}
	dial->fd = socket(dial->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0) {
		connect_failed(dial, errno);
		return false;
	}
	event_assign(&dial->event, worker->base, dial->fd, EV_WRITE, can_be_written, dial);
	setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(dial->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	error = try_connect(dial);
	if (error == EINPROGRESS && event_add(&dial->event, NULL) == 0)
		return true;
	return is_decided(dial, error == EINPROGRESS ? ENOMEM : error);
}

/* The built-in server needs no port, where others might find it. False: it cannot be had. */
static bool
connect_sink(struct dial *dial)
{
	struct upstreams *upstreams = dial->upstreams;
	struct dialler dialler = dial->dialler;
	const struct url *url = &upstreams->url[dial->next_url - 1];
	const char *why = "it takes no more sessions";
	int ends[2];

	dial->started_us = worker_now(upstreams->worker);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
		why = strerror(errno);
	} else if (upstreams->take(upstreams->take_to, ends[1])) {
		tell(dial, VIEW("sink"), "connected", VIEW_NONE);
		end(dial);
		dialler.connected(dialler.to, url, ends[0], false);
		return true;
	} else {
		close(ends[0]);
	}
	set_reason(dial, VIEW("sink"), why);
	tell(dial, VIEW("sink"), "unreachable", view_of(why));
	return false;
}

static void
name_failed(struct dial *dial, const char *why)
{
	struct view server = url_authority(&dial->upstreams->url[dial->next_url - 1]);

	set_reason(dial, server, why);
	tell(dial, server, "dns", view_of(why));
}

static void
name_is_answered(void *to, struct ares_addrinfo *found, const char *reason)
{
	struct dial *dial = to;

	dial->query = NULL;
	if (found == NULL) {
		name_failed(dial, reason);
	} else if (found->nodes == NULL) {
		ares_freeaddrinfo(found);
		name_failed(dial, "the name has no address");
	} else {
		dial->found = found;
		dial->next_node = found->nodes;
	}
	go_on(dial);
}

/* False: nobody can be asked. */
static bool
ask_for_name(struct dial *dial, const struct url *url)
{
	struct upstreams *upstreams = dial->upstreams;
	const char *why = NULL;
	struct query *query;

	dial->started_us = worker_now(upstreams->worker);
	if (upstreams->resolver == NULL)
		upstreams->resolver = resolver_new(upstreams->worker->base, upstreams->servers, &why);
	if (upstreams->resolver == NULL) {
		name_failed(dial, why);
		return false;
	}
	query = resolver_ask(upstreams->resolver, url->host, name_is_answered, dial);
	if (query != NULL)      /* else it was answered already, and dial may be gone */
		dial->query = query;
	return true;
}

/* The next address of the same name (*url is NULL), or the next URL. False: there is none. */
static bool
next_address(struct dial *dial, const struct url **url)
{
	const struct upstreams *upstreams = dial->upstreams;

	*url = NULL;
	if (dial->next_node != NULL) {
		memcpy(&dial->address, dial->next_node->ai_addr, dial->next_node->ai_addrlen);
		url_address_set_port(&dial->address, upstreams->url[dial->next_url - 1].port);
		dial->next_node = dial->next_node->ai_next;
		return true;
	}
	if (dial->found != NULL)
		ares_freeaddrinfo(dial->found);
	dial->found = NULL;
	if (dial->next_url == upstreams->count)
		return false;
	*url = &upstreams->url[dial->next_url++];
	dial->address = (*url)->address;
	return true;
}

/* Tries what comes next until something is under way, or nothing is left. */
static void
go_on(struct dial *dial)
{
	struct dialler dialler = dial->dialler;
	char reason[sizeof dial->reason];
	const struct url *url;

	while (next_address(dial, &url)) {
		if (url != NULL && url->scheme == URL_SINK ? connect_sink(dial)
		    : url != NULL && !url->numeric ? ask_for_name(dial, url) : start_attempt(dial))
			return;
	}
	memcpy(reason, dial->reason, sizeof reason);
	end(dial);
	dialler.failed(dialler.to, view_of(reason));
}

struct dial *
dial_start(struct upstreams *upstreams, const struct dialler *dialler)
{
	struct dial *dial = calloc(1, sizeof *dial);

	if (dial == NULL)
		abort();
	dial->upstreams = upstreams;
	dial->dialler = *dialler;
	dial->fd = -1;
	dial->starting = true;
	go_on(dial);
	dial->starting = false;
	if (!dial->over)
		return dial;
	free(dial);
	return NULL;
}

uint64_t
dial_wake_at(const struct dial *dial)
{
	return dial->started_us + dial->upstreams->connect_timeout_us;
}

void
dial_wake(struct dial *dial)
{
	char why[64];

	if (worker_now(dial->upstreams->worker) < dial_wake_at(dial))
		return;
	snprintf(why, sizeof why, "no answer in %g s", (double)dial->upstreams->connect_timeout_us / 1e6);
	if (dial->query != NULL) {
		name_failed(dial, why);
		stop_attempt(dial);
	} else {
		attempt_failed(dial, "timeout", why);
	}
	go_on(dial);
}

void
dial_cancel(struct dial *dial)
{
	end(dial);
}
