/* SPDX-License-Identifier: MIT */
/* Times as outputs show them. */
#ifndef OUTPUTS_RFC3339_H
#define OUTPUTS_RFC3339_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"

#define RFC3339_LEN (sizeof("YYYY-MM-DDThh:mm:ss.uuuuuuZ") - 1)

/* The text of one second, so that it is made once for all that happens in it. All zero: none is kept. */
struct rfc3339_kept {
	uint64_t next;          /* the second behind it; 0: none is kept */
	char     text[sizeof("YYYY-MM-DDThh:mm:ss.") - 1];
};

/* Microseconds since 1970 as date and time in UTC: "2026-11-22T09:00:00.000213Z". kept may be NULL. */
void rfc3339_put(struct buffer *out, uint64_t time_us, struct rfc3339_kept *kept);

#endif
