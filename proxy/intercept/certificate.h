/* SPDX-License-Identifier: MIT */
/*
 * Making one X.509 certificate (RFC 5280): a CA's, a server's for given names. What is signed
 * for whom is decided by mint.c and ca.c.
 */
#ifndef INTERCEPT_CERTIFICATE_H
#define INTERCEPT_CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "decoders/view.h"

struct certificate_order {
	const X509_NAME *subject;               /* borrowed */
	const STACK_OF(GENERAL_NAME) *names;    /* subject alternative names; NULL: none */
	EVP_PKEY *key;                          /* whose certificate it is */
	X509     *issuer;                       /* NULL: signed by itself */
	EVP_PKEY *issuer_key;                   /* NULL: key */
	int64_t   from_s, until_s;              /* valid, relative to now, in seconds */
	bool      ca;
};

/* NULL: out of memory, or the key cannot sign. */
X509 *certificate_make(const struct certificate_order *order);

/* Names of a server that is called so: subject and alternative names; an address becomes an iPAddress. */
bool certificate_names_of(struct view host, X509_NAME **subject, STACK_OF(GENERAL_NAME) **names);

EVP_PKEY *certificate_new_key(void);            /* EC, P-256; NULL: it could not be made */

#endif
