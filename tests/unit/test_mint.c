/* SPDX-License-Identifier: MIT */
/* What is minted: whose names it has, that a client that knows the CA takes it, and that each bad one fails for its reason alone. */
#include <check.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/intercept/ca.h"
#include "proxy/intercept/certificate.h"
#include "proxy/intercept/mint.h"

static struct pem_pair
new_ca(void)
{
	struct pem_pair ca;
	char error[CA_ERROR_MAX];

	ck_assert_msg(ca_make(&ca, error), "%s", error);
	return ca;
}

/* X509_V_OK, or why a client that trusts the CA and wants host does not take the certificate. */
static int
judge(const struct pem_pair *ca, X509 *cert, STACK_OF(X509) *chain, const char *host)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int error;

	X509_STORE_add_cert(store, ca->cert);
	X509_STORE_CTX_init(context, store, cert, chain);
	X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
	if (X509_VERIFY_PARAM_set1_ip_asc(X509_STORE_CTX_get0_param(context), host) != 1)
		X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), host, 0);
	error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return error;
}

/* A server's certificate, signed by itself, for these names ("DNS:a,IP:192.0.2.1"; NULL: none). */
static X509 *
server(const char *subject, const char *names)
{
	EVP_PKEY *key = certificate_new_key();
	X509_NAME *name = X509_NAME_new();
	STACK_OF(GENERAL_NAME) *list = NULL;
	X509V3_CTX context;
	X509_EXTENSION *extension = NULL;
	X509 *cert;

	if (subject[0] != '\0') {
		X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"B\303\274cher", -1, -1, 0);
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0);
	}
	if (names != NULL) {
		X509V3_set_ctx_nodb(&context);
		extension = X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, names);
		ck_assert_ptr_nonnull(extension);
		list = X509V3_EXT_d2i(extension);
	}
	cert = certificate_make(&(struct certificate_order){
	    .subject = name, .names = list, .key = key, .from_s = -60, .until_s = 60});
	ck_assert_ptr_nonnull(cert);
	X509_EXTENSION_free(extension);
	sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
	X509_NAME_free(name);
	EVP_PKEY_free(key);
	return cert;
}

static const struct {
	const char *subject, *names, *host;
	int         expected;
} servers[] = {
	{"mx.example.org", "DNS:mx.example.org,DNS:*.example.net", "mx.example.org", X509_V_OK},
	{"mx.example.org", "DNS:mx.example.org,DNS:*.example.net", "in.example.net", X509_V_OK},
	{"mx.example.org", "DNS:mx.example.org", "mx.example.com", X509_V_ERR_HOSTNAME_MISMATCH},
	{"", "DNS:mx.example.org", "mx.example.org", X509_V_OK},
	{"mx.example.org", "IP:192.0.2.1,IP:2001:db8::1", "2001:db8::1", X509_V_OK},
	{"mx.example.org", "IP:192.0.2.1", "192.0.2.2", X509_V_ERR_IP_ADDRESS_MISMATCH},
	{"mx.example.org", NULL, "mx.example.org", X509_V_OK}
};

START_TEST(has_the_names_of_the_server)
{
	struct pem_pair ca = new_ca();
	struct mint *mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	X509 *like = server(servers[_i].subject, servers[_i].names), *cert;
	GENERAL_NAMES *theirs, *ours;

	cert = mint_certificate(mint, like, VIEW("unused.example.org"));
	ck_assert_ptr_nonnull(cert);
	ck_assert_int_eq(judge(&ca, cert, mint_chain(mint), servers[_i].host), servers[_i].expected);
	ck_assert_int_eq(X509_NAME_cmp(X509_get_subject_name(cert), X509_get_subject_name(like)), 0);
	ck_assert_int_eq(X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(ca.cert)), 0);
	ck_assert_int_eq(X509_check_private_key(cert, mint_key(mint)), 1);
	ck_assert_int_eq(EVP_PKEY_get_base_id(mint_key(mint)), EVP_PKEY_EC);
	theirs = X509_get_ext_d2i(like, NID_subject_alt_name, NULL, NULL);
	ours = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	ck_assert_int_eq(sk_GENERAL_NAME_num(theirs), sk_GENERAL_NAME_num(ours));
	for (int i = 0; i < sk_GENERAL_NAME_num(theirs); i++)
		ck_assert_int_eq(GENERAL_NAME_cmp(sk_GENERAL_NAME_value(theirs, i), sk_GENERAL_NAME_value(ours, i)), 0);
	GENERAL_NAMES_free(theirs);
	GENERAL_NAMES_free(ours);
	X509_free(cert);
	X509_free(like);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

static const char *const hosts[] = {"mx.example.org", "192.0.2.1", "2001:db8::1",
    "a-name-that-is-longer-than-a-common-name-may-be.and-is-legal-all-the-same.example.org"};

