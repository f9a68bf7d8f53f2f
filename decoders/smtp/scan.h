/* SPDX-License-Identifier: MIT */
/*
 * Message content, looked at once: line ends whole and bare, NUL, octets of 8 bits, and the
 * dots at the start of a line among which its end is (RFC 5321 4.1.1.4). Apart from line.c
 * because content comes by the megabyte: 64 octets are one step here, by vectors where the
 * machine has them.
 */
#ifndef DECODERS_SMTP_SCAN_H
#define DECODERS_SMTP_SCAN_H

#include <stdint.h>

#include "decoders/view.h"

/* All zero but for what stood before the first octet; goes on from one stretch to the next. */
struct smtp_scan {
	uint64_t lines;         /* LFs so far */
	unsigned marks;         /* enum smtp_mark of all so far; a CR at the very end is not judged yet */
	bool     after_cr;      /* the octet before was a CR */
	bool     line_start;    /* the two octets before were CRLF */
};

/*
 * Scans up to the next dot at a line's start (that dot is not scanned), or through all with
 * past_dots. Returns how many octets were scanned.
 */
size_t smtp_scan(struct smtp_scan *scan, const char *octets, size_t len, bool past_dots);

#endif
