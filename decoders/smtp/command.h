/* SPDX-License-Identifier: MIT */
/*
 * A command line taken apart: verb and argument, what a path names, parameters, the
 * count of a chunk, and which of its octets are a secret (RFC 5321 4.1, RFC 3030 2,
 * RFC 4954 4). Nothing is refused: what does not parse is in verb and argument as sent.
 */
#ifndef DECODERS_SMTP_COMMAND_H
#define DECODERS_SMTP_COMMAND_H

#include <stdint.h>

#include "decoders/smtp/registry.h"
#include "decoders/view.h"

struct smtp_command {
	enum smtp_verb verb;    /* SMTP_VERB_UNKNOWN: see name */
	struct view    line;    /* without line end */
	struct view    name;    /* the verb as sent: up to the first SP or HT, leading white space skipped */
	struct view    argument;/* behind the one octet after the verb; empty when none */
	struct view    address; /* MAIL, RCPT: the path without brackets, empty for <>; .at NULL: none */
	struct view    params;  /* MAIL, RCPT: what follows the path; see smtp_param_next */
	struct view    mechanism;       /* AUTH */
	struct view    initial; /* AUTH: the initial response; .at NULL: none */
	struct view    secret;  /* the part of line that is a credential; .at NULL: none */
	uint64_t       chunk;   /* BDAT: octets that follow */
	bool           chunk_valid;     /* BDAT: the count could be read, so that many octets follow */
	bool           chunk_last;      /* BDAT: LAST */
};

struct smtp_param {
	struct view name;
	struct view value;      /* .at NULL: no "=" */
};

/* Takes a line (without its line end) apart; views in *command borrow from line. */
void smtp_command_parse(struct view line, struct smtp_command *command);

/* Takes the next parameter off *rest; false: there are no more. */
bool smtp_param_next(struct view *rest, struct smtp_param *param);

/* The domain of a mailbox: behind its last "@", without one .at is NULL. */
struct view smtp_mailbox_domain(struct view mailbox);

#endif
