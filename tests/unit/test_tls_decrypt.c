/* SPDX-License-Identifier: MIT */
/*
 * With a key log everything that two real ends said comes out, whatever they agreed on and
 * however it is cut.
 */
#include "tests/unit/edge.h"
#include "tests/unit/tls_talk.h"

#define NO_ETM SSL_OP_NO_ENCRYPT_THEN_MAC
#define NO_EMS SSL_OP_NO_EXTENDED_MASTER_SECRET

#define V12(...) {.version = TLS1_2_VERSION, __VA_ARGS__}
#define V13(...) {.version = TLS1_3_VERSION, __VA_ARGS__}

static const struct tls_talk_setup setups[] = {
	V12(.cipher = "ECDHE-ECDSA-AES128-GCM-SHA256", .sni = "mx.example.net"),
	V12(.cipher = "ECDHE-ECDSA-AES128-GCM-SHA256", .options = NO_EMS),
	V12(.cipher = "ECDHE-ECDSA-AES256-GCM-SHA384", .client_certificate = true),
	V12(.cipher = "ECDHE-ECDSA-CHACHA20-POLY1305", .alpn = "smtp"),
	V12(.cipher = "ECDHE-ECDSA-AES128-CCM"),
	V12(.cipher = "ECDHE-ECDSA-AES256-CCM8"),
	V12(.cipher = "ECDHE-ECDSA-ARIA128-GCM-SHA256"),
	V12(.cipher = "ECDHE-ECDSA-ARIA256-GCM-SHA384"),
	V12(.cipher = "ECDHE-ECDSA-AES128-SHA"),
	V12(.cipher = "ECDHE-ECDSA-AES128-SHA", .options = NO_ETM),
	V12(.cipher = "ECDHE-ECDSA-AES256-SHA", .options = NO_ETM | NO_EMS),
	V12(.cipher = "ECDHE-ECDSA-AES128-SHA256"),
	V12(.cipher = "ECDHE-ECDSA-AES128-SHA256", .options = NO_ETM),
	V12(.cipher = "ECDHE-ECDSA-AES256-SHA384"),
	V12(.cipher = "ECDHE-ECDSA-AES256-SHA384", .options = NO_ETM),
	V12(.cipher = "ECDHE-ECDSA-CAMELLIA128-SHA256"),
	V12(.cipher = "ECDHE-ECDSA-CAMELLIA256-SHA384", .options = NO_ETM),
	V12(.cipher = "ECDHE-ECDSA-AES256-GCM-SHA384", .resume = true),
	V12(.cipher = "ECDHE-ECDSA-AES256-GCM-SHA384", .resume = true, .options = SSL_OP_NO_TICKET),
	V12(.cipher = "ECDHE-ECDSA-AES128-SHA", .resume = true),
	{.version = TLS1_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"},
	{.version = TLS1_VERSION, .cipher = "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", .options = NO_ETM},
	{.version = TLS1_1_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"},
	{.version = TLS1_1_VERSION, .cipher = "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0", .options = NO_ETM | NO_EMS},
	V13(.cipher = "TLS_AES_128_GCM_SHA256", .sni = "mx.example.net", .alpn = "smtp", .client_alpn = "other"),
	V13(.cipher = "TLS_AES_256_GCM_SHA384"),
	V13(.cipher = "TLS_CHACHA20_POLY1305_SHA256"),
	V13(.cipher = "TLS_AES_128_CCM_SHA256"),
	V13(.cipher = "TLS_AES_128_CCM_8_SHA256"),
	V13(.options = SSL_OP_NO_TICKET),
	V13(.client_groups = "X25519:P-256", .server_groups = "P-256", .sni = "mx.example.net"),
	V13(.client_certificate = true),
	V13(.resume = true),
	V13(.cipher = "TLS_AES_256_GCM_SHA384", .resume = true, .options = SSL_OP_NO_TICKET)
};

/* Pieces of 1 to so many octets; 0: as they were sent. */
static const size_t cuts[] = {0, 1, 3, 50, 1460, 5000};

static struct tls_keylog *
keylog_of(const struct tls_talk *talk)
{
	struct tls_keylog *log = tls_keylog_new();
	size_t             bad;

	tls_keylog_add(log, (struct view){talk->keylog.octets, talk->keylog.len}, &bad);
	ck_assert_uint_eq(bad, 0);
	return log;
}

/* Everything that was said is heard; nothing is left over. */
static void
assert_heard(const struct tls_talk *talk, const struct tls_heard *heard)
{
	for (int side = 0; side < 2; side++) {
		ck_assert_uint_eq(heard->said[side].len, talk->said[side].len);
		ck_assert(talk->said[side].len == 0 ||
		    memcmp(heard->said[side].octets, talk->said[side].octets, talk->said[side].len) == 0);
		ck_assert_uint_eq(heard->opaque[side], 0);
		ck_assert_uint_eq(heard->not_tls[side], 0);
	}
}

static void
hear_all(const struct tls_talk *talk, size_t cut, struct tls_heard *heard, struct tls_reader *reader)
{
	for (size_t i = 0; i < talk->count; i++)
		tls_heard_feed(heard, reader, talk->pieces[i].from, talk->pieces[i].octets, talk->pieces[i].len, cut);
}

static void
a_session(struct tls_talk *talk)
{
	tls_talk_say(talk, TLS_SERVER, "220 mx.example.net ESMTP\r\n", 26);
	tls_talk_say(talk, TLS_CLIENT, "EHLO client.example.org\r\n", 25);
	tls_talk_say(talk, TLS_SERVER, "250-mx.example.net\r\n", 20);
	tls_talk_say(talk, TLS_SERVER, "250 SIZE 1000\r\n", 15);
	tls_talk_say_much(talk, TLS_CLIENT, 40000);
	tls_talk_say_much(talk, TLS_SERVER, 16384);
	for (size_t len = 1; len < 70; len++)
		tls_talk_say_much(talk, TLS_CLIENT, len);
	tls_talk_close(talk, TLS_CLIENT);
	tls_talk_close(talk, TLS_SERVER);
}

START_TEST(everything_is_heard)
{
	const struct tls_talk_setup *setup = &setups[_i];
	struct tls_talk   *talk = tls_talk_new(setup);
	struct tls_keylog *log = keylog_of(talk);

	a_session(talk);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct tls_reader *reader = tls_reader_new(log);
		const struct tls_facts *facts = tls_reader_facts(reader);
		struct tls_heard heard = {.hellos = 0};

		hear_all(talk, cuts[i], &heard, reader);
		assert_heard(talk, &heard);
		ck_assert(facts->established);
		ck_assert(facts->decrypting);
		ck_assert(facts->closed[TLS_CLIENT] && facts->closed[TLS_SERVER]);
		ck_assert(!facts->alerted);
		assert_view(facts->version, SSL_get_version(talk->ssl[TLS_CLIENT]));
		assert_view(facts->cipher, SSL_CIPHER_standard_name(SSL_get_current_cipher(talk->ssl[TLS_CLIENT])));
		assert_view(facts->sni, setup->sni);
		assert_view(facts->alpn, setup->alpn);
		assert_view(facts->subject, setup->resume ? NULL : "CN=mx.example.net,O=Ex\\, \xc3\xa4mple,C=XX");
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls decrypt");
	TCase *tcase = tcase_create("tls decrypt");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, everything_is_heard, 0, sizeof setups / sizeof setups[0]);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
