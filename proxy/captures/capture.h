/* SPDX-License-Identifier: MIT */
/* Frames out of capture files and from interfaces: libpcap, with words for what goes wrong. */
#ifndef CAPTURES_CAPTURE_H
#define CAPTURES_CAPTURE_H

#include <stdint.h>
#include <stdio.h>

#include "decoders/view.h"

struct capture;

struct capture_frame {
	struct view octets;     /* for the call */
	size_t      len;        /* as long as it was on the wire */
	uint64_t    time_us;    /* since 1970 */
	int         linktype;
};

struct capture_reader {
	bool (*take)(void *to, const struct capture_frame *frame);      /* false: no more, for now */
	void  *to;
};

enum capture_read {
	CAPTURE_FRAMES,
	CAPTURE_NOTHING,        /* live: nothing now */
	CAPTURE_END,
	CAPTURE_DAMAGED         /* it was said on err; nothing more can be read */
};

/* What is done where a pipe has nothing now: wait for its descriptor. False: no more is read, as if it had ended. */
struct capture_patience {
	bool (*wait)(void *to, int fd);
	void  *to;
};

/* path "-": standard input. NULL: the reason was written to err. Borrows path. */
struct capture *capture_open_file(const char *path, const struct capture_patience *patience, FILE *err);

/* Live, promiscuous; filter: a BPF expression. The descriptor can be waited for. */
struct capture *capture_open_interface(const char *interface, const char *filter, FILE *err);

/* Gives as many frames as there are to reader, and no more than max. */
enum capture_read capture_read(struct capture *capture, unsigned max, const struct capture_reader *reader, FILE *err);
const char *capture_name(const struct capture *capture);        /* as it was given */
int capture_descriptor(const struct capture *capture);          /* live */
/* Live: packets that the kernel dropped so far; file: 0. */
uint64_t capture_dropped(const struct capture *capture);
/* How far a file has been read and how long it is, in octets; false: that cannot be told. */
bool capture_progress(const struct capture *capture, uint64_t *at, uint64_t *size);
void capture_close(struct capture *capture);

#endif
