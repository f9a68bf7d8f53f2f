/* SPDX-License-Identifier: MIT */
/*
 * The program: reads the command line and hands over to the subcommand, which is a file in
 * the room that it drives. Nothing else prints usage, and nothing else exits.
 */
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include "proxy/help.h"
#include "proxy/options.h"

static int
run(const struct options *options)
{
	switch (options_command_find(options->command)) {
	case COMMAND_PROXY:
		return proxy_command(options);
	case COMMAND_SINK:
		return sink_command(options);
	case COMMAND_CHECK:
		return check_command(options);
	case COMMAND_EXPLAIN:
		return explain_command(options);
	case COMMAND_DECODE:
		return decode_command(options);
	case COMMAND_WATCH:
		return watch_command(options);
	case COMMAND_CTL:
		return ctl_command(options);
	default:
		abort();        /* options_read lets no other pass */
	}
}

int
main(int argc, char **argv)
{
	struct options options;
	int code = EXIT_DONE;

	switch (options_read(&options, argc, argv, stderr)) {
	case ASKED_RUN:
		code = run(&options);
		break;
	case ASKED_HELP:
		if (options.command == NULL)
			help_all(stdout);
		else
			help_one(stdout, options_command_find(options.command));
		break;
	case ASKED_VERSION:
		help_version(stdout);
		break;
	case ASKED_LIST_FINDINGS:
		help_findings(stdout);
		break;
	case ASKED_NOTHING:
		help_usage(stderr);
		code = EXIT_USAGE;
		break;
	case ASKED_WRONG:
		code = EXIT_USAGE;
		break;
	}
	options_free(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "smtpscope: standard output: %s\n", strerror(errno));
		if (code != EXIT_USAGE)
			code = EXIT_FAILED;
	}
	return code;
}
