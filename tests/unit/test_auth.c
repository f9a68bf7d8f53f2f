/* SPDX-License-Identifier: MIT */
/* Who authenticates, by every mechanism that says so, and nothing of the secret beside it. */
#include "decoders/base64.h"
#include "decoders/smtp/auth.h"
#include "tests/unit/edge.h"

static const struct {
	const char *mechanism;
	unsigned    step;
	struct view payload;    /* before base64 */
	const char *user;
} cases[] = {
    {"PLAIN", 0, VIEW("\0ann\0secret"), "ann"},
    {"plain", 0, VIEW("\0ann\0secret"), "ann"},
    {"PLAIN", 0, VIEW("boss\0ann\0secret"), "ann"},
    {"PLAIN", 0, VIEW("boss\0\0secret"), "boss"},
    {"PLAIN", 0, VIEW("\0ann@example.org\0"), "ann@example.org"},
    {"PLAIN", 0, VIEW("\0ann"), "ann"},
    {"PLAIN", 0, VIEW("ann"), "ann"},
    {"PLAIN", 0, VIEW("\0"), ""},
    {"PLAIN", 0, VIEW(""), ""},
    {"PLAIN", 1, VIEW("\0ann\0secret"), ""},
    {"LOGIN", 0, VIEW("ann@example.org"), "ann@example.org"},
    {"LOGIN", 1, VIEW("secret"), ""},
    {"CRAM-MD5", 0, VIEW("tim b913a602c7eda7a495b4e6e7334d3890"), "tim"},
    {"CRAM-MD5", 0, VIEW("tim the cat b913a602c7eda7a495b4e6e7334d3890"), "tim the cat"},
    {"CRAM-MD5", 0, VIEW("b913a602c7eda7a495b4e6e7334d3890"), ""},
    {"DIGEST-MD5", 0, VIEW("charset=utf-8,username=\"chris\",realm=\"elwood.example\""), "chris"},
    {"DIGEST-MD5", 0, VIEW("charset=utf-8,username=\"chris"), "chris"},
    {"DIGEST-MD5", 0, VIEW("charset=utf-8,realm=x"), ""},
    {"XOAUTH2", 0, VIEW("user=ann@example.org\1auth=Bearer ya29.token\1\1"), "ann@example.org"},
    {"XOAUTH2", 0, VIEW("auth=Bearer ya29.token\1\1"), ""},
    {"OAUTHBEARER", 0, VIEW("n,a=ann@example.org,\1host=mx.example.net\1auth=Bearer t,a=x\1\1"),
        "ann@example.org"},
    {"OAUTHBEARER", 0, VIEW("n,,\1auth=Bearer t,a=x\1\1"), ""},
    {"SCRAM-SHA-256", 0, VIEW("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), "user"},
    {"SCRAM-SHA-1-PLUS", 0, VIEW("p=tls-unique,a=boss,n=u=3Dx=2Cy,r=abc"), "u=x,y"},
    {"SCRAM-SHA-256", 0, VIEW("n,,n=u=2"), "u=2"},
    {"SCRAM-SHA-256", 1, VIEW("c=biws,r=abc,p=dHzbZap"), ""},
    {"EXTERNAL", 0, VIEW("ann@example.org"), "ann@example.org"},
    {"EXTERNAL", 0, VIEW(""), ""},
    {"ANONYMOUS", 0, VIEW("sirhc"), "sirhc"},
    {"GSSAPI", 0, VIEW("ann"), ""},
    {"PLAINX", 0, VIEW("\0ann\0secret"), ""},
    {"SCRAM", 0, VIEW("n,,n=user,r=x"), ""},
    {"", 0, VIEW("ann"), ""},
};

START_TEST(the_user_is_found)
{
	char        encoded[256], user[64];
	size_t      len = base64_encode(cases[_i].payload, encoded), got;
	struct view response = edge_copy((struct view){encoded, len});

	got = smtp_auth_user(view_of(cases[_i].mechanism), cases[_i].step, response, user, sizeof user);
	assert_view(((struct view){user, got}), cases[_i].user);
	edge_free(response);
}
END_TEST

START_TEST(what_is_not_base64_names_nobody)
{
	char user[64];

	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW("ann@example.org"), user, sizeof user), 0);
	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW("*"), user, sizeof user), 0);
	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW_NONE, user, sizeof user), 0);
	/* A space behind it is a slip that servers forgive. */
	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW("YW5u "), user, sizeof user), 3);
}
END_TEST

START_TEST(the_name_is_cut_at_the_room_for_it)
{
	char user[4] = "xxx";

	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW("YW5uYW5u"), user, 2), 2);
	assert_view(((struct view){user, 3}), "anx");
	ck_assert_uint_eq(smtp_auth_user(VIEW("LOGIN"), 0, VIEW("YW5uYW5u"), user, 0), 0);
}
END_TEST

START_TEST(a_long_token_hides_no_name)
{
	static char payload[60000], encoded[80004];
	char        user[64];
	size_t      len;

	memset(payload, 't', sizeof payload);
	memcpy(payload, "user=ann\1auth=Bearer ", 21);
	len = base64_encode((struct view){payload, sizeof payload}, encoded);
	len = smtp_auth_user(VIEW("XOAUTH2"), 0, (struct view){encoded, len}, user, sizeof user);
	assert_view(((struct view){user, len}), "ann");
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("auth");
	TCase *tcase = tcase_create("auth");

	tcase_add_loop_test(tcase, the_user_is_found, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tcase, what_is_not_base64_names_nobody);
	tcase_add_test(tcase, the_name_is_cut_at_the_room_for_it);
	tcase_add_test(tcase, a_long_token_hides_no_name);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
