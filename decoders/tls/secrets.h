/* SPDX-License-Identifier: MIT */
/*
 * From the secrets of a key log to the keys of records: the PRF of TLS up to 1.2 (RFC 5246 5
 * and 6.3), the key schedule of 1.3 (RFC 8446 7).
 */
#ifndef DECODERS_TLS_SECRETS_H
#define DECODERS_TLS_SECRETS_H

#include "decoders/tls/suites.h"
#include "decoders/tls/tls.h"

/* What one side seals its records with. Wipe it with OPENSSL_cleanse. */
struct tls_keys {
	unsigned char key[32], iv[16], mac[48];
};

/* Up to 1.2; randoms of 32 octets each. False: OpenSSL does not do it. */
bool tls_keys_from_master(const struct tls_suite *suite, uint16_t version, struct view master,
    struct view client_random, struct view server_random, enum tls_side side, struct tls_keys *keys);

/* 1.3: of a traffic secret, which is as long as the suite's hash. */
bool tls_keys_from_traffic(const struct tls_suite *suite, struct view secret, struct tls_keys *keys);
/* 1.3: the secret behind a KeyUpdate, in place of the one before it. */
bool tls_traffic_update(const struct tls_suite *suite, unsigned char *secret, size_t len);

#endif
