/* SPDX-License-Identifier: MIT */
/* Strings and numbers of JSON (RFC 8259) out of octets that may be anything. */
#include "proxy/outputs/json_value.h"

#include "decoders/base64.h"
#include "decoders/utf8.h"
#include "proxy/outputs/rfc3339.h"

/* How many octets at the start of v need no thought: ASCII that is neither control, `"` nor `\`. */
static size_t
plain_length(struct view v)
{
	size_t len = 0;

	while (len < v.len) {
		unsigned char c = (unsigned char)v.at[len];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			break;
		len++;
	}
	return len;
}

/* No control character lies above U+FFFF, so that four digits do. */
static void
put_escaped(struct buffer *out, uint32_t character)
{
	static const char hex[] = "0123456789abcdef";
	char text[6] = {'\\', 'u', hex[character >> 12 & 15], hex[character >> 8 & 15],
		hex[character >> 4 & 15], hex[character & 15]};

	if (character == '"' || character == '\\') {
		buffer_char(out, '\\');
		buffer_char(out, (char)character);
	} else {
		buffer_put(out, (struct view){text, sizeof(text)});
	}
}

/* The string in quotes; false: an octet was not UTF-8. */
static bool
put_string(struct buffer *out, struct view v)
{
	bool utf8 = true;

	buffer_char(out, '"');
	while (v.len > 0) {
		size_t len = plain_length(v);
		uint32_t character;

		buffer_put(out, view_first(v, len));
		v = view_from(v, len);
		if (v.len == 0)
			break;
		len = utf8_decode(v, &character);
		if (len == 0) {
			buffer_put(out, VIEW("\xef\xbf\xbd"));
			utf8 = false;
			len = 1;
		} else if (utf8_is_control(character) || character == '"' || character == '\\') {
			put_escaped(out, character);
		} else {
			buffer_put(out, view_first(v, len));
		}
		v = view_from(v, len);
	}
	buffer_char(out, '"');
	return utf8;
}

static void
put_base64(struct buffer *out, struct view octets)
{
	buffer_reserve(out, (octets.len + 2) / 3 * 4 + 2);
	out->at[out->len++] = '"';
	out->len += base64_encode(octets, out->at + out->len);
	out->at[out->len++] = '"';
}

static void
put_number(struct buffer *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	buffer_put(out, (struct view){digits + at, sizeof(digits) - at});
}

/* No value ends in an opening bracket, so that one there is that of the object or array. */
static void
put_comma(struct buffer *out)
{
	if (out->len > 0 && out->at[out->len - 1] != '{' && out->at[out->len - 1] != '[')
		buffer_char(out, ',');
}

static void
put_name(struct buffer *out, const char *name)
{
	put_comma(out);
	buffer_char(out, '"');
	buffer_put(out, view_of(name));
	buffer_put(out, VIEW("\":"));
}

void
json_open(struct buffer *out, const char *name, char bracket)
{
	if (name != NULL)
		put_name(out, name);
	else if (out->len > 0 && out->at[out->len - 1] == '}')
		buffer_char(out, ',');
	buffer_char(out, bracket);
}

void
json_close(struct buffer *out, char bracket)
{
	buffer_char(out, bracket);
}

void
json_octets(struct buffer *out, const char *name, struct view octets)
{
	put_name(out, name);
	if (octets.at == NULL) {
		buffer_put(out, VIEW("null"));
	} else if (!put_string(out, octets)) {
		buffer_put(out, VIEW(",\""));
		buffer_put(out, view_of(name));
		buffer_put(out, VIEW("_base64\":"));
		put_base64(out, octets);
	}
}

/* The name between quotes, its ASCII letters raised within the buffer. */
static void
put_upper(struct buffer *out, struct view name)
{
	size_t from = out->len + 1, escape = 0;

	put_string(out, name);
	for (size_t i = from; i < out->len; i++) {
		char c = out->at[i];

		/* The letters of an escape stay small: \u001b. */
		if (escape > 0)
			escape--;
		else if (c == '\\')
			escape = out->at[i + 1] == 'u' ? 5 : 1;
		else if (c >= 'a' && c <= 'z')
			out->at[i] = (char)(c - 'a' + 'A');
	}
}

void
json_member(struct buffer *out, struct view name, struct view octets)
{
	size_t from, len;

	put_comma(out);
	from = out->len;
	put_upper(out, name);
	len = out->len - from - 1;              /* without the second quote */
	buffer_char(out, ':');
	if (octets.at == NULL) {
		buffer_put(out, VIEW("null"));
	} else if (!put_string(out, octets)) {
		buffer_char(out, ',');
		buffer_reserve(out, len);
		memcpy(out->at + out->len, out->at + from, len);
		out->len += len;
		buffer_put(out, VIEW("_base64\":"));
		put_base64(out, octets);
	}
}

void
json_word(struct buffer *out, const char *name, const char *value)
{
	json_octets(out, name, view_of(value));
}

void
json_count(struct buffer *out, const char *name, uint64_t value)
{
	put_name(out, name);
	put_number(out, value);
}

void
json_code(struct buffer *out, const char *name, uint16_t code)
{
	if (code == 0)
		json_null(out, name);
	else
		json_count(out, name, code);
}

void
json_number(struct buffer *out, const char *name, double value)
{
	put_name(out, name);
	buffer_printf(out, "%.6g", value);
}

void
json_bool(struct buffer *out, const char *name, bool value)
{
	put_name(out, name);
	buffer_put(out, value ? VIEW("true") : VIEW("false"));
}

void
json_null(struct buffer *out, const char *name)
{
	put_name(out, name);
	buffer_put(out, VIEW("null"));
}

void
json_ms(struct buffer *out, const char *name, int64_t us)
{
	uint64_t value = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	char decimals[4] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
		(char)('0' + value % 10)};

	put_name(out, name);
	if (us < 0)
		buffer_char(out, '-');
	put_number(out, value / 1000);
	buffer_put(out, (struct view){decimals, sizeof(decimals)});
}

void
json_time(struct buffer *out, const char *name, uint64_t time_us)
{
	put_name(out, name);
	buffer_char(out, '"');
	rfc3339_put(out, time_us);
	buffer_char(out, '"');
}

bool
json_element(struct buffer *out, struct view octets)
{
	put_comma(out);
	return put_string(out, octets);
}

void
json_element_base64(struct buffer *out, struct view octets)
{
	put_comma(out);
	put_base64(out, octets);
}
