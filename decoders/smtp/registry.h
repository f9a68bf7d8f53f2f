/* SPDX-License-Identifier: MIT */
/*
 * What SMTP calls by name: verbs, EHLO keywords, reply codes and enhanced status codes.
 * One list each makes the enum, the lookup and what `smtpscope explain` prints. Names that
 * are not here are no error: they are decoded by their shape.
 */
#ifndef DECODERS_SMTP_REGISTRY_H
#define DECODERS_SMTP_REGISTRY_H

#include <stdint.h>

#include "decoders/view.h"

/* What a verb's argument is. */
enum smtp_argument {
	SMTP_ARG_NONE, SMTP_ARG_DOMAIN, SMTP_ARG_REVERSE_PATH, SMTP_ARG_FORWARD_PATH,
	SMTP_ARG_CHUNK, SMTP_ARG_MECHANISM, SMTP_ARG_TEXT
};

/*
 *      id        verb        argument               ends group  defined in          what it does
 * "Ends group": it may only be the last command of a pipelined group (RFC 2920 3.1).
 */
#define SMTP_VERBS(X) \
	X(HELO,     "HELO",     SMTP_ARG_DOMAIN,       true,  "RFC 5321 4.1.1.1", "begins a session without extensions") \
	X(EHLO,     "EHLO",     SMTP_ARG_DOMAIN,       true,  "RFC 5321 4.1.1.1", "begins a session and asks what the server offers") \
	X(LHLO,     "LHLO",     SMTP_ARG_DOMAIN,       true,  "RFC 2033 4.1",     "EHLO of LMTP: one reply per recipient follows the content") \
	X(MAIL,     "MAIL",     SMTP_ARG_REVERSE_PATH, false, "RFC 5321 4.1.1.2", "begins a mail transaction and names the reverse-path") \
	X(RCPT,     "RCPT",     SMTP_ARG_FORWARD_PATH, false, "RFC 5321 4.1.1.3", "names one recipient; once for each") \
	X(DATA,     "DATA",     SMTP_ARG_NONE,         true,  "RFC 5321 4.1.1.4", "asks to send the content; 354 lets it begin, CRLF.CRLF ends it") \
	X(BDAT,     "BDAT",     SMTP_ARG_CHUNK,        false, "RFC 3030 2",       "sends a chunk of content of so many octets; LAST ends it") \
	X(RSET,     "RSET",     SMTP_ARG_NONE,         false, "RFC 5321 4.1.1.5", "gives up the mail transaction") \
	X(VRFY,     "VRFY",     SMTP_ARG_TEXT,         true,  "RFC 5321 4.1.1.6", "asks whether a mailbox exists") \
	X(EXPN,     "EXPN",     SMTP_ARG_TEXT,         true,  "RFC 5321 4.1.1.7", "asks for the members of a mailing list") \
	X(HELP,     "HELP",     SMTP_ARG_TEXT,         false, "RFC 5321 4.1.1.8", "asks for help") \
	X(NOOP,     "NOOP",     SMTP_ARG_TEXT,         true,  "RFC 5321 4.1.1.9", "does nothing but get a reply") \
	X(QUIT,     "QUIT",     SMTP_ARG_NONE,         true,  "RFC 5321 4.1.1.10","ends the session; the server answers 221 and closes") \
	X(AUTH,     "AUTH",     SMTP_ARG_MECHANISM,    true,  "RFC 4954 4",       "authenticates by a SASL mechanism") \
	X(STARTTLS, "STARTTLS", SMTP_ARG_NONE,         true,  "RFC 3207 4",       "begins TLS behind the 220") \
	X(ETRN,     "ETRN",     SMTP_ARG_TEXT,         false, "RFC 1985 3",       "asks the server to send the mail that it queues for a domain") \
	X(TURN,     "TURN",     SMTP_ARG_NONE,         true,  "RFC 821 3.8",      "swapped client and server; obsolete, unsafe") \
	X(XCLIENT,  "XCLIENT",  SMTP_ARG_TEXT,         true,  "Postfix XCLIENT",  "tells the server whom it is to take the client for") \
	X(XFORWARD, "XFORWARD", SMTP_ARG_TEXT,         true,  "Postfix XFORWARD", "tells the server about the original client, for its log")

enum smtp_verb {
	SMTP_VERB_UNKNOWN,
#define X(id, ...) SMTP_##id,
	SMTP_VERBS(X)
#undef X
	SMTP_VERB_COUNT
};

struct smtp_verb_entry {
	struct view        name;
	enum smtp_argument argument;
	bool               ends_group;
	const char        *reference;
	const char        *meaning;
};

/*
 *      id                   keyword                verbs it brings  MAIL parameters   RCPT parameters  defined in
 * Lists are words with a space between.
 */
