/* SPDX-License-Identifier: MIT */
/*
 * Replies taken apart, a line at a time and as a whole. What counts as a line of a reply is
 * what Postfix's client takes for one: exactly three digits, then "-", SP or the line's end.
 * Digits outside of 2yz to 5yz are a code too: somebody has to show that they were sent.
 */
#include "decoders/smtp/reply.h"

#include "decoders/smtp/line.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number of digits at the start of v, not more than 4. */
static size_t
digits(struct view v)
{
	size_t n = 0;

	while (n < v.len && n < 4 && is_digit(v.at[n]))
		n++;
	return n;
}

struct view
smtp_enhanced_parse(struct view text)
{
	struct view rest = text;
	size_t      n;

	if (text.len < 5 || (*text.at != '2' && *text.at != '4' && *text.at != '5') || text.at[1] != '.')
		return VIEW_NONE;
	rest = view_from(text, 2);
	n = digits(rest);
	if (n < 1 || n > 3 || n == rest.len || rest.at[n] != '.')
		return VIEW_NONE;
	rest = view_from(rest, n + 1);
	n = digits(rest);
	if (n < 1 || n > 3)
		return VIEW_NONE;
	rest = view_from(rest, n);
	if (rest.len > 0 && *rest.at != ' ')
		return VIEW_NONE;
	return view_first(text, text.len - rest.len);
}

void
smtp_reply_line_parse(struct view wire, struct smtp_reply_line *line)
{
	struct view text = smtp_line_text(wire);

	line->code = 0;
	line->separator = 0;
	line->text = text;
	line->wire = wire;
	if (text.len < 3 || !is_digit(text.at[0]) || !is_digit(text.at[1]) || !is_digit(text.at[2]))
		return;
	if (text.len > 3) {
		if (text.at[3] != ' ' && text.at[3] != '-')
			return;
		line->separator = text.at[3];
	}
	line->code = (uint16_t)((text.at[0] - '0') * 100 + (text.at[1] - '0') * 10 + (text.at[2] - '0'));
	line->text = view_from(text, line->separator == 0 ? 3 : 4);
}

bool
smtp_reply_line_next(struct view *rest, struct smtp_reply_line *line)
{
	size_t searched = 0, len;

	if (rest->len == 0)
		return false;
	len = smtp_line_length(rest->at, rest->len, &searched);
	if (len == 0)
		len = rest->len;        /* cut, or the stream's end */
	smtp_reply_line_parse(view_first(*rest, len), line);
	*rest = view_from(*rest, len);
	return true;
}

static unsigned
add_line(struct smtp_reply *reply, const struct smtp_reply_line *line)
{
	bool changes = reply->code != 0 && reply->code != line->code;

	reply->lines++;
	if (line->code == 0)
		return SMTP_MARK_BAD_LINE;
	reply->code = line->code;
	if (reply->enhanced.at == NULL)
		reply->enhanced = smtp_enhanced_parse(line->text);
	return changes ? SMTP_MARK_CODE_CHANGE : 0;
}

unsigned
smtp_reply_of_line(const struct smtp_reply_line *line, struct smtp_reply *reply)
{
	*reply = (struct smtp_reply){.wire = line->wire, .enhanced = VIEW_NONE};
	return add_line(reply, line);
}

unsigned
smtp_reply_parse(struct view wire, struct smtp_reply *reply)
{
	struct smtp_reply_line line;
	struct view            rest = wire;
	unsigned               marks = 0;

	*reply = (struct smtp_reply){.wire = wire, .enhanced = VIEW_NONE};
	while (smtp_reply_line_next(&rest, &line))
		marks |= add_line(reply, &line);
	return marks;
}
