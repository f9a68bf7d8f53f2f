/* SPDX-License-Identifier: MIT */
/* Events read back and judged: see transcript_events.h. */
#include "tests/unit/transcript_events.h"

#include <stdlib.h>

#include "proxy/outputs/buffer.h"

#define MAX_LINE_FIELDS 4096

/* Left out: what no two runs have in common. All stand at the top of an event. */
static const char *const varying[] = {"time", "session", "client", "server"};

/* Of these it is only kept whether there is a number. */
static const char *const measured[] = {"latency_ms", "duration_ms"};

/* One JSON object being taken apart into fields. */
struct parser {
	struct view         rest;
	struct event_list  *list;
	struct event_field *field;      /* MAX_LINE_FIELDS */
	size_t              fields;
	bool                failed;
};

static void value_read(struct parser *p, struct view path);

static void
space_skip(struct parser *p)
{
	while (p->rest.len > 0 && (p->rest.at[0] == ' ' || p->rest.at[0] == '\t'))
		p->rest = view_from(p->rest, 1);
}

static bool
take(struct parser *p, char c)
{
	space_skip(p);
	if (p->rest.len == 0 || p->rest.at[0] != c)
		return false;
	p->rest = view_from(p->rest, 1);
	return true;
}

static void
expect(struct parser *p, char c)
{
	if (!take(p, c))
		p->failed = true;
}

