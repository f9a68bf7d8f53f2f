/* SPDX-License-Identifier: MIT */
/*
 * Reads a command line by the tables of options.c, in the way of getopt_long: options and
 * operands mixed, "--" ends the options, long options may be cut short. Each complaint says
 * what was expected, or who takes the option.
 */
#include "proxy/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "decoders/findings.h"
#include "decoders/tls/hello.h"
#include "proxy/near.h"

/* getopt_long's val of an entry is this and its index: no letter is as high. */
#define FIRST_VAL 256

/* "-l, --listen", as complaints name it. */
static const char *
spelled(const struct options_entry *entry, char text[40])
{
	if (entry->letter != 0)
		snprintf(text, 40, "-%c, --%s", entry->letter, entry->name);
	else
		snprintf(text, 40, "--%s", entry->name);
	return text;
}

static bool
wrong_value(const struct options_entry *entry, const char *value, const char *expected, FILE *err)
{
	char name[40];

	fprintf(err, "smtpscope: %s: \"%s\" is not %s\n", spelled(entry, name), value, expected);
	return false;
}

/* Digits, with a fraction or without; false: there are none, or too many. *rest is behind them. */
static bool
read_digits(const char *text, uint64_t *whole, uint64_t *millionths, const char **rest)
{
	uint64_t place = 100000;

	*whole = *millionths = 0;
	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (*whole > (UINT64_MAX - digit) / 10)
			return false;
		*whole = *whole * 10 + digit;
	}
	if (text[0] == '.' && isdigit((unsigned char)text[1]))
		for (text++; isdigit((unsigned char)*text); text++, place /= 10)
			*millionths += (uint64_t)(*text - '0') * place;
	*rest = text;
	return true;
}

static bool
read_units(const char *text, const struct options_unit *units, uint64_t *value)
{
	uint64_t whole, millionths, times = units->times;
	const char *rest;

	if (!read_digits(text, &whole, &millionths, &rest))
		return false;
	if (*rest != '\0') {
		while (units->name != NULL && strcmp(rest, units->name) != 0)
			units++;
		if (units->name == NULL)
			return false;
		times = units->times;
	}
	if (whole > UINT64_MAX / times || (millionths != 0 && times == 1))
		return false;
	*value = whole * times;
	if (times > 1 && *value <= UINT64_MAX - times)
		*value += millionths * times / 1000000;
	return true;
}

static bool
read_quantity(const struct options_entry *entry, const char *text, uint64_t *value, FILE *err)
{
	char bound[32], name[40];

	if (!read_units(text, options_units(entry->kind), value))
		return wrong_value(entry, text,
		    entry->kind == OPTION_DURATION ? "a duration: seconds, or a number with ms, s, m or h (250ms)"
		    : entry->kind == OPTION_SIZE   ? "a size: octets, or a number with KiB, MiB or GiB (64KiB)"
		                                   : "a number that can be taken", err);
	if (*value >= entry->least && *value <= entry->most)
		return true;
	options_quantity(bound, entry->kind, *value < entry->least ? entry->least : entry->most);
	fprintf(err, "smtpscope: %s: %s is too %s, %s is the %s\n", spelled(entry, name), text,
	    *value < entry->least ? "small" : "large", bound, *value < entry->least ? "least" : "most");
	return false;
}

static bool
read_format(const struct options_entry *entry, const char *text, enum options_format *format, FILE *err)
{
	if (strcmp(text, "swaks") == 0) {
		fprintf(err, "smtpscope: -f swaks is not there yet; text and json are\n");
		return false;
	}
	if (strcmp(text, "text") != 0 && strcmp(text, "json") != 0)
		return wrong_value(entry, text, "a format: text or json", err);
	*format = strcmp(text, "text") == 0 ? FORMAT_TEXT : FORMAT_JSON;
	return true;
}

static bool
read_severity(const struct options_entry *entry, const char *text, int *severity, FILE *err)
{
	for (unsigned i = FINDING_INFO; i <= FINDING_ERROR; i++)
		if (strcmp(text, finding_severity_name((enum finding_severity)i)) == 0) {
			*severity = (int)i;
			return true;
		}
	return wrong_value(entry, text, "a severity: info, note, warning or error", err);
}

