/* SPDX-License-Identifier: MIT */
/*
 * The words of the rule language, each list once: what the parser takes, what errors
 * suggest, and what smtpscope.rules(5) is compared with.
 */
#ifndef RULES_LANGUAGE_H
#define RULES_LANGUAGE_H

#include <stdint.h>

#include "proxy/rules/rules.h"

/* Places, a bit each, for the tables below. */
enum place_bit {
	ON_CONNECT     = 1 << RULES_AT_CONNECT,
	ON_COMMAND     = 1 << RULES_AT_COMMAND,
	ON_REPLY       = 1 << RULES_AT_REPLY,
	ON_CONTENT     = 1 << RULES_AT_CONTENT,
	ON_CONTENT_END = 1 << RULES_AT_CONTENT_END,
	ON_TLS         = 1 << RULES_AT_TLS,
	ON_CLOSE       = 1 << RULES_AT_CLOSE,
	ON_EHLO_REPLY  = 1 << 7,        /* replies to EHLO and LHLO alone */
	ON_ANYTHING    = (1 << 7) - 1
};

/* Words that name a place; verbs come beside them, and "reply to" a verb or one of the targets. */
#define RULES_PLACES(X) \
	X(CONNECT,     "connect") \
	X(COMMAND,     "command") \
	X(REPLY,       "reply") \
	X(CONTENT,     "CONTENT") \
	X(CONTENT_END, "CONTENT-END") \
	X(TLS,         "tls") \
	X(CLOSE,       "close")

enum field_type {
	TYPE_TEXT, TYPE_NUMBER, TYPE_SECONDS, TYPE_DURATION, TYPE_BOOLEAN, TYPE_ENHANCED, TYPE_ADDRESS
};

enum field_index { INDEX_NONE, INDEX_TAG, INDEX_HEADER, INDEX_FINDING };

/*
 *      id                       name                        type      index    stands on        has a value on
 * Where a field does not stand it is an error, where it has no value a comparison is false.
 * "Reads" says of which part of the session: rules that read a command at its reply make
 * the session keep it.
 */
#define RULES_FIELDS(X) \
	X(SESSION_CLIENT,        "session.client",           ADDRESS,  NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_CLIENT_PORT,   "session.client.port",      NUMBER,   NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_SERVER,        "session.server",           TEXT,     NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_LISTENER,      "session.listener",         TEXT,     NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_NUMBER,        "session.number",           NUMBER,   NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_COMMANDS,      "session.commands",         NUMBER,   NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_TRANSACTIONS,  "session.transactions",     NUMBER,   NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_TLS,           "session.tls",              BOOLEAN,  NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_HELO,          "session.helo",             TEXT,     NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_USER,          "session.user",             TEXT,     NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_SECONDS,       "session.seconds",          SECONDS,  NONE,    ON_ANYTHING, NOTHING) \
	X(SESSION_TAG,           "session.tag",              BOOLEAN,  TAG,     ON_ANYTHING, NOTHING) \
	X(VERB,                  "verb",                     TEXT,     NONE,    ON_ANYTHING, COMMAND) \
	X(ARGUMENT,              "argument",                 TEXT,     NONE,    ON_ANYTHING, COMMAND) \
	X(LINE,                  "line",                     TEXT,     NONE,    ON_ANYTHING, COMMAND) \
	X(SENDER,                "sender",                   TEXT,     NONE,    ON_ANYTHING, SENDER) \
	X(SENDER_DOMAIN,         "sender.domain",            TEXT,     NONE,    ON_ANYTHING, SENDER) \
	X(RECIPIENT,             "recipient",                TEXT,     NONE,    ON_ANYTHING, RECIPIENT) \
	X(RECIPIENT_DOMAIN,      "recipient.domain",         TEXT,     NONE,    ON_ANYTHING, RECIPIENT) \
	X(TRANSACTION_RECIPIENTS,"transaction.recipients",   NUMBER,   NONE,    ON_ANYTHING, NOTHING) \
	X(TRANSACTION_ACCEPTED,  "transaction.accepted",     NUMBER,   NONE,    ON_REPLY | ON_CONTENT | ON_CONTENT_END, NOTHING) \
	X(REPLY_CODE,            "reply.code",               NUMBER,   NONE,    ON_REPLY | ON_CONTENT | ON_CONTENT_END, NOTHING) \
	X(REPLY_ENHANCED,        "reply.enhanced",           ENHANCED, NONE,    ON_REPLY | ON_CONTENT | ON_CONTENT_END, NOTHING) \
	X(REPLY_TEXT,            "reply.text",               TEXT,     NONE,    ON_REPLY | ON_CONTENT | ON_CONTENT_END, NOTHING) \
	X(REPLY_LATENCY,         "reply.latency",            DURATION, NONE,    ON_REPLY | ON_CONTENT | ON_CONTENT_END, NOTHING) \
	X(CONTENT_OCTETS,        "content.octets",           NUMBER,   NONE,    ON_ANYTHING, CONTENT) \
	X(HEADER,                "header",                   TEXT,     HEADER,  ON_ANYTHING, CONTENT) \
	X(FINDING,               "finding",                  NUMBER,   FINDING, ON_ANYTHING, NOTHING)

enum field {
#define X(id, ...) FIELD_##id,
	RULES_FIELDS(X)
#undef X
	FIELD_COUNT
};

/* What of a session a field needs, apart from what there always is. */
enum field_reads { READS_NOTHING, READS_COMMAND, READS_SENDER, READS_RECIPIENT, READS_CONTENT };

