/* SPDX-License-Identifier: MIT */
/*
 * Actions: the grammar of each, a function an action. What the words mean together (where
 * an action may stand, which codes fit) is judged when the rule is whole: check_rule.c.
 */
#include "proxy/near.h"
#include "proxy/rules/parser.h"

#define PACE_OCTETS_MOST ((uint64_t)1 << 40)    /* a second */
#define TIMES_MOST       1000u

static bool
parse_string(struct parser *p, const char *what, struct view *text)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_STRING)
		return parser_expected(p, what);
	*text = token->text;
	parser_take(p);
	return true;
}

/* A STRING in which %{field} stands for a value; the action gets one more. */
static bool
add_template(struct parser *p, struct action *action, const char *what)
{
	const struct token *token = parser_token(p);
	struct template *template;

	if (token->type != TOKEN_STRING)
		return parser_expected(p, what);
	template = parser_more(p, (void **)&action->strings, &action->string_count, sizeof *template);
	parser_take(p);
	/* Where it holds an error that is told; the action goes on behind it. */
	if (!parse_template(p, token, template))
		action->broken = true;
	return true;
}

static bool
parse_number(struct parser *p, const char *what, uint64_t *number)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_NUMBER)
		return parser_expected(p, what);
	*number = token->number;
	parser_take(p);
	return true;
}

static bool
accept_side(struct parser *p, struct action *action)
{
	static const char *const sides[] = {"client", "server"};
	const struct token *token = parser_token(p);
	const char *near;

	if (parser_accept_word(p, "client"))
		action->which = STEP_CLIENT;
	else if (parser_accept_word(p, "server"))
		action->which = STEP_SERVER;
	else if (token->type == TOKEN_WORD && !token->first && language_action(token->text) < 0 &&
	    (near = near_word(token->text, sides, 2)) != NULL)
		parser_error(p, parser_take(p)->at, "no side \"%.*s\" (did you mean %s?)", SOURCE_SHOWN(token->len), token->text.at,
		    near);
	else
		return false;
	return true;
}

static bool
parse_nothing(struct parser *p, struct action *action)
{
	(void)p;
	(void)action;
	return true;
}

static bool
parse_sided(struct parser *p, struct action *action)
{
	if (!accept_side(p, action))
		action->which = STEP_BOTH;
	return true;
}

/* CR or LF in a reply's text would make lines that nobody counted. */
static void
check_line_ends(struct parser *p, const struct token *token, const char *help)
{
	for (size_t i = 0; i < token->text.len; i++) {
		if (token->text.at[i] != '\r' && token->text.at[i] != '\n')
			continue;
		parser_error(p, token_origin(p->source, token, i), "no CR or LF in a line of a reply: %s, and for broken "
		    "replies there is `reply raw`", help);
		return;
	}
}

static bool
parse_reply(struct parser *p, struct action *action)
{
	const struct token *token;
	uint64_t code = 0;

	if (parser_accept_word(p, "raw")) {
		action->raw = true;
		return add_template(p, action, "a string: the octets, \"550 no\\r\\n\"");
	}
	token = parser_token(p);
	if (!parse_number(p, "a reply code (421) or raw", &code))
		return false;
	if (code < 200 || code > 599)
		parser_error(p, token->at, "a reply code is 200 to 599, found %.*s: others are sent by `reply raw`",
		    SOURCE_SHOWN(token->len), token->text.at);
	else
		action->code = (uint16_t)code;
	if (parser_is(p, TOKEN_ENHANCED))
		action->enhanced = arena_copy(&p->rules->arena, parser_take(p)->text);
	if (!parser_is(p, TOKEN_STRING))
		return parser_expected(p, action->enhanced.at == NULL ? "an enhanced status code (4.3.2) or a string: "
		    "the reply's text" : "a string: the reply's text");
	while (parser_is(p, TOKEN_STRING)) {
		check_line_ends(p, parser_token(p), "each further string is a further line");
		add_template(p, action, "a string");
	}
	return true;
}

static bool
parse_delay(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (token->type != TOKEN_DURATION)
		return parser_expected(p, "a duration such as 30s or 500ms");
	action->delay_low = action->delay_high = token->number;
	parser_take(p);
	if (!parser_accept(p, TOKEN_RANGE))
		return true;
	token = parser_token(p);
	if (token->type != TOKEN_DURATION)
		return parser_expected(p, "a duration, the longest delay");
	action->delay_high = token->number;
	if (action->delay_high < action->delay_low)
		parser_error(p, token->at, "this range is empty: the shorter delay stands first");
	p->rule.throws = true;
	parser_take(p);
	return true;
}

