/* SPDX-License-Identifier: MIT */
/*
 * Events as JSON: each against the line that the manual promises, and any octets at all against
 * a reader that is not ours (Python's).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proxy/outputs/json.h"
#include "proxy/outputs/json_value.h"
#include "tests/unit/events.h"

#define TIME0 "{\"time\":\"2026-11-22T09:00:00.000213Z\",\"session\":1,\"event\":"

static void
assert_line(const struct event *event, const char *expected)
{
	struct buffer out = {NULL, 0, 0};

	json_event(&out, event, NULL);
	buffer_char(&out, '\0');
	ck_assert_str_eq(out.at, expected);
	buffer_free(&out);
}

START_TEST(open_and_upstream)
{
	struct event e = event_made(EVENT_OPEN, 1, 0);

	e.as.open.client = VIEW("192.0.2.7:40123");
	e.as.open.server = VIEW("smtp://mx.example.net:25");
	e.as.open.source = "proxy";
	assert_line(&e, TIME0 "\"open\",\"client\":\"192.0.2.7:40123\","
	                "\"server\":\"smtp://mx.example.net:25\",\"source\":\"proxy\",\"capture\":null}\n");
	e = event_made(EVENT_UPSTREAM, 1, 0);
	e.as.upstream.server = VIEW("[2001:db8::25]:25");
	e.as.upstream.outcome = "refused";
	e.as.upstream.duration_us = 1000001;
	assert_line(&e, TIME0 "\"upstream\",\"server\":\"[2001:db8::25]:25\",\"outcome\":\"refused\","
	                "\"duration_ms\":1000.001,\"reason\":null}\n");
}
END_TEST

/* Verb, argument and what the event has behind them: {line, expected}. */
static const struct {
	const char *line, *expected;
} commands[] = {
	{"mail FROM:<ann@example.org> SIZE=1000 body=8BITMIME SMTPUTF8 X=",
	    "\"verb\":\"MAIL\",\"argument\":\"FROM:<ann@example.org> SIZE=1000 body=8BITMIME SMTPUTF8 X=\","
	    "\"params\":{\"SIZE\":\"1000\",\"BODY\":\"8BITMIME\",\"SMTPUTF8\":null,\"X\":\"\"},"
	    "\"decoded\":{\"SIZE\":1000},\"address\":\"ann@example.org\""},
	{"MAIL FROM:<> SIZE=18446744073709551616",
	    "\"verb\":\"MAIL\",\"argument\":\"FROM:<> SIZE=18446744073709551616\","
	    "\"params\":{\"SIZE\":\"18446744073709551616\"},\"address\":\"\""},
	{"MAIL FROM:<> SIZE=18446744073709551615",
	    "\"verb\":\"MAIL\",\"argument\":\"FROM:<> SIZE=18446744073709551615\","
	    "\"params\":{\"SIZE\":\"18446744073709551615\"},\"decoded\":{\"SIZE\":18446744073709551615},"
	    "\"address\":\"\""},
	/* Of a repeated parameter the last, and no name twice in one object. */
	{"MAIL FROM:<> SIZE=1 size=2", "\"verb\":\"MAIL\",\"argument\":\"FROM:<> SIZE=1 size=2\","
	                               "\"params\":{\"SIZE\":\"2\"},\"decoded\":{\"SIZE\":2},\"address\":\"\""},
	{"BDAT 86 LAST", "\"verb\":\"BDAT\",\"argument\":\"86 LAST\",\"params\":{},"
	                 "\"decoded\":{\"octets\":86,\"last\":true},\"address\":null"},
	{"BDAT x", "\"verb\":\"BDAT\",\"argument\":\"x\",\"params\":{},\"address\":null"},
	{"", "\"verb\":\"\",\"argument\":\"\",\"params\":{},\"address\":null"},
	{"  noop\t\"\\/\x1b[2J\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xc3\xbc\xf0\x9f\x93\xa7",
	    "\"verb\":\"NOOP\",\"argument\":\"\\\"\\\\/\\u001b[2J\\u007f\\u009b\\u2028\\u202e\xc3\xbc"
	    "\xf0\x9f\x93\xa7\",\"params\":{},\"address\":null"},
	{"NOOP a\xff\xc3(", "\"verb\":\"NOOP\",\"argument\":\"a\xef\xbf\xbd\xef\xbf\xbd(\","
	                    "\"argument_base64\":\"Yf/DKA==\",\"params\":{},\"address\":null"},
	{"RCPT TO:<b\xfc@example.net> \x1b\xfex=\xff",
	    "\"verb\":\"RCPT\",\"argument\":\"TO:<b\xef\xbf\xbd@example.net> \\u001b\xef\xbf\xbdx=\xef\xbf\xbd\","
	    "\"argument_base64\":\"VE86PGL8QGV4YW1wbGUubmV0PiAb/ng9/w==\","
	    "\"params\":{\"\\u001b\xef\xbf\xbdX\":\"\xef\xbf\xbd\",\"\\u001b\xef\xbf\xbdX_base64\":\"/w==\"},"
	    "\"address\":\"b\xef\xbf\xbd@example.net\",\"address_base64\":\"YvxAZXhhbXBsZS5uZXQ=\""},
};

