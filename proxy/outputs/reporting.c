/* SPDX-License-Identifier: MIT */
/* The outputs of a run on its loop. */
#include "proxy/outputs/reporting.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FLUSH_US UINT64_C(40000)        /* an event is to be in its file within 50 ms */

void
reporting_flush(struct reporting *reporting)
{
	for (size_t i = 0; i < 2; i++) {
		if (reporting->draft[i] != NULL)
			draft_hand_over(reporting->draft[i]);
	}
	if (reporting->pcap != NULL)
		pcap_output_flush(reporting->pcap);
	if (reporting->options->sessions)
		fflush(stdout);
}

static void
flush_is_due(evutil_socket_t fd, short what, void *to)
{
	struct reporting *reporting = to;
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		return;
	reporting->armed = false;
	reporting_flush(reporting);
}

/* An idle program sleeps: the timer runs only while something waits. */
static void
arm(struct reporting *reporting)
{
	struct itimerspec when = {.it_value = {.tv_nsec = (long)reporting->flush_after_us * 1000 + 1}};

	if (reporting->armed || reporting->timer_fd < 0)
		return;
	reporting->armed = true;
	timerfd_settime(reporting->timer_fd, 0, &when, NULL);
}

static void
put(void *to, const struct event *event)
{
	struct reporting *reporting = to;

	reporting->all.put(reporting->all.to, event);
	arm(reporting);
}

static void
put_wire(void *to, const struct wire_news *news)
{
	struct reporting *reporting = to;
	struct wire_sink sink = pcap_output_sink(reporting->pcap);

	sink.put(sink.to, news);
	arm(reporting);
}

/* With --summary and --sessions standard output is theirs; a file named by -o has the events all the same. */
static bool
has_events(const struct options *options)
{
	return options->output != NULL || !(options->summary || options->sessions);
}

