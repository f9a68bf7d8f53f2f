/* SPDX-License-Identifier: MIT */
/*
 * One session of the built-in SMTP server, without a socket: the client's octets in, replies
 * out. It takes every message and every credential, relays nothing, and keeps nothing unless it
 * is given a Maildir. What the client's octets mean it is told by the dialogue, as everybody
 * here: each command is kept from a server that is not there, and answered by us.
 */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include <stdint.h>

#include "decoders/view.h"
#include "proxy/outputs/buffer.h"
#include "proxy/outputs/maildir.h"

/* The name in greetings. Never the host's own: an MTA there would take us for itself, and refuse. */
#define SINK_NAME "smtpscope.invalid"

/* A message whose content has come to its end, as the client was told. */
struct sink_message {
	struct view reverse_path;
	uint32_t    recipients;
	uint64_t    octets;             /* as stored: dots unstuffed */
	bool        chunks;             /* by BDAT */
	uint16_t    code;
	const char *file;               /* its name in the Maildir; NULL: not kept */
	const char *error;              /* why it could not be kept; NULL: no error */
};

struct sink_settings {
	uint64_t        max_size;       /* octets of a message, as SIZE announces; 0: no limit */
	bool            lmtp;           /* LMTP alone; else it begins with a LHLO */
	bool            starttls;       /* STARTTLS is offered: who owns the connection can speak TLS */
	bool            secured;        /* TLS is there from the start (RFC 8314) */
	struct maildir *maildir;        /* NULL: nothing is kept */
	/* Told of each message; views and texts last as long as the call. May be NULL. */
	void          (*message)(void *owner, const struct sink_message *message);
	void           *owner;
};

struct sink;

/* A session, which begins with its greeting in *out. Borrows settings until sink_free. */
struct sink *sink_new(const struct sink_settings *settings, struct buffer *out);

/* A message that has not come to its end is forgotten. */
void sink_free(struct sink *sink);

/*
 * Reads the client's octets, puts replies behind what is in *out, and returns how many were
 * used. What is left over (part of a line; or *out is so full that the client has to read
 * first) is to be offered again with more behind it, or when *out has been emptied.
 */
size_t sink_feed(struct sink *sink, const char *octets, size_t len, struct buffer *out);

/* The last reply has been given (221, 421): the connection ends when *out has gone out. */
bool sink_is_over(const struct sink *sink);

/*
 * The client was given the 220 to its STARTTLS: TLS begins behind *out. What it had sent behind the
 * command was thrown away (RFC 3207 4.2); nothing is to be fed until sink_secure, or sink_free.
 */
bool sink_awaits_tls(const struct sink *sink);

/* TLS is up: the session begins anew, at the state behind the greeting. */
void sink_secure(struct sink *sink);

/* Ends the session with a 421, "4.4.2 why". */
void sink_end(struct sink *sink, const char *why, struct buffer *out);

#endif
