/* SPDX-License-Identifier: MIT */
/* The table of findings: every row has its words, and can be found by its name. */
#include <check.h>
#include <ctype.h>
#include <stdlib.h>

#include "decoders/findings.h"

/* Words in lower case with "-" in them, and one ".": rules and scripts name findings so. */
static bool
is_id(const char *id)
{
	int dots = 0;

	for (const char *at = id; *at != '\0'; at++) {
		if (*at == '.')
			dots++;
		else if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '-')
			return false;
	}
	return dots == 1;
}

START_TEST(a_row)
{
	const struct finding_entry *entry = finding_entry((enum finding)_i);
	size_t line = strlen(entry->line), paragraph = strlen(entry->paragraph);

	ck_assert_msg(is_id(entry->id), "%s", entry->id);
	ck_assert_int_eq(finding_find(view_of(entry->id)), _i);
	ck_assert_int_le(entry->severity, FINDING_ERROR);
	ck_assert_int_le(entry->side, FINDING_EITHER);
	/* A line fits beside a time and an id; a paragraph is more than the line, in whole sentences. */
	ck_assert_msg(line > 0 && line <= 90 && entry->line[line - 1] != '.', "%s", entry->line);
	ck_assert_msg(paragraph > 200 && entry->paragraph[paragraph - 1] == '.', "%s", entry->paragraph);
	ck_assert_msg(isupper((unsigned char)entry->paragraph[0]) || isdigit((unsigned char)entry->paragraph[0]),
	    "%s", entry->paragraph);
	ck_assert_ptr_null(strstr(entry->paragraph, "  "));
	ck_assert(strncmp(entry->reference, "RFC ", 4) == 0 && isdigit((unsigned char)entry->reference[4]));
}
END_TEST

START_TEST(by_name)
{
	ck_assert_int_eq(finding_find(VIEW("LINE.Bare-LF")), FINDING_LINE_BARE_LF);
	ck_assert_int_eq(finding_find(VIEW("line.bare-l")), -1);
	ck_assert_int_eq(finding_find(VIEW("")), -1);
	ck_assert_int_eq(finding_find(VIEW_NONE), -1);
}
END_TEST

START_TEST(severities)
{
	ck_assert_str_eq(finding_severity_name(FINDING_INFO), "info");
	ck_assert_str_eq(finding_severity_name(FINDING_NOTE), "note");
	ck_assert_str_eq(finding_severity_name(FINDING_WARNING), "warning");
	ck_assert_str_eq(finding_severity_name(FINDING_ERROR), "error");
	ck_assert_int_lt(FINDING_NOTE, FINDING_ERROR);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("findings");
	TCase *tcase = tcase_create("findings");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, a_row, 0, FINDING_COUNT);
	tcase_add_test(tcase, by_name);
	tcase_add_test(tcase, severities);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
