/* SPDX-License-Identifier: MIT */
/* Command lines taken apart: as RFC 5321 has them, and as they are seen in the wild. */
#include <stdint.h>

#include "decoders/smtp/command.h"
#include "tests/unit/edge.h"

static const struct {
	const char    *line;
	enum smtp_verb verb;
	const char    *name, *argument;
} lines[] = {
    {"", SMTP_VERB_UNKNOWN, "", ""},
    {"   ", SMTP_VERB_UNKNOWN, "", ""},
    {"QUIT", SMTP_QUIT, "QUIT", ""},
    {"quit", SMTP_QUIT, "quit", ""},
    {" \tQuIt", SMTP_QUIT, "QuIt", ""},
    {"QUIT ", SMTP_QUIT, "QUIT", ""},
    {"QUIT  now ", SMTP_QUIT, "QUIT", " now "},
    {"EHLO\tclient.example.org", SMTP_EHLO, "EHLO", "client.example.org"},
    {"EHLO client.example.org", SMTP_EHLO, "EHLO", "client.example.org"},
    {"EHLO  [192.0.2.1]", SMTP_EHLO, "EHLO", " [192.0.2.1]"},
    {"STARTTLS", SMTP_STARTTLS, "STARTTLS", ""},
    {"STARTTLSX", SMTP_VERB_UNKNOWN, "STARTTLSX", ""},
    {"XYZZY a b", SMTP_VERB_UNKNOWN, "XYZZY", "a b"},
    {"GET / HTTP/1.1", SMTP_VERB_UNKNOWN, "GET", "/ HTTP/1.1"},
    {"QUIT\r", SMTP_VERB_UNKNOWN, "QUIT\r", ""},
    {"XFORWARD NAME=x", SMTP_XFORWARD, "XFORWARD", "NAME=x"},
};

START_TEST(verb_and_argument)
{
	struct view         line = edge_copy(view_of(lines[_i].line));
	struct smtp_command command;

	smtp_command_parse(line, &command);
	ck_assert_int_eq(command.verb, lines[_i].verb);
	assert_view(command.name, lines[_i].name);
	assert_view(command.argument, lines[_i].argument);
	assert_view(command.line, lines[_i].line);
	ck_assert_ptr_null(command.address.at);
	ck_assert_ptr_null(command.secret.at);
	edge_free(line);
}
END_TEST

