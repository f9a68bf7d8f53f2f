/* SPDX-License-Identifier: MIT */
/* Base64 both ways: RFC 4648's own vectors, every octet, and what is not base64. */
#include <check.h>
#include <stdlib.h>

#include "decoders/base64.h"

static const struct {
	const char *octets, *text;
} vectors[] = {                         /* RFC 4648 10 */
	{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
	{"foobar", "Zm9vYmFy"}
};

static const char *const wrong[] = {
	"A", "AA", "AAA", "AA=", "A===", "====", "=AAA", "AA=A", "AAAA=", "AAAAA===", "AA==AAAA", "AA A", "AAA\n",
	"AA-_", "\xff\xff\xff\xff", "AAA\0"
};

START_TEST(vectors_of_the_rfc)
{
	struct view octets = view_of(vectors[_i].octets), text = view_of(vectors[_i].text);
	char out[16];

	ck_assert(view_equal((struct view){out, base64_encode(octets, out)}, text));
	ck_assert_int_eq(base64_decode(text, out, sizeof(out)), (long)octets.len);
	ck_assert(view_equal((struct view){out, octets.len}, octets));
}
END_TEST

START_TEST(there_and_back)
{
	for (size_t len = 0; len <= 256; len++) {
		/* Exactly as long as needed, so that a sanitizer sees one octet too far. */
		char *octets = malloc(len + 1), *text = malloc((len + 2) / 3 * 4 + 1), *back = malloc(len + 1);
		size_t text_len;

		for (size_t i = 0; i < len; i++)
			octets[i] = (char)(i * 7 + len);
		text_len = base64_encode((struct view){octets, len}, text);
		ck_assert_uint_eq(text_len, (len + 2) / 3 * 4);
		ck_assert_int_eq(base64_decode((struct view){text, text_len}, back, len), (long)len);
		ck_assert(view_equal((struct view){back, len}, (struct view){octets, len}));
		free(octets);
		free(text);
		free(back);
	}
}
END_TEST

START_TEST(what_is_not_base64)
{
	char out[16];
	struct view text = view_of(wrong[_i]);

	if (_i == sizeof(wrong) / sizeof(wrong[0]) - 1)
		text.len = 4;           /* the NUL is part of it */
	ck_assert_int_eq(base64_decode(text, out, sizeof(out)), -1);
}
END_TEST

START_TEST(no_more_than_there_is_room_for)
{
	char out[4] = "....";

	ck_assert_int_eq(base64_decode(VIEW("Zm9vYmFy"), out, 2), 2);
	ck_assert(memcmp(out, "fo..", 4) == 0);
	ck_assert_int_eq(base64_decode(VIEW("Zm9vYmFy"), out, 0), 0);
	ck_assert_int_eq(base64_decode(VIEW("Zm9v*mFy"), out, 2), -1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("base64");
	TCase *tcase = tcase_create("base64");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, vectors_of_the_rfc, 0, sizeof(vectors) / sizeof(vectors[0]));
	tcase_add_test(tcase, there_and_back);
	tcase_add_loop_test(tcase, what_is_not_base64, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tcase, no_more_than_there_is_room_for);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
