/* SPDX-License-Identifier: MIT */
/*
 * The keywords in a 250 to EHLO. Apart from replies because nothing but EHLO and LHLO gives
 * the lines of a reply a meaning of their own.
 */
#include "decoders/smtp/ehlo.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct view
trim(struct view v)
{
	while (v.len > 0 && is_space(*v.at))
		v = view_from(v, 1);
	while (v.len > 0 && is_space(v.at[v.len - 1]))
		v.len--;
	return v;
}

/* The first word of a trimmed text. */
static struct view
first_word(struct view text)
{
	size_t n = 0;

	while (n < text.len && !is_space(text.at[n]))
		n++;
	return view_first(text, n);
}

struct view
smtp_ehlo_name(const struct smtp_reply *reply)
{
	struct smtp_reply_line line;
	struct view            rest = reply->wire;

	if (!smtp_reply_line_next(&rest, &line) || line.code == 0)
		return (struct view){reply->wire.at, 0};
	return first_word(trim(line.text));
}

void
smtp_ehlo_keyword_parse(struct view text, struct smtp_ehlo_keyword *keyword)
{
	text = trim(text);
	keyword->name = first_word(text);
	/* Clients older than RFC 2554 want "AUTH=LOGIN"; no other keyword is written so. */
	if (view_starts_nocase(keyword->name, VIEW("AUTH="))) {
		keyword->name.len = 4;
		keyword->params = trim(view_from(text, 5));
	} else {
		keyword->params = trim(view_from(text, keyword->name.len));
	}
	keyword->keyword = smtp_keyword_find(keyword->name);
}

struct view
smtp_ehlo_rest(const struct smtp_reply *reply)
{
	struct smtp_reply_line line;
	struct view            rest = reply->wire;

	smtp_reply_line_next(&rest, &line);
	return rest;
}

bool
smtp_ehlo_next(struct view *rest, struct smtp_ehlo_keyword *keyword)
{
	struct smtp_reply_line line;

	while (smtp_reply_line_next(rest, &line)) {
		if (line.code == 0)
			continue;
		smtp_ehlo_keyword_parse(line.text, keyword);
		if (keyword->name.len > 0)
			return true;
	}
	return false;
}

smtp_keyword_set
smtp_ehlo_keywords(const struct smtp_reply *reply)
{
	struct smtp_ehlo_keyword keyword;
	struct view              rest = smtp_ehlo_rest(reply);
	smtp_keyword_set         set = 0;

	while (smtp_ehlo_next(&rest, &keyword))
		if (keyword.keyword != SMTP_KEYWORD_UNKNOWN)
			set |= (smtp_keyword_set)1 << keyword.keyword;
	return set;
}
