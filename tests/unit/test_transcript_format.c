/* SPDX-License-Identifier: MIT */
/* The format of tests/transcripts: what its lines stand for, what is filled in, what is wrong. */
#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/transcript.h"
#include "tests/unit/transcript_events.h"

/* Reads a transcript from text; NULL: *complaint says why, and is the caller's to free. */
static struct transcript *
read_text(const char *text, char **complaint)
{
	char path[] = "/tmp/smtpscope-format.XXXXXX";
	int file = mkstemp(path);
	size_t size;
	FILE *err = open_memstream(complaint, &size);
	struct transcript *t;

	ck_assert_int_ge(file, 0);
	ck_assert_int_eq((ssize_t)strlen(text), write(file, text, strlen(text)));
	close(file);
	t = transcript_load(path, err);
	fclose(err);
	unlink(path);
	return t;
}

static struct transcript *
read_good(const char *text)
{
	char *complaint;
	struct transcript *t = read_text(text, &complaint);

	ck_assert_msg(t != NULL, "%s", complaint);
	free(complaint);
	return t;
}

static void
assert_octets(struct view got, const char *want, size_t len)
{
	ck_assert_uint_eq(got.len, len);
	ck_assert_mem_eq(got.at, want, len);
}
#define ASSERT_OCTETS(got, want) assert_octets((got), (want), sizeof(want) - 1)

START_TEST(lines_of_one_side_are_one_write)
{
	struct transcript *t = read_good("# why\nS: 220 a\nC: NOOP\nC; QU\nC: IT\n\nC: NOOP\nS: 250\n");

	ck_assert_uint_eq(t->steps, 6);         /* and two closes */
	ck_assert_int_eq(t->step[1].writer, SMTP_CLIENT);
	ASSERT_OCTETS(t->step[1].octets, "NOOP\r\nQUIT\r\n");
	ASSERT_OCTETS(t->step[1].received[SMTP_SERVER], "NOOP\r\nQUIT\r\n");
	ASSERT_OCTETS(t->step[1].received[SMTP_CLIENT], "");
	ASSERT_OCTETS(t->step[2].octets, "NOOP\r\n");
	transcript_free(t);
}
END_TEST

START_TEST(what_is_not_said_is_what_a_cable_does)
{
	struct transcript *t = read_good("C: A\nC< B\nC< [close]\nS: C\nC< [nothing]\nS: D\nS< E\n");

	ASSERT_OCTETS(t->step[0].received[SMTP_SERVER], "A\r\n");
	ASSERT_OCTETS(t->step[0].received[SMTP_CLIENT], "B\r\n");
	ck_assert_int_eq(t->step[0].ended[SMTP_CLIENT], TRANSCRIPT_CLOSED);
	ASSERT_OCTETS(t->step[1].received[SMTP_CLIENT], "");
	/* Its connection is at its end. */
	ASSERT_OCTETS(t->step[2].received[SMTP_CLIENT], "");
	ASSERT_OCTETS(t->step[2].received[SMTP_SERVER], "E\r\n");
	ck_assert_uint_eq(t->steps, 5);
	ck_assert_int_eq(t->step[3].writer, SMTP_SERVER);
	ck_assert_int_eq(t->step[3].ends, TRANSCRIPT_CLOSED);
	ck_assert_int_eq(t->step[3].ended[SMTP_CLIENT], TRANSCRIPT_OPEN);
	ck_assert_int_eq(t->step[4].writer, SMTP_CLIENT);
	ck_assert_int_eq(t->step[4].ended[SMTP_SERVER], TRANSCRIPT_CLOSED);
	transcript_free(t);
}
END_TEST

START_TEST(a_reset_is_the_end_of_both)
{
	struct transcript *t = read_good("C: A\nC: [reset]\n");

	ck_assert_uint_eq(t->steps, 1);
	ck_assert_int_eq(t->step[0].ends, TRANSCRIPT_RESET);
	ck_assert_int_eq(t->step[0].ended[SMTP_SERVER], TRANSCRIPT_RESET);
	transcript_free(t);
}
END_TEST

START_TEST(escapes_and_repetitions)
{
	struct transcript *t = read_good("C; [ab\\n * 3]\\x00\\\\[1 * x][192.0.2.1]\n");

	ASSERT_OCTETS(t->step[0].octets, "ab\nab\nab\n\0\\[1 * x][192.0.2.1]");
	transcript_free(t);
}
END_TEST

