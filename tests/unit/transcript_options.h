/* SPDX-License-Identifier: MIT */
/* The "option:" lines of a transcript, and the rule file that one of them names. */
#ifndef UNIT_TRANSCRIPT_OPTIONS_H
#define UNIT_TRANSCRIPT_OPTIONS_H

#include "proxy/outputs/buffer.h"
#include "tests/unit/transcript.h"

#define TRANSCRIPT_OPTIONS "lmtp, show-secrets, hasten, rules FILE, exit N, max-line SIZE, max-content SIZE, seed N, " \
    "server refused or server none"

/* Sets one; server is that of the session being read. False: there is no such option, or its value is wrong. */
bool transcript_option(struct transcript *transcript, enum transcript_server *server, struct view name,
    struct view value);

/*
 * Behind the last line: appends the rule file that was named, and hastens the rules. False: it
 * cannot be read; err was told.
 */
bool transcript_option_rules(const struct transcript *transcript, struct buffer *rules, FILE *err);

#endif
