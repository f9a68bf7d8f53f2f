/* SPDX-License-Identifier: MIT */
/*
 * The editor's lines: cut out of the octets as they come, changed, put together again. What a
 * change does to the header section is in edit_header.c, flipped bits are in edit_window.c.
 */
#include "proxy/rules/edit.h"

#include <stdlib.h>

#include "decoders/message/dkim.h"
#include "decoders/smtp/line.h"

struct editor *
editor_new(const struct rules_state *state, uint32_t max_line, bool by_data)
{
	struct editor *e = calloc(1, sizeof *e);

	if (e == NULL)
		abort();
	e->state = state;
	e->max_line = max_line;
	e->by_data = by_data;
	e->line_start = e->out_start = e->in_header = true;
	return e;
}

void
editor_free(struct editor *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->count; i++)
		free(e->edits[i].field.at);
	free(e->edits);
	free(e->line.at);
	free(e->name.at);
	free(e->changed_names.at);
	free(e->window.at);
	free(e);
}

void
edit_octets_add(struct octets *octets, struct view more)
{
	if (octets->room - octets->len < more.len) {
		octets->room = 2 * (octets->len + more.len);
		octets->at = realloc(octets->at, octets->room);
		if (octets->at == NULL)
			abort();
	}
	if (more.len > 0)
		memcpy(octets->at + octets->len, more.at, more.len);
	octets->len += more.len;
}

void
editor_add(struct editor *e, const struct step *step)
{
	struct edit *edit;

	e->edits = realloc(e->edits, (e->count + 1) * sizeof *e->edits);
	if (e->edits == NULL)
		abort();
	edit = &e->edits[e->count++];
	*edit = (struct edit){.action = step->edit, .seed = step->seed};
	edit_octets_add(&edit->field, step->octets);
	e->windowed = e->windowed || step->edit->type == ACTION_CORRUPT;
}

/*
 * Octets on their way out, transparency and all. New: none of them came like this, so that it
 * is here that a dot at a line's start is doubled; but not where it was put there raw.
 */
void
edit_put(struct editor *e, const struct edit_line *line, struct text *out)
{
	struct view text = line->text, end = line->end;
	bool dot = text.len > 0 && text.at[0] == '.';

	if (e->by_data && e->out_start && (line->changed ? dot && !line->raw : dot || line->dotted))
		text_put(out, VIEW("."));
	text_put(out, text);
	text_put(out, end);
	if (text.len + end.len == 0)
		return;
	/* A CR that what is changed ends in makes a CRLF of a bare LF. */
	e->out_start = end.len == 2 || (end.len == 1 && text.len > 0 && text.at[text.len - 1] == '\r');
	e->out_inside = end.len == 0 && text.at[text.len - 1] != '\n';
}

/* A string with line ends in it is for who knows what goes on the wire. */
static bool
is_raw(struct view text)
{
	return text.len > 0 && (memchr(text.at, '\r', text.len) != NULL || memchr(text.at, '\n', text.len) != NULL);
}

void
edit_replace(struct editor *e, const struct edit *edit, struct edit_line *line, struct arena *arena)
{
	struct text out = TEXT_IN(arena);
	struct view text;
	bool at_start;

	if (replace_in_line(edit->action, e->state->user, line->text, &out, &at_start) == 0)
		return;
	text = text_done(&out);
	if (view_equal(text, line->text))
		return;
	line->raw = line->raw || (at_start && is_raw(edit->action->text_new));
	line->text = text;
	line->changed = true;
}

static void
body_line(struct editor *e, struct edit_line *line, struct text *out)
{
	for (size_t i = 0; i < e->count; i++)
		if (e->edits[i].action->type == ACTION_REPLACE)
			edit_replace(e, &e->edits[i], line, out->arena);
	e->body_changed = e->body_changed || line->changed;
	edit_put(e, line, out);
}

