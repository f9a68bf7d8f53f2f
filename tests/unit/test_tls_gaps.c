/* SPDX-License-Identifier: MIT */
/* Octets that are missing: what is decrypted before and behind them, and what is not. */
#include <stdlib.h>

#include "tests/unit/edge.h"
#include "tests/unit/tls_talk.h"

static const struct {
	struct tls_talk_setup setup;
	bool taken_up;                  /* behind a gap it goes on */
} talks[] = {
	{{.version = TLS1_3_VERSION, .cipher = "TLS_AES_128_GCM_SHA256"}, true},
	{{.version = TLS1_3_VERSION, .cipher = "TLS_CHACHA20_POLY1305_SHA256"}, true},
	{{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES256-GCM-SHA384"}, true},
	{{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA256"}, true},
	{{.version = TLS1_2_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA", .options = SSL_OP_NO_ENCRYPT_THEN_MAC}, true},
	{{.version = TLS1_1_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}, true},
	{{.version = TLS1_VERSION, .cipher = "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}, false}
};

/* What is missing of a side's octets. */
struct hole {
	enum tls_side side;
	size_t        at, len;
};

/* Has all read but the hole. */
static void
hear_around(struct tls_heard *heard, struct tls_reader *reader, const struct tls_talk *talk, const struct hole *hole,
    size_t cut)
{
	size_t at = 0;

	for (size_t i = 0; i < talk->count; i++) {
		const struct tls_talk_piece *p = &talk->pieces[i];
		size_t before = p->len, missing = 0;

		if (p->from == hole->side && hole->at < at + p->len && at < hole->at + hole->len) {
			before = hole->at > at ? hole->at - at : 0;
			missing = hole->at + hole->len - at - before;
			if (missing > p->len - before)
				missing = p->len - before;
		}
		tls_heard_feed(heard, reader, p->from, p->octets, before, cut);
		if (missing > 0)
			tls_reader_gap(reader, hole->side, missing);
		tls_heard_feed(heard, reader, p->from, p->octets + before + missing, p->len - before - missing, cut);
		at += p->from == hole->side ? p->len : 0;
	}
}

/* How many octets of the text are heard up to the first that is another. */
static size_t
common_start(const struct tls_talk_text *a, const struct tls_talk_text *b)
{
	size_t n = 0;

	while (n < a->len && n < b->len && a->octets[n] == b->octets[n])
		n++;
	return n;
}

/* What is heard is what was said, with one piece missing; returns how much is behind it. */
static size_t
assert_one_piece_is_missing(const struct tls_talk_text *said, const struct tls_talk_text *heard)
{
	size_t start = common_start(said, heard), rest;

	ck_assert_uint_le(heard->len, said->len);
	rest = heard->len - start;
	ck_assert(rest == 0 || memcmp(heard->octets + start, said->octets + said->len - rest, rest) == 0);
	return rest;
}

static size_t
sent_by(const struct tls_talk *talk, enum tls_side side, size_t first)
{
	size_t len = 0;

	for (size_t i = first; i < talk->count; i++)
		len += talk->pieces[i].from == side ? talk->pieces[i].len : 0;
	return len;
}

static void
a_session(struct tls_talk *talk)
{
	for (size_t i = 0; i < 10; i++) {
		tls_talk_say_much(talk, TLS_SERVER, 30 + i);
		tls_talk_say_much(talk, TLS_CLIENT, 20 + i);
	}
	tls_talk_say_much(talk, TLS_CLIENT, 60000);
	for (size_t i = 0; i < 100; i++)
		tls_talk_say_much(talk, TLS_SERVER, 30 + i);
	for (size_t i = 0; i < 30; i++)
		tls_talk_say_much(talk, TLS_CLIENT, 1000 + i);
	tls_talk_say_much(talk, TLS_SERVER, 30000);
}

/* Behind the handshake: what is lost is the hole, and the records that it touches. */
START_TEST(a_hole_in_what_is_said)
{
	struct tls_talk   *talk = tls_talk_new(&talks[_i].setup);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);
	size_t             first = talk->count;
	uint32_t           state = 7;
	unsigned           behind = 0;

	a_session(talk);
	for (int round = 0; round < 80; round++) {
		enum tls_side side = round % 2 == 0 ? TLS_CLIENT : TLS_SERVER;
		size_t all = sent_by(talk, side, 0), application = sent_by(talk, side, first), rest;
		struct hole hole = {side, all - application + 100 + tls_talk_random(&state) % (application - 100),
		    1 + tls_talk_random(&state) % 3000};
		struct tls_reader *reader = tls_reader_new(log);
		struct tls_heard heard = {.hellos = 0};

		hear_around(&heard, reader, talk, &hole, round % 3 == 0 ? 1460 : 0);
		ck_assert_uint_eq(heard.said[!side].len, talk->said[!side].len);
		ck_assert_uint_eq(heard.opaque[!side], 0);
		ck_assert_uint_eq(heard.not_tls[side], 0);
		rest = assert_one_piece_is_missing(&talk->said[side], &heard.said[side]);
		behind += rest > 0;
		if (!talks[_i].taken_up)
			ck_assert_uint_eq(rest, 0);
		else
			ck_assert_uint_le(talk->said[side].len - heard.said[side].len, hole.len + 2 * 16384);
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	ck_assert(talks[_i].taken_up == (behind > 0));
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/* Anywhere, the handshake too: nothing is made up, and what is not decrypted is counted. */
START_TEST(a_hole_anywhere)
{
	struct tls_talk   *talk = tls_talk_new(&talks[_i].setup);
	struct tls_keylog *log = tls_talk_keylog(talk, NULL);
	uint32_t           state = 11;

	tls_talk_say_much(talk, TLS_SERVER, 100);
	tls_talk_say_much(talk, TLS_CLIENT, 200);
	tls_talk_say_much(talk, TLS_SERVER, 300);
	for (int round = 0; round < 250; round++) {
		enum tls_side side = round % 2 == 0 ? TLS_CLIENT : TLS_SERVER;
		struct hole hole = {side, tls_talk_random(&state) % sent_by(talk, side, 0), 1 + tls_talk_random(&state) % 200};
		struct tls_reader *reader = tls_reader_new(round % 5 == 0 ? NULL : log);
		struct tls_heard heard = {.hellos = 0};

		hear_around(&heard, reader, talk, &hole, round % 3 == 0 ? 50 : 0);
		for (int s = 0; s < 2; s++) {
			assert_one_piece_is_missing(&talk->said[s], &heard.said[s]);
			ck_assert(heard.said[s].len == talk->said[s].len || heard.opaque[s] > 0 || (s == (int)side &&
			    hole.at + hole.len >= sent_by(talk, side, 0)));
			ck_assert_uint_eq(heard.not_tls[s], 0);
		}
		tls_heard_clear(&heard);
		tls_reader_free(reader);
	}
	tls_keylog_free(log);
	tls_talk_free(talk);
}
END_TEST

/* The side with a gap is believed to be as far as the other's octets tell. */
START_TEST(established_all_the_same)
{
	struct tls_talk   *talk = tls_talk_new(&talks[_i].setup);
	struct tls_reader *reader = tls_reader_new(NULL);
	struct tls_heard   heard = {.hellos = 0};
	struct hole        hole = {TLS_CLIENT, 300, 1};

	tls_talk_say_much(talk, TLS_SERVER, 100);
	hole.at = sent_by(talk, TLS_CLIENT, 0) - 40;
	hear_around(&heard, reader, talk, &hole, 0);
	ck_assert(tls_reader_facts(reader)->established);
	tls_heard_clear(&heard);
	tls_reader_free(reader);
	tls_talk_free(talk);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls gaps");
	TCase *tcase = tcase_create("tls gaps");
	int    count = sizeof talks / sizeof talks[0];

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, a_hole_in_what_is_said, 0, count);
	tcase_add_loop_test(tcase, a_hole_anywhere, 0, count);
	tcase_add_loop_test(tcase, established_all_the_same, 0, count);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