static const struct {
	const char *line, *address, *domain, *params;
} paths[] = {
    {"MAIL FROM:<ann@example.org>", "ann@example.org", "example.org", ""},
    {"MAIL FROM:<>", "", NULL, ""},
    {"MAIL FROM:<ann@example.org> SIZE=1000 BODY=8BITMIME", "ann@example.org", "example.org",
        "SIZE=1000 BODY=8BITMIME"},
    {"mail from: <ann@example.org>  SIZE=1", "ann@example.org", "example.org", "SIZE=1"},
    {"MAIL  FROM :\t<ann@example.org>", "ann@example.org", "example.org", ""},
    {"MAIL FROM:<ann@example.org>SIZE=1", "ann@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:ann@example.org", "ann@example.org", "example.org", ""},
    {"MAIL FROM:ann@example.org SIZE=1", "ann@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<ann@example.org SIZE=1", "ann@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<ann@example.org AUTH=<>", "ann@example.org", "example.org", "AUTH=<>"},
    {"MAIL FROM:ann@example.org> SIZE=1", "ann@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<\"a>b\"@example.org> SIZE=1", "\"a>b\"@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<\"a b\"@example.org>", "\"a b\"@example.org", "example.org", ""},
    {"MAIL FROM:\"a b\"@example.org SIZE=1", "\"a b\"@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<\"a\\\"> b\"@example.org>", "\"a\\\"> b\"@example.org", "example.org", ""},
    {"MAIL FROM:<\"a@b\"@example.org>", "\"a@b\"@example.org", "example.org", ""},
    {"MAIL FROM:<a\"b@example.org> SIZE=1", "a\"b@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<a b@example.org> SIZE=1", "a b@example.org", "example.org", "SIZE=1"},
    {"MAIL FROM:<j\xc3\xbcrgen@example.org> SMTPUTF8", "j\xc3\xbcrgen@example.org", "example.org",
        "SMTPUTF8"},
    {"RCPT TO:<bob@example.net> NOTIFY=NEVER", "bob@example.net", "example.net", "NOTIFY=NEVER"},
    {"RCPT TO:<@a.example,@b.example:bob@example.net>", "@a.example,@b.example:bob@example.net",
        "example.net", ""},
    {"RCPT TO:<postmaster>", "postmaster", NULL, ""},
    {"RCPT TO:postmaster", "postmaster", NULL, ""},
    {"RCPT TO:<bob@[192.0.2.1]>", "bob@[192.0.2.1]", "[192.0.2.1]", ""},
    {"RCPT TO:<bob@>", "bob@", "", ""},
    {"RCPT TO:<", "", NULL, ""},
    {"RCPT TO:>", "", NULL, ""},
    {"RCPT TO:", NULL, NULL, ""},
    {"RCPT TO: ", NULL, NULL, ""},
    {"RCPT TO", NULL, NULL, NULL},
    {"RCPT <bob@example.net>", NULL, NULL, NULL},
    {"RCPT FROM:<bob@example.net>", NULL, NULL, NULL},
    {"RCPT", NULL, NULL, NULL},
    {"MAIL TO:<bob@example.net>", NULL, NULL, NULL},
    {"MAIL FROM:<\"\\", "\"\\", NULL, ""},
    {"MAIL FROM:<\"", "\"", NULL, ""},
};

START_TEST(paths_and_what_follows_them)
{
	struct view         line = edge_copy(view_of(paths[_i].line));
	struct smtp_command command;

	smtp_command_parse(line, &command);
	assert_view(command.address, paths[_i].address);
	assert_view(command.params, paths[_i].params);
	if (paths[_i].address != NULL)
		assert_view(smtp_mailbox_domain(command.address), paths[_i].domain);
	edge_free(line);
}
END_TEST

START_TEST(parameters_one_by_one)
{
	struct view       rest = VIEW(" SIZE=1000\tSMTPUTF8  ENVID=a=b RET= =x ");
	struct smtp_param param;

	ck_assert(smtp_param_next(&rest, &param));
	assert_view(param.name, "SIZE");
	assert_view(param.value, "1000");
	ck_assert(smtp_param_next(&rest, &param));
	assert_view(param.name, "SMTPUTF8");
	assert_view(param.value, NULL);
	ck_assert(smtp_param_next(&rest, &param));
	assert_view(param.name, "ENVID");
	assert_view(param.value, "a=b");
	ck_assert(smtp_param_next(&rest, &param));
	assert_view(param.name, "RET");
	assert_view(param.value, "");
	ck_assert(smtp_param_next(&rest, &param));
	assert_view(param.name, "");
	assert_view(param.value, "x");
	ck_assert(!smtp_param_next(&rest, &param));
	ck_assert(!smtp_param_next(&rest, &param));
}
END_TEST

static const struct {
	const char *line;
	bool        valid, last;
	uint64_t    count;
} chunks[] = {
    {"BDAT 0", true, false, 0},
    {"BDAT 1000", true, false, 1000},
    {"bdat 1000 last", true, true, 1000},
    {"BDAT 0 LAST", true, true, 0},
    {"BDAT  7\tLAST ", true, true, 7},
    {"BDAT 7 LASTLY", true, false, 7},
    {"BDAT 7 LAST NOW", true, true, 7},
    {"BDAT 18446744073709551615", true, false, UINT64_MAX},
    {"BDAT 18446744073709551616", false, false, 0},
    {"BDAT 99999999999999999999999999", false, false, 0},
    {"BDAT 000000000000000000000000012", true, false, 12},
    {"BDAT", false, false, 0},
    {"BDAT ", false, false, 0},
    {"BDAT LAST", false, false, 0},
    {"BDAT -1", false, false, 0},
    {"BDAT +1", false, false, 0},
    {"BDAT 1k", false, false, 0},
    {"BDAT 0x10", false, false, 0},
};

