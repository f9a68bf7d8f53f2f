/* SPDX-License-Identifier: MIT */
/* What is known of TLS without anybody's keys: hellos, certificates, alerts, and how much went by. */
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

/* The pieces of a talk, in order. */
static void
hear(struct tls_heard *heard, struct tls_reader *reader, const struct tls_talk *talk, size_t cut)
{
	for (size_t i = 0; i < talk->count; i++)
		tls_heard_feed(heard, reader, talk->pieces[i].from, talk->pieces[i].octets, talk->pieces[i].len, cut);
}

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

		hear(&heard, reader, talk, cuts[i]);
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

int
main(void)
{
	Suite *suite = suite_create("tls facts");
	TCase *tcase = tcase_create("tls facts");

	tcase_add_loop_test(tcase, hellos_tell_what_was_agreed, 0, sizeof talks / sizeof talks[0]);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
