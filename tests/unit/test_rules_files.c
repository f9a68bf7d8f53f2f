/* SPDX-License-Identifier: MIT */
/*
 * Files as people have them: the samples, the manual's examples and lists (compared with
 * the tables of the language), files that are none, and `smtpscope check`.
 */
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>

#include "proxy/options.h"
#include "tests/unit/rules.h"

#define MANUAL "proxy/rules/smtpscope.rules.5"

/* Loads files; what is said goes to *told, owned by the caller. */
static struct ruleset *
load(const char *const *paths, size_t count, char **told)
{
	size_t size;
	FILE *file = open_memstream(told, &size);
	struct ruleset *rules = ruleset_load(paths, count, file);

	fclose(file);
	return rules;
}

START_TEST(every_sample_is_right)
{
	glob_t found;
	char *told;

	ck_assert_int_eq(glob("samples/rules/*.rules", 0, NULL, &found), 0);
	ck_assert_uint_ge(found.gl_pathc, 12);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const char *path = found.gl_pathv[i];
		struct ruleset *rules = load(&path, 1, &told);

		ck_assert_msg(rules != NULL && told[0] == '\0', "%s", told);
		ck_assert_uint_gt(ruleset_count(rules), 0);
		ruleset_free(rules);
		free(told);
	}
	globfree(&found);
}
END_TEST