START_TEST(a_command)
{
	char upper[64], expected[1024];
	struct event e = command_made(1, 0, view_of(commands[_i].line), upper);

	snprintf(expected, sizeof(expected), TIME0 "\"command\",%s,\"forwarded\":true,\"origin\":\"client\","
	                                           "\"pipelined\":false}\n", commands[_i].expected);
	assert_line(&e, expected);
}
END_TEST

START_TEST(a_command_that_rules_touched)
{
	char upper[64];
	struct event e = command_made(1, 0, VIEW("RSET"), upper);

	e.as.command.forwarded = false;
	e.as.command.pipelined = true;
	assert_line(&e, TIME0 "\"command\",\"verb\":\"RSET\",\"argument\":\"\",\"params\":{},\"address\":null,"
	                "\"forwarded\":false,\"origin\":\"client\",\"pipelined\":true}\n");
	e = command_made(1, 0, VIEW("RSET"), upper);
	e.as.command.forwarded_line = VIEW("NOOP \xff");
	assert_line(&e, TIME0 "\"command\",\"verb\":\"RSET\",\"argument\":\"\",\"params\":{},\"address\":null,"
	                "\"forwarded\":true,\"forwarded_line\":\"NOOP \xef\xbf\xbd\","
	                "\"forwarded_line_base64\":\"Tk9PUCD/\",\"origin\":\"client\",\"pipelined\":false}\n");
	e = command_made(1, 0, VIEW("RSET"), upper);
	e.as.command.origin = ORIGIN_RULE;
	assert_line(&e, TIME0 "\"command\",\"verb\":\"RSET\",\"argument\":\"\",\"params\":{},\"address\":null,"
	                "\"forwarded\":true,\"origin\":\"rule\",\"pipelined\":false}\n");
}
END_TEST

/* NAME_octets is the string's own length: the line's without what stands in front of it. */
START_TEST(a_command_that_was_cut)
{
	char upper[64];
	struct event e = command_made(1, 0, VIEW(" NOOP aaaa"), upper);

	e.as.command.line_octets = 1006;
	assert_line(&e, TIME0 "\"command\",\"verb\":\"NOOP\",\"argument\":\"aaaa\",\"argument_octets\":1000,"
	                "\"params\":{},\"address\":null,\"forwarded\":true,\"origin\":\"client\","
	                "\"pipelined\":false}\n");
	e = command_made(1, 0, VIEW(" aaaa"), upper);
	e.as.command.line_octets = 1001;
	assert_line(&e, TIME0 "\"command\",\"verb\":\"AAAA\",\"verb_octets\":1000,\"argument\":\"\","
	                "\"params\":{},\"address\":null,\"forwarded\":true,\"origin\":\"client\","
	                "\"pipelined\":false}\n");
}
END_TEST

