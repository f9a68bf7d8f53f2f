/* SPDX-License-Identifier: MIT */
/*
 * The control socket of a proxy that runs (--control PATH): takes what `smtpscope ctl` asks, in
 * main's loop, and never waits for who asks. words.h says what travels.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "proxy/control/words.h"
#include "proxy/outputs/buffer.h"
#include "proxy/relay/running.h"

/* See struct proxy_companion. Without --control nothing is made. */
bool control_begin(struct proxy *proxy, const struct options *options, void **state);
void control_end(void *state);

/* answer.c: a question on its way to its answer, which may come later. */
struct control_answer {
	struct proxy *proxy;
	bool          json;
	bool          quiet;            /* what is changed is not said on standard error */
	int           code;             /* exit code */
	struct buffer text;             /* what is to be printed */
	struct buffer rows;             /* struct row: of a table of sessions, while they come */
	void        (*done)(struct control_answer *answer);
	uint64_t      number;           /* close: of the session */
};

/* Frees what it holds, of an answer that has not come too. */
void control_answer_clear(struct control_answer *answer);

/* Asks (operand "": none); calls done when the answer is there, before it returns or later. */
void control_ask(struct control_answer *answer, enum control_word word, const char *operand);

#endif