/* Says what it proves, and where it is written that it should be so. */
START_TEST(every_sample_says_why)
{
	glob_t found;

	ck_assert_int_eq(glob("samples/rules/*.rules", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");
		char line[256], head[4096] = "";

		while (fgets(line, sizeof line, file) != NULL && line[0] == '#')
			snprintf(head + strlen(head), sizeof head - strlen(head), "%s", line);
		fclose(file);
		ck_assert_msg(strstr(head, "Proves") != NULL && strstr(head, "RFC ") != NULL,
		    "%s: its head does not say what it proves, or by which RFC", found.gl_pathv[i]);
	}
	globfree(&found);
}
END_TEST

/* A copy of the manual, its escapes of a backslash undone. */
static char *
manual_read(void)
{
	FILE *file = fopen(MANUAL, "r");
	char *text = NULL, *to, line[512];
	size_t size;
	FILE *all = open_memstream(&text, &size);

	ck_assert_msg(file != NULL, "no %s: unit tests run in the project's root", MANUAL);
	while (fgets(line, sizeof line, file) != NULL)
		fputs(line, all);
	fclose(file);
	fclose(all);
	to = text;
	for (const char *from = text; *from != '\0'; from++)
		if (from[0] == '\\' && from[1] == 'e')
			*to++ = *from++ == '\\' ? '\\' : '\0';
		else
			*to++ = *from;
	*to = '\0';
	return text;
}

START_TEST(every_example_of_the_manual_is_right)
{
	char *manual = manual_read(), *block = manual;
	unsigned examples = 0;

	while ((block = strstr(block, "\n.Bd -literal")) != NULL) {
		char *start = strchr(block + 1, '\n') + 1, *end = strstr(start, "\n.Ed\n"), *told;
		struct ruleset *rules;

		block = end;
		if (strncmp(start, "rule ", 5) != 0)
			continue;
		examples++;
		rules = rules_of(start, (size_t)(end - start), &told);
		ck_assert_msg(rules != NULL && told[0] == '\0', "%.*s\n%s", (int)(end - start), start, told);
		ruleset_free(rules);
		free(told);
	}
	ck_assert_uint_ge(examples, 5);
	free(manual);
}
END_TEST

/* Names in the order in which they are found. */
struct found {
	char   names[64][40];
	size_t count;
};

static void
found_add(struct found *found, const char *name, size_t len)
{
	for (size_t i = 0; i < found->count; i++)
		if (strlen(found->names[i]) == len && strncmp(found->names[i], name, len) == 0)
			return;
	ck_assert_uint_lt(found->count, 64);
	ck_assert_uint_lt(len, sizeof found->names[0]);
	snprintf(found->names[found->count++], sizeof found->names[0], "%.*s", (int)len, name);
}

/*
 * The names behind a macro that begins a line, in one part of the manual. Names are
 * separated by commas or bars, and end at a bracket or at the next macro.
 */
static struct found
manual_names(const char *manual, const char *part, const char *macro)
{
	const char *at = strstr(manual, part), *end;
	struct found found = {.count = 0};

	ck_assert_msg(at != NULL, "no %s in the manual", part);
	end = strstr(at + 1, "\n.Sh");
	while ((at = strstr(at + 1, macro)) != NULL && at < end) {
		const char *name = at + strlen(macro);

		while (*name != '\n') {
			size_t len = strcspn(name, " \n[");

			if (len == 2 && name[0] >= 'A' && name[0] <= 'Z' && name[1] >= 'a')
				break;
			if (len > 1)
				found_add(&found, name, len);
			name += len + strcspn(name + len, " \n");
			name += *name == ' ';
		}
	}
	return found;
}

/* Both ways: what the code has the manual has, and the other way round. */
static void
compare(const struct found *found, const struct found *table, const char *what)
{
	for (size_t side = 0; side < 2; side++) {
		const struct found *a = side == 0 ? found : table, *b = side == 0 ? table : found;

		for (size_t i = 0; i < a->count; i++) {
			bool there = false;

			for (size_t k = 0; k < b->count; k++)
				there = there || strcmp(a->names[i], b->names[k]) == 0;
			ck_assert_msg(there, "%s \"%s\" is in the %s alone", what, a->names[i], side == 0 ? "manual" : "code");
		}
	}
}

START_TEST(the_manual_has_all_names)
{
	char *manual = manual_read();
	struct found places = {.count = 0}, fields = {.count = 0};
	struct found doses = {.count = 0}, scopes = {.count = 0}, sets = {.count = 0}, found;

	for (size_t i = 0; i < 7; i++)
		found_add(&places, language_places[i].at, language_places[i].len);
	found_add(&places, "VERB", 4);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		found_add(&fields, language_fields[i].name.at, language_fields[i].name.len);
	for (size_t i = 0; i < DOSE_COUNT; i++)
		found_add(&doses, language_doses[i].at, language_doses[i].len);
	for (size_t i = 0; i < SCOPE_COUNT; i++)
		found_add(&scopes, language_scopes[i].at, language_scopes[i].len);
	for (size_t i = 0; i < SET_COUNT; i++)
		found_add(&sets, language_sets[i].name.at, language_sets[i].name.len);

	found = manual_names(manual, "\n.Sh PLACES", "\n.It Cm ");
	compare(&found, &places, "place");
	found = manual_names(manual, "\n.Sh FIELD NAMES", "\n.It Va ");
	compare(&found, &fields, "field");
	found = manual_names(manual, "\n.Sh DOSES", "\n.It Ic ");
	compare(&found, &doses, "dose");
	found = manual_names(manual, "\n.Sh DOSES", "\n.It Cm ");
	compare(&found, &scopes, "scope");
	found = manual_names(manual, "\n.Sh RULE ACTIONS", "\n.It Ic set Cm ");
	compare(&found, &sets, "set");
	free(manual);
}
END_TEST

START_TEST(the_manual_has_all_actions)
{
	char *manual = manual_read();
	struct found there = {.count = 0}, found = {.count = 0};
	const char *at = strstr(manual, "\n.Sh RULE ACTIONS"), *end = strstr(at + 1, "\n.Sh ");

	for (size_t i = 0; i < ACTION_COUNT; i++)
		found_add(&there, language_actions[i].name.at, language_actions[i].name.len);
	while ((at = strstr(at + 1, "\n.It Ic ")) != NULL && at < end)
		found_add(&found, at + 8, strcspn(at + 8, " \n"));
	compare(&found, &there, "action");
	free(manual);
}
END_TEST

/* The manual's table of where an action may stand, cell by cell. */
START_TEST(the_manual_says_where_actions_stand)
{
	char *manual = manual_read(), *row = strstr(manual, "\n.Bl -column");
	unsigned rows = 0;

	row = strstr(row, "\n.It action Ta ") + 1;
	while (strncmp(row = strchr(row, '\n') + 1, ".It ", 4) == 0) {
		int type = language_action((struct view){row + 4, strcspn(row + 4, " ")});
		const char *cell = row;

		ck_assert_msg(type >= 0, "%.40s", row);
		rows++;
		for (unsigned place = 0; place < 7; place++) {
			unsigned stands = language_actions[type].stands;
			const char *said;

			cell = strstr(cell, " Ta ") + 4;
			said = place == RULES_AT_REPLY && stands == ON_EHLO_REPLY ? "to EHLO, LHLO" :
			    stands & 1u << place ? "yes" : "-";
			ck_assert_msg(strncmp(cell, said, strlen(said)) == 0, "%s on %s: the code says %s",
			    language_actions[type].name.at, language_places[place].at, said);
		}
	}
	ck_assert_uint_eq(rows, ACTION_COUNT);
	free(manual);
}
END_TEST

/* A file of the test's own, in a directory that is removed behind it. */
static char directory[] = "/tmp/smtpscope-rules-XXXXXX";

static const char *
file_of(const char *name, struct view octets)
{
	static char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	fwrite(octets.at, 1, octets.len, file);
	fclose(file);
	return path;
}

static const struct {
	const char *name;
	struct view octets;
	const char *said;
} none[] = {
    {"a.pcap", VIEW("\xd4\xc3\xb2\xa1\2\0\4\0"), "is a capture (pcap), not a rule file"},
    {"b.pcap", VIEW("\xa1\xb2\xc3\xd4\0\2\0\4"), "is a capture (pcap), not a rule file"},
    {"c.pcap", VIEW("\x4d\x3c\xb2\xa1\2\0\4\0"), "is a capture (pcap), not a rule file"},
    {"d.pcapng", VIEW("\x0a\x0d\x0d\x0a\x1c\0\0\0"), "is a capture (pcapng), not a rule file"},
    {"e.gz", VIEW("\x1f\x8b\x08\0\0\0\0"), ":1:1: octet 0x1f outside a string"},
    {"f.rules", VIEW("rule \"x\" { on RCPT drop\0\0 }"), ":1:24: octet 0x00 outside a string"},
};

START_TEST(files_that_are_none)
{
	const char *path = file_of(none[_i].name, none[_i].octets);
	char *told;

	ck_assert_ptr_null(load(&path, 1, &told));
	ck_assert_msg(strncmp(told, path, strlen(path)) == 0 && strstr(told, none[_i].said) != NULL, "%s", told);
	free(told);
	unlink(path);
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
	const char *paths[] = {"/nonexistent/x.rules", "/tmp", "/proc/self/mem"};
	char *told;

	ck_assert_ptr_null(load(paths, 3, &told));
	ck_assert_str_eq(told, "/nonexistent/x.rules: cannot be opened: No such file or directory\n"
	    "/tmp: is a directory: name the rule files in it, such as /tmp/*.rules\n"
	    "/proc/self/mem: cannot be read: Input/output error\n");
	free(told);
}
END_TEST

START_TEST(a_file_without_end)
{
	const char *path = "/dev/zero";
	char *told;

	ck_assert_ptr_null(load(&path, 1, &told));
	ck_assert_str_eq(told, "/dev/zero: is larger than 16 MiB: that is no rule file\n");
	free(told);
}
END_TEST

/* Names are unique over files, and the errors of all files are told. */
START_TEST(several_files)
{
	char one[128], other[128], expected[1024], *told;
	const char *paths[2] = {one, other};

	snprintf(one, sizeof one, "%s", file_of("one.rules", VIEW("\nrule \"a\" { on RCPT drp }\n")));
	snprintf(other, sizeof other, "%s", file_of("other.rules", VIEW("rule \"b\" { on RCPT drop }\nrule \"a\" { on DATA drop }\n")));
	ck_assert_ptr_null(load(paths, 2, &told));
	snprintf(expected, sizeof expected, "%s:2:20: expected `when`, a dose, `expect` or an action such as reply, found "
	    "\"drp\" (did you mean drop?)\nrule \"a\" { on RCPT drp }\n                   ^\n"
	    "%s:2:6: this name is taken by the rule at %s:2: expected another\nrule \"a\" { on DATA drop }\n     ^\n",
	    one, other, one);
	ck_assert_str_eq(told, expected);
	free(told);
	unlink(one);
	unlink(other);
}
END_TEST

/* Runs `smtpscope check` with its output in a file; returns its exit code. */
static int
check(const char **rules, size_t rule_count, const char **operands, size_t count, char *out, size_t size)
{
	struct options options = {.command = "check", .rules = {rules, rule_count}, .operands = {operands, count}};
	int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO), code;
	FILE *file = tmpfile();

	fflush(NULL);
	dup2(fileno(file), STDOUT_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	code = check_command(&options);
	fflush(NULL);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	rewind(file);
	out[fread(out, 1, size - 1, file)] = '\0';
	fclose(file);
	return code;
}

START_TEST(the_subcommand)
{
	char good[128], bad[128], expected[1024], out[1024];
	const char *paths[2] = {good, bad};

	snprintf(good, sizeof good, "%s", file_of("good.rules", VIEW("rule \"a\" { on RCPT drop }\nrule \"b\" { on DATA drop }\n")));
	snprintf(bad, sizeof bad, "%s", file_of("bad.rules", VIEW("rule \"c\" { on MAIL limit 0 drop }\n")));
	ck_assert_int_eq(check(NULL, 0, paths, 1, out, sizeof out), 0);
	snprintf(expected, sizeof expected, "%s: 2 rules\n", good);
	ck_assert_str_eq(out, expected);
	/* A warning does no harm. */
	ck_assert_int_eq(check(paths, 1, paths + 1, 1, out, sizeof out), 0);
	snprintf(expected, sizeof expected, "%s:1:26: warning: limit 0: this rule never acts\n"
	    "rule \"c\" { on MAIL limit 0 drop }\n                         ^\n%s: 2 rules\n%s: 1 rule\n", bad, good, bad);
	ck_assert_str_eq(out, expected);
	file_of("bad.rules", VIEW("rule \"c\" { on RCPT limit drop }\n"));
	ck_assert_int_eq(check(NULL, 0, paths, 2, out, sizeof out), 2);
	ck_assert_ptr_null(strstr(out, "2 rules"));
	ck_assert_ptr_nonnull(strstr(out, "bad.rules:1:26: expected a number"));
	ck_assert_int_eq(check(NULL, 0, NULL, 0, out, sizeof out), 2);
	ck_assert_str_eq(out, "smtpscope check: no rule file given: name one or more, or - for standard input\n");
	unlink(good);
	unlink(bad);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("rules: files");
	TCase *tcase = tcase_create("samples, manual, check");
	int result;

	if (mkdtemp(directory) == NULL)
		return EXIT_FAILURE;
	tcase_add_test(tcase, every_sample_is_right);
	tcase_add_test(tcase, every_sample_says_why);
	tcase_add_test(tcase, every_example_of_the_manual_is_right);
	tcase_add_test(tcase, the_manual_has_all_names);
	tcase_add_test(tcase, the_manual_has_all_actions);
	tcase_add_test(tcase, the_manual_says_where_actions_stand);
	tcase_add_loop_test(tcase, files_that_are_none, 0, (int)(sizeof none / sizeof *none));
	tcase_add_test(tcase, files_that_cannot_be_read);
	tcase_add_test(tcase, a_file_without_end);
	tcase_add_test(tcase, several_files);
	tcase_add_test(tcase, the_subcommand);
	suite_add_tcase(suite, tcase);
	result = edge_run(suite);
	rmdir(directory);
	return result;
}
