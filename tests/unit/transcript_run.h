/* SPDX-License-Identifier: MIT */
/*
 * Plays a transcript against proxy/sessions without a socket: a relay in small, whose two
 * ends are the transcript's sides and whose clock is moved on only when nothing else can
 * happen. A wait therefore costs no time, and its length can be checked.
 */
#ifndef UNIT_TRANSCRIPT_RUN_H
#define UNIT_TRANSCRIPT_RUN_H

#include "proxy/outputs/buffer.h"
#include "proxy/rules/rules.h"
#include "tests/unit/transcript.h"

struct transcript_outcome {
	struct buffer events;           /* JSON Lines, as smtpscope writes them */
	size_t       *events_by;        /* by step: how many events there were behind it */
	struct buffer received[2];      /* by enum smtp_side */
	enum transcript_ending ended[2];
};

/*
 * Plays it once. cut says by octet (of all that both sides write, in the transcript's order)
 * whether the relay's read ends in front of it; NULL: nowhere but between writes. False: some
 * octet did not arrive as it should, or nothing more happens although something should; err was
 * told. The caller frees the outcome either way.
 */
bool transcript_run(const struct transcript *transcript, const struct ruleset *rules,
    const unsigned char *cut, struct transcript_outcome *outcome, FILE *err);

/*
 * The same with rules that are not the transcript's own: each write follows when nothing more
 * comes of the one before, whatever that is. False: the session does not come to its end.
 */
bool transcript_run_freely(const struct transcript *transcript, const struct ruleset *rules,
    const unsigned char *cut, struct transcript_outcome *outcome, FILE *err);
/* Loads rules, as from a file that is called name.rules. NULL: err was told. The caller frees them. */
struct ruleset *transcript_rules(struct view name, struct view text, FILE *err);

void transcript_outcome_free(struct transcript_outcome *outcome);

#endif
