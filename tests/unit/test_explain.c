/* SPDX-License-Identifier: MIT */
/* Everything that has a name can be asked for, and says what it is and where that is defined. */
#include <stdio.h>

#include "decoders/findings.h"
#include "decoders/smtp/registry.h"
#include "proxy/explain.h"
#include "tests/unit/edge.h"

static char text[8192];

/* The explanation of a word, "" where there is none. */
static const char *
explained(struct view word)
{
	FILE *out = fmemopen(text, sizeof text, "w");
	bool  known;
	long  len;

	ck_assert_ptr_nonnull(out);
	known = explain_word(word, false, out);
	len = ftell(out);
	fclose(out);
	ck_assert(len >= 0 && len < (long)sizeof text);
	ck_assert_int_eq(known, len > 0);
	text[len] = '\0';
	return text;
}

static void
assert_says(struct view word, const char *what)
{
	ck_assert_msg(strstr(explained(word), what) != NULL, "%.*s does not say \"%s\" but:\n%s", (int)word.len,
	    word.at, what, text);
}

static void
assert_narrow(void)
{
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		ck_assert_msg(len < 80, "%zu columns: %.*s", len, (int)len, line);
		ck_assert_msg(len == 0 || line[len - 1] != ' ', "blanks at the end: %.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

START_TEST(every_verb_and_keyword)
{
	for (int v = 1; v < SMTP_VERB_COUNT; v++) {
		const struct smtp_verb_entry *entry = smtp_verb_entry((enum smtp_verb)v);

		assert_says(entry->name, entry->reference);
		assert_says(entry->name, ": verb, sent by the client\n");
		assert_says(entry->name, "    written       ");
		assert_narrow();
	}
	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct smtp_keyword_entry *entry = smtp_keyword_entry((enum smtp_keyword)k);

		assert_says(entry->name, entry->reference);
		assert_says(entry->name, ": EHLO keyword, offered by the server\n");
		assert_narrow();
	}
}
END_TEST

START_TEST(every_three_digits)
{
	for (int code = 0; code < 1000; code++) {
		char                          digits[4];
		const struct smtp_code_entry *entry = smtp_code_find((uint16_t)code);

		snprintf(digits, sizeof digits, "%03d", code);
		assert_says(view_of(digits), ": reply code, said by the server\n");
		assert_says(view_of(digits), "    the client    ");
		assert_says(view_of(digits), entry == NULL ? "no standard" : "defined in    ");
		ck_assert(entry == NULL || strstr(text, "no standard that") == NULL);
		assert_narrow();
	}
	assert_says(VIEW("421"), "the connection");
	assert_says(VIEW("421"), "defined in    RFC 5321 3.8\n");
	assert_says(VIEW("299"), "no standard");
}
END_TEST

START_TEST(enhanced_codes)
{
	const struct smtp_enhanced_entry *entry;

	for (size_t n = 0; (entry = smtp_enhanced_nth(n)) != NULL; n++) {
		for (const char *class = "245X"; *class != '\0'; class ++) {
			char code[16];

			snprintf(code, sizeof code, "%c.%u.%u", *class, entry->subject, entry->detail);
			assert_says(view_of(code), entry->reference);
			assert_narrow();
		}
	}
	assert_says(VIEW("4.7.1"), "policy");
	assert_says(VIEW("4.7.1"), "class         4, persistent transient failure");
	assert_says(VIEW("5.1.99"), "not registered");
	assert_says(VIEW("5.1.99"), "subject       1, addressing");
	assert_says(VIEW("5.1.99"), "registered    X.1.0, X.1.1, X.1.2,");
	assert_says(VIEW("5.7.99"), "X.7.30");
	assert_says(VIEW("5.42.1"), "by its class alone");
	assert_says(VIEW("3.1.1"), "no enhanced status code");
}
END_TEST

START_TEST(findings)
{
	for (int f = 0; f < FINDING_COUNT; f++) {
		const struct finding_entry *entry = finding_entry((enum finding)f);

		assert_says(view_of(entry->id), ": finding\n");
		assert_says(view_of(entry->id), entry->reference);
		assert_says(view_of(entry->id), finding_severity_name(entry->severity));
		assert_narrow();
	}
	assert_says(VIEW("line"), "line.bare-lf");
	assert_says(VIEW("line."), "line.bare-cr");
}
END_TEST

START_TEST(several_things_by_one_name)
{
	assert_says(VIEW("help"), "HELP: verb");
	assert_says(VIEW("help"), "\n\nHELP: EHLO keyword");
	assert_says(VIEW("Auth"), "AUTH: verb");
	assert_says(VIEW("Auth"), "\n\nAUTH: EHLO keyword");
	assert_says(VIEW("BODY"), "8BITMIME");
	assert_says(VIEW("BODY"), "BINARYMIME");
	assert_says(VIEW("notify=never"), "NOTIFY: parameter of RCPT");
	assert_says(VIEW("SIZE=1000"), "SIZE: EHLO keyword");
}
END_TEST

START_TEST(what_is_nothing)
{
	static const struct {
		const char *word, *says;
	} unknown[] = {{"PIPELNING", "did you mean PIPELINING?"}, {"RCTP", "did you mean RCPT?"},
	    {"line.bare-fl", "did you mean line.bare-lf?"}, {"42", "three digits"}, {"4211", "three digits"},
	    {"4.7", "three digits"}, {"4.7.1.1", "three digits"}, {"", "is not known"},
	    {"zzzzzzzzzz", "is not known; ask for"}, {"5.1000.1", "three digits"}, {"42.1.1", "three digits"}};

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		FILE *out;

		ck_assert_str_eq(explained(view_of(unknown[i].word)), "");
		out = fmemopen(text, sizeof text, "w");
		explain_unknown(view_of(unknown[i].word), out);
		fclose(out);
		ck_assert_msg(
		    strstr(text, unknown[i].says) != NULL, "\"%s\" gets: %s", unknown[i].word, text);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("explain");
	TCase *tcase = tcase_create("explain");

	tcase_add_test(tcase, every_verb_and_keyword);
	tcase_add_test(tcase, every_three_digits);
	tcase_add_test(tcase, enhanced_codes);
	tcase_add_test(tcase, findings);
	tcase_add_test(tcase, several_things_by_one_name);
	tcase_add_test(tcase, what_is_nothing);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