START_TEST(events_rules_and_options)
{
	struct transcript *t = read_good("option: max-line 2KiB\noption: lmtp\nmasked: two words\n"
	    "| rule \"a\" {\n|     on RCPT\n| }\nC: A\n@ 80ms\n"
	    "= reply to=null text.0=\"a \\\"b\\\" c\" !original\n! finding\n");

	ck_assert_uint_eq(t->max_line, 2048);
	ck_assert(t->lmtp);
	ASSERT_OCTETS(t->masked[0], "two words");
	ASSERT_OCTETS(t->rules, "rule \"a\" {\n    on RCPT\n}\n");
	ck_assert_uint_eq(t->step[0].takes_us, 80000);
	ck_assert_uint_eq(t->events, 2);
	ASSERT_OCTETS(t->event[0].type, "reply");
	ck_assert_uint_eq(t->event[0].fields, 3);
	ck_assert_int_eq(t->event[0].field[0].match, TRANSCRIPT_BARE);
	ck_assert_int_eq(t->event[0].field[1].match, TRANSCRIPT_TEXT);
	ASSERT_OCTETS(t->event[0].field[1].path, "text.0");
	ASSERT_OCTETS(t->event[0].field[1].value, "a \"b\" c");
	ck_assert_int_eq(t->event[0].field[2].match, TRANSCRIPT_ABSENT);
	ck_assert(t->event[1].never);
	transcript_free(t);
}
END_TEST

START_TEST(several_sessions)
{
	struct transcript *t = read_good("option: server none\nC< 554 a\nC: [close]\n== again\n~ 30ms\nS: 220 b\nC: QUIT\n");

	ck_assert_uint_eq(t->steps, 6);
	ck_assert(t->step[0].begins && !t->step[1].begins && t->step[2].begins && !t->step[3].begins);
	ck_assert_int_eq(t->step[1].server, TRANSCRIPT_SERVER_NONE);
	ck_assert_int_eq(t->step[2].server, TRANSCRIPT_SERVER_UP);
	ck_assert_uint_eq(t->step[2].pause_us, 30000);
	ck_assert_uint_eq(t->step[3].pause_us, 0);
	ASSERT_OCTETS(t->step[2].received[SMTP_CLIENT], "220 b\r\n");
	transcript_free(t);
}
END_TEST

START_TEST(durations_are_shortened)
{
	struct transcript *t = read_good("option: hasten\n| delay 5s..20s delay 2m # 1s\n| within 1h log \"4s \\\" 5s\"\n"
	    "| when verb ~ /6s/ delay 7ms x8s\nC: A\n");

	ASSERT_OCTETS(t->rules, "delay 5ms..20ms delay 120ms # 1s\nwithin 1h log \"4s \\\" 5s\"\n"
	    "when verb ~ /6s/ delay 7ms x8s\n");
	transcript_free(t);
}
END_TEST

static const struct {
	const char *text, *complaint;
} wrong[] = {
    {"X: a\n", ":1: a line begins with"},
    {"C: a\nC: \\q\n", ":2: wrong escape"},
    {"option: max-line\n", ":1: unknown option"},
    {"= \n", ":1: the name of an event"},
    {"= reply code\n", ":1: \"code\": field=value"},
    {"@ 3s\n", ":1: milliseconds"},
    {"~ 3s\n", ":1: milliseconds"},
    {"C: a\n== b\n@ 3ms\n", ":3: milliseconds"},
    {"option: rules nowhere.rules\nC: a\n", "nowhere.rules: No such file"},
    {"& reply\n", ":1: an event in front"},
    {"C: a\nC: [close]\nC: b\n", ":3: this side has ended its stream before"},
};

START_TEST(what_is_wrong_is_named)
{
	char *complaint;

	ck_assert_ptr_null(read_text(wrong[_i].text, &complaint));
	ck_assert_msg(strstr(complaint, wrong[_i].complaint) != NULL, "%s", complaint);
	free(complaint);
}
END_TEST

START_TEST(all_transcripts_can_be_read)
{
	glob_t files;

	ck_assert_int_eq(0, glob("tests/transcripts/*.txt", 0, NULL, &files));
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct transcript *t = transcript_load(files.gl_pathv[i], stderr);

		ck_assert_msg(t != NULL, "%s", files.gl_pathv[i]);
		ck_assert_msg(t->events > 0, "%s expects nothing", files.gl_pathv[i]);
		transcript_free(t);
	}
	globfree(&files);
}
END_TEST

