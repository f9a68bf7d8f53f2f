/* SPDX-License-Identifier: MIT */
/* Times as outputs show them. */
#ifndef OUTPUTS_RFC3339_H
#define OUTPUTS_RFC3339_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"
#include "proxy/outputs/digits.h"

#define RFC3339_LEN (sizeof("YYYY-MM-DDThh:mm:ss.uuuuuuZ") - 1)

/* The text of one second, so that it is made once for all that happens in it. All zero: none is kept. */
struct rfc3339_kept {
	uint64_t next;          /* the second behind it; 0: none is kept */
	char     text[sizeof("YYYY-MM-DDThh:mm:ss.") - 1];
};

void rfc3339_keep(struct rfc3339_kept *kept, uint64_t second);

/* Microseconds since 1970 as date and time in UTC: "2026-11-22T09:00:00.000213Z". */
void rfc3339_put(struct buffer *out, uint64_t time_us);

/* The same, RFC3339_LEN octets at `at`. */
static inline void
rfc3339_write(char *at, uint64_t time_us, struct rfc3339_kept *kept)
{
	uint64_t second = time_us / 1000000;
	uint32_t us = (uint32_t)(time_us - second * 1000000);

	if (kept->next != second + 1)
		rfc3339_keep(kept, second);
	memcpy(at, kept->text, sizeof(kept->text));
	at += sizeof(kept->text);
	digits_put_pair(at, us / 10000);
	digits_put_pair(at + 2, us / 100 % 100);
	digits_put_pair(at + 4, us % 100);
	at[6] = 'Z';
}

#endif