START_TEST(a_reply)
{
	struct event e = reply_made(1, 0, VIEW("421 4.3.2 Service shutting down\r\n"), "RCPT");

	e.as.reply.origin = ORIGIN_RULE;
	e.as.reply.latency_us = EVENT_NO_LATENCY;
	assert_line(&e, TIME0 "\"reply\",\"code\":421,\"enhanced\":\"4.3.2\","
	                "\"text\":[\"4.3.2 Service shutting down\"],\"to\":\"RCPT\",\"latency_ms\":null,"
	                "\"origin\":\"rule\",\"delivered\":true}\n");
	e = reply_made(1, 0, VIEW("250-a\r\n250-\xfc\n250"), "EHLO");
	e.as.reply.latency_us = 12;
	e.as.reply.delivered = false;
	assert_line(&e, TIME0 "\"reply\",\"code\":250,\"enhanced\":null,\"text\":[\"a\",\"\xef\xbf\xbd\",\"\"],"
	                "\"text_base64\":[\"YQ==\",\"/A==\",\"\"],\"to\":\"EHLO\",\"latency_ms\":0.012,"
	                "\"origin\":\"server\",\"delivered\":false}\n");
	/* A clock that was set back must not make a line that is no JSON. */
	e = reply_made(1, 0, VIEW("junk"), NULL);
	e.as.reply.latency_us = -1500;
	e.as.reply.wire_octets = 70000;
	e.as.reply.recipient = VIEW("bob@example.net");
	assert_line(&e, TIME0 "\"reply\",\"code\":null,\"enhanced\":null,\"text\":[\"junk\"],"
	                "\"text_octets\":70000,\"to\":null,\"latency_ms\":-1.500,\"origin\":\"server\","
	                "\"delivered\":true,\"recipient\":\"bob@example.net\"}\n");
	e = reply_made(1, 0, VIEW("452 full\r\n"), "CONTENT");
	e.as.reply.origin = ORIGIN_RULE;
	e.as.reply.changed = true;
	smtp_reply_parse(VIEW("250 2.0.0 queued\r\n"), &e.as.reply.original);
	assert_line(&e, TIME0 "\"reply\",\"code\":452,\"enhanced\":null,\"text\":[\"full\"],\"to\":\"CONTENT\","
	                "\"latency_ms\":1.500,\"origin\":\"rule\",\"original\":{\"code\":250,"
	                "\"enhanced\":\"2.0.0\",\"text\":[\"2.0.0 queued\"]},\"delivered\":true}\n");
}
END_TEST

START_TEST(ehlo_keywords)
{
	struct event e = event_made(EVENT_EHLO, 1, 0);

	smtp_reply_parse(VIEW("250-mx.example.net hello\r\n250-size 1000\r\n250-AUTH=\r\n250-Pipelining\r\n"
	                      "250-AUTH PLAIN LOGIN\r\n250-AUTH=CRAM-MD5\r\n250 SIZE 2000\r\n"),
	    &e.as.ehlo.offered);
	e.as.ehlo.name = VIEW("mx.example.net");
	assert_line(&e, TIME0 "\"ehlo\",\"keywords\":{\"AUTH\":\"PLAIN LOGIN\",\"PIPELINING\":\"\","
	                "\"SIZE\":\"2000\"},\"name\":\"mx.example.net\",\"tls\":false}\n");
	e.as.ehlo.changed = true;
	smtp_reply_parse(VIEW("250 mx.example.net\r\n"), &e.as.ehlo.server);
	e.as.ehlo.offered = e.as.ehlo.server;
	assert_line(&e, TIME0 "\"ehlo\",\"keywords\":{},\"name\":\"mx.example.net\",\"tls\":false,"
	                "\"server_keywords\":{}}\n");
}
END_TEST

START_TEST(auth_and_tls)
{
	struct event e = event_made(EVENT_AUTH, 1, 0);

	e.as.auth.mechanism = VIEW("PLAIN");
	e.as.auth.outcome = "unfinished";
	assert_line(&e, TIME0 "\"auth\",\"mechanism\":\"PLAIN\",\"user\":null,\"outcome\":\"unfinished\","
	                "\"code\":null}\n");
	e.as.auth.user = VIEW("ann");
	e.as.auth.secret = VIEW("tiger");
	e.as.auth.outcome = "accepted";
	e.as.auth.code = 235;
	assert_line(&e, TIME0 "\"auth\",\"mechanism\":\"PLAIN\",\"user\":\"ann\",\"outcome\":\"accepted\","
	                "\"code\":235,\"secret\":\"tiger\"}\n");
	e = event_made(EVENT_TLS, 1, 0);
	e.as.tls.side = EVENT_SERVER;
	e.as.tls.outcome = "passed";
	assert_line(&e, TIME0 "\"tls\",\"side\":\"server\",\"outcome\":\"passed\",\"version\":null,"
	                "\"cipher\":null,\"sni\":null,\"subject\":null,\"issuer\":null,\"verified\":null,"
	                "\"verify_error\":null,\"alert\":null,\"reason\":null}\n");
}
END_TEST

