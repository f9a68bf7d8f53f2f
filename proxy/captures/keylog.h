/* SPDX-License-Identifier: MIT */
/* The key log file of --keylog. */
#ifndef CAPTURES_KEYLOG_H
#define CAPTURES_KEYLOG_H

#include <stdio.h>

#include "decoders/tls/tls.h"

/* path NULL: *log is NULL, and that is no failure. False: the reason was written to err. */
bool keylog_load(const char *path, struct tls_keylog **log, FILE *err);

#endif
