/* SPDX-License-Identifier: MIT */
/*
 * Is it SMTP? By what the first octets of each side say, on any port; HTTP, POP3, IMAP, FTP
 * and IRC have replies that look a little like it and must not be taken for it.
 */
#ifndef DECODERS_SMTP_RECOGNISE_H
#define DECODERS_SMTP_RECOGNISE_H

#include <stdint.h>

#include "decoders/view.h"

/* With so many octets of a side the answer is never UNKNOWN: more need not be kept. */
#define SMTP_GUESS_ENOUGH 4096

enum smtp_guess {
	SMTP_GUESS_UNKNOWN,     /* too little so far */
	SMTP_GUESS_YES,
	SMTP_GUESS_TLS,         /* TLS from its first octet: SMTP may be inside (ports 465, or a key log) */
	SMTP_GUESS_NO
};

/* What both ends of a connection have said so far, from its start (or from where the capture begins). */
struct smtp_guess_facts {
	struct view a, b;               /* the octets of each end */
	bool        from_start;         /* a SYN was seen: these are the first octets */
	bool        a_dialled, b_dialled;       /* who sent the SYN, where that is known */
	uint16_t    a_port, b_port;
};

/*
 * *a_is_client is set with YES and TLS: by SYN, else by who says 220, else by port, else by the
 * lines' shape. To be asked whenever a side has said more, until the answer is not UNKNOWN; a
 * connection that ends with UNKNOWN has shown nothing of SMTP.
 */
enum smtp_guess smtp_recognise(const struct smtp_guess_facts *facts, bool *a_is_client);

/* Ports where SMTP is at home: 25, 465, 587; 24 (LMTP), 366, 2525. There a greeting alone is enough. */
bool smtp_port_is_usual(uint16_t port);

#endif
