/* SPDX-License-Identifier: MIT */
/* Header fields found, unfolded and decoded; among them the examples of RFC 2047 8. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "decoders/message/dkim.h"
#include "decoders/message/header.h"
#include "decoders/utf8.h"

static const char header[] =
    "Received: from a by b\r\n"
    "\tfor <c>; Sun\r\n"
    "Subject-Not: no\r\n"
    "SUBJECT: =?utf-8?q?one?=\r\n"
    " and  two\r\n"
    "Subject: the second\r\n"
    "Obsolete \t:  spaced \r\n"
    "Empty:\r\n"
    "Folded-Empty:\r\n"
    " \r\n"
    "no colon here\r\n"
    "Unix: line\n"
    "Last: 1\r\n"
    "\r\n"
    "Body: not a field\r\n";

static const struct {
	const char *name, *value;       /* NULL: there is none */
} fields[] = {
	{"subject", "=?utf-8?q?one?=\r\n and  two"}, {"Received", "from a by b\r\n\tfor <c>; Sun"},
	{"Obsolete", "spaced"}, {"Empty", ""}, {"Folded-Empty", ""}, {"Unix", "line"}, {"Last", "1"},
	{"Body", NULL}, {"Sub", NULL}, {"no colon here", NULL}, {"", NULL}
};

START_TEST(a_field)
{
	struct view value, v = view_of(fields[_i].value);

	ck_assert_int_eq(header_find(VIEW(header), view_of(fields[_i].name), &value), v.at != NULL);
	ck_assert(v.at == NULL || view_equal(value, v));
}
END_TEST

/* All fields in their order; what is no field is skipped, and the body is not looked at. */
START_TEST(one_field_after_the_other)
{
	static const char *const names[] = {"Received", "Subject-Not", "SUBJECT", "Subject", "Obsolete", "Empty",
	    "Folded-Empty", "Unix", "Last"};
	struct view rest = VIEW(header), name, value;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		ck_assert(header_next(&rest, &name, &value));
		ck_assert_msg(view_equal(name, view_of(names[i])), "%.*s", (int)name.len, name.at);
	}
	ck_assert(view_equal(value, VIEW("1")));
	ck_assert(!header_next(&rest, &name, &value));
}
END_TEST

static const struct {
	const char *header, *name;
	bool        is_signed, covers;
} signatures[] = {
	{"Subject: x\r\n", "Subject", false, false},
	{"DKIM-Signature: h=from:subject; b=x\r\nSubject: x\r\n", "Subject", true, true},
	{"DKIM-Signature: h=from:subject; b=x\r\n", "Date", true, false},
	{"dkim-signature: v=1;\r\n\th = From\r\n\t : DATE ;b=x\r\n", "Date", true, true},
	{"DKIM-Signature: bh=date; b=x; h=from\r\n", "Date", true, false},
	{"DKIM-Signature: v=1; b=x\r\n", "Date", true, true},
	{"DKIM-Signature: h=from; b=x\r\nDKIM-Signature: h=date; b=x\r\n", "Date", true, true},
	{"DKIM-Signature: h=from; b=x\r\n", "dkim-signature", true, true},
	{"DKIM-Signature:", "Date", true, true},
	{"X: y\r\n\r\nDKIM-Signature: h=date\r\n", "Date", false, false}
};

START_TEST(a_signature)
{
	struct view signed_header = view_of(signatures[_i].header);

	ck_assert_int_eq(dkim_is_signed(signed_header), signatures[_i].is_signed);
	ck_assert_int_eq(dkim_covers(signed_header, view_of(signatures[_i].name)), signatures[_i].covers);
}
END_TEST

/* The header of a message that has not come whole yet. */
START_TEST(as_far_as_it_goes)
{
	struct view value;

	ck_assert(!header_find(VIEW(""), VIEW("Subject"), &value));
	ck_assert(!header_find(VIEW("Subject"), VIEW("Subject"), &value));
	ck_assert(header_find(VIEW("Subject:"), VIEW("Subject"), &value));
	ck_assert_uint_eq(value.len, 0);
	ck_assert(header_find(VIEW("Subject: a\r\n b"), VIEW("Subject"), &value));
	ck_assert(view_equal(value, VIEW("a\r\n b")));
	ck_assert(!header_find(VIEW("\nSubject: body"), VIEW("Subject"), &value));
	ck_assert(!header_find(VIEW("\r\nSubject: body"), VIEW("Subject"), &value));
}
END_TEST

