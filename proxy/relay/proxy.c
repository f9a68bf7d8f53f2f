/* SPDX-License-Identifier: MIT */
/*
 * `smtpscope proxy`: what a run is made of, in the order in which it is made and taken apart
 * again, and what signals do to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/options.h"
#include "proxy/relay/crew.h"
#include "proxy/relay/listener.h"
#include "proxy/relay/make_ca.h"
#include "proxy/relay/pair.h"
#include "proxy/relay/round.h"
#include "proxy/relay/running.h"
#include "proxy/relay/tls_setup.h"
#include "proxy/outputs/reporting.h"
#include "proxy/sessions/rulebook.h"
#include "proxy/relay/upstream.h"
#include "proxy/relay/worker.h"
#include "proxy/sink/sink_server.h"

#define LISTEN_DEFAULT "127.0.0.1:2525"
#define DESCRIPTORS_WORKER 5    /* a loop's own, for signals, letters and what is to be written, too */
#define DESCRIPTORS_SPARE 16    /* for names to be resolved, files to be opened again, who looks on */

struct urls {
	struct url *at;
	size_t      count;
};

struct proxy {
	const struct options       *options;
	struct urls                 listen, upstream;
	struct worker               worker;     /* main's */
	struct crew                *crew;       /* the others; NULL: there are none */
	struct reporting            reporting;
	char                        own_name[256];
	struct sink_server_settings sink_settings;
	struct sink_server         *sink;       /* NULL: no upstream is it */
	struct intercept           *sink_tls;   /* NULL: it speaks none */
	struct loop_event           on_stop[2], on_reopen, on_reload, on_grace;
	const char                 *stopped_by; /* for the sessions that are cut off; NULL: nothing has */
	const struct proxy_companion *companion;
	void                       *companion_state;
	uint64_t                    since_us;
};

/* Reads URLs; all that are wrong are told. */
static bool
read_urls(struct urls *urls, const struct options_list *list, const char *missing, enum url_use use,
    const char *option)
{
	uint16_t port = use == URL_LISTEN ? URL_PORT_PROXY : URL_PORT_SMTP;
	char error[URL_ERROR_MAX];
	bool good = true;

	urls->count = list->count == 0 ? 1 : list->count;
	urls->at = calloc(urls->count, sizeof *urls->at);
	if (urls->at == NULL)
		abort();
	for (size_t i = 0; i < urls->count; i++) {
		if (url_parse(list->count == 0 ? missing : list->at[i], use, port, &urls->at[i], error))
			continue;
		fprintf(stderr, "smtpscope: %s %s\n", option, error);
		good = false;
	}
	return good;
}

/* A session is of one kind before it is known which of its servers is reached. */
static bool
are_of_one_kind(const struct urls *urls)
{
	for (size_t i = 1; i < urls->count; i++) {
		if ((urls->at[i].scheme == URL_LMTP) == (urls->at[0].scheme == URL_LMTP))
			continue;
		fprintf(stderr, "smtpscope: --upstream %s and %s: either all servers speak LMTP or none does\n",
		    urls->at[0].text, urls->at[i].text);
		return false;
	}
	return true;
}

static bool
has_sink(const struct urls *urls)
{
	for (size_t i = 0; i < urls->count; i++) {
		if (urls->at[i].scheme == URL_SINK)
			return true;
	}
	return false;
}

/*
 * A session is two descriptors (the built-in server's end is one more, and a message that is
 * saved another), and the usual soft limit is 1,024 of them. Returns for how many sessions
 * there is room.
 */
static uint64_t
raise_descriptors(unsigned a_session, size_t loops)
{
	struct rlimit limit;
	int lowest = dup(STDERR_FILENO);
	uint64_t taken = (lowest < 0 ? 0 : (uint64_t)lowest) + loops + DESCRIPTORS_SPARE;

	if (lowest >= 0)
		close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur >= taken + a_session ? (limit.rlim_cur - taken) / a_session : 1;
}

static struct rulebook *
load_rules(struct proxy *p)
{
	const struct options *options = p->options;
	struct session_config config = {
	    .events = reporting_sink(&p->reporting), .wire = reporting_wire(&p->reporting), .source = "proxy",
	    .show_secrets = options->show_secrets, .keeps_messages = options->save_messages != NULL,
	    .max_line = (uint32_t)options->max_line, .max_content = options->max_content,
	    .own_name = p->own_name, .arena = &p->worker.arena};

	return rulebook_load(&options->rules, options->seed, &config, p->worker.rulebook, stderr);
}

