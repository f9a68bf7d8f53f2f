/* SPDX-License-Identifier: MIT */
/* Keys out of secrets, by the key derivation functions of OpenSSL. */
#include "decoders/tls/secrets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "decoders/tls/hello.h"

static OSSL_PARAM
octets_param(const char *name, struct view octets)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)octets.at, octets.len);
}

static OSSL_PARAM
text_param(const char *name, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(name, (char *)(uintptr_t)text, 0);
}

static bool
derive(const char *function, const OSSL_PARAM *params, unsigned char *out, size_t len)
{
	EVP_KDF     *kdf;
	EVP_KDF_CTX *ctx = NULL;
	bool         done;

	ERR_set_mark();
	kdf = EVP_KDF_fetch(NULL, function, NULL);
	if (kdf != NULL)
		ctx = EVP_KDF_CTX_new(kdf);
	done = ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1;
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	ERR_pop_to_mark();
	return done;
}

/* Takes the parts of the key block: both sides' MAC keys, both sides' keys, both sides' IVs. */
static void
share_out(const unsigned char *block, size_t len, enum tls_side side, unsigned char *part)
{
	memcpy(part, block + (side == TLS_SERVER ? len : 0), len);
}

bool
tls_keys_from_master(const struct tls_suite *suite, uint16_t version, struct view master,
    struct view client_random, struct view server_random, enum tls_side side, struct tls_keys *keys)
{
	const struct tls_bulk *bulk = &tls_bulks[suite->bulk];
	const char   *digest = version < TLS_1_2 ? "MD5-SHA1" : tls_hashes[tls_suite_prf(suite)].name;
	size_t        mac = bulk->way == TLS_CBC ? tls_hashes[suite->hash].octets : 0;
	size_t        len = 2 * (mac + bulk->key + bulk->iv);
	unsigned char block[2 * sizeof *keys];
	OSSL_PARAM    params[] = {
		text_param(OSSL_KDF_PARAM_DIGEST, digest),
		octets_param(OSSL_KDF_PARAM_SECRET, master),
		octets_param(OSSL_KDF_PARAM_SEED, VIEW("key expansion")),
		octets_param(OSSL_KDF_PARAM_SEED, server_random),
		octets_param(OSSL_KDF_PARAM_SEED, client_random),
		OSSL_PARAM_construct_end()
	};

	if (!derive("TLS1-PRF", params, block, len))
		return false;
	share_out(block, mac, side, keys->mac);
	share_out(block + 2 * mac, bulk->key, side, keys->key);
	share_out(block + 2 * (mac + bulk->key), bulk->iv, side, keys->iv);
	OPENSSL_cleanse(block, sizeof block);
	return true;
}

/* HKDF-Expand-Label with an empty context (RFC 8446 7.1). */
static bool
expand_label(const struct tls_suite *suite, struct view secret, struct view label, unsigned char *out, size_t len)
{
	static const struct view prefix = VIEW("tls13 ");
	int        mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	char       info[2 + 1 + 6 + 16 + 1];
	size_t     at = 0;
	OSSL_PARAM params[5];

	info[at++] = 0;
	info[at++] = (char)len;
	info[at++] = (char)(prefix.len + label.len);
	memcpy(info + at, prefix.at, prefix.len);
	at += prefix.len;
	memcpy(info + at, label.at, label.len);
	at += label.len;
	info[at++] = 0;
	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = text_param(OSSL_KDF_PARAM_DIGEST, tls_hashes[tls_suite_prf(suite)].name);
	params[2] = octets_param(OSSL_KDF_PARAM_KEY, secret);
	params[3] = octets_param(OSSL_KDF_PARAM_INFO, (struct view){info, at});
	params[4] = OSSL_PARAM_construct_end();
	return derive("HKDF", params, out, len);
}

bool
tls_keys_from_traffic(const struct tls_suite *suite, struct view secret, struct tls_keys *keys)
{
	return secret.len == tls_hashes[tls_suite_prf(suite)].octets &&
	    expand_label(suite, secret, VIEW("key"), keys->key, tls_bulks[suite->bulk].key) &&
	    expand_label(suite, secret, VIEW("iv"), keys->iv, 12);
}

bool
tls_traffic_update(const struct tls_suite *suite, unsigned char *secret, size_t len)
{
	unsigned char next[64];
	bool          done = len <= sizeof next &&
	    expand_label(suite, (struct view){(const char *)secret, len}, VIEW("traffic upd"), next, len);

	if (done)
		memcpy(secret, next, len);
	OPENSSL_cleanse(next, sizeof next);
	return done;
}
