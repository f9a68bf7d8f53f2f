/* SPDX-License-Identifier: MIT */
/* `smtpscope proxy --make-ca`. */
#ifndef RELAY_MAKE_CA_H
#define RELAY_MAKE_CA_H

#include "proxy/options.h"

/*
 * Makes the CA and says how a client is made to trust it. Where it is asked to relay, too (-l, -u, --starttls),
 * a CA that is there already will do. False: *code is the exit code. True: go on.
 */
bool make_ca(const struct options *options, int *code);

#endif
