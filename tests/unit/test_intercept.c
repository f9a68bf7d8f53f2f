/* SPDX-License-Identifier: MIT */
/* TLS towards both sides: what passes, what each leg is told and knows, and why a handshake fails. */
#include <check.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/intercept_ends.h"

#define assert_view(actual, text)                                                                               \
	do {                                                                                                    \
		struct view assert_view_ = (actual);                                                            \
		ck_assert_msg(view_equal(assert_view_, view_of(text)), "\"%.*s\" is not \"%s\"",                \
		    (int)assert_view_.len, assert_view_.at == NULL ? "" : assert_view_.at, (text));             \
	} while (0)

static bool
contains(struct view text, const char *word)
{
	return text.len > 0 && memmem(text.at, text.len, word, strlen(word)) != NULL;
}

static const struct {
	int  max;
	bool implicit;
} ways[] = {{TLS1_2_VERSION, false}, {TLS1_3_VERSION, false}, {TLS1_2_VERSION, true}, {TLS1_3_VERSION, true}};

START_TEST(both_legs_and_octets_both_ways)
{
	struct ends *ends = ends_new(&(struct ends_setup){.client_verifies = true, .implicit = ways[_i].implicit,
	    .client_max = ways[_i].max, .server_max = ways[_i].max, .client_sni = "mx.example.org"});
	const char *version = ways[_i].max == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3";
	struct tls_conn_facts facts;

	ck_assert_int_eq(ends->server_leg, TLS_CONN_OK);
	ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	ck_assert(ends->client_done && ends->server_done);
	ck_assert_str_eq(ends_client_verdict(ends), "");
	ends_talk(ends);
	tls_conn_facts(ends->to_server, &facts);
	assert_view(facts.version, version);
	assert_view(facts.sni, "mx.example.org");
	assert_view(facts.subject, "CN=mx.example.org");
	ck_assert(contains(facts.issuer, "smtpscope CA"));
	ck_assert_int_eq(facts.verified, TLS_CONN_VERIFIED);
	ck_assert_ptr_null(facts.verify_error.at);
	tls_conn_facts(ends->to_client, &facts);
	assert_view(facts.version, version);
	assert_view(facts.sni, "mx.example.org");
	ck_assert_ptr_null(facts.subject.at);
	ck_assert_int_eq(facts.verified, TLS_CONN_UNKNOWN);
	ck_assert_int_eq(SSL_session_reused(ends->client), 0);
	ends_free(ends);
}
END_TEST

/* What a client's refusal comes to: setup, the alert, what the hint is about. */
static const struct {
	struct ends_setup setup;
	const char *alert, *hint;
} refusals[] = {
	{{.client_verifies = true, .client_trusts = ""}, "unknown_ca", "--make-ca"},
	{{.client_verifies = true, .client_trusts = "", .client_max = TLS1_2_VERSION}, "unknown_ca", "--make-ca"},
	{{.client_verifies = true, .settings.bad_cert = INTERCEPT_BAD_UNKNOWN_CA}, "unknown_ca", "--make-ca"},
	{{.client_verifies = true, .settings.bad_cert = INTERCEPT_BAD_SELF_SIGNED}, "unknown_ca", "--make-ca"},
	{{.client_verifies = true, .settings.bad_cert = INTERCEPT_BAD_EXPIRED}, "certificate_expired", NULL},
	{{.client_verifies = true, .settings.bad_cert = INTERCEPT_BAD_WRONG_NAME}, "bad_certificate", "DANE"},
	{{.client_verifies = true, .client_host = "mx.example.com"}, "bad_certificate", "MTA-STS"}
};

START_TEST(a_refusal_of_the_client_is_explained)
{
	struct ends *ends = ends_new(&refusals[_i].setup);
	struct tls_conn_failure failure;
	char reason[64];

	ck_assert_int_eq(ends->server_leg, TLS_CONN_OK);
	ck_assert_int_eq(ends->client_leg, TLS_CONN_FAILED);
	tls_conn_failure(ends->to_client, &failure);
	assert_view(failure.alert, refusals[_i].alert);
	ck_assert(failure.alert_from_peer);
	snprintf(reason, sizeof reason, "the client sent the alert %s", refusals[_i].alert);
	ck_assert(contains(failure.reason, reason));
	if (refusals[_i].hint == NULL)
		ck_assert_ptr_null(failure.hint.at);
	else
		ck_assert(contains(failure.hint, refusals[_i].hint));
	ends_free(ends);
}
END_TEST

