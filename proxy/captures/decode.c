/* SPDX-License-Identifier: MIT */
/*
 * `smtpscope decode`: captures in, the events of their SMTP sessions out. Several files are
 * one capture, in the order in which they are given.
 */
#include <inttypes.h>
#include <unistd.h>

#include "proxy/captures/capture.h"
#include "proxy/captures/run.h"

#define PROGRESS_FRAMES 65536u          /* between two looks at how far it is */
#define FLUSH_FRAMES    4096u

/* On a terminal, a long run shows that it is alive. */
static bool
show_progress(const struct decoding *d, const struct capture *capture)
{
	uint64_t at, size;

	if (d->options->quiet > 0 || !isatty(STDERR_FILENO) ||
	    (isatty(STDOUT_FILENO) && d->options->output == NULL) || !capture_progress(capture, &at, &size))
		return false;
	fprintf(stderr, "\r%s: %" PRIu64 " %%, %" PRIu64 " sessions ", capture_name(capture), at * 100 / size,
	    d->run.sessions);
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

static int
decode_capture(struct decoding *d, const char *path)
{
	struct capture *capture = capture_open_file(path, stderr);
	struct capture_frame frame;
	enum capture_read read;
	uint64_t count = 0;
	bool shown = false;

	if (capture == NULL)
		return EXIT_FAILED;
	while ((read = capture_next(capture, &frame, stderr)) == CAPTURE_FRAME) {
		if (count == 0)
			begin_file(d, capture, &frame);
		frames_take(d->frames, capture_linktype(capture), &frame);
		if (++count % FLUSH_FRAMES == 0)
			reporting_flush(&d->reporting);
		if (count % PROGRESS_FRAMES == 0)
			shown = show_progress(d, capture) || shown;
	}
	if (shown)
		fputs("\r\x1b[K", stderr);
	capture_close(capture);
	if (read != CAPTURE_DAMAGED && count == 0 && d->options->quiet == 0)
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
	struct decoding d;
	int code = decoding_open(&d, options, "pcap");

	d.run.turns.kept = true;
	if (code == EXIT_DONE)
		code = decoding_report(&d, NULL);
	if (code == EXIT_DONE) {
		for (size_t i = 0; i < options->operands.count; i++)
			if (decode_capture(&d, options->operands.at[i]) != EXIT_DONE)
				code = EXIT_FAILED;
		code = decoding_end(&d, code);
	}
	decoding_close(&d);
	return code;
}
