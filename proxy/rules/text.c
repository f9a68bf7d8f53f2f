/* SPDX-License-Identifier: MIT */
/* The outgrown pieces stay in the arena until it is emptied: less than what is in use. */
#include "proxy/rules/text.h"

void
text_put(struct text *text, struct view octets)
{
	if (text->at == NULL || text->size - text->len <= octets.len) {
		size_t size = (text->len + octets.len + 1) * 2;
		char *larger = arena_take(text->arena, size);

		if (text->len > 0)
			memcpy(larger, text->at, text->len);
		text->at = larger;
		text->size = size;
	}
	if (octets.len > 0)
		memcpy(text->at + text->len, octets.at, octets.len);
	text->len += octets.len;
}

struct view
text_done(struct text *text)
{
	text_put(text, VIEW(""));
	text->at[text->len] = '\0';
	return (struct view){text->at, text->len};
}
