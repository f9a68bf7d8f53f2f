/* SPDX-License-Identifier: MIT */
/*
 * Reads transcripts. Two passes: line by line into steps and expectations; then what a
 * transcript leaves unsaid is filled in, so that who plays it meets complete steps only:
 * what one side sends the other receives, unless the transcript says otherwise, and both ends
 * close at last.
 */
#include "tests/unit/transcript.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/unit/transcript_options.h"
#include "tests/unit/transcript_text.h"

#define MAX_STEPS  512
#define MAX_EVENTS 512
#define MAX_FIELDS 24
#define MAX_MASKED 16

struct reader {
	struct transcript *t;
	FILE              *err;
	unsigned           line;
	bool               failed;
	bool               joinable;            /* a line of the same writer joins the last step */
	bool               said[MAX_STEPS][2];  /* step, side: the file says what that side receives */
	struct buffer      sent[MAX_STEPS], received[MAX_STEPS][2];
	struct buffer      rules;
	size_t             first;               /* step of the session that is being read */
	enum transcript_server server;          /* of that session */
	uint64_t           pause_us;            /* in front of the next step */
};

static void __attribute__((format(printf, 2, 3)))
complain(struct reader *r, const char *format, ...)
{
	va_list list;

	fprintf(r->err, "%s:%u: ", r->t->path.at, r->line);
	va_start(list, format);
	vfprintf(r->err, format, list);
	va_end(list);
	fputc('\n', r->err);
	r->failed = true;
}

/* Appends the octets that a line's text stands for. */
static void
text_read(struct reader *r, struct view text, struct buffer *out)
{
	struct view wrong;

	if (!transcript_octets(text, out, &wrong))
		complain(r, "wrong escape: \\r \\n \\t \\\\ \\\" or \\xHH was expected at \"%.*s\"", (int)wrong.len, wrong.at);
}

static struct transcript_step *
step_add(struct reader *r, int writer)
{
	struct transcript_step *step = &r->t->step[r->t->steps];

	if (r->t->steps >= MAX_STEPS - 2) {     /* two are left for ends that the file does not name */
		complain(r, "more than %d steps", MAX_STEPS - 2);
		return NULL;
	}
	step->begins = r->t->steps++ == r->first;
	step->pause_us = r->pause_us;
	r->pause_us = 0;
	step->writer = writer;
	step->line = r->line;
	r->joinable = true;
	return step;
}

static bool
ending_read(struct view text, enum transcript_ending *ending)
{
	if (view_equal(text, VIEW("[close]")))
		*ending = TRANSCRIPT_CLOSED;
	else if (view_equal(text, VIEW("[reset]")))
		*ending = TRANSCRIPT_RESET;
	else
		return false;
	return true;
}

/* "C: text", "C; text": a side writes. */
static void
write_read(struct reader *r, enum smtp_side side, bool line_end, struct view text)
{
	struct transcript *t = r->t;
	struct transcript_step *step = t->steps == r->first ? NULL : &t->step[t->steps - 1];
	struct buffer *out;

	if (step == NULL || !r->joinable || step->writer != (int)side || step->ends != TRANSCRIPT_OPEN)
		step = step_add(r, side);
	if (step == NULL)
		return;
	out = &r->sent[step - t->step];
	if (line_end && ending_read(text, &step->ends))
		return;
	text_read(r, text, out);
	if (line_end)
		buffer_put(out, VIEW("\r\n"));
}

/* "C< text", "C<; text": a side receives, in the step of the last write. */
static void
receipt_read(struct reader *r, enum smtp_side side, bool line_end, struct view text)
{
	struct transcript *t = r->t;
	struct transcript_step *step = t->steps == r->first ? step_add(r, TRANSCRIPT_NOBODY) : &t->step[t->steps - 1];
	struct buffer *out;

	if (step == NULL)
		return;
	out = &r->received[step - t->step][side];
	r->said[step - t->step][side] = true;
	r->joinable = false;
	if (line_end && (view_equal(text, VIEW("[nothing]")) || ending_read(text, &step->ended[side])))
		return;
	text_read(r, text, out);
	if (line_end)
		buffer_put(out, VIEW("\r\n"));
}

