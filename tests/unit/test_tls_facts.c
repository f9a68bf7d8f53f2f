/* SPDX-License-Identifier: MIT */
/* What is known of TLS without anybody's keys: hellos, certificates, alerts, and how much went by. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "decoders/tls/hello.h"
#include "tests/unit/edge.h"
#include "tests/unit/tls_talk.h"

static const struct {
	struct tls_talk_setup setup;
	const char *version, *cipher;
} talks[] = {
	{{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES128-GCM-SHA256", .sni = "mx.example.net"}, "TLSv1.2",
	    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"},
	{{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES256-SHA", .sni = "mx.example.net"}, "TLSv1.2",
	    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"},
	{{.version = TLS1_3_VERSION, .cipher = "TLS_AES_256_GCM_SHA384", .sni = "mx.example.net"}, "TLSv1.3",
	    "TLS_AES_256_GCM_SHA384"},
	{{.version = TLS1_3_VERSION, .cipher = "TLS_CHACHA20_POLY1305_SHA256", .sni = "mx.example.net",
	    .client_groups = "X25519:P-256", .server_groups = "P-256"}, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"}
};

START_TEST(hellos_tell_what_was_agreed)
{
	static const size_t cuts[] = {0, 1, 2, 7, 100, 1500};
	struct tls_talk *talk = tls_talk_new(&talks[_i].setup);
	bool is_1_2 = talks[_i].setup.version == TLS1_2_VERSION;

	tls_talk_say(talk, TLS_SERVER, "220 mx.example.net\r\n", 20);
	tls_talk_say(talk, TLS_CLIENT, "QUIT\r\n", 6);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct tls_reader *reader = tls_reader_new(NULL);
		const struct tls_facts *facts = tls_reader_facts(reader);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_talk(&heard, reader, talk, cuts[i]);
		assert_view(facts->sni, "mx.example.net");
		assert_view(facts->version, talks[_i].version);
		assert_view(facts->cipher, talks[_i].cipher);
		assert_view(facts->subject, is_1_2 ? "CN=mx.example.net,O=Ex\\, \xc3\xa4mple,C=XX" : NULL);
		assert_view(facts->issuer, is_1_2 ? "CN=Example CA" : NULL);
		assert_view(facts->alpn, NULL);
		ck_assert(facts->established);
		ck_assert(!facts->decrypting);
		ck_assert(!facts->alerted);
		ck_assert_uint_gt(heard.hellos, 2);
		ck_assert_uint_gt(heard.opaque[TLS_CLIENT], 6);
		ck_assert_uint_gt(heard.opaque[TLS_SERVER], 20);
		ck_assert_uint_eq(heard.not_tls[TLS_CLIENT] + heard.not_tls[TLS_SERVER], 0);
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_talk_free(talk);
}
END_TEST

/* Why it came to nothing; in 1.3 the server says it when both are through, and encrypted. */
static const struct {
	struct tls_talk_setup setup;
	enum tls_side from;
	const char   *name;
	bool          encrypted, established;
} refusals[] = {
	{{.version = TLS1_2_VERSION, .verify = true}, TLS_CLIENT, "unknown_ca", false, false},
	{{.version = TLS1_3_VERSION, .verify = true}, TLS_CLIENT, "unknown_ca", false, false},
	{{.version = TLS1_2_VERSION, .demand = true}, TLS_SERVER, "handshake_failure", false, false},
	{{.version = TLS1_3_VERSION, .demand = true}, TLS_SERVER, "certificate_required", true, true},
	{{.version = TLS1_3_VERSION, .client_groups = "X25519", .server_groups = "P-256"}, TLS_SERVER,
	    "handshake_failure", false, false}
};

