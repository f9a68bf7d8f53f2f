/* SPDX-License-Identifier: MIT */
/*
 * Content as rules at CONTENT change it: by DATA (dots doubled on both sides) and by BDAT, whole
 * and cut at every octet, with the octets against an unreadable page.
 */
#include "proxy/rules/editor.h"
#include "proxy/rules/text.h"
#include "tests/unit/rules.h"

#define SMALL_LINE 64u

struct sample {
	const char *actions, *sent, *goes_on;
	bool        by_count;
};

static const struct sample samples[] = {
	{"replace \"a\" with \"b\"", "", "", false},
	{"replace \"a\" with \"b\"", "aXa\r\n\r\nbab\r\n", "bXb\r\n\r\nbbb\r\n", false},
	/* A match of nothing; anchors; groups; what stands at a line's end is not seen. */
	{"replace /$/ with \"!\"", "x: y\r\n\r\n\n", "x: y!\r\n!\r\n!\n", false},
	{"replace /^(.)(.*)\\r?$/i with \"$2$1\"", "abc\r\nDEF\n", "bca\r\nEFD\n", false},
	{"replace /\\r\\n/ with \"X\"", "a\r\nb\r\n", "a\r\nb\r\n", false},
	/* Transparency: what came with a dot too many keeps it, what is new at a line's start gets one. */
	{"replace \"z\" with \"\"", "..a\r\n.b\r\n.\r\n\n.c\r\n", "..a\r\n.b\r\n.\r\n\n.c\r\n", false},
	{"replace \"z\" with \".\"", "z\r\nzz\r\nyz\r\n.z\r\n", "..\r\n...\r\ny.\r\n..\r\n", false},
	{"replace /^\\.+/ with \"\"", "..a\r\n...\r\n.b\r\n", "a\r\n\r\n.b\r\n", false},
	{"replace /^\\.+/ with \"\"", "..a\r\n...\r\n.b\r\n", "a\r\n\r\nb\r\n", true},
	{"replace \"z\" with \".\"", "z\r\nzz\r\n", ".\r\n..\r\n", true},
	/* Behind a bare LF no line begins, for transparency. */
	{"replace \"z\" with \".\"", "a\nz\r\n", "a\n.\r\n", false},
	/* Unless a CR comes to stand in front of it. */
	{"replace \"z\" with \"\"", "a\rz\n.\r\n", "a\r\n..\r\n", false},
	/* Raw: line ends in the string. */
	{"replace \"END\" with \"\\r\\n.\\r\\n\"", "x END y\r\n", "x \r\n.\r\n y\r\n", false},
	{"replace \"END\" with \".\\r\\n\"", "x\r\nEND\r\n.\r\n", "x\r\n.\r\n\r\n.\r\n", false},
	{"replace \"END\" with \"\\n.\\n\"", "..\r\nEND\r\n", "..\r\n\n.\n\r\n", false},
	/* Fields, folded ones, of any case, with what RFC 5322 4.5 lets stand before the colon. */
	{"header remove \"x-a\"", "X-A: 1\r\n 2\r\n\t3\r\nX-Ab: 1\r\nx-a : 2\r\n\r\nX-A: 1\r\n", "X-Ab: 1\r\n\r\nX-A: 1\r\n", false},
	{"header set \"X\" \"new\"", "A: 1\r\nx: 1\r\n 2\r\nX: 3\r\nB: 2\r\n\r\n", "A: 1\r\nX: new\r\nB: 2\r\n\r\n", false},
	{"header set \"X\" \"new\"", "A: 1\r\n\r\nX: 1\r\n", "A: 1\r\nX: new\r\n\r\nX: 1\r\n", false},
	{"header set \"X\" \"1\" header set \"x\" \"2\"", "X: 0\r\n\r\n", "x: 2\r\n\r\n", false},
	{"header add \"X\" \"1\" header set \"x\" \"2\"", "X: 0\r\n\r\n", "x: 2\r\n\r\n", false},
	{"header remove \"X\" header add \"X\" \"1\" header add \"X\" \"2\"", "X: 0\r\n", "X: 1\r\nX: 2\r\n", false},
	{"header add \"X\" \"1\" header remove \"X\"", "A: 1\r\n\r\n", "A: 1\r\n\r\n", false},
	{"header add \"X\" \"1\"", "", "X: 1\r\n", false},
	{"header add \"X\" \"1\"", "\r\nbody\r\n", "X: 1\r\n\r\nbody\r\n", false},
	{"header add \"X\" \"1\"", "\nbody\n", "X: 1\r\n\nbody\n", false},
	{"header add \"X\" \"1\"", "no field\r\nA: 1\r\n", "X: 1\r\nno field\r\nA: 1\r\n", false},
	{"header add \"X\" \"1\"", " folded\r\nA: 1\r\n", "X: 1\r\n folded\r\nA: 1\r\n", false},
	{"header add \"X\" \"1\"", "A: 1", "A: 1\r\nX: 1\r\n", true},
	{"header add \"X\" \"1\"", "A: 1\r", "A: 1\r\r\nX: 1\r\n", true},
	{"header add \"X\" \"1\\r\\n 2\"", "A: 1\r\n\r\n", "A: 1\r\nX: 1\r\n 2\r\n\r\n", false},
	{"header add \".X\" \"1\"", "\r\n", "..X: 1\r\n\r\n", false},
	/* replace sees the lines of the header one by one, and what was added before it. */
	{"replace \"1\" with \"2\" header add \"X\" \"1\" replace \"1\" with \"3\"", "A: 1\r\n 1\r\n\r\n1\r\n",
	    "A: 2\r\n 2\r\nX: 3\r\n\r\n2\r\n", false},
	{"replace /^A:/ with \"B:\" header remove \"B\"", "A: 1\r\nB: 1\r\nC: 1\r\n\r\n", "C: 1\r\n\r\n", false},
	/* 64 octets and the line end are too long; 62 and it are not. */
	{"replace \"a\" with \"b\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n",
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nb\r\n", false},
	{"replace \"a\" with \"b\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na\r\n",
	    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nb\r\n", false},
	{"header remove \"a\" header add \"X\" \"1\"",
	    "b: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\na: 1\r\n\r\n.\r\n",
	    "b: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nX: 1\r\n\r\n.\r\n",
	    false},
	{"header add \"X\" \"1\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
	    "X: 1\r\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", false},
};

/* What the rule's actions ask for, as judging gives it. */
static struct editor *
editor_of(struct trial *t, const char *actions, bool by_data)
{
	char text[512];
	struct editor *editor;
	struct verdict verdict = {.step_count = 0};
	struct rules_facts facts;

	snprintf(text, sizeof text, "rule \"r\" { on CONTENT %s }", actions);
	trial_begin(t, text, 1);
	facts = t->facts;
	facts.place = RULES_AT_CONTENT;
	ck_assert(rules_judge(&t->run, &facts, VIEW_NONE, &t->arena, &verdict));
	editor = editor_new(t->state, SMALL_LINE, by_data);
	for (size_t i = 0; i < verdict.step_count; i++)
		if (verdict.steps[i].type == STEP_EDIT)
			editor_add(editor, &verdict.steps[i]);
	return editor;
}

static void
feed(struct editor *editor, struct text *out, const char *at, size_t len)
{
	struct view edge = edge_copy((struct view){at, len});

	text_put(out, editor_feed(editor, edge, out->arena));
	edge_free(edge);
}

/* In two pieces, or in single octets. */
static void
check(const struct sample *s, size_t cut, bool everywhere)
{
	struct trial t;
	struct editor *editor = editor_of(&t, s->actions, !s->by_count);
	struct text out = TEXT_IN(&t.arena);
	size_t len = strlen(s->sent);

	if (everywhere) {
		for (size_t i = 0; i < len; i++)
			feed(editor, &out, s->sent + i, 1);
	} else {
		feed(editor, &out, s->sent, cut);
		feed(editor, &out, s->sent + cut, len - cut);
	}
	text_put(&out, editor_finish(editor, &t.arena));
	ck_assert_msg(view_equal(text_done(&out), view_of(s->goes_on)), "%s\n%s\nbecame (cut at %zu)\n%s\nnot\n%s",
	    s->actions, s->sent, cut, text_done(&out).at, s->goes_on);
	ck_assert_msg(editor_has_changed(editor) == (strcmp(s->sent, s->goes_on) != 0), "%s", s->actions);
	editor_free(editor);
	trial_end(&t);
}

START_TEST(octets_that_go_on)
{
	const struct sample *s = &samples[_i];

	for (size_t cut = 0; cut <= strlen(s->sent); cut++)
		check(s, cut, false);
	check(s, 0, true);
}
END_TEST

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* What chance writes, and what becomes of it: in one piece, or in pieces of a few octets. */
static struct view
edit_random(struct trial *t, const char *actions, struct view content, bool by_data, uint64_t cuts)
{
	struct editor *editor = editor_of(t, actions, by_data);
	struct text out = TEXT_IN(&t->arena);

	while (content.len > 0) {
		size_t n = cuts == 0 ? content.len : 1 + random_next(&cuts) % 7;

		n = n < content.len ? n : content.len;
		text_put(&out, editor_feed(editor, view_first(content, n), &t->arena));
		content = view_from(content, n);
	}
	text_put(&out, editor_finish(editor, &t->arena));
	editor_free(editor);
	return text_done(&out);
}

/*
 * Whatever the octets: what matches nothing stays what it is, where they are cut does not matter,
 * and by DATA no line of what goes on is a dot alone that was none before.
 */
START_TEST(random_contents)
{
	static const char octets[] = "..\r\n\r\n\r\n::aaAb \tX";
	static const char *const actions[] = {"replace \"a\" with \".\"", "replace /^\\.*A?/i with \"\" corrupt 3",
	    "header remove \"a\" header add \".\" \"x\" replace /^(.)(.)/ with \"$2$1\"",
	    "header set \"b\" \"1\" replace /[ab]+$/ with \"\""};
	uint64_t state = 0x5eed;
	char content[400];

	for (unsigned run = 0; run < 800; run++) {
		struct view sent = {content, random_next(&state) % sizeof content}, whole, cut;
		struct trial one, other;
		bool by_data = run % 2 == 0;
		const char *what = actions[run / 2 % 4];

		for (size_t i = 0; i < sent.len; i++)
			content[i] = octets[random_next(&state) % (sizeof octets - 1)];
		if (by_data && sent.len >= 2)
			memcpy(content + sent.len - 2, "\r\n", 2);
		/* The content ends where the first dot stands alone: it is not part of it. */
		for (size_t i = 0; by_data && i + 3 <= sent.len; i++)
			if ((i == 0 || (i > 1 && memcmp(content + i - 2, "\r\n", 2) == 0)) && memcmp(content + i, ".\r\n", 3) == 0)
				content[i] = 'y';
		whole = edit_random(&one, "replace \"never\" with \"x\" header remove \"none\"", sent, by_data, 1 + state);
		ck_assert_msg(view_equal(whole, sent), "run %u", run);
		trial_end(&one);
		whole = edit_random(&one, what, sent, by_data, 0);
		cut = edit_random(&other, what, sent, by_data, 1 + state);
		ck_assert_msg(view_equal(whole, cut), "run %u: %s", run, what);
		for (size_t i = 0; by_data && i + 3 <= whole.len; i++)
			ck_assert_msg(memcmp(whole.at + i, ".\r\n", 3) != 0 || (i > 0 && (whole.at[i - 1] != '\n' ||
			    i == 1 || whole.at[i - 2] != '\r')), "run %u: %s", run, what);
		trial_end(&one);
		trial_end(&other);
	}
}
END_TEST

START_TEST(long_lines_are_counted)
{
	struct trial t;
	struct editor *editor = editor_of(&t, "replace \"x\" with \"y\"", true);
	char line[200];

	memset(line, 'x', sizeof line);
	editor_feed(editor, (struct view){line, 100}, &t.arena);
	editor_feed(editor, (struct view){line, 100}, &t.arena);
	editor_feed(editor, VIEW("\r\nx\r\n"), &t.arena);
	editor_feed(editor, (struct view){line, 65}, &t.arena);
	ck_assert_uint_eq(editor_long_lines(editor), 2);
	editor_free(editor);
	trial_end(&t);
}
END_TEST

#define SIGNED "DKIM-Signature: v=1; a=rsa-sha256; d=example.org; s=x;\r\n\th=From : subject:\r\n\t Date; bh=AA==;\r\n\tb=BB==\r\n" \
	"From: <ann@example.org>\r\nSubject: x\r\nX-Other: y\r\n\r\nbody\r\n"

static const struct {
	const char *actions;
	bool        broken;
} breaks[] = {
	{"replace \"nothing of it\" with \"x\"", false}, {"replace \"body\" with \"Body\"", true},
	{"replace /^Subject: x/ with \"Subject: y\"", true}, {"replace /^X-Other: y/ with \"X-Other: z\"", false},
	{"header add \"X-New\" \"1\"", false}, {"header add \"Date\" \"today\"", true}, {"header remove \"from\"", true},
	{"header remove \"X-Other\"", false}, {"header set \"SUBJECT\" \"y\"", true}, {"header set \"X-Other\" \"y\"", false},
	{"replace \"bh=AA\" with \"bh=AB\"", true}
};

START_TEST(signatures_that_break)
{
	struct trial t;
	struct editor *editor = editor_of(&t, breaks[_i].actions, true);
	struct view header = VIEW(SIGNED), unsigned_header = VIEW("From: x\r\n\r\n");

	editor_feed(editor, header, &t.arena);
	editor_finish(editor, &t.arena);
	ck_assert_msg(editor_breaks_signature(editor, header) == breaks[_i].broken, "%s", breaks[_i].actions);
	ck_assert(!editor_breaks_signature(editor, unsigned_header));
	editor_free(editor);
	trial_end(&t);
}
END_TEST

/* A rule behind sees in header["..."] what those before have made of it. */
START_TEST(the_next_rule_sees_it)
{
	struct trial t;

	trial_begin(&t, "rule \"a\" { on CONTENT header set \"A\" \"2\" replace /^C/ with \"D\" }\n"
	    "rule \"b\" { on CONTENT log \"%{header[\\\"A\\\"]} %{header[\\\"D\\\"]}\" header remove \"A\" }\n"
	    "rule \"c\" { on CONTENT when not header[\"A\"] log \"gone\" }", 1);
	t.facts.header = VIEW("A: 1\r\nC: 3\r\n\r\n");
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT), "edit A: 2; edit; log 2 3; edit; log gone");
	trial_end(&t);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("editor");
	TCase *tcase = tcase_create("editor");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, octets_that_go_on, 0, sizeof samples / sizeof *samples);
	tcase_add_test(tcase, random_contents);
	tcase_add_test(tcase, long_lines_are_counted);
	tcase_add_loop_test(tcase, signatures_that_break, 0, sizeof breaks / sizeof *breaks);
	tcase_add_test(tcase, the_next_rule_sees_it);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
