/* SPDX-License-Identifier: MIT */
/* Where a rule stands: "on" place { "," place }. A place that is wrong does not hide the next. */
#include <stdio.h>

#include "proxy/near.h"
#include "proxy/rules/parser.h"

#define PLACE_WORDS "connect, command, a verb such as RCPT, reply, reply to VERB, CONTENT, CONTENT-END, tls or close"

/* The verb of a word in upper case; SMTP_VERB_UNKNOWN: it is none. */
static enum smtp_verb
verb_of(struct view word)
{
	enum smtp_verb verb = smtp_verb_find(word);

	if (verb != SMTP_VERB_UNKNOWN && !view_equal(smtp_verb_entry(verb)->name, word))
		return SMTP_VERB_UNKNOWN;
	return verb;
}

static bool
looks_like_verb(struct view word)
{
	for (size_t i = 0; i < word.len; i++)
		if (word.at[i] >= 'a' && word.at[i] <= 'z')
			return false;
	return true;
}

/* The error for a word that is no place, no target; the word is taken. */
static void
unknown_place(struct parser *p, const struct names *names, const char *what)
{
	const struct token *token = parser_token(p);
	const char *near = near_word(token->text, names->at, names->count);
	int len = SOURCE_SHOWN(token->len);

	p->place_unknown = true;
	if (near == NULL && looks_like_verb(token->text))
		parser_error(p, token->at, "no verb \"%.*s\" is known: a command of that name is met by "
		    "`on command when verb == \"%.*s\"`", len, token->text.at, len, token->text.at);
	else if (near == NULL)
		parser_error(p, token->at, "no place \"%.*s\": expected %s", len, token->text.at, what);
	else
		parser_error(p, token->at, "no place \"%.*s\" (did you mean %s?)", len, token->text.at, near);
	parser_take(p);
}

/* "to" target: a verb, CONNECT or CONTENT. */
static bool
parse_target(struct parser *p, struct place *place)
{
	static const char what[] = "a verb such as RCPT, CONNECT or CONTENT";
	struct names names = {.count = 0};
	enum smtp_verb verb;

	if (!parser_is(p, TOKEN_WORD))
		return parser_expected(p, what);
	place->any = false;
	verb = verb_of(parser_token(p)->text);
	if (parser_is_word(p, "CONNECT")) {
		place->slot = RULES_VERB_CONNECT;
	} else if (parser_is_word(p, "CONTENT")) {
		place->slot = RULES_VERB_CONTENT;
	} else if (verb != SMTP_VERB_UNKNOWN) {
		place->slot = verb;
	} else if (parser_is_word(p, "CONTENT-END")) {
		parser_error(p, parser_token(p)->at, "the reply to the end of content is `reply to CONTENT`");
		p->place_unknown = true;
	} else {
		names_add(&names, "CONNECT");
		names_add(&names, "CONTENT");
		names_add_verbs(&names);
		unknown_place(p, &names, what);
		return true;
	}
	parser_take(p);
	return true;
}

static void
add_place(struct parser *p, const struct place *place)
{
	for (size_t i = 0; i < p->rule.place_count; i++) {
		const struct place *other = &p->rule.places[i];

		if (other->at != place->at || other->slot != place->slot || other->any != place->any)
			continue;
		parser_warn(p, place->origin, "this place is named twice");
		return;
	}
	*(struct place *)parser_more(p, (void **)&p->rule.places, &p->rule.place_count, sizeof *place) = *place;
}

static bool
parse_place(struct parser *p)
{
	const struct token *token = parser_token(p);
	struct place place = {.origin = token->at, .slot = SMTP_VERB_UNKNOWN, .any = true};
	struct names names = {.count = 0};
	enum smtp_verb verb;
	bool known = true;
	int at;

	if (token->type != TOKEN_WORD)
		return parser_expected(p, "a place: " PLACE_WORDS);
	at = language_place(token->text);
	verb = verb_of(token->text);
	if (at < 0 && verb == SMTP_VERB_UNKNOWN) {
		names_add_places(&names);
		unknown_place(p, &names, PLACE_WORDS);
		return true;
	}
	parser_take(p);
	place.at = at >= 0 ? (enum rules_place)at : RULES_AT_COMMAND;
	if (at < 0) {
		place.slot = verb;
		place.any = false;
	} else if (place.at == RULES_AT_REPLY && parser_accept_word(p, "to")) {
		known = !p->place_unknown;
		if (!parse_target(p, &place))
			return false;
		known = known == !p->place_unknown;
	}
	if (known)
		add_place(p, &place);
	return true;
}

bool
parse_places(struct parser *p)
{
	do {
		if (!parse_place(p)) {
			p->place_unknown = true;
			return false;
		}
	} while (parser_accept(p, TOKEN_COMMA));
	return true;
}
