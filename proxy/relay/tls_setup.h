/* SPDX-License-Identifier: MIT */
/* What the command line says about TLS, for the sessions of a run. */
#ifndef RELAY_TLS_SETUP_H
#define RELAY_TLS_SETUP_H

#include <stdio.h>

#include "proxy/options.h"
#include "proxy/relay/worker.h"
#include "proxy/url.h"

/*
 * Which leg has TLS, by the options; URLs of a leg that is to begin with TLS become smtps://.
 * False: they contradict each other, which was told.
 */
bool tls_setup(struct worker_tls *tls, const struct options *options, struct url *listen, size_t listen_count,
    struct url *upstream, size_t upstream_count, FILE *err);

/*
 * Certificates, keys, contexts, where any session needs them (tls_close frees them). EXIT_DONE: they are
 * there, or nobody needs them; else the exit code, told.
 */
int tls_open(struct worker_tls *tls, const struct options *options, FILE *err);
void tls_close(struct worker_tls *tls);

#endif