START_TEST(alerts_tell_why_not)
{
	struct tls_talk   *talk = tls_talk_new(&refusals[_i].setup);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);

	for (int with_keys = 0; with_keys < 2; with_keys++) {
		struct tls_reader *reader = tls_reader_new(with_keys ? log : NULL);
		const struct tls_facts *facts = tls_reader_facts(reader);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_talk(&heard, reader, talk, 3);
		ck_assert_int_eq(facts->established, refusals[_i].established);
		ck_assert_int_eq(facts->alerted, with_keys || !refusals[_i].encrypted);
		if (facts->alerted) {
			ck_assert_int_eq(facts->alert_from, refusals[_i].from);
			ck_assert_str_eq(tls_alert_name(facts->alert), refusals[_i].name);
		}
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/*
 * Other clients than OpenSSL's encrypt their alert in 1.3. It is their first encrypted record,
 * shorter than a Finished could be, and so no sign that anything was established.
 */
START_TEST(what_may_be_an_alert_establishes_nothing)
{
	static const char alert[] = "\x17\x03\x03\x00\x13" "nineteen octets ...";
	struct tls_talk_setup setup = {.version = TLS1_3_VERSION};
	struct tls_talk   *talk = tls_talk_new(&setup);
	struct tls_reader *reader = tls_reader_new(NULL);
	struct tls_heard   heard = {.hellos = 0};
	size_t             i;

	for (i = 0; i < talk->count && (i == 0 || talk->pieces[i].from == TLS_SERVER); i++)
		tls_heard_feed(&heard, reader, talk->pieces[i].from, talk->pieces[i].octets, talk->pieces[i].len, 0);
	ck_assert_uint_lt(i, talk->count);
	tls_heard_feed(&heard, reader, TLS_CLIENT, alert, sizeof alert - 1, 0);
	ck_assert(!tls_reader_facts(reader)->established);
	ck_assert_uint_eq(heard.opaque[TLS_CLIENT], 19);
	tls_heard_feed(&heard, reader, TLS_CLIENT, talk->pieces[i].octets, talk->pieces[i].len, 0);
	ck_assert(tls_reader_facts(reader)->established);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_talk_free(talk);
}
END_TEST

static const struct {
	const char *octets;
	size_t      len, no_tls;
} starts[] = {
	{"", 0, 0},
	{"\x16\x03", 2, 0},
	{"\x16\x03\x01\x00\x05", 5, 0},
	{"\x17\x03\x03\x40\x11", 5, 0},
	{"\x15\x03\x03\x00\x02\x02\x28", 7, 0},
	{"220 mx.example.net\r\n", 20, 20},
	{"EHLO client.example.org\r\n", 25, 25},
	{"\x80\x2e\x01\x03\x01", 5, 5},             /* SSL 2 */
	{"\x13\x03\x03\x00\x05", 5, 5},
	{"\x19\x03\x03\x00\x05", 5, 5},
	{"\x16\x02\x00\x00\x05", 5, 5},
	{"\x16\x03\x05\x00\x05", 5, 5},
	{"\x16\x03\x03\x48\x01", 5, 5},
	{"\x16\x03\x03\x00\x00", 5, 5},
	{"\x15\x03\x03\x00\x02\x01\x00" "221 Bye\r\n", 16, 9}
};

START_TEST(what_is_no_record_ends_it)
{
	struct view octets = edge_copy((struct view){starts[_i].octets, starts[_i].len});

	for (size_t cut = 0; cut < 3; cut++) {
		struct tls_reader *reader = tls_reader_new(NULL);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_feed(&heard, reader, TLS_SERVER, octets.at, octets.len, cut);
		ck_assert_uint_eq(heard.not_tls[TLS_SERVER], starts[_i].no_tls);
		/* The rest of that side is none either; the other side may be. */
		tls_heard_feed(&heard, reader, TLS_SERVER, "\x16\x03\x03\x00\x05", starts[_i].no_tls > 0 ? 5 : 0, cut);
		ck_assert_uint_eq(heard.not_tls[TLS_SERVER], starts[_i].no_tls + (starts[_i].no_tls > 0 ? 5 : 0));
		tls_heard_feed(&heard, reader, TLS_CLIENT, "\x17\x03\x03\x00\x01" "x", 6, cut);
		ck_assert_uint_eq(heard.not_tls[TLS_CLIENT], 0);
		ck_assert_uint_eq(heard.opaque[TLS_CLIENT], 1);
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	edge_free(octets);
}
END_TEST

/* A capture that begins under way: no hello was seen, and both talk. */
START_TEST(under_way)
{
	struct tls_talk   *talk = tls_talk_new(&talks[_i].setup);
	struct tls_reader *reader = tls_reader_new(NULL);
	struct tls_heard   heard = {.hellos = 0};
	size_t             before = talk->count;

	tls_talk_say_much(talk, TLS_SERVER, 100);
	tls_talk_say_much(talk, TLS_CLIENT, 100);
	for (size_t i = before; i < talk->count; i++)
		tls_heard_feed(&heard, reader, talk->pieces[i].from, talk->pieces[i].octets, talk->pieces[i].len, 0);
	ck_assert(tls_reader_facts(reader)->established);
	assert_view(tls_reader_facts(reader)->version, NULL);
	ck_assert_uint_gt(heard.opaque[TLS_CLIENT], 100);
	ck_assert_uint_gt(heard.opaque[TLS_SERVER], 100);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_talk_free(talk);
}
END_TEST

/* The first handshake message that the side sent; the caller frees it with edge_free. */
static struct view
first_message(const struct tls_talk *talk, enum tls_side from)
{
	for (size_t i = 0; i < talk->count; i++) {
		const unsigned char *at = (const unsigned char *)talk->pieces[i].octets + 5;

		if (talk->pieces[i].from == from)
			return edge_copy((struct view){(const char *)at + 4, (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3]});
	}
	return VIEW_NONE;
}

/* As much is read as is there, and not an octet more. */
START_TEST(hellos_cut_off)
{
	struct tls_talk_setup setup = {.version = TLS1_2_VERSION, .sni = "mx.example.net", .alpn = "smtp",
	    .cipher = "ECDHE-ECDSA-AES128-SHA"};
	struct tls_talk *talk = tls_talk_new(&setup);
	struct view client = first_message(talk, TLS_CLIENT), server = first_message(talk, TLS_SERVER);
	struct tls_hello hello;

	ck_assert(tls_client_hello_parse(client, &hello));
	assert_view(hello.sni, "mx.example.net");
	assert_view(hello.alpn, "smtp");
	ck_assert_uint_eq(hello.random.len, 32);
	ck_assert(hello.encrypt_then_mac && hello.extended_master_secret && !hello.early_data);
	ck_assert_uint_eq(hello.version, TLS_1_2);
	ck_assert(tls_server_hello_parse(server, &hello));
	ck_assert_uint_eq(hello.cipher, 0xc009);
	ck_assert_uint_eq(hello.version, TLS_1_2);
	ck_assert(hello.encrypt_then_mac && hello.extended_master_secret && !hello.retry);
	assert_view(hello.alpn, "smtp");
	for (int side = 0; side < 2; side++) {
		struct view whole = side == 0 ? client : server;

		for (size_t len = 0; len < whole.len; len++) {
			struct view part = edge_copy(view_first(whole, len));
			bool parsed = side == 0 ? tls_client_hello_parse(part, &hello) : tls_server_hello_parse(part, &hello);

			/* Version, random, and the empty session id; lists and extensions come behind. */
			ck_assert(!parsed || len > 2 + 32 + 1);
			if (parsed)
				ck_assert_uint_eq(hello.random.len, 32);
			edge_free(part);
		}
		edge_free(whole);
	}
	tls_talk_free(talk);
}
END_TEST

START_TEST(certificates_cut_off)
{
	struct tls_talk_setup setup = {.version = TLS1_2_VERSION};
	struct tls_talk *talk = tls_talk_new(&setup);
	unsigned char *der = NULL;
	int len = i2d_X509(SSL_get_certificate(talk->ssl[TLS_SERVER]), &der);
	unsigned named = 0;
	char *subject, *issuer;

	ck_assert_int_gt(len, 0);
	for (int end = 0; end <= len; end++) {
		struct view part = edge_copy((struct view){(const char *)der, (size_t)end});

		if (tls_certificate_names(part, &subject, &issuer)) {
			ck_assert_str_eq(issuer, "CN=Example CA");
			named++;
		}
		free(subject);
		free(issuer);
		edge_free(part);
	}
	/* An element that is cut is none: only the whole certificate has names. */
	ck_assert_uint_eq(named, 1);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	OPENSSL_free(der);
	tls_talk_free(talk);
}
END_TEST

START_TEST(certificates_with_wrong_octets)
{
	struct tls_talk_setup setup = {.version = TLS1_2_VERSION};
	struct tls_talk *talk = tls_talk_new(&setup);
	unsigned char *der = NULL;
	int len = i2d_X509(SSL_get_certificate(talk->ssl[TLS_SERVER]), &der);
	unsigned unnamed = 0;
	char *subject, *issuer;

	ck_assert_int_gt(len, 0);
	for (int at = 0; at < len; at++) {
		for (int bit = 0; bit < 8; bit++) {
			struct view copy = edge_copy((struct view){(const char *)der, (size_t)len});

			((char *)(uintptr_t)copy.at)[at] ^= (char)(1 << bit);
			unnamed += !tls_certificate_names(copy, &subject, &issuer);
			ck_assert((subject == NULL) == (issuer == NULL));
			free(subject);
			free(issuer);
			edge_free(copy);
		}
	}
	ck_assert_uint_gt(unnamed, 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	OPENSSL_free(der);
	tls_talk_free(talk);
}
END_TEST

START_TEST(alerts_have_names)
{
	ck_assert_str_eq(tls_alert_name(0), "close_notify");
	ck_assert_str_eq(tls_alert_name(40), "handshake_failure");
	ck_assert_str_eq(tls_alert_name(48), "unknown_ca");
	ck_assert_str_eq(tls_alert_name(116), "certificate_required");
	ck_assert_str_eq(tls_alert_name(1), "");
	ck_assert_str_eq(tls_alert_name(255), "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls facts");
	TCase *tcase = tcase_create("tls facts");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, hellos_tell_what_was_agreed, 0, sizeof talks / sizeof talks[0]);
	tcase_add_loop_test(tcase, alerts_tell_why_not, 0, sizeof refusals / sizeof refusals[0]);
	tcase_add_test(tcase, what_may_be_an_alert_establishes_nothing);
	tcase_add_loop_test(tcase, what_is_no_record_ends_it, 0, sizeof starts / sizeof starts[0]);
	tcase_add_loop_test(tcase, under_way, 0, sizeof talks / sizeof talks[0]);
	tcase_add_test(tcase, hellos_cut_off);
	tcase_add_test(tcase, certificates_cut_off);
	tcase_add_test(tcase, certificates_with_wrong_octets);
	tcase_add_test(tcase, alerts_have_names);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
