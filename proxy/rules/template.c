/* SPDX-License-Identifier: MIT */
/* Strings with fields in them, filled in. What peers sent cannot end a line: CR and LF become SP. */
#include "proxy/rules/judging.h"

struct view
template_fill(struct judging *j, const struct template *template, bool masked)
{
	struct view *fields = arena_take(j->arena, template->count * sizeof *fields);
	size_t len = 0;
	char *at, *end;

	for (size_t i = 0; i < template->count; i++) {
		const struct template_piece *piece = &template->pieces[i];

		fields[i] = piece->has_field ? field_text(j, &piece->field, masked) : VIEW("");
		len += piece->literal.len + fields[i].len;
	}
	end = at = arena_take(j->arena, len + 1);
	for (size_t i = 0; i < template->count; i++) {
		struct view literal = template->pieces[i].literal;

		memcpy(end, literal.at, literal.len);
		end += literal.len;
		for (size_t k = 0; k < fields[i].len; k++) {
			char c = fields[i].at[k];

			*end++ = c == '\r' || c == '\n' ? ' ' : c;
		}
	}
	*end = '\0';
	return (struct view){at, len};
}