static void
leave_loop(void *to)
{
	struct proxy *p = to;

	event_base_loopbreak(p->worker.base);
}

/* A worker's last session has ended, after the stop. */
static void
one_is_idle(void *to)
{
	struct proxy *p = to;

	if (p->worker.pair_count == 0 && (p->crew == NULL || crew_is_idle(p->crew)))
		leave_loop(p);
}

static void
grace_is_over(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	(void)what;
	leave_loop(to);
}

/* The first one lets sessions finish; the second one does not. */
static void
stop(evutil_socket_t number, short what, void *to)
{
	struct proxy *p = to;
	uint64_t grace_us = p->options->grace_us;
	struct timeval grace = {.tv_sec = (time_t)(grace_us / 1000000), .tv_usec = (suseconds_t)(grace_us % 1000000)};
	uint64_t open;

	(void)what;
	if (p->stopped_by != NULL) {
		leave_loop(p);
		return;
	}
	p->stopped_by = number == SIGINT ? "stopped by SIGINT" : "stopped by SIGTERM";
	listeners_stop(p->worker.listeners);
	p->worker.stopping = true;
	if (p->crew != NULL)
		crew_stop(p->crew, one_is_idle, p);
	open = p->worker.tally->open;
	if (open == 0 && p->crew == NULL) {
		leave_loop(p);
		return;
	}
	if (p->options->quiet == 0 && open > 0)
		fprintf(stderr, "smtpscope: stopping; %" PRIu64 " session%s may finish within %g s\n", open,
		    open == 1 ? "" : "s", (double)grace_us / 1e6);
	evtimer_add(&p->on_grace, &grace);
}

static void
reopen(evutil_socket_t number, short what, void *to)
{
	struct proxy *p = to;

	(void)number;
	(void)what;
	reporting_reopen(&p->reporting);
}

static bool
came_by_pipe(const struct options_list *files)
{
	for (size_t i = 0; i < files->count; i++) {
		if (strcmp(files->at[i], "-") == 0)
			return true;
	}
	return false;
}

static void
reload(evutil_socket_t number, short what, void *to)
{
	struct proxy *p = to;
	struct rulebook *fresh = NULL;

	(void)number;
	(void)what;
	if (came_by_pipe(&p->options->rules))
		fprintf(stderr, "smtpscope: rules from standard input cannot be read again\n");
	else
		fresh = load_rules(p);
	if (fresh == NULL) {
		fprintf(stderr, "smtpscope: the rules in force stay as they were\n");
		return;
	}
	rulebook_tell_replaced(p->worker.rulebook, fresh, stderr);
	rulebook_release(p->worker.rulebook);
	p->worker.rulebook = fresh;
	if (p->crew != NULL)
		crew_rules(p->crew, fresh);
	if (p->options->quiet == 0)
		fprintf(stderr, "smtpscope: rules reloaded: %zu in force\n", ruleset_count(fresh->rules));
}

static bool
take_signals(struct proxy *p)
{
	struct event_base *base = p->worker.base;

	evsignal_assign(&p->on_stop[0], base, SIGINT, stop, p);
	evsignal_assign(&p->on_stop[1], base, SIGTERM, stop, p);
	evsignal_assign(&p->on_reopen, base, SIGUSR1, reopen, p);
	evsignal_assign(&p->on_reload, base, SIGHUP, reload, p);
	evtimer_assign(&p->on_grace, base, grace_is_over, p);
	signal(SIGPIPE, SIG_IGN);       /* a reader of our output that has gone is a failed write */
	if (event_add(&p->on_stop[0], NULL) == 0 && event_add(&p->on_stop[1], NULL) == 0 &&
	    event_add(&p->on_reopen, NULL) == 0 && event_add(&p->on_reload, NULL) == 0)
		return true;
	fprintf(stderr, "smtpscope: cannot wait for signals: %s\n", strerror(errno));
	return false;
}

static bool
sink_takes(void *to, int fd)
{
	return sink_server_take(to, fd);
}

/* Where TLS is passed, a session with the sink stays in the clear: else there would be nothing to be seen. */
static bool
open_sink_tls(struct proxy *p)
{
	static const struct intercept_settings settings = {.own_name = SINK_NAME};
	char error[INTERCEPT_ERROR_MAX];
	bool usage;

	if (p->worker.tls.way[SMTP_SERVER] != SESSION_TLS_STARTTLS)
		return true;
	p->sink_tls = intercept_new(&settings, &usage, error);
	if (p->sink_tls == NULL)
		fprintf(stderr, "smtpscope: the built-in server: %s\n", error);
	return p->sink_tls != NULL;
}