START_TEST(is_for_the_host_where_there_is_no_certificate)
{
	struct pem_pair ca = new_ca();
	struct mint *mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	X509 *cert = mint_certificate(mint, NULL, view_of(hosts[_i]));

	ck_assert_ptr_nonnull(cert);
	ck_assert_int_eq(judge(&ca, cert, mint_chain(mint), hosts[_i]), X509_V_OK);
	ck_assert_int_ne(judge(&ca, cert, mint_chain(mint), "mx.example.net"), X509_V_OK);
	X509_free(cert);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

static const struct {
	enum intercept_bad_cert bad;
	int         error;
} bad[] = {
	{INTERCEPT_BAD_EXPIRED, X509_V_ERR_CERT_HAS_EXPIRED},
	{INTERCEPT_BAD_SELF_SIGNED, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
	{INTERCEPT_BAD_WRONG_NAME, X509_V_ERR_HOSTNAME_MISMATCH},
	{INTERCEPT_BAD_UNKNOWN_CA, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY}
};

/* All that is wrong with it, not the first fault alone. */
static int
collect(int well, X509_STORE_CTX *context)
{
	unsigned *errors = X509_STORE_CTX_get_app_data(context);

	if (!well && X509_STORE_CTX_get_error(context) != X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
		errors[X509_STORE_CTX_get_error(context)]++;
	return 1;
}

START_TEST(a_bad_one_is_wrong_in_one_way)
{
	struct pem_pair ca = new_ca();
	struct mint *mint = mint_new(ca.cert, ca.key, ca.chain, bad[_i].bad);
	X509 *like = server("mx.example.org", "DNS:mx.example.org");
	X509 *cert = mint_certificate(mint, like, VIEW("mx.example.org"));
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	unsigned errors[128] = {0}, kinds = 0;

	X509_STORE_add_cert(store, ca.cert);
	X509_STORE_CTX_init(context, store, cert, mint_chain(mint));
	X509_STORE_CTX_set_app_data(context, errors);
	X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
	X509_STORE_CTX_set_verify_cb(context, collect);
	X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), "mx.example.org", 0);
	X509_verify_cert(context);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		kinds += errors[i] > 0;
	ck_assert_uint_eq(errors[bad[_i].error], 1);
	ck_assert_uint_eq(kinds, 1);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_free(cert);
	X509_free(like);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

START_TEST(none_outlives_its_ca)
{
	struct pem_pair ca = new_ca();
	struct mint *mint;
	X509 *cert;

	X509_gmtime_adj(X509_getm_notAfter(ca.cert), 3600);
	mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	cert = mint_certificate(mint, NULL, VIEW("mx.example.org"));
	ck_assert_int_le(ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(ca.cert)), 0);
	ck_assert_int_gt(X509_cmp_current_time(X509_get0_notAfter(cert)), 0);
	X509_free(cert);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

/* The same for the same server, another serial number for another; however many there are, so many are kept. */
START_TEST(the_cache_gives_the_same_and_is_bounded)
{
	struct pem_pair ca = new_ca();
	struct mint *mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	X509 *like = server("mx.example.org", "DNS:mx.example.org");
	X509 *first = mint_certificate(mint, like, VIEW_NONE), *other = mint_certificate(mint, NULL, VIEW("b.example.org"));
	uint64_t made;

	ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(other)), 0);
	ck_assert_int_eq(ASN1_STRING_type(X509_get0_serialNumber(first)), V_ASN1_INTEGER);      /* positive */
	for (unsigned i = 0; i < 2 * MINT_CACHE; i++) {
		char host[32];

		snprintf(host, sizeof host, "h%u.example.org", i);
		X509_free(mint_certificate(mint, NULL, view_of(host)));
		/* What is used over and over stays, whatever else comes. */
		X509_free(mint_certificate(mint, like, VIEW_NONE));
	}
	ck_assert_uint_le(mint_cached(mint), MINT_CACHE);
	ck_assert_uint_gt(mint_cached(mint), MINT_CACHE / 2);
	made = mint_made(mint);
	ck_assert_uint_eq(made, 2 + 2 * MINT_CACHE);
	X509_free(other);
	other = mint_certificate(mint, like, VIEW_NONE);
	ck_assert_ptr_eq(first, other);
	X509_free(first);
	X509_free(other);
	X509_free(like);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

static void *
mint_some(void *mint)
{
	for (unsigned i = 0; i < 200; i++) {
		char host[32];
		X509 *cert;

		snprintf(host, sizeof host, "h%u.example.org", i % 20);
		cert = mint_certificate(mint, NULL, view_of(host));
		if (cert == NULL || X509_check_host(cert, host, 0, 0, NULL) != 1)
			return mint;
		X509_free(cert);
	}
	return NULL;
}

START_TEST(several_threads_get_what_they_ask_for)
{
	struct pem_pair ca = new_ca();
	struct mint *mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	pthread_t threads[4];
	void *failed;

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, mint_some, mint), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(mint_made(mint), 20);
	mint_free(mint);
	pem_pair_free(&ca);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("mint");
	TCase *tcase = tcase_create("mint");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, has_the_names_of_the_server, 0, sizeof servers / sizeof *servers);
	tcase_add_loop_test(tcase, is_for_the_host_where_there_is_no_certificate, 0, sizeof hosts / sizeof *hosts);
	tcase_add_loop_test(tcase, a_bad_one_is_wrong_in_one_way, 0, sizeof bad / sizeof *bad);
	tcase_add_test(tcase, none_outlives_its_ca);
	tcase_add_test(tcase, the_cache_gives_the_same_and_is_bounded);
	tcase_add_test(tcase, several_threads_get_what_they_ask_for);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
