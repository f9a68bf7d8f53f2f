/* SPDX-License-Identifier: MIT */
/*
 * A capture file that is written: packets of IP, with nothing around them. Whole packets alone
 * are in it, whatever happens. One that cannot be written any more is said once, and what is
 * missing from it is counted.
 */
#ifndef OUTPUTS_PCAP_FILE_H
#define OUTPUTS_PCAP_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "decoders/view.h"

struct pcap_file;

/*
 * path "-": standard output. A file is made 0600, and begun anew if it is there. NULL: the
 * reason was written to err. Borrows path and err.
 */
struct pcap_file *pcap_file_open(const char *path, FILE *err);
/* From any thread, as pcap_file_flush. */
void pcap_file_write(struct pcap_file *file, struct view packet, uint64_t time_us);
/* Writes what waits. */
void pcap_file_flush(struct pcap_file *file);
/* Flushes and frees; says on err how many packets are missing, and returns that. NULL is fine. */
uint64_t pcap_file_close(struct pcap_file *file);

#endif