/* What of a server's certificate is found and what is refused, by --upstream-verify. */
static const struct {
	struct ends_setup setup;
	const char *error;              /* NULL: verified */
	const char *alert;              /* NULL: not refused */
} verdicts[] = {
	{{.settings.verify = INTERCEPT_VERIFY_FULL}, NULL, NULL},
	{{.server_untrusted = true}, "self-signed certificate in certificate chain", NULL},
	{{.server_untrusted = true, .settings.verify = INTERCEPT_VERIFY_NAME}, "self-signed certificate in certificate chain", NULL},
	{{.server_untrusted = true, .settings.verify = INTERCEPT_VERIFY_FULL}, "self-signed certificate in certificate chain",
	    "unknown_ca"},
	{{.host = "mx.example.net"}, "hostname mismatch", NULL},
	{{.host = "mx.example.net", .settings.verify = INTERCEPT_VERIFY_NAME}, "hostname mismatch", "bad_certificate"},
	{{.host = "mx.example.net", .settings.verify = INTERCEPT_VERIFY_FULL}, "hostname mismatch", "bad_certificate"},
	/* The name is looked at though the CA is unknown, too. */
	{{.host = "mx.example.net", .server_untrusted = true, .settings.verify = INTERCEPT_VERIFY_NAME}, "hostname mismatch",
	    "bad_certificate"},
	{{.host = "192.0.2.1", .server_host = "192.0.2.1", .settings.verify = INTERCEPT_VERIFY_FULL}, NULL, NULL},
	{{.host = "192.0.2.1", .server_host = "192.0.2.2"}, "IP address mismatch", NULL}
};

START_TEST(the_server_is_verified_and_refused_as_asked)
{
	struct ends *ends = ends_new(&verdicts[_i].setup);
	struct tls_conn_failure failure;
	struct tls_conn_facts facts;

	tls_conn_facts(ends->to_server, &facts);
	ck_assert_int_eq(facts.verified, verdicts[_i].error == NULL ? TLS_CONN_VERIFIED : TLS_CONN_NOT_VERIFIED);
	ck_assert_ptr_nonnull(facts.subject.at);
	if (verdicts[_i].error != NULL)
		assert_view(facts.verify_error, verdicts[_i].error);
	if (verdicts[_i].alert == NULL) {
		ck_assert_int_eq(ends->server_leg, TLS_CONN_OK);
		ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	} else {
		ck_assert_int_eq(ends->server_leg, TLS_CONN_FAILED);
		tls_conn_failure(ends->to_server, &failure);
		assert_view(failure.alert, verdicts[_i].alert);
		ck_assert(!failure.alert_from_peer);
		ck_assert(contains(failure.reason, verdicts[_i].error));
		ck_assert(contains(failure.hint, "--upstream-ca"));
	}
	ends_free(ends);
}
END_TEST

/* Implicit TLS: the client speaks first, so what it asks for goes on to the server. */
START_TEST(sni_and_alpn_go_on_to_the_server)
{
	struct ends *ends = ends_new(&(struct ends_setup){.implicit = true, .host = "192.0.2.1", .client_sni = "in.example.net",
	    .server_host = "in.example.net", .client_alpn = "smtp", .server_alpn = "smtp", .client_verifies = true});
	struct tls_conn_facts facts;
	const unsigned char *alpn;
	unsigned len;

	ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	ck_assert_str_eq(SSL_get_servername(ends->server, TLSEXT_NAMETYPE_host_name), "in.example.net");
	SSL_get0_alpn_selected(ends->server, &alpn, &len);
	ck_assert_uint_eq(len, 4);
	SSL_get0_alpn_selected(ends->client, &alpn, &len);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(alpn, "smtp", 4);
	tls_conn_facts(ends->to_server, &facts);
	assert_view(facts.sni, "in.example.net");
	assert_view(facts.alpn, "smtp");
	ck_assert_int_eq(facts.verified, TLS_CONN_VERIFIED);
	ends_talk(ends);
	ends_free(ends);
}
END_TEST

START_TEST(alpn_is_not_agreed_upon_where_the_server_does_not)
{
	struct ends *ends = ends_new(&(struct ends_setup){.implicit = true, .client_alpn = "smtp"});
	const unsigned char *alpn;
	unsigned len;

	ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	SSL_get0_alpn_selected(ends->client, &alpn, &len);
	ck_assert_uint_eq(len, 0);
	ends_free(ends);
}
END_TEST

