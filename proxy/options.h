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
#include <stdio.h>

#include "proxy/intercept/settings.h"

/* Exit codes. 1 wins over 3. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_UNMET = 3 };

enum options_format { FORMAT_DEFAULT, FORMAT_TEXT, FORMAT_JSON };

enum options_starttls { STARTTLS_PASS, STARTTLS_INTERCEPT, STARTTLS_STRIP };
enum options_leg_tls { LEG_TLS_DEFAULT, LEG_TLS_PLAIN, LEG_TLS_STARTTLS, LEG_TLS_IMPLICIT };
enum options_glued { GLUED_DEFAULT, GLUED_DROP, GLUED_PASS };

struct options_list {
	const char **at;
	size_t       count;
};

struct options {
	const char         *command;            /* the subcommand's name */
	struct options_list listen, upstream;   /* URLs as given; may be empty: the default */
	struct options_list rules;              /* -r FILE, in order */
	struct options_list operands;
	uint64_t seed;                          /* a random one where none was given */
	bool     seed_given;
	enum options_format format;
	const char *output;                     /* -o; NULL: stdout */
	const char *json;                       /* --json; NULL: none */
	const char *control;                    /* proxy: a socket for ctl; NULL: none */
	const char *save_messages;              /* NULL: none */
	const char *pcap;                       /* proxy, decode: a capture to be written; NULL: none */
	int         pcap_leg;                   /* enum pcap_leg of outputs/pcap.h */
	const char *interface;                  /* watch; NULL: not given */
	const char *keylog, *user;              /* proxy, decode, watch; watch; NULL: none */
	struct options_list ports;              /* --port, as given */
	struct intercept_settings tls;          /* without keylog, own_name: who uses it fills them in */
	bool     make_ca;
	int      starttls;                      /* enum options_starttls */
	int      leg_tls[2];                    /* enum options_leg_tls: --tls-client, --tls-server */
	int      glued;                         /* enum options_glued */
	bool     show_secrets;
	bool     summary, sessions;             /* --summary, --sessions: no events */
	int      fail_on;                       /* enum finding_severity; -1: not given */
	uint64_t workers;                       /* 0: one a core */
	int      on_output_full;                /* enum writer_full of outputs/writer.h */
	int      quiet, verbose;                /* how often -q, -v were given */
	uint64_t grace_us, idle_timeout_us, connect_timeout_us, handshake_timeout_us; /* idle 0: none */
	uint64_t max_line, max_content, max_sessions, max_size; /* octets, octets, sessions, octets (sink's SIZE) */
};

/* A subcommand: returns an exit code. */
int proxy_command(const struct options *options);       /* proxy/control/command.c */
int ctl_command(const struct options *options);         /* proxy/control/ctl.c */
int sink_command(const struct options *options);        /* proxy/sink/sink_command.c */
int check_command(const struct options *options);       /* proxy/rules/check.c */
int explain_command(const struct options *options);     /* proxy/explain.c */
int decode_command(const struct options *options);      /* proxy/captures/decode.c */
int watch_command(const struct options *options);       /* proxy/captures/watch.c */

/*
 * The subcommands, those included that are not there yet: the words are known, so that
 * nobody is told that they are mistyped.
 */
enum options_command {
	COMMAND_PROXY, COMMAND_SINK, COMMAND_CHECK, COMMAND_EXPLAIN, COMMAND_HELP,
	COMMAND_DECODE, COMMAND_WATCH, COMMAND_CTL,
	COMMAND_COUNT
};

struct options_command_entry {
	const char *name;
	bool        there;              /* false: not there yet */
	const char *synopsis;           /* what stands behind the name */
	unsigned    operands_least, operands_most;
	const char *no_operands;        /* what to say of one too many */
	const char *meaning;            /* one line */
	const char *more;               /* for `help COMMAND`: what it does, and examples */
};

/* What an option's value is, and so how it is read. */
enum options_kind {
	OPTION_LIST, OPTION_TEXT, OPTION_FLAG, OPTION_COUNT, OPTION_NUMBER, OPTION_SIZE, OPTION_DURATION,
	OPTION_SEED, OPTION_FORMAT, OPTION_SEVERITY, OPTION_WORD,
	OPTION_TLS_VERSION, OPTION_TLS_CIPHERS,
	OPTION_HELP, OPTION_VERSION, OPTION_LIST_FINDINGS
};

struct options_entry {
	char              letter;       /* 0: it has none */
	const char       *name;
	const char       *value;        /* what its value is called; NULL: it takes none */
	unsigned          of;           /* 1u << enum options_command: who takes it */
	unsigned          later;        /* who does not take it yet, but will */
	enum options_kind kind;
	size_t            offset;       /* in struct options; TLS_*: of the client's leg, the server's is the next */
	uint64_t          initial;      /* NUMBER, SIZE, DURATION: without the option */
	uint64_t          least, most;  /* likewise: what is taken */
	const char       *meaning;      /* NULL: not there yet, for nobody */
	const char       *words;        /* WORD: "a|b|c", for 0, 1, 2 in an int; an empty one cannot be asked for */
};

const struct options_command_entry *options_command(enum options_command command);
/* COMMAND_COUNT: there is none of that name. */
enum options_command options_command_find(const char *name);
#define OPTIONS_MAX 96
/* The nth of the table, which has OPTIONS_MAX rows at most; NULL behind the last. */
const struct options_entry *options_nth(size_t n);

struct options_unit {
	const char *name;
	uint64_t    times;
};
/* What may follow a number; the first is meant where nothing does. One without a name ends them. */
const struct options_unit *options_units(enum options_kind kind);

/* A duration (microseconds) or a size as an option takes it: "5s", "250ms", "64KiB". */
void options_quantity(char text[32], enum options_kind kind, uint64_t value);

/* What the words of a command line ask for. */
enum options_asked {
	ASKED_NOTHING,          /* no words at all */
	ASKED_RUN,              /* the subcommand */
	ASKED_HELP,             /* command: about which, NULL: about all */
	ASKED_VERSION,
	ASKED_LIST_FINDINGS,
	ASKED_WRONG             /* what is wrong was written to err */
};

/*
 * Reads a command line. *options borrows the words of argv (which are put in order), and
 * owns its lists: options_free, whatever was returned.
 */
enum options_asked options_read(struct options *options, int argc, char **argv, FILE *err);
void options_free(struct options *options);

#endif