/* A line that is whole, or the last one of the content without a line end. */
static void
take_line(struct editor *e, struct view wire, struct text *out)
{
	struct edit_line line = {.dotted = e->by_data && e->line_start && wire.len > 0 && wire.at[0] == '.'};
	struct view stored = view_from(wire, line.dotted);

	line.text = smtp_line_text(stored);
	line.end = view_from(stored, line.text.len);
	e->line_start = line.end.len == 2;
	if (!e->in_header || !edit_header_line(e, &line, out))
		body_line(e, &line, out);
}

/* A part of a line that is too long: it goes on as it is. */
static void
pass(struct editor *e, struct view part, struct text *out)
{
	bool cr = part.len > 1 ? part.at[part.len - 2] == '\r' : e->after_cr;

	text_put(out, part);
	e->after_cr = part.at[part.len - 1] == '\r';
	if (part.at[part.len - 1] != '\n') {
		e->out_inside = true;
		return;
	}
	e->passing = e->out_inside = false;
	e->line_start = e->out_start = cr;
}

static void
begin_to_pass(struct editor *e, struct text *out)
{
	struct view start = {e->line.at, e->line.len};

	/* It may be the first line that is no field. */
	if (e->in_header)
		edit_header_pass(e, view_from(start, e->by_data && e->line_start && *start.at == '.'), out);
	e->long_lines++;
	e->passing = true;
	e->line.len = 0;
	pass(e, start, out);
}

static void
take_part(struct editor *e, struct view part, struct text *out)
{
	bool whole = part.at[part.len - 1] == '\n';

	if (e->passing) {
		pass(e, part, out);
		return;
	}
	if (whole && e->line.len == 0 && part.len <= e->max_line) {
		take_line(e, part, out);
		return;
	}
	edit_octets_add(&e->line, part);
	if (e->line.len > e->max_line) {
		begin_to_pass(e, out);
	} else if (whole) {
		take_line(e, (struct view){e->line.at, e->line.len}, out);
		e->line.len = 0;
	}
}

struct view
editor_feed(struct editor *e, struct view octets, struct arena *arena)
{
	struct text out = TEXT_IN(arena);

	while (octets.len > 0) {
		const char *lf = memchr(octets.at, '\n', octets.len);
		struct view part = view_first(octets, lf != NULL ? (size_t)(lf - octets.at) + 1 : octets.len);

		octets = view_from(octets, part.len);
		take_part(e, part, &out);
	}
	return edit_window(e, text_done(&out), false, arena);
}

struct view
editor_flush(struct editor *e, struct arena *arena)
{
	return edit_window(e, VIEW(""), true, arena);
}

struct view
editor_finish(struct editor *e, struct arena *arena)
{
	struct text out = TEXT_IN(arena);

	if (e->line.len > 0)
		take_line(e, (struct view){e->line.at, e->line.len}, &out);
	e->line.len = 0;
	if (e->in_header)
		edit_header_ends(e, &out);
	return edit_window(e, text_done(&out), true, arena);
}

bool
editor_has_changed(const struct editor *e)
{
	return e->body_changed || e->changed_names.len > 0 || e->flipped;
}

bool
editor_breaks_signature(const struct editor *e, struct view header)
{
	struct view names = {e->changed_names.at, e->changed_names.len};

	if (e->body_changed || e->flipped)
		return dkim_is_signed(header);
	while (names.len > 0) {
		struct view name = view_first(names, (size_t)((const char *)memchr(names.at, '\n', names.len) - names.at));

		if (dkim_covers(header, name))
			return true;
		names = view_from(names, name.len + 1);
	}
	return false;
}

uint64_t
editor_long_lines(const struct editor *e)
{
	return e->long_lines;
}

struct view
editor_preview(const struct rules_state *state, const struct step *step, struct view header, struct arena *arena)
{
	struct editor *e = editor_new(state, UINT32_MAX, false);
	struct text out = TEXT_IN(arena);

	editor_add(e, step);
	text_put(&out, editor_feed(e, header, arena));
	text_put(&out, editor_finish(e, arena));
	editor_free(e);
	return text_done(&out);
}
