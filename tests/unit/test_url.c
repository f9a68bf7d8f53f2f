/* SPDX-License-Identifier: MIT */
/* URLs of the command line: what is read, and what is said about the rest. */
#include <check.h>
#include <stdlib.h>

#include "proxy/url.h"

static const struct {
	const char     *text;
	enum url_use    use;
	enum url_scheme scheme;
	const char     *host;
	uint16_t        port;
	bool            numeric;
	const char     *whole, *authority;
} good[] = {
	{"mx.example.org", URL_UPSTREAM, URL_SMTP, "mx.example.org", 25, false, "smtp://mx.example.org:25", "mx.example.org:25"},
	{"mx.example.org:587", URL_UPSTREAM, URL_SMTP, "mx.example.org", 587, false, "smtp://mx.example.org:587", "mx.example.org:587"},
	{"smtp://mx.example.org", URL_UPSTREAM, URL_SMTP, "mx.example.org", 25, false, "smtp://mx.example.org:25", "mx.example.org:25"},
	{"SMTP://mx.example.org:26/", URL_UPSTREAM, URL_SMTP, "mx.example.org", 26, false, "smtp://mx.example.org:26", "mx.example.org:26"},
	{"lmtp://192.0.2.1:24", URL_UPSTREAM, URL_LMTP, "192.0.2.1", 24, true, "lmtp://192.0.2.1:24", "192.0.2.1:24"},
	{"smtps://mx.example.org", URL_UPSTREAM, URL_SMTP, "mx.example.org", 465, false, "smtps://mx.example.org:465", "mx.example.org:465"},
	{"smtps://[::1]:4650", URL_LISTEN, URL_SMTP, "::1", 4650, true, "smtps://[::1]:4650", "[::1]:4650"},
	{"[2001:db8::1]:25", URL_UPSTREAM, URL_SMTP, "2001:db8::1", 25, true, "smtp://[2001:db8::1]:25", "[2001:db8::1]:25"},
	{"[2001:db8::1]", URL_UPSTREAM, URL_SMTP, "2001:db8::1", 25, true, "smtp://[2001:db8::1]:25", "[2001:db8::1]:25"},
	{"localhost:2525", URL_UPSTREAM, URL_SMTP, "localhost", 2525, false, "smtp://localhost:2525", "localhost:2525"},
	{"localhost:2525", URL_LISTEN, URL_SMTP, "127.0.0.1", 2525, true, "smtp://127.0.0.1:2525", "127.0.0.1:2525"},
	{"127.0.0.1:0", URL_LISTEN, URL_SMTP, "127.0.0.1", 0, true, "smtp://127.0.0.1:0", "127.0.0.1:0"},
	{"smtp://[::]:0", URL_LISTEN, URL_SMTP, "::", 0, true, "smtp://[::]:0", "[::]:0"},
	{"0.0.0.0", URL_LISTEN, URL_SMTP, "0.0.0.0", 25, true, "smtp://0.0.0.0:25", "0.0.0.0:25"},
	{"sink", URL_UPSTREAM, URL_SINK, "", 0, false, "sink", "sink"},
	{"host_with-all.example.org.:65535", URL_UPSTREAM, URL_SMTP, "host_with-all.example.org.", 65535, false,
	    "smtp://host_with-all.example.org.:65535", "host_with-all.example.org.:65535"},
};

START_TEST(reads_what_the_manual_says)
{
	char error[URL_ERROR_MAX] = "";
	struct url url;

	ck_assert_msg(url_parse(good[_i].text, good[_i].use, URL_PORT_SMTP, &url, error), "%s", error);
	ck_assert_int_eq(url.scheme, good[_i].scheme);
	ck_assert_str_eq(url.host, good[_i].host);
	ck_assert_uint_eq(url.port, good[_i].port);
	ck_assert_int_eq(url.numeric, good[_i].numeric);
	ck_assert_str_eq(url.text, good[_i].whole);
	ck_assert(view_equal(url_authority(&url), view_of(good[_i].authority)));
	if (url.numeric) {
		char text[URL_ADDRESS_MAX];

		ck_assert(view_equal(url_address_text(&url.address, text), view_of(good[_i].authority)));
	}
}
END_TEST

