/* SPDX-License-Identifier: MIT */
/* An event as one line of JSON, as the contract of smtpscope(1) has it. */
#ifndef OUTPUTS_JSON_H
#define OUTPUTS_JSON_H

#include "proxy/outputs/buffer.h"
#include "proxy/sessions/event.h"

/* Appends one object and LF. EVENT_CONTENT appends nothing. */
void json_event(struct buffer *out, const struct event *event);

#endif
