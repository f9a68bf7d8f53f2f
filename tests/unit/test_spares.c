/* SPDX-License-Identifier: MIT */
/* What is spare comes again, is bounded, and nothing of it is lost. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/spares.h"

#define SIZE 40
#define MAX  3

START_TEST(the_last_one_given_comes_first)
{
	struct spares spares = {0};
	char *one = spares_take(&spares, SIZE), *other = spares_take(&spares, SIZE);

	memset(one, 1, SIZE);
	memset(other, 2, SIZE);
	spares_give(&spares, one, SIZE, MAX);
	spares_give(&spares, other, SIZE, MAX);
	ck_assert_uint_eq(spares.count, 2);
	ck_assert_ptr_eq(spares_take(&spares, SIZE), other);
	ck_assert_ptr_eq(spares_take(&spares, SIZE), one);
	ck_assert_uint_eq(spares.count, 0);
	/* All of it can be written again. */
	memset(one, 3, SIZE);
	memset(other, 4, SIZE);
	ck_assert_int_eq(one[SIZE - 1], 3);
	spares_give(&spares, one, SIZE, MAX);
	spares_give(&spares, other, SIZE, MAX);
	spares_clear(&spares, SIZE);
	ck_assert_ptr_null(spares.first);
}
END_TEST

/* What is beyond it is freed: the leak checker of the sanitizers looks after that. */
START_TEST(no_more_are_kept_than_the_ceiling)
{
	struct spares spares = {0};
	void *taken[2 * MAX];

	for (unsigned i = 0; i < 2 * MAX; i++)
		taken[i] = spares_take(&spares, SIZE);
	for (unsigned i = 0; i < 2 * MAX; i++)
		spares_give(&spares, taken[i], SIZE, MAX);
	ck_assert_uint_eq(spares.count, MAX);
	spares_give(&spares, NULL, SIZE, MAX + 1);
	ck_assert_uint_eq(spares.count, MAX);
	spares_clear(&spares, SIZE);
	ck_assert_uint_eq(spares.count, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("spares");
	TCase *tc = tcase_create("spares");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, the_last_one_given_comes_first);
	tcase_add_test(tc, no_more_are_kept_than_the_ceiling);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
