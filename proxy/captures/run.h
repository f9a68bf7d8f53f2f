/* SPDX-License-Identifier: MIT */
/* What decode and watch have in common: rules that only report, keys, outputs, and the frames' way through. */
#ifndef CAPTURES_RUN_H
#define CAPTURES_RUN_H

#include "proxy/captures/frames.h"
#include "proxy/options.h"
#include "proxy/outputs/reporting.h"
#include "proxy/sessions/rulebook.h"

struct event_base;

struct decoding {
	const struct options *options;
	struct reporting      reporting;
	struct rulebook      *rulebook;
	struct arena          arena;
	struct spares         spares;
	struct tls_keylog    *keylog;
	uint16_t             *ports;
	struct frames        *frames;
	struct capture_run    run;
	bool                  reports;
};

/*
 * Makes ready: source is "pcap" or "watch". Returns EXIT_DONE, or an exit code after a word on
 * stderr. Borrows options; decoding_close frees either way.
 */
int decoding_open(struct decoding *d, const struct options *options, const char *source);
/* Opens the outputs; base NULL: call reporting_flush now and then. */
int decoding_report(struct decoding *d, struct event_base *base);
/* All conversations end; summary, expectations. code: what the run came to so far; returns the exit code. */
int decoding_end(struct decoding *d, int code);
void decoding_close(struct decoding *d);

#endif
