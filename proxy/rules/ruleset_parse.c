/* SPDX-License-Identifier: MIT */
/*
 * The top of the grammar: files and rules, and how an error is gone over. A rule's parts
 * each begin with a word of their own; behind an error the parser goes on at the next line
 * that begins with one, so that one slip is one message.
 */
#include <stdlib.h>

#include "proxy/near.h"
#include "proxy/rules/parser.h"
#include "proxy/rules/siphash.h"

/* Parts of a rule in their order. */
enum stage { STAGE_ON, STAGE_WHEN, STAGE_DOSE, STAGE_EXPECT, STAGE_ACTION, STAGE_NONE };

static enum stage
stage_of(const struct token *token)
{
	if (token->type != TOKEN_WORD)
		return STAGE_NONE;
	if (view_equal(token->text, VIEW("on")))
		return STAGE_ON;
	if (view_equal(token->text, VIEW("when")))
		return STAGE_WHEN;
	if (language_dose(token->text) >= 0)
		return STAGE_DOSE;
	if (view_equal(token->text, VIEW("expect")))
		return STAGE_EXPECT;
	return language_action(token->text) >= 0 ? STAGE_ACTION : STAGE_NONE;
}

/* A rule's head, unmistakable: the word "rule", and a name. */
static bool
at_rule(const struct parser *p)
{
	return parser_is_word(p, "rule") && parser_ahead(p, 1)->type == TOKEN_STRING;
}

static void
add_parts(struct names *names)
{
	names_add(names, "on");
	names_add(names, "when");
	names_add(names, "expect");
	names_add_views(names, language_doses, DOSE_COUNT);
	names_add_actions(names);
}

/* A word at a line's start that was meant to begin a part: its error is worth telling too. */
static bool
nearly_part(const struct token *token)
{
	struct names names = {.count = 0};

	if (token->type != TOKEN_WORD || language_field(token->text) >= 0)
		return false;
	add_parts(&names);
	return near_word(token->text, names.at, names.count) != NULL && !view_equal(token->text, VIEW("or")) &&
	    !view_equal(token->text, VIEW("not")) && !view_equal(token->text, VIEW("in"));
}

bool
parser_at_clause(const struct parser *p)
{
	const struct token *token = parser_token(p);

	return (token->first && (stage_of(token) != STAGE_NONE || nearly_part(token))) || at_rule(p);
}

static void
go_over(struct parser *p)
{
	p->failed = true;
	while (!parser_is(p, TOKEN_END) && !parser_is(p, TOKEN_RBRACE) && !parser_at_clause(p))
		parser_take(p);
}

static void
unknown_part(struct parser *p)
{
	const struct token *token = parser_token(p);
	struct names names = {.count = 0};

	if (p->stage == STAGE_ON && p->has_on && token->type == TOKEN_WORD &&
	    (language_place(token->text) >= 0 || smtp_verb_find(token->text) != SMTP_VERB_UNKNOWN)) {
		parser_error(p, token->at, "expected \",\" between two places");
		p->place_unknown = true;
		parser_take(p);
		go_over(p);
		return;
	}
	add_parts(&names);
	parser_expected_one(p, p->stage < STAGE_ACTION ? "`when`, a dose, `expect` or an action such as reply" :
	    "an action such as reply, or }", &names);
	parser_take(p);
	go_over(p);
}

static bool
parse_on(struct parser *p)
{
	const struct token *word = parser_take(p);

	if (p->has_on)
		parser_error(p, word->at, "a rule has one `on`: name further places behind a comma");
	p->has_on = true;
	return parse_places(p);
}

static bool
parse_when(struct parser *p)
{
	const struct token *word = parser_take(p);
	struct expr *when;

	if (p->has_when)
		parser_error(p, word->at, "a rule has one `when`: join the conditions by `and`");
	p->has_when = true;
	p->depth = 0;
	when = parse_expr(p);
	p->rule.when = when;
	return when != NULL;
}

