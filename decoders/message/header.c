/* SPDX-License-Identifier: MIT */
/*
 * Finding a header field and reading its body as a person would: unfolded, and with encoded words
 * decoded (RFC 2047). More is taken than RFC 2047 5 allows, as mail readers do: an encoded word
 * may touch other text, stand in a quoted string, and be longer than 75 octets. Words of one
 * charset that follow each other are decoded as one, since senders cut within a character.
 */
#include "decoders/message/header.h"

#include <iconv.h>
#include <stdint.h>
#include <stdlib.h>

#include "decoders/base64.h"
#include "decoders/utf8.h"

struct word {
	struct view charset, text;
	bool        base64;
	struct view wire;               /* "=?" to "?=" */
};

struct writer {
	char  *at;
	size_t len, size;
};

/*
 * What iconv is asked for; others stay as sent. iconv loads a module from disk by the name that
 * it is given, and not every module was written with hostile octets in mind.
 */
static const char *const charsets[] = {
	"ISO-8859-2", "ISO-8859-3", "ISO-8859-4", "ISO-8859-5", "ISO-8859-6", "ISO-8859-7", "ISO-8859-8",
	"ISO-8859-9", "ISO-8859-10", "ISO-8859-11", "ISO-8859-13", "ISO-8859-14", "ISO-8859-15",
	"ISO-8859-16", "WINDOWS-874", "WINDOWS-1250", "WINDOWS-1251", "WINDOWS-1252", "WINDOWS-1253",
	"WINDOWS-1254", "WINDOWS-1255", "WINDOWS-1256", "WINDOWS-1257", "WINDOWS-1258", "CP1250", "CP1251",
	"CP1252", "CP437", "CP850", "CP866", "KOI8-R", "KOI8-U", "MACINTOSH", "TIS-620", "VISCII",
	"SHIFT_JIS", "CP932", "EUC-JP", "ISO-2022-JP", "ISO-2022-KR", "EUC-KR", "CP949", "JOHAB", "GB2312",
	"GBK", "CP936", "GB18030", "BIG5", "BIG5-HKSCS", "CP950", "UTF-7", "UTF-16", "UTF-16BE", "UTF-16LE"
};

