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
	V13(.padding = 512),
	V13(.cipher = "TLS_CHACHA20_POLY1305_SHA256", .padding = 16384),
	V13(.resume = true),
	V13(.cipher = "TLS_AES_256_GCM_SHA384", .resume = true, .options = SSL_OP_NO_TICKET)
};

/* Pieces of 1 to so many octets; 0: as they were sent. */
static const size_t cuts[] = {0, 1, 3, 50, 1460, 5000};

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
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);

	a_session(talk);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct tls_reader *reader = tls_reader_new(log);
		const struct tls_facts *facts = tls_reader_facts(reader);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_talk(&heard, reader, talk, cuts[i]);
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

/* Reads the talk with a key log in several ways of cutting; all must hear everything. */
static void
assert_all_is_heard(const struct tls_talk *talk)
{
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);

	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct tls_reader *reader = tls_reader_new(log);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_talk(&heard, reader, talk, cuts[i]);
		assert_heard(talk, &heard);
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
}

START_TEST(keys_are_updated)
{
	static const char *const ciphers[] = {
		"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"
	};
	struct tls_talk_setup setup = {.version = TLS1_3_VERSION, .cipher = ciphers[_i]};
	struct tls_talk *talk = tls_talk_new(&setup);

	for (int i = 0; i < 3; i++) {
		tls_talk_say_much(talk, TLS_CLIENT, 100);
		tls_talk_update_key(talk, TLS_CLIENT, i == 1);
		tls_talk_say_much(talk, TLS_SERVER, 17000);
		tls_talk_update_key(talk, TLS_SERVER, i == 2);
		tls_talk_update_key(talk, TLS_SERVER, false);
		tls_talk_say_much(talk, TLS_CLIENT, 300);
	}
	assert_all_is_heard(talk);
	tls_talk_free(talk);
}
END_TEST

START_TEST(agreed_anew)
{
	static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA"};
	struct tls_talk_setup setup = {.version = TLS1_2_VERSION, .cipher = ciphers[_i], .sni = "mx.example.net"};
	struct tls_talk *talk = tls_talk_new(&setup);

	tls_talk_say(talk, TLS_SERVER, "220 before\r\n", 12);
	tls_talk_renegotiate(talk);
	tls_talk_say(talk, TLS_CLIENT, "EHLO after\r\n", 12);
	tls_talk_say(talk, TLS_SERVER, "250 after\r\n", 11);
	assert_all_is_heard(talk);
	tls_talk_free(talk);
}
END_TEST

/* Early data has keys of its own, which are not read: what comes behind it has all the same. */
START_TEST(early_data_is_stepped_over)
{
	struct tls_talk_setup setup = {.version = TLS1_3_VERSION, .resume = true, .early = true};
	struct tls_talk   *talk = tls_talk_new(&setup);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);

	tls_talk_say(talk, TLS_SERVER, "220 mx.example.net\r\n", 20);
	tls_talk_say(talk, TLS_CLIENT, "QUIT\r\n", 6);
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
		struct tls_reader *reader = tls_reader_new(log);
		struct tls_heard heard = {.hellos = 0};

		tls_heard_talk(&heard, reader, talk, cuts[i]);
		ck_assert_uint_eq(heard.said[TLS_SERVER].len, 20);
		ck_assert_uint_eq(heard.said[TLS_CLIENT].len, 6);
		ck_assert_mem_eq(heard.said[TLS_CLIENT].octets, "QUIT\r\n", 6);
		/* What was said early, and its end: each with its type and tag. */
		ck_assert_uint_eq(heard.opaque[TLS_CLIENT], 18 + 17 + 4 + 17);
		ck_assert_uint_eq(heard.opaque[TLS_SERVER], 0);
		ck_assert(tls_reader_facts(reader)->decrypting);
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/* A key log that has not all: what of a side cannot be decrypted is counted, never made up. */
static const struct {
	int         version;
	const char *labels;
	bool        heard[2], decrypting;
} partial[] = {
	{TLS1_2_VERSION, "", {false, false}, false},
	{TLS1_2_VERSION, "CLIENT_RANDOM", {true, true}, true},
	{TLS1_3_VERSION, "", {false, false}, false},
	{TLS1_3_VERSION, "CLIENT_HANDSHAKE_TRAFFIC_SECRET SERVER_HANDSHAKE_TRAFFIC_SECRET", {false, false}, false},
	{TLS1_3_VERSION, "SERVER_HANDSHAKE_TRAFFIC_SECRET SERVER_TRAFFIC_SECRET_0", {false, true}, true},
	{TLS1_3_VERSION, "CLIENT_HANDSHAKE_TRAFFIC_SECRET CLIENT_TRAFFIC_SECRET_0", {true, false}, true},
	{TLS1_3_VERSION, "CLIENT_TRAFFIC_SECRET_0 SERVER_TRAFFIC_SECRET_0", {false, false}, false}
};

