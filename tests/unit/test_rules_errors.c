/* SPDX-License-Identifier: MIT */
/*
 * What is said about wrong rule files: each block of rules_errors.txt, and, letter for
 * letter, how a message is shown. Then files of noise, which must not do harm.
 */
#include <stdio.h>

#include "tests/unit/rules.h"

#define BLOCKS "tests/unit/rules_errors.txt"

struct block {
	char text[2048];        /* the rule file */
	char said[2048];        /* what is said, a line a message */
};

static struct block *blocks;    /* read before the tests run */
static int block_count;

static void
append(char *to, size_t size, const char *line)
{
	size_t len = strlen(to), more = strlen(line);

	if (len + more >= size) {
		fprintf(stderr, "%s: a block is too long\n", BLOCKS);
		exit(EXIT_FAILURE);
	}
	memcpy(to + len, line, more + 1);
}

static void
blocks_read(void)
{
	FILE *file = fopen(BLOCKS, "r");
	char line[2048];
	bool inside = false;

	if (file == NULL) {
		fprintf(stderr, "no %s: unit tests run in the project's root\n", BLOCKS);
		exit(EXIT_FAILURE);
	}
	while (fgets(line, sizeof line, file) != NULL) {
		if (line[0] == '#')
			continue;
		if (line[0] == '\n') {
			inside = false;
			continue;
		}
		if (!inside) {
			blocks = realloc(blocks, (size_t)(block_count + 1) * sizeof *blocks);
			memset(&blocks[block_count++], 0, sizeof *blocks);
			inside = true;
		}
		if (line[0] == '|')
			append(blocks[block_count - 1].text, sizeof blocks->text, line + (line[1] == ' ' ? 2 : 1));
		else
			append(blocks[block_count - 1].said, sizeof blocks->said, line);
	}
	fclose(file);
}

/* The messages alone: without the lines that they are about, and without the file's name. */
static void
messages(const char *told, char *out, size_t size)
{
	out[0] = '\0';
	while (*told != '\0') {
		size_t len = strcspn(told, "\n") + 1;

		if (strncmp(told, "t.rules:", 8) == 0)
			snprintf(out + strlen(out), size - strlen(out), "%.*s", (int)len - 8, told + 8);
		told += len;
	}
	if (out[0] == '\0')
		snprintf(out, size, "nothing\n");
}

START_TEST(what_is_said)
{
	const struct block *block = &blocks[_i];
	bool errors = false;
	struct ruleset *rules;
	char said[4096], *told;

	/* The last line has no line end in some of the files: that is no error. */
	rules = rules_of(block->text, strlen(block->text) - (_i % 2 == 0), &told);
	messages(told, said, sizeof said);
	ck_assert_msg(strcmp(said, block->said) == 0, "%s\nsaid:\n%s\nexpected:\n%s", block->text, said, block->said);
	for (const char *line = said; *line != '\0'; line += strcspn(line, "\n") + 1)
		errors = errors || (strncmp(line, "nothing", 7) != 0 &&
		    memmem(line, strcspn(line, "\n"), " warning: ", 10) == NULL);
	ck_assert_int_eq(rules == NULL, errors);
	ruleset_free(rules);
	free(told);
}
END_TEST

