/* SPDX-License-Identifier: MIT */
/*
 * Octets that nobody meant to be read: changed on the way, cut, made up. Nothing is heard that
 * was not said, nothing crashes, and whatever is fed is gone through. SMTPSCOPE_LONG=1 makes it
 * fifty times as many.
 */
#include <stdlib.h>

#include "tests/unit/edge.h"
#include "tests/unit/tls_talk.h"

static const struct tls_talk_setup setups[] = {
	{.version = TLS1_3_VERSION, .cipher = "TLS_AES_256_GCM_SHA384", .sni = "mx.example.net", .alpn = "smtp"},
	{.version = TLS1_3_VERSION, .client_groups = "X25519:P-256", .server_groups = "P-256", .client_certificate = true},
	{.version = TLS1_3_VERSION, .resume = true, .early = true},
	{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-CHACHA20-POLY1305", .sni = "mx.example.net"},
	{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES128-CCM"},
	{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES256-SHA384"},
	{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA", .options = SSL_OP_NO_ENCRYPT_THEN_MAC},
	{.version = TLS1_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}
};

static int
rounds(int usual)
{
	return getenv("SMTPSCOPE_LONG") != NULL ? 50 * usual : usual;
}


/* Some of the octets are others than were sent, some are gone, some are new. Nobody tells. */
static void
spoil(struct tls_talk_piece *piece, uint32_t *state)
{
	size_t at = tls_talk_random(state) % piece->len, n = 1 + tls_talk_random(state) % 20;

	switch (tls_talk_random(state) % 4) {
	case 0:
		piece->octets[at] ^= (char)(1 << tls_talk_random(state) % 8);
		break;
	case 1:
		for (size_t i = at; i < piece->len && i < at + n; i++)
			piece->octets[i] = (char)tls_talk_random(state);
		break;
	case 2:
		n = n < piece->len - at ? n : piece->len - at;
		memmove(piece->octets + at, piece->octets + at + n, piece->len - at - n);
		piece->len -= n;
		break;
	default:
		piece->octets = realloc(piece->octets, piece->len + n);
		memmove(piece->octets + at + n, piece->octets + at, piece->len - at);
		for (size_t i = 0; i < n; i++)
			piece->octets[at + i] = (char)tls_talk_random(state);
		piece->len += n;
		break;
	}
}

START_TEST(changed_on_the_way)
{
	struct tls_talk   *talk = tls_talk_new(&setups[_i]);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);
	uint32_t           state = 1 + (uint32_t)_i;

	for (int i = 0; i < 3; i++) {
		tls_talk_say_much(talk, TLS_SERVER, 100);
		tls_talk_say_much(talk, TLS_CLIENT, 200);
	}
	if (setups[_i].version == TLS1_3_VERSION)
		tls_talk_update_key(talk, TLS_CLIENT, true);
	tls_talk_say_much(talk, TLS_CLIENT, 20000);
	tls_talk_close(talk, TLS_SERVER);
	for (int round = 0; round < rounds(300); round++) {
		struct tls_reader *reader = tls_reader_new(round % 4 == 0 ? NULL : log);
		struct tls_heard heard = {.hellos = 0};
		size_t spoilt = tls_talk_random(&state) % talk->count;

		for (size_t i = 0; i < talk->count; i++) {
			struct tls_talk_piece copy = talk->pieces[i];

			copy.octets = malloc(copy.len);
			memcpy(copy.octets, talk->pieces[i].octets, copy.len);
			if (i == spoilt)
				spoil(&copy, &state);
			tls_heard_feed(&heard, reader, copy.from, copy.octets, copy.len, round % 3 == 0 ? 100 : 0);
			free(copy.octets);
		}
		for (int side = 0; side < 2; side++) {
			ck_assert_uint_le(heard.said[side].len, talk->said[side].len);
			ck_assert(heard.said[side].len == 0 ||
			    memcmp(heard.said[side].octets, talk->said[side].octets, heard.said[side].len) == 0);
		}
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

START_TEST(made_up_octets)
{
	uint32_t state = 99;

	for (int round = 0; round < rounds(500); round++) {
		struct tls_reader *reader = tls_reader_new(NULL);
		struct tls_heard heard = {.hellos = 0};
		char octets[2000];
		size_t fed[2] = {0, 0};

		for (int turn = 0; turn < 10; turn++) {
			size_t len = 1 + tls_talk_random(&state) % (sizeof octets - 1);
			enum tls_side side = tls_talk_random(&state) % 2;

			for (size_t i = 0; i < len; i++)
				octets[i] = (char)tls_talk_random(&state);
			/* Often enough something that could be a record. */
			for (size_t at = 0; at + 5 < len && round % 2 == 0; at += 5 + tls_talk_random(&state) % 200) {
				octets[at] = (char)(20 + tls_talk_random(&state) % 5);
				octets[at + 1] = 3;
				octets[at + 2] = (char)(tls_talk_random(&state) % 5);
				octets[at + 3] = 0;
			}
			tls_heard_feed(&heard, reader, side, octets, len, 300);
			fed[side] += len;
		}
		for (int side = 0; side < 2; side++) {
			ck_assert_uint_eq(heard.said[side].len, 0);
			ck_assert_uint_le(heard.opaque[side] + heard.not_tls[side], fed[side]);
		}
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
}
END_TEST

/* A handshake record with a message that begins as the type says and goes on at random. */
static size_t
made_up_message(char *octets, size_t room, uint32_t *state)
{
	static const char types[] = {1, 2, 8, 11, 20, 24};
	size_t len = 10 + tls_talk_random(state) % (room - 10), body = len - 5;

	for (size_t i = 0; i < len; i++)
		octets[i] = (char)(tls_talk_random(state) % 3 == 0 ? tls_talk_random(state) : tls_talk_random(state) % 4);
	memcpy(octets, "\x16\x03\x03", 3);
	octets[3] = (char)(body >> 8);
	octets[4] = (char)body;
	octets[5] = types[tls_talk_random(state) % sizeof types];
	octets[6] = 0;
	octets[7] = (char)((body - 4) >> 8);
	octets[8] = (char)(body - 4);
	if (len > 11)
		memcpy(octets + 9, "\x03\x03", 2);
	if (len > 60)
		octets[43] = 0;         /* no session id: ciphers and extensions follow */
	return len;
}

START_TEST(made_up_messages)
{
	uint32_t state = 5;
	unsigned hellos = 0;

	for (int round = 0; round < rounds(3000); round++) {
		struct tls_reader *reader = tls_reader_new(NULL);
		struct tls_heard heard = {.hellos = 0};
		char octets[400];

		for (int turn = 0; turn < 4; turn++) {
			size_t len = made_up_message(octets, sizeof octets, &state);

			tls_heard_feed(&heard, reader, turn % 2 == 0 ? TLS_CLIENT : TLS_SERVER, octets, len, round % 2 * 7);
		}
		hellos += heard.hellos;
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	ck_assert_uint_gt(hellos, 100);
}
END_TEST

/* A message of 16 MiB that never ends, and one that is as long as is still read. */
START_TEST(messages_without_end)
{
	struct tls_reader *reader = tls_reader_new(NULL);
	struct tls_heard   heard = {.hellos = 0};
	static char        record[5 + 16384] = "\x16\x03\x03\x40\x00\x01\xff\xff\xff\x03\x03";

	for (int i = 0; i < 100; i++) {
		tls_heard_feed(&heard, reader, TLS_CLIENT, record, sizeof record, i % 2 * 1000);
		tls_heard_feed(&heard, reader, TLS_SERVER, record, sizeof record, 0);
	}
	ck_assert_uint_eq(heard.hellos, 0);
	ck_assert_uint_eq(heard.not_tls[TLS_CLIENT], 0);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	reader = tls_reader_new(NULL);
	memcpy(record + 5, "\x01\x02\x00\x00\x03\x03", 6);      /* 128 KiB: 8 records of 16 KiB, and 4 octets */
	for (int i = 0; i < 9; i++) {
		tls_heard_feed(&heard, reader, TLS_CLIENT, record, sizeof record, i % 2 * 1000);
		ck_assert_uint_eq(heard.hellos, i < 8 ? 0 : 1);
		memset(record + 5, 0, 6);
	}
	tls_heard_clear(&heard);
	tls_reader_free(reader);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls hostile");
	TCase *tcase = tcase_create("tls hostile");

	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, changed_on_the_way, 0, sizeof setups / sizeof setups[0]);
	tcase_add_test(tcase, made_up_octets);
	tcase_add_test(tcase, made_up_messages);
	tcase_add_test(tcase, messages_without_end);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
