/* SPDX-License-Identifier: MIT */
/*
 * `smtpscope decode`: captures in, the events of their SMTP sessions out. Several files are
 * one capture, in the order in which they are given.
 */
#include <inttypes.h>
#include <unistd.h>

#include "proxy/captures/capture.h"
#include "proxy/captures/interrupt.h"
#include "proxy/captures/pipeline.h"
#include "proxy/captures/run.h"

#define PROGRESS_FRAMES 65536u          /* between two looks at how far it is */
#define LOOK_FRAMES     4096u           /* between two looks at outputs and signals; PROGRESS_FRAMES is a multiple */

struct decode {
	struct decoding decoding;
	int             signals;        /* interrupt.h */
	bool            interrupted, shown;
	struct capture *capture;        /* that is read, of which so many frames were */
	uint64_t        count;
};

/* On a terminal, a long run shows that it is alive. */
static bool
show_progress(const struct decoding *d, const struct capture *capture)
{
	uint64_t at, size;

	if (d->options->quiet > 0 || !isatty(STDERR_FILENO) ||
	    (isatty(STDOUT_FILENO) && d->options->output == NULL) || !capture_progress(capture, &at, &size))
		return false;
	fprintf(stderr, "\r%s: %" PRIu64 " %%, %" PRIu64 " sessions ", capture_name(capture), at * 100 / size,
	    atomic_load_explicit(&d->run.sessions, memory_order_relaxed));
	return true;
}

/* Parts of one capture that are given in the wrong order would be told in pieces, and nobody would know why. */
static void
begin_file(struct decoding *d, const struct capture *capture, const struct capture_frame *first)
{
	uint64_t ended = frames_next_file(d->frames, first);

	d->run.capture = capture_name(capture);
	if (ended > 0 && d->options->quiet == 0)
		fprintf(stderr, "smtpscope: %s begins before the end of the file in front of it: %" PRIu64
		    " session%s, open there, cannot go on; mergecap(1) puts packets in order\n",
		    capture_name(capture), ended, ended == 1 ? "" : "s");
}

/* What is known so far leaves for the outputs; by the thread that decodes. */
static void
show(void *to)
{
	struct decode *d = to;

	reporting_flush(&d->decoding.reporting);
}

/* Who is waited for may be a reader that has stopped: Ctrl-C is to be seen all the same. */
static void
look_for_signals(void *to)
{
	struct decode *d = to;

	d->interrupted = interrupt_came(d->signals) || d->interrupted;
}

/* What is known so far is shown while a pipe has nothing. */
static bool
wait_for_more(void *to, int fd)
{
	struct decode *d = to;

	pipeline_flush(d->decoding.run.pipeline);
	if (d->decoding.run.pipeline == NULL)
		show(d);
	return !d->interrupted && interrupt_wait(d->signals, fd);
}

/* Now and then: outputs, progress, and whether somebody has had enough. */
static void
look_up(struct decode *d)
{
	if (d->decoding.run.pipeline == NULL)
		show(d);
	d->interrupted = d->interrupted || interrupt_came(d->signals);
	if (d->count % PROGRESS_FRAMES == 0)
		d->shown = show_progress(&d->decoding, d->capture) || d->shown;
}

static bool
take_frame(void *to, const struct capture_frame *frame)
{
	struct decode *d = to;

	if (d->count++ == 0)
		begin_file(&d->decoding, d->capture, frame);
	frames_take(d->decoding.frames, frame);
	return !d->interrupted;
}

/* Reads to the end, or to a signal. */
static enum capture_read
decode_frames(struct decode *d)
{
	struct capture_reader reader = {take_frame, d};
	enum capture_read read = CAPTURE_END;

	d->count = 0;
	while (!d->interrupted && (read = capture_read(d->capture, LOOK_FRAMES, &reader, stderr)) == CAPTURE_FRAMES)
		look_up(d);
	d->interrupted = d->interrupted || interrupt_came(d->signals);
	return d->interrupted ? CAPTURE_END : read;
}

static int
decode_capture(struct decode *d, const char *path)
{
	struct capture_patience patience = {wait_for_more, d};
	enum capture_read read;
	uint64_t count;
	bool quiet = d->decoding.options->quiet > 0;

	interrupt_hold(false);
	d->capture = capture_open_file(path, &patience, stderr);
	interrupt_hold(true);
	if (d->capture == NULL)
		return EXIT_FAILED;
	read = decode_frames(d);
	count = d->count;
	if (d->shown)
		fputs("\r\x1b[K", stderr);
	d->shown = false;
	capture_close(d->capture);
	if (d->interrupted && !quiet)
		fprintf(stderr, "smtpscope: %s: stopped behind %" PRIu64 " packet%s\n", path, count, count == 1 ? "" : "s");
	else if (read != CAPTURE_DAMAGED && count == 0 && !quiet)
		fprintf(stderr, "smtpscope: %s has no packets\n", path);
	if (read != CAPTURE_DAMAGED)
		return EXIT_DONE;
	fprintf(stderr, "smtpscope: %s was decoded as far as it goes: %" PRIu64 " packet%s\n", path, count,
	    count == 1 ? "" : "s");
	return EXIT_FAILED;
}

int
decode_command(const struct options *options)
{
	struct decode d = {.signals = interrupt_open()};        /* in front of all threads */
	int code = decoding_open(&d.decoding, options, "pcap");

	d.decoding.run.turns.kept = true;
	if (code == EXIT_DONE)
		code = decoding_report(&d.decoding, NULL);
	if (code == EXIT_DONE) {
		d.decoding.run.pipeline = pipeline_open(&(struct pipeline_calls){show, look_for_signals, &d});
		for (size_t i = 0; i < options->operands.count && !d.interrupted; i++)
			if (decode_capture(&d, options->operands.at[i]) != EXIT_DONE)
				code = EXIT_FAILED;
		code = decoding_end(&d.decoding, code);
	}
	decoding_close(&d.decoding);
	interrupt_close(d.signals);
	return code;
}