/* Names that mail uses and iconv knows by another. */
static const struct {
	const char *mail, *iconv;
} aliases[] = {
	{"KS_C_5601-1987", "CP949"}, {"ISO-8859-8-I", "ISO-8859-8"}, {"ISO-8859-6-I", "ISO-8859-6"},
	{"X-SJIS", "SHIFT_JIS"}, {"X-GBK", "GBK"}, {"UNICODE-1-1-UTF-7", "UTF-7"}
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_space(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

/* The length of the line at the start of v, its LF included, or of all. */
static size_t
line_length(struct view v)
{
	const char *lf = v.len == 0 ? NULL : memchr(v.at, '\n', v.len);

	return lf == NULL ? v.len : (size_t)(lf - v.at) + 1;
}

static struct view
trim(struct view v)
{
	size_t n = 0;

	while (n < v.len && is_space(v.at[n]))
		n++;
	v = view_from(v, n);
	while (v.len > 0 && is_space(v.at[v.len - 1]))
		v.len--;
	return v;
}

/* Whether a line begins a field of that name; *colon is where its name ends. */
static bool
is_named(struct view line, struct view name, size_t *colon)
{
	size_t at = name.len;

	if (line.len <= name.len || (name.len > 0 && ((line.at[0] ^ name.at[0]) & 0xdf) != 0))
		return false;
	/* White space may stand before the colon (RFC 5322 4.5). */
	while (at < line.len && is_blank(line.at[at]))
		at++;
	*colon = at;
	return at < line.len && line.at[at] == ':' && view_starts_nocase(line, name);
}

/* The body of the field that the header begins with, behind its colon. */
static struct view
body_of(struct view header, size_t line, size_t colon)
{
	while (line < header.len && is_blank(header.at[line]))
		line += line_length(view_from(header, line));
	return trim(view_from(view_first(header, line), colon + 1));
}

void
header_find_each(struct view header, const struct view *names, struct view *values, size_t count)
{
	size_t left = count, colon;

	for (size_t i = 0; i < count; i++)
		values[i] = VIEW_NONE;
	while (header.len > 0 && left > 0) {
		struct view line = view_first(header, line_length(header));

		if (line.at[0] == '\n' || (line.len == 2 && line.at[0] == '\r' && line.at[1] == '\n'))
			return;
		for (size_t i = 0; i < count; i++) {
			if (values[i].at != NULL || !is_named(line, names[i], &colon))
				continue;
			values[i] = body_of(header, line.len, colon);
			left--;
		}
		header = view_from(header, line.len);
	}
}

bool
header_find(struct view header, struct view name, struct view *value)
{
	struct view found;

	header_find_each(header, &name, &found, 1);
	if (found.at != NULL)
		*value = found;
	return found.at != NULL;
}

struct view
header_line_name(struct view line)
{
	size_t len = 0, colon;

	while (len < line.len && line.at[len] > 32 && line.at[len] < 127 && line.at[len] != ':')
		len++;
	colon = len;
	while (colon < line.len && is_blank(line.at[colon]))
		colon++;
	if (len == 0 || colon == line.len || line.at[colon] != ':')
		return VIEW_NONE;
	return view_first(line, len);
}

bool
header_next(struct view *rest, struct view *name, struct view *value)
{
	while (rest->len > 0) {
		struct view header = *rest;
		size_t len = line_length(header);

		*name = header_line_name(view_first(header, len));
		if (name->at == NULL && (header.at[0] == '\n' || (len == 2 && header.at[0] == '\r')))
			return false;
		while (len < header.len && is_blank(header.at[len]))
			len += line_length(view_from(header, len));
		*rest = view_from(header, len);
		if (name->at == NULL)
			continue;
		header = view_from(view_first(header, len), name->len);
		*value = trim(view_from(header, (size_t)((const char *)memchr(header.at, ':', header.len) - header.at) + 1));
		return true;
	}
	return false;
}

bool
header_is_plain(struct view value)
{
	struct view rest = value;
	const char *mark;

	if (value.len == 0)
		return true;
	if (memchr(value.at, '\n', value.len) != NULL)
		return false;
	while (rest.len > 0 && (mark = memchr(rest.at, '=', rest.len)) != NULL) {
		rest = view_from(rest, (size_t)(mark - rest.at) + 1);
		if (rest.len > 0 && rest.at[0] == '?')
			return false;
	}
	return true;
}

/* The octets of the character at the start of v; 0: they are not UTF-8. */
static size_t
utf8_length(struct view v)
{
	uint32_t character;

	return utf8_decode(v, &character);
}

/* Whole characters only: what does not fit ends the output. */
static void
put(struct writer *out, struct view octets)
{
	while (octets.len > 0) {
		size_t len = utf8_length(octets);

		if (len == 0)
			len = 1;
		if (out->size - out->len < len) {
			out->size = out->len;
			return;
		}
		memcpy(out->at + out->len, octets.at, len);
		out->len += len;
		octets = view_from(octets, len);
	}
}

/* The encoded word at the start of v (RFC 2047 2). */
static bool
word_at(struct view v, struct word *word)
{
	size_t mark[3], marks = 0, i;

	if (v.len < 8 || v.at[0] != '=' || v.at[1] != '?')
		return false;
	mark[0] = 1;
	for (i = 2; i < v.len && marks < 2 && !is_space(v.at[i]); i++) {
		if (v.at[i] == '?')
			mark[++marks] = i;
	}
	if (marks < 2 || mark[2] != mark[1] + 2 || mark[1] == 2)
		return false;
	while (i < v.len && v.at[i] != '?' && !is_space(v.at[i]))
		i++;
	if (v.len - i < 2 || v.at[i] != '?' || v.at[i + 1] != '=')
		return false;
	word->charset = (struct view){v.at + 2, mark[1] - 2};
	word->text = (struct view){v.at + mark[2] + 1, i - mark[2] - 1};
	word->wire = view_first(v, i + 2);
	for (size_t at = 0; at < word->charset.len; at++) {
		if (word->charset.at[at] == '*')        /* a language follows (RFC 2231 5) */
			word->charset.len = at;
	}
	word->base64 = v.at[mark[1] + 1] == 'B' || v.at[mark[1] + 1] == 'b';
	return word->base64 || v.at[mark[1] + 1] == 'Q' || v.at[mark[1] + 1] == 'q';
}

/* Undoes B or Q; out has room for as many octets as the text. -1: it is neither. */
static long
word_octets(const struct word *word, char *out)
{
	struct view text = word->text;
	size_t used = 0;

	if (word->base64)
		return base64_decode(text, out, text.len);
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] == '=') {
			if (text.len - i < 3 || hex_digit(text.at[i + 1]) < 0 || hex_digit(text.at[i + 2]) < 0)
				return -1;
			out[used++] = (char)(hex_digit(text.at[i + 1]) << 4 | hex_digit(text.at[i + 2]));
			i += 2;
		} else {
			out[used++] = text.at[i] == '_' ? ' ' : text.at[i];
		}
	}
	return (long)used;
}

static bool
all_utf8(struct view octets, bool ascii)
{
	while (octets.len > 0) {
		size_t len = utf8_length(octets);

		if (len == 0 || (ascii && len > 1))
			return false;
		octets = view_from(octets, len);
	}
	return true;
}

static void
put_latin1(struct writer *out, struct view octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		unsigned char c = (unsigned char)octets.at[i];
		char pair[2] = {(char)(0xc0 | c >> 6), (char)(0x80 | (c & 0x3f))};

		if (c < 0x80)
			put(out, (struct view){octets.at + i, 1});
		else
			put(out, (struct view){pair, 2});
	}
}

