/* SPDX-License-Identifier: MIT */
/* "Did you mean": what is near enough, and what is not worth a guess. */
#include <check.h>
#include <stdlib.h>

#include "proxy/near.h"

static const char *const names[] = {"proxy", "sink", "check", "explain", "help", "--max-line", "--max-size",
    "PIPELINING", "CHUNKING"};

static const struct {
	const char *word, *nearest;
} cases[] = {
    {"proxy", "proxy"},
    {"PROXY", "proxy"},
    {"poxry", "proxy"},             /* a swap and a letter: two steps of five letters */
    {"prxy", "proxy"},
    {"proxyy", "proxy"},
    {"snik", "sink"},
    {"chekc", "check"},
    {"explian", "explain"},
    {"--max-lien", "--max-line"},
    {"--max-siez", "--max-size"},
    {"CHUNKNG", "CHUNKING"},
    {"pipelinning", "PIPELINING"},
    {"", NULL},
    {"x", NULL},
    {"zz", NULL},
    {"decode", NULL},
    {"--transparent", NULL},
};

START_TEST(nearest_or_none)
{
	const char *got = near_word(view_of(cases[_i].word), names, sizeof names / sizeof *names);

	if (cases[_i].nearest == NULL)
		ck_assert_msg(got == NULL, "%s is taken for %s", cases[_i].word, got);
	else
		ck_assert_str_eq(got, cases[_i].nearest);
}
END_TEST

START_TEST(any_octets_any_length)
{
	static const char *const many[] = {"a", ""};
	char word[200];

	for (size_t i = 0; i < sizeof word; i++)
		word[i] = (char)(i * 7);
	for (size_t len = 0; len <= sizeof word; len++) {
		/* Exactly as long as the view, so that a sanitizer sees one octet too far. */
		char *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, word, len);
		near_word((struct view){copy, len}, names, sizeof names / sizeof *names);
		free(copy);
	}
	ck_assert_ptr_null(near_word(VIEW("b"), many, 2));
	ck_assert_ptr_null(near_word(VIEW("b"), NULL, 0));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("near");
	TCase *tcase = tcase_create("near");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, nearest_or_none, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tcase, any_octets_any_length);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
