/* SPDX-License-Identifier: MIT */
/* Certificates and keys out of PEM files (RFC 7468), with complaints that say what is there instead. */
#ifndef INTERCEPT_PEM_H
#define INTERCEPT_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#define PEM_ERROR_MAX 768

/* A certificate, what stands behind it in its file, and its key. */
struct pem_pair {
	X509           *cert;
	STACK_OF(X509) *chain;          /* the others of the file, in order; may be empty */
	EVP_PKEY       *key;
};

/*
 * Reads both; key_file NULL: the key is in cert_file too. The option names are what complaints
 * call them ("--ca-cert"). False: error is a sentence. pem_pair_free, whatever was returned.
 */
bool pem_pair_read(struct pem_pair *pair, const char *cert_option, const char *cert_file,
    const char *key_option, const char *key_file, char error[static PEM_ERROR_MAX]);
void pem_pair_free(struct pem_pair *pair);

#endif
