/* SPDX-License-Identifier: MIT */
/* What a transcript's text stands for: escapes, as in the strings of rule files, and repetitions. */
#include "tests/unit/transcript_text.h"

/* An escape as in the strings of rule files; returns how many octets of text it takes, 0: wrong. */
static size_t
escape_read(struct view text, char *octet)
{
	static const char plain[] = {'r', 'n', 't', '\\', '"'}, meant[] = {'\r', '\n', '\t', '\\', '"'};

	if (text.len >= 4 && text.at[1] == 'x') {
		int high = hex_digit(text.at[2]), low = hex_digit(text.at[3]);

		*octet = (char)(high * 16 + low);
		return high < 0 || low < 0 ? 0 : 4;
	}
	for (size_t i = 0; text.len >= 2 && i < sizeof plain; i++) {
		if (text.at[1] == plain[i]) {
			*octet = meant[i];
			return 2;
		}
	}
	return 0;
}

bool
transcript_number(struct view digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9' || *number > UINT64_MAX / 10 - 9)
			return false;
		*number = *number * 10 + (uint64_t)(digits.at[i] - '0');
	}
	return digits.len > 0;
}

/* "[x * 1000]" at the start of text: what, and how often. Returns its length; 0: it is none. */
static size_t
repetition_read(struct view text, struct view *what, uint64_t *times)
{
	const char *end = text.len < 7 || text.at[0] != '[' ? NULL : memchr(text.at, ']', text.len);
	size_t len, star;

	if (end == NULL)
		return 0;
	len = (size_t)(end - text.at);
	for (star = len; star > 0 && text.at[star] != '*'; star--)
		continue;
	if (star < 3 || text.at[star - 1] != ' ' || star + 2 >= len || text.at[star + 1] != ' '
	    || !transcript_number((struct view){text.at + star + 2, len - star - 2}, times))
		return 0;
	*what = (struct view){text.at + 1, star - 2};
	return len + 1;
}

bool
transcript_octets(struct view text, struct buffer *out, struct view *wrong)
{
	while (text.len > 0) {
		struct view what;
		uint64_t times;
		size_t used = repetition_read(text, &what, &times), from = out->len, once;
		char octet = text.at[0];

		if (used > 0) {
			if (!transcript_octets(what, out, wrong))
				return false;
			once = out->len - from;
			buffer_reserve(out, once * (size_t)times);
			for (; times > 1; times--) {
				memcpy(out->at + out->len, out->at + from, once);
				out->len += once;
			}
		} else {
			used = octet == '\\' ? escape_read(text, &octet) : 1;
			if (used == 0) {
				*wrong = view_first(text, 8);
				return false;
			}
			buffer_char(out, octet);
		}
		text = view_from(text, used);
	}
	return true;
}