static bool
parse_throttle(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (!parser_is(p, TOKEN_NUMBER) && !parser_is(p, TOKEN_SIZE))
		return parser_expected(p, "octets a second, such as 10KiB/s");
	if (token->number == 0 || token->number > PACE_OCTETS_MOST)
		parser_error(p, token->at, token->number == 0 ? "at 0 octets a second nothing goes on: that is `hold`" :
		    "more than 1024GiB/s slows nothing");
	action->pace = (struct pace){.octets = token->number, .period_us = 1000000, .spread = true};
	parser_take(p);
	if (!parser_accept(p, TOKEN_PER_S))
		return parser_expected(p, "\"/s\" behind the size");
	if (!accept_side(p, action))
		action->which = STEP_BOTH;
	return true;
}

static bool
parse_dribble(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (!parse_number(p, "how many octets at a time", &action->pace.octets))
		return false;
	if (action->pace.octets == 0)
		parser_error(p, token->at, "with 0 octets at a time nothing goes on: that is `hold`");
	if (!parser_accept_word(p, "every"))
		return parser_expected(p, "every");
	token = parser_token(p);
	if (!parser_accept(p, TOKEN_DURATION))
		return parser_expected(p, "a duration such as 1s");
	if (token->number == 0)
		parser_error(p, token->at, "every 0s is all at once: expected a longer duration");
	action->pace.period_us = token->number;
	return true;
}

static bool
parse_truncate(struct parser *p, struct action *action)
{
	return parse_number(p, "how many octets still go on", &action->number);
}

/* repeat, corrupt: what is done a million times by one unit is a slip of the pen. */
static bool
parse_times(struct parser *p, struct action *action, const char *what, const char *none)
{
	const struct token *token = parser_token(p);

	if (!parse_number(p, what, &action->number))
		return false;
	if (action->number == 0)
		parser_warn(p, token->at, "%s", none);
	else if (action->number > TIMES_MOST)
		parser_error(p, token->at, "expected at most %u", TIMES_MOST);
	return true;
}

static bool
parse_repeat(struct parser *p, struct action *action)
{
	return parse_times(p, action, "how many times more", "repeat 0: it goes on once, as without");
}

static bool
parse_corrupt(struct parser *p, struct action *action)
{
	p->rule.throws = true;
	return parse_times(p, action, "how many bits to flip", "corrupt 0: no bit of it is flipped");
}

static bool
parse_set(struct parser *p, struct action *action)
{
	static const char what[] = "line, argument, sender, recipient, reply.code or reply.text";
	struct names names = {.count = 0};
	size_t before = p->next;
	struct view name;

	if (!parser_name(p, &name))
		return parser_expected(p, what);
	for (int i = 0; i < SET_COUNT; i++) {
		names_add(&names, language_sets[i].name.at);
		if (!view_equal(language_sets[i].name, name))
			continue;
		action->set = (enum set_what)i;
		return add_template(p, action, "a string: what it is set to");
	}
	p->next = before;
	return parser_expected_one(p, what, &names);
}

/* $3 needs three groups; a text has none. */
static void
check_groups(struct parser *p, const struct token *token, const struct action *action)
{
	uint32_t groups = action->pattern == NULL ? 0 : pattern_groups(action->pattern);

	for (size_t i = 0; i + 1 < token->text.len; i++) {
		char digit = token->text.at[i + 1];

		if (token->text.at[i] != '$' || digit < '1' || digit > '9' || (uint32_t)(digit - '0') <= groups)
			continue;
		if (action->pattern == NULL)
			parser_warn(p, token_origin(p->source, token, i), "$%c stands as it is: only a pattern "
			    "between slashes has groups", digit);
		else
			parser_error(p, token_origin(p->source, token, i), "$%c: the pattern has %u group%s", digit,
			    groups, groups == 1 ? "" : "s");
	}
}

