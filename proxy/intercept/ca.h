/* SPDX-License-Identifier: MIT */
/* The CA that signs what is minted: read from its files, made for one run, or made to be kept. */
#ifndef INTERCEPT_CA_H
#define INTERCEPT_CA_H

#include "proxy/intercept/pem.h"

#define CA_ERROR_MAX PEM_ERROR_MAX

/* Both: false: error is a sentence. pem_pair_free, whatever was returned. */
bool ca_read(struct pem_pair *ca, const char *cert_file, const char *key_file, char error[static CA_ERROR_MAX]);
bool ca_make(struct pem_pair *ca, char error[static CA_ERROR_MAX]);

/*
 * Makes a CA and writes it: the key at mode 0600, nothing over a file that is there. *exists
 * tells whether that is why it failed.
 */
bool ca_write(const char *cert_file, const char *key_file, bool *exists, char error[static CA_ERROR_MAX]);

/* One line, how a client is made to trust it; to be freed. */
char *ca_trust_advice(const char *cert_file);

#endif
