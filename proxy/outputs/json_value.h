/* SPDX-License-Identifier: MIT */
/*
 * Values of JSON, written as members of the object that is open: `name` is theirs, the comma in
 * front of it is set where one belongs. Names are mostly literals, so that what writes them stands
 * here: an event has some fifteen of them, and each comes to a few stores.
 */
#ifndef OUTPUTS_JSON_VALUE_H
#define OUTPUTS_JSON_VALUE_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"

#define JSON_NUMBER_MAX 20      /* digits of UINT64_MAX */

/* Puts `,"name":`, and makes room for so many octets behind it. Nobody calls it but the functions below. */
static inline void
json_name_(struct buffer *out, const char *name, size_t more)
{
	size_t len = strlen(name);
	char *at;

	buffer_reserve(out, len + 4 + more);
	at = out->at + out->len;
	/* No value ends in an opening bracket, so that one there is that of the object or array. */
	if (out->len > 0 && at[-1] != '{' && at[-1] != '[')
		*at++ = ',';
	*at++ = '"';
	memcpy(at, name, len);
	at += len;
	*at++ = '"';
	*at++ = ':';
	out->len = (size_t)(at - out->at);
}

/* The values alone; for the functions below as well. */
void json_put_octets_(struct buffer *out, const char *name, struct view octets);
void json_put_count_(struct buffer *out, uint64_t value);       /* there is room */

/* Opens an object '{' or an array '['; name NULL: as an element of an array, or a line. */
static inline void
json_open(struct buffer *out, const char *name, char bracket)
{
	if (name != NULL)
		json_name_(out, name, 1);
	else if (out->len > 0 && out->at[out->len - 1] == '}')
		buffer_char(out, ',');
	buffer_char(out, bracket);
}

static inline void
json_close(struct buffer *out, char bracket)
{
	buffer_char(out, bracket);
}

static inline void
json_null(struct buffer *out, const char *name)
{
	json_name_(out, name, 4);
	memcpy(out->at + out->len, "null", 4);
	out->len += 4;
}

static inline void
json_bool(struct buffer *out, const char *name, bool value)
{
	json_name_(out, name, 5);
	buffer_put(out, value ? VIEW("true") : VIEW("false"));
}

/* Octets from the wire: a string, with a sibling NAME_base64 where they are not UTF-8; .at NULL is null. */
static inline void
json_octets(struct buffer *out, const char *name, struct view octets)
{
	json_name_(out, name, 4);
	json_put_octets_(out, name, octets);
}

/* A word or sentence of our own, or of the user's files; NULL is null. */
static inline void
json_word(struct buffer *out, const char *name, const char *value)
{
	json_octets(out, name, view_of(value));
}

static inline void
json_count(struct buffer *out, const char *name, uint64_t value)
{
	json_name_(out, name, JSON_NUMBER_MAX);
	json_put_count_(out, value);
}

/* 0 is null. */
static inline void
json_code(struct buffer *out, const char *name, uint16_t code)
{
	if (code == 0)
		json_null(out, name);
	else
		json_count(out, name, code);
}

/* A member whose name is a peer's: in upper case. */
void json_member(struct buffer *out, struct view name, struct view octets);
void json_number(struct buffer *out, const char *name, double value);   /* finite; six digits */
void json_ms(struct buffer *out, const char *name, int64_t us);         /* 1234: 1.234 */
void json_time(struct buffer *out, const char *name, uint64_t time_us);

/* Elements of the array that is open. False: an octet was not UTF-8 and stands there as U+FFFD. */
bool json_element(struct buffer *out, struct view octets);
void json_element_base64(struct buffer *out, struct view octets);

#endif