START_TEST(a_message)
{
	struct event_recipient recipients[] = {
		{VIEW("bob@example.net"), 250, 0, 250, VIEW("2.0.0")},
		{VIEW("nobody@example.net"), 250, 550, 0, VIEW_NONE},
		{VIEW("carol@example.net"), 0, 0, 0, VIEW_NONE},
	};
	struct event e = event_made(EVENT_MESSAGE, 1, 0);

	e.as.message.reverse_path = VIEW("");
	e.as.message.transfer = "DATA";
	assert_line(&e, TIME0 "\"message\",\"reverse_path\":\"\",\"recipients\":[],\"octets\":0,\"lines\":0,"
	                "\"transfer\":\"DATA\",\"header\":{\"subject\":null,\"from\":null,\"to\":null,"
	                "\"message_id\":null,\"date\":null},\"code\":null,\"complete\":false}\n");
	e.as.message.recipients = recipients;
	e.as.message.recipient_count = 3;
	e.as.message.recipients_unlisted = 7;
	e.as.message.octets = 5000000000;
	e.as.message.lines = 3;
	e.as.message.subject = VIEW("Gr\xfc\xdf");
	e.as.message.code = 250;
	e.as.message.server_code = 451;
	e.as.message.complete = true;
	e.as.message.changed = true;
	e.as.message.forwarded_octets = 12;
	assert_line(&e, TIME0 "\"message\",\"reverse_path\":\"\",\"recipients\":[{\"address\":"
	                "\"bob@example.net\",\"code\":250,\"final\":{\"code\":250,\"enhanced\":\"2.0.0\"}},"
	                "{\"address\":\"nobody@example.net\",\"code\":250,\"server_code\":550},"
	                "{\"address\":\"carol@example.net\",\"code\":null}],\"recipients_unlisted\":7,"
	                "\"octets\":5000000000,\"lines\":3,\"transfer\":\"DATA\",\"header\":{\"subject\":"
	                "\"Gr\xef\xbf\xbd\xef\xbf\xbd\",\"subject_base64\":\"R3L83w==\",\"from\":null,"
	                "\"to\":null,\"message_id\":null,\"date\":null},\"code\":250,\"server_code\":451,"
	                "\"complete\":true,\"forwarded_octets\":12}\n");
}
END_TEST

START_TEST(findings_rules_and_the_rest)
{
	struct event e = event_made(EVENT_FINDING, 1, 0);

	e.as.finding.finding = FINDING_PIPE_EARLY_TALK;
	e.as.finding.side = EVENT_CLIENT;
	e.as.finding.excerpt = VIEW("EHLO\r\n");
	assert_line(&e, TIME0 "\"finding\",\"id\":\"pipe.early-talk\",\"severity\":\"warning\","
	                "\"side\":\"client\",\"detail\":\"the client spoke before the greeting ended\","
	                "\"excerpt\":\"EHLO\\u000d\\u000a\",\"reference\":\"RFC 5321 4.3.1\","
	                "\"security\":true,\"unsure\":false}\n");
	e = event_made(EVENT_RULE, 1, 0);
	e.as.rule.rule = "say \"no\"";
	e.as.rule.action = "reply 421 4.3.2 \"busy\"";
	e.as.rule.at = "no.rules:3";
	assert_line(&e, TIME0 "\"rule\",\"rule\":\"say \\\"no\\\"\",\"action\":\"reply 421 4.3.2 \\\"busy\\\"\","
	                "\"at\":\"no.rules:3\",\"dry_run\":false}\n");
	e.as.rule.thrown = true;
	e.as.rule.throw = 7.25;
	e.as.rule.dry_run = true;
	assert_line(&e, TIME0 "\"rule\",\"rule\":\"say \\\"no\\\"\",\"action\":\"reply 421 4.3.2 \\\"busy\\\"\","
	                "\"at\":\"no.rules:3\",\"throw\":7.25,\"dry_run\":true}\n");
	e = event_made(EVENT_LOG, 1, 0);
	e.as.log.rule = "r";
	e.as.log.text = VIEW("from ann");
	assert_line(&e, TIME0 "\"log\",\"rule\":\"r\",\"text\":\"from ann\"}\n");
	e = event_made(EVENT_UNDECODED, 1, 0);
	e.as.undecoded.side = EVENT_SERVER;
	e.as.undecoded.octets = (struct view){"\0\x16", 2};
	e.as.undecoded.count = 517;
	e.as.undecoded.reason = "tls";
	assert_line(&e, TIME0 "\"undecoded\",\"side\":\"server\",\"octets\":517,"
	                "\"excerpt\":\"\\u0000\\u0016\",\"reason\":\"tls\"}\n");
	e = event_made(EVENT_CONTENT, 1, 0);
	e.as.content.octets = VIEW("Subject: secret\r\n");
	assert_line(&e, "");
}
END_TEST

