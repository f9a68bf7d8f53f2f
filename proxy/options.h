/* SPDX-License-Identifier: MIT */
/*
 * The command line: one table of options makes the parser, the help text and what the
 * manual is compared with. A subcommand is a function of its options; only main prints
 * usage or exits.
 */
#ifndef PROXY_OPTIONS_H
#define PROXY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes. 1 wins over 3. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNMET = 3 };

enum options_format { FORMAT_DEFAULT, FORMAT_TEXT, FORMAT_JSON };

struct options_list {
	const char **at;
	size_t       count;
};

struct options {
	const char         *command;            /* the subcommand's name */
	struct options_list listen, upstream;   /* URLs as given; may be empty: the default */
	struct options_list rules;              /* -r FILE, in order */
	struct options_list operands;
	uint64_t seed;
	bool     seed_given;
	enum options_format format;
	const char *output;                     /* -o; NULL: stdout */
	const char *json;                       /* --json; NULL: none */
	const char *save_messages;              /* sink; NULL: none */
	bool     show_secrets;
	bool     summary, sessions;             /* --summary, --sessions: no events */
	int      fail_on;                       /* enum finding_severity; -1: not given */
	int      quiet, verbose;                /* how often -q, -v were given */
	uint64_t grace_us, idle_timeout_us, connect_timeout_us; /* idle 0: none */
	uint64_t max_line, max_content, max_sessions, max_size; /* octets, octets, sessions, octets (sink's SIZE) */
};

/* A subcommand: returns an exit code. */
int proxy_command(const struct options *options);       /* proxy/relay/proxy.c */
int sink_command(const struct options *options);        /* proxy/sink/sink_command.c */
int check_command(const struct options *options);       /* proxy/rules/check.c */
int explain_command(const struct options *options);     /* proxy/explain.c */

#endif
