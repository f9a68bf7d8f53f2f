/* SPDX-License-Identifier: MIT */
/* Command lines: what is read, and what is said about the wrong ones. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "decoders/findings.h"
#include "proxy/help.h"
#include "proxy/options.h"

#define WORDS_MAX 16

static struct options options;
static char said[4096];

/* Reads a command line given as one string, words parted by a space; "''" is an empty word. */
static enum options_asked
reading(const char *line)
{
	static char copy[512];
	char *argv[WORDS_MAX + 1], *rest = copy;
	enum options_asked asked;
	FILE *err;
	int argc = 0;

	snprintf(copy, sizeof copy, "%s", line);
	while (argc < WORDS_MAX && (argv[argc] = strsep(&rest, " ")) != NULL) {
		if (strcmp(argv[argc], "''") == 0)
			argv[argc][0] = '\0';
		argc++;
	}
	argv[argc] = NULL;
	memset(said, 0, sizeof said);
	err = fmemopen(said, sizeof said - 1, "w");
	ck_assert_ptr_nonnull(err);
	asked = options_read(&options, argc, argv, err);
	fclose(err);
	return asked;
}

static const struct {
	const char *line, *said;
} wrong[] = {
    {"smtpscope proxi", "no subcommand \"proxi\" (did you mean proxy?)"},
    {"smtpscope frobnicate", "'smtpscope help' lists them"},
    {"smtpscope version", "did you mean --version?"},
    {"smtpscope help proxi", "did you mean proxy?"},
    {"smtpscope help proxy sink", "one command at a time"},
    {"smtpscope --", "a subcommand is missing"},
    {"smtpscope -l x:1 proxy", "-l, --listen stands behind a subcommand; proxy and sink take it"},
    {"smtpscope --upstream x:1", "-u, --upstream stands behind a subcommand; proxy takes it"},
    {"smtpscope --versoin", "did you mean --version?"},
    {"smtpscope proxy --lisen x:1", "unknown option --lisen (did you mean --listen?)"},
    {"smtpscope proxy --lisen=x:1", "unknown option --lisen (did you mean --listen?)"},
    {"smtpscope proxy --frobnicate", "'smtpscope help proxy' lists them"},
    {"smtpscope proxy -X", "unknown option -X"},
    {"smtpscope proxy --max 5", "--max may be --max-line, --max-content, --max-sessions or --max-size: write more of it"},
    {"smtpscope proxy -l", "-l, --listen needs a value: --listen URL"},
    {"smtpscope proxy --grace", "--grace needs a value: --grace DURATION"},
    {"smtpscope proxy -l ''", "the URL is empty"},
    {"smtpscope proxy --summary=1", "--summary takes no value"},
    {"smtpscope proxy --grace 5x", "--grace: \"5x\" is not a duration"},
    {"smtpscope proxy --grace -1s", "is not a duration"},
    {"smtpscope proxy --grace 99h", "99h is too large, 1h is the most"},
    {"smtpscope proxy --max-line 64K", "\"64K\" is not a size"},
    {"smtpscope proxy --max-line 1.5KiB.", "is not a size"},
    {"smtpscope proxy --max-line 5", "5 is too small, 64 is the least"},
    {"smtpscope proxy --max-line 17MiB", "17MiB is too large, 16MiB is the most"},
    {"smtpscope proxy --max-line 99999999999999999999", "is not a size"},
    {"smtpscope proxy --max-line 18446744073709551615GiB", "is not a size"},
    {"smtpscope proxy --max-sessions 0", "0 is too small, 1 is the least"},
    {"smtpscope proxy --max-sessions many", "is not a number"},
    {"smtpscope proxy --seed 1.5", "is not a number"},
    {"smtpscope proxy --seed 18446744073709551616", "is not a number"},
    {"smtpscope proxy -f xml", "is not a format: text or json"},
    {"smtpscope proxy -f swaks", "swaks is not there yet"},
    {"smtpscope proxy --fail-on bad", "a severity: info, note, warning or error"},
    {"smtpscope proxy --bad-cert old", "\"old\" is not one of expired, self-signed, wrong-name and unknown-ca"},
    {"smtpscope proxy --bad-cert ''", "the KIND is empty"},
    {"smtpscope proxy --upstream-verify full,name", "is not one of none, name and full"},
    {"smtpscope proxy --tls-min 1.4", "is not a version of TLS: 1.0, 1.1, 1.2 or 1.3"},
    {"smtpscope proxy --tls-max server:", "is not a version of TLS"},
    {"smtpscope proxy --ciphers client:", "is not a cipher list"},
    {"smtpscope sink --ca-cert x", "--ca-cert is no option of sink; proxy takes it"},
    {"smtpscope proxy --starttls never", "is not one of pass, intercept and strip"},
    {"smtpscope proxy --tls-client never", "is not one of plain, starttls and implicit"},
    {"smtpscope proxy --glued never", "is not one of drop and pass"},
    {"smtpscope proxy --transparent redirect", "--transparent is not there yet"},
    {"smtpscope proxy --pcap-leg none", "\"none\" is not one of client, server and both"},
    {"smtpscope watch -i lo --pcap x.pcap", "--pcap is no option of watch; proxy and decode take it"},
    {"smtpscope check --save-messages dir", "--save-messages is no option of check; proxy, sink, decode and watch take it"},
    {"smtpscope sink --transparent tproxy", "--transparent is not there yet"},
    {"smtpscope sink -u x:1", "-u, --upstream is no option of sink; proxy takes it"},
    {"smtpscope sink --rules=x", "-r, --rules is no option of sink; proxy, check, decode and watch take it"},
    {"smtpscope check -l x:1 a", "-l, --listen is no option of check; proxy and sink take it"},
    {"smtpscope check --max-size 5", "--max-size is no option of check; proxy and sink take it"},
    {"smtpscope proxy a.rules", "what is \"a.rules\" for? rule files are given with -r"},
    {"smtpscope check", "check needs an operand: smtpscope check FILE..."},
    {"smtpscope explain", "explain needs an operand"},
};

