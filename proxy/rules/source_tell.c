/* SPDX-License-Identifier: MIT */
/*
 * Messages as a person reads them: place, what is wrong, the line, a caret. The line comes
 * from a file that may hold anything, so what would move a terminal is shown as "?".
 */
#include "proxy/rules/source.h"

#include <stdlib.h>

#define TELL_WIDEST 160         /* characters of a line that are shown */
#define TELL_BEFORE 60          /* of these in front of the caret, in a line that is longer */

/* Octets of the character at the start; *plain: it can be shown as it is. */
static size_t
character(const char *at, size_t len, bool *plain)
{
	unsigned char c = (unsigned char)at[0];
	size_t want = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	*plain = false;
	if (c < 0x80) {
		*plain = c == '\t' || (c >= 0x20 && c != 0x7f);
		return 1;
	}
	if (c < 0xc2 || c > 0xf4 || len < want)
		return 1;
	for (size_t i = 1; i < want; i++)
		if (((unsigned char)at[i] & 0xc0) != 0x80)
			return 1;
	/* U+0080 to U+009F are controls too: a terminal obeys them. */
	*plain = !(c == 0xc2 && (unsigned char)at[1] < 0xa0);
	return want;
}

static size_t
line_start(const struct source *source, size_t at)
{
	while (at > 0 && source->text[at - 1] != '\n')
		at--;
	return at;
}

struct source_place
source_place(const struct source *source, size_t at)
{
	struct source_place place = {1, 1};
	size_t start = line_start(source, at);
	bool plain;

	for (size_t i = 0; i < start; i++)
		if (source->text[i] == '\n')
			place.line++;
	while (start < at) {
		start += character(source->text + start, at - start, &plain);
		place.column++;
	}
	return place;
}

/* The line that holds the offset, and under it a caret; tabs stay tabs in both, so that they agree. */
static void
tell_line(const struct source *source, size_t at, uint32_t column, FILE *to)
{
	size_t start = line_start(source, at), end = start, i;
	uint32_t now = 1, first = 1, last;
	bool plain;

	while (end < source->len && source->text[end] != '\n')
		end++;
	if (end > start && source->text[end - 1] == '\r')
		end--;
	if (end - start > TELL_WIDEST && column > TELL_BEFORE)
		first = column - TELL_BEFORE;
	last = first + TELL_WIDEST;
	fputs(first > 1 ? "..." : "", to);
	for (i = start; i < end && now < last; now++) {
		size_t len = character(source->text + i, end - i, &plain);

		if (now >= first) {
			if (plain)
				fwrite(source->text + i, 1, len, to);
			else
				fputc('?', to);
		}
		i += len;
	}
	fputs(i < end ? "...\n" : "\n", to);
	fputs(first > 1 ? "   " : "", to);
	for (i = start, now = 1; i < end && now < column; now++) {
		if (now >= first)
			fputc(source->text[i] == '\t' ? '\t' : ' ', to);
		i += character(source->text + i, end - i, &plain);
	}
	fputs("^\n", to);
}

static int
by_place(const void *one, const void *other)
{
	const struct message *a = one, *b = other;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

void
source_tell(struct source *source, FILE *to)
{
	if (source->refusal != NULL) {
		fprintf(to, "%s: %s\n", source->name, source->refusal);
		return;
	}
	if (source->message_count > 1)
		qsort(source->messages, source->message_count, sizeof *source->messages, by_place);
	for (size_t i = 0; i < source->message_count; i++) {
		const struct message *message = &source->messages[i];
		struct source_place place;

		if (message->at == SOURCE_WHOLE) {
			fprintf(to, "%s: %s%s\n", source->name, message->warning ? "warning: " : "", message->text);
			continue;
		}
		place = source_place(source, message->at);
		fprintf(to, "%s:%u:%u: %s%s\n", source->name, place.line, place.column,
		    message->warning ? "warning: " : "", message->text);
		tell_line(source, message->at, place.column, to);
	}
}