struct field_entry {
	struct view      name;
	enum field_type  type;
	enum field_index index;
	unsigned         stands;        /* enum place_bit */
	enum field_reads reads;
};

/*
 *      id        name         may stand on
 */
#define RULES_ACTIONS(X) \
	X(REPLY,    "reply",    ON_CONNECT | ON_COMMAND | ON_REPLY | ON_CONTENT_END) \
	X(DROP,     "drop",     ON_COMMAND | ON_REPLY) \
	X(HOLD,     "hold",     ON_ANYTHING & ~ON_CLOSE) \
	X(STOP,     "stop",     ON_ANYTHING) \
	X(PASS,     "pass",     ON_ANYTHING) \
	X(SAVE,     "save",     ON_CONTENT | ON_CONTENT_END) \
	X(CLOSE,    "close",    ON_ANYTHING & ~ON_CLOSE) \
	X(RESET,    "reset",    ON_ANYTHING & ~ON_CLOSE) \
	X(DELAY,    "delay",    ON_ANYTHING & ~ON_CLOSE) \
	X(THROTTLE, "throttle", ON_CONNECT | ON_COMMAND | ON_REPLY | ON_CONTENT | ON_CONTENT_END) \
	X(DRIBBLE,  "dribble",  ON_CONNECT | ON_COMMAND | ON_REPLY | ON_CONTENT | ON_CONTENT_END) \
	X(TRUNCATE, "truncate", ON_COMMAND | ON_REPLY | ON_CONTENT) \
	X(REPEAT,   "repeat",   ON_COMMAND | ON_REPLY) \
	X(CORRUPT,  "corrupt",  ON_COMMAND | ON_REPLY | ON_CONTENT) \
	X(SET,      "set",      ON_COMMAND | ON_REPLY) \
	X(REPLACE,  "replace",  ON_COMMAND | ON_REPLY | ON_CONTENT) \
	X(HIDE,     "hide",     ON_EHLO_REPLY) \
	X(OFFER,    "offer",    ON_EHLO_REPLY) \
	X(HEADER,   "header",   ON_CONTENT) \
	X(INJECT,   "inject",   ON_CONNECT | ON_COMMAND | ON_REPLY | ON_CONTENT_END) \
	X(LOG,      "log",      ON_ANYTHING) \
	X(TAG,      "tag",      ON_ANYTHING) \
	X(UNTAG,    "untag",    ON_ANYTHING)

enum action_type {
#define X(id, ...) ACTION_##id,
	RULES_ACTIONS(X)
#undef X
	ACTION_COUNT
};

struct action_entry {
	struct view name;
	unsigned    stands;     /* enum place_bit */
};

/* What `set` sets, and the places on which there is such a thing. */
#define RULES_SETS(X) \
	X(LINE,       "line",       ON_COMMAND) \
	X(ARGUMENT,   "argument",   ON_COMMAND) \
	X(SENDER,     "sender",     ON_COMMAND) \
	X(RECIPIENT,  "recipient",  ON_COMMAND) \
	X(REPLY_CODE, "reply.code", ON_REPLY) \
	X(REPLY_TEXT, "reply.text", ON_REPLY)

enum set_what {
#define X(id, ...) SET_##id,
	RULES_SETS(X)
#undef X
	SET_COUNT
};

/* What `header` does to a field. */
enum header_what { HEADER_ADD, HEADER_SET, HEADER_REMOVE };

struct set_entry {
	struct view name;
	unsigned    stands;
};

#define RULES_DOSES(X) X(SKIP, "skip") X(EVERY, "every") X(LIMIT, "limit") X(CHANCE, "chance")
enum dose_type {
#define X(id, ...) DOSE_##id,
	RULES_DOSES(X)
#undef X
	DOSE_COUNT
};

#define RULES_SCOPES(X) \
	X(RULE, "rule") X(CLIENT, "client") X(SESSION, "session") X(TRANSACTION, "transaction") \
	X(SENDER, "sender") X(RECIPIENT, "recipient")
enum dose_scope {
#define X(id, ...) SCOPE_##id,
	RULES_SCOPES(X)
#undef X
	SCOPE_COUNT
};

extern const struct view         language_places[7];            /* by enum rules_place */
extern const struct field_entry  language_fields[FIELD_COUNT];
extern const struct action_entry language_actions[ACTION_COUNT];
extern const struct set_entry    language_sets[SET_COUNT];
extern const struct view         language_doses[DOSE_COUNT];
extern const struct view         language_scopes[SCOPE_COUNT];

/* Whether an action is the last word on its unit: no more rules are tried. */
bool action_ends_trying(enum action_type type);

/*
 * Whether a command can be sent twice in a row: behind DATA, BDAT, AUTH and STARTTLS comes what is
 * no command, and a second one would be taken for it.
 */
bool language_repeats(enum smtp_verb verb);

/* By name, letter for letter; -1: none of that name. */
int language_field(struct view name);
int language_action(struct view name);
int language_dose(struct view name);
int language_scope(struct view name);
int language_place(struct view name);

/* Names that a wrong word may have been meant to be; see near_word. */
struct names {
	const char *at[160];
	size_t      count;
};

void names_add(struct names *names, const char *name);
void names_add_fields(struct names *names);
void names_add_actions(struct names *names);
void names_add_places(struct names *names);     /* verbs too */
void names_add_verbs(struct names *names);
void names_add_views(struct names *names, const struct view *views, size_t count);

/* "connect, command, reply" of place bits, into out. */
void language_say_places(unsigned places, char *out, size_t size);

#endif
