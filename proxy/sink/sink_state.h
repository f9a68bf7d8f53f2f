/* SPDX-License-Identifier: MIT */
/* What the files of one session of the sink share; nobody else includes it. */
#ifndef SINK_SINK_STATE_H
#define SINK_SINK_STATE_H

#include "decoders/smtp/dialogue.h"
#include "proxy/sink/sink.h"

#define SINK_RECIPIENTS_MAX 1000        /* of a transaction (RFC 5321 4.5.3.1.8: 100 or more) */
#define SINK_NAMES_MAX      (256 * 1024)/* octets of its paths together */

struct sink_answer {
	uint16_t    code;
	const char *text;               /* enhanced status code included */
};

/* A mail transaction: from an accepted MAIL to the reply to its content, RSET, EHLO or the end. */
struct sink_transaction {
	struct buffer names;            /* the reverse-path, then the accepted forward-paths */
	uint32_t     *ends;             /* where each of them ends in names */
	uint32_t      count, room;      /* of ends: 1 + recipients */
	uint64_t      octets;           /* of content so far */
	struct maildir_message   *message;      /* NULL: not kept */
	const struct sink_answer *failed;       /* what its content will be, or was, refused with; NULL */
	const char   *error;            /* strerror of why it could not be kept; NULL */
	uint8_t       unstuff;          /* smtp_content_unstuff */
	bool          begun;            /* content has */
	bool          chunks;           /* by BDAT */
};

enum sink_hello { SINK_SILENT, SINK_HELO, SINK_EHLO, SINK_LHLO };
enum sink_auth { SINK_AUTH_NONE, SINK_AUTH_PLAIN, SINK_AUTH_LOGIN_USER, SINK_AUTH_LOGIN_PASSWORD };

struct sink {
	const struct sink_settings *settings;
	struct smtp_dialogue        dialogue;
	struct sink_transaction    *transaction;/* NULL: none */
	const struct sink_answer   *chunk_refused;      /* of the chunk that comes in; NULL: it is taken */
	uint64_t                    chunk;      /* its octets */
	uint8_t                     hello;      /* enum sink_hello */
	uint8_t                     auth;       /* enum sink_auth: what the next AUTH line is */
	bool                        authenticated;
	bool                        chunk_waits;/* a BDAT is answered when its chunk has come */
	bool                        chunk_last;
	bool                        awaits_tls, secured;
	bool                        over;
};

/* A reply of one line; returns its code. */
uint16_t sink_say(struct buffer *out, uint16_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What the client sent, fit to stand in a reply: cut, with "?" for all but printable ASCII. */
struct sink_shown { char text[260]; };
struct sink_shown sink_shown(struct view octets);

/* Tells settings->message how the content of the transaction ended. file: "" where not kept. */
void sink_report(const struct sink *sink, uint16_t code, const char *file);

/*
 * sink_commands.c: answers a command; returns the code. 0: BDAT, which is answered behind its
 * chunk. A line that was cut is answered as too long.
 */
uint16_t sink_answer_command(
    struct sink *sink, const struct smtp_command *command, unsigned marks, struct buffer *out);
uint16_t sink_answer_auth_line(struct sink *sink, struct view line, unsigned marks, struct buffer *out);

/* Forgets the transaction. */
void sink_reset(struct sink *sink);

/* sink_mail.c: the commands of a mail transaction. */
uint16_t sink_mail(struct sink *sink, const struct smtp_command *command, struct buffer *out);
uint16_t sink_rcpt(struct sink *sink, const struct smtp_command *command, struct buffer *out);
uint16_t sink_data(struct sink *sink, const struct smtp_command *command, struct buffer *out);
uint16_t sink_bdat(struct sink *sink, const struct smtp_command *command, struct buffer *out);

/* sink_transaction.c */
struct sink_transaction *sink_transaction_new(struct view reverse_path);        /* NULL: out of memory */
void sink_transaction_free(struct sink_transaction *t);         /* NULL is fine */
bool sink_transaction_add(struct sink_transaction *t, struct view forward_path);/* false: too many */
struct view sink_transaction_path(const struct sink_transaction *t, uint32_t n);/* 0: the reverse-path */
/* Content begins: its file, with the envelope on top, if messages are kept. */
void sink_transaction_begin(struct sink_transaction *t, struct maildir *maildir);
/* A stretch of it as sent; counted by DATA or by BDAT as t->chunks says. */
void sink_transaction_content(struct sink_transaction *t, struct view stretch, uint64_t max_size);
/* It is whole. file, of NAME_MAX + 1, is "" where it was not kept. Returns what to answer. */
const struct sink_answer *sink_transaction_end(struct sink_transaction *t, char *file);

#endif
