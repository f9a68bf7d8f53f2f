/* SPDX-License-Identifier: MIT */
/*
 * Reading rule files, and refusing by name what is none: a capture, a directory, something
 * far too large. What is text goes to the lexer, which finds out about the rest.
 */
#include "proxy/rules/source.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SOURCE_LONGEST (16u << 20)

static void refuse(struct source *source, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *
print_text(const char *format, va_list list)
{
	char *text = NULL;

	if (vasprintf(&text, format, list) < 0)
		abort();
	return text;
}

static void
refuse(struct source *source, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	source->refusal = print_text(format, list);
	va_end(list);
	source->errors++;
}

/* What kind of capture the octets begin, or NULL (pcap-savefile(5); the pcapng draft, 4.1; RFC 1761). */
static const char *
capture_kind(const char *text, size_t len)
{
	static const struct {
		struct view magic;
		const char *kind;
	} kinds[] = {
		{VIEW("\xa1\xb2\xc3\xd4"), "pcap"}, {VIEW("\xd4\xc3\xb2\xa1"), "pcap"},
		{VIEW("\xa1\xb2\x3c\x4d"), "pcap"}, {VIEW("\x4d\x3c\xb2\xa1"), "pcap"},
		{VIEW("\xa1\xb2\xcd\x34"), "pcap"}, {VIEW("\x34\xcd\xb2\xa1"), "pcap"},
		{VIEW("\x0a\x0d\x0d\x0a"), "pcapng"}, {VIEW("snoop\0\0\0"), "snoop"},
	};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (len >= kinds[i].magic.len && memcmp(text, kinds[i].magic.at, kinds[i].magic.len) == 0)
			return kinds[i].kind;
	return NULL;
}

/* The mark that some editors put in front of UTF-8 is nothing that a reader sees or counts. */
static void
drop_mark(struct source *source)
{
	static const struct view mark = VIEW("\xef\xbb\xbf");

	if (!view_equal(view_first((struct view){source->text, source->len}, mark.len), mark))
		return;
	source->len -= mark.len;
	memmove(source->text, source->text + mark.len, source->len);
}

static void
read_all(struct source *source, FILE *file)
{
	size_t size = 0, got;

	do {
		if (source->len == size) {
			size = size == 0 ? 4096 : size * 2;
			source->text = realloc(source->text, size);
			if (source->text == NULL)
				abort();
		}
		got = fread(source->text + source->len, 1, size - source->len, file);
		source->len += got;
	} while (got > 0 && source->len <= SOURCE_LONGEST);
	if (ferror(file))
		refuse(source, "cannot be read: %s", strerror(errno));
	else if (source->len > SOURCE_LONGEST)
		refuse(source, "is larger than 16 MiB: that is no rule file");
}

void
source_read(struct source *source, const char *path)
{
	bool standard = strcmp(path, "-") == 0;
	struct stat status;
	const char *kind;
	FILE *file;

	memset(source, 0, sizeof *source);
	source->name = standard ? "stdin" : path;
	file = standard ? stdin : fopen(path, "rbe");
	if (file == NULL) {
		refuse(source, "cannot be opened: %s", strerror(errno));
		return;
	}
	if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode))
		refuse(source, "is a directory: name the rule files in it, such as %s/*.rules", path);
	else
		read_all(source, file);
	if (!standard)
		fclose(file);
	if (source->refusal != NULL)
		return;
	kind = capture_kind(source->text, source->len);
	drop_mark(source);
	if (kind != NULL)
		refuse(source, "is a capture (%s), not a rule file: captures are what `smtpscope decode` reads, "
		    "named without -r", kind);
}

void
source_take(struct source *source, const char *name, struct view text)
{
	memset(source, 0, sizeof *source);
	source->name = name;
	source->len = text.len;
	source->text = malloc(text.len + 1);
	if (source->text == NULL)
		abort();
	if (text.len > 0)
		memcpy(source->text, text.at, text.len);
	drop_mark(source);
}

void
source_free(struct source *source)
{
	for (size_t i = 0; i < source->message_count; i++)
		free(source->messages[i].text);
	free(source->messages);
	free(source->refusal);
	free(source->text);
	memset(source, 0, sizeof *source);
}

static void
add(struct source *source, size_t at, bool warning, const char *format, va_list list)
{
	struct message *message;

	if (source->message_count == source->message_size) {
		source->message_size = source->message_size == 0 ? 8 : source->message_size * 2;
		source->messages = realloc(source->messages, source->message_size * sizeof *source->messages);
		if (source->messages == NULL)
			abort();
	}
	message = &source->messages[source->message_count];
	message->at = at;
	message->order = source->message_count++;
	message->warning = warning;
	message->text = print_text(format, list);
	if (!warning)
		source->errors++;
}

void
source_error(struct source *source, size_t at, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	add(source, at, false, format, list);
	va_end(list);
}

void
source_warn(struct source *source, size_t at, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	add(source, at, true, format, list);
	va_end(list);
}
