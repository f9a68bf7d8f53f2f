/* SPDX-License-Identifier: MIT */
/*
 * Messages of sessions as files of a Maildir: an event sink. What a file holds is the content
 * as a server would store it (dots unstuffed, chunks joined, line ends as they came), and on
 * top of it what the envelope said:
 *
 *       Return-Path: <ann@example.org>
 *       X-Envelope-To: <bob@example.net>                one for each recipient that was accepted
 *       X-Smtpscope-Recipients-Unlisted: 17             more than those, where there were too many to keep
 *       X-Smtpscope-Reply: 552                          refused; "none" where no final reply came
 *       X-Smtpscope-Incomplete: reset                   why its end is missing: "gap", "abandoned", or as `close` says it
 *
 * A message is written under tmp/ as it comes, and so takes no memory, but one descriptor. It
 * is moved into new/ at its message event. One that cannot be kept is said and counted.
 */
#ifndef OUTPUTS_MESSAGES_H
#define OUTPUTS_MESSAGES_H

#include <stdio.h>

#include "proxy/sessions/event.h"

struct messages;

/* Makes the directory if need be. NULL: the reason was written to err. Borrows path and err. */
struct messages *messages_open(const char *path, FILE *err);
struct event_sink messages_sink(struct messages *messages);
/* Frees; says on err how many messages were lost, and returns that. NULL is fine. */
uint64_t messages_close(struct messages *messages);

#endif
