/* SPDX-License-Identifier: MIT */
/*
 * The subcommands' table and the option table. What stands here is all that there is to say
 * about an option: the reader (options_read.c), the defaults, `help` and the complaints are
 * made from it, and the manual is compared with it.
 */
#include "proxy/options.h"

#include <string.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define MS  1000ull
#define S   (1000 * MS)
#define H   (3600 * S)

static const struct options_command_entry commands[COMMAND_COUNT] = {
    [COMMAND_PROXY] = {"proxy", true, "[-l URL]... [-u URL]... [-r FILE]... [OPTION]...", 0, 0,
	"rule files are given with -r, servers with -u",
	"relay sessions to a server; decode, log and rewrite them",
	"Listens for SMTP clients, connects each to a server, and forwards every octet while it decodes\n"
	"and shows the session. Rule files change what passes: replies forged, commands held or dropped,\n"
	"EHLO keywords hidden, connections reset. Without -u a built-in server answers.\n"},
    [COMMAND_SINK] = {"sink", true, "[-l URL] [OPTION]...", 0, 0, "messages are kept with --save-messages DIR",
	"the built-in SMTP server, by itself",
	"Answers SMTP as RFC 5321 has it, takes every message and every credential, relays nothing and\n"
	"keeps nothing (but see --save-messages).\n"},
    [COMMAND_CHECK] = {"check", true, "FILE...", 1, 65535, NULL, "check rule files",
	"Reads rule files as proxy would, and shows every error with its line. '-' is standard input.\n"
	"Exit code 2 if there was one.\n"},
    [COMMAND_EXPLAIN] = {"explain", true, "WORD...", 1, 65535, NULL,
	"say what 421, 4.7.1, PIPELINING, RCPT or line.bare-lf means",
	"Explains reply codes, enhanced status codes, EHLO keywords, verbs and findings, with the RFC.\n"},
    [COMMAND_HELP] = {"help", true, "[COMMAND]", 0, 1, "one command at a time", "this, or help on one command",
	NULL},
    [COMMAND_DECODE] = {"decode", true, "[-r FILE]... [OPTION]... CAPTURE...", 1, 65535, NULL,
	"the SMTP sessions of captures, pcap and pcapng",
	"Finds SMTP in captures on any port, and shows each session as proxy would have; '-' is standard\n"
	"input. Rules only report what they would have done.\n"},
    [COMMAND_WATCH] = {"watch", true, "-i IFACE [-r FILE]... [OPTION]... ['FILTER']", 0, 1,
	"a filter of several words is one operand: put it in quotes",
	"the SMTP sessions on an interface, passively",
	"Captures packets and shows SMTP sessions as they go on. Without a filter the ports 25, 465, 587 and\n"
	"2525 are watched, and those of --port. Needs the right to capture: root, or CAP_NET_RAW.\n"},
    [COMMAND_CTL] = {"ctl", true, "[-f FORMAT] SOCKET WORD...", 2, 65535, NULL, "speak to a running proxy",
	"SOCKET is what the proxy was given with --control. WORD is one of these:\n"
	"  rules         each rule: whether it is enabled, and what it came to so far\n"
	"  enable NAME   the rule is asked again\n"
	"  disable NAME  the rule is not asked any more\n"
	"  fire NAME     the rule acts once, at its next match, whatever its dose\n"
	"  sessions      those that go on\n"
	"  close N       ends session N\n"
	"  stats         what was counted so far\n"
	"They act at once, on sessions that go on too.\n"},
};

#define P           (1u << COMMAND_PROXY)
#define K           (1u << COMMAND_SINK)
#define C           (1u << COMMAND_CHECK)
#define E           (1u << COMMAND_EXPLAIN)
#define D           (1u << COMMAND_DECODE)
#define W           (1u << COMMAND_WATCH)
#define T           (1u << COMMAND_CTL)
#define ANY         (P | K | C | E | D | W | T | (1u << COMMAND_HELP))
#define FIELD(name) offsetof(struct options, name)

