/* SPDX-License-Identifier: MIT */
/*
 * Certificates for the client's leg, minted by the CA for the names that a server has, all with
 * one key. Minted ones are kept: at most MINT_CACHE of them, the longest unused gives way. May be
 * used by several threads at once.
 */
#ifndef INTERCEPT_MINT_H
#define INTERCEPT_MINT_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdint.h>

#include "decoders/view.h"
#include "proxy/intercept/settings.h"

#define MINT_CACHE 1024
#define MINT_WRONG_NAME "wrong.name.invalid"    /* whom --bad-cert wrong-name is for */

struct mint;

/* Takes references to what it needs of them. chain may be NULL. NULL: keys could not be made. */
struct mint *mint_new(X509 *ca, EVP_PKEY *ca_key, const STACK_OF(X509) *chain, enum intercept_bad_cert bad);
void mint_free(struct mint *mint);

/*
 * A certificate with the subject and the alternative names of like; NULL: for host (a name or an
 * address). The caller frees it. NULL: it could not be made.
 */
X509 *mint_certificate(struct mint *mint, X509 *like, struct view host);

EVP_PKEY *mint_key(const struct mint *mint);            /* of all of them; the mint's */
STACK_OF(X509) *mint_chain(const struct mint *mint);    /* what is sent behind it; the mint's */
size_t mint_cached(struct mint *mint);                  /* how many are kept */
uint64_t mint_made(struct mint *mint);                  /* how many were minted so far */

#endif
