/* SPDX-License-Identifier: MIT */
/*
 * SMTP sessions as a capture: each leg a TCP connection of its own between its real ends, with
 * what they sent, at the times at which they did; no loss, no order but the right one. What
 * was missing in the capture that they are from is missing here too. Of TLS that could be
 * read the inside alone is written, without the STARTTLS that led to it: whoever reads the
 * capture would look for TLS behind that. A server's port that nobody takes for SMTP's is
 * written as 25.
 */
#ifndef OUTPUTS_PCAP_H
#define OUTPUTS_PCAP_H

#include <stdio.h>

#include "proxy/sessions/wire.h"

/* Which connection of a session is written. One from a capture has one alone. */
enum pcap_leg { PCAP_CLIENT_LEG, PCAP_SERVER_LEG, PCAP_BOTH_LEGS };

struct pcap_options {
	const char *path;               /* "-": standard output */
	int         leg;                /* enum pcap_leg */
	bool        may_open_tls;       /* TLS may turn out to be readable: what leads to it is kept back until then */
};

/* NULL: the reason was written to err. Borrows the path and err. */
struct pcap_output *pcap_output_open(const struct pcap_options *options, FILE *err);
/* For the sessions of another thread, into the same file: to be closed before the first. */
struct pcap_output *pcap_output_beside(const struct pcap_output *first);
struct wire_sink pcap_output_sink(struct pcap_output *output);
void pcap_output_flush(struct pcap_output *output);
/* Frees; says on err how many packets could not be written, and returns that. NULL is fine. */
uint64_t pcap_output_close(struct pcap_output *output);

#endif
