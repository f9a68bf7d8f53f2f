/* SPDX-License-Identifier: MIT */
/* What the program says about itself: usage, help, version. All of it comes from the tables of options.c. */
#ifndef PROXY_HELP_H
#define PROXY_HELP_H

#include "proxy/options.h"

void help_usage(FILE *out);                             /* a few lines */
void help_all(FILE *out);
void help_one(FILE *out, enum options_command command);
void help_version(FILE *out);
void help_findings(FILE *out);                          /* --list-findings */

#endif