/* clang-format off */
static const struct options_entry table[] = {
    {'l', "listen",          "URL",      P | K, 0,     OPTION_LIST,     FIELD(listen),
	.meaning = "address to listen on; port 0 picks one (default: 127.0.0.1:2525, sink: 127.0.0.1:2526)"},
    {'u', "upstream",        "URL",      P,     0,     OPTION_LIST,     FIELD(upstream),
	.meaning = "the server; several are tried in order (default: sink, the built-in one)"},
    {'r', "rules",           "FILE",     P | C | D | W, 0, OPTION_LIST, FIELD(rules),
	.meaning = "rule file; several are read in order"},
    {0,   "seed",            "N",        P | D | W, 0, OPTION_SEED,     FIELD(seed), 0, 0, UINT64_MAX,
	.meaning = "what chance is made from; a random one is printed"},
    {'f', "format",          "FORMAT",   P | D | W | T, 0, OPTION_FORMAT,   FIELD(format),
	.meaning = "text or json (default: text)"},
    {'o', "output",          "FILE",     P | D | W, 0, OPTION_TEXT,     FIELD(output),
	.meaning = "append events to FILE; reopened on SIGUSR1 (default: standard output)"},
    {0,   "json",            "FILE",     P | D | W, 0, OPTION_TEXT,     FIELD(json),
	.meaning = "JSON Lines to FILE, beside the other output"},
    {0,   "on-output-full",  "MODE",     P | D | W, 0, OPTION_WORD,     FIELD(on_output_full),
	.meaning = "drop events or block sessions (default: block for one that is slow, drop for one that fails)",
	.words = "|drop|block"},
    {0,   "show-secrets",    NULL,       P | D | W, 0, OPTION_FLAG,     FIELD(show_secrets),
	.meaning = "do not mask credentials"},
    {0,   "summary",         NULL,       P | D | W, 0, OPTION_FLAG,     FIELD(summary),
	.meaning = "no events: the summary alone, on standard output"},
    {0,   "sessions",        NULL,       P | D | W, 0, OPTION_FLAG,     FIELD(sessions),
	.meaning = "no events: one line a session, on standard output"},
    {0,   "fail-on",         "SEVERITY", P | D, 0,     OPTION_SEVERITY, FIELD(fail_on),
	.meaning = "exit 3 if there was a finding of info, note, warning or error, or above"},
    {0,   "starttls",        "MODE",     P,     0,     OPTION_WORD,     FIELD(starttls),
	.meaning = "pass: TLS goes through undecoded; intercept: TLS towards both ends; strip: it is hidden (default: pass)",
	.words = "pass|intercept|strip"},
    {0,   "tls-client",      "MODE",     P,     0,     OPTION_WORD,     FIELD(leg_tls[0]),
	.meaning = "the client's leg alone: plain, starttls or implicit", .words = "|plain|starttls|implicit"},
    {0,   "tls-server",      "MODE",     P,     0,     OPTION_WORD,     FIELD(leg_tls[1]),
	.meaning = "the server's leg alone, likewise", .words = "|plain|starttls|implicit"},
    {0,   "glued",           "MODE",     P,     0,     OPTION_WORD,     FIELD(glued),
	.meaning = "drop or pass octets in the clear behind STARTTLS (default: pass where TLS is passed, else drop)",
	.words = "|drop|pass"},
    {0,   "handshake-timeout", "DURATION", P,   0,     OPTION_DURATION, FIELD(handshake_timeout_us), 60 * S, MS, H,
	.meaning = "how long a TLS handshake may take on either leg"},
    {0,   "grace",           "DURATION", P,     0,     OPTION_DURATION, FIELD(grace_us), 5 * S, 0, H,
	.meaning = "how long SIGTERM and SIGINT let sessions finish"},
    {0,   "idle-timeout",    "DURATION", P,     0,     OPTION_DURATION, FIELD(idle_timeout_us), 0, 0, 24 * H,
	.meaning = "end a session in which nothing was sent for so long; 0: never"},
    {0,   "connect-timeout", "DURATION", P,     0,     OPTION_DURATION, FIELD(connect_timeout_us), 30 * S, MS, H,
	.meaning = "how long one attempt to reach the server may take"},
    {0,   "max-line",        "SIZE",     P | D | W, 0,     OPTION_SIZE,     FIELD(max_line), 64 * KIB, 64, 16 * MIB,
	.meaning = "longer lines are forwarded as they come, not judged by rules"},
    {0,   "max-content",     "SIZE",     P,     0,     OPTION_SIZE,     FIELD(max_content), 16 * MIB, 0, GIB,
	.meaning = "how much of a last chunk is withheld for a rule at CONTENT-END"},
    {0,   "max-sessions",    "N",        P,     0,     OPTION_NUMBER,   FIELD(max_sessions), 16384, 1, 1000000,
	.meaning = "sessions at once; one more is answered 421"},
    {0,   "workers",         "N",        P,     0,     OPTION_NUMBER,   FIELD(workers), 0, 0, 256,
	.meaning = "event loops, a thread each; a session lives on one; 0: one a core"},
    {0,   "max-size",        "SIZE",     P | K, 0,     OPTION_SIZE,     FIELD(max_size), 32 * MIB, 1, 1024 * GIB,
	.meaning = "the largest message that the built-in server takes, as SIZE announces it"},
    {0,   "save-messages",   "DIR",      P | K | D | W, 0, OPTION_TEXT, FIELD(save_messages),
	.meaning = "keep each message, in a Maildir"},
    {0,   "pcap",            "FILE",     P | D, 0,     OPTION_TEXT,     FIELD(pcap),
	.meaning = "the sessions as a capture, credentials masked; '-' is standard output"},
    {0,   "pcap-leg",        "LEG",      P | D, 0,     OPTION_WORD,     FIELD(pcap_leg),
	.meaning = "whose octets --pcap writes: the client's leg, the server's, or both (default: client)",
	.words = "client|server|both"},
    {0,   "control",         "PATH",     P,     0,     OPTION_TEXT,     FIELD(control),
	.meaning = "a unix socket, for its owner alone, through which ctl speaks to the proxy"},
    {'q', "quiet",           NULL,       P | K | C | D | W, 0, OPTION_COUNT, FIELD(quiet),
	.meaning = "less on standard error"},
    {'v', "verbose",         NULL,       P | K | C | D | W, 0, OPTION_COUNT, FIELD(verbose),
	.meaning = "more: message content (proxy), each message (sink), each rule (check)"},
    {'i', "interface",       "IFACE",    W,     0,     OPTION_TEXT,     FIELD(interface),
	.meaning = "the interface to capture on; any is all of them"},
    {0,   "port",            "N",        D | W, 0,     OPTION_LIST,     FIELD(ports),
	.meaning = "a port where SMTP is expected too; several may be given"},
    {0,   "ca-cert",         "FILE",     P,     0,     OPTION_TEXT,     FIELD(tls.ca_cert),
	.meaning = "the CA that signs certificates for the client's leg (default: one made for this run)"},
    {0,   "ca-key",          "FILE",     P,     0,     OPTION_TEXT,     FIELD(tls.ca_key),
	.meaning = "its key (default: it is in the file of --ca-cert)"},
    {0,   "make-ca",         NULL,       P,     0,     OPTION_FLAG,     FIELD(make_ca),
	.meaning = "make a CA, and write it to the files of --ca-cert and --ca-key"},
    {0,   "cert",            "FILE",     P | K, 0,     OPTION_TEXT,     FIELD(tls.cert),
	.meaning = "the certificate for the client's leg, and its chain; none is minted (sink: none is made)"},
    {0,   "key",             "FILE",     P | K, 0,     OPTION_TEXT,     FIELD(tls.key),
	.meaning = "its key (default: it is in the file of --cert)"},
    {0,   "bad-cert",        "KIND",     P,     0,     OPTION_WORD,     FIELD(tls.bad_cert),
	.meaning = "mint wrong ones on purpose: expired, self-signed, wrong-name or unknown-ca",
	.words = "|expired|self-signed|wrong-name|unknown-ca"},
    {0,   "upstream-verify", "MODE",     P,     0,     OPTION_WORD,     FIELD(tls.verify),
	.meaning = "none, name, full: the server's certificates that are refused (default: none, all is told)",
	.words = "none|name|full"},
    {0,   "upstream-ca",     "FILE",     P,     0,     OPTION_TEXT,     FIELD(tls.upstream_ca),
	.meaning = "CAs, a file or a directory, that servers are verified by (default: the system's)"},
    {0,   "client-cert",     "FILE",     P,     0,     OPTION_TEXT,     FIELD(tls.client_cert),
	.meaning = "the certificate to show to a server that asks for one"},
    {0,   "client-key",      "FILE",     P,     0,     OPTION_TEXT,     FIELD(tls.client_key),
	.meaning = "its key (default: it is in the file of --client-cert)"},
    {0,   "tls-min",         "VERSION",  P | K, 0,     OPTION_TLS_VERSION, FIELD(tls.legs[0].min),
	.meaning = "the lowest version, 1.0 to 1.3; client:VERSION, server:VERSION: of that leg alone"},
    {0,   "tls-max",         "VERSION",  P | K, 0,     OPTION_TLS_VERSION, FIELD(tls.legs[0].max),
	.meaning = "the highest version, likewise"},
    {0,   "ciphers",         "LIST",     P | K, 0,     OPTION_TLS_CIPHERS, FIELD(tls.legs[0].ciphers),
	.meaning = "an OpenSSL cipher list; client:LIST, server:LIST: of that leg alone"},
    {0,   "keylog",          "FILE",     P | D | W, 0, OPTION_TEXT,     FIELD(keylog),
	.meaning = "TLS secrets as SSLKEYLOGFILE has them: proxy appends its own, decode and watch decode by them"},
    {0,   "user",            "NAME",     W,     P,     OPTION_TEXT,     FIELD(user),
	.meaning = "drop to this user once the interface is open (started by sudo: the user who did)"},
    {0,   "list-findings",   NULL,       ANY,   0,     OPTION_LIST_FINDINGS, 0,
	.meaning = "print the table of findings"},
    {'h', "help",            NULL,       ANY,   0,     OPTION_HELP,     0,
	.meaning = "print this"},
    {0,   "version",         NULL,       ANY,   0,     OPTION_VERSION,  0,
	.meaning = "print the version"},
    /* Words of releases to come. */
    {0, "transparent",     "MODE",      .later = P},
    {0, "spoof-source",    NULL,        .later = P},
    {0, "print-nft",       "MODE",      .later = P},
    {0, "accept-proxy",    NULL,        .later = P},
    {0, "send-proxy",      NULL,        .later = P},
    {0, "xclient",         NULL,        .later = P},
    {0, "resolver",        "ADDR:PORT", .later = P},
    {0, "routes",          "FILE",      .later = P},
    {0, "filter",          "EXPR",      .later = P | D | W},
    {0, "report",          "FILE",      .later = P | D},
    {0, "metrics",         "ADDR:PORT", .later = P | W},
    {0, "web",             "ADDR:PORT", .later = P | W},
};
/* clang-format on */
#define TABLE (sizeof table / sizeof *table)
_Static_assert(TABLE <= OPTIONS_MAX, "lists of options have room for all");