/* Takes the next word off *rest; a space within quotes does not end it. */
static struct view
word_next(struct view *rest)
{
	bool quoted = false;
	struct view word;
	size_t i;

	while (rest->len > 0 && rest->at[0] == ' ')
		*rest = view_from(*rest, 1);
	for (i = 0; i < rest->len && (quoted || rest->at[i] != ' '); i++) {
		if (rest->at[i] == '\\' && quoted)
			i++;
		else if (rest->at[i] == '"')
			quoted = !quoted;
	}
	word = view_first(*rest, i);
	*rest = view_from(*rest, word.len);
	return word;
}

/* field=value, field="value", or !field. */
static void
field_read(struct reader *r, struct view word, struct transcript_field *field)
{
	const char *equals = memchr(word.at, '=', word.len);
	struct buffer text = {0};

	field->match = TRANSCRIPT_ABSENT;
	if (word.at[0] == '!') {
		field->path = arena_copy(&r->t->arena, view_from(word, 1));
		return;
	}
	if (equals == NULL) {
		complain(r, "\"%.*s\": field=value, field=\"value\" or !field was expected", (int)word.len, word.at);
		return;
	}
	field->path = arena_copy(&r->t->arena, view_first(word, (size_t)(equals - word.at)));
	word = view_from(word, field->path.len + 1);
	field->match = TRANSCRIPT_BARE;
	if (word.len >= 2 && word.at[0] == '"' && word.at[word.len - 1] == '"') {
		field->match = TRANSCRIPT_TEXT;
		word = view_first(view_from(word, 1), word.len - 2);
	}
	if (field->match == TRANSCRIPT_TEXT)
		text_read(r, word, &text);
	else
		buffer_put(&text, word);
	field->value = arena_copy(&r->t->arena, (struct view){text.at, text.len});
	buffer_free(&text);
}

/* "= event field=value ...", "& event ...", "! event ..." */
static void
event_read(struct reader *r, char kind, struct view text)
{
	struct transcript *t = r->t;
	struct transcript_event *event = &t->event[t->events];
	struct transcript_field field[MAX_FIELDS] = {0};
	struct view word;

	if (t->events == MAX_EVENTS) {
		complain(r, "more than %d events", MAX_EVENTS);
		return;
	}
	t->events++;
	event->never = kind == '!';
	event->adjoins = kind == '&';
	if (event->adjoins && (t->events < 2 || event[-1].never))
		complain(r, "an event in front of this one was expected");
	event->line = r->line;
	event->type = arena_copy(&t->arena, word_next(&text));
	if (event->type.len == 0)
		complain(r, "the name of an event was expected");
	while (word = word_next(&text), word.len > 0) {
		if (event->fields == MAX_FIELDS) {
			complain(r, "more than %d fields", MAX_FIELDS);
			return;
		}
		field_read(r, word, &field[event->fields++]);
	}
	event->field = arena_take(&t->arena, sizeof field[0] * (event->fields + 1));
	memcpy(event->field, field, sizeof field[0] * event->fields);
}

static void
option_read(struct reader *r, struct view text)
{
	struct view name = word_next(&text), value = word_next(&text);

	if (!transcript_option(r->t, &r->server, name, value))
		complain(r, "unknown option: " TRANSCRIPT_OPTIONS " was expected");
}

static void
masked_read(struct reader *r, struct view text)
{
	if (r->t->maskeds == MAX_MASKED)
		complain(r, "more than %d masked strings", MAX_MASKED);
	else
		r->t->masked[r->t->maskeds++] = arena_copy(&r->t->arena, text);
}

static bool
milliseconds_read(struct view text, uint64_t *us)
{
	uint64_t number;

	if (text.len < 3 || !view_equal(view_from(text, text.len - 2), VIEW("ms"))
	    || !transcript_number(view_first(text, text.len - 2), &number))
		return false;
	*us = number * 1000;
	return true;
}