START_TEST(wrong_words_are_explained)
{
	ck_assert_int_eq(reading(wrong[_i].line), ASKED_WRONG);
	ck_assert_msg(strstr(said, wrong[_i].said) != NULL, "%s: said %s", wrong[_i].line, said);
	ck_assert_msg(strncmp(said, "smtpscope: ", 11) == 0, "%s", said);
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
	options_free(&options);
}
END_TEST

/* TLS of each leg: enum smtp_side. */
static const struct {
	const char *line;
	int         min[2], max[2];
	const char *ciphers[2];
} legs[] = {
    {"smtpscope proxy --tls-min 1.2", {0x303, 0x303}, {0, 0}, {NULL, NULL}},
    {"smtpscope proxy --tls-min client:1.0 --tls-max server:TLSv1.2", {0x301, 0}, {0, 0x303}, {NULL, NULL}},
    {"smtpscope proxy --tls-max tls1.3 --tls-max client:v1.1", {0, 0}, {0x302, 0x304}, {NULL, NULL}},
    {"smtpscope proxy --ciphers HIGH:!aNULL", {0, 0}, {0, 0}, {"HIGH:!aNULL", "HIGH:!aNULL"}},
    {"smtpscope proxy --ciphers server:ALL --ciphers client:AES128-SHA", {0, 0}, {0, 0}, {"AES128-SHA", "ALL"}},
};

START_TEST(each_leg_has_its_own_tls)
{
	ck_assert_int_eq(reading(legs[_i].line), ASKED_RUN);
	for (int leg = 0; leg < 2; leg++) {
		const struct intercept_leg_settings *got = &options.tls.legs[leg];

		ck_assert_int_eq(got->min, legs[_i].min[leg]);
		ck_assert_int_eq(got->max, legs[_i].max[leg]);
		if (legs[_i].ciphers[leg] == NULL)
			ck_assert_ptr_null(got->ciphers);
		else
			ck_assert_str_eq(got->ciphers, legs[_i].ciphers[leg]);
	}
	options_free(&options);
}
END_TEST

START_TEST(words_are_read_by_their_place)
{
	ck_assert_int_eq(reading("smtpscope proxy --bad-cert unknown-ca --upstream-verify full"), ASKED_RUN);
	ck_assert_int_eq(options.tls.bad_cert, INTERCEPT_BAD_UNKNOWN_CA);
	ck_assert_int_eq(options.tls.verify, INTERCEPT_VERIFY_FULL);
	options_free(&options);
	ck_assert_int_eq(reading("smtpscope proxy --upstream-verify none --bad-cert expired"), ASKED_RUN);
	ck_assert_int_eq(options.tls.bad_cert, INTERCEPT_BAD_EXPIRED);
	ck_assert_int_eq(options.tls.verify, INTERCEPT_VERIFY_NONE);
	options_free(&options);
	ck_assert_int_eq(reading("smtpscope proxy"), ASKED_RUN);
	ck_assert_int_eq(options.tls.bad_cert, INTERCEPT_BAD_NONE);
	options_free(&options);
}
END_TEST

