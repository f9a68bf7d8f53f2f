/* SPDX-License-Identifier: MIT */
/* A capture that comes through a pipe: there may be nothing now, and something else to do meanwhile. */
#ifndef CAPTURES_PIPE_H
#define CAPTURES_PIPE_H

#include "proxy/captures/capture.h"

/* path NULL: standard input, which fclose leaves open. NULL: errno says why. Copies patience. */
FILE *pipe_open(const char *path, const struct capture_patience *patience);

#endif
