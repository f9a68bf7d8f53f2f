/* SPDX-License-Identifier: MIT */
/* Escapes for eyes and rule files; those of JSON are in json_value.c. */
#include "proxy/outputs/escape.h"

#include "decoders/utf8.h"

static void
put_octet(struct buffer *out, char octet)
{
	static const char hex[] = "0123456789abcdef";
	char text[4] = {'\\', 'x', hex[(unsigned char)octet >> 4], hex[octet & 15]};

	if (octet == '\r')
		buffer_put(out, VIEW("\\r"));
	else if (octet == '\n')
		buffer_put(out, VIEW("\\n"));
	else if (octet == '\t')
		buffer_put(out, VIEW("\\t"));
	else
		buffer_put(out, (struct view){text, sizeof(text)});
}

/* How many octets at the start of v stand as they are: ASCII first, then whole characters. */
static size_t
plain_length(struct view v, bool quotes)
{
	size_t len = 0;

	while (len < v.len) {
		unsigned char c = (unsigned char)v.at[len];
		uint32_t character;
		size_t octets = 1;

		if (c < 0x20 || c == 0x7f || (quotes && (c == '"' || c == '\\')))
			break;
		if (c >= 0x80) {
			octets = utf8_decode(view_from(v, len), &character);
			if (octets == 0 || utf8_is_control(character))
				break;
		}
		len += octets;
	}
	return len;
}

static void
put(struct buffer *out, struct view v, bool quotes)
{
	while (v.len > 0) {
		size_t len = plain_length(v, quotes);
		uint32_t character;

		buffer_put(out, view_first(v, len));
		v = view_from(v, len);
		if (v.len == 0)
			return;
		if (*v.at == '"' || *v.at == '\\') {
			buffer_char(out, '\\');
			buffer_char(out, *v.at);
			v = view_from(v, 1);
			continue;
		}
		len = utf8_decode(v, &character);
		for (len = len == 0 ? 1 : len; len > 0; len--, v = view_from(v, 1))
			put_octet(out, *v.at);
	}
}

void
escape_octets(struct buffer *out, struct view octets)
{
	bool space = octets.len > 0 && octets.at[octets.len - 1] == ' ';

	put(out, view_first(octets, octets.len - space), true);
	if (space)
		buffer_put(out, VIEW("\\x20"));
}

void
escape_words(struct buffer *out, struct view octets)
{
	put(out, octets, false);
}
