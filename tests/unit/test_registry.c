/* SPDX-License-Identifier: MIT */
/* The tables: in order, without doubles, every row with its words, every name found. */
#include <ctype.h>
#include <stdio.h>

#include "decoders/smtp/registry.h"
#include "tests/unit/edge.h"

static void
assert_words(const char *what, const char *meaning, const char *reference)
{
	ck_assert_msg(meaning != NULL && strlen(meaning) > 5, "%s has no meaning", what);
	ck_assert_msg(reference != NULL && strlen(reference) > 3, "%s has no reference", what);
	ck_assert_msg(strncmp(reference, "RFC ", 4) == 0 || strncmp(reference, "IANA", 4) == 0 ||
	                  strncmp(reference, "draft-", 6) == 0 || strncmp(reference, "Postfix", 7) == 0 ||
	                  strncmp(reference, "none, ", 6) == 0,
	    "%s is defined in \"%s\"", what, reference);
	ck_assert_msg(meaning[strlen(meaning) - 1] != '.', "the meaning of %s ends in a dot", what);
}

/* In lower case and one letter more or less, for lookups that ignore the first and not the second. */
static void
spell(struct view name, char lower[64])
{
	ck_assert_uint_lt(name.len, 63);
	for (size_t i = 0; i < name.len; i++)
		lower[i] = (char)tolower((unsigned char)name.at[i]);
	lower[name.len] = 'x';
	lower[name.len + 1] = '\0';
}

START_TEST(verbs)
{
	ck_assert_ptr_null(smtp_verb_entry(SMTP_VERB_UNKNOWN));
	ck_assert_ptr_null(smtp_verb_entry(SMTP_VERB_COUNT));
	for (int v = 1; v < SMTP_VERB_COUNT; v++) {
		const struct smtp_verb_entry *entry = smtp_verb_entry((enum smtp_verb)v);
		char                          lower[64];
		struct view                   copy;

		ck_assert_ptr_nonnull(entry);
		assert_words(entry->name.at, entry->meaning, entry->reference);
		spell(entry->name, lower);
		copy = edge_copy((struct view){lower, entry->name.len});
		ck_assert_int_eq(smtp_verb_find(entry->name), v);
		ck_assert_int_eq(smtp_verb_find(copy), v);
		ck_assert_int_eq(smtp_verb_find(view_first(copy, copy.len - 1)), SMTP_VERB_UNKNOWN);
		ck_assert_int_eq(smtp_verb_find(view_of(lower)), SMTP_VERB_UNKNOWN);
		for (int other = 1; other < v; other++)
			ck_assert(!view_equal(smtp_verb_entry((enum smtp_verb)other)->name, entry->name));
		edge_free(copy);
	}
	ck_assert_int_eq(smtp_verb_find(VIEW("")), SMTP_VERB_UNKNOWN);
	ck_assert_int_eq(smtp_verb_find(VIEW_NONE), SMTP_VERB_UNKNOWN);
	ck_assert_int_eq(smtp_verb_find(VIEW("QUI\0")), SMTP_VERB_UNKNOWN);
}
END_TEST

START_TEST(keywords)
{
	ck_assert_ptr_null(smtp_keyword_entry(SMTP_KEYWORD_UNKNOWN));
	ck_assert_ptr_null(smtp_keyword_entry(SMTP_KEYWORD_COUNT));
	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct smtp_keyword_entry *entry = smtp_keyword_entry((enum smtp_keyword)k);
		char                             lower[64];
		struct view                      copy;

		ck_assert_ptr_nonnull(entry);
		assert_words(entry->name.at, entry->meaning, entry->reference);
		spell(entry->name, lower);
		copy = edge_copy((struct view){lower, entry->name.len});
		ck_assert_int_eq(smtp_keyword_find(entry->name), k);
		ck_assert_int_eq(smtp_keyword_find(copy), k);
		ck_assert_int_eq(smtp_keyword_find(view_first(copy, copy.len - 1)), SMTP_KEYWORD_UNKNOWN);
		ck_assert_int_eq(smtp_keyword_find(view_of(lower)), SMTP_KEYWORD_UNKNOWN);
		/* A verb that a keyword brings is one that the decoder knows. */
		if (entry->verbs.len > 0)
			ck_assert_int_ne(smtp_verb_find(entry->verbs), SMTP_VERB_UNKNOWN);
		edge_free(copy);
	}
	ck_assert_int_eq(smtp_keyword_find(VIEW_NONE), SMTP_KEYWORD_UNKNOWN);
}
END_TEST

/* The words that "answers" may have beside verbs. */
static bool
is_answered(const char *word, size_t len)
{
	static const char *const others[] = {"CONNECT", "CONTENT", "ATRN"};
	struct view              v = {word, len};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (view_equal(v, view_of(others[i])))
			return true;
	return smtp_verb_find(v) != SMTP_VERB_UNKNOWN;
}

