/* SPDX-License-Identifier: MIT */
/* Captures made in memory of what transcripts' sides write: pcap and pcapng, as their formats have it. */
#ifndef UNIT_CAPTURE_MADE_H
#define UNIT_CAPTURE_MADE_H

#include "proxy/outputs/buffer.h"
#include "tests/unit/transcript.h"

enum capture_format { CAPTURE_PCAP, CAPTURE_PCAPNG };

/* Every write of its sessions in segments, with the ends of the connections; the caller frees *out. */
void capture_of_transcript(const struct transcript *transcript, enum capture_format format, struct buffer *out);

/*
 * Where the records of a capture begin, and where it ends, in order: an array that the caller frees.
 * Little-endian pcap and pcapng. 0 records: it is neither.
 */
size_t capture_records(struct view capture, size_t **at);

#endif
