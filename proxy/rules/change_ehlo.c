/* SPDX-License-Identifier: MIT */
/*
 * hide and offer: lines of the reply to EHLO or LHLO taken out, changed, added, and the
 * hyphens mended, for the last line and no other has a space behind its code (RFC 5321
 * 4.2.1, 4.1.1.1). The first line is the server's name, never a keyword.
 */
#include "decoders/smtp/ehlo.h"
#include "decoders/smtp/line.h"
#include "proxy/rules/judging.h"

struct lines {
	struct smtp_reply_line *at;
	size_t                  count;
};

/* False: not a reply that offers anything. One more line than there are has room. */
static bool
lines_read(struct arena *arena, const struct smtp_reply *reply, struct lines *lines)
{
	struct view rest = reply->wire;
	struct smtp_reply_line line;

	lines->count = 0;
	if (reply->code / 100 != 2)
		return false;
	lines->at = arena_take(arena, (reply->lines + 1) * sizeof *lines->at);
	while (lines->count < reply->lines && smtp_reply_line_next(&rest, &line))
		lines->at[lines->count++] = line;
	return lines->count > 0;
}

static struct view
lines_write(struct arena *arena, const struct lines *lines)
{
	struct text wire = TEXT_IN(arena);

	for (size_t i = 0; i < lines->count; i++) {
		const struct smtp_reply_line *line = &lines->at[i];
		bool last = i + 1 == lines->count;

		if (line->code == 0) {  /* no line of a reply in form: as it is */
			text_put(&wire, line->wire);
			continue;
		}
		text_put(&wire, arena_printf(arena, "%03u%s", line->code, !last ? "-" : line->text.len > 0 ? " " : ""));
		text_put(&wire, line->text);
		text_put(&wire, view_from(line->wire, smtp_line_text(line->wire).len));
	}
	return text_done(&wire);
}

/* Whether a line offers the keyword. "AUTH" is also "AUTH=" (before RFC 2554); "AUTH=" is that alone. */
static bool
line_offers(const struct smtp_reply_line *line, struct view keyword)
{
	struct smtp_ehlo_keyword offered;
	bool equals = memchr(keyword.at, '=', keyword.len) != NULL;

	if (equals && keyword.at[keyword.len - 1] == '=')
		return view_starts_nocase(line->text, keyword);
	if (equals)
		return view_starts_nocase(line->text, keyword) &&
		    (line->text.len == keyword.len || line->text.at[keyword.len] == ' ');
	smtp_ehlo_keyword_parse(line->text, &offered);
	return view_equal_nocase(offered.name, keyword);
}

/* Takes out the lines from the nth on that offer it; returns how many. */
static size_t
take_out(struct lines *lines, struct view keyword, size_t from)
{
	size_t kept = from, count = lines->count;

	for (size_t i = from; i < count; i++)
		if (!line_offers(&lines->at[i], keyword))
			lines->at[kept++] = lines->at[i];
	lines->count = kept;
	return count - kept;
}

struct view
rules_hide(struct arena *arena, const struct smtp_reply *reply, struct view keyword)
{
	struct lines lines;
	size_t gone;

	if (!lines_read(arena, reply, &lines))
		return VIEW_NONE;
	gone = take_out(&lines, keyword, 1);
	/* BINARYMIME cannot be used without BDAT (RFC 3030 3). */
	if (view_equal_nocase(keyword, VIEW("CHUNKING")))
		gone += take_out(&lines, VIEW("BINARYMIME"), 1);
	return gone > 0 ? lines_write(arena, &lines) : VIEW_NONE;
}

struct view
rules_offer(struct arena *arena, const struct smtp_reply *reply, struct view text)
{
	struct smtp_ehlo_keyword keyword;
	struct smtp_reply_line *line;
	struct lines lines;
	size_t i = 1;

	smtp_ehlo_keyword_parse(text, &keyword);
	if (keyword.name.len == 0 || !lines_read(arena, reply, &lines))
		return VIEW_NONE;
	while (i < lines.count && !line_offers(&lines.at[i], keyword.name))
		i++;
	line = &lines.at[i];
	if (i == lines.count) {
		*line = lines.at[i - 1];
		lines.count++;
	} else {
		take_out(&lines, keyword.name, i + 1);
	}
	if (line->code == 0)
		line->code = reply->code;
	line->text = text;
	return lines_write(arena, &lines);
}

void
change_hide(struct judging *j, struct view keyword)
{
	struct view changed = j->facts.has_reply ? rules_hide(j->arena, &j->facts.reply, keyword) : VIEW_NONE;

	if (changed.at != NULL)
		change_reply(j, changed);
}

void
change_offer(struct judging *j, struct view text)
{
	struct view changed = j->facts.has_reply ? rules_offer(j->arena, &j->facts.reply, text) : VIEW_NONE;

	if (changed.at != NULL)
		change_reply(j, changed);
}