/* One of the entry's words. */
static bool
read_word(const struct options_entry *entry, const char *text, int *value, FILE *err)
{
	char expected[160] = "one of ";
	size_t len, used = strlen(expected);
	int n = 0;

	for (const char *at = entry->words;; at += len + 1, n++) {
		bool last;

		len = strcspn(at, "|");
		last = at[len] == '\0';
		if (len > 0 && strlen(text) == len && memcmp(text, at, len) == 0) {
			*value = n;
			return true;
		}
		if (len > 0)
			used += (size_t)snprintf(expected + used, sizeof expected - used, "%.*s%s", (int)len, at,
			    last ? "" : strchr(at + len + 1, '|') == NULL ? " and " : ", ");
		if (last)
			return wrong_value(entry, text, expected, err);
	}
}

/* Takes "client:" or "server:" off; *first and *last are the legs that are meant. */
static const char *
take_leg(const char *text, int *first, int *last)
{
	*first = strncmp(text, "server:", 7) == 0 ? 1 : 0;
	*last = strncmp(text, "client:", 7) == 0 ? 0 : 1;
	return *first == *last ? text + 7 : text;
}

static bool
read_tls_version(const struct options_entry *entry, const char *text, char *field, FILE *err)
{
	static const char *const names[] = {"1.0", "1.1", "1.2", "1.3"};
	int first, last;
	const char *version = take_leg(text, &first, &last);

	/* As OpenSSL, curl and swaks call them, too. */
	if (strncasecmp(version, "tls", 3) == 0)
		version += 3;
	if (*version == 'v' || *version == 'V')
		version++;
	for (int i = 0; i < 4; i++) {
		if (strcmp(version, names[i]) != 0)
			continue;
		for (int leg = first; leg <= last; leg++)
			*(int *)(void *)(field + (size_t)leg * sizeof(struct intercept_leg_settings)) = TLS_1_0 + i;
		return true;
	}
	return wrong_value(entry, text, "a version of TLS: 1.0, 1.1, 1.2 or 1.3, or client:1.2 for one leg", err);
}

static bool
read_tls_ciphers(const struct options_entry *entry, const char *text, char *field, FILE *err)
{
	int first, last;
	const char *list = take_leg(text, &first, &last);

	if (*list == '\0')
		return wrong_value(entry, text, "a cipher list, as openssl-ciphers(1) has them", err);
	for (int leg = first; leg <= last; leg++)
		*(const char **)(void *)(field + (size_t)leg * sizeof(struct intercept_leg_settings)) = list;
	return true;
}

static void
list_add(struct options_list *list, const char *word)
{
	list->at = realloc(list->at, (list->count + 1) * sizeof *list->at);
	if (list->at == NULL)
		abort();
	list->at[list->count++] = word;
}

/* Reads one option's value into its field. */
static bool
take(struct options *options, const struct options_entry *entry, const char *text, FILE *err)
{
	void *field = (char *)options + entry->offset;
	char name[40];

	if (text != NULL && *text == '\0') {
		fprintf(err, "smtpscope: %s: the %s is empty\n", spelled(entry, name), entry->value);
		return false;
	}
	switch (entry->kind) {
	case OPTION_LIST:
		list_add(field, text);
		return true;
	case OPTION_TEXT:
		*(const char **)field = text;
		return true;
	case OPTION_FLAG:
		*(bool *)field = true;
		return true;
	case OPTION_COUNT:
		++*(int *)field;
		return true;
	case OPTION_SEED:
		options->seed_given = true;
		return read_quantity(entry, text, field, err);
	case OPTION_NUMBER:
	case OPTION_SIZE:
	case OPTION_DURATION:
		return read_quantity(entry, text, field, err);
	case OPTION_FORMAT:
		return read_format(entry, text, field, err);
	case OPTION_SEVERITY:
		return read_severity(entry, text, field, err);
	case OPTION_WORD:
		return read_word(entry, text, field, err);
	case OPTION_TLS_VERSION:
		return read_tls_version(entry, text, field, err);
	case OPTION_TLS_CIPHERS:
		return read_tls_ciphers(entry, text, field, err);
	case OPTION_HELP:
	case OPTION_VERSION:
	case OPTION_LIST_FINDINGS:
		break;          /* read_options has seen to them */
	}
	return true;
}

/* "a, b and c" */
static void
print_list(const char *const *words, size_t count, const char *last, FILE *err)
{
	for (size_t i = 0; i < count; i++)
		fprintf(err, "%s%s", i == 0 ? "" : i + 1 == count ? last : ", ", words[i]);
}

/* Whether the subcommand takes the option; COMMAND_COUNT: whether it can stand without one. */
static bool
taken(const struct options_entry *entry, enum options_command command)
{
	return (entry->of & 1u << (command == COMMAND_COUNT ? COMMAND_HELP : command)) != 0;
}

