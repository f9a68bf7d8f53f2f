/* SPDX-License-Identifier: MIT */
/*
 * The workers beside main's own: a thread and a loop each, with listeners on the same ports
 * (SO_REUSEPORT: the kernel shares connections out), upstreams, a built-in server, outputs. All
 * of this is called in main's loop; the others are told by letters, and answer by letters.
 */
#ifndef RELAY_CREW_H
#define RELAY_CREW_H

#include "proxy/outputs/reporting.h"
#include "proxy/relay/listener.h"
#include "proxy/relay/running.h"
#include "proxy/relay/worker.h"
#include "proxy/sink/sink_server.h"

struct crew;

/* What the others are made after; borrowed, must outlive the crew. */
struct crew_model {
	struct worker    *worker;       /* main's, which listens already */
	struct reporting *reporting;
	const struct url *upstream;
	size_t            upstreams;
	uint64_t          connect_timeout_us;
	const struct sink_server_settings *sink;        /* NULL: no upstream is it */
};

/* So many workers beside main's, not running yet. NULL: error says why. */
struct crew *crew_new(const struct crew_model *model, unsigned count, char error[static URL_ERROR_MAX]);
/* False: no thread can be had, errno says why; crew_free it all the same. */
bool crew_start(struct crew *crew);

/* Sessions that begin from now on have the rules of this book, which stays the caller's. */
void crew_rules(struct crew *crew, const struct rulebook *rulebook);

/* They take no new sessions; idle is called when the last of theirs has ended. */
void crew_stop(struct crew *crew, void (*idle)(void *to), void *to);
bool crew_is_idle(const struct crew *crew);

/* Sessions that are left are cut off, threads end. What was asked is answered before this returns. */
void crew_end(struct crew *crew, const char *reason);

/* Adds what they counted to the model's reporting, and connections turned away to its worker; frees. */
void crew_free(struct crew *crew);

/* As in running.h, of the others' sessions; told may be called before this returns. */
void crew_sessions(struct crew *crew, void (*told)(void *to, const struct session_glance *glance), void *to);
void crew_close(struct crew *crew, uint64_t session, const char *reason, void (*done)(void *to, bool found), void *to);
/* Adds the others' figures to these, then tells them. */
void crew_stats(struct crew *crew, const struct proxy_stats *own, void (*told)(void *to, const struct proxy_stats *stats),
    void *to);

#endif
