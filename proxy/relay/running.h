/* SPDX-License-Identifier: MIT */
/*
 * A proxy that runs, as who looks on sees it: main puts control/ beside it, which is told of
 * its beginning and its end and may ask it things meanwhile. All of this is called in main's loop;
 * answers come by a call, for sessions may live on other loops. Each comes, before `end` at the latest.
 */
#ifndef RELAY_RUNNING_H
#define RELAY_RUNNING_H

#include "proxy/loop.h"
#include "proxy/options.h"
#include "proxy/outputs/summary.h"
#include "proxy/sessions/rulebook.h"

struct proxy;

struct proxy_companion {
	/*
	 * The rules are loaded, nothing is listened on yet. False: what is wrong was said on stderr.
	 * *state is handed to end, whatever was returned.
	 */
	bool (*begin)(struct proxy *proxy, const struct options *options, void **state);
	/* No session is left, the loop still is. */
	void (*end)(void *state);
};

/* `smtpscope proxy`. Returns an exit code. */
int proxy_run(const struct options *options, const struct proxy_companion *companion);

struct event_base *proxy_base(const struct proxy *proxy);
uint64_t proxy_now(const struct proxy *proxy);  /* microseconds since 1970, as sessions have them */

/* The rules in force: those that sessions begin with. Until the loop goes on. */
const struct rulebook *proxy_rulebook(const struct proxy *proxy);

/* told gets each session that goes on, in no order, and NULL behind the last. */
void proxy_sessions(struct proxy *proxy, void (*told)(void *to, const struct session_glance *glance), void *to);

/* Ends a session now. done: whether there was one of that number. */
void proxy_close(struct proxy *proxy, uint64_t session, const char *reason, void (*done)(void *to, bool found),
    void *to);

struct proxy_stats {
	uint64_t since_us;              /* 1970: when the proxy began */
	uint64_t open, turned_away;     /* sessions now; connections beyond --max-sessions */
	struct summary_totals totals;
};
void proxy_stats(struct proxy *proxy, void (*told)(void *to, const struct proxy_stats *stats), void *to);

#endif
