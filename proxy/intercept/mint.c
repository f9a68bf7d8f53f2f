/* SPDX-License-Identifier: MIT */
/*
 * The mint and its cache: sets of a few places, by the hash of what a certificate is for. Minting
 * is one signature (tens of microseconds), so the lock is held across it: two workers that
 * want the same certificate at once get one.
 */
#include "proxy/intercept/mint.h"

#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/intercept/certificate.h"

#define DAY   (24 * 3600)
#define VALID (90 * DAY)
#define SKEW  DAY               /* a client's clock may be behind ours */
#define RENEW (VALID - 7 * DAY) /* an older one is minted anew */
#define WAYS  4
#define SETS  (MINT_CACHE / WAYS)

struct kept {
	unsigned char what[SHA256_DIGEST_LENGTH];
	X509    *cert;          /* NULL: the place is free */
	uint64_t used;          /* the mint's count at its last use */
	time_t   made;
};

struct mint {
	X509           *ca;
	EVP_PKEY       *ca_key, *key;
	STACK_OF(X509) *chain;
	enum intercept_bad_cert bad;
	pthread_mutex_t lock;           /* of all below */
	uint64_t        count, made;
	struct kept     kept[SETS][WAYS];
};

/* A CA that nobody has heard of takes the place of the one given. */
static bool
make_unknown_ca(struct mint *mint)
{
	X509_NAME *name;
	STACK_OF(GENERAL_NAME) *names;

	mint->ca_key = certificate_new_key();
	if (mint->ca_key == NULL || !certificate_names_of(VIEW("a CA that nobody knows"), &name, &names))
		return false;
	mint->ca = certificate_make(&(struct certificate_order){
	    .subject = name, .key = mint->ca_key, .from_s = -SKEW, .until_s = VALID, .ca = true});
	X509_NAME_free(name);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return mint->ca != NULL;
}

/* What is sent behind a minted certificate: the CA, and what stands behind it in its file. */
static bool
make_chain(struct mint *mint, const STACK_OF(X509) *behind)
{
	mint->chain = sk_X509_new_null();
	if (mint->chain == NULL || X509_add_cert(mint->chain, mint->ca, X509_ADD_FLAG_UP_REF) != 1)
		return false;
	return behind == NULL ||
	    X509_add_certs(mint->chain, (STACK_OF(X509) *)(uintptr_t)behind, X509_ADD_FLAG_UP_REF) == 1;
}

struct mint *
mint_new(X509 *ca, EVP_PKEY *ca_key, const STACK_OF(X509) *chain, enum intercept_bad_cert bad)
{
	struct mint *mint = calloc(1, sizeof *mint);
	bool well;

	if (mint == NULL)
		return NULL;
	pthread_mutex_init(&mint->lock, NULL);
	mint->bad = bad;
	mint->key = certificate_new_key();
	if (bad == INTERCEPT_BAD_UNKNOWN_CA) {
		well = make_unknown_ca(mint);
	} else {
		X509_up_ref(ca);
		EVP_PKEY_up_ref(ca_key);
		mint->ca = ca;
		mint->ca_key = ca_key;
		/* Behind one that signed itself there is nothing to show. */
		well = bad == INTERCEPT_BAD_SELF_SIGNED || make_chain(mint, chain);
	}
	if (well && mint->key != NULL)
		return mint;
	mint_free(mint);
	return NULL;
}

void
mint_free(struct mint *mint)
{
	if (mint == NULL)
		return;
	for (size_t i = 0; i < SETS; i++)
		for (size_t j = 0; j < WAYS; j++)
			X509_free(mint->kept[i][j].cert);
	sk_X509_pop_free(mint->chain, X509_free);
	X509_free(mint->ca);
	EVP_PKEY_free(mint->ca_key);
	EVP_PKEY_free(mint->key);
	pthread_mutex_destroy(&mint->lock);
	free(mint);
}

