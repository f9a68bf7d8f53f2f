/* SPDX-License-Identifier: MIT */
/*
 * corrupt in content: bits flipped among the first octets of a message. How long it will be is
 * not known before it is over, so that as much of it waits as the window holds, or its first
 * chunk, if that is shorter. Line ends stay and none is made, and dots at the start of lines
 * are left alone: where the content ends does not change.
 */
#include "proxy/rules/edit.h"

/* One number after the other out of a seed (SplitMix64). */
static uint64_t
next_number(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool
is_line_end(char octet)
{
	return octet == '\r' || octet == '\n';
}

/* Whether an octet stands where a dot would mean something. */
static bool
is_at_start(const struct editor *e, size_t at)
{
	return e->by_data && (at == 0 || e->window.at[at - 1] == '\n');
}

static bool
may_flip(const struct editor *e, size_t at, unsigned char bit)
{
	char octet = e->window.at[at];

	return !is_line_end(octet) && !is_line_end((char)(octet ^ bit)) && !is_at_start(e, at);
}

/* Flips a bit that was not flipped before: this one, or the next that may be. False: there is none. */
static bool
flip(struct editor *e, unsigned char *flipped, uint64_t place)
{
	size_t len = e->window.len;

	for (size_t tried = 0; tried < len * 8; tried++, place++) {
		size_t at = (size_t)(place / 8 % len);
		unsigned char bit = (unsigned char)(1u << place % 8);

		if ((flipped[at] & bit) || !may_flip(e, at, bit))
			continue;
		e->window.at[at] = (char)(e->window.at[at] ^ bit);
		flipped[at] |= bit;
		return true;
	}
	return false;
}

static void
flip_all(struct editor *e, struct arena *arena)
{
	unsigned char *flipped = arena_take(arena, e->window.len);

	memset(flipped, 0, e->window.len);
	for (size_t i = 0; i < e->count; i++) {
		struct edit *edit = &e->edits[i];

		if (edit->action->type != ACTION_CORRUPT)
			continue;
		for (uint64_t n = 0; n < edit->action->number; n++) {
			if (!flip(e, flipped, next_number(&edit->seed) % ((uint64_t)e->window.len * 8)))
				break;
			e->flipped = true;
		}
	}
}

struct view
edit_window(struct editor *e, struct view octets, bool over, struct arena *arena)
{
	struct view part;
	struct text out = TEXT_IN(arena);

	if (!e->windowed || e->window_over)
		return octets;
	part = view_first(octets, EDITOR_WINDOW - e->window.len);
	edit_octets_add(&e->window, part);
	if (e->window.len == 0 || (!over && e->window.len < EDITOR_WINDOW))
		return VIEW("");
	flip_all(e, arena);
	text_put(&out, (struct view){e->window.at, e->window.len});
	text_put(&out, view_from(octets, part.len));
	e->window.len = 0;
	e->window_over = true;
	return text_done(&out);
}
