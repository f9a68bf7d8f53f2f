/* SPDX-License-Identifier: MIT */
/* Options of transcripts: see transcript_options.h. */
#include "tests/unit/transcript_options.h"

#include <errno.h>
#include <inttypes.h>

#include "tests/unit/transcript_text.h"

/* "64", "2KiB", "1MiB" */
static bool
size_read(struct view value, uint64_t *number)
{
	static const struct unit_name {
		struct view name;
		uint64_t    times;
	} unit[] = {{VIEW("KiB"), 1024}, {VIEW("MiB"), 1024 * 1024}};
	uint64_t times = 1;

	for (size_t i = 0; i < sizeof unit / sizeof unit[0]; i++) {
		struct view end = view_from(value, value.len < 3 ? value.len : value.len - 3);

		if (view_equal(end, unit[i].name)) {
			times = unit[i].times;
			value = view_first(value, value.len - 3);
		}
	}
	if (!transcript_number(value, number))
		return false;
	*number *= times;
	return true;
}

bool
transcript_option(struct transcript *t, enum transcript_server *server, struct view name, struct view value)
{
	uint64_t number = 0;
	bool is_number = size_read(value, &number);

	if (view_equal(name, VIEW("lmtp")))
		t->lmtp = true;
	else if (view_equal(name, VIEW("show-secrets")))
		t->show_secrets = true;
	else if (view_equal(name, VIEW("hasten")))
		t->hasten = true;
	else if (view_equal(name, VIEW("rules")) && value.len > 0)
		t->rules_path = arena_copy(&t->arena, value);
	else if (view_equal(name, VIEW("exit")) && is_number)
		t->exit = number;
	else if (view_equal(name, VIEW("max-line")) && number > 0)
		t->max_line = (uint32_t)number;
	else if (view_equal(name, VIEW("max-content")) && number > 0)
		t->max_content = number;
	else if (view_equal(name, VIEW("seed")) && is_number)
		t->seed = number;
	else if (view_equal(name, VIEW("server")) && view_equal(value, VIEW("refused")))
		*server = TRANSCRIPT_SERVER_REFUSED;
	else if (view_equal(name, VIEW("server")) && view_equal(value, VIEW("none")))
		*server = TRANSCRIPT_SERVER_NONE;
	else
		return false;
	return true;
}

static bool
file_read(const char *path, struct buffer *out, FILE *err)
{
	FILE *file = fopen(path, "r");
	char octets[4096];
	size_t len;

	if (file == NULL) {
		fprintf(err, "%s: %s; the rule file of a transcript is named from the project's root\n", path,
		    strerror(errno));
		return false;
	}
	while ((len = fread(octets, 1, sizeof octets, file)) > 0)
		buffer_put(out, (struct view){octets, len});
	fclose(file);
	return true;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
	    c == '-';
}

/* "30s", "5m" as milliseconds; 0: the word is no such duration. Hours stay: what takes them is not waited for. */
static uint64_t
duration_read(struct view word)
{
	uint64_t number;

	if (word.len < 2 || !transcript_number(view_first(word, word.len - 1), &number))
		return 0;
	switch (word.at[word.len - 1]) {
	case 's':
		return number;
	case 'm':
		return number * 60;
	default:
		return 0;
	}
}

/* Copies rules with their durations shortened: not in comments, strings and patterns. */
static void
hasten(struct view rules, struct buffer *out)
{
	char within = 0;        /* '"', '/', '#': what the octet stands in */

	for (size_t i = 0, len; i < rules.len; i += len) {
		char c = rules.at[i];
		uint64_t ms;

		len = 1;
		if (within == 0 && (c == '#' || c == '"' || (c == '/' && !(i > 0 && is_word(rules.at[i - 1])))))
			within = c;
		else if (within == '#' ? c == '\n' : c == within)
			within = 0;
		else if (within != 0 && within != '#' && c == '\\')
			len = 2;
		while (within == 0 && is_word(c) && c != '.' && i + len < rules.len && is_word(rules.at[i + len])
		    && !(rules.at[i + len] == '.' && i + len + 1 < rules.len && rules.at[i + len + 1] == '.'))
			len++;
		ms = within == 0 ? duration_read(view_first(view_from(rules, i), len)) : 0;
		if (ms != 0)
			buffer_printf(out, "%" PRIu64 "ms", ms);
		else
			buffer_put(out, view_first(view_from(rules, i), len));
	}
}

bool
transcript_option_rules(const struct transcript *t, struct buffer *rules, FILE *err)
{
	struct buffer hastened = {0};

	if (t->rules_path.at != NULL && !file_read(t->rules_path.at, rules, err))
		return false;
	if (!t->hasten)
		return true;
	hasten((struct view){rules->at, rules->len}, &hastened);
	buffer_free(rules);
	*rules = hastened;
	return true;
}
