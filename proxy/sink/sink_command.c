/* SPDX-License-Identifier: MIT */
/* `smtpscope sink`: the built-in server by itself, until it is told to end. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "proxy/options.h"
#include "proxy/sink/sink_server.h"
#include "proxy/url.h"

#define LISTEN_DEFAULT "smtp://127.0.0.1:2526"

struct listener {
	struct url                  url;
	struct sink_server_settings settings;
	struct sink_server         *server;
};

struct sink_program {
	const struct options *options;
	struct event_base    *base;
	struct event         *signals[2];
	struct maildir       *maildir;
	struct intercept     *tls;
	struct listener      *listeners;
	size_t                count;
};

/* A line a message with -v, and without one for what could not be kept. */
static void
on_message(void *owner, const struct sink_message *m)
{
	const struct options *options = owner;
	char                  path[256];
	size_t                n = 0;

	for (; n < m->reverse_path.len && n < sizeof path - 1; n++)
		path[n] = m->reverse_path.at[n] >= ' ' && m->reverse_path.at[n] <= '~' ? m->reverse_path.at[n] : '?';
	path[n] = '\0';
	if (options->verbose > 0)
		fprintf(stderr, "message from <%s> to %" PRIu32 " recipient%s, %" PRIu64 " octets by %s: %u%s%s\n",
		    path, m->recipients, m->recipients == 1 ? "" : "s", m->octets, m->chunks ? "BDAT" : "DATA",
		    m->code, m->file != NULL ? ", kept as new/" : "", m->file != NULL ? m->file : "");
	if (m->error != NULL && options->quiet == 0)
		fprintf(stderr, "smtpscope: sink: a message from <%s> could not be kept in %s: %s\n", path,
		    options->save_messages, m->error);
}

/* TLS that failed is worth a line; that it went well, with -v. */
static void
on_secured(void *owner, struct tls_conn *conn, const struct tls_conn_failure *failure)
{
	const struct options *options = owner;
	struct tls_conn_facts facts;

	if (failure != NULL && options->quiet == 0)
		fprintf(stderr, "smtpscope: sink: TLS failed: %.*s\n", (int)failure->reason.len, failure->reason.at);
	if (failure != NULL || options->verbose == 0)
		return;
	tls_conn_facts(conn, &facts);
	fprintf(stderr, "TLS begins: %.*s, %.*s\n", (int)facts.version.len, facts.version.at, (int)facts.cipher.len,
	    facts.cipher.at);
}

/* A certificate that is given, or one that it signs itself. */
static int
open_tls(struct sink_program *p)
{
	struct intercept_settings settings = p->options->tls;
	char                      error[INTERCEPT_ERROR_MAX];
	const char               *note;
	bool                      usage;

	settings.own_name = SINK_NAME;
	p->tls = intercept_new(&settings, &usage, error);
	if (p->tls == NULL) {
		fprintf(stderr, "smtpscope: sink: %s\n", error);
		return usage ? EXIT_USAGE : EXIT_FAILED;
	}
	for (unsigned n = 0; p->options->verbose > 0 && (note = intercept_note(p->tls, n)) != NULL; n++)
		fprintf(stderr, "smtpscope: sink: %s\n", note);
	return EXIT_DONE;
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	event_base_loopbreak(arg);
}

static int
read_urls(struct sink_program *p)
{
	const struct options_list *list = &p->options->listen;
	char                       error[URL_ERROR_MAX];
	int                        code = EXIT_DONE;

	p->count = list->count == 0 ? 1 : list->count;
	p->listeners = calloc(p->count, sizeof *p->listeners);
	if (p->listeners == NULL) {
		fprintf(stderr, "smtpscope: sink: out of memory\n");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < p->count; i++) {
		const char *text = list->count == 0 ? LISTEN_DEFAULT : list->at[i];

		if (!url_parse(text, URL_LISTEN, URL_PORT_SINK, &p->listeners[i].url, error)) {
			fprintf(stderr, "smtpscope: sink: --listen %s\n", error);
			code = EXIT_USAGE;
		}
	}
	return code;
}

static int
start(struct sink_program *p)
{
	char error[SINK_SERVER_ERROR_MAX], address[URL_ADDRESS_MAX];

	for (size_t i = 0; i < p->count; i++) {
		struct listener *l = &p->listeners[i];

		l->settings = (struct sink_server_settings){
		    .session = {.max_size = p->options->max_size, .lmtp = l->url.scheme == URL_LMTP,
		        .maildir = p->maildir, .message = on_message, .owner = (void *)(uintptr_t)p->options,
		        .starttls = true, .secured = l->url.tls},
		    .tls = p->tls, .secured = on_secured,
		    .idle_us = SINK_SERVER_IDLE_US,
		};
		l->server = sink_server_start(
		    p->base, &l->url.address.any, url_address_length(&l->url.address), &l->settings, error);
		if (l->server == NULL) {
			fprintf(stderr, "smtpscope: sink: %s: %s\n", l->url.text, error);
			return EXIT_FAILED;
		}
		url_address_set_port(&l->url.address, sink_server_port(l->server));
		url_address_text(&l->url.address, address);
		fprintf(stderr, "listening on %s%s\n", url_scheme_text(&l->url), address);
	}
	return EXIT_DONE;
}

/* A session is a descriptor, and the usual soft limit is 1,024 of them. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
run(struct sink_program *p)
{
	static const int numbers[] = {SIGINT, SIGTERM};
	int              code;

	p->base = event_base_new();
	if (p->base == NULL) {
		fprintf(stderr, "smtpscope: sink: no event loop: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p->base);
		if (p->signals[i] == NULL || event_add(p->signals[i], NULL) != 0) {
			fprintf(stderr, "smtpscope: sink: cannot wait for signals: %s\n", strerror(errno));
			return EXIT_FAILED;
		}
	}
	signal(SIGPIPE, SIG_IGN);       /* OpenSSL writes to sockets as to files */
	raise_descriptors();
	code = start(p);
	if (code == EXIT_DONE && event_base_dispatch(p->base) < 0) {
		fprintf(stderr, "smtpscope: sink: the event loop failed: %s\n", strerror(errno));
		code = EXIT_FAILED;
	}
	return code;
}

int
sink_command(const struct options *options)
{
	struct sink_program p = {.options = options};
	char                error[MAILDIR_ERROR_MAX];
	int                 code = read_urls(&p);

	if (code == EXIT_DONE && options->save_messages != NULL) {
		p.maildir = maildir_open(options->save_messages, error);
		if (p.maildir == NULL) {
			fprintf(stderr, "smtpscope: sink: --save-messages %s\n", error);
			code = EXIT_FAILED;
		}
	}
	if (code == EXIT_DONE)
		code = open_tls(&p);
	if (code == EXIT_DONE)
		code = run(&p);
	for (size_t i = 0; i < p.count && p.listeners != NULL; i++)
		if (p.listeners[i].server != NULL)
			sink_server_stop(p.listeners[i].server);
	for (size_t i = 0; i < 2; i++)
		if (p.signals[i] != NULL)
			event_free(p.signals[i]);
	if (p.base != NULL)
		event_base_free(p.base);
	intercept_free(p.tls);
	free(p.listeners);
	maildir_close(p.maildir);
	return code;
}
