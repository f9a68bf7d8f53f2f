/* SPDX-License-Identifier: MIT */
/*
 * Command lines taken apart. Lenient as servers are, and a little more: a space behind
 * "FROM:", a path without brackets or with one alone are seen in the wild (RFC 5321
 * section 4.1.1.2 has none of them), and what a server refuses is to be shown all the same.
 */
#include "decoders/smtp/command.h"

/* A mechanism's name has 20 characters at most (RFC 4422 3.1). */
#define MECHANISM_MAX  20

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct view
skip_spaces(struct view v)
{
	size_t n = 0;

	while (n < v.len && is_space(v.at[n]))
		n++;
	return view_from(v, n);
}

/* Takes the next word off *rest, and the white space in front of it; empty: there is none. */
static struct view
next_word(struct view *rest)
{
	struct view word = skip_spaces(*rest);
	size_t      n = 0;

	while (n < word.len && !is_space(word.at[n]))
		n++;
	*rest = view_from(word, n);
	return view_first(word, n);
}

/*
 * The length of what stands before one of the two octets, not counting those in a quoted
 * string (RFC 5321 4.1.2), or v.len if neither is there.
 */
static size_t
unquoted_length(struct view v, char stop, char other)
{
	bool   quoted = false;
	size_t n;

	for (n = 0; n < v.len; n++) {
		if (quoted && v.at[n] == '\\')
			n++;
		else if (v.at[n] == '"')
			quoted = !quoted;
		else if (!quoted && (v.at[n] == stop || v.at[n] == other))
			return n;
	}
	return v.len;
}

/* As above, but where a quotation is never closed its octets are ordinary ones. Few paths have any. */
static size_t
path_length(struct view v, char stop, char other)
{
	const char *end = v.len > 0 ? memchr(v.at, stop, v.len) : NULL;
	size_t n = end != NULL ? (size_t)(end - v.at) : 0;

	if (end != NULL && (n == 0 || (memchr(v.at, '"', n) == NULL && memchr(v.at, other, n) == NULL)))
		return n;
	n = unquoted_length(v, stop, other);

	if (n == v.len) {
		for (n = 0; n < v.len; n++)
			if (v.at[n] == stop || v.at[n] == other)
				break;
	}
	return n;
}

/* Takes the path off the argument of MAIL or RCPT; .at NULL: there is none. */
static struct view
take_path(struct view *rest)
{
	struct view path;
	size_t      n;

	if (rest->len == 0)
		return VIEW_NONE;
	if (*rest->at == '<') {
		path = view_from(*rest, 1);
		n = path_length(path, '>', '<');
		if (n < path.len && path.at[n] == '>') {
			*rest = view_from(path, n + 1);
			return view_first(path, n);
		}
		*rest = path;
	}
	/* A bracket is missing: the path ends at the first space. */
	n = path_length(*rest, ' ', '\t');
	path = view_first(*rest, n);
	*rest = view_from(*rest, n);
	if (path.len > 0 && path.at[path.len - 1] == '>')
		path.len--;
	return path;
}

/* The part of a MAIL command that names who authenticated (RFC 4954 5): every AUTH= but "<>". */
static struct view
mail_secret(struct view rest)
{
	struct smtp_param param;
	struct view       secret = VIEW_NONE;

	while (smtp_param_next(&rest, &param)) {
		if (!view_equal_nocase(param.name, VIEW("AUTH")) || param.value.len == 0 ||
		    view_equal(param.value, VIEW("<>")))
			continue;
		if (secret.at == NULL)
			secret = param.value;
		secret.len = (size_t)(param.value.at + param.value.len - secret.at);
	}
	return secret;
}

/* MAIL and RCPT: "FROM:" or "TO:", a path, parameters. */
static void
parse_path(struct smtp_command *command, struct view start)
{
	struct view rest = skip_spaces(command->argument);

	if (view_starts_nocase(rest, start)) {
		struct view behind = skip_spaces(view_from(rest, start.len));

		if (behind.len > 0 && *behind.at == ':') {
			rest = skip_spaces(view_from(behind, 1));
			command->address = take_path(&rest);
			command->params = skip_spaces(rest);
		}
	}
	if (command->verb == SMTP_MAIL)
		command->secret = mail_secret(
		    command->params.at != NULL ? command->params : command->argument);
}

/* BDAT: a count, and LAST. Only a wrong count makes it unknown how many octets follow. */
static void
parse_chunk(struct smtp_command *command)
{
	struct view rest = command->argument, count = next_word(&rest);
	uint64_t    chunk = 0;

	for (size_t i = 0; i < count.len; i++) {
		unsigned digit = (unsigned char)count.at[i] - (unsigned)'0';

		if (digit > 9 || chunk > (UINT64_MAX - digit) / 10)
			return;
		chunk = chunk * 10 + digit;
	}
	if (count.len == 0)
		return;
	command->chunk = chunk;
	command->chunk_valid = true;
	command->chunk_last = view_equal_nocase(next_word(&rest), VIEW("LAST"));
}

static bool
is_mechanism(struct view word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '-' || c == '_'))
			return false;
	}
	return word.len > 0 && word.len <= MECHANISM_MAX;
}

/*
 * AUTH: a mechanism and perhaps an initial response (RFC 4954 4), "=" for one of no octets.
 * Where the first word is no mechanism's name it may be credentials in the wrong place.
 */
static void
parse_auth(struct smtp_command *command)
{
	struct view rest = command->argument, word = next_word(&rest), behind;

	if (!is_mechanism(word)) {
		if (word.len > 0)
			command->secret = skip_spaces(command->argument);
		return;
	}
	command->mechanism = word;
	behind = skip_spaces(rest);
	if (behind.len == 0)
		return;
	rest = behind;
	word = next_word(&rest);
	if (word.len == behind.len && view_equal(word, VIEW("="))) {
		command->initial = view_from(word, 1);
		return;
	}
	command->initial = word;
	command->secret = behind;
}

void
smtp_command_parse(struct view line, struct smtp_command *command)
{
	struct view rest = line;

	*command = (struct smtp_command){.line = line};
	command->name = next_word(&rest);
	command->argument = view_from(rest, 1);
	command->verb = smtp_verb_find(command->name);

	switch (command->verb) {
	case SMTP_MAIL:
		parse_path(command, VIEW("FROM"));
		break;
	case SMTP_RCPT:
		parse_path(command, VIEW("TO"));
		break;
	case SMTP_BDAT:
		parse_chunk(command);
		break;
	case SMTP_AUTH:
		parse_auth(command);
		break;
	default:
		break;
	}
}

bool
smtp_param_next(struct view *rest, struct smtp_param *param)
{
	struct view word = next_word(rest);
	const char *equals;

	if (word.len == 0)
		return false;
	param->name = word;
	param->value = VIEW_NONE;
	equals = memchr(word.at, '=', word.len);
	if (equals != NULL) {
		param->name.len = (size_t)(equals - word.at);
		param->value = view_from(word, param->name.len + 1);
	}
	return true;
}

struct view
smtp_mailbox_domain(struct view mailbox)
{
	for (size_t n = mailbox.len; n > 0; n--)
		if (mailbox.at[n - 1] == '@')
			return view_from(mailbox, n);
	return VIEW_NONE;
}