/* Says that the subcommand (COMMAND_COUNT: none was given) does not take an option that there is. */
static void
not_taken(const struct options_entry *entry, enum options_command command, FILE *err)
{
	const char *takers[COMMAND_COUNT];
	size_t count = 0;
	char name[40];

	spelled(entry, name);
	if (entry->of == 0 || (command != COMMAND_COUNT && (entry->later & 1u << command) != 0)) {
		fprintf(err, "smtpscope: %s is not there yet\n", name);
		return;
	}
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		if ((entry->of & 1u << i) != 0)
			takers[count++] = options_command((enum options_command)i)->name;
	if (command == COMMAND_COUNT)
		fprintf(err, "smtpscope: %s stands behind a subcommand; ", name);
	else
		fprintf(err, "smtpscope: %s is no option of %s; ", name, options_command(command)->name);
	print_list(takers, count, " and ", err);
	fprintf(err, " %s it\n", count == 1 ? "takes" : "take");
}

/* Says what is wrong with a long option that getopt_long did not know: another's, cut too short, mistyped. */
static void
unknown_long(const char *word, enum options_command command, FILE *err)
{
	size_t len = strcspn(word, "="), count = 0, begun = 0;
	const char *names[OPTIONS_MAX], *meant[OPTIONS_MAX], *near;
	char spelling[OPTIONS_MAX][40];
	const struct options_entry *entry;

	for (size_t i = 0; (entry = options_nth(i)) != NULL; i++) {
		if (!taken(entry, command)) {
			if (strlen(entry->name) == len - 2 && memcmp(entry->name, word + 2, len - 2) == 0) {
				not_taken(entry, command, err);
				return;
			}
			continue;
		}
		snprintf(spelling[i], sizeof spelling[i], "--%s", entry->name);
		names[count++] = spelling[i];
		if (strncmp(word, spelling[i], len) == 0)
			meant[begun++] = spelling[i];
	}
	if (begun > 0) {
		fprintf(err, "smtpscope: %.*s may be ", (int)len, word);
		print_list(meant, begun, " or ", err);
		fprintf(err, ": write more of it\n");
		return;
	}
	near = near_word((struct view){word, len}, names, count);
	fprintf(err, "smtpscope: unknown option %.*s", (int)len, word);
	if (near != NULL)
		fprintf(err, " (did you mean %s?)\n", near);
	else
		fprintf(err, "; 'smtpscope help%s%s' lists them\n", command == COMMAND_COUNT ? "" : " ",
		    command == COMMAND_COUNT ? "" : options_command(command)->name);
}

/* getopt_long's own tables, of the options that the subcommand takes. */
static void
make_tables(enum options_command command, struct option *longs, char *letters)
{
	const struct options_entry *entry;

	*letters++ = ':';       /* tells a missing value from an unknown option */
	for (size_t i = 0; (entry = options_nth(i)) != NULL; i++) {
		if (!taken(entry, command))
			continue;
		*longs++ = (struct option){entry->name, entry->value == NULL ? no_argument : required_argument, NULL,
		    FIRST_VAL + (int)i};
		if (entry->letter == 0)
			continue;
		*letters++ = entry->letter;
		if (entry->value != NULL)
			*letters++ = ':';
	}
	*letters = '\0';
	*longs = (struct option){NULL, 0, NULL, 0};
}

static const struct options_entry *
entry_of(int val)
{
	const struct options_entry *entry;

	if (val >= FIRST_VAL)
		return options_nth((size_t)(val - FIRST_VAL));
	for (size_t i = 0; val != 0 && (entry = options_nth(i)) != NULL; i++)
		if (entry->letter == val)
			return entry;
	return NULL;
}

/* Says what getopt_long answered ':' or '?' to. */
static void
refused(int answer, char **argv, enum options_command command, FILE *err)
{
	const struct options_entry *entry = entry_of(optopt);
	char name[40];

	if (entry != NULL && !taken(entry, command))
		not_taken(entry, command, err);
	else if (entry != NULL && answer == ':')
		fprintf(err, "smtpscope: %s needs a value: --%s %s\n", spelled(entry, name), entry->name, entry->value);
	else if (entry != NULL)
		fprintf(err, "smtpscope: %s takes no value\n", spelled(entry, name));
	else if (optopt != 0)
		fprintf(err, "smtpscope: unknown option -%c\n", optopt);
	else
		unknown_long(argv[optind - 1], command, err);
}