static const struct {
	const char *sent, *decoded;
} values[] = {
	{"", ""},
	{"plain", "plain"},
	{"fol\r\n ded\r\n\tand\n ded", "fol ded\tand ded"},
	/* RFC 2047 8 */
	{"=?ISO-8859-1?Q?a?=", "a"},
	{"=?ISO-8859-1?Q?a?= b", "a b"},
	{"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"},
	{"=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab"},
	{"=?ISO-8859-1?Q?a_b?=", "a b"},
	{"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
	{"=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"},
	{"=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", "Andr\xc3\xa9 Pirard <PIRARD@vm1.ulg.ac.be>"},
	{"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n"
	 "    =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
	    "If you can read this you understand the example."},
	/* A language (RFC 2231 5), small letters, no padding is wrong. */
	{"=?us-ascii*en?q?hi?=", "hi"},
	{"=?utf-8?b?w7w=?=", "\xc3\xbc"},
	{"=?utf-8?b?w7w?=", "=?utf-8?b?w7w?="},
	/* A character cut in two: the words of one charset are one. */
	{"=?utf-8?q?=C3?= =?UTF-8?B?vA==?=", "\xc3\xbc"},
	{"=?utf-8?q?=C3?= x", "=?utf-8?q?=C3?= x"},
	{"=?utf-8?q?ok?= =?utf-8?q?=C3?= =?utf-8?q?ok?=", "ok =?utf-8?q?=C3?= ok"},
	{"=?utf-8?q?=C3?= =?utf-8?q?ok?= =?utf-8?q?ok?=", "=?utf-8?q?=C3?= okok"},
	/* Charsets that iconv knows, and those that nobody does. */
	{"=?koi8-r?B?8NLJ18XU?=", "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
	{"=?iso-2022-jp?B?GyRCRnxLXDhsGyhC?=", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"},
	{"=?ks_c_5601-1987?B?sKG0wg==?=", "\xea\xb0\x80\xeb\x8a\x94"},
	{"=?windows-1252?Q?=80?=", "\xe2\x82\xac"},
	{"=?x-none?Q?a?= =?utf-8?q?b?=", "=?x-none?Q?a?= b"},
	{"=?../../evil?Q?a?=", "=?../../evil?Q?a?="},
	{"=?UTF-8//IGNORE?Q?=FF?=", "=?UTF-8//IGNORE?Q?=FF?="},
	{"=?us-ascii?Q?=E9?=", "=?us-ascii?Q?=E9?="},
	/* Nearly encoded words. */
	{"=?", "=?"}, {"=?=?=?", "=?=?=?"}, {"=?utf-8?q?a", "=?utf-8?q?a"}, {"=?utf-8?q?a?", "=?utf-8?q?a?"},
	{"=?utf-8?x?a?=", "=?utf-8?x?a?="}, {"=?" "?q?a?=", "=?" "?q?a?="}, {"=?utf-8?q?a b?=", "=?utf-8?q?a b?="},
	{"=?utf-8?q?=4?=", "=?utf-8?q?=4?="}, {"=?utf-8?qq?a?=", "=?utf-8?qq?a?="}, {"=?utf-8?q?" "?=", ""},
	{"=?=?utf-8?q?a?=?=", "=?a?="}, {"\"=?utf-8?q?a?=\"", "\"a\""},
	/* Octets that are no UTF-8 stay as sent. */
	{"Gr\xfc\xdf" "e", "Gr\xfc\xdf" "e"}, {"a\rb", "a\rb"}
};

START_TEST(a_value)
{
	struct view value = view_of(values[_i].sent), decoded = view_of(values[_i].decoded);
	char out[256];
	size_t len = header_decode(value, out, sizeof(out));

	ck_assert(!header_is_plain(value) || view_equal(value, decoded));
	ck_assert_msg(view_equal((struct view){out, len}, decoded), "%s: %.*s", values[_i].sent, (int)len, out);
	/* What does not fit is left out, but no character is cut. */
	for (size_t size = 0; size < len; size++) {
		size_t cut = header_decode(value, out, size);

		ck_assert_uint_le(cut, size);
		ck_assert(memcmp(out, decoded.at, cut) == 0);
		ck_assert_uint_gt(cut + 4, size);
		ck_assert((decoded.at[cut] & 0xc0) != 0x80 || (decoded.at[cut - 1] & 0x80) == 0);
	}
}
END_TEST

/* Input that ends at a page which cannot be read: one octet too far crashes. */
START_TEST(any_octets_and_not_one_too_far)
{
	static const char *const parts[] = {"=?", "?=", "?", "=", "utf-8", "q", "B", "iso-2022-jp", "\xc3", "\r\n ",
		"QUJD", "=C3=BC", "\x1b$B", "gb18030", " ", "_", "Subject:", "\xf0\x9f"};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t chance = 1;

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
	for (int i = 0; i < 20000; i++) {
		char text[256], out[64];
		struct view v = {pages + page, 0}, value;
		size_t len = 0;

		for (int n = i % 20; n > 0; n--) {
			const char *part;

			chance = chance * 1664525 + 1013904223;
			part = parts[(chance >> 16) % (sizeof(parts) / sizeof(parts[0]))];
			memcpy(text + len, part, strlen(part));
			len += strlen(part);
		}
		v = (struct view){memcpy(pages + page - len, text, len), len};
		ck_assert_uint_le(header_decode(v, out, sizeof(out)), sizeof(out));
		if (header_is_plain(v) && len <= sizeof(out))
			ck_assert(view_equal(v, (struct view){out, header_decode(v, out, sizeof(out))}));
		header_find(v, VIEW("Subject"), &value);
	}
	munmap(pages, 2 * page);
}
END_TEST

/* A peer's time is not worth ours: words that cannot be decoded cost no more than others. */
START_TEST(a_long_value)
{
	static const char word[] = "=?utf-8?q?=FF?= ";
	size_t len = (sizeof(word) - 1) * 65536;
	char *value = malloc(len), *out = malloc(len);

	for (size_t i = 0; i < len; i++)
		value[i] = word[i % (sizeof(word) - 1)];
	ck_assert_uint_eq(header_decode((struct view){value, len}, out, len), len);
	ck_assert(memcmp(value, out, len) == 0);
	free(value);
	free(out);
}
END_TEST

static const struct {
	const char *octets;
	size_t      len;
	uint32_t    character;
} characters[] = {
	{"a", 1, 'a'}, {"\x7f", 1, 0x7f}, {"\xc2\x80", 2, 0x80}, {"\xdf\xbf", 2, 0x7ff}, {"\xe0\xa0\x80", 3, 0x800},
	{"\xed\x9f\xbf", 3, 0xd7ff}, {"\xee\x80\x80", 3, 0xe000}, {"\xef\xbf\xbf", 3, 0xffff},
	{"\xf0\x90\x80\x80", 4, 0x10000}, {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	{"\x80", 0, 0}, {"\xbf", 0, 0}, {"\xc0\x80", 0, 0}, {"\xc1\xbf", 0, 0}, {"\xc2", 0, 0}, {"\xc2" "a", 0, 0},
	{"\xe0\x9f\xbf", 0, 0}, {"\xed\xa0\x80", 0, 0}, {"\xed\xbf\xbf", 0, 0}, {"\xe2\x82", 0, 0},
	{"\xf0\x8f\xbf\xbf", 0, 0}, {"\xf4\x90\x80\x80", 0, 0}, {"\xf5\x80\x80\x80", 0, 0}, {"\xff", 0, 0},
	{"\xf0\x9f\x93", 0, 0}
};

START_TEST(a_character)
{
	uint32_t character = 0;

	ck_assert_uint_eq(utf8_decode(view_of(characters[_i].octets), &character), characters[_i].len);
	ck_assert_uint_eq(character, characters[_i].character);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("header");
	TCase *tcase = tcase_create("header");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, a_field, 0, sizeof(fields) / sizeof(fields[0]));
	tcase_add_test(tcase, as_far_as_it_goes);
	tcase_add_test(tcase, one_field_after_the_other);
	tcase_add_loop_test(tcase, a_signature, 0, sizeof signatures / sizeof *signatures);
	tcase_add_loop_test(tcase, a_value, 0, sizeof(values) / sizeof(values[0]));
	tcase_add_test(tcase, any_octets_and_not_one_too_far);
	tcase_add_test(tcase, a_long_value);
	tcase_set_timeout(tcase, 20);
	tcase_add_loop_test(tcase, a_character, 0, sizeof(characters) / sizeof(characters[0]));
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
