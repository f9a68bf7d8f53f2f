/* SPDX-License-Identifier: MIT */
/*
 * The outputs of a run on its loop: opened as the options say, given each event, flushed
 * soon after, closed with a word about what was lost.
 */
#ifndef OUTPUTS_REPORTING_H
#define OUTPUTS_REPORTING_H

#include "proxy/options.h"
#include "proxy/outputs/draft.h"
#include "proxy/outputs/fanout.h"
#include "proxy/outputs/messages.h"
#include "proxy/outputs/output.h"
#include "proxy/outputs/pcap.h"
#include "proxy/outputs/summary.h"
#include "proxy/loop.h"

struct reporting {
	const struct options *options;
	struct output        *output[2];        /* -o (or standard output), --json; NULL: none */
	struct writer        *writer;           /* these are the first one's, borrowed by those beside it */
	struct draft         *draft[2];         /* for each output */
	struct messages      *messages;         /* --save-messages; NULL: none */
	struct pcap_output   *pcap;             /* --pcap; NULL: none */
	struct summary       *summary;
	struct fanout         fanout;
	struct event_sink     all;              /* fanout's */
	struct loop_event     timer;
	uint64_t              flush_after_us;
	int                   timer_fd;         /* -1: there is no loop */
	bool                  armed;
	uint64_t              unkept;           /* messages and packets that those beside it lost */
};

/* Whether the outputs that the options name can be had together; what cannot was said on stderr. */
bool reporting_allows(const struct options *options);

/*
 * Borrows options and base (NULL: call reporting_flush now and then). False: an output cannot be
 * opened; it was said on stderr. Close it either way.
 */
bool reporting_open(struct reporting *reporting, const struct options *options, struct event_base *base);

/*
 * The outputs of another loop: events go to the same files, by way of the same writer; counts are
 * its own. first must outlive it. False: messages cannot be kept; it was said on stderr. Leave
 * it either way.
 */
bool reporting_beside(struct reporting *reporting, struct reporting *first, struct event_base *base);

/* Hands over what waits, adds its counts to first's, frees. The loop must have ended. */
void reporting_leave(struct reporting *reporting, struct reporting *first);

/* Where the sessions' events go. */
struct event_sink reporting_sink(struct reporting *reporting);

/* Where their octets go; put NULL: nowhere. */
struct wire_sink reporting_wire(struct reporting *reporting);

/* Gives what waits to the writer. */
void reporting_flush(struct reporting *reporting);

/* SIGUSR1: files are closed and opened again by their names. */
void reporting_reopen(struct reporting *reporting);

/*
 * Writes what waits, frees; of a run that came to its end (done) prints the summary where it
 * was asked for or is due. Returns an exit code: EXIT_FAILED where events, messages or packets
 * were lost, EXIT_UNMET for --fail-on.
 */
int reporting_close(struct reporting *reporting, bool done);

#endif
