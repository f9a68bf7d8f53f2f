/* SPDX-License-Identifier: MIT */
/* Replies, line by line and whole. */
#include "decoders/smtp/line.h"
#include "decoders/smtp/reply.h"
#include "tests/unit/edge.h"

static const struct {
	const char *wire;
	unsigned    code;
	char        separator;
	const char *text, *enhanced;
} lines[] = {
    {"250 2.1.0 Ok\r\n", 250, ' ', "2.1.0 Ok", "2.1.0"},
    {"250-mx.example.net\r\n", 250, '-', "mx.example.net", NULL},
    {"250\r\n", 250, 0, "", NULL},
    {"250", 250, 0, "", NULL},
    {"250\n", 250, 0, "", NULL},
    {"250 \r\n", 250, ' ', "", NULL},
    {"250-\r\n", 250, '-', "", NULL},
    {"999 what\r\n", 999, ' ', "what", NULL},
    {"099 what\r\n", 99, ' ', "what", NULL},
    {"250\tOk\r\n", 0, 0, "250\tOk", NULL},
    {"250Ok\r\n", 0, 0, "250Ok", NULL},
    {"2500 Ok\r\n", 0, 0, "2500 Ok", NULL},
    {"25 Ok\r\n", 0, 0, "25 Ok", NULL},
    {" 250 Ok\r\n", 0, 0, " 250 Ok", NULL},
    {"4.7.0 try later\r\n", 0, 0, "4.7.0 try later", NULL},
    {"\r\n", 0, 0, "", NULL},
    {"", 0, 0, "", NULL},
    {"2", 0, 0, "2", NULL},
    {"250 caf\xc3\xa9\r\n", 250, ' ', "caf\xc3\xa9", NULL},
    {"550 5.1.1\r\n", 550, ' ', "5.1.1", "5.1.1"},
    {"550-5.7.1 no\r\n", 550, '-', "5.7.1 no", "5.7.1"},
};

START_TEST(a_line)
{
	struct view            wire = edge_copy(view_of(lines[_i].wire));
	struct smtp_reply_line line;

	smtp_reply_line_parse(wire, &line);
	ck_assert_uint_eq(line.code, lines[_i].code);
	ck_assert_int_eq(line.separator, lines[_i].separator);
	assert_view(line.text, lines[_i].text);
	assert_view(line.code == 0 ? VIEW_NONE : smtp_enhanced_parse(line.text), lines[_i].enhanced);
	assert_view(line.wire, lines[_i].wire);
	edge_free(wire);
}
END_TEST

static const struct {
	const char *text, *enhanced;
} enhanced[] = {
    {"4.3.2 Service shutting down", "4.3.2"},
    {"2.0.0", "2.0.0"},
    {"5.999.999 x", "5.999.999"},
    {"5.1.1000 x", NULL},
    {"5.1000.1 x", NULL},
    {"3.1.1 x", NULL},
    {"1.1.1 x", NULL},
    {"6.1.1 x", NULL},
    {"25.1.1 x", NULL},
    {"5.1 x", NULL},
    {"5..1 x", NULL},
    {"5.1. x", NULL},
    {"5.1.1. x", NULL},
    {"5.1.1-x", NULL},
    {"5.1.1\tx", NULL},
    {"5.1.1,x", NULL},
    {" 5.1.1 x", NULL},
    {"", NULL},
    {"5", NULL},
    {"5.", NULL},
    {"5.7", NULL},
    {"5.7.", NULL},
    {"5.7.1", "5.7.1"},
    {"5.7.1.2", NULL},
};

START_TEST(enhanced_codes)
{
	struct view text = edge_copy(view_of(enhanced[_i].text));

	assert_view(smtp_enhanced_parse(text), enhanced[_i].enhanced);
	edge_free(text);
}
END_TEST

static const struct {
	const char *wire;
	unsigned    code, lines, marks;
	const char *enhanced;
} replies[] = {
    {"250 Ok\r\n", 250, 1, 0, NULL},
    {"250-a\r\n250-b\r\n250 c\r\n", 250, 3, 0, NULL},
    {"250-2.1.0 a\r\n250 2.2.0 b\r\n", 250, 2, 0, "2.1.0"},
    {"250-a\r\n250 2.2.0 b\r\n", 250, 2, 0, "2.2.0"},
    {"250-a\r\n550 b\r\n", 550, 2, SMTP_MARK_CODE_CHANGE, NULL},
    {"250-a\r\nwhat is this\r\n250 b\r\n", 250, 3, SMTP_MARK_BAD_LINE, NULL},
    {"250-a\r\nwhat\r\n251 b\r\n", 251, 3, SMTP_MARK_BAD_LINE | SMTP_MARK_CODE_CHANGE, NULL},
    {"250-a\n250 b\n", 250, 2, 0, NULL},
    {"250-a\r\n250-b", 250, 2, 0, NULL},
    {"250-a\r\n25", 250, 2, SMTP_MARK_BAD_LINE, NULL},
    {"250\r\n", 250, 1, 0, NULL},
};

START_TEST(a_whole_reply)
{
	struct view       wire = edge_copy(view_of(replies[_i].wire));
	struct smtp_reply reply;

	ck_assert_uint_eq(smtp_reply_parse(wire, &reply), replies[_i].marks);
	ck_assert_uint_eq(reply.code, replies[_i].code);
	ck_assert_uint_eq(reply.lines, replies[_i].lines);
	assert_view(reply.enhanced, replies[_i].enhanced);
	assert_view(reply.wire, replies[_i].wire);
	edge_free(wire);
}
END_TEST

START_TEST(its_lines_one_by_one)
{
	struct view            rest = VIEW("250-a\r\n250 b\r\n");
	struct smtp_reply_line line;

	ck_assert(smtp_reply_line_next(&rest, &line));
	assert_view(line.text, "a");
	assert_view(line.wire, "250-a\r\n");
	ck_assert(smtp_reply_line_next(&rest, &line));
	assert_view(line.text, "b");
	ck_assert(!smtp_reply_line_next(&rest, &line));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("reply");
	TCase *tcase = tcase_create("reply");

	tcase_add_loop_test(tcase, a_line, 0, sizeof lines / sizeof *lines);
	tcase_add_loop_test(tcase, enhanced_codes, 0, sizeof enhanced / sizeof *enhanced);
	tcase_add_loop_test(tcase, a_whole_reply, 0, sizeof replies / sizeof *replies);
	tcase_add_test(tcase, its_lines_one_by_one);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