/* Letter for letter. */
static const struct {
	struct view text;
	const char *told;
} shown[] = {
    {VIEW("rule \"r\" {\n    on reply to EHLO\n    hide CHUNKNG\n}\n"),
        "t.rules:3:10: no EHLO keyword \"CHUNKNG\" (did you mean CHUNKING?)\n    hide CHUNKNG\n         ^\n"},
    /* Tabs count as one column and stand in the caret's line as well. */
    {VIEW("rule \"r\" {\n\ton reply to EHLO\n\thide\tCHUNKNG\n}\n"),
        "t.rules:3:7: no EHLO keyword \"CHUNKNG\" (did you mean CHUNKING?)\n\thide\tCHUNKNG\n\t    \t^\n"},
    {VIEW("rule \"r\" {\r\n\ton RCTP\r\n\tdrop\r\n}\r\n"),
        "t.rules:2:5: no place \"RCTP\" (did you mean RCPT?)\n\ton RCTP\n\t   ^\n"},
    /* Columns are characters. */
    {VIEW("rule \"Gr\xc3\xbc\xc3\x9f\xe2\x82\xac\" { on rcpt drop }"),
        "t.rules:1:19: no place \"rcpt\" (did you mean RCPT?)\nrule \"Gr\xc3\xbc\xc3\x9f\xe2\x82\xac\" { on rcpt drop }\n"
        "                  ^\n"},
    /* What would move a terminal is not shown. */
    {VIEW("rule \"a\" { on RCPT log \"\x1b[2J\xc2\x9b\xff\x7f\" drp }"),
        "t.rules:1:34: expected an action such as reply, or }, found \"drp\" (did you mean drop?)\n"
        "rule \"a\" { on RCPT log \"?[2J???\" drp }\n                                 ^\n"},
    {VIEW("\xef\xbb\xbfrule \"r\" { on rcpt drop }"),
        "t.rules:1:15: no place \"rcpt\" (did you mean RCPT?)\nrule \"r\" { on rcpt drop }\n              ^\n"},
    {VIEW("rule \"r\" { on RCPT drop"),
        "t.rules:1:6: this rule does not end: expected } before the end of the file\nrule \"r\" { on RCPT drop\n     ^\n"},
    {VIEW("rule \"r\" { on RCPT log \"a\\x41\\x42%{sendr}\" }"),
        "t.rules:1:36: no field \"sendr\" (did you mean sender?)\nrule \"r\" { on RCPT log \"a\\x41\\x42%{sendr}\" }\n"
        "                                   ^\n"},
    {VIEW(""), "t.rules: warning: this file has no rules\n"},
    {VIEW("\n\n"), "t.rules: warning: this file has no rules\n"},
    /* A binary file is told of once. */
    {VIEW("rule \"r\" { \x7f\x45\x4c\x46 on frob \x01\x02"),
        "t.rules:1:12: octet 0x7f outside a string: rule files are text, is this a binary file?\n"
        "rule \"r\" { ?ELF on frob ??\n           ^\n"},
    {VIEW("rule \"a\0b\" { on RCPT drop }"),
        "t.rules:1:8: no control characters in a rule's name\nrule \"a?b\" { on RCPT drop }\n       ^\n"},
};

START_TEST(how_it_is_shown)
{
	char *told;

	ruleset_free(rules_of(shown[_i].text.at, shown[_i].text.len, &told));
	ck_assert_str_eq(told, shown[_i].told);
	free(told);
}
END_TEST

START_TEST(a_long_line_is_shown_in_part)
{
	char text[1000], *told, *caret;

	snprintf(text, sizeof text, "rule \"r\" { %0400d on rcpt %0400d", 0, 0);
	ruleset_free(rules_of(text, strlen(text), &told));
	caret = strchr(told, '^');
	ck_assert_ptr_nonnull(caret);
	for (char *line = told; *line != '\0'; line += strcspn(line, "\n") + 1)
		ck_assert_uint_lt(strcspn(line, "\n"), 200);
	ck_assert_ptr_nonnull(strstr(told, "\n..."));
	free(told);
}
END_TEST

START_TEST(strings_may_hold_any_octet)
{
	struct ruleset *rules = rules_of("rule \"r\" { on RCPT log \"a\0\xff\r\" }", 31, NULL);

	ck_assert_ptr_nonnull(rules);
	ruleset_free(rules);
}
END_TEST

static uint64_t
next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Parts of right and wrong files in any order, cut and garbled: an answer comes, and nothing breaks. */
START_TEST(noise_does_no_harm)
{
	uint64_t seed = 1;

	for (int round = 0; round < 1500; round++) {
		char text[2048];
		size_t len = 0;
		char *told;

		for (int part = 0; part < 4; part++) {
			const char *from = blocks[next(&seed) % (unsigned)block_count].text;
			size_t start = next(&seed) % 2 == 0 ? 0 : next(&seed) % (strlen(from) + 1);

			struct view piece = view_first(view_of(from + start), 500);

			memcpy(text + len, piece.at, piece.len);
			len += piece.len;
		}
		for (int change = 0; change < 3 && len > 0; change++)
			text[next(&seed) % len] = (char)next(&seed);
		ruleset_free(rules_of(text, len - next(&seed) % (len + 1) / 4, &told));
		free(told);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: errors");
	TCase *tcase = tcase_create("messages");
	int result;

	blocks_read();
	tcase_add_loop_test(tcase, what_is_said, 0, block_count);
	tcase_add_loop_test(tcase, how_it_is_shown, 0, (int)(sizeof shown / sizeof *shown));
	tcase_add_test(tcase, a_long_line_is_shown_in_part);
	tcase_add_test(tcase, strings_may_hold_any_octet);
	tcase_add_test(tcase, noise_does_no_harm);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	result = edge_run(suite);
	free(blocks);
	return result;
}
