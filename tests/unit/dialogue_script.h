/* SPDX-License-Identifier: MIT */
/*
 * A dialogue by a script: what each side sends and what becomes of it, in; a trace of
 * units, one a line, out. The same script can be run with its octets cut anywhere.
 */
#ifndef TESTS_UNIT_DIALOGUE_SCRIPT_H
#define TESTS_UNIT_DIALOGUE_SCRIPT_H

#include "decoders/smtp/dialogue.h"

enum step_what {
	STEP_END,
	STEP_CLIENT, STEP_SERVER,               /* the side sends octets */
	STEP_FATE_CLIENT, STEP_FATE_SERVER,     /* of its next command, end of content or reply */
	STEP_HOLD, STEP_RELEASE,                /* the side's (number) next unit is not settled until the release */
	STEP_ANSWER,                            /* it is a turn, and the client is sent this code */
	STEP_NO_TURN,                           /* it is nobody's turn */
	STEP_INSERT,                            /* the verb goes to the server */
	STEP_ASIDE,
	STEP_CLIENT_ENDS, STEP_SERVER_ENDS,     /* its stream ends: finish */
	STEP_SERVER_GONE,
	STEP_NO_GREETING,                       /* number: whether the server still greets */
	STEP_GIVE_UP,
	STEP_STUCK,                             /* the side's octets wait; number: the place where */
	STEP_ANSWERED                           /* as ANSWER, but out of turn: for the exchange at the head */
};

struct step {
	enum step_what   what;
	struct view      octets;
	unsigned         number;
	struct smtp_fate fate;
};

#define C(literal)      {.what = STEP_CLIENT, .octets = {(literal), sizeof(literal) - 1}}
#define S(literal)      {.what = STEP_SERVER, .octets = {(literal), sizeof(literal) - 1}}
/* Fates of the client's units. Without one: forwarded, and owed a reply. */
#define FORWARD         {.what = STEP_FATE_CLIENT, .fate = {.forwarded = true, .owed = true}}
#define KEEP            {.what = STEP_FATE_CLIENT, .fate = {.owed = true}}
#define DROP            {.what = STEP_FATE_CLIENT, .fate = {.owed = false}}
#define REPEAT          {.what = STEP_FATE_CLIENT, .fate = {.forwarded = true}}
/* Fates of replies. Without one: forwarded. */
#define PASS            {.what = STEP_FATE_SERVER, .fate = {.forwarded = true}}
#define TELL(number_)   {.what = STEP_FATE_SERVER, .fate = {.forwarded = true, .code = (number_)}}
#define LOSE            {.what = STEP_FATE_SERVER, .fate = {.owed = false}}
#define WITHHOLD        {.what = STEP_FATE_SERVER, .fate = {.owed = true}}
#define HOLD_REPLY      {.what = STEP_HOLD, .number = SMTP_SERVER}
#define RELEASE_REPLY   {.what = STEP_RELEASE, .number = SMTP_SERVER}
#define HOLD_COMMAND    {.what = STEP_HOLD, .number = SMTP_CLIENT}
#define RELEASE_COMMAND {.what = STEP_RELEASE, .number = SMTP_CLIENT}
#define ANSWER(code)    {.what = STEP_ANSWER, .number = (code)}
#define ANSWERED(code)  {.what = STEP_ANSWERED, .number = (code)}
#define NO_TURN         {.what = STEP_NO_TURN}
#define INSERT(verb)    {.what = STEP_INSERT, .number = SMTP_##verb}
#define ASIDE           {.what = STEP_ASIDE}
#define CLIENT_ENDS     {.what = STEP_CLIENT_ENDS}
#define SERVER_ENDS     {.what = STEP_SERVER_ENDS}
#define SERVER_GONE     {.what = STEP_SERVER_GONE}
#define NO_GREETING(still) {.what = STEP_NO_GREETING, .number = (still)}
#define GIVE_UP         {.what = STEP_GIVE_UP}
#define CLIENT_WAITS(place) {.what = STEP_STUCK, .octets = {"C", 1}, .number = (place)}

/* Most cases begin behind the greeting. */
#define GREETED         S("220 mx\r\n")
#define GREETED_SAID    "S reply 220 to CONNECT\n"
#define LONG_64         "0123456789012345678901234567890123456789012345678901234567890123"

#define DIALOGUE_STEPS  24

/*
 * A line of the trace is the side, the type of the unit, what it answers or belongs to,
 * its octets, its marks; neighbouring stretches of content, rests and opaque octets of a
 * step are one line. "P" is what the client was sent by the proxy. At the end, "-" is
 * what is left in the queue, "unused" are octets left in a buffer.
 */
struct dialogue_case {
	const char *name;
	struct step script[DIALOGUE_STEPS];
	const char *trace;
	bool        lmtp;
	uint32_t    max_pending;        /* 0: 100. Lines and replies have 64 octets */
};

/*
 * A Check program's main: each case whole, an octet at a time, and cut in two behind
 * each octet. Beside the trace a case fails where units do not add up to what was sent,
 * a unit is given out while another waits, or a note is not given back exactly once.
 */
int dialogue_cases_run(const char *suite, const struct dialogue_case *cases, size_t count);

#endif