static bool
start_sink(struct proxy *p)
{
	char error[SINK_SERVER_ERROR_MAX];

	if (!open_sink_tls(p))
		return false;
	p->sink_settings = (struct sink_server_settings){
	    .session = {.max_size = p->options->max_size, .starttls = p->sink_tls != NULL}, .tls = p->sink_tls,
	    .idle_us = SINK_SERVER_IDLE_US};
	p->sink = sink_server_start(p->worker.base, NULL, 0, &p->sink_settings, error);
	if (p->sink == NULL) {
		fprintf(stderr, "smtpscope: the built-in server: %s\n", error);
		return false;
	}
	upstreams_set_sink(p->worker.upstreams, sink_takes, p->sink);
	return true;
}

/* Binds what is to be listened on, and sees to it that no session would come back to it. */
static int
start_listening(struct proxy *p)
{
	const struct url *own;
	char error[URL_ERROR_MAX];

	for (size_t i = 0; i < p->listen.count; i++) {
		if (listeners_add(p->worker.listeners, &p->listen.at[i], error))
			continue;
		fprintf(stderr, "smtpscope: %s\n", error);
		return EXIT_FAILED;
	}
	own = upstreams_find_own(p->worker.upstreams);
	if (own == NULL)
		return EXIT_DONE;
	fprintf(stderr, "smtpscope: --upstream %s is this proxy's own listener; name the server behind it\n", own->text);
	return EXIT_USAGE;
}

/* 0: one a core that we may run on. */
static unsigned
workers_wanted(const struct options *options)
{
	cpu_set_t cores;

	if (options->workers > 0)
		return (unsigned)options->workers;
	return sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) > 0 ? (unsigned)CPU_COUNT(&cores) : 1;
}

/* The workers beside main's. False: they cannot be had, which was told. */
static bool
make_crew(struct proxy *p)
{
	struct crew_model model = {.worker = &p->worker, .reporting = &p->reporting, .upstream = p->upstream.at,
	    .upstreams = p->upstream.count, .connect_timeout_us = p->options->connect_timeout_us,
	    .sink = p->sink != NULL ? &p->sink_settings : NULL};
	unsigned count = workers_wanted(p->options) - 1;
	char error[URL_ERROR_MAX];

	if (count == 0)
		return true;
	p->crew = crew_new(&model, count, error);
	if (p->crew == NULL) {
		fprintf(stderr, "smtpscope: --workers: %s\n", error);
		return false;
	}
	listeners_tell(p->worker.listeners);
	return true;
}

