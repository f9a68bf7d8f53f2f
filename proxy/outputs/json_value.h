/* SPDX-License-Identifier: MIT */
/*
 * Values of JSON, written as members of the object that is open: `name` is theirs, the comma in
 * front of it is set where one belongs.
 */
#ifndef OUTPUTS_JSON_VALUE_H
#define OUTPUTS_JSON_VALUE_H

#include <stdint.h>

#include "proxy/outputs/buffer.h"

/* Opens an object '{' or an array '['; name NULL: as an element of an array, or a line. */
void json_open(struct buffer *out, const char *name, char bracket);
void json_close(struct buffer *out, char bracket);

/* Octets from the wire: a string, with a sibling NAME_base64 where they are not UTF-8; .at NULL is null. */
void json_octets(struct buffer *out, const char *name, struct view octets);
/* A member whose name is a peer's: in upper case. */
void json_member(struct buffer *out, struct view name, struct view octets);
/* A word or sentence of our own, or of the user's files; NULL is null. */
void json_word(struct buffer *out, const char *name, const char *value);
void json_count(struct buffer *out, const char *name, uint64_t value);
void json_code(struct buffer *out, const char *name, uint16_t code);    /* 0 is null */
void json_number(struct buffer *out, const char *name, double value);   /* finite; six digits */
void json_bool(struct buffer *out, const char *name, bool value);
void json_null(struct buffer *out, const char *name);
void json_ms(struct buffer *out, const char *name, int64_t us);         /* 1234: 1.234 */
void json_time(struct buffer *out, const char *name, uint64_t time_us);

/* Elements of the array that is open. False: an octet was not UTF-8 and stands there as U+FFFD. */
bool json_element(struct buffer *out, struct view octets);
void json_element_base64(struct buffer *out, struct view octets);

#endif
