/* SPDX-License-Identifier: MIT */
/*
 * What stands in the messages of a handshake that go by in the clear, or were decrypted:
 * hellos and certificates (RFC 5246 7.4, RFC 8446 4.1 and 4.4.2).
 */
#ifndef DECODERS_TLS_HELLO_H
#define DECODERS_TLS_HELLO_H

#include <stdint.h>

#include "decoders/view.h"

#define TLS_1_0 0x0301u
#define TLS_1_2 0x0303u
#define TLS_1_3 0x0304u

/* Views borrow from the message. */
struct tls_hello {
	struct view random;             /* 32 octets */
	struct view session_id;
	struct view sni;                /* .at NULL: none */
	struct view alpn;               /* the one chosen, or the first offered */
	uint16_t    version;            /* ServerHello: the one agreed on; ClientHello: the highest offered */
	uint16_t    cipher;             /* ServerHello */
	bool        retry;              /* ServerHello: it is a HelloRetryRequest */
	bool        extended_master_secret, encrypt_then_mac, early_data;
};

/*
 * The message without its header. False where it is too short to be one; extensions that are
 * cut or wrong end the reading of extensions, what stood before them counts.
 */
bool tls_client_hello_parse(struct view message, struct tls_hello *hello);
bool tls_server_hello_parse(struct view message, struct tls_hello *hello);
/* EncryptedExtensions of 1.3: the protocol that was chosen by ALPN; .at NULL: none. */
struct view tls_encrypted_extensions_alpn(struct view message);

/* A version as OpenSSL names it; .at NULL: none that is known. */
struct view tls_version_name(uint16_t version);

/* The first certificate in a Certificate message, DER; .at NULL: none. */
struct view tls_first_certificate(struct view message, bool tls_1_3);
/*
 * Subject and issuer of a certificate as RFC 4514 texts, UTF-8. The caller frees both texts;
 * false, and none, where it is no certificate.
 */
bool tls_certificate_names(struct view der, char **subject, char **issuer);

#endif