START_TEST(chunk_counts)
{
	struct view         line = edge_copy(view_of(chunks[_i].line));
	struct smtp_command command;

	smtp_command_parse(line, &command);
	ck_assert_int_eq(command.verb, SMTP_BDAT);
	ck_assert_int_eq(command.chunk_valid, chunks[_i].valid);
	ck_assert_int_eq(command.chunk_last, chunks[_i].last);
	ck_assert_uint_eq(command.chunk, chunks[_i].count);
	edge_free(line);
}
END_TEST

static const struct {
	const char *line, *mechanism, *initial, *secret;
} secrets[] = {
    {"AUTH", NULL, NULL, NULL},
    {"AUTH LOGIN", "LOGIN", NULL, NULL},
    {"AUTH LOGIN ", "LOGIN", NULL, NULL},
    {"AUTH  PLAIN  AGFubgBzZWNyZXQ=", "PLAIN", "AGFubgBzZWNyZXQ=", "AGFubgBzZWNyZXQ="},
    {"auth plain\tAGFubgBzZWNyZXQ=", "plain", "AGFubgBzZWNyZXQ=", "AGFubgBzZWNyZXQ="},
    {"AUTH EXTERNAL =", "EXTERNAL", "", NULL},
    {"AUTH PLAIN AGFubgBz ZWNyZXQ= ", "PLAIN", "AGFubgBz", "AGFubgBz ZWNyZXQ= "},
    {"AUTH PLAIN = c2VjcmV0", "PLAIN", "=", "= c2VjcmV0"},
    {"AUTH LOGIN ann secret", "LOGIN", "ann", "ann secret"},
    {"AUTH AGFubgBzZWNyZXQ=", NULL, NULL, "AGFubgBzZWNyZXQ="},
    {"AUTH ann:secret now", NULL, NULL, "ann:secret now"},
    {"AUTH AAAAAAAAAAAAAAAAAAAAA", NULL, NULL, "AAAAAAAAAAAAAAAAAAAAA"},
    {"MAIL FROM:<> AUTH=<>", NULL, NULL, NULL},
    {"MAIL FROM:<> AUTH=ann+40example.org SIZE=1", NULL, NULL, "ann+40example.org"},
    {"MAIL FROM:<> auth=ann", NULL, NULL, "ann"},
    {"MAIL FROM:<> AUTH=", NULL, NULL, NULL},
    {"MAIL FROM:<> AUTH=ann AUTH=bob", NULL, NULL, "ann AUTH=bob"},
    {"MAIL <> AUTH=ann", NULL, NULL, "ann"},
    {"MAIL FROM:<> AUTHX=ann", NULL, NULL, NULL},
    {"RCPT TO:<bob@example.net> AUTH=ann", NULL, NULL, NULL},
    {"XCLIENT LOGIN=ann", NULL, NULL, NULL},
};

START_TEST(what_is_a_secret)
{
	struct view         line = edge_copy(view_of(secrets[_i].line));
	struct smtp_command command;

	smtp_command_parse(line, &command);
	assert_view(command.mechanism, secrets[_i].mechanism);
	assert_view(command.initial, secrets[_i].initial);
	assert_view(command.secret, secrets[_i].secret);
	edge_free(line);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");

	tcase_add_loop_test(tcase, verb_and_argument, 0, sizeof lines / sizeof *lines);
	tcase_add_loop_test(tcase, paths_and_what_follows_them, 0, sizeof paths / sizeof *paths);
	tcase_add_test(tcase, parameters_one_by_one);
	tcase_add_loop_test(tcase, chunk_counts, 0, sizeof chunks / sizeof *chunks);
	tcase_add_loop_test(tcase, what_is_a_secret, 0, sizeof secrets / sizeof *secrets);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
