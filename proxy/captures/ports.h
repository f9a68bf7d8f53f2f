/* SPDX-License-Identifier: MIT */
/* Where SMTP is expected beside the ports that everybody knows: --port. */
#ifndef CAPTURES_PORTS_H
#define CAPTURES_PORTS_H

#include <stdint.h>
#include <stdio.h>

#include "proxy/options.h"

/* The ports of --port, owned by the caller, 0 behind the last. NULL: one is none, which was said on err. */
uint16_t *ports_read(const struct options_list *list, FILE *err);

/* A filter for packets of SMTP: the ports that everybody knows, and these. Owned by the caller. */
char *ports_filter(const uint16_t *ports);

#endif
