/* SPDX-License-Identifier: MIT */
/*
 * What happened in a session, as the outputs get it. An event and all that it points to
 * lasts for the call that hands it over; secrets are masked before (unless --show-secrets),
 * all other octets are as they were on the wire: the output escapes.
 */
#ifndef SESSIONS_EVENT_H
#define SESSIONS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "decoders/findings.h"
#include "decoders/smtp/command.h"
#include "decoders/smtp/ehlo.h"
#include "decoders/smtp/reply.h"
#include "decoders/view.h"

enum event_type {
	EVENT_OPEN, EVENT_UPSTREAM, EVENT_COMMAND, EVENT_REPLY, EVENT_EHLO, EVENT_AUTH, EVENT_TLS,
	EVENT_CONTENT, EVENT_MESSAGE, EVENT_FINDING, EVENT_RULE, EVENT_LOG, EVENT_UNDECODED, EVENT_CLOSE,
	EVENT_RULE_SUMMARY
};

enum event_side { EVENT_CLIENT, EVENT_SERVER, EVENT_PROXY, EVENT_NETWORK };
enum event_origin { ORIGIN_PEER, ORIGIN_RULE, ORIGIN_PROXY };   /* PEER: the client's command, the server's reply */

#define EVENT_NO_LATENCY INT64_MIN

/* A code of 0 is null in JSON: none was given. */
struct event_recipient {
	struct view address;
	uint16_t    code, server_code;          /* server_code 0: the same */
	uint16_t    final;                      /* LMTP: the code behind the content; 0: none */
	struct view final_enhanced;             /* .at NULL: none */
};

/* Whom a message is from and to, as far as that is known by then. */
struct event_envelope {
	struct view reverse_path;               /* .at NULL: there was no MAIL */
	const struct event_recipient *recipients;
	size_t      recipient_count;
	uint64_t    recipients_unlisted;        /* above the session's ceiling */
};

/* TLS on one leg: what it came to, and what is known of it. */
struct event_tls {
	enum event_side side;
	const char *outcome;            /* "established", "failed", "refused", "passed" */
	struct view reason;             /* .at NULL: none */
	struct view hint;               /* what may be done about it; .at NULL: nothing is known */
	struct view version, cipher, sni, subject, issuer;      /* .at NULL: not known */
	struct view alert;              /* its name; .at NULL: there was none */
	int         verified;           /* the server's certificate: 1 it is, -1 it is not, 0 nobody looked */
	struct view verify_error;       /* -1: in words */
};

struct event {
	enum event_type type;
	uint64_t        time_us;                /* since 1970, UTC */
	uint64_t        session;                /* number, from 1; 0 in EVENT_RULE_SUMMARY */
	uint64_t        since_open_us;          /* time since the session's first event */
	union {
		struct {
			struct view client, server;     /* "addr:port"; live: the server as the URL says */
			const char *source;             /* "proxy", "pcap", "watch" */
			struct view capture;            /* file name; .at NULL: none */
			struct view preface;            /* what stood in front of it; .at NULL: nothing */
		} open;
		struct {
			struct view server;             /* "addr:port" */
			const char *outcome;            /* "connected", "refused", "timeout", "unreachable", "dns" */
			uint64_t    duration_us;
			struct view reason;             /* in words, .at NULL: none */
		} upstream;
		struct {
			struct smtp_command command;
			struct view name_upper;         /* the verb as JSON says it: upper case */
			size_t      line_octets;        /* its true length where it was cut; 0: it was not */
			bool        forwarded;
			struct view forwarded_line;     /* .at NULL: as it was */
			enum event_origin origin;       /* ORIGIN_RULE: injected */
			unsigned    marks;              /* enum smtp_mark */
			bool        pipelined;          /* earlier commands were unanswered */
		} command;
		struct {
			struct smtp_reply reply;        /* what the client was sent (or, not delivered, the server said) */
			struct view to;                 /* verb, "CONNECT", "CONTENT"; .at NULL: unsolicited */
			int64_t     latency_us;         /* EVENT_NO_LATENCY: null */
			enum event_origin origin;
			bool        changed;            /* original is what the server said */
			struct smtp_reply original;
			bool        delivered;
			struct view recipient;          /* LMTP after content; .at NULL: none */
			size_t      wire_octets;        /* its true length where it was cut; 0: it was not */
			unsigned    marks;
		} reply;
		struct {
			struct view name;               /* the server's name in the reply */
			struct smtp_reply offered;      /* to the client; walk it with smtp_ehlo_next */
			bool        tls;
			bool        changed;            /* a rule changed the keywords: server is what it said */
			struct smtp_reply server;
		} ehlo;
		struct {
			struct view mechanism, user, secret;    /* .at NULL: null */
			const char *outcome;            /* "accepted", "refused", "cancelled", "unfinished" */
			uint16_t    code;
		} auth;
		struct event_tls tls;
		struct {                                /* for who wants it: a stretch of content as sent */
			struct view octets;
			uint64_t    message;            /* whose: as in the message event that will follow; 0: none will */
			bool        by_data;            /* dots are doubled */
			bool        begins;             /* it is the first: envelope is filled in */
			uint64_t    missing;            /* octets in front of it that are not in the capture */
			struct event_envelope envelope;
		} content;
		struct {
			uint64_t    message;            /* from 1, in the order in which the session's contents began */
			struct view reverse_path;
			const struct event_recipient *recipients;
			size_t      recipient_count;
			uint64_t    recipients_unlisted; /* above the session's ceiling */
			uint64_t    octets, lines;
			const char *transfer;           /* "DATA", "BDAT" */
			/* Decoded UTF-8; .at NULL: there is none, or nobody wants any (struct event_sink). */
			struct view subject, from, to, message_id, date;
			uint16_t    code, server_code;
			bool        complete;
			const char *incomplete;         /* not complete: "gap", how the session ended, "abandoned" */
			bool        changed;            /* forwarded_octets differ from octets */
			uint64_t    forwarded_octets;
			bool        unwanted;           /* rules say which messages are kept, and it is none of these */
		} message;
		struct {
			enum finding finding;
			enum event_side side;
			struct view detail;             /* a sentence about this one; .at NULL: the table's line */
			struct view excerpt;            /* octets; .at NULL: none */
			bool        unsure;
		} finding;
		struct {
			const char *rule, *action, *at; /* "reply 421 4.3.2 ...", "file:line" */
			bool        fired;              /* by ctl, whatever its doses */
			bool        thrown;             /* chance: throw is the number thrown, in percent */
			double      throw;
			bool        dry_run;
		} rule;
		struct {                                /* a rule's `log` */
			const char *rule;
			struct view text;
		} log;
		struct {                                /* octets that could not be decoded */
			enum event_side side;
			struct view octets;             /* the first of them */
			uint64_t    count;              /* how many there were */
			const char *reason;
		} undecoded;
		struct {
			enum event_side by;
			const char *how;                /* as in the contract: "quit", "eof", ... */
			struct view reason;             /* .at NULL: none */
			uint64_t    duration_us, commands, replies, messages;
			uint64_t    octets[2], encrypted[2];    /* by enum smtp_side */
			uint64_t    gaps;
		} close;
		struct {
			const char *rule;
			bool        reached;            /* it was asked at least once */
			uint64_t    matched, skipped, acted;
		} rule_summary;
	} as;
};

/* Where events go. put must not keep what the event points to. */
struct event_sink {
	void (*put)(void *to, const struct event *event);
	void  *to;
	bool   wants_content;           /* EVENT_CONTENT too */
	bool   counts_only;             /* fields of headers are not looked for: a message has none */
};

#endif