/* "@ 80ms": how long the step takes. */
static void
time_read(struct reader *r, struct view text)
{
	uint64_t us;

	if (r->t->steps == r->first || !milliseconds_read(text, &us)) {
		complain(r, "milliseconds (\"@ 80ms\") behind a write were expected");
		return;
	}
	r->t->step[r->t->steps - 1].takes_us = us;
	r->joinable = false;
}

/* "~ 80ms": a pause in front of the next step. */
static void
pause_read(struct reader *r, struct view text)
{
	if (!milliseconds_read(text, &r->pause_us))
		complain(r, "milliseconds (\"~ 80ms\") in front of a write were expected");
	r->joinable = false;
}

static bool
starts(struct view line, const char *start, struct view *rest)
{
	struct view s = view_of(start);

	if (!view_equal(view_first(line, s.len), s))
		return false;
	*rest = view_from(line, s.len);
	if (rest->len > 0 && rest->at[0] == ' ')
		*rest = view_from(*rest, 1);
	return true;
}

/* What one step leads to where the file does not say it. */
static void
step_complete(struct reader *r, size_t i, bool gone[2], bool left[2])
{
	struct transcript_step *step = &r->t->step[i];

	step->octets = arena_copy(&r->t->arena, (struct view){r->sent[i].at, r->sent[i].len});
	for (int side = 0; side < 2; side++)
		step->received[side] = arena_copy(&r->t->arena,
		    (struct view){r->received[i][side].at, r->received[i][side].len});
	if (step->writer != TRANSCRIPT_NOBODY) {
		enum smtp_side other = smtp_other_side((enum smtp_side)step->writer);

		if (left[step->writer]) {
			r->line = step->line;
			complain(r, "this side has ended its stream before");
		}
		if (!r->said[i][other] && !gone[other]) {
			step->received[other] = step->octets;
			step->ended[other] = step->ends;
		}
		left[step->writer] = step->ends != TRANSCRIPT_OPEN;
	}
	for (int side = 0; side < 2; side++) {
		gone[side] |= step->ended[side] != TRANSCRIPT_OPEN;
		left[side] |= step->ended[side] == TRANSCRIPT_RESET;
	}
}

/* What the file does not say of a session, at its end: see the head of this file. */
static void
session_complete(struct reader *r)
{
	struct transcript *t = r->t;
	bool gone[2] = {false, r->server != TRANSCRIPT_SERVER_UP};      /* told by the proxy that it is over */
	bool left[2] = {false, r->server != TRANSCRIPT_SERVER_UP};      /* has ended its own stream */
	static const enum smtp_side last[2] = {SMTP_SERVER, SMTP_CLIENT};

	for (size_t i = r->first, ends = 0; !r->failed; i++) {
		struct transcript_step *step = &t->step[i];

		for (; i == t->steps && ends < 2; ends++) {
			if (left[last[ends]])
				continue;
			t->steps++;
			*step = (struct transcript_step){.writer = last[ends], .ends = TRANSCRIPT_CLOSED,
			    .begins = i == r->first, .line = r->line};
		}
		if (i == t->steps)
			break;
		step->server = r->server;
		step_complete(r, i, gone, left);
	}
	r->joinable = false;
	r->first = t->steps;
	r->server = TRANSCRIPT_SERVER_UP;
}