START_TEST(close_and_rule_summary)
{
	struct event e = event_made(EVENT_CLOSE, 1, 0);

	e.as.close.by = EVENT_PROXY;
	e.as.close.how = "upstream";
	e.as.close.reason = VIEW("connection refused");
	e.as.close.duration_us = 21;
	e.as.close.commands = 1;
	e.as.close.replies = 2;
	e.as.close.messages = 3;
	e.as.close.octets[0] = 4;
	e.as.close.octets[1] = 5;
	e.as.close.encrypted[0] = 6;
	e.as.close.encrypted[1] = 7;
	e.as.close.gaps = 8;
	assert_line(&e, TIME0 "\"close\",\"by\":\"proxy\",\"how\":\"upstream\",\"reason\":\"connection refused\","
	                "\"duration_ms\":0.021,\"commands\":1,\"replies\":2,\"messages\":3,"
	                "\"octets\":{\"client\":4,\"server\":5},\"encrypted\":{\"client\":6,\"server\":7},"
	                "\"gaps\":8}\n");
	e = event_made(EVENT_RULE_SUMMARY, 0, 0);
	e.as.rule_summary.rule = "r";
	e.as.rule_summary.reached = true;
	e.as.rule_summary.matched = 3;
	e.as.rule_summary.acted = 1;
	assert_line(&e, "{\"time\":\"2026-11-22T09:00:00.000213Z\",\"session\":null,\"event\":\"rule-summary\","
	                "\"rule\":\"r\",\"matched\":3,\"skipped\":0,\"acted\":1,\"reached\":true}\n");
}
END_TEST

/* {seconds since 1970, the date}: leap days, ends of years and centuries. */
static const struct {
	uint64_t    seconds;
	const char *text;
} dates[] = {
	{0, "1970-01-01T00:00:00"}, {951782399, "2000-02-28T23:59:59"}, {951782400, "2000-02-29T00:00:00"},
	{951868800, "2000-03-01T00:00:00"}, {978307199, "2000-12-31T23:59:59"},
	{1709251199, "2024-02-29T23:59:59"}, {1767225600, "2026-01-01T00:00:00"},
	{4107542399, "2100-02-28T23:59:59"}, {4107542400, "2100-03-01T00:00:00"},
	{253402300799, "9999-12-31T23:59:59"}
};

START_TEST(a_date)
{
	struct event e = event_made(EVENT_LOG, 1, 0);
	char expected[128];

	e.time_us = dates[_i].seconds * 1000000 + 999999;
	snprintf(expected, sizeof(expected), "{\"time\":\"%s.999999Z\",\"session\":1,\"event\":\"log\","
	                                     "\"rule\":null,\"text\":null}\n", dates[_i].text);
	assert_line(&e, expected);
}
END_TEST

/* A line must not cost an allocation once the buffer has grown. */
START_TEST(a_buffer_that_has_grown_stays_where_it_is)
{
	struct buffer out = {NULL, 0, 0};
	struct event e = reply_made(1, 0, VIEW("250-a\r\n250 \xff\r\n"), "EHLO");
	const char *at;

	json_event(&out, &e, NULL);
	at = out.at;
	for (int i = 0; i < 1000; i++) {
		out.len = 0;
		json_event(&out, &e, NULL);
		ck_assert_ptr_eq(out.at, at);
	}
	buffer_free(&out);
}
END_TEST