static unsigned
hex4(struct parser *p)
{
	unsigned value = 0;

	if (p->rest.len < 4)
		p->failed = true;
	for (int i = 0; i < 4 && !p->failed; i++) {
		char c = p->rest.at[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (unsigned)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + (unsigned)((c | 0x20) - 'a' + 10);
		else
			p->failed = true;
	}
	p->rest = view_from(p->rest, 4);
	return value;
}

static void
utf8_put(struct buffer *out, unsigned c)
{
	if (c < 0x80) {
		buffer_char(out, (char)c);
	} else if (c < 0x800) {
		buffer_char(out, (char)(0xc0 | c >> 6));
		buffer_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buffer_char(out, (char)(0xe0 | c >> 12));
		buffer_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buffer_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

/* A string, its opening quote taken; the result is in the list's arena. */
static struct view
string_read(struct parser *p)
{
	static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	struct buffer out = {0};
	struct view text;

	while (!p->failed && p->rest.len > 0 && p->rest.at[0] != '"') {
		char c = p->rest.at[0];
		const char *escape;

		p->rest = view_from(p->rest, 1);
		if (c != '\\') {
			if ((unsigned char)c < 0x20)
				p->failed = true;
			buffer_char(&out, c);
			continue;
		}
		if (p->rest.len == 0)
			break;
		c = p->rest.at[0];
		p->rest = view_from(p->rest, 1);
		escape = c == '\0' ? NULL : strchr(plain, c);
		if (c == 'u')
			utf8_put(&out, hex4(p));
		else if (escape != NULL)
			buffer_char(&out, meant[escape - plain]);
		else
			p->failed = true;
	}
	expect(p, '"');
	text = arena_copy(&p->list->arena, (struct view){out.at, out.len});
	buffer_free(&out);
	return text;
}

static void
field_add(struct parser *p, struct view path, struct view value, bool text)
{
	if (p->fields == MAX_LINE_FIELDS)
		p->failed = true;
	else
		p->field[p->fields++] = (struct event_field){path, value, text};
}

static struct view
path_join(struct parser *p, struct view path, struct view name)
{
	return arena_printf(&p->list->arena, "%.*s%s%.*s", (int)path.len, path.at, path.len > 0 ? "." : "",
	    (int)name.len, name.at);
}

static void
object_read(struct parser *p, struct view path)
{
	if (take(p, '}'))
		return;
	do {
		struct view name;

		expect(p, '"');
		name = string_read(p);
		expect(p, ':');
		value_read(p, path_join(p, path, name));
	} while (!p->failed && take(p, ','));
	expect(p, '}');
}

static void
array_read(struct parser *p, struct view path)
{
	unsigned count = 0;

	if (!take(p, ']')) {
		do {
			struct view name = arena_printf(&p->list->arena, "%u", count++);

			value_read(p, path_join(p, path, name));
		} while (!p->failed && take(p, ','));
		expect(p, ']');
	}
	field_add(p, path_join(p, path, VIEW("count")), arena_printf(&p->list->arena, "%u", count), false);
}

static void
value_read(struct parser *p, struct view path)
{
	size_t len = 0;

	space_skip(p);
	if (take(p, '{')) {
		object_read(p, path);
	} else if (take(p, '[')) {
		array_read(p, path);
	} else if (take(p, '"')) {
		field_add(p, path, string_read(p), true);
	} else {
		while (len < p->rest.len && p->rest.at[len] != ',' && p->rest.at[len] != '}' && p->rest.at[len] != ']')
			len++;
		field_add(p, path, arena_copy(&p->list->arena, view_first(p->rest, len)), false);
		p->failed |= len == 0;
		p->rest = view_from(p->rest, len);
	}
}

static const struct event_field *
field_find(const struct event_line *event, struct view path)
{
	for (size_t i = 0; i < event->fields; i++)
		if (view_equal(event->field[i].path, path))
			return &event->field[i];
	return NULL;
}

static bool
named(struct view path, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (view_equal(path, view_of(names[i])))
			return true;
	return false;
}

static struct view
without_directory(struct view path)
{
	for (size_t slash = path.len; slash > 0; slash--)
		if (path.at[slash - 1] == '/')
			return view_from(path, slash);
	return path;
}

/* Takes out what varies; a rule's file is named without its directory. */
static void
line_normalise(struct event_line *event)
{
	size_t kept = 0;

	for (size_t i = 0; i < event->fields; i++) {
		struct event_field field = event->field[i];

		if (named(field.path, varying, sizeof varying / sizeof varying[0]))
			continue;
		if (named(field.path, measured, sizeof measured / sizeof measured[0])
		    && !view_equal(field.value, VIEW("null")))
			field.value = VIEW("number");
		if (view_equal(field.path, VIEW("at")))
			field.value = without_directory(field.value);
		event->field[kept++] = field;
	}
	event->fields = kept;
}

static bool
line_read(struct event_list *list, struct view line, struct event_field *scratch, struct event_line *event)
{
	struct parser p = {.rest = line, .list = list, .field = scratch};
	const struct event_field *type;

	expect(&p, '{');
	if (!p.failed)
		object_read(&p, VIEW(""));
	*event = (struct event_line){VIEW_NONE, scratch, p.fields};
	type = field_find(event, VIEW("event"));
	if (p.failed || p.rest.len > 0 || type == NULL)
		return false;
	event->type = type->value;
	line_normalise(event);
	event->field = arena_take(&list->arena, sizeof scratch[0] * (event->fields + 1));
	memcpy(event->field, scratch, sizeof scratch[0] * event->fields);
	return true;
}

bool
event_list_read(struct event_list *list, struct view lines, FILE *err)
{
	struct event_field *scratch = malloc(sizeof *scratch * MAX_LINE_FIELDS);
	size_t room = 0;
	bool good = true;

	if (scratch == NULL)
		abort();
	for (size_t i = 0; i < lines.len; i++)
		room += lines.at[i] == '\n';
	*list = (struct event_list){0};
	arena_init(&list->arena);
	list->event = arena_take(&list->arena, sizeof list->event[0] * (room + 1));
	for (size_t n = 1; lines.len > 0 && good; n++) {
		const char *end = memchr(lines.at, '\n', lines.len);
		size_t len = end == NULL ? lines.len : (size_t)(end - lines.at);
		struct event_line *event = &list->event[list->count];

		good = end != NULL && line_read(list, view_first(lines, len), scratch, event);
		if (!good)
			fprintf(err, "event %zu is not a line with one JSON object with \"event\" in it: %.*s\n", n,
			    (int)(len < 300 ? len : 300), lines.at);
		/* Written once a run, behind all sessions. */
		else if (!view_equal(event->type, VIEW("rule-summary")))
			list->count++;
		lines = view_from(lines, len + 1);
	}
	free(scratch);
	return good;
}

void
event_list_free(struct event_list *list)
{
	arena_clear(&list->arena);
	*list = (struct event_list){0};
}

static void
line_show(const struct event_line *event, FILE *err)
{
	for (size_t i = 0; i < event->fields; i++) {
		const struct event_field *f = &event->field[i];
		int len = (int)(f->value.len < 80 ? f->value.len : 80);

		fprintf(err, f->text ? " %.*s=\"%.*s\"" : " %.*s=%.*s", (int)f->path.len, f->path.at, len,
		    f->value.at == NULL ? "" : f->value.at);
	}
	fputc('\n', err);
}

static bool
line_same(const struct event_line *one, const struct event_line *other)
{
	if (one->fields != other->fields)
		return false;
	for (size_t i = 0; i < one->fields; i++)
		if (!view_equal(one->field[i].path, other->field[i].path)
		    || !view_equal(one->field[i].value, other->field[i].value)
		    || one->field[i].text != other->field[i].text)
			return false;
	return true;
}

bool
event_list_same(const struct event_list *one, const char *one_name, const struct event_list *other,
    const char *other_name, FILE *err)
{
	for (size_t i = 0; i < one->count || i < other->count; i++) {
		if (i < one->count && i < other->count && line_same(&one->event[i], &other->event[i]))
			continue;
		fprintf(err, "event %zu is not the same:\n  %s:", i + 1, one_name);
		if (i < one->count)
			line_show(&one->event[i], err);
		else
			fputs(" there is none\n", err);
		fprintf(err, "  %s:", other_name);
		if (i < other->count)
			line_show(&other->event[i], err);
		else
			fputs(" there is none\n", err);
		return false;
	}
	return true;
}

static bool
event_matches(const struct event_line *event, const struct transcript_event *want)
{
	if (!view_equal(event->type, want->type))
		return false;
	for (size_t i = 0; i < want->fields; i++) {
		const struct transcript_field *field = &want->field[i];
		const struct event_field *found = field_find(event, field->path);

		if (field->match == TRANSCRIPT_ABSENT ? found != NULL
		    : found == NULL || !view_equal(found->value, field->value)
		        || (field->match == TRANSCRIPT_TEXT && !found->text))
			return false;
	}
	return true;
}

/*
 * Each type that the transcript names at all it must name each time: its lines, in order, are
 * the events of that type. place gets, by the transcript's event, which event that is.
 */
static bool
type_expected(const struct event_list *list, const struct transcript *t, struct view type, size_t *place,
    FILE *err)
{
	size_t next = 0;

	for (size_t i = 0; i < t->events; i++) {
		const struct transcript_event *want = &t->event[i];

		if (want->never || !view_equal(want->type, type))
			continue;
		while (next < list->count && !view_equal(list->event[next].type, type))
			next++;
		if (next == list->count) {
			fprintf(err, "%s:%u: there is no such event\n", t->path.at, want->line);
			return false;
		}
		if (!event_matches(&list->event[next], want)) {
			fprintf(err, "%s:%u: this was expected, and the event is:\n ", t->path.at, want->line);
			line_show(&list->event[next], err);
			return false;
		}
		place[i] = next++;
	}
	for (; next < list->count; next++) {
		if (view_equal(list->event[next].type, type)) {
			fprintf(err, "%s: no line expects this event:\n ", t->path.at);
			line_show(&list->event[next], err);
			return false;
		}
	}
	return true;
}

/* What is joined by "&" follows at once; each session begins with `open` and ends with `close`. */
static bool
order_expected(const struct event_list *list, const struct transcript *t, const size_t *place, FILE *err)
{
	for (size_t i = 1; i < t->events; i++) {
		if (t->event[i].adjoins && place[i] != place[i - 1] + 1) {
			fprintf(err, "%s:%u: this comes as event %zu, and the one before it as %zu\n", t->path.at,
			    t->event[i].line, place[i] + 1, place[i - 1] + 1);
			return false;
		}
	}
	for (size_t i = 0; i < list->count; i++) {
		bool first = i == 0 || view_equal(list->event[i - 1].type, VIEW("close"));

		if (view_equal(list->event[i].type, VIEW("open")) != first ||
		    view_equal(list->event[i].type, VIEW("close")) != (i == list->count - 1 ||
		    view_equal(list->event[i + 1].type, VIEW("open")))) {
			fprintf(err, "%s: event %zu of %zu:\n ", t->path.at, i + 1, list->count);
			line_show(&list->event[i], err);
			return false;
		}
	}
	return true;
}

static bool
never_happened(const struct event_list *list, const struct transcript *t, FILE *err)
{
	for (size_t i = 0; i < t->events; i++) {
		for (size_t k = 0; t->event[i].never && k < list->count; k++) {
			if (event_matches(&list->event[k], &t->event[i])) {
				fprintf(err, "%s:%u: this must not come, and does:\n ", t->path.at, t->event[i].line);
				line_show(&list->event[k], err);
				return false;
			}
		}
	}
	return true;
}

bool
event_list_expected(const struct event_list *list, const struct transcript *t, struct view lines, FILE *err)
{
	size_t *place = calloc(t->events + 1, sizeof *place);
	bool good = type_expected(list, t, VIEW("finding"), place, err);

	for (size_t i = 0; i < t->events && good; i++)
		if (!t->event[i].never)
			good = type_expected(list, t, t->event[i].type, place, err);
	for (size_t i = 0; i < t->maskeds && good; i++) {
		if (memmem(lines.at, lines.len, t->masked[i].at, t->masked[i].len) != NULL) {
			fprintf(err, "%s: an event shows \"%s\"\n", t->path.at, t->masked[i].at);
			good = false;
		}
	}
	good = good && order_expected(list, t, place, err) && never_happened(list, t, err);
	free(place);
	return good;
}
