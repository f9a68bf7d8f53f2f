/* SPDX-License-Identifier: MIT */
/* Times as outputs show them. */
#ifndef OUTPUTS_RFC3339_H
#define OUTPUTS_RFC3339_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"

/* Microseconds since 1970 as date and time in UTC: "2026-11-22T09:00:00.000213Z". */
void rfc3339_put(struct buffer *out, uint64_t time_us);

#endif
