/* SPDX-License-Identifier: MIT */
/*
 * Opens what one side has sealed, record by record: AEAD (RFC 5116, RFC 5288, RFC 6655,
 * RFC 7905; RFC 8446 5.2) and CBC with HMAC (RFC 5246 6.2.3.2, RFC 7366).
 */
#ifndef DECODERS_TLS_DECRYPT_H
#define DECODERS_TLS_DECRYPT_H

#include "decoders/tls/secrets.h"

struct tls_opener;

/* Copies the keys. NULL: no memory, or nothing that OpenSSL decrypts. */
struct tls_opener *tls_opener_new(const struct tls_suite *suite, uint16_t version, bool encrypt_then_mac,
    const struct tls_keys *keys);
void tls_opener_free(struct tls_opener *opener);

/*
 * Opens a record, given its header of 5 octets and its body: the next one, or, where some are
 * missing, one of the so many behind it. *content is in room, which has as many octets as the
 * body; *type is what it is (in 1.3 another than the header's). False: it was not sealed with
 * these keys, and another may be tried as if this had not been.
 */
bool tls_opener_open(struct tls_opener *opener, unsigned missing, const unsigned char *header, struct view body,
    char *room, uint8_t *type, struct view *content);

#endif
