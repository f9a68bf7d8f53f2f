/* SPDX-License-Identifier: MIT */
/*
 * Where each action may stand, written down once more and by hand: the table of
 * smtpscope.rules(5), every cell of it. What may stand is taken without a word, what may not
 * is refused by a message that says where it may.
 */
#include "proxy/rules/language.h"
#include "tests/unit/rules.h"

/* A place of each column; the second of two where a column has narrower ones. */
static const char *const places[] = {"connect", "RCPT", "command", "reply to RCPT", "reply", "reply to EHLO",
    "reply to LHLO", "CONTENT", "CONTENT-END", "tls", "close"};
#define PLACES (sizeof places / sizeof *places)

static const struct {
	const char *action;
	const char *may;        /* a letter a place: + may, - may not */
} rows[] = {
    {"reply 250 \"x\"",               "+++++++-+--"},
    {"reply raw \"x\\r\\n\"",         "+++++++-+--"},
    {"drop",                          "-++++++----"},
    {"repeat 1",                      "-++++++----"},
    {"set line \"x\"",                "-++--------"},
    {"set reply.text \"x\"",          "---++++----"},
    {"set reply.code \"250\"",        "---++++----"},
    {"truncate 3",                    "-+++++++---"},
    {"corrupt 3",                     "-+++++++---"},
    {"replace \"a\" with \"b\"",      "-+++++++---"},
    {"hold",                          "++++++++++-"},
    {"delay 1s",                      "++++++++++-"},
    {"delay 1s..2s",                  "++++++++++-"},
    {"close",                         "++++++++++-"},
    {"close client",                  "++++++++++-"},
    {"close server",                  "++++++++++-"},
    {"reset",                         "++++++++++-"},
    {"reset client",                  "++++++++++-"},
    {"reset server",                  "++++++++++-"},
    {"throttle 10KiB/s",              "+++++++++--"},
    {"throttle 1/s client",           "+++++++++--"},
    {"throttle 1/s server",           "+++++++++--"},
    {"dribble 1 every 1s",            "+++++++++--"},
    {"inject client \"x\"",           "+++++++-+--"},
    {"inject server \"x\"",           "+++++++-+--"},
    {"hide SIZE",                     "-----++----"},
    {"offer \"SIZE 1000\"",           "-----++----"},
    {"header add \"X\" \"y\"",        "-------+---"},
    {"header set \"X\" \"y\"",        "-------+---"},
    {"header remove \"X\"",           "-------+---"},
    {"save",                          "-------++--"},
    {"log \"x\"",                     "+++++++++++"},
    {"tag \"x\"",                     "+++++++++++"},
    {"tag client \"x\" for 1s",       "+++++++++++"},
    {"untag \"x\"",                   "+++++++++++"},
    {"stop",                          "+++++++++++"},
    {"pass",                          "+++++++++++"},
};
#define ROWS (sizeof rows / sizeof *rows)

START_TEST(each_cell_of_the_table)
{
	for (size_t place = 0; place < PLACES; place++) {
		char text[200], *told;
		struct ruleset *rules;

		snprintf(text, sizeof text, "rule \"r\" { on %s %s }", places[place], rows[_i].action);
		rules = rules_of(text, strlen(text), &told);
		if (rows[_i].may[place] == '+') {
			ck_assert_msg(rules != NULL, "%s\n%s", text, told);
		} else {
			ck_assert_msg(rules == NULL, "%s is taken", text);
			ck_assert_msg(strstr(told, ": it may stand on ") != NULL, "%s\n%s", text, told);
		}
		ruleset_free(rules);
		free(told);
	}
}
END_TEST

/* An action that has come since has its rows here as well. */
START_TEST(no_action_is_left_out)
{
	for (size_t type = 0; type < ACTION_COUNT; type++) {
		struct view name = language_actions[type].name;
		bool found = false;

		for (size_t row = 0; row < ROWS && !found; row++)
			found = strncmp(rows[row].action, name.at, name.len) == 0;
		ck_assert_msg(found, "%s has no row", name.at);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: places");
	TCase *tcase = tcase_create("table");

	tcase_add_loop_test(tcase, each_cell_of_the_table, 0, (int)ROWS);
	tcase_add_test(tcase, no_action_is_left_out);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