/* The first unit is what a bare number means. */
static const struct options_unit durations[] = {{"s", S}, {"ms", MS}, {"m", 60 * S}, {"h", H}, {NULL, 0}};
static const struct options_unit sizes[] = {{"", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}, {NULL, 0}};
static const struct options_unit numbers[] = {{"", 1}, {NULL, 0}};

const struct options_command_entry *
options_command(enum options_command command)
{
	return &commands[command];
}

enum options_command
options_command_find(const char *name)
{
	unsigned i;

	for (i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(name, commands[i].name) == 0)
			break;
	return (enum options_command)i;
}

const struct options_entry *
options_nth(size_t n)
{
	return n < TABLE ? &table[n] : NULL;
}

const struct options_unit *
options_units(enum options_kind kind)
{
	return kind == OPTION_DURATION ? durations : kind == OPTION_SIZE ? sizes : numbers;
}

void
options_quantity(char text[32], enum options_kind kind, uint64_t value)
{
	const struct options_unit *largest = NULL;

	for (const struct options_unit *unit = options_units(kind); unit->name != NULL; unit++)
		if (value != 0 && value % unit->times == 0 && (largest == NULL || unit->times > largest->times))
			largest = unit;
	if (largest == NULL)
		snprintf(text, 32, "%llu", (unsigned long long)value);
	else
		snprintf(text, 32, "%llu%s", (unsigned long long)(value / largest->times), largest->name);
}