/* Everything listens: the loops go round until they are left. */
static int
go_round(struct proxy *p)
{
	if (p->crew != NULL && !crew_start(p->crew)) {
		fprintf(stderr, "smtpscope: --workers: no thread can be had: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	if (round_go_on(&p->worker) >= 0)
		return EXIT_DONE;
	fprintf(stderr, "smtpscope: the event loop failed: %s\n", strerror(errno));
	return EXIT_FAILED;
}

/* The loop has been left: what is still there is cut off, and what was counted is told. */
static int
finish(struct proxy *p, int code)
{
	const struct rulebook *rulebook = p->worker.rulebook;
	const char *why = p->stopped_by != NULL ? p->stopped_by : "the proxy ends";
	int told;

	pairs_stop(&p->worker, why);
	if (p->crew != NULL)
		crew_end(p->crew, why);
	if (p->sink != NULL)
		sink_server_stop(p->sink);
	intercept_free(p->sink_tls);
	p->companion->end(p->companion_state);
	crew_free(p->crew);
	if (code == EXIT_DONE)
		rulebook_summarize(rulebook, reporting_sink(&p->reporting), worker_now(&p->worker));
	told = reporting_close(&p->reporting, code == EXIT_DONE);
	if (p->worker.turned_away > 0)
		fprintf(stderr, "smtpscope: %" PRIu64 " connection%s turned away: --max-sessions is %" PRIu64 "\n",
		    p->worker.turned_away, p->worker.turned_away == 1 ? " was" : "s were", p->worker.max_sessions);
	if (code != EXIT_DONE)
		return code;
	if (!rulebook_is_met(rulebook, stderr) && told == EXIT_DONE)
		told = EXIT_UNMET;
	return told;
}

/* With the rules loaded: from the first output to the last word. */
static int
run(struct proxy *p, const struct worker_tls *tls)
{
	struct worker *worker = &p->worker;
	const struct options *options = p->options;
	int code;

	worker->tls = *tls;
	code = tls_open(&worker->tls, options, stderr);
	if (code != EXIT_DONE)
		return code;
	code = EXIT_FAILED;
	if (!reporting_open(&p->reporting, options, worker->base)) {
		reporting_close(&p->reporting, false);
		tls_close(&worker->tls);
		return EXIT_FAILED;
	}
	worker->rulebook->config.events = reporting_sink(&p->reporting);
	worker->rulebook->config.wire = reporting_wire(&p->reporting);
	if (ruleset_wants_seed(worker->rulebook->rules) && !options->seed_given)
		fprintf(stderr, "smtpscope: --seed %" PRIu64 " gives the same chances again\n", options->seed);
	worker->listeners = listeners_new(worker, stderr);
	if (workers_wanted(options) > 1)
		listeners_share(worker->listeners);
	worker->upstreams = upstreams_new(worker, p->upstream.at, p->upstream.count, options->connect_timeout_us, NULL);
	worker->idle_timeout_us = options->idle_timeout_us;
	worker->max_sessions = options->max_sessions;
	worker->stopped = one_is_idle;
	worker->stopped_to = p;
	p->since_us = worker_now(worker);
	if (take_signals(p) && (!has_sink(&p->upstream) || start_sink(p)) &&
	    p->companion->begin(p, options, &p->companion_state)) {
		worker->room = raise_descriptors((has_sink(&p->upstream) ? 3 : 2) + (options->save_messages != NULL),
		    workers_wanted(options) * (p->listen.count + DESCRIPTORS_WORKER));
		code = start_listening(p);
	}
	if (code == EXIT_DONE)
		code = make_crew(p) ? go_round(p) : EXIT_FAILED;
	code = finish(p, code);
	listeners_free(worker->listeners);
	upstreams_free(worker->upstreams);
	tls_close(&worker->tls);
	return code;
}

struct event_base *
proxy_base(const struct proxy *p)
{
	return p->worker.base;
}

uint64_t
proxy_now(const struct proxy *p)
{
	return worker_now(&p->worker);
}

const struct rulebook *
proxy_rulebook(const struct proxy *p)
{
	return p->worker.rulebook;
}

void
proxy_sessions(struct proxy *p, void (*told)(void *to, const struct session_glance *glance), void *to)
{
	pairs_glance(&p->worker, told, to);
	if (p->crew != NULL)
		crew_sessions(p->crew, told, to);
	else
		told(to, NULL);
}

void
proxy_close(struct proxy *p, uint64_t session, const char *reason, void (*done)(void *to, bool found), void *to)
{
	if (pairs_stop_one(&p->worker, session, reason))
		done(to, true);
	else if (p->crew != NULL)
		crew_close(p->crew, session, reason, done, to);
	else
		done(to, false);
}

void
proxy_stats(struct proxy *p, void (*told)(void *to, const struct proxy_stats *stats), void *to)
{
	struct proxy_stats stats = {.since_us = p->since_us, .open = p->worker.pair_count,
	    .turned_away = p->worker.turned_away};

	summary_total(p->reporting.summary, &stats.totals);
	if (p->crew != NULL)
		crew_stats(p->crew, &stats, told, to);
	else
		told(to, &stats);
}

int
proxy_run(const struct options *options, const struct proxy_companion *companion)
{
	struct proxy p = {.options = options, .companion = companion};
	struct worker_tls tls;
	int code = EXIT_USAGE;
	bool good;

	if (options->make_ca && !make_ca(options, &code))
		return code;
	good = read_urls(&p.listen, &options->listen, LISTEN_DEFAULT, URL_LISTEN, "--listen");
	code = EXIT_USAGE;
	good = read_urls(&p.upstream, &options->upstream, "sink", URL_UPSTREAM, "--upstream") && good;
	good = reporting_allows(options) && good;
	good = good && tls_setup(&tls, options, p.listen.at, p.listen.count, p.upstream.at, p.upstream.count, stderr);
	if (gethostname(p.own_name, sizeof p.own_name - 1) != 0 || p.own_name[0] == '\0')
		memcpy(p.own_name, "localhost", sizeof "localhost");
	if (good && are_of_one_kind(&p.upstream)) {
		code = EXIT_FAILED;
		if (!worker_init(&p.worker))
			fprintf(stderr, "smtpscope: no event loop: %s\n", strerror(errno));
		else if ((p.worker.rulebook = load_rules(&p)) == NULL)
			code = EXIT_USAGE;
		else
			code = run(&p, &tls);
		worker_clear(&p.worker);
	}
	free(p.listen.at);
	free(p.upstream.at);
	return code;
}
