/* SPDX-License-Identifier: MIT */
/* Strings with %{field} in them, taken to pieces when the file is loaded: nothing is parsed later. */
#include "proxy/rules/parser.h"

/* Adds literal octets to the last piece (or a first one). Pieces' literals lie in the arena. */
static void
add_literal(struct parser *p, struct template *template, struct view literal)
{
	struct template_piece *piece;
	char *both;

	if (template->count == 0 || template->pieces[template->count - 1].has_field) {
		piece = parser_more(p, (void **)&template->pieces, &template->count, sizeof *piece);
		piece->literal = arena_copy(&p->rules->arena, literal);
		return;
	}
	piece = &template->pieces[template->count - 1];
	both = arena_take(&p->rules->arena, piece->literal.len + literal.len + 1);
	memcpy(both, piece->literal.at, piece->literal.len);
	if (literal.len > 0)
		memcpy(both + piece->literal.len, literal.at, literal.len);
	piece->literal = (struct view){both, piece->literal.len + literal.len};
}

/* What stands between the braces: a name, and perhaps ["..."]. */
static bool
parse_inside(struct parser *p, const struct token *string, size_t at, struct view inside, struct field_ref *ref)
{
	const char *bracket = inside.len > 0 ? memchr(inside.at, '[', inside.len) : NULL;
	struct view name = bracket != NULL ? view_first(inside, (size_t)(bracket - inside.at)) : inside;
	struct view index = view_from(inside, name.len);
	size_t origin = token_origin(p->source, string, at), index_origin;

	memset(ref, 0, sizeof *ref);
	if (!parse_field_name(p, name, origin, ref))
		return false;
	index_origin = token_origin(p->source, string, at + name.len);
	if (language_fields[ref->field].index == INDEX_NONE) {
		if (index.len > 0)
			parser_error(p, index_origin, "%s takes no [...]", language_fields[ref->field].name.at);
		return index.len == 0;
	}
	if (index.len < 5 || index.at[1] != '"' || index.at[index.len - 2] != '"' || index.at[index.len - 1] != ']') {
		parser_error(p, origin, "expected a name in brackets and quotes: %%{%s[\\\"name\\\"]}",
		    language_fields[ref->field].name.at);
		return false;
	}
	index = (struct view){index.at + 2, index.len - 4};
	return parse_field_index(p, index, index_origin, ref);
}

/* At "%{": returns octets used, 0 where nothing can be made of it. */
static size_t
parse_reference(struct parser *p, const struct token *string, size_t at, struct template *template)
{
	struct view rest = view_from(string->text, at + 2);
	const char *end = rest.len > 0 ? memchr(rest.at, '}', rest.len) : NULL;
	struct template_piece *piece;
	struct field_ref ref;

	if (end == NULL) {
		parser_error(p, token_origin(p->source, string, at), "this %%{ has no } behind it (a percent sign is %%%%)");
		return 0;
	}
	rest.len = (size_t)(end - rest.at);
	if (parse_inside(p, string, at + 2, rest, &ref)) {
		add_literal(p, template, VIEW(""));
		piece = &template->pieces[template->count - 1];
		piece->has_field = true;
		piece->field = ref;
		parser_use(p, &ref, token_origin(p->source, string, at + 2), false);
	}
	return rest.len + 3;
}

bool
parse_template(struct parser *p, const struct token *string, struct template *template)
{
	struct view text = string->text;
	size_t start = 0, at = 0;

	memset(template, 0, sizeof *template);
	while (at < text.len) {
		size_t used = 1;

		if (text.at[at] != '%') {
			at++;
			continue;
		}
		add_literal(p, template, (struct view){text.at + start, at - start});
		if (at + 1 < text.len && text.at[at + 1] == '%') {
			add_literal(p, template, VIEW("%"));
			used = 2;
		} else if (at + 1 < text.len && text.at[at + 1] == '{') {
			used = parse_reference(p, string, at, template);
		} else {
			parser_error(p, token_origin(p->source, string, at),
			    "%% begins a field, %%{sender}: a percent sign is %%%%");
		}
		if (used == 0)
			return false;
		at += used;
		start = at;
	}
	add_literal(p, template, (struct view){text.at + start, at - start});
	return true;
}

bool
template_is_constant(const struct template *template)
{
	return template->count == 1 && !template->pieces[0].has_field;
}

struct view
template_constant(const struct template *template)
{
	return template->pieces[0].literal;
}
