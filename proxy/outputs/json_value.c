/* SPDX-License-Identifier: MIT */
/* Strings and numbers of JSON (RFC 8259) out of octets that may be anything. */
#include "proxy/outputs/json_value.h"

#include "decoders/base64.h"
#include "decoders/utf8.h"
#include "proxy/outputs/digits.h"
#include "proxy/outputs/plain.h"

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

/* Behind the first quote: what is not plain. False: an octet was not UTF-8. */
static __attribute__((noinline, cold)) bool
put_rest(struct buffer *out, struct view v)
{
	bool utf8 = true;

	while (v.len > 0) {
		size_t len;
		uint32_t character;

		buffer_reserve(out, v.len + 1);
		len = plain_copy(out->at + out->len, v);
		out->len += len;
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

/* The string in quotes, if it is short and plain; for such a one there is room. False: nothing was done. */
static inline bool
put_short(struct buffer *out, char *at, struct view v)
{
	at[0] = '"';
	if (!plain_copy_short(at + 1, v))
		return false;
	at[1 + v.len] = '"';
	json_end_(out, at + v.len + 2);
	return true;
}

/* The same for one that is not short. */
static inline bool
put_plain(struct buffer *out, struct view v)
{
	char *at;

	buffer_reserve(out, v.len + 2);
	at = out->at + out->len;
	at[0] = '"';
	if (plain_copy(at + 1, v) != v.len)
		return false;
	at[1 + v.len] = '"';
	out->len += v.len + 2;
	return true;
}

/* The string in quotes, with room for a short one; false: an octet was not UTF-8. */
static bool
put_string(struct buffer *out, struct view v)
{
	if (put_short(out, out->at + out->len, v) || put_plain(out, v))
		return true;
	out->at[out->len++] = '"';
	return put_rest(out, v);
}

static void
put_base64(struct buffer *out, struct view octets)
{
	buffer_reserve(out, (octets.len + 2) / 3 * 4 + 2);
	out->at[out->len++] = '"';
	out->len += base64_encode(octets, out->at + out->len);
	out->at[out->len++] = '"';
}

/* The last four digits are put behind the others. */
static __attribute__((noinline)) char *
put_long_count(char *at, uint64_t value)
{
	uint32_t last = (uint32_t)(value % 10000);

	at = json_put_count_(at, value / 10000);
	digits_put_pair(at, last / 100);
	digits_put_pair(at + 2, last % 100);
	return at + 4;
}

/* Most are a reply code, or less. */
char *
json_put_count_(char *at, uint64_t value)
{
	uint32_t small = (uint32_t)value, pair = small / 100;

	if (value >= 10000)
		return put_long_count(at, value);
	if (pair >= 10) {
		digits_put_pair(at, pair);
		at += 2;
	} else if (pair > 0) {
		*at++ = (char)('0' + pair);
	}
	if (small >= 10) {
		digits_put_pair(at, small - pair * 100);
		return at + 2;
	}
	*at++ = (char)('0' + small);
	return at;
}

char *
json_put_ms_(char *at, int64_t us)
{
	uint64_t value = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	uint32_t decimals = (uint32_t)(value % 1000);

	if (us < 0)
		*at++ = '-';
	at = json_put_count_(at, value / 1000);
	at[0] = '.';
	at[1] = (char)('0' + decimals / 100);
	digits_put_pair(at + 2, decimals % 100);
	return at + 4;
}

static void
put_comma(struct buffer *out)
{
	if (out->len > 0 && out->at[out->len - 1] != '{' && out->at[out->len - 1] != '[')
		buffer_char(out, ',');
}

/* A string that is not both short and plain. */
static __attribute__((noinline)) void
put_long_octets(struct buffer *out, const char *name, struct view octets)
{
	if (put_plain(out, octets))
		return;
	out->at[out->len++] = '"';
	if (put_rest(out, octets))
		return;
	buffer_put(out, VIEW(",\""));
	buffer_put(out, view_of(name));
	buffer_put(out, VIEW("_base64\":"));
	put_base64(out, octets);
}

void
json_put_octets_(struct buffer *out, char *at, const char *name, struct view octets)
{
	if (octets.at == NULL) {
		json_end_(out, json_literal_(at, "null", 4));
	} else if (!put_short(out, at, octets)) {
		json_end_(out, at);
		put_long_octets(out, name, octets);
	}
}

/* The name between quotes, its ASCII letters raised within the buffer. */
static void
put_upper(struct buffer *out, struct view name)
{
	size_t from = out->len + 1, escape = 0;

	buffer_reserve(out, JSON_SHORT + 2);
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
	buffer_reserve(out, JSON_SHORT + 2);
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
json_number(struct buffer *out, const char *name, double value)
{
	json_end_(out, json_name_(out, name, 16));
	buffer_printf(out, "%.6g", value);
}

void
json_time(struct buffer *out, const char *name, uint64_t time_us)
{
	json_end_(out, json_literal_(json_name_(out, name, RFC3339_LEN + 2), "\"", 1));
	rfc3339_put(out, time_us);
	buffer_char(out, '"');
}

bool
json_element(struct buffer *out, struct view octets)
{
	put_comma(out);
	buffer_reserve(out, JSON_SHORT + 2);
	return put_string(out, octets);
}

void
json_element_base64(struct buffer *out, struct view octets)
{
	put_comma(out);
	put_base64(out, octets);
}