START_TEST(reply_codes)
{
	const struct smtp_code_entry *entry;
	uint16_t                      last = 199;
	size_t                        n;

	for (n = 0; (entry = smtp_code_nth(n)) != NULL; n++) {
		char what[8];

		snprintf(what, sizeof what, "%u", entry->code);
		assert_words(what, entry->meaning, entry->reference);
		ck_assert_msg(entry->code > last && entry->code < 600, "%u is out of order", entry->code);
		ck_assert_ptr_eq(smtp_code_find(entry->code), entry);
		last = entry->code;
		if (strncmp(entry->answers, "any command", 11) == 0)
			continue;
		for (const char *word = entry->answers; *word != '\0';) {
			size_t len = strcspn(word, " ");

			ck_assert_msg(is_answered(word, len), "%u answers %s", entry->code, word);
			word += len + strspn(word + len, " ");
		}
	}
	ck_assert_uint_ge(n, 50);
	ck_assert_ptr_null(smtp_code_nth(n + 1));
	ck_assert_ptr_null(smtp_code_find(0));
	ck_assert_ptr_null(smtp_code_find(599));
	ck_assert_ptr_null(smtp_code_find(UINT16_MAX));
}
END_TEST

/* Which codes there are is fixed by RFC 5321 4.2.3 and the extensions. */
START_TEST(reply_codes_of_the_standards)
{
	static const uint16_t standard[] = {211, 214, 220, 221, 235, 250, 251, 252, 253, 334, 354, 355, 421, 422,
	    432, 450, 451, 452, 453, 454, 455, 458, 459, 500, 501, 502, 503, 504, 521, 523, 524, 525, 530, 534,
	    535, 538, 550, 551, 552, 553, 554, 555, 556};

	for (size_t i = 0; i < sizeof standard / sizeof *standard; i++) {
		const struct smtp_code_entry *entry = smtp_code_find(standard[i]);

		ck_assert_msg(entry != NULL, "%u is missing", standard[i]);
		ck_assert_msg(strncmp(entry->reference, "RFC ", 4) == 0, "%u has no RFC", standard[i]);
	}
}
END_TEST

START_TEST(enhanced_codes)
{
	static const uint16_t             details[] = {1, 11, 5, 7, 8, 7, 11, 31};      /* of each subject */
	const struct smtp_enhanced_entry *entry;
	long                              last = -1;
	size_t                            n, count[8] = {0};

	for (n = 0; (entry = smtp_enhanced_nth(n)) != NULL; n++) {
		char what[16];
		long at = entry->subject * 1000L + entry->detail;

		snprintf(what, sizeof what, "X.%u.%u", entry->subject, entry->detail);
		assert_words(what, entry->meaning, entry->reference);
		ck_assert_msg(at > last, "%s is out of order", what);
		ck_assert_ptr_eq(smtp_enhanced_find(entry->subject, entry->detail), entry);
		ck_assert_uint_lt(entry->subject, 8);
		count[entry->subject]++;
		last = at;
	}
	for (size_t subject = 0; subject < 8; subject++)
		ck_assert_uint_eq(count[subject], details[subject]);
	ck_assert_ptr_null(smtp_enhanced_find(1, 99));
	ck_assert_ptr_null(smtp_enhanced_find(8, 0));
	ck_assert_ptr_null(smtp_enhanced_find(UINT16_MAX, UINT16_MAX));
}
END_TEST

START_TEST(words)
{
	ck_assert(smtp_words_have(VIEW("RET ENVID"), VIEW("RET")));
	ck_assert(smtp_words_have(VIEW("RET ENVID"), VIEW("envid")));
	ck_assert(smtp_words_have(VIEW("  RET  ENVID "), VIEW("ENVID")));
	ck_assert(!smtp_words_have(VIEW("RET ENVID"), VIEW("ENV")));
	ck_assert(!smtp_words_have(VIEW("RET ENVID"), VIEW("RET ENVID")));
	ck_assert(!smtp_words_have(VIEW("RET ENVID"), VIEW("")));
	ck_assert(!smtp_words_have(VIEW(""), VIEW("RET")));
	ck_assert(!smtp_words_have(VIEW_NONE, VIEW("RET")));
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("registry");
	TCase *tcase = tcase_create("registry");

	tcase_add_test(tcase, verbs);
	tcase_add_test(tcase, keywords);
	tcase_add_test(tcase, reply_codes);
	tcase_add_test(tcase, reply_codes_of_the_standards);
	tcase_add_test(tcase, enhanced_codes);
	tcase_add_test(tcase, words);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