static const char *
iconv_name(struct view charset)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (view_equal_nocase(charset, view_of(aliases[i].mail)))
			return aliases[i].iconv;
	}
	for (size_t i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++) {
		if (view_equal_nocase(charset, view_of(charsets[i])))
			return charsets[i];
	}
	return NULL;
}

/* All or nothing: octets that are not of the charset leave the words as sent. */
static bool
put_iconv(struct writer *out, struct view octets, const char *charset)
{
	/* No octet of a charset above becomes more than 4 of UTF-8 (BIG5-HKSCS: two become 4). */
	size_t room = octets.len * 4 + 16, left = octets.len, space = room;
	char *from = (char *)(uintptr_t)octets.at, *text = malloc(room), *to = text;
	iconv_t conversion = iconv_open("UTF-8", charset);
	bool done = false;

	if (conversion != (iconv_t)-1) {
		done = text != NULL && iconv(conversion, &from, &left, &to, &space) != (size_t)-1 &&
		    iconv(conversion, NULL, NULL, &to, &space) != (size_t)-1 &&
		    all_utf8((struct view){text, room - space}, false);
		iconv_close(conversion);
	}
	if (done)
		put(out, (struct view){text, room - space});
	free(text);
	return done;
}

static bool
put_charset(struct writer *out, struct view octets, struct view charset)
{
	const char *name;

	if (view_equal_nocase(charset, VIEW("UTF-8")) || view_equal_nocase(charset, VIEW("UTF8"))) {
		if (!all_utf8(octets, false))
			return false;
		put(out, octets);
		return true;
	}
	if (view_equal_nocase(charset, VIEW("US-ASCII")) || view_equal_nocase(charset, VIEW("ASCII"))) {
		if (!all_utf8(octets, true))
			return false;
		put(out, octets);
		return true;
	}
	if (view_equal_nocase(charset, VIEW("ISO-8859-1")) || view_equal_nocase(charset, VIEW("LATIN1"))) {
		put_latin1(out, octets);
		return true;
	}
	name = iconv_name(charset);
	return name != NULL && put_iconv(out, octets, name);
}

/*
 * Decodes the encoded word at the start of v and, if joined, those of its charset behind it, with
 * nothing but white space between. Returns how much of v they were; 0: it is none, or it stays as
 * sent, and *failed is how much of v was looked at.
 */
static size_t
decode_words(struct view v, bool joined, struct writer *out, char *scratch, size_t *failed)
{
	struct word word;
	struct view charset = VIEW_NONE;
	size_t at = 0, used = 0, octets = 0;

	while (at < v.len && (used == 0 || joined) && word_at(view_from(v, at), &word)) {
		long more;

		if (used > 0 && !view_equal_nocase(word.charset, charset))
			break;
		charset = word.charset;
		more = word_octets(&word, scratch + octets);
		if (more < 0)
			break;
		octets += (size_t)more;
		used = at + word.wire.len;
		for (at = used; at < v.len && is_space(v.at[at]); at++)
			;
	}
	*failed = used;
	return used > 0 && put_charset(out, (struct view){scratch, octets}, charset) ? used : 0;
}

/* Plain text of a field's body up to the next "=?": without the line ends that fold it (RFC 5322 2.2.3). */
static size_t
put_plain(struct writer *out, struct view v)
{
	size_t len = 0;

	while (len < v.len && (len == 0 || v.at[len] != '=' || v.len - len < 2 || v.at[len + 1] != '?'))
		len++;
	for (size_t i = 0; i < len; i++) {
		bool crlf = v.at[i] == '\r' && i + 1 < v.len && v.at[i + 1] == '\n';
		size_t end = i + (crlf ? 2 : 1);

		if ((crlf || v.at[i] == '\n') && (end == v.len || is_blank(v.at[end]))) {
			i = end - 1;
			continue;
		}
		/* A character at once, so that what does not fit is not cut within. */
		end = utf8_length(view_from(v, i));
		if (end == 0)
			end = 1;
		put(out, (struct view){v.at + i, end});
		i += end - 1;
	}
	return len;
}

size_t
header_decode(struct view value, char *out, size_t size)
{
	struct writer writer = {out, 0, size};
	char *scratch = malloc(value.len + 1);
	size_t at = 0, apart = 0;
	bool after_word = false;

	while (at < value.len && writer.len < writer.size) {
		struct view rest = view_from(value, at);
		size_t space = 0, used = 0, failed = 0;

		/* White space between two encoded words is not shown (RFC 2047 6.2). */
		while (after_word && space < rest.len && is_space(rest.at[space]))
			space++;
		if (scratch != NULL)
			used = decode_words(view_from(rest, space), at + space >= apart, &writer, scratch, &failed);
		/* Words that could not be decoded as one are tried one by one: once, whatever a peer sends. */
		if (used == 0 && at + space >= apart && failed > 0) {
			apart = at + space + failed;
			continue;
		}
		after_word = used > 0;
		at += used > 0 ? space + used : put_plain(&writer, rest);
	}
	free(scratch);
	return writer.len;
}
