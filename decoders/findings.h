/* SPDX-License-Identifier: MIT */
/*
 * Findings: facts about one side's conduct that a mail engineer would want pointed out.
 * One table makes the ids, what the events carry, rule conditions and `explain`.
 */
#ifndef DECODERS_FINDINGS_H
#define DECODERS_FINDINGS_H

#include "decoders/view.h"

enum finding_severity { FINDING_INFO, FINDING_NOTE, FINDING_WARNING, FINDING_ERROR };

/* Whose conduct it is. EITHER: the event says which. */
enum finding_side { FINDING_CLIENT, FINDING_SERVER, FINDING_NETWORK, FINDING_EITHER };

/*      id                id as text           severity  security  side   reference    one line, one paragraph: findings.c */
#define FINDINGS(X) \
	X(LINE_BARE_LF,      "line.bare-lf",      WARNING, true,  EITHER, "RFC 5321 2.3.8") \
	X(LINE_BARE_CR,      "line.bare-cr",      WARNING, true,  EITHER, "RFC 5321 2.3.8") \
	X(LINE_NUL,          "line.nul",          WARNING, true,  EITHER, "RFC 5321 4.1.1.4") \
	X(LINE_CMD_LONG,     "line.cmd-long",     WARNING, false, CLIENT, "RFC 5321 4.5.3.1.4") \
	X(LINE_CUT,          "line.cut",          WARNING, false, EITHER, "RFC 5321 4.5.3.1") \
	X(LINE_UNTERMINATED, "line.unterminated", WARNING, false, EITHER, "RFC 5321 2.3.8") \
	X(CMD_UNKNOWN,       "cmd.unknown",       NOTE,    false, CLIENT, "RFC 5321 4.2.4") \
	X(CMD_PENDING,       "cmd.pending",       WARNING, true,  CLIENT, "RFC 2920 3.1") \
	X(RSP_SYNTAX,        "rsp.syntax",        ERROR,   false, SERVER, "RFC 5321 4.2") \
	X(RSP_CODE_CHANGE,   "rsp.code-change",   ERROR,   false, SERVER, "RFC 5321 4.2.1") \
	X(RSP_MISSING,       "rsp.missing",       WARNING, false, SERVER, "RFC 5321 4.5.3.2") \
	X(RSP_UNSOLICITED,   "rsp.unsolicited",   ERROR,   true,  SERVER, "RFC 5321 4.2") \
	X(RSP_421,           "rsp.421",           NOTE,    false, SERVER, "RFC 5321 3.8") \
	X(PIPE_EARLY_TALK,   "pipe.early-talk",   WARNING, true,  CLIENT, "RFC 5321 4.3.1") \
	X(PIPE_UNOFFERED,    "pipe.unoffered",    WARNING, true,  CLIENT, "RFC 2920 3.1") \
	X(EXT_SIZE_WRONG,    "ext.size-wrong",    NOTE,    false, EITHER, "RFC 1870 6.3") \
	X(MSG_DKIM_BROKEN,   "msg.dkim-broken",   WARNING, true,  NETWORK, "RFC 6376 3.7") \
	X(TLS_CMD_INJECT,    "tls.cmd-inject",    ERROR,   true,  CLIENT, "RFC 3207 4.2") \
	X(TLS_RSP_INJECT,    "tls.rsp-inject",    ERROR,   true,  SERVER, "RFC 3207 4.2") \
	X(TLS_LEFT,          "tls.left",          WARNING, true,  CLIENT, "RFC 3207 4.1") \
	X(CAP_GAP,           "cap.gap",           WARNING, false, NETWORK, "RFC 9293 3.4") \
	X(CAP_MIDSTREAM,     "cap.midstream",     NOTE,    false, NETWORK, "RFC 9293 3.5") \
	X(CAP_ONESIDE,       "cap.oneside",       NOTE,    false, NETWORK, "RFC 9293 3.4") \
	X(CAP_OVERLAP,       "cap.overlap",       WARNING, true,  NETWORK, "RFC 9293 3.4")

enum finding {
#define X(id, ...) FINDING_##id,
	FINDINGS(X)
#undef X
	FINDING_COUNT
};

struct finding_entry {
	const char           *id;
	enum finding_severity severity;
	enum finding_side     side;
	bool                  security;
	const char           *reference;
	const char           *line;             /* what it is, in one line */
	const char           *paragraph;        /* why it matters and what to do */
};

const struct finding_entry *finding_entry(enum finding finding);

/* By id, ASCII case ignored; -1: there is none of that name. */
int finding_find(struct view id);

const char *finding_severity_name(enum finding_severity severity);     /* "warning" */

#endif
