/* SPDX-License-Identifier: MIT */
/*
 * A key log (RFC 9850): lines of a label, a client random and a secret, the two in
 * hexadecimal. One is kept a line, found by client random and label in a table with open
 * addresses. Labels that nobody asks for here (exporters, early data, ECH) are well known
 * and left out, as unknown ones are.
 */
#include "decoders/tls/keylog.h"

#include <openssl/crypto.h>
#include <stdlib.h>

struct entry {
	unsigned char random[TLS_RANDOM_OCTETS];
	unsigned char secret[TLS_SECRET_MAX];
	uint8_t       secret_len;       /* 0: the slot is free */
	uint8_t       which;            /* enum tls_secret */
};

struct tls_keylog {
	struct entry *entries;          /* owned */
	size_t        count, room;      /* room: 0 or a power of two */
};

static const struct view labels[] = {
	[TLS_MASTER_SECRET]           = VIEW("CLIENT_RANDOM"),
	[TLS_CLIENT_HANDSHAKE_SECRET] = VIEW("CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
	[TLS_SERVER_HANDSHAKE_SECRET] = VIEW("SERVER_HANDSHAKE_TRAFFIC_SECRET"),
	[TLS_CLIENT_TRAFFIC_SECRET]   = VIEW("CLIENT_TRAFFIC_SECRET_0"),
	[TLS_SERVER_TRAFFIC_SECRET]   = VIEW("SERVER_TRAFFIC_SECRET_0")
};

struct tls_keylog *
tls_keylog_new(void)
{
	return calloc(1, sizeof(struct tls_keylog));
}

size_t
tls_keylog_count(const struct tls_keylog *log)
{
	return log->count;
}

/* The entries' array goes; what was in it is overwritten first. */
static void
entries_free(struct entry *entries, size_t room)
{
	if (entries != NULL)
		OPENSSL_cleanse(entries, room * sizeof *entries);
	free(entries);
}

void
tls_keylog_free(struct tls_keylog *log)
{
	if (log == NULL)
		return;
	entries_free(log->entries, log->room);
	free(log);
}

/* The slot that has the secret, or the free one where it would go. There is always a free one. */
static struct entry *
slot(struct entry *entries, size_t room, const unsigned char *random, enum tls_secret which)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) + which;   /* FNV-1a */

	for (size_t i = 0; i < TLS_RANDOM_OCTETS; i++)
		hash = (hash ^ random[i]) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	for (size_t at = hash & (room - 1);; at = (at + 1) & (room - 1)) {
		struct entry *e = &entries[at];

		if (e->secret_len == 0 || (e->which == which && memcmp(e->random, random, sizeof e->random) == 0))
			return e;
	}
}

static bool
grow(struct tls_keylog *log)
{
	size_t        room = log->room > 0 ? 2 * log->room : 64;
	struct entry *entries = calloc(room, sizeof *entries);

	if (entries == NULL)
		return false;
	for (size_t i = 0; i < log->room; i++)
		if (log->entries[i].secret_len > 0)
			*slot(entries, room, log->entries[i].random, log->entries[i].which) = log->entries[i];
	entries_free(log->entries, log->room);
	log->entries = entries;
	log->room = room;
	return true;
}

/* So many octets, or -1: not hexadecimal, or more than max. */
static int
hex_decode(struct view text, unsigned char *octets, size_t max)
{
	if (text.len == 0 || text.len % 2 != 0 || text.len / 2 > max)
		return -1;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit(text.at[i]), low = hex_digit(text.at[i + 1]);

		if (high < 0 || low < 0)
			return -1;
		octets[i / 2] = (unsigned char)(high << 4 | low);
	}
	return (int)(text.len / 2);
}

/* The next word of a line, by spaces. */
static struct view
take_word(struct view *line)
{
	struct view word;
	size_t      n = 0;

	while (line->len > 0 && line->at[0] == ' ')
		*line = view_from(*line, 1);
	while (n < line->len && line->at[n] != ' ')
		n++;
	word = view_first(*line, n);
	*line = view_from(*line, n);
	return word;
}

static bool
is_hex(struct view word)
{
	if (word.len == 0 || word.len % 2 != 0)
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (hex_digit(word.at[i]) < 0)
			return false;
	return true;
}

/* One line, without its end; false: it is none of a key log. */
static bool
add_line(struct tls_keylog *log, struct view line)
{
	struct view   label, random, secret;
	struct entry  e = {.secret_len = 0}, *place;
	size_t        which = 0;
	int           len;

	label = take_word(&line);
	if (label.len == 0 || label.at[0] == '#')
		return true;
	random = take_word(&line);
	secret = take_word(&line);
	if (!is_hex(random) || !is_hex(secret) || take_word(&line).len > 0)
		return false;
	while (which < sizeof labels / sizeof labels[0] && !view_equal(labels[which], label))
		which++;
	if (which == sizeof labels / sizeof labels[0])
		return true;
	len = hex_decode(secret, e.secret, sizeof e.secret);
	if (hex_decode(random, e.random, sizeof e.random) != (int)sizeof e.random || len <= 0 ||
	    (which == TLS_MASTER_SECRET && len != (int)TLS_MASTER_OCTETS)) {
		OPENSSL_cleanse(&e, sizeof e);
		return false;
	}
	e.secret_len = (uint8_t)len;
	e.which = (uint8_t)which;
	if (2 * (log->count + 1) <= log->room || grow(log)) {
		place = slot(log->entries, log->room, e.random, e.which);
		log->count += place->secret_len == 0;
		*place = e;
	}
	OPENSSL_cleanse(&e, sizeof e);
	return true;
}

void
tls_keylog_add(struct tls_keylog *log, struct view lines, size_t *bad)
{
	size_t wrong = 0;

	while (lines.len > 0) {
		const char *lf = memchr(lines.at, '\n', lines.len);
		struct view line = view_first(lines, lf != NULL ? (size_t)(lf - lines.at) : lines.len);

		lines = view_from(lines, line.len + (lf != NULL));
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		wrong += !add_line(log, line);
	}
	if (bad != NULL)
		*bad = wrong;
}

struct view
tls_keylog_find(const struct tls_keylog *log, struct view client_random, enum tls_secret which)
{
	const struct entry *e;

	if (log == NULL || log->count == 0 || client_random.len != TLS_RANDOM_OCTETS)
		return VIEW_NONE;
	e = slot(log->entries, log->room, (const unsigned char *)client_random.at, which);
	return e->secret_len == 0 ? VIEW_NONE : (struct view){(const char *)e->secret, e->secret_len};
}
