/* SPDX-License-Identifier: MIT */
/*
 * The key log: secrets of TLS connections as NSS writes them (RFC 9850), a line each, for
 * Wireshark, tshark and `smtpscope decode`. Appended to, mode 0600; a line is one write, so that
 * threads, and other programs with the same file, never mix theirs.
 */
#ifndef INTERCEPT_SECRETS_LOG_H
#define INTERCEPT_SECRETS_LOG_H

#include <stdbool.h>

#define SECRETS_LOG_ERROR_MAX 512

struct secrets_log;

/* NULL: error says why the file cannot be appended to. */
struct secrets_log *secrets_log_open(const char *file, char error[static SECRETS_LOG_ERROR_MAX]);
void secrets_log_close(struct secrets_log *log);        /* NULL is fine */

/* The line is without its end. Several threads may. What cannot be written is told once on stderr. */
void secrets_log_put(struct secrets_log *log, const char *line);

#endif
