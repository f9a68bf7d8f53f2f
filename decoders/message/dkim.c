/* SPDX-License-Identifier: MIT */
#include "decoders/message/dkim.h"

#include "decoders/message/header.h"

static const struct view signature = {"DKIM-Signature", 14};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Up to the separator, without white space around; *rest is what is behind it. */
static struct view
next_part(struct view *rest, char separator)
{
	size_t len = 0;
	struct view part;

	while (len < rest->len && rest->at[len] != separator)
		len++;
	part = view_first(*rest, len);
	*rest = view_from(*rest, len + 1);
	while (part.len > 0 && is_space(part.at[0]))
		part = view_from(part, 1);
	while (part.len > 0 && is_space(part.at[part.len - 1]))
		part.len--;
	return part;
}

/* The value of the h= tag (RFC 6376 3.2 has the grammar of tags); .at NULL: there is none. */
static struct view
signed_names(struct view tags)
{
	while (tags.len > 0) {
		struct view tag = next_part(&tags, ';'), name;

		name = next_part(&tag, '=');
		if (view_equal(name, VIEW("h")))
			return tag;
	}
	return VIEW_NONE;
}

static bool
names_have(struct view names, struct view name)
{
	while (names.len > 0)
		if (view_equal_nocase(next_part(&names, ':'), name))
			return true;
	return false;
}

bool
dkim_is_signed(struct view header)
{
	struct view value;

	return header_find(header, signature, &value);
}

bool
dkim_covers(struct view header, struct view name)
{
	struct view field, value, names;

	if (view_equal_nocase(name, signature))
		return dkim_is_signed(header);
	while (header_next(&header, &field, &value)) {
		if (!view_equal_nocase(field, signature))
			continue;
		names = signed_names(value);
		if (names.at == NULL || names_have(names, name))
			return true;
	}
	return false;
}
