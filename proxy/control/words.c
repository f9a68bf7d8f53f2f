/* SPDX-License-Identifier: MIT */
/* What ctl can be told: one table for both ends. */
#include "proxy/control/words.h"

#include <string.h>

#include "proxy/near.h"

static const struct {
	const char *name, *operand;     /* NULL: it takes none */
	const char *several;            /* what to say where there are several */
} table[CONTROL_WORD_COUNT] = {
    [CONTROL_RULES] = {"rules", NULL, NULL},
    [CONTROL_ENABLE] = {"enable", "the name of a rule", "a name with spaces is one word: put it in quotes"},
    [CONTROL_DISABLE] = {"disable", "the name of a rule", "a name with spaces is one word: put it in quotes"},
    [CONTROL_FIRE] = {"fire", "the name of a rule", "a name with spaces is one word: put it in quotes"},
    [CONTROL_SESSIONS] = {"sessions", NULL, NULL},
    [CONTROL_CLOSE] = {"close", "the number of a session", "one session at a time"},
    [CONTROL_STATS] = {"stats", NULL, NULL},
};

static enum control_word
find(const char *name, FILE *err)
{
	const char *names[CONTROL_WORD_COUNT], *near;

	for (unsigned i = 0; i < CONTROL_WORD_COUNT; i++) {
		if (strcmp(table[i].name, name) == 0)
			return (enum control_word)i;
		names[i] = table[i].name;
	}
	near = near_word(view_of(name), names, CONTROL_WORD_COUNT);
	fprintf(err, "smtpscope: ctl has no word \"%s\"", name);
	if (near != NULL)
		fprintf(err, " (did you mean %s?)\n", near);
	else
		fprintf(err, "; 'smtpscope help ctl' lists them\n");
	return CONTROL_WORD_COUNT;
}

enum control_word
control_word_read(const char *const *words, size_t count, FILE *err)
{
	enum control_word word = count == 0 ? CONTROL_WORD_COUNT : find(words[0], err);

	if (word == CONTROL_WORD_COUNT)
		return word;
	if (table[word].operand == NULL && count == 1)
		return word;
	if (table[word].operand != NULL && count == 2)
		return word;
	if (count == 1)
		fprintf(err, "smtpscope: ctl %s: %s is missing\n", words[0], table[word].operand);
	else if (table[word].operand == NULL)
		fprintf(err, "smtpscope: ctl %s: nothing stands behind it, and there is \"%s\"\n", words[0], words[1]);
	else
		fprintf(err, "smtpscope: ctl %s: \"%s\" is too much; %s\n", words[0], words[2], table[word].several);
	return CONTROL_WORD_COUNT;
}
