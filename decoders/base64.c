/* SPDX-License-Identifier: MIT */
/*
 * Base64 as RFC 4648 4 has it: padded, and nothing in it that is not of its alphabet.
 * Bits left over in front of the padding are not looked at (RFC 4648 3.5 leaves it open).
 */
#include "decoders/base64.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int
value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long
base64_decode(struct view text, char *out, size_t size)
{
	size_t used = 0, digits = text.len;
	uint32_t bits = 0;

	if (text.len % 4 != 0)
		return -1;
	for (int pad = 0; pad < 2 && digits > 0 && text.at[digits - 1] == '='; pad++)
		digits--;
	for (size_t i = 0; i < digits; i++) {
		int value = value_of(text.at[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		/* Of each four digits every one but the first completes an octet. */
		if (i % 4 != 0 && used < size)
			out[used++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
	}
	return (long)used;
}

size_t
base64_encode(struct view octets, char *out)
{
	const unsigned char *at = (const unsigned char *)octets.at;
	size_t used = 0;

	for (size_t i = 0; i < octets.len; i += 3) {
		size_t left = octets.len - i;
		uint32_t bits = (uint32_t)at[i] << 16;

		if (left > 1)
			bits |= (uint32_t)at[i + 1] << 8;
		if (left > 2)
			bits |= at[i + 2];
		out[used++] = alphabet[bits >> 18];
		out[used++] = alphabet[bits >> 12 & 63];
		out[used++] = left > 1 ? alphabet[bits >> 6 & 63] : '=';
		out[used++] = left > 2 ? alphabet[bits & 63] : '=';
	}
	return used;
}
