/* SPDX-License-Identifier: MIT */
/*
 * add, set, remove in the header section, as its fields pass. A field is its first line and the
 * folded ones behind it (RFC 5322 2.2.3): what is decided at the first holds for all of them.
 */
#include "decoders/message/header.h"
#include "proxy/rules/edit.h"

#define CHANGED_NAMES_MAX 65536u

static struct view
held(const struct octets *octets)
{
	return (struct view){octets->at, octets->len};
}

static void
has_changed(struct editor *e, struct view name)
{
	/* What a signature covers is no longer told apart where a rule changes thousands. */
	if (e->changed_names.len + name.len >= CHANGED_NAMES_MAX) {
		e->body_changed = true;
		return;
	}
	edit_octets_add(&e->changed_names, name);
	edit_octets_add(&e->changed_names, VIEW("\n"));
}

static bool
is_named(const struct edit *edit, struct view name)
{
	return view_equal_nocase(edit->action->field_name, name);
}

/* What the edits from that one on make of a field's first line. False: it is gone. */
static bool
edit_field(struct editor *e, size_t from, struct edit_line *line, struct arena *arena)
{
	struct view name = header_line_name(line->text);

	for (size_t i = from; i < e->count; i++) {
		struct edit *edit = &e->edits[i];

		if (edit->action->type == ACTION_REPLACE) {
			edit_replace(e, edit, line, arena);
			name = header_line_name(line->text);
			continue;
		}
		if (edit->action->type != ACTION_HEADER || edit->action->header == HEADER_ADD || !is_named(edit, name))
			continue;
		if (edit->action->header == HEADER_REMOVE || edit->found)
			return false;
		edit->found = true;
		line->text = held(&edit->field);
		line->changed = true;
		/* The new one has its own folded lines. */
		e->dropped = true;
	}
	return true;
}

static void
field_begins(struct editor *e, struct edit_line *line, struct text *out)
{
	struct view name = header_line_name(line->text);

	e->name.len = 0;
	edit_octets_add(&e->name, name);
	e->in_field = true;
	e->dropped = false;
	if (!edit_field(e, 0, line, out->arena)) {
		e->dropped = true;
		has_changed(e, held(&e->name));
		return;
	}
	if (line->changed)
		has_changed(e, held(&e->name));
	edit_put(e, line, out);
}

static void
field_goes_on(struct editor *e, struct edit_line *line, struct text *out)
{
	if (e->dropped)
		return;
	for (size_t i = 0; i < e->count; i++)
		if (e->edits[i].action->type == ACTION_REPLACE)
			edit_replace(e, &e->edits[i], line, out->arena);
	if (line->changed)
		has_changed(e, held(&e->name));
	edit_put(e, line, out);
}

void
edit_header_ends(struct editor *e, struct text *out)
{
	e->in_header = false;
	for (size_t i = 0; i < e->count; i++) {
		struct edit *edit = &e->edits[i];
		struct edit_line line = {.text = held(&edit->field), .end = VIEW("\r\n"), .changed = true};

		if (edit->action->type != ACTION_HEADER || edit->action->header == HEADER_REMOVE ||
		    (edit->action->header == HEADER_SET && edit->found))
			continue;
		edit->found = true;
		/* A field that a later edit takes away again was never there. */
		if (!edit_field(e, i + 1, &line, out->arena))
			continue;
		has_changed(e, edit->action->field_name);
		if (e->out_inside)
			text_put(out, VIEW("\r\n"));
		e->out_inside = false;
		edit_put(e, &line, out);
	}
}

bool
edit_header_line(struct editor *e, struct edit_line *line, struct text *out)
{
	bool folded = line->text.len > 0 && (line->text.at[0] == ' ' || line->text.at[0] == '\t');

	if (folded && e->in_field) {
		field_goes_on(e, line, out);
	} else if (header_line_name(line->text).at != NULL) {
		field_begins(e, line, out);
	} else {
		edit_header_ends(e, out);
		return false;
	}
	return true;
}

void
edit_header_pass(struct editor *e, struct view start, struct text *out)
{
	bool folded = start.len > 0 && (start.at[0] == ' ' || start.at[0] == '\t');

	if (folded && e->in_field)
		return;
	e->dropped = false;
	e->in_field = header_line_name(start).at != NULL;
	e->name.len = 0;
	edit_octets_add(&e->name, header_line_name(start));
	if (!e->in_field)
		edit_header_ends(e, out);
}
