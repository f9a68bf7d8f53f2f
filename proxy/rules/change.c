/* SPDX-License-Identifier: MIT */
/*
 * set and replace: the unit rewritten, its line ends kept, and the facts read anew from it,
 * so that the next action and the next rule see it as it is now.
 */
#include "decoders/smtp/line.h"
#include "proxy/rules/judging.h"
#include "proxy/rules/replace.h"
#include "proxy/rules/state.h"

/* The command line is these three parts now (without its line end, which stays). */
static void
change_command(struct judging *j, struct view a, struct view b, struct view c)
{
	struct smtp_command *command = &j->facts.command;
	bool secret = command->verb == SMTP_VERB_UNKNOWN && command->secret.at != NULL;
	struct text unit = TEXT_IN(j->arena);
	struct view line;

	text_put(&unit, a);
	text_put(&unit, b);
	text_put(&unit, c);
	line.len = unit.len;
	text_put(&unit, view_from(j->unit, smtp_line_text(j->unit).len));
	j->unit = text_done(&unit);
	j->changed = true;
	line.at = j->unit.at;
	smtp_command_parse(line, command);
	/* What came as credentials in a line of its own is none the less so for being changed. */
	if (secret && command->verb == SMTP_VERB_UNKNOWN)
		command->secret = line;
	j->facts.verb = command->verb;
	if (command->verb == SMTP_MAIL)
		j->facts.sender = command->address;
	if (command->verb == SMTP_RCPT) {
		j->recipient = command->address;
		j->facts.recipients = &j->recipient;
		j->facts.recipient_count = command->address.at != NULL;
	}
}

void
change_line(struct judging *j, struct view line)
{
	change_command(j, line, VIEW(""), VIEW(""));
}

void
change_reply(struct judging *j, struct view wire)
{
	j->unit = wire;
	j->changed = true;
	j->reply_text = VIEW_NONE;
	smtp_reply_parse(wire, &j->facts.reply);
}

/* The path of MAIL or RCPT; what stands around it stays. The null path has brackets always. */
static void
set_path(struct judging *j, const char *start, struct view path)
{
	struct view line = j->facts.command.line, old = j->facts.command.address;
	struct text argument = TEXT_IN(j->arena);
	size_t before;

	if (old.at == NULL) {   /* nothing in it that could be read: FROM:<path> instead of all */
		text_put(&argument, view_of(start));
		text_put(&argument, path);
		text_put(&argument, VIEW(">"));
		change_command(j, j->facts.command.name, VIEW(" "), text_done(&argument));
		return;
	}
	before = (size_t)(old.at - line.at);
	if (path.len == 0 && (before == 0 || old.at[-1] != '<'))
		path = VIEW("<>");
	change_command(j, view_first(line, before), path, view_from(line, before + old.len));
}

static void
set_argument(struct judging *j, struct view argument)
{
	const struct smtp_command *command = &j->facts.command;
	struct view line = command->line;
	size_t verb = command->name.at != NULL ? (size_t)(command->name.at + command->name.len - line.at) : 0;

	change_command(j, view_first(line, verb), argument.len > 0 ? VIEW(" ") : VIEW(""), argument);
}

/* The three digits of every line; false where they are none. */
static void
set_code(struct judging *j, struct view code)
{
	struct view rest = j->facts.reply.wire, wire = rest;
	struct smtp_reply_line line;
	char *at;

	if (code.len != 3 || code.at[0] < '2' || code.at[0] > '5' || code.at[1] < '0' || code.at[1] > '9' ||
	    code.at[2] < '0' || code.at[2] > '9')
		return;
	at = arena_take(j->arena, wire.len + 1);
	memcpy(at, wire.at, wire.len);
	while (smtp_reply_line_next(&rest, &line))
		if (line.code != 0)
			memcpy(at + (line.wire.at - wire.at), code.at, 3);
	change_reply(j, (struct view){at, wire.len});
}

/* One line instead of all: the last one's code and line end. */
static void
set_text(struct judging *j, struct view text)
{
	struct view rest = j->facts.reply.wire, end = VIEW("\r\n");
	struct text wire = TEXT_IN(j->arena);
	struct smtp_reply_line line;

	while (smtp_reply_line_next(&rest, &line))
		end = view_from(line.wire, smtp_line_text(line.wire).len);
	text_put(&wire, arena_printf(j->arena, "%03u%s", j->facts.reply.code, text.len > 0 ? " " : ""));
	text_put(&wire, text);
	text_put(&wire, end);
	change_reply(j, text_done(&wire));
}

static void
set(struct judging *j, const struct action *action)
{
	struct view text = template_fill(j, &action->strings[0], false);
	bool command = language_sets[action->set].stands == ON_COMMAND;

	if (command ? !j->facts.has_command || j->facts.place != RULES_AT_COMMAND : !j->facts.has_reply)
		return;
	switch (action->set) {
	case SET_LINE:
		change_command(j, text, VIEW(""), VIEW(""));
		break;
	case SET_ARGUMENT:
		set_argument(j, text);
		break;
	case SET_SENDER:
		if (j->facts.command.verb == SMTP_MAIL)
			set_path(j, "FROM:<", text);
		break;
	case SET_RECIPIENT:
		if (j->facts.command.verb == SMTP_RCPT)
			set_path(j, "TO:<", text);
		break;
	case SET_REPLY_CODE:
		set_code(j, text);
		break;
	case SET_REPLY_TEXT:
		set_text(j, text);
		break;
	case SET_COUNT:
		break;
	}
}

static void
replace(struct judging *j, const struct action *action)
{
	struct text out = TEXT_IN(j->arena);
	struct smtp_reply_line line;
	struct view rest;
	bool at_start;

	if (j->facts.place == RULES_AT_COMMAND && j->facts.has_command) {
		if (replace_in_line(action, j->state->user, j->facts.command.line, &out, &at_start) == 0)
			return;
		change_command(j, text_done(&out), VIEW(""), VIEW(""));
		return;
	}
	if (!j->facts.has_reply)
		return;
	rest = j->facts.reply.wire;
	while (smtp_reply_line_next(&rest, &line)) {
		struct view text = smtp_line_text(line.wire);

		if (replace_in_line(action, j->state->user, text, &out, &at_start) == 0)
			text_put(&out, text);
		text_put(&out, view_from(line.wire, text.len));
	}
	change_reply(j, text_done(&out));
}

void
change_unit(struct judging *j, const struct action *action)
{
	if (action->type == ACTION_SET)
		set(j, action);
	else if (action->type == ACTION_REPLACE)
		replace(j, action);
	else if (action->type == ACTION_HIDE)
		change_hide(j, action->keyword);
	else if (action->type == ACTION_OFFER)
		change_offer(j, template_fill(j, &action->strings[0], true));
}