static void
line_read(struct reader *r, struct view line)
{
	struct view rest;

	if (line.len == 0)
		r->joinable = false;
	else if (starts(line, "C:", &rest) || starts(line, "S:", &rest))
		write_read(r, line.at[0] == 'C' ? SMTP_CLIENT : SMTP_SERVER, true, rest);
	else if (starts(line, "C;", &rest) || starts(line, "S;", &rest))
		write_read(r, line.at[0] == 'C' ? SMTP_CLIENT : SMTP_SERVER, false, rest);
	else if (starts(line, "C<;", &rest) || starts(line, "S<;", &rest))
		receipt_read(r, line.at[0] == 'C' ? SMTP_CLIENT : SMTP_SERVER, false, rest);
	else if (starts(line, "C<", &rest) || starts(line, "S<", &rest))
		receipt_read(r, line.at[0] == 'C' ? SMTP_CLIENT : SMTP_SERVER, true, rest);
	else if (starts(line, "==", &rest))
		session_complete(r);
	else if (starts(line, "=", &rest) || starts(line, "&", &rest) || starts(line, "!", &rest))
		event_read(r, line.at[0], rest);
	else if (starts(line, "@", &rest))
		time_read(r, rest);
	else if (starts(line, "~", &rest))
		pause_read(r, rest);
	else if (starts(line, "option:", &rest))
		option_read(r, rest);
	else if (starts(line, "masked:", &rest))
		masked_read(r, rest);
	else if (starts(line, "|", &rest)) {
		buffer_put(&r->rules, rest);
		buffer_char(&r->rules, '\n');
	} else if (line.at[0] != '#')
		complain(r, "a line begins with \"C:\", \"S:\", \"C;\", \"S;\", \"C<\", \"S<\", \"=\", \"&\", \"!\", "
		    "\"==\", \"|\", \"@\", \"~\", \"option:\", \"masked:\" or \"#\"");
}

static void
reader_free(struct reader *r)
{
	for (size_t i = 0; i < MAX_STEPS; i++) {
		buffer_free(&r->sent[i]);
		buffer_free(&r->received[i][0]);
		buffer_free(&r->received[i][1]);
	}
	buffer_free(&r->rules);
	free(r);
}

static struct transcript *
transcript_new(const char *path)
{
	struct transcript *t = calloc(1, sizeof *t);
	const char *slash = strrchr(path, '/');

	if (t == NULL)
		abort();
	arena_init(&t->arena);
	t->path = arena_copy(&t->arena, view_of(path));
	t->name = arena_copy(&t->arena, view_of(slash == NULL ? path : slash + 1));
	if (t->name.len > 4 && view_equal(view_from(t->name, t->name.len - 4), VIEW(".txt")))
		t->name = arena_copy(&t->arena, view_first(t->name, t->name.len - 4));
	t->step = arena_take(&t->arena, sizeof t->step[0] * MAX_STEPS);
	memset(t->step, 0, sizeof t->step[0] * MAX_STEPS);
	t->event = arena_take(&t->arena, sizeof t->event[0] * MAX_EVENTS);
	memset(t->event, 0, sizeof t->event[0] * MAX_EVENTS);
	t->masked = arena_take(&t->arena, sizeof t->masked[0] * MAX_MASKED);
	t->max_line = 64 * 1024;
	t->max_content = 1024 * 1024;
	t->seed = 1;
	return t;
}

struct transcript *
transcript_load(const char *path, FILE *err)
{
	FILE *file = fopen(path, "r");
	struct reader *r;
	struct transcript *t;
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (file == NULL) {
		fprintf(err, "%s: %s\n", path, strerror(errno));
		return NULL;
	}
	r = calloc(1, sizeof *r);
	if (r == NULL)
		abort();
	r->t = t = transcript_new(path);
	r->err = err;
	while ((len = getline(&line, &size, file)) > 0) {
		r->line++;
		line_read(r, view_first((struct view){line, (size_t)len}, (size_t)len - (line[len - 1] == '\n')));
	}
	free(line);
	fclose(file);
	if (!transcript_option_rules(t, &r->rules, err))
		r->failed = true;
	t->rules = arena_copy(&t->arena, (struct view){r->rules.at, r->rules.len});
	if (!r->failed && (t->steps > r->first || r->first == 0))
		session_complete(r);
	if (r->failed) {
		transcript_free(t);
		t = NULL;
	}
	reader_free(r);
	return t;
}

void
transcript_free(struct transcript *t)
{
	struct arena arena = t->arena;

	arena_clear(&arena);
	free(t);
}
