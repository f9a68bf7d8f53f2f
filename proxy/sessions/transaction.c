/* SPDX-License-Identifier: MIT */
#include "proxy/sessions/state.h"

#include <stddef.h>
#include <stdlib.h>

#include "decoders/smtp/content.h"
#include "proxy/must.h"
#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"

#define HEADER_START 1000u      /* octets; most headers need no more */
#define HEADER_STEP  256u       /* octets at a time, so that not much is copied of what stands behind the header */

/* A text of the transaction's own: in its room as long as there is any. */
static char *
keep_text(struct transaction *t, struct view v)
{
	char *text = t->room + t->room_used;

	if (v.len < sizeof t->room - t->room_used)
		t->room_used += (uint32_t)v.len + 1;
	else
		text = must(malloc(v.len + 1));
	if (v.len > 0)
		memcpy(text, v.at, v.len);
	text[v.len] = '\0';
	return text;
}

static void
forget_text(struct transaction *t, char *text)
{
	if (text != NULL && (text < t->room || text >= t->room + sizeof t->room))
		free(text);
}

struct transaction *
transaction_new(struct view reverse_path, uint32_t number)
{
	/* malloc looks into what its thread has freed last, calloc does not. */
	struct transaction *t = must(malloc(sizeof *t));

	memset(t, 0, offsetof(struct transaction, first));
	t->refs = 1;
	t->number = number;
	t->recipients = t->first;
	t->recipient_room = sizeof t->first / sizeof *t->first;
	if (reverse_path.at != NULL)
		t->reverse_path = keep_text(t, reverse_path);
	return t;
}

struct transaction *
transaction_ref(struct transaction *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void
transaction_unref(struct session *s, struct transaction *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	if (t->transfer != NULL && !t->reported) {
		t->refs++;
		rewriting_forgets_command(s, t);
		content_tell_findings(s, t);
		event_message(s, t);
		t->refs--;
	}
	rewriting_free(s, t);
	for (uint32_t i = 0; i < t->recipient_count; i++)
		forget_text(t, t->recipients[i].address);
	if (t->recipients != t->first)
		free(t->recipients);
	forget_text(t, t->reverse_path);
	free(t->header);
	free(t);
}

static void
widen(struct transaction *t)
{
	struct recipient *more = t->recipients != t->first ? t->recipients : NULL;

	t->recipient_room *= 2;
	more = must(realloc(more, t->recipient_room * sizeof *more));
	if (t->recipients == t->first)
		memcpy(more, t->first, sizeof t->first);
	t->recipients = more;
}

uint32_t
transaction_add_recipient(struct transaction *t, struct view address)
{
	struct recipient *r;

	if (t->recipient_count >= TRANSACTION_RECIPIENTS) {
		t->unlisted++;
		return TRANSACTION_RECIPIENTS;
	}
	if (t->recipient_count == t->recipient_room)
		widen(t);
	r = &t->recipients[t->recipient_count];
	memset(r, 0, sizeof *r);
	if (address.at != NULL) {
		r->address = keep_text(t, address);
		r->address_len = (uint32_t)address.len;
	}
	return t->recipient_count++;
}

struct recipient *
transaction_recipient(struct transaction *t, uint32_t index)
{
	return t != NULL && index < t->recipient_count ? &t->recipients[index] : NULL;
}

void
transaction_rcpt_answered(struct transaction *t, uint32_t index, uint16_t code, uint16_t server_code)
{
	struct recipient *r = transaction_recipient(t, index);

	if (t != NULL && code / 100 == 2)
		t->accepted++;
	if (r == NULL)
		return;
	r->code = code;
	r->server_code = server_code;
}

static bool
is_of_column(const struct recipient *r, enum transaction_column column)
{
	return (column == COLUMN_CLIENT ? r->code : r->server_code) / 100 == 2;
}

struct recipient *
transaction_peek_final(struct transaction *t, enum transaction_column column)
{
	uint32_t *next = &t->next_final[column];

	while (*next < t->recipient_count && !is_of_column(&t->recipients[*next], column))
		(*next)++;
	return *next < t->recipient_count ? &t->recipients[*next] : NULL;
}

struct recipient *
transaction_next_final(struct transaction *t, enum transaction_column column)
{
	struct recipient *r = transaction_peek_final(t, column);

	if (r != NULL)
		t->next_final[column]++;
	return r;
}

/* The header ends at an empty line: LF, CRLF or nothing between two LFs (RFC 5322 2.1). */
static size_t
header_part(struct transaction *t, const char *octets, size_t len)
{
	enum { START, LINE_START, LINE_START_CR, IN_LINE };

	for (size_t i = 0; i < len; i++) {
		const char *lf;
		char c;

		if (t->header_state == IN_LINE) {
			lf = memchr(octets + i, '\n', len - i);
			if (lf == NULL)
				return len;
			i = (size_t)(lf - octets);
		}
		c = octets[i];
		if (c == '\n' && t->header_state != IN_LINE) {
			t->header_done = true;
			return i + 1;
		}
		if (c == '\n')
			t->header_state = LINE_START;
		else if (c == '\r' && t->header_state <= LINE_START)
			t->header_state = LINE_START_CR;
		else
			t->header_state = IN_LINE;
	}
	return len;
}

static void
keep_header(struct transaction *t, struct view wire, bool by_data, bool dotted)
{
	size_t len;

	if (t->header_room - t->header_len < wire.len) {
		t->header_room = t->header_room == 0 ? HEADER_START : 2 * t->header_room;
		t->header = must(realloc(t->header, t->header_room));
	}
	if (by_data && dotted) {
		len = smtp_content_unstuff(&t->unstuff, wire, t->header + t->header_len);
	} else {
		memcpy(t->header + t->header_len, wire.at, wire.len);
		len = wire.len;
		if (by_data)
			smtp_content_unstuffed(&t->unstuff, wire);
	}
	t->header_len += header_part(t, t->header + t->header_len, len);
}

/* One beyond the ceiling is kept as far as it goes. */
void
transaction_keep_header(struct transaction *t, struct view wire, bool by_data, bool dotted)
{
	while (!t->header_done && wire.len > 0) {
		size_t room = TRANSACTION_HEADER - t->header_len, step = room < HEADER_STEP ? room : HEADER_STEP;

		keep_header(t, view_first(wire, step), by_data, dotted);
		wire = view_from(wire, step);
		if (t->header_len >= TRANSACTION_HEADER)
			t->header_done = true;
	}
}

void
transaction_forget_content(struct transaction *t)
{
	t->octets = t->lines = t->swallowed = 0;
	t->header_len = 0;
	t->marks = 0;
}
