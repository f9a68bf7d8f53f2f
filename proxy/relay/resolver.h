/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses: c-ares, driven by the loop's events. Apart, because this is all that
 * c-ares asks of us, and none of it is about SMTP.
 */
#ifndef RELAY_RESOLVER_H
#define RELAY_RESOLVER_H

#include <ares.h>
#include "proxy/loop.h"

struct resolver;
struct query;

/* servers: "addr:port,...", NULL: those of this host. NULL: *why says what c-ares lacks. */
struct resolver *resolver_new(struct event_base *base, const char *servers, const char **why);

/* Every query still running ends without its answer being told. */
void resolver_free(struct resolver *resolver);

/*
 * Asks for a name's addresses, IPv6 and IPv4 in the order in which they are to be tried
 * (RFC 6724). answered gets them, to be freed with ares_freeaddrinfo, or NULL and the
 * reason in words; it may be called before this returns: then NULL is returned.
 */
typedef void resolver_answered(void *to, struct ares_addrinfo *found, const char *reason);
struct query *resolver_ask(struct resolver *resolver, const char *name, resolver_answered *answered,
    void *to);

/* The answer is not wanted any more: answered is not called. */
void query_cancel(struct query *query);

#endif
