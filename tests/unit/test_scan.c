/* SPDX-License-Identifier: MIT */
/*
 * Content scanned 64 octets at a time against the same octets one by one, cut anywhere. Each
 * stretch ends where its memory ends, so that an octet too far is found by the sanitizers.
 */
#include <check.h>
#include <stdlib.h>

#include "decoders/smtp/line.h"
#include "decoders/smtp/scan.h"

/* What the header promises, octet by octet. */
static size_t
scan_plainly(struct smtp_scan *scan, const char *octets, size_t len, bool past_dots)
{
	size_t at;

	for (at = 0; at < len; at++) {
		unsigned char c = (unsigned char)octets[at];

		if (c == '.' && scan->line_start && !past_dots)
			break;
		scan->line_start = c == '\n' && scan->after_cr;
		if (c == '\n') {
			scan->lines++;
			scan->marks |= scan->after_cr ? 0 : SMTP_MARK_BARE_LF;
		} else if (scan->after_cr) {
			scan->marks |= SMTP_MARK_BARE_CR;
		}
		scan->marks |= c == 0 ? SMTP_MARK_NUL : 0;
		scan->marks |= c >= 0x80 ? SMTP_MARK_EIGHT_BIT : 0;
		scan->after_cr = c == '\r';
	}
	return at;
}

static void
assert_same(const struct smtp_scan *a, const struct smtp_scan *b)
{
	ck_assert_uint_eq(a->lines, b->lines);
	ck_assert_uint_eq(a->marks, b->marks);
	ck_assert_int_eq(a->after_cr, b->after_cr);
	ck_assert_int_eq(a->line_start, b->line_start);
}

/* A stretch, which both go through the same; a dot that stops both is stepped over by both. */
static void
compare_stretch(struct smtp_scan *a, struct smtp_scan *b, const char *octets, size_t len, bool past_dots)
{
	size_t at = 0, scanned;

	while (at < len) {
		scanned = smtp_scan(a, octets + at, len - at, past_dots);
		ck_assert_uint_eq(scanned, scan_plainly(b, octets + at, len - at, past_dots));
		assert_same(a, b);
		at += scanned;
		if (at < len) {
			a->line_start = b->line_start = false;
			at++;
		}
	}
}

/* Stretches of odd lengths, one behind the other. */
static void
compare(uint32_t *chance, const char *from, size_t kinds, bool past_dots)
{
	struct smtp_scan a = {.line_start = true}, b = {.line_start = true};

	for (int stretch = 0; stretch < 200; stretch++) {
		size_t len;
		char *octets;

		*chance = *chance * 1664525 + 1013904223;
		len = (*chance >> 16) % 200;
		octets = malloc(len == 0 ? 1 : len);
		for (size_t i = 0; i < len; i++) {
			*chance = *chance * 1664525 + 1013904223;
			octets[i] = from[(*chance >> 16) % kinds];
		}
		compare_stretch(&a, &b, octets, len, past_dots);
		free(octets);
	}
}

START_TEST(as_octet_by_octet)
{
	static const struct {
		const char *octets;
		size_t      count;
	} kinds[] = {{"\r\n.a", 4}, {"\r\n", 2}, {"ab\r\n.\0\xff ", 8}, {"abcdefghijklmnopqrstuvwxyz\r\n.", 29},
	    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\0\xff\n\r", 69}};
	uint32_t chance = 1 + (uint32_t)_i;

	for (int i = 0; i < 20; i++) {
		compare(&chance, kinds[_i].octets, kinds[_i].count, false);
		compare(&chance, kinds[_i].octets, kinds[_i].count, true);
	}
}
END_TEST

START_TEST(a_dot_at_a_line_start_stops_it_wherever_it_stands)
{
	for (size_t before = 0; before < 150; before++) {
		size_t len = before + 3;
		char *octets = malloc(len);
		struct smtp_scan scan = {0};

		memset(octets, 'x', len);
		memcpy(octets + before, "\r\n.", 3);
		ck_assert_uint_eq(smtp_scan(&scan, octets, len, false), before + 2);
		ck_assert(scan.line_start);
		ck_assert_uint_eq(scan.lines, 1);
		ck_assert_uint_eq(scan.marks, 0);
		free(octets);
	}
}
END_TEST

/* Whole lines, but for one octet that may be anything. */
START_TEST(one_odd_octet_among_lines)
{
	static const char odd[] = {'x', '\r', '\n', '.', '\t', '\0', (char)0xff};
	size_t len = 192, line = (size_t)_i;
	char *octets = malloc(len);

	for (size_t place = 0; place < len; place++) {
		for (size_t i = 0; i < sizeof odd; i++) {
			struct smtp_scan a = {.line_start = true}, b = a;

			for (size_t k = 0; k < len; k++)
				octets[k] = k % line == line - 2 ? '\r' : k % line == line - 1 ? '\n' : 'x';
			octets[place] = odd[i];
			compare_stretch(&a, &b, octets, len, false);
		}
	}
	free(octets);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("scan");
	TCase *tcase = tcase_create("scan");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, as_octet_by_octet, 0, 5);
	tcase_add_test(tcase, a_dot_at_a_line_start_stops_it_wherever_it_stands);
	tcase_add_loop_test(tcase, one_odd_octet_among_lines, 2, 80);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
