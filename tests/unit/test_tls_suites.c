/* SPDX-License-Identifier: MIT */
/* The table of cipher suites against itself, and against what OpenSSL knows of them. */
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "decoders/tls/suites.h"
#include "tests/unit/edge.h"

#define SUITES 220              /* rows of the table */

START_TEST(every_row_is_found)
{
	unsigned found = 0;

	/* A row that is out of order would not be. */
	for (unsigned number = 0; number <= UINT16_MAX; number++) {
		const struct tls_suite *suite = tls_suite_find((uint16_t)number);

		if (suite == NULL)
			continue;
		found++;
		ck_assert_uint_eq(suite->number, number);
		/* What can be decrypted has a hash. */
		ck_assert((suite->bulk == TLS_BULK_NONE) == (suite->hash == TLS_HASH_NONE));
	}
	ck_assert_uint_eq(found, SUITES);
	ck_assert_ptr_null(tls_suite_find(0));
	ck_assert_ptr_null(tls_suite_find(0x0a0a));
	ck_assert_ptr_null(tls_suite_find(0xffff));
}
END_TEST

/* The digest that a suite's records are authenticated by, or its PRF runs on. */
static int
digest_of(const SSL_CIPHER *cipher)
{
	if (!SSL_CIPHER_is_aead(cipher))
		return SSL_CIPHER_get_digest_nid(cipher);
	return EVP_MD_get_type(SSL_CIPHER_get_handshake_digest(cipher));
}

START_TEST(as_openssl_has_them)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	STACK_OF(SSL_CIPHER) *ciphers;
	int compared = 0;

	ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"), 1);
	ciphers = SSL_CTX_get_ciphers(ctx);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
		const struct tls_suite *suite = tls_suite_find(SSL_CIPHER_get_protocol_id(cipher));

		ck_assert_msg(suite != NULL, "no %s", SSL_CIPHER_standard_name(cipher));
		ck_assert_str_eq(suite->name, SSL_CIPHER_standard_name(cipher));
		if (suite->bulk == TLS_BULK_NONE)
			continue;
		ck_assert_msg(EVP_CIPHER_get_nid(EVP_get_cipherbyname(tls_bulks[suite->bulk].name)) ==
		    SSL_CIPHER_get_cipher_nid(cipher), "%s", suite->name);
		ck_assert_msg(EVP_MD_get_type(EVP_get_digestbyname(tls_hashes[suite->hash].name)) == digest_of(cipher),
		    "%s", suite->name);
		compared++;
	}
	ck_assert_int_gt(compared, 50);
	SSL_CTX_free(ctx);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls suites");
	TCase *tcase = tcase_create("tls suites");

	tcase_add_test(tcase, every_row_is_found);
	tcase_add_test(tcase, as_openssl_has_them);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
