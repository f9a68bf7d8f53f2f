/* SPDX-License-Identifier: MIT */
/* A dialogue with holes: what the units behind a gap are, and which commands their replies answer. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "decoders/smtp/dialogue.h"

#define LIMITS (&(struct smtp_limits){.max_line = 512, .max_pending = 8})

static const struct smtp_fate forwarded = {.forwarded = true, .owed = true};

/* What a side says is fed and settled, unit by unit; text gets "COMMAND" or, of a reply, "code>verb". */
struct talk {
	struct smtp_dialogue d;
	char   text[512];
	size_t len;
};

static void
note(struct talk *t, const char *word, unsigned code)
{
	if (code > 0)
		t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%u>%s ", code, word);
	else
		t->len += (size_t)snprintf(t->text + t->len, sizeof t->text - t->len, "%s ", word);
	ck_assert_uint_lt(t->len, sizeof t->text);
}

static const char *
answered(const struct smtp_exchange *e)
{
	if (e == NULL)
		return "-";
	if (e->kind == SMTP_GREETING)
		return "CONNECT";
	return e->kind == SMTP_CONTENT_DONE ? "CONTENT" : smtp_verb_entry(e->verb)->name.at;
}

static void
say(struct talk *t, enum smtp_side side, const char *text)
{
	struct view rest = view_of(text);
	struct smtp_unit unit;

	for (;;) {
		if (!smtp_dialogue_feed(&t->d, side, rest.at, rest.len, 1, &unit)) {
			uint16_t code = side == SMTP_CLIENT ? smtp_dialogue_presume(&t->d, rest.at, rest.len) : 0;

			if (code == 0)
				break;
			smtp_dialogue_presumed(&t->d, code);
			continue;
		}
		if (unit.type == SMTP_UNIT_COMMAND)
			note(t, smtp_verb_entry(unit.as.command.verb)->name.at, 0);
		else if (unit.type == SMTP_UNIT_REPLY)
			note(t, answered(unit.of), unit.as.reply.code);
		else
			note(t, unit.type == SMTP_UNIT_CONTENT ? "content" : unit.type == SMTP_UNIT_CONTENT_END ? "end" :
			    unit.type == SMTP_UNIT_AUTH_LINE ? "auth-line" : "?", 0);
		if (unit.type == SMTP_UNIT_COMMAND && t->d.unsure)
			ck_assert(!(unit.marks & SMTP_MARK_PIPELINED));
		smtp_dialogue_settle(&t->d, side, &forwarded);
		rest = view_from(rest, unit.wire.len);
	}
	ck_assert_uint_eq(rest.len, 0);
}

static const struct {
	const char *script[12];         /* 'C' or 'S' and what it says; 'c', 's': so much is missing, and it was this */
	const char *text;
} holes[] = {
	{{"S220 a\r\n", "cEHLO b\r\n", "S250-a\r\n250 PIPELINING\r\n", "cQUIT\r\n", "S221 bye\r\n"},
	    "220>CONNECT 250>EHLO 221>QUIT "},
	{{"S220 a\r\n", "CHELO b\r\n", "S250 a\r\n", "S221 bye\r\n"}, "220>CONNECT HELO 250>HELO 221>- "},
	{{"S220 a\r\n", "cAUTH PLAIN\r\n", "S334 \r\n", "CAGEAYg==\r\n", "S235 ok\r\n", "CQUIT\r\n", "S221 bye\r\n"},
	    "220>CONNECT 334>AUTH auth-line 235>AUTH QUIT 221>QUIT "},
	{{"S220 a\r\n", "CAUTH PLAIN\r\n", "S334 \r\n", "cAGEAYg==\r\n", "S235 ok\r\n", "CQUIT\r\n", "S221 bye\r\n"},
	    "220>CONNECT AUTH 334>AUTH 235>AUTH QUIT 221>QUIT "},
	{{"S220 a\r\n", "CAUTH PLAIN\r\n", "S334 \r\n", "cAGEAYg==\r\n", "s235 ok\r\n", "CQUIT\r\n", "S221 bye\r\n"},
	    "220>CONNECT AUTH 334>AUTH QUIT 221>QUIT "},
	{{"S220 a\r\n", "cDATA\r\n", "s354 go\r\n", "CTo: b\r\nFrom: a\r\n\r\nQUIT\r\n.\r\n", "S250 ok\r\n", "CRSET\r\n"},
	    "220>CONNECT content end 250>CONTENT RSET "},
	{{"S220 a\r\n", "cDATA\r\n", "s354 go\r\n", "C.\r\n", "S250 ok\r\n", "CRSET\r\n"}, "220>CONNECT end 250>CONTENT RSET "},
	{{"S220 a\r\n", "CDATA\r\n", "s354 go\r\n", "cTo: b\r\n.\r\n", "S250 ok\r\n", "CRSET\r\n", "S250 ok\r\n"},
	    "220>CONNECT DATA 250>CONTENT RSET 250>RSET "},
	{{"S220 a\r\n", "CDATA\r\n", "S354 go\r\n", "Chello\r\n", "c.\r\n", "s250 ok\r\n", "cQUIT\r\n", "S221 bye\r\n"},
	    "220>CONNECT DATA 354>DATA content 221>QUIT "},
	/* More commands than are kept unanswered, and no server. */
	{{"s220 a\r\n", "CEHLO b\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n", "s250 ok\r\n", "CNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n",
	    "CQUIT\r\n"}, "EHLO NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP NOOP QUIT "},
};

START_TEST(what_is_behind_a_hole)
{
	struct talk t = {.len = 0};

	smtp_dialogue_init(&t.d, LIMITS, false);
	for (const char *const *step = holes[_i].script; *step != NULL; step++) {
		enum smtp_side side = **step == 'C' || **step == 'c' ? SMTP_CLIENT : SMTP_SERVER;

		if (**step == 'C' || **step == 'S')
			say(&t, side, *step + 1);
		else
			smtp_dialogue_gap(&t.d, side, strlen(*step + 1));
	}
	ck_assert_str_eq(t.text, holes[_i].text);
	smtp_dialogue_clear(&t.d);
}
END_TEST

/* "TO: b" may be what is left of a command: only the next line tells. */
START_TEST(one_field_is_waited_with)
{
	static const char field[] = "TO: <b@example.net>\r\n", more[] = "TO: <b@example.net>\r\nRSET\r\n";
	struct talk t = {.len = 0};
	struct smtp_unit unit;

	smtp_dialogue_init(&t.d, LIMITS, false);
	say(&t, SMTP_SERVER, "220 a\r\n");
	smtp_dialogue_gap(&t.d, SMTP_CLIENT, 5);
	ck_assert(!smtp_dialogue_feed(&t.d, SMTP_CLIENT, field, strlen(field), 1, &unit));
	ck_assert_uint_eq(smtp_dialogue_presume(&t.d, field, strlen(field)), 0);
	ck_assert_uint_eq(smtp_dialogue_presume(&t.d, more, strlen(more)), 500);
	say(&t, SMTP_CLIENT, more);
	ck_assert_str_eq(t.text, "220>CONNECT ? RSET ");
	smtp_dialogue_clear(&t.d);
}
END_TEST

int
main(void)
{
	Suite   *suite = suite_create("recover");
	TCase   *tcase = tcase_create("recover");
	SRunner *runner;
	int      failed;

	tcase_add_loop_test(tcase, what_is_behind_a_hole, 0, sizeof holes / sizeof *holes);
	tcase_add_test(tcase, one_field_is_waited_with);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