/* Strings are looked at several octets at a time: one odd octet is found wherever it stands, in any length. */
START_TEST(one_octet_that_is_not_plain)
{
	static const struct {
		const char *octet, *escaped;
	} odd[] = {{"\"", "\\\""}, {"\\", "\\\\"}, {"\n", "\\u000a"}, {"\x1f", "\\u001f"}, {"\x7f", "\\u007f"},
	    {" ", " "}, {"~", "~"}, {"!", "!"}, {"]", "]"}};
	struct buffer out = {NULL, 0, 0};

	for (size_t len = 1; len <= 40; len++) {
		for (size_t at = 0; at < len; at++) {
			size_t i = (len + at) % (sizeof(odd) / sizeof(odd[0]));
			char *octets = malloc(len), expected[128];      /* what is read beyond it is found out */

			memset(octets, 'x', len);
			octets[at] = odd[i].octet[0];
			snprintf(expected, sizeof(expected), "{\"a\":\"%.*s%s%.*s\"", (int)at, octets, odd[i].escaped,
			    (int)(len - at - 1), octets + at + 1);
			out.len = 0;
			json_open(&out, NULL, '{');
			json_octets(&out, "a", (struct view){octets, len});
			ck_assert_uint_eq(out.len, strlen(expected));
			ck_assert_mem_eq(out.at, expected, out.len);
			free(octets);
		}
	}
	buffer_free(&out);
}
END_TEST

static void
put_hex(FILE *file, struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		fprintf(file, "%02x", (unsigned char)v.at[i]);
	fputc('\n', file);
}

/*
 * Octets at random, half of them drawn from what makes UTF-8 go wrong. Before each line of JSON
 * the file has the octets in hex: check_json.py reads both.
 */
START_TEST(another_reader_agrees)
{
	static const char odd[] = "\xc2\x80\xe2\x80\xa8\xed\xa0\xf0\x9f\xf4\x90\xc0\xff\"\\\r\n\t\x1b\x7f<>=";
	char path[] = "/tmp/smtpscope-json-XXXXXX", command[128];
	FILE *file = fdopen(mkstemp(path), "w");
	struct buffer out = {NULL, 0, 0};
	uint32_t chance = 1;

	ck_assert_ptr_nonnull(file);
	for (int i = 0; i < 3000; i++) {
		char octets[48], upper[64];
		struct event e;
		size_t len;

		for (len = 0; len < sizeof(octets) && len < (size_t)(i % 49); len++) {
			chance = chance * 1664525 + 1013904223;
			octets[len] = odd[(chance >> 16) % (sizeof(odd) - 1)];
			if (chance >> 30 == 0)
				octets[len] = (char)(chance >> 16);
		}
		out.len = 0;
		e = reply_made(7, 0, (struct view){octets, len}, "NOOP");
		if (i % 3 == 0)
			e = command_made(7, 0, (struct view){octets, len}, upper);
		if (i % 3 == 1) {
			e = event_made(EVENT_LOG, 7, 0);
			e.as.log.text = (struct view){octets, len};
		}
		json_event(&out, &e, NULL);
		put_hex(file, (struct view){octets, len});
		fwrite(out.at, 1, out.len, file);
	}
	fclose(file);
	buffer_free(&out);
	snprintf(command, sizeof(command), "python3 tests/unit/check_json.py 3000 <%s", path);
	ck_assert_int_eq(system(command), 0);
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("json");
	TCase *tcase = tcase_create("json");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, open_and_upstream);
	tcase_add_loop_test(tcase, a_command, 0, sizeof(commands) / sizeof(commands[0]));
	tcase_add_test(tcase, a_command_that_rules_touched);
	tcase_add_test(tcase, a_command_that_was_cut);
	tcase_add_test(tcase, a_reply);
	tcase_add_test(tcase, ehlo_keywords);
	tcase_add_test(tcase, auth_and_tls);
	tcase_add_test(tcase, a_message);
	tcase_add_test(tcase, findings_rules_and_the_rest);
	tcase_add_test(tcase, close_and_rule_summary);
	tcase_add_loop_test(tcase, a_date, 0, sizeof(dates) / sizeof(dates[0]));
	tcase_add_test(tcase, a_buffer_that_has_grown_stays_where_it_is);
	tcase_add_test(tcase, one_octet_that_is_not_plain);
	tcase_add_test(tcase, another_reader_agrees);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