/* Each must be refused with words that name the fault: said is part of the message. */
static const struct {
	const char  *text;
	enum url_use use;
	const char  *said;
} bad[] = {
	{"", URL_UPSTREAM, "no host"},
	{"", URL_LISTEN, "no address"},
	{"2525", URL_LISTEN, "127.0.0.1:2525"},
	{":2525", URL_LISTEN, "0.0.0.0:2525"},
	{"*:2525", URL_LISTEN, "0.0.0.0:2525"},
	{"mx.example.org:0", URL_UPSTREAM, "no port"},
	{"mx.example.org:", URL_UPSTREAM, "no port"},
	{"mx.example.org:65536", URL_UPSTREAM, "no port"},
	{"mx.example.org:4294967321", URL_UPSTREAM, "no port"},
	{"mx.example.org:2a", URL_UPSTREAM, "\"2a\" is no port"},
	{"::1:25", URL_UPSTREAM, "brackets"},
	{"[::1", URL_UPSTREAM, "no ]"},
	{"[::1]25", URL_UPSTREAM, "behind the ]"},
	{"[mx.example.org]:25", URL_UPSTREAM, "no IPv6 address"},
	{"[192.0.2.1]:25", URL_UPSTREAM, "no IPv6 address"},
	{"mx..example.org", URL_UPSTREAM, "no host"},
	{"mx example.org", URL_UPSTREAM, "no host"},
	{"http://mx.example.org", URL_UPSTREAM, "smtp://, smtps:// and lmtp://"},
	{"smtp://ann@mx.example.org", URL_UPSTREAM, "neither path nor user"},
	{"smtp://mx.example.org/path", URL_UPSTREAM, "neither path nor user"},
	{"mx:example.org", URL_UPSTREAM, "not there yet"},
	{"original", URL_UPSTREAM, "not there yet"},
	{"sink", URL_LISTEN, "upstream"},
	{"mx.example.org:2525", URL_LISTEN, "numeric"},
};

START_TEST(refuses_the_rest_in_words)
{
	char error[URL_ERROR_MAX] = "";
	struct url url;

	ck_assert(!url_parse(bad[_i].text, bad[_i].use, URL_PORT_SMTP, &url, error));
	ck_assert_msg(strstr(error, bad[_i].said) != NULL, "%s: %s", bad[_i].text, error);
	ck_assert_msg(strstr(error, bad[_i].text) != NULL, "%s: %s", bad[_i].text, error);
}
END_TEST

START_TEST(refuses_a_host_of_any_length)
{
	char text[2000], error[URL_ERROR_MAX];
	struct url url;

	for (size_t len = URL_HOST_MAX - 1; len < sizeof text - 1; len++) {
		memset(text, 'a', len);
		text[len] = '\0';
		ck_assert_int_eq(url_parse(text, URL_UPSTREAM, 25, &url, error), len <= URL_HOST_MAX);
	}
}
END_TEST

START_TEST(is_made_to_begin_with_tls)
{
	char error[URL_ERROR_MAX];
	struct url url;

	ck_assert(url_parse("mx.example.org:26", URL_UPSTREAM, 25, &url, error));
	ck_assert(!url.tls);
	url_make_tls(&url);
	ck_assert(url.tls);
	ck_assert_str_eq(url.text, "smtps://mx.example.org:26");
	ck_assert(view_equal(url_authority(&url), VIEW("mx.example.org:26")));
	ck_assert(url_parse("lmtp://mx.example.org", URL_UPSTREAM, 25, &url, error));
	url_make_tls(&url);
	ck_assert(!url.tls);
}
END_TEST

START_TEST(unmaps_what_came_as_ipv6)
{
	char text[URL_ADDRESS_MAX], error[URL_ERROR_MAX];
	struct url url;

	ck_assert(url_parse("[::ffff:192.0.2.7]:4711", URL_UPSTREAM, 25, &url, error));
	url_address_unmap(&url.address);
	ck_assert(view_equal(url_address_text(&url.address, text), VIEW("192.0.2.7:4711")));
	ck_assert_uint_eq(url_address_length(&url.address), sizeof(struct sockaddr_in));
	ck_assert(url_parse("[2001:db8::7]:4711", URL_UPSTREAM, 25, &url, error));
	url_address_unmap(&url.address);
	ck_assert(view_equal(url_address_text(&url.address, text), VIEW("[2001:db8::7]:4711")));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("url");
	TCase *tcase = tcase_create("url");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, reads_what_the_manual_says, 0, sizeof good / sizeof *good);
	tcase_add_loop_test(tcase, refuses_the_rest_in_words, 0, sizeof bad / sizeof *bad);
	tcase_add_test(tcase, refuses_a_host_of_any_length);
	tcase_add_test(tcase, is_made_to_begin_with_tls);
	tcase_add_test(tcase, unmaps_what_came_as_ipv6);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
