/* SPDX-License-Identifier: MIT */
/* `smtpscope watch`: what goes over an interface, decoded as it goes, until a signal ends it. */
#include "proxy/loop.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/captures/capture.h"
#include "proxy/captures/ports.h"
#include "proxy/captures/privileges.h"
#include "proxy/captures/run.h"

#define FRAMES_AT_ONCE 1024u    /* then the loop looks for signals and outputs */

struct watch {
	struct decoding    decoding;
	struct capture    *capture;
	struct event_base *base;
	struct loop_event  packets, stop[2], reopen;
	bool               damaged;
};

static bool
take_frame(void *to, const struct capture_frame *frame)
{
	struct watch *w = to;

	frames_take(w->decoding.frames, frame);
	return true;
}

static void
packets_are_there(evutil_socket_t fd, short what, void *to)
{
	struct watch *w = to;
	struct capture_reader reader = {take_frame, w};
	enum capture_read read = capture_read(w->capture, FRAMES_AT_ONCE, &reader, stderr);

	(void)fd;
	(void)what;
	if (read == CAPTURE_FRAMES || read == CAPTURE_NOTHING)
		return;
	w->damaged = true;
	event_base_loopbreak(w->base);
}

static void
stopped(evutil_socket_t number, short what, void *to)
{
	struct watch *w = to;

	(void)number;
	(void)what;
	event_base_loopbreak(w->base);
}

static void
reopened(evutil_socket_t number, short what, void *to)
{
	struct watch *w = to;

	(void)number;
	(void)what;
	reporting_reopen(&w->decoding.reporting);
}

static bool
start_loop(struct watch *w)
{
	event_assign(&w->packets, w->base, capture_descriptor(w->capture), EV_READ | EV_PERSIST, packets_are_there, w);
	evsignal_assign(&w->stop[0], w->base, SIGINT, stopped, w);
	evsignal_assign(&w->stop[1], w->base, SIGTERM, stopped, w);
	evsignal_assign(&w->reopen, w->base, SIGUSR1, reopened, w);
	signal(SIGPIPE, SIG_IGN);
	if (event_add(&w->packets, NULL) == 0 && event_add(&w->stop[0], NULL) == 0 &&
	    event_add(&w->stop[1], NULL) == 0 && event_add(&w->reopen, NULL) == 0)
		return true;
	fprintf(stderr, "smtpscope: cannot wait for packets: %s\n", strerror(errno));
	return false;
}

static int
watch_packets(struct watch *w)
{
	int code;

	if (w->decoding.options->quiet == 0)
		fprintf(stderr, "watching %s\n", capture_name(w->capture));
	if (event_base_dispatch(w->base) < 0 || w->damaged)
		fprintf(stderr, "smtpscope: %s: the capture ended\n", capture_name(w->capture));
	code = decoding_end(&w->decoding, w->damaged ? EXIT_FAILED : EXIT_DONE);
	if (capture_dropped(w->capture) > 0)
		fprintf(stderr, "%" PRIu64 " packets were dropped by the kernel before they could be read\n",
		    capture_dropped(w->capture));
	return code;
}

static bool
open_capture(struct watch *w, const struct options *options)
{
	char *known = ports_filter(w->decoding.ports);

	w->capture = capture_open_interface(options->interface,
	    options->operands.count > 0 ? options->operands.at[0] : known, stderr);
	free(known);
	return w->capture != NULL;
}

int
watch_command(const struct options *options)
{
	struct watch w = {.capture = NULL};
	int code;

	if (options->interface == NULL) {
		fputs("smtpscope: watch: -i IFACE is missing: which interface? \"any\" is all of them\n", stderr);
		return EXIT_USAGE;
	}
	code = decoding_open(&w.decoding, options, "watch");
	w.base = event_base_new();
	if (code == EXIT_DONE && (w.base == NULL || !open_capture(&w, options) ||
	    !privileges_drop(options->user, stderr)))
		code = EXIT_FAILED;
	/* Files are made by who is to own them: behind the dropping. */
	if (code == EXIT_DONE)
		code = decoding_report(&w.decoding, w.base);
	if (code == EXIT_DONE)
		code = start_loop(&w) ? watch_packets(&w) : EXIT_FAILED;
	decoding_close(&w.decoding);
	if (w.capture != NULL)
		capture_close(w.capture);
	if (w.base != NULL)
		event_base_free(w.base);
	return code;
}
