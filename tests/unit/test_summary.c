/* SPDX-License-Identifier: MIT */
/* Totals at the end, lines about sessions, and one stream of events for several sinks. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/outputs/fanout.h"
#include "proxy/outputs/summary.h"
#include "tests/unit/events.h"

static struct summary *summary;
static struct event_sink sink;

static void
setup(void)
{
	summary = summary_new();
	sink = summary_sink(summary);
}

static void
teardown(void)
{
	summary_free(summary);
}

static void
put(struct event event)
{
	sink.put(sink.to, &event);
}

static struct event
opened(uint64_t session)
{
	struct event e = event_made(EVENT_OPEN, session, 0);

	e.as.open.client = VIEW("192.0.2.7:40123");
	e.as.open.server = VIEW("smtp://mx.example.net:25");
	return e;
}

static struct event
closed(uint64_t session, const char *how)
{
	struct event e = event_made(EVENT_CLOSE, session, 1500000);

	e.as.close.how = how;
	e.as.close.duration_us = 1500000;
	e.as.close.commands = 7;
	e.as.close.octets[0] = 100;
	e.as.close.octets[1] = 50;
	return e;
}

static struct event
message(uint64_t session, uint16_t code, uint16_t server_code)
{
	struct event e = event_made(EVENT_MESSAGE, session, 0);

	e.as.message.code = code;
	e.as.message.server_code = server_code;
	e.as.message.octets = 1000;
	return e;
}

static struct event
finding(uint64_t session, enum finding id)
{
	struct event e = event_made(EVENT_FINDING, session, 0);

	e.as.finding.finding = id;
	return e;
}

static struct event
rule(const char *name, bool reached, uint64_t matched, uint64_t skipped, uint64_t acted)
{
	struct event e = event_made(EVENT_RULE_SUMMARY, 0, 9000000);

	e.as.rule_summary.rule = name;
	e.as.rule_summary.reached = reached;
	e.as.rule_summary.matched = matched;
	e.as.rule_summary.skipped = skipped;
	e.as.rule_summary.acted = acted;
	return e;
}

static void
assert_printed(const char *expected)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	summary_print(summary, out);
	fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(nothing_happened)
{
	assert_printed("0 sessions in 0.000 s\n");
	ck_assert_int_eq(summary_worst_finding(summary), -1);
}
END_TEST

START_TEST(a_day)
{
	char upper[16];
	struct event e;

	for (uint64_t session = 1; session <= 4; session++)
		put(opened(session));
	put(reply_made(1, 0, VIEW("220 hello\r\n"), "CONNECT"));
	put(command_made(1, 0, VIEW("NOOP"), upper));
	e = command_made(1, 0, VIEW("RSET"), upper);
	e.as.command.forwarded = false;
	put(e);
	e = command_made(1, 0, VIEW("MAIL FROM:<>"), upper);
	e.as.command.forwarded_line = VIEW("MAIL FROM:<ann@example.org>");
	put(e);
	e = command_made(1, 0, VIEW("NOOP"), upper);
	e.as.command.origin = ORIGIN_RULE;
	put(e);
	e = reply_made(1, 0, VIEW("250 ok\r\n"), "NOOP");
	e.as.reply.delivered = false;
	put(e);
	e = reply_made(1, 0, VIEW("421 4.3.2 no\r\n"), "RSET");
	e.as.reply.origin = ORIGIN_RULE;
	put(e);
	put(message(1, 250, 0));
	put(message(1, 250, 451));
	put(message(1, 451, 452));
	put(message(2, 550, 0));
	put(message(2, 0, 250));
	put(finding(1, FINDING_RSP_421));
	put(finding(1, FINDING_CMD_UNKNOWN));
	put(finding(2, FINDING_CMD_UNKNOWN));
	ck_assert_int_eq(summary_worst_finding(summary), FINDING_NOTE);
	put(finding(2, FINDING_RSP_SYNTAX));
	ck_assert_int_eq(summary_worst_finding(summary), FINDING_ERROR);
	put(closed(1, "quit"));
	put(closed(2, "quit"));
	put(closed(3, "shutdown"));
	put(rule("421 at the third recipient", true, 3, 1, 1));
	put(rule("gr\xc3\xbc\xc3\x9f \x1b", false, 0, 0, 0));
	put(rule("another domain", true, 0, 0, 0));
	assert_printed(
	    "4 sessions in 1.500 s: 2 quit, 1 shutdown; 1 still open\n"
	    "  messages  2 accepted, 1 deferred, 1 refused, 1 without a final reply; "
	    "2 where the server said otherwise; 5000 octets\n"
	    "  commands  4; 1 kept from the server; 1 changed by rules; 1 made by rules\n"
	    "  replies   2 of 2yz, 1 of 4yz; 1 by rules; 1 not delivered\n"
	    "  octets    300 of clients, 150 of servers\n"
	    "  findings\n"
	    "    error    rsp.syntax                1  a line of the server's that is no reply\n"
	    "    note     cmd.unknown               2  a verb that is in no registry\n"
	    "    note     rsp.421                   1  the server closes the transmission channel\n"
	    "  rules                           matched  skipped    acted\n"
	    "    421 at the third recipient         3        1        1\n"
	    "    gr\xc3\xbc\xc3\x9f \\x1b                          0        0        0  never reached\n"
	    "    another domain                     0        0        0  never matched\n");
}
END_TEST

START_TEST(a_line_for_each_session)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	put(opened(1));
	summary_sessions_to(summary, out);
	put(closed(1, "quit"));         /* opened before lines were wanted */
	put(opened(2));
	put(opened(2 + 1024));
	put(message(2, 250, 0));
	put(message(2, 250, 0));
	put(message(2, 452, 0));
	put(finding(2, FINDING_CMD_UNKNOWN));
	put(finding(2, FINDING_LINE_BARE_LF));
	put(closed(2 + 1024, "capture-end"));
	put(closed(2, "quit"));
	put(opened(3));                 /* left open */
	fclose(out);
	ck_assert_str_eq(text,
	    "#1026  2026-11-22T09:00:00.000213Z     1.500 s  capture-end  192.0.2.7:40123 -> "
	    "smtp://mx.example.net:25; 7 commands; messages: none\n"
	    "#2     2026-11-22T09:00:00.000213Z     1.500 s  quit         192.0.2.7:40123 -> "
	    "smtp://mx.example.net:25; 7 commands; messages: 2 accepted, 1 deferred; "
	    "findings: 2, worst warning line.bare-lf\n");
	free(text);
}
END_TEST

