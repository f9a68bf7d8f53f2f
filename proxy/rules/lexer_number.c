/* SPDX-License-Identifier: MIT */
/*
 * Everything that begins with a digit: numbers, sizes, durations, percentages, enhanced
 * status codes, and addresses of both families (an IPv6 address may begin with a letter or
 * a colon, and nothing else in the language has colons). The longest reading wins.
 */
#include <stdio.h>
#include <stdlib.h>

#include "proxy/rules/lexer_parts.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Digits as a number; false: too large. */
static bool
digits_read(struct view digits, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < digits.len; i++) {
		uint64_t digit = (uint64_t)(digits.at[i] - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return true;
}

bool
enhanced_parse(struct view text, uint64_t *packed)
{
	uint64_t part[3] = {0, 0, 0};
	size_t at = 0;

	for (unsigned i = 0; i < 3; i++) {
		size_t len = 0;

		if (i > 0 && (at >= text.len || text.at[at++] != '.'))
			return false;
		while (at + len < text.len && is_digit(text.at[at + len]))
			len++;
		if (len == 0 || len > (i == 0 ? 1 : 3))
			return false;
		digits_read((struct view){text.at + at, len}, &part[i]);
		at += len;
	}
	*packed = enhanced_pack(part[0], part[1], part[2]);
	return at == text.len;
}

/* Behind an address: "/24" makes it a network. */
static void
add_address(struct lexer *lexer, size_t len)
{
	struct view rest = lexer_rest(lexer), text = view_first(rest, len);
	struct address address;
	struct token *token;
	size_t digits = 0;
	uint64_t bits = 0;
	unsigned most;

	if (len < rest.len && rest.at[len] == '/')
		while (len + 1 + digits < rest.len && is_digit(rest.at[len + 1 + digits]))
			digits++;
	if (!address_parse(text, &address)) {
		source_error(lexer->source, lexer->at, "\"%.*s\" is no IPv%c address", SOURCE_SHOWN(text.len), text.at,
		    memchr(text.at, ':', text.len) != NULL ? '6' : '4');
		lexer_add(lexer, TOKEN_BAD, len + (digits > 0 ? digits + 1 : 0));
		return;
	}
	if (digits == 0) {
		lexer_add(lexer, TOKEN_ADDRESS, len)->address = address;
		return;
	}
	most = memchr(text.at, ':', text.len) != NULL ? 128 : 32;
	if (digits > 3 || !digits_read((struct view){rest.at + len + 1, digits}, &bits) || bits > most) {
		source_error(lexer->source, lexer->at + len + 1, "a network of IPv%c has a prefix of 0 to %u bits",
		    most == 32 ? '4' : '6', most);
		lexer_add(lexer, TOKEN_BAD, len + 1 + digits);
		return;
	}
	if (most == 128 && address_is_v4(&address) && bits >= 96)
		bits -= 96;     /* ::ffff:192.0.2.0/120 is 192.0.2.0/24 */
	token = lexer_add(lexer, TOKEN_CIDR, len + 1 + digits);
	token->address = address;
	token->bits = (uint8_t)bits;
}

/* Octets here that could be an IPv6 address; 0: they could not. */
static size_t
v6_length(struct view rest)
{
	size_t len = 0, colons = 0;

	while (len < rest.len) {
		char c = rest.at[len];

		if (c == ':')
			colons++;
		else if (!is_hex(c) && !(c == '.' && colons > 0 && len + 1 < rest.len && is_digit(rest.at[len + 1])))
			break;
		len++;
	}
	return colons >= 2 ? len : 0;
}

static const struct unit {
	struct view     name;
	enum token_type type;
	uint64_t        factor;
} units[] = {
	{VIEW("ms"), TOKEN_DURATION, 1000}, {VIEW("s"), TOKEN_DURATION, 1000000},
	{VIEW("m"), TOKEN_DURATION, 60000000}, {VIEW("h"), TOKEN_DURATION, 3600000000},
	{VIEW("KiB"), TOKEN_SIZE, 1u << 10}, {VIEW("MiB"), TOKEN_SIZE, 1u << 20},
	{VIEW("GiB"), TOKEN_SIZE, 1u << 30}, {VIEW("%"), TOKEN_PERCENT, 1},
};

static const struct unit *
unit_find(struct view name)
{
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (view_equal(units[i].name, name))
			return &units[i];
	return NULL;
}

static void
unit_error(struct lexer *lexer, size_t len, size_t digits, bool fraction)
{
	const char *at = lexer->source->text + lexer->at;

	if (digits == len)
		source_error(lexer->source, lexer->at, "\"%.*s\" is no number: a fraction needs a unit "
		    "(%%, ms, s, m or h)", SOURCE_SHOWN(len), at);
	else if (fraction && unit_find((struct view){at + digits, len - digits}) != NULL)
		source_error(lexer->source, lexer->at, "\"%.*s\" is no size: sizes are whole numbers", SOURCE_SHOWN(len), at);
	else
		source_error(lexer->source, lexer->at + digits, "no unit \"%.*s\": durations end in ms, s, m or h, "
		    "sizes in KiB, MiB or GiB, percentages in %%", SOURCE_SHOWN((len - digits)), at + digits);
	lexer_add(lexer, TOKEN_BAD, len);
}

/* Microseconds, or false for what is longer than a century: nobody means that. */
static bool
duration_read(struct view digits, uint64_t factor, uint64_t *duration)
{
	double value = strtod(digits.at, NULL) * (double)factor;

	if (value > 3.2e15)
		return false;
	*duration = (uint64_t)(value + 0.5);
	return true;
}

/* A number of at most one dot, with its unit. */
static void
add_number(struct lexer *lexer, size_t digits, bool fraction)
{
	struct view rest = lexer_rest(lexer), number = view_first(rest, digits);
	const struct unit *unit;
	size_t len = digits;
	struct token *token;
	char copy[64];
	uint64_t value = 0;
	bool fits;

	while (len < rest.len && (lexer_is_alnum(rest.at[len]) || rest.at[len] == '%'))
		len++;
	unit = unit_find((struct view){rest.at + digits, len - digits});
	if (len == digits ? fraction : unit == NULL || (unit->type == TOKEN_SIZE && fraction)) {
		unit_error(lexer, len, digits, fraction);
		return;
	}
	fits = digits < sizeof copy;
	snprintf(copy, sizeof copy, "%.*s", (int)(fits ? digits : 0), number.at);
	if (unit == NULL || unit->type == TOKEN_SIZE) {
		fits = fits && digits_read(number, &value) && (unit == NULL || value <= UINT64_MAX / unit->factor);
		value *= unit == NULL ? 1 : unit->factor;
	} else if (unit->type == TOKEN_DURATION) {
		fits = fits && duration_read(view_of(copy), unit->factor, &value);
	}
	if (!fits) {
		source_error(lexer->source, lexer->at, "\"%.*s\" is too large", SOURCE_SHOWN(len), rest.at);
		lexer_add(lexer, TOKEN_BAD, len);
		return;
	}
	token = lexer_add(lexer, unit == NULL ? TOKEN_NUMBER : unit->type, len);
	token->number = value;
	token->percent = strtod(copy, NULL);
}

bool
lexer_number(struct lexer *lexer)
{
	struct view rest = lexer_rest(lexer);
	size_t len = v6_length(rest), dots = 0;
	struct token *token;
	uint64_t packed;

	if (len > 0) {
		add_address(lexer, len);
		return true;
	}
	if (!is_digit(rest.at[0]))
		return false;
	while (len < rest.len && (is_digit(rest.at[len]) ||
	    (rest.at[len] == '.' && len + 1 < rest.len && is_digit(rest.at[len + 1]))))
		dots += rest.at[len++] == '.';
	if (dots < 2 && !(dots == 0 && len + 1 < rest.len && rest.at[len] == '/' && is_digit(rest.at[len + 1]))) {
		add_number(lexer, len, dots == 1);
		return true;
	}
	if (dots == 3) {
		add_address(lexer, len);
		return true;
	}
	if (dots == 2 && enhanced_parse(view_first(rest, len), &packed)) {
		token = lexer_add(lexer, TOKEN_ENHANCED, len);
		token->number = packed;
		return true;
	}
	while (dots == 0 && len < rest.len && (rest.at[len] == '/' || is_digit(rest.at[len])))
		len++;
	source_error(lexer->source, lexer->at, "\"%.*s\" is neither a number, nor an enhanced status code "
	    "(4.3.2), nor an address (192.0.2.1, 192.0.2.0/24)", SOURCE_SHOWN(len), rest.at);
	lexer_add(lexer, TOKEN_BAD, len);
	return true;
}