/* Events of two runs: what may differ, what may not, and what a transcript makes of them. */
#define EVENTS \
	"{\"time\":\"0\",\"session\":1,\"event\":\"open\"}\n" \
	"{\"time\":\"1\",\"session\":1,\"event\":\"command\",\"verb\":\"NOOP\",\"params\":{\"A\":null}}\n" \
	"{\"time\":\"2\",\"session\":1,\"event\":\"finding\",\"id\":\"line.nul\"}\n" \
	"{\"time\":\"3\",\"session\":1,\"event\":\"reply\",\"text\":[\"a\\u0001\\\"\",\"b\"],\"code\":250}\n" \
	"{\"time\":\"4\",\"session\":1,\"event\":\"close\"}\n"

static const struct {
	const char *text;
	bool        good;
} judged[] = {
    {"= command verb=NOOP params.A=null\n= reply text.0=\"a\\x01\\\"\" text.count=2 !enhanced\n= finding id=line.nul\n", true},
    {"= finding\n", true},
    {"= reply code=\"250\"\n= finding\n", false},           /* it is a number */
    {"= reply code=251\n= finding\n", false},
    {"= reply\n= command\n= finding\n", true},              /* their order is not looked at */
    {"= command\n& finding\n& reply\n", true},
    {"= finding\n& command\n", false},
    {"= command\n& reply\n= finding\n", false},
    {"= reply\n= reply\n= finding\n", false},
    {"= command\n", false},                                 /* the finding is not named */
    {"= finding\n! reply code=250\n", false},
    {"= finding\n! reply code=251\n", true},
    {"= finding\nmasked: line.nul\n", false},
};

START_TEST(events_are_judged)
{
	struct transcript *t = read_good(judged[_i].text);
	struct event_list list;
	FILE *err = fopen("/dev/null", "w");

	ck_assert(event_list_read(&list, VIEW(EVENTS), stderr));
	ck_assert_int_eq(judged[_i].good, event_list_expected(&list, t, VIEW(EVENTS), err));
	fclose(err);
	event_list_free(&list);
	transcript_free(t);
}
END_TEST

START_TEST(events_of_two_runs)
{
	struct event_list one, other;
	FILE *err = fopen("/dev/null", "w");

	ck_assert(event_list_read(&one, VIEW("{\"event\":\"a\",\"time\":\"1\",\"at\":\"/x/a.rules:1\",\"n\":1}\n"), err));
	ck_assert(event_list_read(&other, VIEW("{\"event\":\"a\",\"time\":\"2\",\"at\":\"a.rules:1\",\"n\":1}\n"), err));
	ck_assert(event_list_same(&one, "one", &other, "other", err));
	event_list_free(&other);
	ck_assert(event_list_read(&other, VIEW("{\"event\":\"a\",\"time\":\"1\",\"at\":\"a.rules:1\",\"n\":\"1\"}\n"), err));
	ck_assert(!event_list_same(&one, "one", &other, "other", err));
	event_list_free(&other);
	ck_assert(event_list_read(&other, VIEW(""), err));
	ck_assert(!event_list_same(&one, "one", &other, "other", err));
	event_list_free(&other);
	ck_assert(!event_list_read(&other, VIEW("{\"event\":\"a\"\n"), err));
	event_list_free(&other);
	event_list_free(&one);
	fclose(err);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transcript format");
	TCase *all = tcase_create("format");
	SRunner *runner;
	int failed;

	tcase_add_test(all, lines_of_one_side_are_one_write);
	tcase_add_test(all, what_is_not_said_is_what_a_cable_does);
	tcase_add_test(all, a_reset_is_the_end_of_both);
	tcase_add_test(all, escapes_and_repetitions);
	tcase_add_test(all, events_rules_and_options);
	tcase_add_test(all, several_sessions);
	tcase_add_test(all, durations_are_shortened);
	tcase_add_loop_test(all, what_is_wrong_is_named, 0, (int)(sizeof wrong / sizeof wrong[0]));
	tcase_add_test(all, all_transcripts_can_be_read);
	tcase_add_loop_test(all, events_are_judged, 0, (int)(sizeof judged / sizeof judged[0]));
	tcase_add_test(all, events_of_two_runs);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
