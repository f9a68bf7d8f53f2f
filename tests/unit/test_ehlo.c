/* SPDX-License-Identifier: MIT */
/* What a 250 to EHLO offers. */
#include "decoders/smtp/ehlo.h"
#include "tests/unit/edge.h"

static struct smtp_reply
reply_of(struct view wire)
{
	struct smtp_reply reply;

	smtp_reply_parse(wire, &reply);
	return reply;
}

START_TEST(name_and_keywords)
{
	struct view wire = edge_copy(VIEW("250-mx.example.net Hello client [192.0.2.1]\r\n"
	                                  "250-PIPELINING\r\n250-size 10240000 \r\n250-AUTH PLAIN LOGIN\r\n"
	                                  "250-AUTH=LOGIN CRAM-MD5\r\n250-\r\nnonsense\r\n250-X-PRIVATE a=b\r\n"
	                                  "250 8BITMIME\r\n"));
	struct smtp_reply        reply = reply_of(wire);
	struct view              rest = smtp_ehlo_rest(&reply);
	smtp_keyword_set         set = smtp_ehlo_keywords(&reply);
	struct smtp_ehlo_keyword k;

	static const struct {
		enum smtp_keyword keyword;
		const char       *name, *params;
	} want[] = {
	    {SMTP_KEYWORD_PIPELINING, "PIPELINING", ""},
	    {SMTP_KEYWORD_SIZE, "size", "10240000"},
	    {SMTP_KEYWORD_AUTH, "AUTH", "PLAIN LOGIN"},
	    {SMTP_KEYWORD_AUTH, "AUTH", "LOGIN CRAM-MD5"},
	    {SMTP_KEYWORD_UNKNOWN, "X-PRIVATE", "a=b"},
	    {SMTP_KEYWORD_8BITMIME, "8BITMIME", ""},
	};

	assert_view(smtp_ehlo_name(&reply), "mx.example.net");
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		ck_assert(smtp_ehlo_next(&rest, &k));
		ck_assert_int_eq(k.keyword, want[i].keyword);
		assert_view(k.name, want[i].name);
		assert_view(k.params, want[i].params);
	}
	ck_assert(!smtp_ehlo_next(&rest, &k));
	ck_assert(smtp_keyword_in(set, SMTP_KEYWORD_PIPELINING));
	ck_assert(smtp_keyword_in(set, SMTP_KEYWORD_SIZE));
	ck_assert(smtp_keyword_in(set, SMTP_KEYWORD_AUTH));
	ck_assert(smtp_keyword_in(set, SMTP_KEYWORD_8BITMIME));
	ck_assert(!smtp_keyword_in(set, SMTP_KEYWORD_STARTTLS));
	ck_assert(!smtp_keyword_in(set, SMTP_KEYWORD_UNKNOWN));
	edge_free(wire);
}
END_TEST

START_TEST(short_replies)
{
	static const struct {
		const char *wire, *name;
	} cases[] = {{"250 mx.example.net\r\n", "mx.example.net"}, {"250\r\n", ""}, {"250 \r\n", ""},
	    {"250  mx.example.net\r\n", "mx.example.net"}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct view              wire = edge_copy(view_of(cases[i].wire));
		struct smtp_reply        reply = reply_of(wire);
		struct view              rest = smtp_ehlo_rest(&reply);
		struct smtp_ehlo_keyword keyword;

		assert_view(smtp_ehlo_name(&reply), cases[i].name);
		ck_assert(!smtp_ehlo_next(&rest, &keyword));
		ck_assert_uint_eq(smtp_ehlo_keywords(&reply), 0);
		edge_free(wire);
	}
}
END_TEST

START_TEST(a_keyword_of_a_rule)
{
	struct smtp_ehlo_keyword keyword;

	smtp_ehlo_keyword_parse(VIEW("SIZE 1000"), &keyword);
	ck_assert_int_eq(keyword.keyword, SMTP_KEYWORD_SIZE);
	assert_view(keyword.params, "1000");
	smtp_ehlo_keyword_parse(VIEW("auth=PLAIN"), &keyword);
	ck_assert_int_eq(keyword.keyword, SMTP_KEYWORD_AUTH);
	assert_view(keyword.name, "auth");
	assert_view(keyword.params, "PLAIN");
	smtp_ehlo_keyword_parse(VIEW("AUTHX=PLAIN"), &keyword);
	assert_view(keyword.name, "AUTHX=PLAIN");
	smtp_ehlo_keyword_parse(VIEW(""), &keyword);
	ck_assert_int_eq(keyword.keyword, SMTP_KEYWORD_UNKNOWN);
	assert_view(keyword.name, "");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ehlo");
	TCase *tcase = tcase_create("ehlo");

	tcase_add_test(tcase, name_and_keywords);
	tcase_add_test(tcase, short_replies);
	tcase_add_test(tcase, a_keyword_of_a_rule);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
