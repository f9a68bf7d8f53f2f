/* SPDX-License-Identifier: MIT */
/* Key logs: what is a line, what is none, and finding one among many. */
#include <stdio.h>
#include <stdlib.h>

#include "decoders/tls/keylog.h"
#include "tests/unit/edge.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define MASTER "202122232425262728292a2b2c2d2e2f202122232425262728292a2b2c2d2e2f202122232425262728292a2b2c2d2e2f"
#define SECRET "303132333435363738393a3b3c3d3e3f303132333435363738393a3b3c3d3e3f"

static const char client_random[32] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
	30, 31
};

static const struct {
	const char     *text;
	size_t          bad;
	enum tls_secret which;
	const char     *secret;         /* NULL: none is found */
} logs[] = {
	{"", 0, TLS_MASTER_SECRET, NULL},
	{"# made by somebody\n\n", 0, TLS_MASTER_SECRET, NULL},
	{"CLIENT_RANDOM " RANDOM " " MASTER "\n", 0, TLS_MASTER_SECRET,
	    " !\"#$%&'()*+,-./ !\"#$%&'()*+,-./ !\"#$%&'()*+,-./"},
	{"CLIENT_RANDOM " RANDOM " " MASTER "\r\n", 0, TLS_MASTER_SECRET,
	    " !\"#$%&'()*+,-./ !\"#$%&'()*+,-./ !\"#$%&'()*+,-./"},
	{"CLIENT_RANDOM " RANDOM " " MASTER "\n", 0, TLS_SERVER_TRAFFIC_SECRET, NULL},
	{"CLIENT_TRAFFIC_SECRET_0 " RANDOM " " SECRET, 0, TLS_CLIENT_TRAFFIC_SECRET, "0123456789:;<=>?0123456789:;<=>?"},
	{"SERVER_TRAFFIC_SECRET_0 " RANDOM " " SECRET "\n", 0, TLS_CLIENT_TRAFFIC_SECRET, NULL},
	{"SERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " 41\nSERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " 42\n", 0,
	    TLS_SERVER_HANDSHAKE_SECRET, "B"},
	{"EXPORTER_SECRET " RANDOM " " SECRET "\nECH_SECRET " RANDOM " 00\nRSA 0001020304050607 " MASTER "\nNEW 00 00\n",
	    0, TLS_MASTER_SECRET, NULL},
	{"CLIENT_RANDOM\nCLIENT_RANDOM " RANDOM "\nCLIENT_RANDOM " RANDOM " \n" RANDOM "\n220 mx.example.net\n", 5,
	    TLS_MASTER_SECRET, NULL},
	{"CLIENT_RANDOM " RANDOM " " MASTER " 00\nCLIENT_RANDOM " RANDOM " " MASTER "0\nCLIENT_RANDOM 00 " MASTER "\n", 3,
	    TLS_MASTER_SECRET, NULL},
	/* A master secret has 48 octets, a traffic secret as many as a hash. */
	{"CLIENT_RANDOM " RANDOM " " SECRET "\nCLIENT_TRAFFIC_SECRET_0 " RANDOM " " SECRET SECRET "00\n", 2,
	    TLS_CLIENT_TRAFFIC_SECRET, NULL},
	{"CLIENT_RANDOM " RANDOM " g" MASTER "\n\xff\xfe" "C\n", 2, TLS_MASTER_SECRET, NULL}
};

START_TEST(lines_of_a_key_log)
{
	struct view        text = edge_copy(view_of(logs[_i].text));
	struct tls_keylog *log = tls_keylog_new();
	size_t             bad = 100;

	tls_keylog_add(log, text, &bad);
	edge_free(text);
	ck_assert_uint_eq(bad, logs[_i].bad);
	assert_view(tls_keylog_find(log, (struct view){client_random, sizeof client_random}, logs[_i].which),
	    logs[_i].secret);
	tls_keylog_free(log);
}
END_TEST

/* A key log of a busy server, which grows while it is used. */
START_TEST(one_among_many)
{
	struct tls_keylog *log = tls_keylog_new();
	size_t             bad;

	for (unsigned n = 0; n < 5000; n++) {
		char line[400];
		int  len = snprintf(line, sizeof line, "CLIENT_RANDOM %064x %096x\nCLIENT_TRAFFIC_SECRET_0 %064x %064x\n",
		    n, n + 7, n, n + 9);

		tls_keylog_add(log, (struct view){line, (size_t)len}, &bad);
		ck_assert_uint_eq(bad, 0);
	}
	for (unsigned n = 0; n <= 5000; n++) {
		unsigned char random[32] = {0}, secret[48] = {0};
		struct view found;

		random[30] = (unsigned char)(n >> 8);
		random[31] = (unsigned char)n;
		secret[46] = (unsigned char)((n + 7) >> 8);
		secret[47] = (unsigned char)(n + 7);
		found = tls_keylog_find(log, (struct view){(char *)random, sizeof random}, TLS_MASTER_SECRET);
		if (n == 5000) {
			assert_view(found, NULL);
			continue;
		}
		ck_assert_uint_eq(found.len, sizeof secret);
		ck_assert_mem_eq(found.at, secret, sizeof secret);
		found = tls_keylog_find(log, (struct view){(char *)random, sizeof random}, TLS_CLIENT_TRAFFIC_SECRET);
		ck_assert_uint_eq(found.len, 32);
		ck_assert_uint_eq((unsigned char)found.at[31], (n + 9) & 0xff);
		assert_view(tls_keylog_find(log, (struct view){(char *)random, 31}, TLS_MASTER_SECRET), NULL);
	}
	tls_keylog_free(log);
	assert_view(tls_keylog_find(NULL, (struct view){client_random, sizeof client_random}, TLS_MASTER_SECRET), NULL);
	tls_keylog_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("tls keylog");
	TCase *tcase = tcase_create("tls keylog");

	tcase_add_loop_test(tcase, lines_of_a_key_log, 0, sizeof logs / sizeof logs[0]);
	tcase_add_test(tcase, one_among_many);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
