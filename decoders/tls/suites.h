/* SPDX-License-Identifier: MIT */
/* The table of cipher suites, and of what seals their records. */
#ifndef DECODERS_TLS_SUITES_H
#define DECODERS_TLS_SUITES_H

#include <stddef.h>
#include <stdint.h>

enum tls_bulk_id {
	TLS_BULK_NONE,                  /* a suite whose records are not decrypted here */
	TLS_BULK_AES_128_GCM, TLS_BULK_AES_256_GCM, TLS_BULK_AES_128_CCM, TLS_BULK_AES_256_CCM,
	TLS_BULK_AES_128_CCM_8, TLS_BULK_AES_256_CCM_8, TLS_BULK_CHACHA20, TLS_BULK_ARIA_128_GCM,
	TLS_BULK_ARIA_256_GCM, TLS_BULK_AES_128_CBC, TLS_BULK_AES_256_CBC, TLS_BULK_CAMELLIA_128_CBC,
	TLS_BULK_CAMELLIA_256_CBC, TLS_BULK_DES3_CBC
};

struct tls_bulk {
	const char *name;               /* EVP's */
	enum { TLS_AEAD, TLS_AEAD_CCM, TLS_CBC } way;
	uint8_t     key;                /* octets of the key */
	uint8_t     iv;                 /* in the key block of 1.2; CBC: of a block */
	uint8_t     tag;                /* octets of an AEAD's tag */
};

enum tls_hash_id { TLS_HASH_NONE, TLS_HASH_SHA1, TLS_HASH_SHA256, TLS_HASH_SHA384 };

struct tls_hash {
	const char *name;               /* EVP's */
	uint8_t     octets;
};

struct tls_suite {
	uint16_t    number;
	uint8_t     bulk;               /* enum tls_bulk_id */
	uint8_t     hash;               /* enum tls_hash_id: of the MAC with CBC, else of the PRF */
	const char *name;               /* IANA's */
};

extern const struct tls_bulk tls_bulks[];
extern const struct tls_hash tls_hashes[];

/* NULL: no such suite. */
const struct tls_suite *tls_suite_find(uint16_t number);
/* The hash of the PRF of 1.2 (RFC 5246 5), or of the key schedule of 1.3. */
enum tls_hash_id tls_suite_prf(const struct tls_suite *suite);

#endif
