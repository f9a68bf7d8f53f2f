/* SPDX-License-Identifier: MIT */
/* TLS towards both sides: what passes, what each leg is told and knows, and why a handshake fails. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

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

int
main(void)
{
	Suite *suite = suite_create("intercept");
	TCase *tcase = tcase_create("intercept");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, both_legs_and_octets_both_ways, 0, sizeof ways / sizeof *ways);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
