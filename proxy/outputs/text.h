/* SPDX-License-Identifier: MIT */
/*
 * Events as a transcript for people. A line is: the session's number, seconds since it was opened,
 * a picture of where the octets went, and what they were. In the pictures the client stands
 * on the left, the server on the right and the proxy, where it did something, between them:
 *
 *       ->   a command, forwarded                     <-     a reply, delivered
 *       -|   a command, kept from the server          |-     a reply, kept from the client
 *       |>   a command of a rule, or changed by one   <|     a reply of a rule or the proxy
 *       =>   message content                          ||     what a rule did
 *       **   what happened to the session             ==     a message, on one line
 *       !!   a finding (note and info: !)
 *
 * Octets of peers are escaped, tabs among them: what stands behind a tab is said by smtpscope,
 * and no peer can say it. `[|smtp]` there is a line that was cut; (invalid) one that is wrong.
 */
#ifndef OUTPUTS_TEXT_H
#define OUTPUTS_TEXT_H

#include "proxy/outputs/buffer.h"
#include "proxy/sessions/event.h"

struct text;

struct text *text_new(bool colour);     /* never NULL: out of memory ends the program */
void text_free(struct text *text);

/* Appends whole lines, or nothing: EVENT_EHLO and EVENT_RULE_SUMMARY have none. */
void text_event(struct text *text, struct buffer *out, const struct event *event);

#endif