/* The client hears of it whose certificates the server wants, and its handshake goes on without one. */
START_TEST(a_certificate_is_asked_for_where_the_server_asks)
{
	struct ends *ends = ends_new(&(struct ends_setup){.server_asks = _i == 1, .client_max = ways[_i].max});
	struct tls_conn_facts facts;
	const STACK_OF(X509_NAME) *wanted;

	ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	tls_conn_facts(ends->to_client, &facts);
	ck_assert_int_eq(facts.asked, _i == 1);
	wanted = SSL_get0_peer_CA_list(ends->client);
	ck_assert_int_eq(wanted == NULL ? 0 : sk_X509_NAME_num(wanted), _i == 1 ? 1 : 0);
	ends_talk(ends);
	ends_free(ends);
}
END_TEST

/* 1.3 ends our handshake before the server has looked: it is the first read that fails. */
START_TEST(a_server_that_insists_on_a_certificate)
{
	struct ends *ends = ends_new(&(struct ends_setup){.server_insists = true, .server_max = ways[_i].max});
	struct tls_conn_failure failure;
	char buffer[64];
	size_t len;

	if (ways[_i].max == TLS1_2_VERSION)
		ck_assert_int_eq(ends->server_leg, TLS_CONN_FAILED);
	else
		ck_assert_int_eq(tls_conn_read(ends->to_server, buffer, sizeof buffer, &len), TLS_CONN_FAILED);
	tls_conn_failure(ends->to_server, &failure);
	assert_view(failure.alert, ways[_i].max == TLS1_2_VERSION ? "handshake_failure" : "certificate_required");
	ck_assert(contains(failure.hint, "--client-cert"));
	ends_free(ends);
}
END_TEST

START_TEST(a_plain_server_and_the_names_that_the_client_wants)
{
	struct ends *ends = ends_new(&(struct ends_setup){.plain_server = true, .host = "192.0.2.1",
	    .client_sni = _i == 0 ? "mx.example.org" : NULL, .client_host = _i == 0 ? "mx.example.org" : NULL});
	X509 *cert = SSL_get1_peer_certificate(ends->client);

	ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
	ck_assert_int_eq(X509_check_host(cert, "mx.example.org", 0, 0, NULL), _i == 0);
	ck_assert_int_eq(X509_check_ip_asc(cert, "192.0.2.1", 0), _i == 1);
	X509_free(cert);
	ends_free(ends);
}
END_TEST