struct seen {
	int events, contents;
};

static void
see(void *to, const struct event *event)
{
	struct seen *seen = to;

	seen->events++;
	seen->contents += event->type == EVENT_CONTENT;
}

START_TEST(all_sinks_see_all_but_content_that_they_do_not_want)
{
	struct seen with = {0, 0}, without = {0, 0};
	struct fanout fanout = {.count = 0};
	struct event e = opened(1);

	ck_assert(!fanout_sink(&fanout).wants_content);
	fanout_add(&fanout, summary_sink(summary));
	ck_assert(fanout_sink(&fanout).counts_only);
	fanout_add(&fanout, (struct event_sink){.put = see, .to = &without, .wants_content = false});
	ck_assert(!fanout_sink(&fanout).wants_content);
	fanout_add(&fanout, (struct event_sink){.put = see, .to = &with, .wants_content = true});
	ck_assert(fanout_sink(&fanout).wants_content);
	ck_assert(!fanout_sink(&fanout).counts_only);
	sink = fanout_sink(&fanout);
	put(e);
	e = event_made(EVENT_CONTENT, 1, 0);
	put(e);
	ck_assert_int_eq(with.events, 2);
	ck_assert_int_eq(with.contents, 1);
	ck_assert_int_eq(without.events, 1);
	ck_assert_int_eq(without.contents, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("summary");
	TCase *tcase = tcase_create("summary");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, nothing_happened);
	tcase_add_test(tcase, a_day);
	tcase_add_test(tcase, a_line_for_each_session);
	tcase_add_test(tcase, all_sinks_see_all_but_content_that_they_do_not_want);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