static const struct {
	const char *line;
	enum options_asked asked;
	const char *command;
} asking[] = {
    {"smtpscope", ASKED_NOTHING, NULL},
    {"smtpscope help", ASKED_HELP, NULL},
    {"smtpscope -h", ASKED_HELP, NULL},
    {"smtpscope --help", ASKED_HELP, NULL},
    {"smtpscope help proxy", ASKED_HELP, "proxy"},
    {"smtpscope help help", ASKED_HELP, "help"},
    {"smtpscope help -h", ASKED_HELP, NULL},
    {"smtpscope proxy -h", ASKED_HELP, "proxy"},
    {"smtpscope sink -q --help", ASKED_HELP, "sink"},
    {"smtpscope --version", ASKED_VERSION, NULL},
    {"smtpscope proxy --version", ASKED_VERSION, "proxy"},
    {"smtpscope --list-findings", ASKED_LIST_FINDINGS, NULL},
    {"smtpscope check --list-findings", ASKED_LIST_FINDINGS, "check"},
    {"smtpscope proxy", ASKED_RUN, "proxy"},
    {"smtpscope sink", ASKED_RUN, "sink"},
    {"smtpscope check -", ASKED_RUN, "check"},
    {"smtpscope check -r a.rules", ASKED_RUN, "check"},
    {"smtpscope explain 421", ASKED_RUN, "explain"},
};

START_TEST(what_is_asked)
{
	ck_assert_int_eq(reading(asking[_i].line), asking[_i].asked);
	ck_assert_str_eq(said, "");
	if (asking[_i].command == NULL)
		ck_assert_ptr_null(options.command);
	else
		ck_assert_str_eq(options.command, asking[_i].command);
	options_free(&options);
}
END_TEST

START_TEST(defaults)
{
	ck_assert_int_eq(reading("smtpscope proxy"), ASKED_RUN);
	ck_assert_uint_eq(options.listen.count, 0);
	ck_assert_uint_eq(options.upstream.count, 0);
	ck_assert_uint_eq(options.rules.count, 0);
	ck_assert_uint_eq(options.operands.count, 0);
	ck_assert(!options.seed_given);
	ck_assert_uint_le(options.seed, UINT32_MAX);
	ck_assert_int_eq(options.format, FORMAT_DEFAULT);
	ck_assert_ptr_null(options.output);
	ck_assert_ptr_null(options.json);
	ck_assert_ptr_null(options.save_messages);
	ck_assert(!options.show_secrets && !options.summary && !options.sessions);
	ck_assert_int_eq(options.fail_on, -1);
	ck_assert_int_eq(options.quiet, 0);
	ck_assert_int_eq(options.verbose, 0);
	ck_assert_uint_eq(options.grace_us, 5000000);
	ck_assert_uint_eq(options.idle_timeout_us, 0);
	ck_assert_uint_eq(options.connect_timeout_us, 30000000);
	ck_assert_uint_eq(options.max_line, 65536);
	options_free(&options);
}
END_TEST

START_TEST(values)
{
	ck_assert_int_eq(reading("smtpscope proxy -l a:1 --listen=b:2 -uc -r 1 -r2 --rules 3 --seed=18446744073709551615"),
	    ASKED_RUN);
	ck_assert_uint_eq(options.listen.count, 2);
	ck_assert_str_eq(options.listen.at[0], "a:1");
	ck_assert_str_eq(options.listen.at[1], "b:2");
	ck_assert_uint_eq(options.upstream.count, 1);
	ck_assert_str_eq(options.upstream.at[0], "c");
	ck_assert_uint_eq(options.rules.count, 3);
	ck_assert_str_eq(options.rules.at[2], "3");
	ck_assert(options.seed_given);
	ck_assert_uint_eq(options.seed, UINT64_MAX);
	options_free(&options);

	ck_assert_int_eq(reading("smtpscope proxy -f json -o - --json x --show-secrets --summary --sessions -qvv --starttls pass"),
	    ASKED_RUN);
	ck_assert_int_eq(options.format, FORMAT_JSON);
	ck_assert_str_eq(options.output, "-");
	ck_assert_str_eq(options.json, "x");
	ck_assert(options.show_secrets && options.summary && options.sessions);
	ck_assert_int_eq(options.quiet, 1);
	ck_assert_int_eq(options.verbose, 2);
	options_free(&options);

	ck_assert_int_eq(reading("smtpscope sink --save-messages dir --max-siz 10MiB"), ASKED_RUN);
	ck_assert_str_eq(options.save_messages, "dir");
	ck_assert_uint_eq(options.max_size, 10 * 1024 * 1024);
	options_free(&options);

	ck_assert_int_eq(reading("smtpscope proxy --fail-on warning --max-ses 7 --max-line 1KiB --max-content 0"), ASKED_RUN);
	ck_assert_int_eq(options.fail_on, FINDING_WARNING);
	ck_assert_uint_eq(options.max_sessions, 7);
	ck_assert_uint_eq(options.max_line, 1024);
	ck_assert_uint_eq(options.max_content, 0);
	options_free(&options);

	ck_assert_int_eq(reading("smtpscope check a.rules -v -- -r"), ASKED_RUN);
	ck_assert_uint_eq(options.operands.count, 2);
	ck_assert_str_eq(options.operands.at[0], "a.rules");
	ck_assert_str_eq(options.operands.at[1], "-r");
	options_free(&options);
}
END_TEST