static bool
is_standard(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* What else standard output is for; NULL: nothing. */
static const char *
use_of_stdout(const struct options *options)
{
	if (options->summary || options->sessions)
		return options->summary ? "the summary" : "the sessions";
	if (options->output == NULL || is_standard(options->output))
		return "the events";
	return options->json != NULL && is_standard(options->json) ? "the events" : NULL;
}

/* A capture that is read would be gone before it was. */
static bool
is_operand(const struct options *options, const char *path)
{
	struct stat file, operand;

	if (is_standard(path) || stat(path, &file) != 0 || !S_ISREG(file.st_mode))
		return false;
	for (size_t i = 0; i < options->operands.count; i++)
		if (stat(options->operands.at[i], &operand) == 0 && operand.st_dev == file.st_dev &&
		    operand.st_ino == file.st_ino)
			return true;
	return false;
}

bool
reporting_allows(const struct options *options)
{
	const char *use = use_of_stdout(options);

	if (options->pcap == NULL && options->pcap_leg != PCAP_CLIENT_LEG) {
		fprintf(stderr, "smtpscope: --pcap-leg: of which capture? --pcap FILE writes one\n");
		return false;
	}
	if (options->pcap == NULL)
		return true;
	if (is_standard(options->pcap) && use != NULL) {
		fprintf(stderr, "smtpscope: --pcap -: standard output has %s; name a file%s\n", use,
		    options->summary || options->sessions ? "" : ", or send them elsewhere with -o FILE");
		return false;
	}
	if (is_operand(options, options->pcap)) {
		fprintf(stderr, "smtpscope: --pcap: %s is to be read; name another file to write\n", options->pcap);
		return false;
	}
	return true;
}

static void
draft_all(struct reporting *reporting)
{
	for (size_t i = 0; i < 2; i++) {
		if (reporting->output[i] == NULL)
			continue;
		reporting->draft[i] = draft_new(reporting->writer, reporting->output[i]);
		fanout_add(&reporting->fanout, draft_sink(reporting->draft[i]));
	}
}

static void
start_writing(struct reporting *reporting)
{
	if (reporting->output[0] == NULL && reporting->output[1] == NULL)
		return;
	reporting->writer = writer_start((enum writer_full)reporting->options->on_output_full, stderr);
	draft_all(reporting);
}

static bool
open_messages(struct reporting *reporting)
{
	if (reporting->options->save_messages == NULL)
		return true;
	reporting->messages = messages_open(reporting->options->save_messages, stderr);
	if (reporting->messages == NULL)
		return false;
	fanout_add(&reporting->fanout, messages_sink(reporting->messages));
	return true;
}

/* By the proxy's own TLS, or by a key log; where TLS is passed on there is nothing to wait for. */
static bool
may_open_tls(const struct options *options)
{
	return options->keylog != NULL || options->starttls == STARTTLS_INTERCEPT ||
	    options->leg_tls[SMTP_CLIENT] == LEG_TLS_STARTTLS || options->leg_tls[SMTP_SERVER] == LEG_TLS_STARTTLS;
}

/* What is kept beside the events. */
static bool
open_files(struct reporting *reporting)
{
	const struct options *options = reporting->options;
	struct pcap_options pcap = {options->pcap, options->pcap_leg, may_open_tls(options)};

	if (!open_messages(reporting))
		return false;
	if (options->pcap != NULL)
		reporting->pcap = pcap_output_open(&pcap, stderr);
	return options->pcap == NULL || reporting->pcap != NULL;
}

/*
 * All sinks have been added. base NULL: there is none. A timerfd: with a timer of libevent's each of the
 * loop's waits would have the kernel set and stop one.
 */
static bool
on_loop(struct reporting *reporting, struct event_base *base)
{
	reporting->all = fanout_sink(&reporting->fanout);
	if (base == NULL)
		return true;
	reporting->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (reporting->timer_fd < 0) {
		fprintf(stderr, "smtpscope: no descriptor is left for a timer: %s (ulimit -n is the limit)\n",
		    strerror(errno));
		return false;
	}
	event_assign(&reporting->timer, base, reporting->timer_fd, EV_READ | EV_PERSIST, flush_is_due, reporting);
	return event_add(&reporting->timer, NULL) == 0;
}

bool
reporting_open(struct reporting *reporting, const struct options *options, struct event_base *base)
{
	struct output_options main_output = {.format = options->format == FORMAT_JSON ? OUTPUT_JSON : OUTPUT_TEXT,
	    .path = options->output, .content = options->verbose > 0, .colour = -1};
	struct output_options json_output = {.format = OUTPUT_JSON, .path = options->json};

	*reporting = (struct reporting){.options = options, .flush_after_us = FLUSH_US, .timer_fd = -1};
	reporting->summary = summary_new();
	fanout_add(&reporting->fanout, summary_sink(reporting->summary));
	if (options->sessions)
		summary_sessions_to(reporting->summary, stdout);
	if (has_events(options)) {
		reporting->output[0] = output_open(&main_output, stderr);
		if (reporting->output[0] == NULL)
			return false;
		if (output_is_terminal(reporting->output[0]))
			reporting->flush_after_us = 0;
	}
	if (options->json != NULL) {
		reporting->output[1] = output_open(&json_output, stderr);
		if (reporting->output[1] == NULL)
			return false;
	}
	start_writing(reporting);
	if (!open_files(reporting))
		return false;
	return on_loop(reporting, base);
}

bool
reporting_beside(struct reporting *reporting, struct reporting *first, struct event_base *base)
{
	*reporting = (struct reporting){.options = first->options, .flush_after_us = first->flush_after_us,
	    .timer_fd = -1, .writer = first->writer, .output = {first->output[0], first->output[1]}};
	reporting->summary = summary_new();
	fanout_add(&reporting->fanout, summary_sink(reporting->summary));
	if (reporting->options->sessions)
		summary_sessions_to(reporting->summary, stdout);
	draft_all(reporting);
	if (first->pcap != NULL)
		reporting->pcap = pcap_output_beside(first->pcap);
	if (!open_messages(reporting))
		return false;
	return on_loop(reporting, base);
}

/* What is one loop's alone. */
static void
close_own(struct reporting *reporting)
{
	if (reporting->timer_fd >= 0) {
		event_del(&reporting->timer);
		close(reporting->timer_fd);
	}
	reporting->unkept += messages_close(reporting->messages) + pcap_output_close(reporting->pcap);
	for (size_t i = 0; i < 2; i++)
		draft_free(reporting->draft[i]);
}

void
reporting_leave(struct reporting *reporting, struct reporting *first)
{
	close_own(reporting);
	first->unkept += reporting->unkept;
	summary_add(first->summary, reporting->summary);
	summary_free(reporting->summary);
}

struct event_sink
reporting_sink(struct reporting *reporting)
{
	struct event_sink sink = reporting->all;

	if (reporting->timer_fd < 0)
		return sink;
	sink.put = put;
	sink.to = reporting;
	return sink;
}

struct wire_sink
reporting_wire(struct reporting *reporting)
{
	return (struct wire_sink){reporting->pcap != NULL ? put_wire : NULL, reporting};
}

void
reporting_reopen(struct reporting *reporting)
{
	reporting_flush(reporting);
	for (size_t i = 0; i < 2; i++) {
		if (reporting->output[i] != NULL)
			writer_reopen(reporting->writer, reporting->output[i]);
	}
}

int
reporting_close(struct reporting *reporting, bool done)
{
	const struct options *options = reporting->options;
	int worst = summary_worst_finding(reporting->summary), code = EXIT_DONE;
	uint64_t lost = 0;

	close_own(reporting);
	writer_stop(reporting->writer);
	for (size_t i = 0; i < 2; i++) {
		if (reporting->output[i] != NULL)
			lost += output_close(reporting->output[i], stderr);
	}
	if (done && options->summary)
		summary_print(reporting->summary, stdout);
	else if (done && options->quiet == 0)
		summary_print(reporting->summary, stderr);
	if (options->fail_on >= 0 && worst >= options->fail_on) {
		fprintf(stderr, "smtpscope: --fail-on %s: there were findings as bad as that, or worse\n",
		    finding_severity_name((enum finding_severity)options->fail_on));
		code = EXIT_UNMET;
	}
	if (lost > 0)
		fprintf(stderr, "smtpscope: %" PRIu64 " events are lost: an output could not be written\n", lost);
	if (lost > 0 || reporting->unkept > 0)
		code = EXIT_FAILED;
	summary_free(reporting->summary);
	return code;
}
