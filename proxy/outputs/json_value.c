/* SPDX-License-Identifier: MIT */
/* Strings and numbers of JSON (RFC 8259) out of octets that may be anything. */
#include "proxy/outputs/json_value.h"

#include "decoders/base64.h"
#include "decoders/utf8.h"
#include "proxy/outputs/digits.h"
#include "proxy/outputs/rfc3339.h"

#define EACH_OCTET(x) (UINT64_C(0x0101010101010101) * (x))

/* Whether none of eight octets is a control, `"`, `\\`, DEL or above: the sign bits say which are. */
static bool
are_plain(uint64_t octets)
{
	uint64_t quote = octets ^ EACH_OCTET('"'), backslash = octets ^ EACH_OCTET('\\');
	uint64_t del = octets ^ EACH_OCTET(0x7f);

	/* Below a limit, or zero: subtracting makes the sign bit, which only octets from 0x80 had before. */
	return ((octets | (octets - EACH_OCTET(0x20)) | (quote - EACH_OCTET(1)) | (backslash - EACH_OCTET(1)) |
	    (del - EACH_OCTET(1))) & EACH_OCTET(0x80)) == 0;
}

static uint64_t
load(const char *at, size_t len)
{
	uint64_t octets = 0;

	memcpy(&octets, at, len);
	return octets;
}

/*
 * Most strings are shorter than 17 octets and plain: they are looked at and copied by two words
 * that overlap, or by three octets. False: not such a one, nothing was done. There is room.
 */
static bool
copy_short(char *to, struct view v)
{
	uint64_t first, last;

	if (v.len < 4) {
		if (v.len == 0)
			return true;
		first = EACH_OCTET(' ') - 0x202020u + (uint8_t)v.at[0] + ((uint32_t)(uint8_t)v.at[v.len / 2] << 8) +
		    ((uint32_t)(uint8_t)v.at[v.len - 1] << 16);
		if (!are_plain(first))
			return false;
		to[0] = v.at[0];
		to[v.len / 2] = v.at[v.len / 2];
		to[v.len - 1] = v.at[v.len - 1];
		return true;
	}
	if (v.len > 16)
		return false;
	if (v.len <= 8) {
		first = load(v.at, 4);
		last = load(v.at + v.len - 4, 4);
		if (!are_plain(first | last << 32))
			return false;
		memcpy(to, &first, 4);
		memcpy(to + v.len - 4, &last, 4);
		return true;
	}
	first = load(v.at, 8);
	last = load(v.at + v.len - 8, 8);
	if (!are_plain(first) || !are_plain(last))
		return false;
	memcpy(to, &first, 8);
	memcpy(to + v.len - 8, &last, 8);
	return true;
}

/* How many octets at the start of v need no thought: ASCII that is neither control, `"` nor `\`. */
static size_t
plain_length(struct view v)
{
	size_t len = 0;

	while (v.len - len >= 8 && are_plain(load(v.at + len, 8)))
		len += 8;
	/* The last few once more with those in front of them. */
	if (v.len >= 8 && v.len - len < 8 && are_plain(load(v.at + v.len - 8, 8)))
		return v.len;
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

	buffer_reserve(out, v.len + 2);
	out->at[out->len++] = '"';
	if (copy_short(out->at + out->len, v)) {
		out->len += v.len;
		out->at[out->len++] = '"';
		return true;
	}
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

void
json_put_count_(struct buffer *out, uint64_t value)
{
	char digits[JSON_NUMBER_MAX];
	size_t at = sizeof(digits);

	while (value >= 100) {
		at -= 2;
		digits_put_pair(digits + at, (uint32_t)(value % 100));
		value /= 100;
	}
	if (value >= 10) {
		at -= 2;
		digits_put_pair(digits + at, (uint32_t)value);
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(out->at + out->len, digits + at, sizeof(digits) - at);
	out->len += sizeof(digits) - at;
}

static void
put_comma(struct buffer *out)
{
	if (out->len > 0 && out->at[out->len - 1] != '{' && out->at[out->len - 1] != '[')
		buffer_char(out, ',');
}

void
json_put_octets_(struct buffer *out, const char *name, struct view octets)
{
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
json_number(struct buffer *out, const char *name, double value)
{
	json_name_(out, name, 16);
	buffer_printf(out, "%.6g", value);
}

void
json_ms(struct buffer *out, const char *name, int64_t us)
{
	uint64_t value = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
	char decimals[4] = {'.', (char)('0' + value / 100 % 10), (char)('0' + value / 10 % 10),
		(char)('0' + value % 10)};

	json_name_(out, name, 1 + JSON_NUMBER_MAX + sizeof(decimals));
	if (us < 0)
		buffer_char(out, '-');
	json_put_count_(out, value / 1000);
	memcpy(out->at + out->len, decimals, sizeof(decimals));
	out->len += sizeof(decimals);
}

void
json_time(struct buffer *out, const char *name, uint64_t time_us)
{
	json_name_(out, name, 32);
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