static bool
parse_replace(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);
	size_t offset;
	char why[200];

	if (token->type == TOKEN_REGEX) {
		if (token->text.len == 0)
			parser_error(p, token->at, "an empty pattern is found everywhere: expected what to replace");
		action->pattern = pattern_new(token->text, token->caseless, &offset, why, sizeof why);
		if (action->pattern == NULL) {
			parser_error(p, token->at + 1 + offset, "this pattern cannot be used: %s", why);
			action->broken = true;
		} else {
			pattern_chain(&p->rules->patterns, action->pattern);
		}
	} else if (token->type == TOKEN_STRING) {
		action->text_old = token->text;
		if (token->text.len == 0)
			parser_error(p, token->at, "an empty string is found everywhere: expected the text to replace");
	} else {
		return parser_expected(p, "a pattern (/size=[0-9]+/i) or a string: what to replace");
	}
	parser_take(p);
	if (!parser_accept_word(p, "with"))
		return parser_expected(p, "with");
	token = parser_token(p);
	if (!parse_string(p, "a string: what stands there instead", &action->text_new))
		return false;
	if (!action->broken)
		check_groups(p, token, action);
	return true;
}

/* Registered or not, a server may offer it; but what is nearly a registered one is a slip. */
static void
check_keyword(struct parser *p, const struct token *token)
{
	const char *names[SMTP_KEYWORD_COUNT], *near;
	struct view word = token->text;
	int len = SOURCE_SHOWN(word.len);

	if (memchr(word.at, '=', word.len) != NULL)
		word.len = (size_t)((const char *)memchr(word.at, '=', word.len) - word.at);
	if (smtp_keyword_find(word) != SMTP_KEYWORD_UNKNOWN)
		return;
	for (int i = SMTP_KEYWORD_UNKNOWN + 1; i < SMTP_KEYWORD_COUNT; i++)
		names[i - 1] = smtp_keyword_entry((enum smtp_keyword)i)->name.at;
	near = near_word(word, names, SMTP_KEYWORD_COUNT - 1);
	/* Private keywords begin with X (RFC 5321 2.2.2): they may be named as they like. */
	if (near != NULL && word.at[0] != 'X' && word.at[0] != 'x')
		parser_error(p, token->at, "no EHLO keyword \"%.*s\" (did you mean %s?)", len, word.at, near);
	else if (near != NULL)
		parser_warn(p, token->at, "\"%.*s\" is no EHLO keyword that is registered (did you mean %s?)", len,
		    word.at, near);
	else if (word.at[0] != 'X' && word.at[0] != 'x')
		parser_warn(p, token->at, "\"%.*s\" is no EHLO keyword that is registered: it is hidden where a "
		    "server offers it all the same", len, word.at);
}

static bool
parse_hide(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (token->type == TOKEN_STRING)
		return parser_expected(p, "an EHLO keyword without quotes, such as CHUNKING");
	if (token->type != TOKEN_WORD)
		return parser_expected(p, "an EHLO keyword such as CHUNKING");
	action->keyword = arena_copy(&p->rules->arena, token->text);
	check_keyword(p, token);
	parser_take(p);
	return true;
}

static bool
parse_offer(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (token->type == TOKEN_WORD) {
		parser_error(p, token->at, "expected a string: offer \"%.*s\"", SOURCE_SHOWN(token->len), token->text.at);
		return false;
	}
	if (token->type == TOKEN_STRING && (token->text.len == 0 || token->text.at[0] == ' '))
		parser_error(p, token->at, "expected an EHLO keyword in the string, such as \"SIZE 1000000\"");
	else if (token->type == TOKEN_STRING)
		check_line_ends(p, token, "each further keyword is a further `offer`");
	return add_template(p, action, "a string such as \"SIZE 1000000\"");
}

/* What cannot be the name of a field (RFC 5322 3.6.8) would make a line that is none. */
static bool
parse_header_name(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);

	if (!parse_string(p, "a string: the header field's name", &action->field_name))
		return false;
	for (size_t i = 0; i < action->field_name.len; i++) {
		char c = action->field_name.at[i];

		if (c > 32 && c < 127 && c != ':')
			continue;
		parser_error(p, token_origin(p->source, token, i), "no name of a header field has this in it: expected "
		    "one such as \"X-Test\", without the colon");
		return true;
	}
	if (action->field_name.len == 0)
		parser_error(p, token->at, "expected the name of a header field, such as \"X-Test\"");
	return true;
}

