/* SPDX-License-Identifier: MIT */
/* Where lines end, and what is odd in them, against the end of memory. */
#include <stdint.h>

#include "decoders/smtp/line.h"
#include "tests/unit/edge.h"

#define LF  SMTP_MARK_BARE_LF
#define CR  SMTP_MARK_BARE_CR
#define NUL SMTP_MARK_NUL
#define HI  SMTP_MARK_EIGHT_BIT

static const struct {
	struct view octets;
	unsigned    marks;
} marks[] = {
    {VIEW(""), 0},
    {VIEW("NOOP\r\n"), 0},
    {VIEW("\r\n"), 0},
    {VIEW("\r\n\r\n"), 0},
    {VIEW("NOOP\n"), LF},
    {VIEW("\n"), LF},
    {VIEW("\r"), CR},
    {VIEW("NO\rOP\r\n"), CR},
    {VIEW("NOOP\r\r\n"), CR},
    {VIEW("\n\r"), LF | CR},
    {VIEW("\r\n\n"), LF},
    {VIEW("a\0b\r\n"), NUL},
    {VIEW("\0"), NUL},
    {VIEW("\r\0\n"), NUL | CR | LF},
    {VIEW("caf\xc3\xa9\r\n"), HI},
    {VIEW("\x80"), HI},
    {VIEW("\x7f"), 0},
    {VIEW("eight octets and then more of them\r\nand a line\r\n"), 0},
    {VIEW("eight octets and then more of them\nand a line\r\n"), LF},
    {VIEW("12345678\r\n12345678\r\n"), 0},
    {VIEW("1234567\r\n1234567\n"), LF},
    {VIEW("abcdefgh\xffijklmnopqrstuvwxyz"), HI},
    {VIEW("abcdefghijklmno\0pqrstuvwxyz"), NUL},
    {VIEW("abcdefghijklmnop\rqrstuvwxyz"), CR},
};

/* The same, octet by octet, as one would write it down first. */
static unsigned
marks_slowly(struct view v)
{
	unsigned found = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (v.at[i] == '\n' && (i == 0 || v.at[i - 1] != '\r'))
			found |= LF;
		if (v.at[i] == '\r' && (i + 1 == v.len || v.at[i + 1] != '\n'))
			found |= CR;
		if (v.at[i] == '\0')
			found |= NUL;
		if ((unsigned char)v.at[i] >= 0x80)
			found |= HI;
	}
	return found;
}

START_TEST(marks_of_octets)
{
	struct view octets = edge_copy(marks[_i].octets);

	ck_assert_uint_eq(smtp_line_marks(octets), marks[_i].marks);
	ck_assert_uint_eq(marks_slowly(octets), marks[_i].marks);
	edge_free(octets);
}
END_TEST

START_TEST(marks_of_a_stretch_wherever_it_is_cut)
{
	struct view octets = marks[_i].octets;

	for (size_t cut = 0; cut <= octets.len; cut++) {
		struct view first = edge_copy(view_first(octets, cut)), second = edge_copy(view_from(octets, cut));
		bool        after_cr = false;
		unsigned    found = smtp_stretch_marks(first, &after_cr);

		found |= smtp_stretch_marks(second, &after_cr);
		ck_assert_uint_eq(after_cr ? found | CR : found, marks[_i].marks);
		edge_free(first);
		edge_free(second);
	}
}
END_TEST

/* Every octet at every place of a word, beside every other kind: the fast way has no blind spot. */
START_TEST(marks_fast_and_slow_agree)
{
	static const char kinds[] = {'\0', '\r', '\n', 'a', '\x01', '\x7f', '\x80', '\xff', '\x0b', '\x0e'};
	uint32_t          seed = 12345;
	char              octets[40];

	for (int round = 0; round < 200000; round++) {
		size_t len;

		memset(octets, 'x', sizeof octets);
		seed = seed * 1664525 + 1013904223;
		len = seed >> 8 & 31;
		for (int n = 0; n < 4; n++) {
			seed = seed * 1664525 + 1013904223;
			octets[seed >> 10 & 31] = kinds[(seed >> 16) % sizeof kinds];
		}
		ck_assert_uint_eq(
		    smtp_line_marks((struct view){octets, len}), marks_slowly((struct view){octets, len}));
	}
}
END_TEST

START_TEST(a_line_that_drips_in)
{
	struct view octets = edge_copy(VIEW("EHLO client.example.org\r\nMAIL"));
	size_t      searched = 0;

	for (size_t len = 0; len < 25; len++) {
		ck_assert_uint_eq(smtp_line_length(octets.at, len, &searched), 0);
		ck_assert_uint_eq(searched, len);
	}
	ck_assert_uint_eq(smtp_line_length(octets.at, 25, &searched), 25);
	ck_assert_uint_eq(searched, 0);
	ck_assert_uint_eq(smtp_line_length(octets.at, octets.len, &searched), 25);
	ck_assert_uint_eq(smtp_line_length(octets.at + 25, octets.len - 25, &searched), 0);
	ck_assert_uint_eq(searched, 4);
	edge_free(octets);
}
END_TEST

START_TEST(what_was_searched_is_not_searched_again)
{
	size_t searched = 3;

	/* The LF lies in what was searched: only somebody who looks there again would find it. */
	ck_assert_uint_eq(smtp_line_length("a\nbc", 4, &searched), 0);
	ck_assert_uint_eq(searched, 4);
}
END_TEST

START_TEST(text_is_the_line_without_its_end)
{
	assert_view(smtp_line_text(VIEW("QUIT\r\n")), "QUIT");
	assert_view(smtp_line_text(VIEW("QUIT\n")), "QUIT");
	assert_view(smtp_line_text(VIEW("QUIT\r")), "QUIT\r");
	assert_view(smtp_line_text(VIEW("QUIT\r\r\n")), "QUIT\r");
	assert_view(smtp_line_text(VIEW("QUIT")), "QUIT");
	assert_view(smtp_line_text(VIEW("\r\n")), "");
	assert_view(smtp_line_text(VIEW("\n")), "");
	assert_view(smtp_line_text(VIEW("")), "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("line");
	TCase *tcase = tcase_create("line");
	int    count = sizeof marks / sizeof *marks;

	tcase_add_loop_test(tcase, marks_of_octets, 0, count);
	tcase_add_loop_test(tcase, marks_of_a_stretch_wherever_it_is_cut, 0, count);
	tcase_add_test(tcase, marks_fast_and_slow_agree);
	tcase_add_test(tcase, a_line_that_drips_in);
	tcase_add_test(tcase, what_was_searched_is_not_searched_again);
	tcase_add_test(tcase, text_is_the_line_without_its_end);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
