/* SPDX-License-Identifier: MIT */
/*
 * Values of JSON, written as members of the object that is open: `name` is theirs, the comma in
 * front of it is set where one belongs. Names are mostly literals, so that what writes them stands
 * here, and is always inlined: an event has some fifteen of them, and each comes to a few stores of
 * constants. What depends on the value is in json_value.c.
 */
#ifndef OUTPUTS_JSON_VALUE_H
#define OUTPUTS_JSON_VALUE_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"
#include "proxy/outputs/rfc3339.h"

#define JSON_NUMBER_MAX 20      /* digits of UINT64_MAX */
#define JSON_SHORT      16u     /* octets of a string for which there is room behind every name */

#define JSON_MEMBER static inline __attribute__((always_inline))

/*
 * Puts `,"name":`, and makes room for so many octets behind it. Returns where they go: nothing counts
 * until json_end_ says where the value ends. Nobody calls it but the functions below.
 */
JSON_MEMBER char *
json_name_(struct buffer *out, const char *name, size_t more)
{
	size_t len = strlen(name);
	char *at;

	buffer_reserve(out, len + 4 + more);
	at = out->at + out->len;
	/* A member stands in an object. No value ends in its bracket, so that one there opened it. */
	*at = ',';
	at += at[-1] != '{';
	*at++ = '"';
	memcpy(at, name, len);
	at += len;
	*at++ = '"';
	*at++ = ':';
	return at;
}

JSON_MEMBER void
json_end_(struct buffer *out, char *end)
{
	out->len = (size_t)(end - out->at);
}

/* So many octets, for which there is room. */
JSON_MEMBER char *
json_literal_(char *at, const char *literal, size_t len)
{
	memcpy(at, literal, len);
	return at + len;
}

/* The values alone, where there is room: for JSON_SHORT octets and quotes, or the number. */
void json_put_octets_(struct buffer *out, char *at, const char *name, struct view octets);
char *json_put_count_(char *at, uint64_t value);
char *json_put_ms_(char *at, int64_t us);

/* Opens an object '{' or an array '['; name NULL: as an element of an array, or a line. */
JSON_MEMBER void
json_open(struct buffer *out, const char *name, char bracket)
{
	if (name != NULL) {
		json_end_(out, json_literal_(json_name_(out, name, 1), &bracket, 1));
		return;
	}
	if (out->len > 0 && out->at[out->len - 1] == '}')
		buffer_char(out, ',');
	buffer_char(out, bracket);
}

/* An object in which there is nothing. */
JSON_MEMBER void
json_empty(struct buffer *out, const char *name)
{
	json_end_(out, json_literal_(json_name_(out, name, 2), "{}", 2));
}

JSON_MEMBER void
json_close(struct buffer *out, char bracket)
{
	buffer_char(out, bracket);
}

JSON_MEMBER void
json_null(struct buffer *out, const char *name)
{
	json_end_(out, json_literal_(json_name_(out, name, 4), "null", 4));
}

JSON_MEMBER void
json_bool(struct buffer *out, const char *name, bool value)
{
	char *at = json_name_(out, name, 5);

	json_end_(out, value ? json_literal_(at, "true", 4) : json_literal_(at, "false", 5));
}

/* Octets from the wire: a string, with a sibling NAME_base64 where they are not UTF-8; .at NULL is null. */
JSON_MEMBER void
json_octets(struct buffer *out, const char *name, struct view octets)
{
	json_put_octets_(out, json_name_(out, name, JSON_SHORT + 2), name, octets);
}

/* A word or sentence of our own, or of the user's files; NULL is null. */
JSON_MEMBER void
json_word(struct buffer *out, const char *name, const char *value)
{
	json_octets(out, name, view_of(value));
}

/* What an event is: a literal, in which nothing needs an escape. */
JSON_MEMBER void
json_type(struct buffer *out, const char *literal)
{
	char *at = json_name_(out, "event", strlen(literal) + 2);

	at = json_literal_(at, "\"", 1);
	at = json_literal_(at, literal, strlen(literal));
	json_end_(out, json_literal_(at, "\"", 1));
}

JSON_MEMBER void
json_count(struct buffer *out, const char *name, uint64_t value)
{
	json_end_(out, json_put_count_(json_name_(out, name, JSON_NUMBER_MAX), value));
}

/* 0 is null. */
JSON_MEMBER void
json_code(struct buffer *out, const char *name, uint16_t code)
{
	char *at = json_name_(out, name, JSON_NUMBER_MAX);

	json_end_(out, code == 0 ? json_literal_(at, "null", 4) : json_put_count_(at, code));
}

/* 1234 microseconds: 1.234. */
JSON_MEMBER void
json_ms(struct buffer *out, const char *name, int64_t us)
{
	json_end_(out, json_put_ms_(json_name_(out, name, 1 + JSON_NUMBER_MAX + 4), us));
}

/* A member whose name is a peer's: in upper case. */
void json_member(struct buffer *out, struct view name, struct view octets);
void json_number(struct buffer *out, const char *name, double value);   /* finite; six digits */
void json_time(struct buffer *out, const char *name, uint64_t time_us);

/* Elements of the array that is open. False: an octet was not UTF-8 and stands there as U+FFFD. */
bool json_element(struct buffer *out, struct view octets);
void json_element_base64(struct buffer *out, struct view octets);

#endif