static bool
parse_header(struct parser *p, struct action *action)
{
	struct names names = {.count = 0};

	names_add(&names, "add");
	names_add(&names, "set");
	names_add(&names, "remove");
	if (parser_accept_word(p, "remove"))
		action->header = HEADER_REMOVE;
	else if (parser_accept_word(p, "set"))
		action->header = HEADER_SET;
	else if (!parser_accept_word(p, "add"))
		return parser_expected_one(p, "add, set or remove", &names);
	if (!parse_header_name(p, action))
		return false;
	return action->header == HEADER_REMOVE || add_template(p, action, "a string: the header field's value");
}

static bool
parse_inject(struct parser *p, struct action *action)
{
	if (!accept_side(p, action))
		return parser_expected(p, "client or server: to whom the octets go");
	return add_template(p, action, "a string: the octets, \"NOOP\\r\\n\"");
}

static bool
parse_log(struct parser *p, struct action *action)
{
	return add_template(p, action, "a string: what to log");
}

static bool
parse_tag_word(struct parser *p, struct action *action)
{
	const struct token *token = parser_token(p);
	struct view word;

	if (!parse_string(p, "a string: the tag", &word))
		return false;
	if (word.len == 0)
		parser_error(p, token->at, "a tag is a word: expected one in the string");
	action->tag = ruleset_tag(p->rules, word);
	return true;
}

static bool
parse_tag(struct parser *p, struct action *action)
{
	const struct token *token;

	action->of_client = parser_accept_word(p, "client");
	if (!action->of_client)
		parser_accept_word(p, "session");
	if (!parse_tag_word(p, action))
		return false;
	p->rules->tags[action->tag].set = true;
	if (!parser_accept_word(p, "for"))
		return true;
	token = parser_token(p);
	if (token->type != TOKEN_DURATION)
		return parser_expected(p, "a duration such as 5m");
	if (token->number == 0)
		parser_error(p, token->at, "a tag for no time is none: expected a longer duration");
	action->tag_us = token->number;
	parser_take(p);
	return true;
}

static bool (*const grammar[ACTION_COUNT])(struct parser *p, struct action *action) = {
	[ACTION_REPLY] = parse_reply, [ACTION_DROP] = parse_nothing, [ACTION_HOLD] = parse_nothing,
	[ACTION_STOP] = parse_nothing, [ACTION_PASS] = parse_nothing, [ACTION_SAVE] = parse_nothing,
	[ACTION_CLOSE] = parse_sided, [ACTION_RESET] = parse_sided, [ACTION_DELAY] = parse_delay,
	[ACTION_THROTTLE] = parse_throttle, [ACTION_DRIBBLE] = parse_dribble, [ACTION_TRUNCATE] = parse_truncate,
	[ACTION_REPEAT] = parse_repeat, [ACTION_CORRUPT] = parse_corrupt, [ACTION_SET] = parse_set,
	[ACTION_REPLACE] = parse_replace, [ACTION_HIDE] = parse_hide, [ACTION_OFFER] = parse_offer,
	[ACTION_HEADER] = parse_header, [ACTION_INJECT] = parse_inject, [ACTION_LOG] = parse_log,
	[ACTION_TAG] = parse_tag, [ACTION_UNTAG] = parse_tag_word,
};

/* The action as it is written, white space folded to one space, comments gone. */
static const char *
written(struct parser *p, size_t from)
{
	const struct token *first = &p->tokens.at[from], *last = &p->tokens.at[p->next - 1];
	char *text = arena_take(&p->rules->arena, last->at + last->len - first->at + 1), *end = text;

	for (const struct token *token = first; token <= last; token++) {
		if (token > first && token->spaced)
			*end++ = ' ';
		memcpy(end, p->source->text + token->at, token->len);
		end += token->len;
	}
	*end = '\0';
	return text;
}

bool
parse_action(struct parser *p)
{
	size_t from = p->next, origins = p->rule.action_count;
	const struct token *word = parser_take(p);
	struct action action = {.type = (enum action_type)language_action(word->text)};
	struct rule *rule = &p->rule;

	if (!grammar[action.type](p, &action))
		return false;
	action.text = written(p, from);
	action.ordinal = (unsigned)rule->action_count;
	*(size_t *)parser_more(p, (void **)&p->action_origins, &origins, sizeof(size_t)) = word->at;
	*(struct action *)parser_more(p, (void **)&rule->actions, &rule->action_count, sizeof action) = action;
	return true;
}