/* Reads what follows the word argv[0]. COMMAND_COUNT: no subcommand was given. */
static enum options_asked
read_options(struct options *options, int argc, char **argv, enum options_command command, FILE *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char letters[2 * OPTIONS_MAX + 2];
	int val;

	make_tables(command, longs, letters);
	opterr = 0;
	optind = 0;             /* glibc: begin anew */
	while ((val = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct options_entry *entry = val == '?' || val == ':' ? NULL : entry_of(val);

		if (entry == NULL) {
			refused(val, argv, command, err);
			return ASKED_WRONG;
		}
		if (entry->kind == OPTION_HELP)
			return ASKED_HELP;
		if (entry->kind == OPTION_VERSION)
			return ASKED_VERSION;
		if (entry->kind == OPTION_LIST_FINDINGS)
			return ASKED_LIST_FINDINGS;
		if (!take(options, entry, optarg, err))
			return ASKED_WRONG;
	}
	for (int i = optind; i < argc; i++)
		list_add(&options->operands, argv[i]);
	return ASKED_RUN;
}

/* The subcommand of that name; COMMAND_COUNT: there is none (yet), which was said. */
static enum options_command
read_command(const char *name, FILE *err)
{
	enum options_command command = options_command_find(name);
	const char *names[COMMAND_COUNT + 1], *near;
	size_t count = 0;

	if (command != COMMAND_COUNT) {
		if (options_command(command)->there)
			return command;
		fprintf(err, "smtpscope: %s is not there yet\n", name);
		return COMMAND_COUNT;
	}
	for (unsigned i = 0; i < COMMAND_COUNT; i++)
		if (options_command((enum options_command)i)->there)
			names[count++] = options_command((enum options_command)i)->name;
	names[count++] = "--version";
	near = near_word(view_of(name), names, count);
	if (near != NULL)
		fprintf(err, "smtpscope: there is no subcommand \"%s\" (did you mean %s?)\n", name, near);
	else
		fprintf(err, "smtpscope: there is no subcommand \"%s\"; 'smtpscope help' lists them\n", name);
	return COMMAND_COUNT;
}

static void
set_initial(struct options *options)
{
	const struct options_entry *entry;
	uint32_t seed;

	memset(options, 0, sizeof *options);
	options->fail_on = -1;
	for (size_t i = 0; (entry = options_nth(i)) != NULL; i++)
		if (entry->initial != 0)
			*(uint64_t *)((char *)options + entry->offset) = entry->initial;
	/* 32 bits, so that it can be typed again from the screen. */
	if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed)
		options->seed = seed;
}

static bool
enough_operands(const struct options *options, enum options_command command, FILE *err)
{
	const struct options_command_entry *entry = options_command(command);

	if (options->operands.count > entry->operands_most) {
		fprintf(err, "smtpscope: %s: what is \"%s\" for? %s\n", entry->name,
		    options->operands.at[entry->operands_most], entry->no_operands);
		return false;
	}
	/* check takes its files either way. */
	if (options->operands.count + options->rules.count < entry->operands_least) {
		fprintf(err, "smtpscope: %s needs an operand: smtpscope %s %s\n", entry->name, entry->name,
		    entry->synopsis);
		return false;
	}
	return true;
}

enum options_asked
options_read(struct options *options, int argc, char **argv, FILE *err)
{
	enum options_command command;
	enum options_asked asked;

	set_initial(options);
	if (argc < 2)
		return ASKED_NOTHING;
	if (argv[1][0] == '-') {
		asked = read_options(options, argc, argv, COMMAND_COUNT, err);
		if (asked == ASKED_RUN)
			fprintf(err, "smtpscope: a subcommand is missing; 'smtpscope help' lists them\n");
		return asked == ASKED_RUN ? ASKED_WRONG : asked;
	}
	command = read_command(argv[1], err);
	if (command == COMMAND_COUNT)
		return ASKED_WRONG;
	options->command = options_command(command)->name;
	asked = read_options(options, argc - 1, argv + 1, command, err);
	if (asked == ASKED_HELP && command == COMMAND_HELP)
		options->command = NULL;
	if (asked != ASKED_RUN)
		return asked;
	if (!enough_operands(options, command, err))
		return ASKED_WRONG;
	if (command != COMMAND_HELP)
		return ASKED_RUN;
	options->command = NULL;
	if (options->operands.count > 0) {
		command = read_command(options->operands.at[0], err);
		if (command == COMMAND_COUNT)
			return ASKED_WRONG;
		options->command = options_command(command)->name;
	}
	return ASKED_HELP;
}

void
options_free(struct options *options)
{
	free(options->listen.at);
	free(options->upstream.at);
	free(options->rules.at);
	free(options->operands.at);
	free(options->ports.at);
	memset(options, 0, sizeof *options);
}
