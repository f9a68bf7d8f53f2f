/* SPDX-License-Identifier: MIT */
/* What the program says about itself. */
#include "proxy/help.h"

#include <string.h>

#include "decoders/findings.h"
#include "proxy/version.h"

#define COLUMN 35       /* where the meaning of an option stands */

void
help_usage(FILE *out)
{
	fprintf(out, "usage: smtpscope COMMAND [OPTION]... [OPERAND]...\n"
	             "       smtpscope proxy -u HOST:PORT -r FILE    relay to a server, with rules\n"
	             "       smtpscope help [COMMAND]                commands and options\n");
}

void
help_all(FILE *out)
{
	fprintf(out, "usage: smtpscope COMMAND [OPTION]... [OPERAND]...\n\n"
	             "An oscilloscope for SMTP: stands between client and server, shows what they say, and\n"
	             "changes it as rule files tell.\n\n");
	for (unsigned i = 0; i < COMMAND_COUNT; i++) {
		const struct options_command_entry *entry = options_command((enum options_command)i);

		if (entry->there)
			fprintf(out, "  %-9s %s\n", entry->name, entry->meaning);
	}
	fprintf(out, "\n'smtpscope help COMMAND' lists its options; smtpscope(1) and smtpscope.rules(5) say it at "
	             "length.\n");
}

static void
print_option(FILE *out, const struct options_entry *entry)
{
	char text[COLUMN + 32], initial[32] = "";
	int len;

	len = entry->letter == 0 ? snprintf(text, sizeof text, "      --%s", entry->name)
	                         : snprintf(text, sizeof text, "  -%c, --%s", entry->letter, entry->name);
	if (entry->value != NULL)
		snprintf(text + len, sizeof text - (size_t)len, " %s", entry->value);
	fprintf(out, "%-*s %s", COLUMN - 1, text, entry->meaning);
	if (entry->kind == OPTION_DURATION || entry->kind == OPTION_SIZE || entry->kind == OPTION_NUMBER) {
		options_quantity(initial, entry->kind, entry->initial);
		fprintf(out, " (default: %s)", initial);
	}
	fputc('\n', out);
}

void
help_one(FILE *out, enum options_command command)
{
	const struct options_command_entry *about = options_command(command);
	const struct options_entry *entry;

	fprintf(out, "usage: smtpscope %s %s\n\n", about->name, about->synopsis);
	if (about->more != NULL)
		fprintf(out, "%s\n", about->more);
	for (size_t i = 0; (entry = options_nth(i)) != NULL; i++)
		if ((entry->of & 1u << command) != 0)
			print_option(out, entry);
}

void
help_version(FILE *out)
{
	fprintf(out, "smtpscope %s\n", SMTPSCOPE_VERSION);
}

void
help_findings(FILE *out)
{
	static const char *const sides[] = {
	    [FINDING_CLIENT] = "client", [FINDING_SERVER] = "server", [FINDING_NETWORK] = "network",
	    [FINDING_EITHER] = "either"};

	fprintf(out, "%-18s %-8s %-8s %-8s %-20s %s\n", "ID", "SEVERITY", "SECURITY", "SIDE", "REFERENCE", "MEANING");
	for (unsigned i = 0; i < FINDING_COUNT; i++) {
		const struct finding_entry *entry = finding_entry((enum finding)i);

		fprintf(out, "%-18s %-8s %-8s %-8s %-20s %s\n", entry->id, finding_severity_name(entry->severity),
		    entry->security ? "yes" : "-", sides[entry->side], entry->reference, entry->line);
	}
}
