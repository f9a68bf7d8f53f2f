/* SPDX-License-Identifier: MIT */
/*
 * corrupt: bits of a command or a reply flipped. Where they are is thrown as chance is, so that
 * the same seed and the same dialogue give the same octets. Line ends stay, and none is made:
 * what is spoilt is the text, and both sides still agree on where it ends.
 */
#include "decoders/smtp/line.h"
#include "proxy/rules/judging.h"

static bool
is_line_end(char octet)
{
	return octet == '\r' || octet == '\n';
}

/* Flips one bit that was not flipped before: this one, or the next that may be. False: there is none. */
static bool
flip(char *octets, unsigned char *flipped, size_t len, uint64_t at)
{
	for (size_t tried = 0; tried < len * 8; tried++, at++) {
		size_t octet = (size_t)(at / 8 % len);
		unsigned char bit = (unsigned char)(1u << at % 8);

		if (is_line_end(octets[octet]) || (flipped[octet] & bit) || is_line_end((char)(octets[octet] ^ bit)))
			continue;
		octets[octet] ^= (char)bit;
		flipped[octet] |= bit;
		return true;
	}
	return false;
}

void
change_corrupt(struct judging *j, const struct rule *rule, const struct action *action, const struct throw *throw)
{
	bool command = j->facts.place == RULES_AT_COMMAND && j->facts.has_command;
	bool secret = command && j->facts.command.secret.at != NULL;
	struct view text = command ? j->facts.command.line : j->facts.reply.wire;
	unsigned char *flipped;
	char *octets;

	if ((!command && !j->facts.has_reply) || text.len == 0)
		return;
	octets = (char *)arena_copy(j->arena, text).at;
	flipped = arena_take(j->arena, text.len);
	memset(flipped, 0, text.len);
	/* A throw of its own for each bit: an action's delay has the numbers below 1 << 32. */
	for (uint64_t i = 0; i < action->number; i++)
		if (!flip(octets, flipped, text.len, throw_number(j, rule, throw, (i + 1) << 32 | action->ordinal) %
		    (text.len * 8)))
			break;
	if (command)
		change_line(j, (struct view){octets, text.len});
	if (secret && j->facts.command.secret.at == NULL)
		j->facts.command.secret = j->facts.command.line;
	if (!command)
		change_reply(j, (struct view){octets, text.len});
}