static const struct {
	struct ends_setup setup;
	const char *version;            /* NULL: none in common */
	const char *reason;
} versions[] = {
	{{.client_max = TLS1_VERSION, .settings.legs[0].min = TLS1_VERSION}, "TLSv1", NULL},
	{{.client_max = TLS1_1_VERSION, .settings.legs[0].min = TLS1_VERSION}, "TLSv1.1", NULL},
	{{.settings.legs[0] = {.min = TLS1_VERSION, .max = TLS1_VERSION}}, "TLSv1", NULL},
	{{.settings.legs[0].max = TLS1_2_VERSION}, "TLSv1.2", NULL},
	{{.settings.legs[0].ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_CHACHA20_POLY1305_SHA256"}, "TLSv1.3", NULL},
	{{.client_max = TLS1_2_VERSION, .settings.legs[0].min = TLS1_3_VERSION}, NULL, "no version"},
	{{.client_max = TLS1_2_VERSION, .client_ciphers = "AES128-SHA"}, NULL, "no cipher"}
};

START_TEST(versions_and_ciphers_of_the_clients_leg)
{
	struct ends *ends = ends_new(&versions[_i].setup);
	struct tls_conn_facts facts;
	struct tls_conn_failure failure;

	ck_assert_int_eq(ends->server_leg, TLS_CONN_OK);
	if (versions[_i].version != NULL) {
		ck_assert_int_eq(ends->client_leg, TLS_CONN_OK);
		tls_conn_facts(ends->to_client, &facts);
		assert_view(facts.version, versions[_i].version);
		if (versions[_i].setup.settings.legs[0].ciphers != NULL)
			assert_view(facts.cipher, "TLS_CHACHA20_POLY1305_SHA256");
	} else {
		ck_assert_int_eq(ends->client_leg, TLS_CONN_FAILED);
		tls_conn_failure(ends->to_client, &failure);
		ck_assert_msg(contains(failure.reason, versions[_i].reason), "%s", failure.reason.at);
		ck_assert_ptr_nonnull(failure.hint.at);
		ck_assert(!failure.alert_from_peer);
	}
	ends_free(ends);
}
END_TEST

/* A server that only speaks an old version, and what is said where that is not allowed. */
START_TEST(versions_of_the_servers_leg)
{
	struct ends *ends = ends_new(&(struct ends_setup){
	    .server_max = TLS1_1_VERSION, .settings.legs[1].min = _i == 0 ? TLS1_VERSION : 0});
	struct tls_conn_facts facts;
	struct tls_conn_failure failure;

	if (_i == 0) {
		ck_assert_int_eq(ends->server_leg, TLS_CONN_OK);
		tls_conn_facts(ends->to_server, &facts);
		assert_view(facts.version, "TLSv1.1");
	} else {
		ck_assert_int_eq(ends->server_leg, TLS_CONN_FAILED);
		tls_conn_failure(ends->to_server, &failure);
		ck_assert_msg(contains(failure.hint, "--tls-min"), "%s", failure.reason.at);
	}
	ends_free(ends);
}
END_TEST

/* Each leg's secrets, a line each, of the kinds that its version has. */
START_TEST(the_key_log_has_both_legs)
{
	struct ends *ends = ends_new(&(struct ends_setup){.client_max = ways[_i].max});
	unsigned randoms = 0, traffic = 0, other = 0;
	char line[1024];
	struct stat status;
	FILE *file = fopen(ends->keylog, "r");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
	while (fgets(line, sizeof line, file) != NULL) {
		char label[64], random[128], secret[256], more;

		ck_assert_int_eq(sscanf(line, "%63s %127s %255s %c", label, random, secret, &more), 3);
		ck_assert_uint_eq(strlen(random), 64);
		randoms += strcmp(label, "CLIENT_RANDOM") == 0;
		traffic += strstr(label, "TRAFFIC_SECRET_0") != NULL;
		other += strstr(label, "HANDSHAKE_TRAFFIC_SECRET") != NULL;
	}
	fclose(file);
	/* The server's leg is 1.3 in both. */
	ck_assert_uint_eq(randoms, ways[_i].max == TLS1_2_VERSION ? 1 : 0);
	ck_assert_uint_eq(traffic, ways[_i].max == TLS1_2_VERSION ? 2 : 4);
	ck_assert_uint_eq(other, ways[_i].max == TLS1_2_VERSION ? 2 : 4);
	ends_free(ends);
}
END_TEST

/* What came with the octets in front of TLS goes first, wherever it was cut. */
START_TEST(early_octets_go_first)
{
	struct ends *ends = ends_new(&(struct ends_setup){.plain_server = true});
	struct tls_conn *conn = intercept_towards_client(ends->intercept);
	SSL *client = SSL_new(ends->client_ctx);
	BIO *out = BIO_new(BIO_s_mem());
	enum tls_conn_step step = TLS_CONN_WANT_READ;
	char hello[4096], buffer[64];
	int len, fds[2];
	size_t early, got;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	/* The hello is made without a socket, and then cut in two. */
	SSL_set_bio(client, BIO_new(BIO_s_mem()), out);
	SSL_set_connect_state(client);
	ck_assert_int_lt(SSL_do_handshake(client), 1);
	len = BIO_read(out, hello, sizeof hello);
	ck_assert_int_gt(len, 10);
	early = _i == 0 ? (size_t)len : _i == 1 ? 3 : (size_t)len / 2;
	ck_assert(tls_conn_attach(conn, fds[1], (struct view){hello, early}));
	ck_assert_int_eq(write(fds[0], hello + early, (size_t)len - early), len - (int)early);
	tls_conn_serve(conn, NULL, VIEW("mx.example.org"));
	SSL_set_fd(client, fds[0]);
	for (int turn = 0; turn < 10 && step != TLS_CONN_OK; turn++) {
		step = tls_conn_handshake(conn);
		ck_assert_int_ne(step, TLS_CONN_FAILED);
		SSL_do_handshake(client);
	}
	ck_assert_int_eq(step, TLS_CONN_OK);
	ck_assert_int_eq(SSL_write_ex(client, "NOOP\r\n", 6, &got), 1);
	ck_assert_int_eq(tls_conn_read(conn, buffer, sizeof buffer, &got), TLS_CONN_OK);
	ck_assert_uint_eq(got, 6);
	SSL_free(client);
	tls_conn_free(conn);
	close(fds[0]);
	close(fds[1]);
	ends_free(ends);
}
END_TEST

/* How a connection ends: with close_notify, and without. */
START_TEST(ends_of_a_connection)
{
	struct ends *ends = ends_new(&(struct ends_setup){.client_max = ways[_i % 2].max});
	char buffer[64];
	size_t len;

	if (_i / 2 == 0)
		ck_assert_int_ge(SSL_shutdown(ends->client), 0);
	shutdown(ends->fds[0], SHUT_WR);
	ck_assert_int_eq(tls_conn_read(ends->to_client, buffer, sizeof buffer, &len),
	    _i / 2 == 0 ? TLS_CONN_CLOSED : TLS_CONN_EOF);
	/* Only that half is closed. */
	ck_assert_int_eq(tls_conn_write(ends->to_client, "221\r\n", 5, &len), TLS_CONN_OK);
	ck_assert_int_eq(SSL_read_ex(ends->client, buffer, sizeof buffer, &len), 1);
	ck_assert_uint_eq(len, 5);
	ck_assert_int_eq(tls_conn_close(ends->to_server), TLS_CONN_OK);
	ck_assert_int_eq(tls_conn_close(ends->to_server), TLS_CONN_OK);
	ck_assert_int_eq(SSL_read(ends->server, buffer, sizeof buffer), 0);
	ck_assert_int_eq(SSL_get_error(ends->server, 0), SSL_ERROR_ZERO_RETURN);
	ends_free(ends);
}
END_TEST

static const struct {
	const char *octets;             /* of the client; NULL: it just goes */
	const char *reason, *hint;
} strangers[] = {
	{"EHLO client.example.org\r\n", "the client sent what is no TLS", "STARTTLS"},
	{"GET / HTTP/1.1\r\n\r\n", "the client sent HTTP", NULL},
	{NULL, "the client closed the connection inside the handshake", NULL}
};

START_TEST(what_is_no_handshake_is_told)
{
	struct ends *ends = ends_new(&(struct ends_setup){.plain_server = true});
	struct tls_conn *conn = intercept_towards_client(ends->intercept);
	struct tls_conn_failure failure;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ck_assert(tls_conn_attach(conn, fds[1], VIEW_NONE));
	if (strangers[_i].octets != NULL)
		ck_assert_int_gt(write(fds[0], strangers[_i].octets, strlen(strangers[_i].octets)), 0);
	else
		close(fds[0]);
	ck_assert_int_eq(tls_conn_handshake(conn), TLS_CONN_FAILED);
	ck_assert_int_eq(tls_conn_handshake(conn), TLS_CONN_FAILED);
	tls_conn_failure(conn, &failure);
	ck_assert_msg(contains(failure.reason, strangers[_i].reason), "%s", failure.reason.at);
	if (strangers[_i].hint == NULL)
		ck_assert_ptr_null(failure.hint.at);
	else
		ck_assert(contains(failure.hint, strangers[_i].hint));
	tls_conn_free(conn);
	close(fds[1]);
	if (strangers[_i].octets != NULL)
		close(fds[0]);
	ends_free(ends);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("intercept");
	TCase *tcase = tcase_create("intercept");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, both_legs_and_octets_both_ways, 0, sizeof ways / sizeof *ways);
	tcase_add_loop_test(tcase, a_refusal_of_the_client_is_explained, 0, sizeof refusals / sizeof *refusals);
	tcase_add_loop_test(tcase, the_server_is_verified_and_refused_as_asked, 0, sizeof verdicts / sizeof *verdicts);
	tcase_add_test(tcase, sni_and_alpn_go_on_to_the_server);
	tcase_add_test(tcase, alpn_is_not_agreed_upon_where_the_server_does_not);
	tcase_add_loop_test(tcase, a_certificate_is_asked_for_where_the_server_asks, 0, 2);
	tcase_add_loop_test(tcase, a_server_that_insists_on_a_certificate, 0, 2);
	tcase_add_loop_test(tcase, a_plain_server_and_the_names_that_the_client_wants, 0, 2);
	tcase_add_loop_test(tcase, versions_and_ciphers_of_the_clients_leg, 0, sizeof versions / sizeof *versions);
	tcase_add_loop_test(tcase, versions_of_the_servers_leg, 0, 2);
	tcase_add_loop_test(tcase, the_key_log_has_both_legs, 0, 2);
	tcase_add_loop_test(tcase, early_octets_go_first, 0, 3);
	tcase_add_loop_test(tcase, ends_of_a_connection, 0, 4);
	tcase_add_loop_test(tcase, what_is_no_handshake_is_told, 0, sizeof strangers / sizeof *strangers);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
