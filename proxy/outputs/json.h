/* SPDX-License-Identifier: MIT */
/* An event as one line of JSON, as the contract of smtpscope(1) has it. */
#ifndef OUTPUTS_JSON_H
#define OUTPUTS_JSON_H

#include "proxy/outputs/rfc3339.h"
#include "proxy/sessions/event.h"

/* Appends one object and LF. EVENT_CONTENT appends nothing. kept: the time of the event before it; NULL is fine. */
void json_event(struct buffer *out, const struct event *event, struct rfc3339_kept *kept);

#endif
