/* SPDX-License-Identifier: MIT */
/*
 * What the other workers are asked by who looks on: each answers on its own loop with copies,
 * for what a session points to is gone when it goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "proxy/relay/crew_state.h"
#include "proxy/relay/pair.h"

/* One that was asked of all; gone when the last has answered. */
struct inquiry {
	size_t      awaited;
	uint64_t    session;            /* to be closed */
	const char *reason;
	bool        found;
	struct proxy_stats stats;
	void      (*told)(void *to, const struct session_glance *glance);
	void      (*done)(void *to, bool found);
	void      (*told_stats)(void *to, const struct proxy_stats *stats);
	void       *to;
};

/* A session as it was. */
struct seen {
	struct seen          *next;
	struct session_glance glance;   /* its views are of the text */
	char                  text[];
};

/* The inquiry on its way to one mate and back. */
struct question {
	struct letter      letter;      /* first member */
	struct mate       *mate;
	struct inquiry    *inquiry;
	struct seen       *seen;
	bool               found;
	struct proxy_stats stats;
};

static void *
must(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

static struct inquiry *
inquiry_new(const struct crew *crew, void *to)
{
	struct inquiry *inquiry = must(calloc(1, sizeof *inquiry));

	inquiry->awaited = crew->count;
	inquiry->to = to;
	return inquiry;
}

static void
ask_all(struct crew *crew, struct inquiry *inquiry, void (*asked)(struct letter *letter))
{
	for (size_t i = 0; i < crew->count; i++) {
		struct question *question = must(calloc(1, sizeof *question));

		question->letter.read = asked;
		question->mate = &crew->mates[i];
		question->inquiry = inquiry;
		inbox_put(&question->mate->inbox, &question->letter);
	}
}

static void
answer(struct question *question, void (*answered)(struct letter *letter))
{
	question->letter.read = answered;
	inbox_put(&question->mate->crew->inbox, &question->letter);
}

static struct view
copy(char **at, struct view text)
{
	struct view mine = {*at, text.len};

	if (text.at == NULL)
		return VIEW_NONE;
	memcpy(*at, text.at, text.len);
	*at += text.len;
	return mine;
}

static void
see(void *to, const struct session_glance *glance)
{
	struct question *question = to;
	struct seen *seen = must(malloc(sizeof *seen + glance->client.len + glance->server.len + glance->helo.len +
	    glance->user.len + glance->awaited.len));
	char *at = seen->text;

	seen->glance = *glance;
	seen->glance.client = copy(&at, glance->client);
	seen->glance.server = copy(&at, glance->server);
	seen->glance.helo = copy(&at, glance->helo);
	seen->glance.user = copy(&at, glance->user);
	seen->glance.awaited = copy(&at, glance->awaited);
	seen->next = question->seen;
	question->seen = seen;
}

static void
sessions_answered(struct letter *letter)
{
	struct question *question = (struct question *)letter;
	struct inquiry *inquiry = question->inquiry;

	while (question->seen != NULL) {
		struct seen *seen = question->seen;

		question->seen = seen->next;
		inquiry->told(inquiry->to, &seen->glance);
		free(seen);
	}
	free(question);
	if (--inquiry->awaited > 0)
		return;
	inquiry->told(inquiry->to, NULL);
	free(inquiry);
}

static void
sessions_asked(struct letter *letter)
{
	struct question *question = (struct question *)letter;

	pairs_glance(&question->mate->worker, see, question);
	answer(question, sessions_answered);
}

void
crew_sessions(struct crew *crew, void (*told)(void *to, const struct session_glance *glance), void *to)
{
	struct inquiry *inquiry = inquiry_new(crew, to);

	inquiry->told = told;
	ask_all(crew, inquiry, sessions_asked);
}

static void
close_answered(struct letter *letter)
{
	struct question *question = (struct question *)letter;
	struct inquiry *inquiry = question->inquiry;

	inquiry->found |= question->found;
	free(question);
	if (--inquiry->awaited > 0)
		return;
	inquiry->done(inquiry->to, inquiry->found);
	free(inquiry);
}

static void
close_asked(struct letter *letter)
{
	struct question *question = (struct question *)letter;

	question->found = pairs_stop_one(&question->mate->worker, question->inquiry->session, question->inquiry->reason);
	answer(question, close_answered);
}

void
crew_close(struct crew *crew, uint64_t session, const char *reason, void (*done)(void *to, bool found), void *to)
{
	struct inquiry *inquiry = inquiry_new(crew, to);

	inquiry->session = session;
	inquiry->reason = reason;
	inquiry->done = done;
	ask_all(crew, inquiry, close_asked);
}

static void
stats_answered(struct letter *letter)
{
	struct question *question = (struct question *)letter;
	struct inquiry *inquiry = question->inquiry;

	inquiry->stats.open += question->stats.open;
	inquiry->stats.turned_away += question->stats.turned_away;
	summary_totals_add(&inquiry->stats.totals, &question->stats.totals);
	free(question);
	if (--inquiry->awaited > 0)
		return;
	inquiry->told_stats(inquiry->to, &inquiry->stats);
	free(inquiry);
}

static void
stats_asked(struct letter *letter)
{
	struct question *question = (struct question *)letter;

	question->stats.open = question->mate->worker.pair_count;
	question->stats.turned_away = question->mate->worker.turned_away;
	summary_total(question->mate->reporting.summary, &question->stats.totals);
	answer(question, stats_answered);
}

void
crew_stats(struct crew *crew, const struct proxy_stats *own, void (*told)(void *to, const struct proxy_stats *stats),
    void *to)
{
	struct inquiry *inquiry = inquiry_new(crew, to);

	inquiry->stats = *own;
	inquiry->told_stats = told;
	ask_all(crew, inquiry, stats_asked);
}
