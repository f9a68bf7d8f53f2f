/* SPDX-License-Identifier: MIT */
/*
 * Rules: read from files, asked about each unit, answering with what is to happen to it.
 * A ruleset is immutable once loaded; counts (doses, expect) stand beside it in a
 * rules_state, what one session remembers (tags, throws, `pass`) in a rules_run.
 * Knows units and facts, no socket and no output.
 */
#ifndef RULES_RULES_H
#define RULES_RULES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "decoders/findings.h"
#include "decoders/smtp/dialogue.h"
#include "proxy/arena.h"

struct ruleset;         /* the rules of all files */
struct rules_state;     /* counts per rule, and doses per key: shared by all sessions */
struct rule;
struct action;

/* Where a rule stands ("on ..."). */
enum rules_place {
	RULES_AT_CONNECT, RULES_AT_COMMAND, RULES_AT_REPLY, RULES_AT_CONTENT,
	RULES_AT_CONTENT_END, RULES_AT_TLS, RULES_AT_CLOSE
};

/* How much must be held at a place so that a rule can act there. */
enum rules_need {
	RULES_NONE,     /* nothing: forward as it comes */
	RULES_END,      /* of content: its end alone */
	RULES_STREAM,   /* of content: each stretch */
	RULES_UNIT      /* the whole unit */
};

/*
 * Loads files in order into one ruleset. Every error of every file goes to err, in the
 * form "file:line:column: what is wrong", the line, a caret; warnings likewise, marked.
 * "-" is standard input. Returns NULL after an error (also a file that cannot be read).
 * A capture given as a rule file is named as such. count 0 gives a ruleset without rules.
 */
struct ruleset *ruleset_load(const char *const *paths, size_t count, FILE *err);
void ruleset_free(struct ruleset *rules);
size_t ruleset_count(const struct ruleset *rules);
/* The rule's number, from 0, by its name; RULES_NONE_SUCH: there is none of that name. */
#define RULES_NONE_SUCH SIZE_MAX
size_t ruleset_find(const struct ruleset *rules, struct view name);
const char *ruleset_name(const struct ruleset *rules, size_t rule);

/*
 * What must be held. At RULES_AT_REPLY: verb is the command answered, or one of
 * RULES_VERB_CONNECT, RULES_VERB_CONTENT. At RULES_AT_COMMAND, SMTP_VERB_UNKNOWN asks
 * whether any rule stands on any command. An index, not a walk.
 */
#define RULES_VERB_CONNECT (SMTP_VERB_COUNT)
#define RULES_VERB_CONTENT (SMTP_VERB_COUNT + 1)
#define RULES_VERB_SLOTS   (SMTP_VERB_COUNT + 2)
enum rules_need rules_need(const struct ruleset *rules, enum rules_place place, unsigned verb);

/* Whether any rule reads header["..."], or a command's words at the reply to it. */
bool ruleset_wants_header(const struct ruleset *rules);
bool ruleset_wants_command_at_reply(const struct ruleset *rules);

/* Whether any rule may change content on its way. */
bool ruleset_edits_content(const struct ruleset *rules);
/* "file:line" of the first rule that says `save`; NULL: none does. */
const char *ruleset_saves(const struct ruleset *rules);

/* Whether any rule throws: by chance, for the length of a delay, for what is corrupted. Then the seed matters. */
bool ruleset_wants_seed(const struct ruleset *rules);

/* Counts start at 0. Borrows rules. Seed as in --seed. */
struct rules_state *rules_state_new(const struct ruleset *rules, uint64_t seed);
/*
 * For rules that are loaded again: one that has the name and the text of an earlier one goes
 * on with its counts, and clients keep their tags. Sessions that still have the earlier
 * ruleset count in the same place, so either state may be freed first. Borrows rules.
 */
struct rules_state *rules_state_follow(const struct ruleset *rules, const struct rules_state *earlier);
void rules_state_free(struct rules_state *state);

/* What one session remembers for its rules. */
struct rules_run {
	const struct ruleset *rules;    /* borrowed; NULL: no rules */
	struct rules_state   *state;    /* borrowed */
	uint64_t  history;              /* running hash of the client's command lines; see rules_run_heard */
	uint32_t  transaction;          /* number of the transaction, for doses per transaction */
	bool      passed;               /* `pass`: no more rules for this session */
	struct rules_tag *tags;         /* the session's own tags, owned */
	struct counter   *counters;     /* of doses per session and per transaction, owned */
};

/* Prepares for a session with this number; clear frees its tags and what doses kept for it. */
void rules_run_init(struct rules_run *run, const struct ruleset *rules, struct rules_state *state,
    uint64_t session);
void rules_run_clear(struct rules_run *run, uint64_t session);

/* Takes a command line that the client sent into the history. */
void rules_run_heard(struct rules_run *run, struct view line);

/*
 * What the fields of an expression read: filled in by the session, borrowed for the call.
 * A view with .at NULL is a field without a value.
 */