static void
parse_part(struct parser *p)
{
	const struct token *word = parser_token(p);
	enum stage stage = stage_of(word);
	bool good = false;

	if (!p->has_on && stage != STAGE_ON && p->stage == STAGE_ON) {
		parser_error(p, word->at, "expected `on` and a place before \"%.*s\"", SOURCE_SHOWN(word->len), word->text.at);
		p->place_unknown = true;
	} else if (stage < p->stage) {
		parser_error(p, word->at, "\"%.*s\" stands too late: a rule is on, when, doses, expect, actions, in this "
		    "order", SOURCE_SHOWN(word->len), word->text.at);
	}
	if (stage > p->stage)
		p->stage = stage;
	switch (stage) {
	case STAGE_ON:
		good = parse_on(p);
		break;
	case STAGE_WHEN:
		good = parse_when(p);
		break;
	case STAGE_DOSE:
		good = parse_dose(p);
		break;
	case STAGE_EXPECT:
		good = parse_expect(p);
		break;
	case STAGE_ACTION:
		good = parse_action(p);
		break;
	case STAGE_NONE:
		break;
	}
	if (!good)
		go_over(p);
}

/* The rule's name: it is told apart by it, over all files. */
static void
take_name(struct parser *p, const struct token *token)
{
	struct rule *rule = &p->rule;

	rule->name_view = arena_copy(&p->rules->arena, token->text);
	rule->name = rule->name_view.at;
	rule->origin = token->at;
	if (token->text.len == 0)
		parser_error(p, token->at, "a rule's name cannot be empty");
	for (size_t i = 0; i < token->text.len; i++)
		if ((unsigned char)token->text.at[i] < ' ' || token->text.at[i] == 0x7f) {
			parser_error(p, token_origin(p->source, token, i), "no control characters in a rule's name");
			return;
		}
	for (size_t i = 0; i < p->rules->count; i++) {
		const struct rule *other = &p->rules->rules[i];

		if (token->text.len > 0 && view_equal(other->name_view, rule->name_view)) {
			parser_error(p, token->at, "this name is taken by the rule at %s: expected another", other->at);
			return;
		}
	}
}

static void
add_rule(struct parser *p)
{
	struct ruleset *rules = p->rules;

	if (rules->count == rules->size) {
		rules->size = rules->size == 0 ? 16 : rules->size * 2;
		rules->rules = realloc(rules->rules, rules->size * sizeof *rules->rules);
		if (rules->rules == NULL)
			abort();
	}
	rules->rules[rules->count++] = p->rule;
}

static void
begin_rule(struct parser *p, const struct token *word)
{
	memset(&p->rule, 0, sizeof p->rule);
	p->rule.name = "";
	p->rule.name_view = VIEW("");
	p->rule.file = p->file;
	p->rule.origin = word->at;
	p->rule.at = arena_printf(&p->rules->arena, "%s:%u", p->source->name, word->line).at;
	p->uses = NULL;
	p->uses_end = &p->uses;
	p->action_origins = NULL;
	p->stage = STAGE_ON;
	p->has_on = p->has_when = p->place_unknown = p->failed = false;
}

static void
end_rule(struct parser *p, size_t errors)
{
	bool whole = !p->failed && p->source->errors == errors;

	if (!p->has_on && p->stage == STAGE_ON && whole)
		parser_error(p, p->rule.origin, "this rule stands nowhere: expected `on` and a place");
	else if (p->rule.action_count == 0 && p->rule.expect == EXPECT_NONE && whole)
		parser_error(p, p->rule.origin, "this rule does nothing: expected an action, or `expect`");
	check_rule(p);
	add_rule(p);
}