START_TEST(as_much_as_there_are_secrets_for)
{
	struct tls_talk_setup setup = {.version = partial[_i].version};
	struct tls_talk   *talk = tls_talk_new(&setup);
	struct tls_keylog *log = tls_talk_keylog(talk, partial[_i].labels);
	struct tls_reader *reader = tls_reader_new(log);
	struct tls_heard   heard = {.hellos = 0};

	tls_talk_say_much(talk, TLS_SERVER, 200);
	tls_talk_say_much(talk, TLS_CLIENT, 20000);
	tls_heard_talk(&heard, reader, talk, 0);
	for (int side = 0; side < 2; side++) {
		ck_assert_uint_eq(heard.said[side].len, partial[_i].heard[side] ? talk->said[side].len : 0);
		if (partial[_i].heard[side])
			ck_assert_uint_eq(heard.opaque[side], 0);
		else
			ck_assert_uint_gt(heard.opaque[side], talk->said[side].len);
	}
	ck_assert(tls_reader_facts(reader)->established);
	ck_assert_int_eq(tls_reader_facts(reader)->decrypting, partial[_i].decrypting);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/* Secrets that are another connection's. */
START_TEST(with_wrong_secrets)
{
	struct tls_talk_setup setup = {.version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION};
	struct tls_talk   *talk = tls_talk_new(&setup);
	struct tls_keylog *log;
	struct tls_reader *reader;
	struct tls_heard   heard = {.hellos = 0};

	/* The first digit of every secret becomes another: it stands behind the last space of a line. */
	for (size_t i = 0, at = 0; i < talk->keylog.len; i++) {
		if (talk->keylog.octets[i] == ' ')
			at = i + 1;
		else if (talk->keylog.octets[i] == '\n')
			talk->keylog.octets[at] = talk->keylog.octets[at] == '0' ? '1' : '0';
	}
	log = tls_talk_keylog(talk, NULL);
	reader = tls_reader_new(log);
	tls_talk_say_much(talk, TLS_SERVER, 200);
	tls_talk_say_much(talk, TLS_CLIENT, 200);
	tls_heard_talk(&heard, reader, talk, 0);
	for (int side = 0; side < 2; side++) {
		ck_assert_uint_eq(heard.said[side].len, 0);
		ck_assert_uint_gt(heard.opaque[side], 200);
	}
	ck_assert(!tls_reader_facts(reader)->decrypting);
	ck_assert(tls_reader_facts(reader)->established);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/* Cut in two at every octet. */
START_TEST(cut_at_every_octet)
{
	struct tls_talk_setup setup = {.version = _i == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, .sni = "mx.example.net"};
	struct tls_talk   *talk = tls_talk_new(&setup);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);

	tls_talk_say(talk, TLS_SERVER, "220 mx.example.net\r\n", 20);
	tls_talk_say(talk, TLS_CLIENT, "QUIT\r\n", 6);
	for (size_t piece = 0; piece < talk->count; piece++) {
		for (size_t cut = 1; cut < talk->pieces[piece].len; cut++) {
			struct tls_reader *reader = tls_reader_new(log);
			struct tls_heard heard = {.hellos = 0};

			for (size_t i = 0; i < talk->count; i++) {
				const struct tls_talk_piece *p = &talk->pieces[i];
				size_t first = i == piece ? cut : p->len;

				tls_heard_feed(&heard, reader, p->from, p->octets, first, 0);
				tls_heard_feed(&heard, reader, p->from, p->octets + first, p->len - first, 0);
			}
			assert_heard(talk, &heard);
			tls_heard_clear(&heard);
			tls_reader_free(reader);
		}
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

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, everything_is_heard, 0, sizeof setups / sizeof setups[0]);
	tcase_add_loop_test(tcase, keys_are_updated, 0, 3);
	tcase_add_loop_test(tcase, agreed_anew, 0, 2);
	tcase_add_test(tcase, early_data_is_stepped_over);
	tcase_add_loop_test(tcase, as_much_as_there_are_secrets_for, 0, sizeof partial / sizeof partial[0]);
	tcase_add_loop_test(tcase, with_wrong_secrets, 0, 2);
	tcase_add_loop_test(tcase, cut_at_every_octet, 0, 2);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
