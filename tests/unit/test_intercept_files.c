/* SPDX-License-Identifier: MIT */
/* Files and settings that cannot be used: what is said names the file, the fault and the way out. */
#include <check.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/intercept/ca.h"
#include "proxy/intercept/certificate.h"
#include "proxy/intercept/intercept.h"
#include "proxy/intercept/secrets_log.h"

static char dir[64];

static const char *
path(const char *name)
{
	static char paths[8][128];
	static unsigned next;
	char *to = paths[next++ % 8];

	snprintf(to, sizeof paths[0], "%s/%s", dir, name);
	return to;
}

static void
put(const char *name, const char *text)
{
	FILE *file = fopen(path(name), "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

/* Both in PEM, in one file; either may be NULL. */
static void
put_pem(const char *name, X509 *cert, EVP_PKEY *key, const EVP_CIPHER *locked)
{
	FILE *file = fopen(path(name), "w");

	ck_assert_ptr_nonnull(file);
	if (cert != NULL)
		PEM_write_X509(file, cert);
	if (key != NULL)
		PEM_write_PrivateKey(file, key, locked, (const unsigned char *)"word", 4, NULL, NULL);
	fclose(file);
}

static X509 *
make(EVP_PKEY *key, bool ca, int64_t until_s)
{
	X509_NAME *subject;
	STACK_OF(GENERAL_NAME) *names;
	X509 *cert;

	ck_assert(certificate_names_of(VIEW("mx.example.org"), &subject, &names));
	cert = certificate_make(&(struct certificate_order){
	    .subject = subject, .names = names, .key = key, .from_s = -120, .until_s = until_s, .ca = ca});
	X509_NAME_free(subject);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return cert;
}

static void
make_files(void)
{
	EVP_PKEY *key = certificate_new_key(), *other = certificate_new_key();
	X509 *ca = make(key, true, 3600), *old = make(key, true, -60), *leaf = make(key, false, 3600);
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	X509 *weak_ca = make(weak, true, 3600);
	FILE *der;

	snprintf(dir, sizeof dir, "/tmp/files.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	put_pem("ca.pem", ca, NULL, NULL);
	put_pem("ca.key", NULL, key, NULL);
	put_pem("both.pem", ca, key, NULL);
	put_pem("old.pem", old, NULL, NULL);
	put_pem("leaf.pem", leaf, NULL, NULL);
	put_pem("other.key", NULL, other, NULL);
	put_pem("weak.pem", weak_ca, weak, NULL);
	put_pem("locked.key", NULL, key, EVP_aes_128_cbc());
	put("empty", "");
	put("text", "CN=mx.example.org\n");
	put("damaged.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	put("damaged.key", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n");
	put("request.pem", "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n");
	der = fopen(path("ca.der"), "w");
	i2d_X509_fp(der, ca);
	fclose(der);
	X509_free(ca);
	X509_free(old);
	X509_free(leaf);
	X509_free(weak_ca);
	EVP_PKEY_free(weak);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

static void
remove_files(void)
{
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}

/* A CA's files, and what is said of them; "%" stands for the folder. NULL: they are fine. */
static const struct {
	const char *cert, *key, *said;
} cas[] = {
	{"ca.pem", "ca.key", NULL},
	{"both.pem", NULL, NULL},
	{"none", "ca.key", "--ca-cert %/none: No such file or directory"},
	{".", "ca.key", "Is a directory"},
	{"empty", "ca.key", "--ca-cert %/empty: the file is empty; expected a certificate in PEM"},
	{"text", "ca.key", "-----BEGIN CERTIFICATE-----"},
	{"ca.key", "ca.pem", "a private key without a certificate: is it the file for --ca-key?"},
	{"ca.der", "ca.key", "openssl x509 -inform DER"},
	{"damaged.pem", "ca.key", "damaged"},
	{"request.pem", "ca.key", "a request"},
	{"leaf.pem", "ca.key", "no CA's certificate"},
	{"old.pem", "ca.key", "--ca-cert %/old.pem: it has expired"},
	{"ca.pem", "other.key", "--ca-key %/other.key: the key is not that of the certificate in %/ca.pem"},
	{"ca.pem", "locked.key", "openssl pkey -in"},
	{"ca.pem", "damaged.key", "damaged"},
	{"ca.pem", "none", "--ca-key %/none: No such file"},
	{"ca.pem", "empty", "expected a private key in PEM"},
	{"ca.pem", "ca.pem", "a certificate without a private key: is it the file for --ca-cert?"},
	{"ca.pem", NULL, "there is no private key behind the certificate; name its file with --ca-key"}
};

/* The text with the folder for each "%". */
static const char *
expected(const char *said, char *text, size_t size)
{
	size_t len = 0;

	for (; *said != '\0' && len + 1 < size; said++)
		len += (size_t)snprintf(text + len, size - len, "%.*s", *said == '%' ? (int)strlen(dir) : 1,
		    *said == '%' ? dir : said);
	return text;
}

START_TEST(files_of_a_ca)
{
	struct intercept_settings settings = {
	    .ca_cert = path(cas[_i].cert), .ca_key = cas[_i].key == NULL ? NULL : path(cas[_i].key)};
	char error[INTERCEPT_ERROR_MAX], text[512];
	bool usage;
	struct intercept *intercept = intercept_new(&settings, &usage, error);

	if (cas[_i].said == NULL) {
		ck_assert_msg(intercept != NULL, "%s", error);
	} else {
		ck_assert_ptr_null(intercept);
		ck_assert(usage);
		ck_assert_msg(strstr(error, expected(cas[_i].said, text, sizeof text)) != NULL, "%s", error);
		ck_assert_msg(strncmp(error, "--ca-", 5) == 0, "%s", error);
		ck_assert_ptr_null(strchr(error, '\n'));
	}
	intercept_free(intercept);
}
END_TEST

/* Names of files of ours begin with "/". */
static const struct {
	struct intercept_settings settings;
	const char *said;
} wrong[] = {
	{{.key = "/ca.key"}, "--key: its certificate is missing"},
	{{.ca_key = "/ca.key"}, "--ca-key: the CA's certificate is missing"},
	{{.client_key = "/ca.key"}, "its certificate is missing; name it with --client-cert"},
	{{.cert = "/leaf.pem", .key = "/ca.key", .bad_cert = INTERCEPT_BAD_EXPIRED}, "leave one of them away"},
	{{.cert = "/leaf.pem", .key = "/ca.key", .ca_cert = "/both.pem"}, "leave one of them away"},
	{{.cert = "/leaf.pem"}, "name its file with --key"},
	{{.client_cert = "/leaf.pem"}, "name its file with --client-key"},
	{{.client_cert = "/leaf.pem", .client_key = "/other.key"}, "the key is not that of the certificate"},
	{{.upstream_ca = "/none"}, "--upstream-ca %/none: No such file"},
	{{.upstream_ca = "/text"}, "--upstream-ca %/text: no certificate in it"},
	{{.keylog = "/none/keylog"}, "--keylog %/none/keylog: No such file"},
	{{.legs[0] = {0x304, 0x303, NULL}}, "client leg: --tls-min 1.3 is above --tls-max 1.2"},
	{{.legs[1].ciphers = "NONSENSE"}, "--ciphers server:NONSENSE: OpenSSL knows no such cipher"},
	{{.legs[1].ciphers = "TLS_NONSENSE"}, "--ciphers server:TLS_NONSENSE: OpenSSL knows no such cipher"},
	{{.legs[0] = {0x301, 0x302, "ALL:@SECLEVEL=2"}}, "security level 2"},
	{{.legs[0] = {0, 0x303, "ECDHE-ECDSA-AES128-GCM-SHA256"}}, NULL},
	{{.legs[1] = {0x301, 0x302, NULL}}, NULL},
	{{.ca_cert = "/weak.pem"}, "--ca-cert %/weak.pem: OpenSSL does not show what it signs: ca key too small"},
	{{.ca_cert = "/weak.pem", .legs[0].ciphers = "DEFAULT:@SECLEVEL=0"}, NULL},
	{{.cert = "/leaf.pem", .key = "/ca.key"}, NULL}
};

static void
to_our_files(struct intercept_settings *settings)
{
	const char **names[] = {&settings->ca_cert, &settings->ca_key, &settings->cert, &settings->key,
	    &settings->client_cert, &settings->client_key, &settings->upstream_ca, &settings->keylog};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (*names[i] != NULL)
			*names[i] = path(*names[i] + 1);
}

START_TEST(settings_that_do_not_fit)
{
	struct intercept_settings settings = wrong[_i].settings;
	char error[INTERCEPT_ERROR_MAX], text[512];
	struct intercept *intercept;
	bool usage;

	to_our_files(&settings);
	intercept = intercept_new(&settings, &usage, error);
	if (wrong[_i].said == NULL) {
		ck_assert_msg(intercept != NULL, "%s", error);
	} else {
		ck_assert_ptr_null(intercept);
		ck_assert(usage);
		ck_assert_msg(strstr(error, expected(wrong[_i].said, text, sizeof text)) != NULL, "%s", error);
		ck_assert_ptr_null(strchr(error, '\n'));
	}
	intercept_free(intercept);
}
END_TEST

START_TEST(what_is_told_at_start)
{
	struct intercept_settings settings = {.keylog = path("keylog")};
	char error[INTERCEPT_ERROR_MAX];
	bool usage;
	struct intercept *intercept = intercept_new(&settings, &usage, error);

	ck_assert_ptr_nonnull(intercept);
	ck_assert_ptr_nonnull(strstr(intercept_note(intercept, 0), "--keylog"));
	ck_assert_ptr_nonnull(strstr(intercept_note(intercept, 1), "--make-ca"));
	ck_assert_ptr_null(intercept_note(intercept, 2));
	ck_assert_ptr_null(intercept_note(intercept, 99));
	intercept_free(intercept);
	settings = (struct intercept_settings){.ca_cert = path("ca.pem"), .ca_key = path("ca.key")};
	intercept = intercept_new(&settings, &usage, error);
	ck_assert_ptr_null(intercept_note(intercept, 0));
	intercept_free(intercept);
}
END_TEST

#define THREADS 4
#define LINES   500

static void *
write_lines(void *log)
{
	char line[300];

	memset(line, 'a', sizeof line);
	line[sizeof line - 1] = '\0';
	for (int i = 0; i < LINES; i++)
		secrets_log_put(log, line);
	return NULL;
}

/* Lines of several threads never mix; what was in the file stays, and is closed to others. */
START_TEST(lines_of_the_key_log_are_whole)
{
	char error[SECRETS_LOG_ERROR_MAX], line[512];
	struct secrets_log *log;
	pthread_t threads[THREADS];
	struct stat status;
	unsigned count = 0;
	FILE *file;

	put("keylog2", "CLIENT_RANDOM was there\n");
	chmod(path("keylog2"), 0644);
	log = secrets_log_open(path("keylog2"), error);
	ck_assert_msg(log != NULL, "%s", error);
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, log), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	secrets_log_close(log);
	file = fopen(path("keylog2"), "r");
	ck_assert_int_eq(fstat(fileno(file), &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	ck_assert_str_eq(line, "CLIENT_RANDOM was there\n");
	for (; fgets(line, sizeof line, file) != NULL; count++) {
		ck_assert_uint_eq(strlen(line), 300);
		ck_assert_uint_eq(strspn(line, "a"), 299);
	}
	ck_assert_uint_eq(count, THREADS * LINES);
	fclose(file);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("intercept_files");
	TCase *tcase = tcase_create("intercept_files");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_unchecked_fixture(tcase, make_files, remove_files);
	tcase_add_loop_test(tcase, files_of_a_ca, 0, sizeof cas / sizeof *cas);
	tcase_add_loop_test(tcase, settings_that_do_not_fit, 0, sizeof wrong / sizeof *wrong);
	tcase_add_test(tcase, what_is_told_at_start);
	tcase_add_test(tcase, lines_of_the_key_log_are_whole);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