/* Nothing outlives the CA that signed it. */
static int64_t
valid_until(const struct mint *mint)
{
	int days, seconds;

	if (mint->bad == INTERCEPT_BAD_EXPIRED)
		return -DAY;
	if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(mint->ca)) != 1 || days >= VALID / DAY)
		return VALID;
	return (int64_t)days * DAY + seconds;
}

static X509 *
make(const struct mint *mint, X509 *like, struct view host)
{
	bool itself = mint->bad == INTERCEPT_BAD_SELF_SIGNED;
	struct certificate_order order = {.key = mint->key, .issuer = itself ? NULL : mint->ca,
	    .issuer_key = itself ? NULL : mint->ca_key,
	    .from_s = mint->bad == INTERCEPT_BAD_EXPIRED ? -VALID : -SKEW, .until_s = valid_until(mint)};
	STACK_OF(GENERAL_NAME) *names = NULL;
	X509_NAME *subject = NULL;
	X509 *cert = NULL;

	if (mint->bad == INTERCEPT_BAD_WRONG_NAME) {
		like = NULL;
		host = VIEW(MINT_WRONG_NAME);
	}
	if (like != NULL)
		names = X509_get_ext_d2i(like, NID_subject_alt_name, NULL, NULL);
	else if (!certificate_names_of(host, &subject, &names))
		return NULL;
	order.subject = like != NULL ? X509_get_subject_name(like) : subject;
	order.names = names;
	cert = certificate_make(&order);
	X509_NAME_free(subject);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return cert;
}

static bool
hash(X509 *like, struct view host, unsigned char what[static SHA256_DIGEST_LENGTH])
{
	unsigned len;

	if (like != NULL)
		return X509_digest(like, EVP_sha256(), what, &len) == 1;
	return SHA256((const unsigned char *)host.at, host.len, what) != NULL;
}

/* The place of what is asked for; if it has none, the one that gives way to it. */
static struct kept *
find_place(struct mint *mint, const unsigned char *what)
{
	struct kept *set = mint->kept[(what[0] << 8 | what[1]) % SETS], *place = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].cert != NULL && memcmp(set[i].what, what, SHA256_DIGEST_LENGTH) == 0)
			return &set[i];
		if (set[i].used < place->used)
			place = &set[i];
	}
	return place;
}

X509 *
mint_certificate(struct mint *mint, X509 *like, struct view host)
{
	unsigned char what[SHA256_DIGEST_LENGTH];
	struct kept *place;
	time_t now = time(NULL);
	X509 *cert;

	if (!hash(like, host, what))
		return NULL;
	pthread_mutex_lock(&mint->lock);
	place = find_place(mint, what);
	if (place->cert == NULL || memcmp(place->what, what, sizeof what) != 0 || now - place->made > RENEW) {
		cert = make(mint, like, host);
		if (cert != NULL) {
			X509_free(place->cert);
			*place = (struct kept){.cert = cert, .made = now};
			memcpy(place->what, what, sizeof what);
			mint->made++;
		}
	} else {
		cert = place->cert;
	}
	if (cert != NULL) {
		place->used = ++mint->count;
		X509_up_ref(cert);
	}
	pthread_mutex_unlock(&mint->lock);
	return cert;
}

EVP_PKEY *
mint_key(const struct mint *mint)
{
	return mint->key;
}

STACK_OF(X509) *
mint_chain(const struct mint *mint)
{
	return mint->chain;
}

size_t
mint_cached(struct mint *mint)
{
	size_t count = 0;

	pthread_mutex_lock(&mint->lock);
	for (size_t i = 0; i < SETS; i++)
		for (size_t j = 0; j < WAYS; j++)
			count += mint->kept[i][j].cert != NULL;
	pthread_mutex_unlock(&mint->lock);
	return count;
}

uint64_t
mint_made(struct mint *mint)
{
	uint64_t made;

	pthread_mutex_lock(&mint->lock);
	made = mint->made;
	pthread_mutex_unlock(&mint->lock);
	return made;
}