/* At the word "rule". */
static void
parse_rule(struct parser *p)
{
	const struct token *word = parser_take(p);
	size_t errors = p->source->errors;

	begin_rule(p, word);
	if (parser_is(p, TOKEN_STRING))
		take_name(p, parser_take(p));
	else if (!parser_expected(p, "the rule's name in double quotes") && parser_is(p, TOKEN_WORD))
		parser_take(p);
	if (!parser_accept(p, TOKEN_LBRACE)) {
		parser_expected(p, "{");
		go_over(p);
	}
	while (!parser_is(p, TOKEN_RBRACE)) {
		if (parser_is(p, TOKEN_END) || at_rule(p)) {
			/* A string without an end has perhaps swallowed the brace; it was told of. */
			if (p->tokens.open <= word->at)
				parser_error(p, p->rule.origin, "this rule does not end: expected } %s",
				    parser_is(p, TOKEN_END) ? "before the end of the file" : "before the next rule");
			end_rule(p, errors);
			return;
		}
		if (stage_of(parser_token(p)) == STAGE_NONE)
			unknown_part(p);
		else
			parse_part(p);
	}
	p->rule.text_hash = siphash(0, 0, (struct view){p->source->text + word->at, parser_token(p)->at - word->at});
	parser_take(p);
	end_rule(p, errors);
}

static void
parse_file(struct parser *p)
{
	struct names names = {.count = 0};

	names_add(&names, "rule");
	while (!parser_is(p, TOKEN_END)) {
		const struct token *token = parser_token(p);
		bool meant = token->type == TOKEN_WORD && parser_ahead(p, 1)->type == TOKEN_STRING &&
		    parser_ahead(p, 2)->type == TOKEN_LBRACE;

		if (parser_is_word(p, "rule")) {
			parse_rule(p);
			continue;
		}
		parser_expected_one(p, "rule \"name\" { ... }", &names);
		if (meant) {    /* "Rule", "rules": what follows is worth reading */
			parse_rule(p);
			continue;
		}
		do
			parser_take(p);
		while (!parser_is(p, TOKEN_END) && !parser_is_word(p, "rule"));
	}
}

static void
parse_source(struct ruleset *rules, struct source *source, size_t file)
{
	struct parser p = {.source = source, .file = file, .rules = rules};
	size_t before = rules->count;

	if (source->refusal != NULL)
		return;
	lexer_run(source, &rules->arena, &p.tokens);
	if (!p.tokens.binary) {
		parse_file(&p);
		if (rules->count == before && source->errors == 0)
			source_warn(source, SOURCE_WHOLE, "this file has no rules");
	}
	free(p.tokens.at);
}

/* A tag that is asked for and never given makes a condition that is never true. */
static void
check_tags(const struct ruleset *rules, struct source *sources)
{
	struct names names = {.count = 0};

	for (size_t i = 0; i < rules->tag_count; i++)
		if (rules->tags[i].set)
			names_add(&names, rules->tags[i].word.at);
	for (size_t i = 0; i < rules->tag_count; i++) {
		const struct tag_word *tag = &rules->tags[i];
		const char *near;

		if (!tag->read || tag->set)
			continue;
		near = near_word(tag->word, names.at, names.count);
		source_warn(&sources[tag->file], tag->origin, "no rule sets the tag \"%.*s\"%s%s%s", SOURCE_SHOWN(tag->word.len),
		    tag->word.at, near != NULL ? " (did you mean " : "", near != NULL ? near : "",
		    near != NULL ? "?)" : "");
	}
}

struct ruleset *
ruleset_parse(struct source *sources, size_t count)
{
	struct ruleset *rules = calloc(1, sizeof *rules);
	size_t errors = 0;

	if (rules == NULL)
		abort();
	arena_init(&rules->arena);
	for (size_t i = 0; i < count; i++)
		parse_source(rules, &sources[i], i);
	check_tags(rules, sources);
	for (size_t i = 0; i < count; i++)
		errors += sources[i].errors;
	if (errors == 0)
		check_reach(rules, sources);
	if (errors > 0) {
		ruleset_free(rules);
		return NULL;
	}
	ruleset_index(rules);
	return rules;
}
