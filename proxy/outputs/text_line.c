/* SPDX-License-Identifier: MIT */
/* The columns of the transcript. Sessions below 1,000 and 9,999 seconds stay aligned. */
#include "proxy/outputs/text_line.h"

#include <stdarg.h>
#include <stdio.h>

#include "proxy/outputs/escape.h"

/* A text line of SMTP has no more octets than this (RFC 5321 4.5.3.1.6); JSON has them all. */
#define SHOWN 1000

/* The basic colours alone: they follow what the user chose for the terminal. */
static const char *const colours[] = {
	[COLOUR_NONE] = "\033[0m",
	[COLOUR_DIM] = "\033[0;2m",
	[COLOUR_BOLD] = "\033[0;1m",
	[COLOUR_CLIENT] = "\033[0;36m",
	[COLOUR_CONTENT] = "\033[0;2;36m",
	[COLOUR_SERVER] = "\033[0;32m",
	[COLOUR_TRANSIENT] = "\033[0;1;33m",
	[COLOUR_PERMANENT] = "\033[0;1;31m",
	[COLOUR_RULE] = "\033[0;1;35m",
	[COLOUR_NOTE] = "\033[0;33m",
	[COLOUR_WARNING] = "\033[0;1;33m",
	[COLOUR_ERROR] = "\033[0;1;31m"
};

void
text_line_paint(struct text_line *line, enum text_colour colour)
{
	if (line->colour)
		buffer_put(line->out, view_of(colours[colour]));
}

void
text_line_begin(struct text_line *line, const struct event *event, bool time, const char *picture,
    enum text_colour colour)
{
	uint64_t us = event->since_open_us;

	line->notes = 0;
	/* Neighbours in number differ in colour: six that are neither black nor white. */
	if (line->colour)
		buffer_printf(line->out, "\033[0;9%cm", (char)('1' + event->session % 6));
	buffer_printf(line->out, "#%-3llu ", (unsigned long long)event->session);
	text_line_paint(line, COLOUR_DIM);
	if (time)
		buffer_printf(line->out, "%4llu.%03u ", (unsigned long long)(us / 1000000),
		    (unsigned)(us / 1000 % 1000));
	else
		buffer_put(line->out, VIEW("         "));
	text_line_paint(line, colour);
	buffer_printf(line->out, "%-4s", picture);
}

void
text_line_end(struct text_line *line)
{
	text_line_paint(line, COLOUR_NONE);
	buffer_char(line->out, '\n');
}

void
text_line_octets(struct text_line *line, struct view octets, const char *end, uint64_t whole)
{
	size_t shown = octets.len < SHOWN ? octets.len : SHOWN;

	if (whole < octets.len)
		whole = octets.len;
	escape_octets(line->out, view_first(octets, shown));
	if (shown == whole)
		buffer_put(line->out, view_of(end));
	else
		text_line_note(line, "[|smtp] %zu of %llu octets", shown, (unsigned long long)whole);
}

void
text_line_note(struct text_line *line, const char *format, ...)
{
	char text[256];
	va_list list;
	int len;

	text_line_paint(line, COLOUR_DIM);
	buffer_put(line->out, line->notes++ == 0 ? VIEW("\t") : VIEW(", "));
	va_start(list, format);
	len = vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	if (len > 0)
		escape_words(line->out, view_first((struct view){text, (size_t)len}, sizeof(text) - 1));
}

void
text_line_note_time(struct text_line *line, const char *word, uint64_t us)
{
	if (us >= 1000000)
		text_line_note(line, "%s %.3f s", word, (double)us / 1e6);
	else if (us >= 10000)
		text_line_note(line, "%s %u ms", word, (unsigned)(us / 1000));
	else
		text_line_note(line, "%s %.1f ms", word, (double)us / 1e3);
}
