/* SPDX-License-Identifier: MIT */
/* The outputs of a run on its loop. */
#include "proxy/outputs/reporting.h"

#include <inttypes.h>

#define FLUSH_US 20000  /* an event is to be in its file within 50 ms */

void
reporting_flush(struct reporting *reporting)
{
	for (size_t i = 0; i < 2; i++) {
		if (reporting->output[i] != NULL && output_waiting(reporting->output[i]))
			output_flush(reporting->output[i], stderr);
	}
	if (reporting->options->sessions)
		fflush(stdout);
}

static void
flush_is_due(evutil_socket_t fd, short what, void *to)
{
	struct reporting *reporting = to;

	(void)fd;
	(void)what;
	reporting->armed = false;
	reporting_flush(reporting);
}

/* An idle program sleeps: the timer runs only while something waits. */
static void
put(void *to, const struct event *event)
{
	struct reporting *reporting = to;

	reporting->all.put(reporting->all.to, event);
	if (reporting->armed || !reporting->has_loop)
		return;
	reporting->armed = true;
	evtimer_add(&reporting->timer, &reporting->flush_after);
}

/* With --summary and --sessions standard output is theirs; a file named by -o has the events all the same. */
static bool
has_events(const struct options *options)
{
	return options->output != NULL || !(options->summary || options->sessions);
}

bool
reporting_open(struct reporting *reporting, const struct options *options, struct event_base *base)
{
	struct output_options main_output = {.format = options->format == FORMAT_JSON ? OUTPUT_JSON : OUTPUT_TEXT,
	    .path = options->output, .content = options->verbose > 0, .colour = -1};
	struct output_options json_output = {.format = OUTPUT_JSON, .path = options->json};

	*reporting = (struct reporting){.options = options, .flush_after = {.tv_usec = FLUSH_US}};
	reporting->summary = summary_new();
	fanout_add(&reporting->fanout, summary_sink(reporting->summary));
	if (options->sessions)
		summary_sessions_to(reporting->summary, stdout);
	if (has_events(options)) {
		reporting->output[0] = output_open(&main_output, stderr);
		if (reporting->output[0] == NULL)
			return false;
		fanout_add(&reporting->fanout, output_sink(reporting->output[0]));
		if (output_is_terminal(reporting->output[0]))
			reporting->flush_after.tv_usec = 0;
	}
	if (options->json != NULL) {
		reporting->output[1] = output_open(&json_output, stderr);
		if (reporting->output[1] == NULL)
			return false;
		fanout_add(&reporting->fanout, output_sink(reporting->output[1]));
	}
	reporting->all = fanout_sink(&reporting->fanout);
	reporting->has_loop = base != NULL;
	if (base != NULL)
		evtimer_assign(&reporting->timer, base, flush_is_due, reporting);
	return true;
}

struct event_sink
reporting_sink(struct reporting *reporting)
{
	return (struct event_sink){put, reporting, reporting->all.wants_content};
}

void
reporting_reopen(struct reporting *reporting)
{
	for (size_t i = 0; i < 2; i++) {
		if (reporting->output[i] != NULL)
			output_reopen(reporting->output[i], stderr);
	}
}

int
reporting_close(struct reporting *reporting, bool done)
{
	const struct options *options = reporting->options;
	int worst = summary_worst_finding(reporting->summary), code = EXIT_DONE;
	uint64_t lost = 0;

	if (reporting->armed)
		evtimer_del(&reporting->timer);
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
	if (lost > 0) {
		fprintf(stderr, "smtpscope: %" PRIu64 " events are lost: an output could not be written\n", lost);
		code = EXIT_FAILED;
	}
	summary_free(reporting->summary);
	return code;
}