#define SMTP_KEYWORDS(X) \
	X(8BITMIME,            "8BITMIME",            "",          "BODY",            "",             "RFC 6152", "content may have octets of 8 bits") \
	X(SIZE,                "SIZE",                "",          "SIZE",            "",             "RFC 1870", "the largest message that is taken, in octets; 0: no fixed limit") \
	X(PIPELINING,          "PIPELINING",          "",          "",                "",             "RFC 2920", "commands may be sent without waiting for each reply") \
	X(ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES", "",          "",                "",             "RFC 2034", "replies carry enhanced status codes") \
	X(CHUNKING,            "CHUNKING",            "BDAT",      "",                "",             "RFC 3030", "content may be sent in counted chunks by BDAT") \
	X(BINARYMIME,          "BINARYMIME",          "",          "BODY",            "",             "RFC 3030", "content may be binary, sent by BDAT alone") \
	X(STARTTLS,            "STARTTLS",            "STARTTLS",  "",                "",             "RFC 3207", "the session can go on in TLS") \
	X(AUTH,                "AUTH",                "AUTH",      "AUTH",            "",             "RFC 4954", "SASL mechanisms that the client may authenticate by") \
	X(DSN,                 "DSN",                 "",          "RET ENVID",       "NOTIFY ORCPT", "RFC 3461", "the client may ask for delivery status notifications") \
	X(SMTPUTF8,            "SMTPUTF8",            "",          "SMTPUTF8",        "",             "RFC 6531", "addresses and header may be UTF-8") \
	X(ETRN,                "ETRN",                "ETRN",      "",                "",             "RFC 1985", "the client may ask for its queued mail") \
	X(DELIVERBY,           "DELIVERBY",           "",          "BY",              "",             "RFC 2852", "mail may have a time by which it must be delivered") \
	X(FUTURERELEASE,       "FUTURERELEASE",       "",          "HOLDFOR HOLDUNTIL","",            "RFC 4865", "mail may be kept until a time") \
	X(MT_PRIORITY,         "MT-PRIORITY",         "",          "MT-PRIORITY",     "",             "RFC 6710", "mail may have a priority") \
	X(MTRK,                "MTRK",                "",          "MTRK",            "",             "RFC 3885", "mail may be tracked") \
	X(RRVS,                "RRVS",                "",          "",                "RRVS",         "RFC 7293", "a mailbox must have had its owner since a time") \
	X(REQUIRETLS,          "REQUIRETLS",          "",          "REQUIRETLS",      "",             "RFC 8689", "the message must travel in TLS all the way") \
	X(LIMITS,              "LIMITS",              "",          "",                "",             "RFC 9422", "how many messages and recipients a session may have") \
	X(VRFY,                "VRFY",                "VRFY",      "",                "",             "RFC 5321 4.1.1.6", "VRFY is answered") \
	X(EXPN,                "EXPN",                "EXPN",      "",                "",             "RFC 5321 4.1.1.7", "EXPN is answered") \
	X(HELP,                "HELP",                "HELP",      "",                "",             "RFC 5321 4.1.1.8", "HELP is answered") \
	X(XCLIENT,             "XCLIENT",             "XCLIENT",   "",                "",             "Postfix XCLIENT", "attributes by which a proxy may name the client") \
	X(XFORWARD,            "XFORWARD",            "XFORWARD",  "",                "",             "Postfix XFORWARD", "attributes of the original client, for the log")

enum smtp_keyword {
	SMTP_KEYWORD_UNKNOWN,
#define X(id, ...) SMTP_KEYWORD_##id,
	SMTP_KEYWORDS(X)
#undef X
	SMTP_KEYWORD_COUNT
};
_Static_assert(SMTP_KEYWORD_COUNT <= 64, "keywords offered are kept as bits");

struct smtp_keyword_entry {
	struct view name, verbs, mail_params, rcpt_params;
	const char *reference;
	const char *meaning;
};

struct smtp_code_entry {
	uint16_t    code;
	const char *meaning;
	const char *reference;
	const char *answers;            /* verbs, CONNECT, CONTENT, or words; "": anything */
};

struct smtp_enhanced_entry {
	uint16_t    subject, detail;    /* X.subject.detail */
	const char *meaning;
	const char *reference;
};

/* Lookups ignore ASCII case. Entries are constant; by id they are never NULL but for UNKNOWN. */
enum smtp_verb smtp_verb_find(struct view name);
const struct smtp_verb_entry *smtp_verb_entry(enum smtp_verb verb);
enum smtp_keyword smtp_keyword_find(struct view name);
const struct smtp_keyword_entry *smtp_keyword_entry(enum smtp_keyword keyword);

/* NULL: not in the registry. */
const struct smtp_code_entry *smtp_code_find(uint16_t code);
const struct smtp_enhanced_entry *smtp_enhanced_find(uint16_t subject, uint16_t detail);

/* The nth entry, for lists and tests; NULL behind the last. */
const struct smtp_code_entry *smtp_code_nth(size_t n);
const struct smtp_enhanced_entry *smtp_enhanced_nth(size_t n);

/* Whether words (a list with a space between) holds the word. */
bool smtp_words_have(struct view words, struct view word);

#endif
