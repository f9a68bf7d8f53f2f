/* SPDX-License-Identifier: MIT */
/* c-ares in the loop: an event for each of its sockets, one timer for all of its queries. */
#include "proxy/relay/resolver.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

struct asked_socket {
	struct loop_event         event;
	struct resolver     *resolver;
	ares_socket_t        fd;
	struct asked_socket *next;
};

struct resolver {
	struct event_base   *base;
	ares_channel         channel;
	struct loop_event         timer;
	struct asked_socket *sockets;
	bool                 ending;
};

struct query {
	struct resolver   *resolver;
	resolver_answered *answered;    /* NULL: not wanted any more */
	void              *to;
	bool               asking;      /* in ares_getaddrinfo: it may answer before it returns */
	bool               done;
};

/* c-ares wants to be called again by then, whether its sockets have something or not. */
static void
arm(struct resolver *resolver)
{
	struct timeval room, *timeout = ares_timeout(resolver->channel, NULL, &room);

	if (timeout != NULL)
		evtimer_add(&resolver->timer, timeout);
	else
		evtimer_del(&resolver->timer);
}

static void
timer_is_due(evutil_socket_t fd, short what, void *to)
{
	struct resolver *resolver = to;

	(void)fd;
	(void)what;
	ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(resolver);
}

static void
socket_is_ready(evutil_socket_t fd, short what, void *to)
{
	struct asked_socket *s = to;
	struct resolver *resolver = s->resolver;        /* s may be gone behind the next call */

	ares_process_fd(resolver->channel, (what & EV_READ) != 0 ? (ares_socket_t)fd : ARES_SOCKET_BAD,
	    (what & EV_WRITE) != 0 ? (ares_socket_t)fd : ARES_SOCKET_BAD);
	arm(resolver);
}

/* c-ares says what a socket of its is to be watched for; neither: it is about to be closed. */
static void
watch_socket(void *to, ares_socket_t fd, int reading, int writing)
{
	struct resolver *resolver = to;
	struct asked_socket **at = &resolver->sockets, *s;
	short want = EV_PERSIST;

	while (*at != NULL && (*at)->fd != fd)
		at = &(*at)->next;
	s = *at;
	if (s != NULL)
		event_del(&s->event);
	if (!reading && !writing) {
		if (s != NULL) {
			*at = s->next;
			free(s);
		}
		return;
	}
	if (s == NULL) {
		s = calloc(1, sizeof *s);
		if (s == NULL)
			abort();
		s->resolver = resolver;
		s->fd = fd;
		s->next = resolver->sockets;
		resolver->sockets = s;
	}
	want |= reading ? EV_READ : 0;
	want |= writing ? EV_WRITE : 0;
	event_assign(&s->event, resolver->base, fd, want, socket_is_ready, s);
	event_add(&s->event, NULL);
}

struct resolver *
resolver_new(struct event_base *base, const char *servers, const char **why)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	struct ares_options options = {.sock_state_cb = watch_socket};
	int status;

	if (resolver == NULL)
		abort();
	options.sock_state_cb_data = resolver;
	resolver->base = base;
	evtimer_assign(&resolver->timer, base, timer_is_due, resolver);
	status = ares_library_init(ARES_LIB_INIT_ALL);
	if (status == ARES_SUCCESS) {
		status = ares_init_options(&resolver->channel, &options, ARES_OPT_SOCK_STATE_CB);
		if (status == ARES_SUCCESS && servers != NULL) {
			status = ares_set_servers_ports_csv(resolver->channel, servers);
			if (status != ARES_SUCCESS)
				ares_destroy(resolver->channel);
		}
		if (status == ARES_SUCCESS)
			return resolver;
		ares_library_cleanup();
	}
	*why = ares_strerror(status);
	free(resolver);
	return NULL;
}

void
resolver_free(struct resolver *resolver)
{
	resolver->ending = true;
	ares_destroy(resolver->channel);
	evtimer_del(&resolver->timer);
	while (resolver->sockets != NULL) {
		struct asked_socket *s = resolver->sockets;

		resolver->sockets = s->next;
		event_del(&s->event);
		free(s);
	}
	ares_library_cleanup();
	free(resolver);
}

static void
is_answered(void *to, int status, int timeouts, struct ares_addrinfo *found)
{
	struct query *query = to;
	resolver_answered *answered = query->answered;

	(void)timeouts;
	if (answered == NULL || query->resolver->ending) {
		if (found != NULL)
			ares_freeaddrinfo(found);
	} else if (status != ARES_SUCCESS) {
		answered(query->to, NULL, ares_strerror(status));
	} else {
		answered(query->to, found, NULL);
	}
	query->done = true;
	if (!query->asking)
		free(query);
}

struct query *
resolver_ask(struct resolver *resolver, const char *name, resolver_answered *answered, void *to)
{
	struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct query *query = malloc(sizeof *query);

	if (query == NULL)
		abort();
	*query = (struct query){.resolver = resolver, .answered = answered, .to = to, .asking = true};
	ares_getaddrinfo(resolver->channel, name, NULL, &hints, is_answered, query);
	arm(resolver);
	query->asking = false;
	if (!query->done)
		return query;
	free(query);
	return NULL;
}

void
query_cancel(struct query *query)
{
	query->answered = NULL;
}