static const struct {
	const char *line;
	uint64_t us;
} durations[] = {
    {"smtpscope proxy --idle-timeout 5", 5000000},
    {"smtpscope proxy --idle-timeout 0", 0},
    {"smtpscope proxy --idle-timeout 5s", 5000000},
    {"smtpscope proxy --idle-timeout 250ms", 250000},
    {"smtpscope proxy --idle-timeout 0.25s", 250000},
    {"smtpscope proxy --idle-timeout 1.5", 1500000},
    {"smtpscope proxy --idle-timeout 2m", 120000000},
    {"smtpscope proxy --idle-timeout 1h", 3600000000},
    {"smtpscope proxy --idle-timeout 0.123456789s", 123456},
};

START_TEST(durations_with_units)
{
	ck_assert_int_eq(reading(durations[_i].line), ASKED_RUN);
	ck_assert_uint_eq(options.idle_timeout_us, durations[_i].us);
	options_free(&options);
}
END_TEST

START_TEST(quantities_as_text)
{
	static const struct {
		enum options_kind kind;
		uint64_t value;
		const char *text;
	} rows[] = {
	    {OPTION_DURATION, 0, "0"}, {OPTION_DURATION, 5000000, "5s"}, {OPTION_DURATION, 250000, "250ms"},
	    {OPTION_DURATION, 120000000, "2m"}, {OPTION_DURATION, 3600000000, "1h"}, {OPTION_SIZE, 64, "64"},
	    {OPTION_SIZE, 65536, "64KiB"}, {OPTION_SIZE, 16777216, "16MiB"}, {OPTION_NUMBER, 65536, "65536"},
	};
	char text[32];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		options_quantity(text, rows[i].kind, rows[i].value);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

/* A row that nobody takes, or that has no words for `help`, is a slip. */
START_TEST(table_is_whole)
{
	const struct options_entry *a, *b;

	for (size_t i = 0; (a = options_nth(i)) != NULL; i++) {
		ck_assert_msg((a->of | a->later) != 0, "nobody takes --%s", a->name);
		ck_assert_msg((a->of & a->later) == 0, "--%s is and is not there", a->name);
		ck_assert_msg((a->of != 0) == (a->meaning != NULL), "--%s in help", a->name);
		ck_assert_msg(a->initial == 0 || (a->initial >= a->least && a->initial <= a->most), "--%s", a->name);
		for (size_t j = i + 1; (b = options_nth(j)) != NULL; j++) {
			ck_assert_str_ne(a->name, b->name);
			ck_assert_msg(a->letter == 0 || a->letter != b->letter, "-%c twice", a->letter);
		}
	}
}
END_TEST

START_TEST(help_names_what_there_is)
{
	static char text[16384];
	const struct options_entry *entry;

	for (unsigned command = 0; command < COMMAND_COUNT; command++) {
		FILE *out;

		if (!options_command((enum options_command)command)->there)
			continue;
		memset(text, 0, sizeof text);
		out = fmemopen(text, sizeof text - 1, "w");
		help_one(out, (enum options_command)command);
		fclose(out);
		for (size_t i = 0; (entry = options_nth(i)) != NULL; i++) {
			char name[40];

			snprintf(name, sizeof name, "--%s ", entry->name);
			ck_assert_msg((strstr(text, name) != NULL) == ((entry->of & 1u << command) != 0), "%s of %s",
			    name, options_command((enum options_command)command)->name);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tcase, each_leg_has_its_own_tls, 0, sizeof legs / sizeof *legs);
	tcase_add_test(tcase, words_are_read_by_their_place);
	tcase_add_loop_test(tcase, wrong_words_are_explained, 0, sizeof wrong / sizeof *wrong);
	tcase_add_loop_test(tcase, what_is_asked, 0, sizeof asking / sizeof *asking);
	tcase_add_test(tcase, defaults);
	tcase_add_test(tcase, values);
	tcase_add_loop_test(tcase, durations_with_units, 0, sizeof durations / sizeof *durations);
	tcase_add_test(tcase, quantities_as_text);
	tcase_add_test(tcase, table_is_whole);
	tcase_add_test(tcase, help_names_what_there_is);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
