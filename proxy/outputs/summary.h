/* SPDX-License-Identifier: MIT */
/*
 * What all sessions came to: an event sink that counts, and prints the counts when the program
 * ends (a summary) or a session does (--sessions).
 */
#ifndef OUTPUTS_SUMMARY_H
#define OUTPUTS_SUMMARY_H

#include <stdio.h>

#include "proxy/sessions/event.h"

struct summary;

struct summary *summary_new(void);      /* never NULL: out of memory ends the program */
void summary_free(struct summary *summary);
struct event_sink summary_sink(struct summary *summary);

/* From now on each session that was opened gets a line when it is closed. Borrows out. */
void summary_sessions_to(struct summary *summary, FILE *out);

/* Totals, the findings that were made, and the rules that EVENT_RULE_SUMMARY told of. */
void summary_print(const struct summary *summary, FILE *out);

/* Adds what another one counted. Lines about sessions that are open there do not come any more. */
void summary_add(struct summary *summary, const struct summary *other);

/* What became of messages. */
enum summary_fate { FATE_ACCEPTED, FATE_DEFERRED, FATE_REFUSED, FATE_UNANSWERED, FATES };

/* What was counted so far. */
struct summary_totals {
	uint64_t sessions, closed;
	uint64_t commands;
	uint64_t replies[10];           /* by their first digit, 0: without a code */
	uint64_t replies_by_rule;
	uint64_t messages[FATES];
	uint64_t octets[2];             /* by enum smtp_side */
	uint64_t findings[4];           /* by enum finding_severity */
};
void summary_total(const struct summary *summary, struct summary_totals *totals);
void summary_totals_add(struct summary_totals *totals, const struct summary_totals *others);

/* The highest severity of all findings so far, enum finding_severity; -1: there were none. */
int summary_worst_finding(const struct summary *summary);

#endif