struct rules_facts {
	enum rules_place place;
	unsigned  verb;                 /* of the command, or of what the reply answers (RULES_VERB_...) */
	uint64_t  time_us;              /* now, since 1970 */
	/* session.* */
	const struct sockaddr *client;  /* AF_INET or AF_INET6; NULL: unknown */
	struct view client_text;        /* its address, without port */
	uint16_t  client_port;
	struct view server, listener;   /* as their URLs say */
	uint64_t  number;
	uint64_t  commands, transactions;
	bool      tls;
	struct view helo, user;
	uint64_t  age_us;               /* session.seconds */
	/* the command, or the one that the reply answers */
	bool      has_command;
	struct smtp_command command;    /* line, name, argument and secret are used */
	struct view sender;             /* reverse-path of the transaction; .at NULL: none, empty: <> */
	const struct view *recipients;  /* at RCPT and its reply: that one; at content: all accepted */
	size_t    recipient_count;
	uint64_t  transaction_recipients, transaction_accepted;
	/* the reply */
	bool      has_reply;
	struct smtp_reply reply;
	int64_t   latency_us;           /* negative: none */
	/* the content */
	uint64_t  content_octets;       /* at CONTENT-END; at CONTENT: so far */
	struct view header;             /* of the message, as far as it is known */
	const uint32_t *findings;       /* by enum finding: how often in this session; NULL: none so far */
};

/*
 * How fast a direction's octets go out. Else so many at once, then none for the period;
 * spread: as a line that carries so many a period would, each there when it has been carried.
 */
struct pace {
	uint64_t octets, period_us;
	bool     spread;
};

/* One thing that a rule does to a unit, in the order in which it is to happen. */
enum step_type {
	STEP_DELAY,     /* delay_us, then on with the next step */
	STEP_HOLD,      /* never goes on, nor what is behind it */
	STEP_REPLY,     /* octets stand for the reply; code; raw */
	STEP_DROP,
	STEP_CLOSE,     /* which */
	STEP_RESET,     /* which */
	STEP_INJECT,    /* octets to side */
	STEP_PACE,      /* from here on, what goes to which */
	STEP_TRUNCATE,  /* number octets of it go on, then its direction ends */
	STEP_REPEAT,    /* it goes on number times more */
	STEP_CHANGE,    /* set, replace, corrupt, hide, offer: of no effect by itself, verdict.octets has the outcome */
	STEP_EDIT,      /* of content: for an editor (editor.h) */
	STEP_SAVE,      /* the message is to be kept */
	STEP_LOG,       /* octets: the text, secrets masked */
	STEP_NOTE       /* tag, untag, stop, pass: done already */
};
enum step_which { STEP_BOTH, STEP_CLIENT, STEP_SERVER };

struct step {
	enum step_type  type;
	enum step_which which;          /* CLOSE, RESET, PACE; INJECT: STEP_CLIENT or STEP_SERVER */
	bool            raw;            /* REPLY: octets are no reply in form */
	uint16_t        code;           /* REPLY: 0 where raw octets do not begin with one */
	uint64_t        delay_us;
	uint64_t        number;         /* TRUNCATE, REPEAT */
	struct pace     pace;           /* PACE */
	struct view     octets;         /* REPLY: all lines with CRLF; EDIT: the field; in the arena */
	const struct action *edit;      /* EDIT; lives as long as the ruleset */
	uint64_t        seed;           /* EDIT: for what is thrown later */
	const char     *rule;           /* name; lives as long as the ruleset */
	const char     *action;         /* as written, white space folded: `reply 421 4.3.2 "..."` */
	const char     *at;             /* "file:line" */
	bool            fired;          /* whatever its doses: see rules_state_fire */
	bool            thrown;         /* by chance: throw is what was thrown, 0 to 100 */
	double          throw;
};

struct verdict {
	struct step *steps;             /* in the arena */
	size_t       step_count;
	struct view  octets;            /* the unit as STEP_CHANGE left it, line ends included; .at NULL: it is what it was */
};

/*
 * Asks all rules of the place about a unit. False: nothing acted, *verdict untouched,
 * forward the unit as it is. Matches are counted either way. unit is the command line
 * or the whole reply as on the wire, VIEW_NONE elsewhere.
 */
bool rules_judge(struct rules_run *run, const struct rules_facts *facts, struct view unit,
    struct arena *arena, struct verdict *verdict);

/*
 * What `hide` and `offer` make of a reply to EHLO or LHLO: all its octets anew, in the arena;
 * .at NULL: there is nothing to change.
 */
struct view rules_hide(struct arena *arena, const struct smtp_reply *reply, struct view keyword);
struct view rules_offer(struct arena *arena, const struct smtp_reply *reply, struct view text);

/* One rule's counts, for the summary and for `expect`. */
struct rules_count {
	const char *rule;
	bool        reached;            /* it was asked at least once */
	bool        enabled;
	unsigned    fires;              /* how often it is yet to act whatever its doses */
	uint64_t    matched, skipped, acted;
	bool        expected;           /* it has an `expect`, and ... */
	bool        met;                /* ... whether its count fits */
	char        expectation[48];    /* "at least 2", "exactly 1" */
	const char *at;                 /* "file:line" of the rule */
};
void rules_state_count(const struct rules_state *state, size_t rule, struct rules_count *count);

/* Whether the counts of a rule of the earlier state go on in the later one. */
bool rules_state_goes_on(const struct rules_state *earlier, size_t rule, const struct rules_state *later);

/*
 * Switches a rule while sessions run, from any thread: at once for all of them, those too that
 * began with rules since replaced, and for the rule of that name when rules are loaded again. One that
 * is not enabled is not asked. fire: it acts once more, at its next match, enabled or not, and
 * doses are neither asked nor counted. False: it has no action.
 */
void rules_state_enable(struct rules_state *state, size_t rule, bool enabled);
bool rules_state_fire(struct rules_state *state, size_t rule);

#endif
