/* SPDX-License-Identifier: MIT */
/* Units put to rules: which conditions hold, what actions do to a unit, in which order. */
#include "tests/unit/rules.h"

/* A rule that logs "yes" where a condition holds, on a command line. */
static const struct {
	const char *condition;
	const char *line;
	bool        holds;
} on_commands[] = {
    {"verb == \"RCPT\"", "RCPT TO:<bob@example.net>", true},
    {"verb == \"RCPT\"", "rcpt TO:<bob@example.net>", true},
    {"verb == \"XYZZY\"", "xyzzy now", true},
    {"verb == \"\"", "", true},
    {"verb", "", false},
    {"verb != \"RCPT\"", "NOOP", true},
    {"argument == \"FROM:<ann@EXAMPLE.org> SIZE=10\"", "MAIL FROM:<ann@example.ORG> SIZE=10", true},
    {"argument", "NOOP", false},
    {"argument == \"\"", "NOOP", true},
    {"line ~ /^NOOP$/", "NOOP", true},
    {"line ~ /^noop$/", "NOOP", false},
    {"line ~ /^noop$/i", "NOOP", true},
    {"line ~ \"o b\"", "NOOP foo bar", true},
    {"line ~ \"O B\"", "NOOP foo bar", false},
    {"line ~ /a\\/b/", "NOOP a/b", true},
    {"line ~ /[\\/]c/", "NOOP a/c", true},
    {"sender == \"\"", "MAIL FROM:<>", true},
    {"sender", "MAIL FROM:<>", false},
    {"sender.domain == \"example.org\"", "MAIL FROM:<ann@Example.Org>", true},
    {"sender.domain != \"example.org\"", "MAIL FROM:<>", false},        /* no value: false */
    {"not sender.domain == \"example.org\"", "MAIL FROM:<>", true},
    {"sender.domain", "NOOP", true},                                    /* the transaction's */
    {"recipient == \"bob@example.net\"", "RCPT TO:<BOB@example.net>", true},
    {"recipient", "NOOP", false},
    {"recipient in {\"a@b\", \"bob@example.net\"}", "RCPT TO:<bob@example.net>", true},
    {"recipient.domain in {\"example.com\", \"example.org\"}", "RCPT TO:<bob@example.net>", false},
    {"session.client in 192.0.2.0/24", "NOOP", true},
    {"session.client in 192.0.2.8/29", "NOOP", false},
    {"session.client in {10.0.0.0/8, 192.0.2.7}", "NOOP", true},
    {"session.client in 192.0.2.1..192.0.2.7", "NOOP", true},
    {"session.client in 192.0.2.8..192.0.2.9", "NOOP", false},
    {"session.client in ::/0", "NOOP", false},
    {"session.client == 192.0.2.7", "NOOP", true},
    {"session.client == ::ffff:192.0.2.7", "NOOP", true},
    {"session.client != 192.0.2.8", "NOOP", true},
    {"session.client ~ /^192\\./", "NOOP", true},
    {"session.client.port == 40123", "NOOP", true},
    {"session.server ~ \"mx.example.net\"", "NOOP", true},
    {"session.listener == \"smtp://127.0.0.1:2525\"", "NOOP", true},
    {"session.number == 5", "NOOP", true},
    {"session.commands in 1..4", "NOOP", true},
    {"session.commands in {1..3, 5..9}", "NOOP", false},
    {"session.transactions == 1", "NOOP", true},
    {"session.tls", "NOOP", false},
    {"session.tls == false", "NOOP", true},
    {"not session.tls", "NOOP", true},
    {"session.helo == \"CLIENT.example.org\"", "NOOP", true},
    {"session.user", "NOOP", false},
    {"session.user != \"ann\"", "NOOP", false},
    {"session.seconds > 2", "NOOP", true},
    {"session.seconds > 3", "NOOP", false},
    {"session.seconds >= 2.5s", "NOOP", true},
    {"session.seconds < 2500ms", "NOOP", false},
    {"session.seconds in 2s..3s", "NOOP", true},
    {"transaction.recipients == 3", "NOOP", true},
    {"transaction.recipients >= 1KiB", "NOOP", false},
    {"finding[\"line.bare-lf\"]", "NOOP", false},
    {"finding[\"pipe.early-talk\"] == 2", "NOOP", true},
    {"finding[\"PIPE.early-talk\"] >= 1", "NOOP", true},
    {"verb == \"A\" or verb == \"B\" or verb == \"NOOP\"", "NOOP", true},
    {"verb == \"A\" or verb == \"NOOP\" and session.tls", "NOOP", false},
    {"(verb == \"A\" or verb == \"NOOP\") and not session.tls", "NOOP", true},
    {"not (verb == \"A\" or verb == \"NOOP\")", "NOOP", false},
    {"not not verb == \"NOOP\"", "NOOP", true},
};

START_TEST(conditions_on_commands)
{
	struct trial t;
	char text[512];

	snprintf(text, sizeof text, "rule \"r\" { on command when %s log \"yes\" }", on_commands[_i].condition);
	trial_begin(&t, text, 1);
	t.findings[FINDING_PIPE_EARLY_TALK] = 2;
	trial_command(&t, on_commands[_i].line);
	ck_assert_msg(strcmp(t.said, on_commands[_i].holds ? "log yes" : "-") == 0, "%s on %s: %s",
	    on_commands[_i].condition, on_commands[_i].line, t.said);
	trial_end(&t);
}
END_TEST

static const struct {
	const char *condition;
	const char *to, *wire;
	bool        holds;
} on_replies[] = {
    {"reply.code == 250", "NOOP", "250 ok\r\n", true},
    {"reply.code in 400..599", "NOOP", "250 ok\r\n", false},
    {"reply.code in {421, 450..459}", "NOOP", "452 full\r\n", true},
    {"reply.code >= 500", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.enhanced == 5.7.1", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.enhanced in 5.0.0..5.999.999", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.enhanced < 5.7.0", "NOOP", "550 5.7.1 no\r\n", false},
    {"reply.enhanced > 5.6.999", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.enhanced ~ /^5/", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.enhanced", "NOOP", "550 no\r\n", false},
    {"reply.enhanced != 5.7.1", "NOOP", "550 no\r\n", false},
    {"reply.text == \"5.7.1 no\"", "NOOP", "550 5.7.1 no\r\n", true},
    {"reply.text ~ /one\\ntwo$/", "NOOP", "250-one\r\n250 two\r\n", true},
    {"reply.text", "NOOP", "250\r\n", false},
    {"reply.latency > 1s", "NOOP", "250 ok\r\n", true},
    {"reply.latency < 1500ms", "NOOP", "250 ok\r\n", false},
    {"verb == \"NOOP\"", "noop x", "250 ok\r\n", true},
    {"line == \"noop x\" and argument == \"x\"", "noop x", "250 ok\r\n", true},
    {"recipient.domain == \"example.net\"", "RCPT TO:<bob@example.net>", "250 ok\r\n", true},
    {"transaction.accepted == 2", "NOOP", "250 ok\r\n", true},
    {"verb", "CONNECT", "220 hi\r\n", false},
    {"recipient == \"carol@example.com\"", "CONTENT", "250 ok\r\n", true},
    {"recipient == \"dave@example.com\"", "CONTENT", "250 ok\r\n", false},
    {"recipient != \"carol@example.com\"", "CONTENT", "250 ok\r\n", true},      /* of the other */
    {"not recipient == \"carol@example.com\"", "CONTENT", "250 ok\r\n", false},
    {"recipient.domain ~ /\\.com$/ and recipient.domain ~ /\\.net$/", "CONTENT", "250 ok\r\n", true},
};

START_TEST(conditions_on_replies)
{
	struct trial t;
	char text[512];

	snprintf(text, sizeof text, "rule \"r\" { on reply when %s log \"yes\" }", on_replies[_i].condition);
	trial_begin(&t, text, 1);
	t.facts.latency_us = 1500000;
	trial_reply(&t, on_replies[_i].to, on_replies[_i].wire);
	ck_assert_msg(strcmp(t.said, on_replies[_i].holds ? "log yes" : "-") == 0, "%s on %s: %s",
	    on_replies[_i].condition, on_replies[_i].wire, t.said);
	trial_end(&t);
}
END_TEST

START_TEST(a_pattern_cannot_stop_the_program)
{
	struct trial t;
	char line[200];

	trial_begin(&t, "rule \"r\" { on command when line ~ /^NOOP (a|a?)+$/ log \"yes\" }", 1);
	snprintf(line, sizeof line, "NOOP %.*sb", 100, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ck_assert_str_eq(trial_command(&t, line), "-");
	ck_assert_str_eq(trial_command(&t, "NOOP aa"), "log yes");
	trial_end(&t);
}
END_TEST

/* Which rule is asked where. */
static const struct {
	const char *on, *to, *unit;     /* to NULL: unit is a command line */
	bool        asked;
} places[] = {
    {"command", NULL, "NOOP", true}, {"command", NULL, "XYZZY", true}, {"NOOP", NULL, "noop", true},
    {"NOOP", NULL, "RSET", false}, {"MAIL, RCPT", NULL, "RCPT TO:<a@b>", true}, {"reply", NULL, "NOOP", false},
    {"reply", "NOOP", "250 ok\r\n", true}, {"reply", "XYZZY", "500 no\r\n", true},
    {"reply", "CONNECT", "220 hi\r\n", true}, {"reply", "CONTENT", "250 ok\r\n", true},
    {"reply to NOOP", "NOOP", "250 ok\r\n", true}, {"reply to NOOP", "RSET", "250 ok\r\n", false},
    {"reply to NOOP", "XYZZY", "250 ok\r\n", false}, {"reply to CONNECT", "CONNECT", "220 hi\r\n", true},
    {"reply to CONNECT", "CONTENT", "220 hi\r\n", false}, {"reply to CONTENT", "CONTENT", "250 hi\r\n", true},
    {"reply to CONTENT", "DATA", "354 go\r\n", false}, {"command", "NOOP", "250 ok\r\n", false},
    {"connect", NULL, "NOOP", false}, {"CONTENT", "CONTENT", "250 ok\r\n", false},
};

START_TEST(asked_at_its_place)
{
	struct trial t;
	char text[128];

	snprintf(text, sizeof text, "rule \"r\" { on %s log \"yes\" }", places[_i].on);
	trial_begin(&t, text, 1);
	if (places[_i].to == NULL)
		trial_command(&t, places[_i].unit);
	else
		trial_reply(&t, places[_i].to, places[_i].unit);
	ck_assert_msg(strcmp(t.said, places[_i].asked ? "log yes" : "-") == 0, "on %s, to %s: %s", places[_i].on,
	    places[_i].unit, t.said);
	trial_end(&t);
}
END_TEST

START_TEST(asked_where_there_is_no_unit)
{
	static const struct {
		const char      *on;
		enum rules_place place;
	} where[] = {{"connect", RULES_AT_CONNECT}, {"CONTENT", RULES_AT_CONTENT}, {"CONTENT-END", RULES_AT_CONTENT_END},
	    {"tls", RULES_AT_TLS}, {"close", RULES_AT_CLOSE}};
	struct trial t;
	char text[128];

	for (size_t i = 0; i < 5; i++) {
		snprintf(text, sizeof text, "rule \"r\" { on %s log \"%%{recipient}|%%{content.octets}\" }", where[i].on);
		trial_begin(&t, text, 1);
		for (size_t k = 0; k < 5; k++) {
			bool content = k == 1 || k == 2;

			trial_place(&t, where[k].place);
			ck_assert_str_eq(t.said, k != i ? "-" :
			    content ? "log bob@example.net, Carol@example.com|4096" : "log |");
		}
		trial_end(&t);
	}
}
END_TEST

/* What actions make of a command line. */
static const struct {
	const char *actions, *line, *said;
} commands[] = {
    {"reply 421 4.3.2 \"bye\" close", "NOOP", "reply 421 421 4.3.2 bye\\r\\n; close both"},
    {"reply 250 \"\"", "NOOP", "reply 250 250\\r\\n"},
    {"reply 250 2.0.0 \"\"", "NOOP", "reply 250 250 2.0.0\\r\\n"},
    {"reply 250 2.1.5 \"one\" \"two\" \"\"", "NOOP", "reply 250 250-2.1.5 one\\r\\n250-2.1.5 two\\r\\n250 2.1.5\\r\\n"},
    {"reply 550 \"%{verb} %{argument} %{line}, 100%%\"", "noop now", "reply 550 550 NOOP now noop now, 100%\\r\\n"},
    {"reply raw \"250-\\x00\\xff\\n\"", "NOOP", "reply 250 raw 250-\\x00\\xff\\n"},
    {"reply raw \"hello\\r\\n\"", "NOOP", "reply 0 raw hello\\r\\n"},
    {"reply raw \"999 no\\n\"", "NOOP", "reply 999 raw 999 no\\n"},
    {"reply raw \"25\"", "NOOP", "reply 0 raw 25"},
    {"reply raw \"\"", "NOOP", "reply 0 raw "},
    {"drop", "NOOP", "drop"},
    {"hold", "NOOP", "hold"},
    {"delay 1.5s hold", "NOOP", "delay 1500000; hold"},
    {"reset client", "NOOP", "reset client"},
    {"close server log \"gone\"", "NOOP", "close server; log gone"},
    {"stop", "NOOP", "note"},
    {"inject server \"RSET\"", "NOOP", "inject server RSET\\r\\n"},
    {"inject server \"RSET\\r\\nNOOP %{argument}\\r\\n\"", "NOOP x", "inject server RSET\\r\\nNOOP x\\r\\n"},
    {"inject client \"250-\\n\"", "NOOP", "inject client 250-\\n"},
    {"set line \"RSET\"", "NOOP x", "change => RSET\\r\\n"},
    {"set line \"NOOP x\"", "NOOP x", "change"},
    {"set line \"%{line}, again\"", "NOOP x", "change => NOOP x, again\\r\\n"},
    {"set argument \"y z\"", "noop x", "change => noop y z\\r\\n"},
    {"set argument \"\"", "NOOP x", "change => NOOP\\r\\n"},
    {"set argument \"y\"", "NOOP", "change => NOOP y\\r\\n"},
    {"set sender \"\"", "MAIL FROM:<ann@example.org> SIZE=10", "change => MAIL FROM:<> SIZE=10\\r\\n"},
    {"set sender \"x@%{sender.domain}\"", "mail from: <ann@example.org> BODY=8BITMIME",
        "change => mail from: <x@example.org> BODY=8BITMIME\\r\\n"},
    {"set sender \"a@b\"", "MAIL FROM:<>", "change => MAIL FROM:<a@b>\\r\\n"},
    {"set sender \"a@b\"", "MAIL FROM:ann@example.org SIZE=1", "change => MAIL FROM:a@b SIZE=1\\r\\n"},
    {"set sender \"\"", "MAIL FROM:ann@example.org", "change => MAIL FROM:<>\\r\\n"},
    {"set sender \"a@b\"", "MAIL garbage", "change => MAIL FROM:<a@b>\\r\\n"},
    {"set sender \"a@b\"", "NOOP", "change"},
    {"set recipient \"c@d\"", "RCPT TO:<bob@example.net> NOTIFY=NEVER", "change => RCPT TO:<c@d> NOTIFY=NEVER\\r\\n"},
    {"set recipient \"c@d\"", "MAIL FROM:<a@b>", "change"},
    {"replace /size=[0-9]+/i with \"SIZE=1\"", "MAIL FROM:<a@b> Size=99", "change => MAIL FROM:<a@b> SIZE=1\\r\\n"},
    {"replace /<(.*)@(.*)>(x)?/ with \"<$2@$1$3>$\"", "RCPT TO:<a@b>", "change => RCPT TO:<b@a>$\\r\\n"},
    {"replace \".\" with \"$1\"", "NOOP a.b.c", "change => NOOP a$1b$1c\\r\\n"},
    {"replace \"aa\" with \"b\"", "NOOP aaaaa", "change => NOOP bba\\r\\n"},
    {"replace /x*/ with \"-\"", "NOOP", "change => -N-O-O-P-\\r\\n"},
    {"replace /^/ with \">\"", "NOOP", "change => >NOOP\\r\\n"},
    {"replace \"xyz\" with \"\"", "NOOP", "change"},
    {"replace \"NOOP\" with \"\"", "NOOP", "change => \\r\\n"},
    {"set line \"RSET\" log \"%{verb} %{line}\"", "NOOP", "change; log RSET RSET => RSET\\r\\n"},
    {"set sender \"x@y\" log \"%{sender}\"", "MAIL FROM:<a@b>", "change; log x@y => MAIL FROM:<x@y>\\r\\n"},
    {"set recipient \"x@y\" log \"%{recipient} %{recipient.domain}\"", "RCPT TO:<a@b>",
        "change; log x@y y => RCPT TO:<x@y>\\r\\n"},
    {"log \"%{session.client}:%{session.client.port} %{session.seconds} %{session.tls} %{session.user}|\"", "NOOP",
        "log 192.0.2.7:40123 2 false |"},
    {"log \"a\\tb\"", "NOOP", "log a\\x09b"},
    {"tag \"a\" untag \"a\" log \"%{session.tag[\\\"a\\\"]}\"", "NOOP", "note; note; log false"},
    /* Credentials are *** in what is logged or told to the client, and themselves in what goes on. */
    {"log \"%{line}|%{argument}|%{verb}\"", "AUTH PLAIN AGFubgBzZWNyZXQ=", "log AUTH PLAIN ***|PLAIN ***|AUTH"},
    {"reply 535 \"%{argument}\"", "AUTH PLAIN AGFubgBzZWNyZXQ=", "reply 535 535 PLAIN ***\\r\\n"},
    {"set line \"%{line}=\"", "AUTH PLAIN AGFubg==", "change => AUTH PLAIN AGFubg===\\r\\n"},
    {"log \"%{line}\"", "MAIL FROM:<a@b> AUTH=ann SIZE=1", "log MAIL FROM:<a@b> AUTH=*** SIZE=1"},
    {"set line \"AUTH PLAIN AAAA\" log \"%{line}\"", "NOOP", "change; log AUTH PLAIN *** => AUTH PLAIN AAAA\\r\\n"},
};

START_TEST(actions_on_commands)
{
	struct trial t;
	char text[512];

	snprintf(text, sizeof text, "rule \"r\" { on command %s }", commands[_i].actions);
	trial_begin(&t, text, 1);
	trial_command(&t, commands[_i].line);
	ck_assert_msg(strcmp(t.said, commands[_i].said) == 0, "%s on %s:\n  %s\nexpected\n  %s", commands[_i].actions,
	    commands[_i].line, t.said, commands[_i].said);
	trial_end(&t);
}
END_TEST

#define EHLO_REPLY "250-mx.example.net at your service\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-Auth LOGIN PLAIN\r\n" \
	"250-AUTH=LOGIN PLAIN\r\n250-binarymime\r\n250 CHUNKING\r\n"

static const struct {
	const char *actions, *wire, *said;
} replies[] = {
    {"set reply.code \"451\"", "250-one\r\n250-two\n250 three\r\n",
        "change => 451-one\\r\\n451-two\\n451 three\\r\\n"},
    {"set reply.code \"451\"", "250-one\r\nodd\r\n250 three\r\n", "change => 451-one\\r\\nodd\\r\\n451 three\\r\\n"},
    {"set reply.code \"%{reply.text}\"", "250 451\r\n", "change => 451 451\\r\\n"},
    {"set reply.code \"%{reply.text}\"", "250 no code\r\n", "change"},
    {"set reply.text \"all\"", "250-one\r\n250 two\n", "change => 250 all\\n"},
    {"set reply.text \"\"", "250 two\r\n", "change => 250\\r\\n"},
    {"set reply.text \"%{reply.text}!\"", "250-one\r\n250 two\r\n", "change => 250 one two!\\r\\n"},
    {"set reply.code \"550\" set reply.text \"no\" log \"%{reply.code} %{reply.text}\"", "250 ok\r\n",
        "change; change; log 550 no => 550 no\\r\\n"},
    {"replace /^250/ with \"251\"", "250-a\r\n250 b250\r\n", "change => 251-a\\r\\n251 b250\\r\\n"},
    {"replace /$/ with \" \"", "250-a\r\n250 b\r\n", "change => 250-a \\r\\n250 b \\r\\n"},
    {"drop", "250 ok\r\n", "drop"},
    {"reply 421 \"%{reply.code} %{reply.enhanced} %{reply.latency}\"", "250 2.0.0 ok\r\n",
        "reply 421 421 250 2.0.0 1.500ms\\r\\n"},
};

START_TEST(actions_on_replies)
{
	struct trial t;
	char text[512];

	snprintf(text, sizeof text, "rule \"r\" { on reply %s }", replies[_i].actions);
	trial_begin(&t, text, 1);
	t.facts.latency_us = 1500;
	trial_reply(&t, "NOOP", replies[_i].wire);
	ck_assert_msg(strcmp(t.said, replies[_i].said) == 0, "%s on %s:\n  %s\nexpected\n  %s", replies[_i].actions,
	    replies[_i].wire, t.said, replies[_i].said);
	trial_end(&t);
}
END_TEST

static const struct {
	const char *actions, *wire, *said;
} ehlos[] = {
    {"hide CHUNKING", EHLO_REPLY, "change => 250-mx.example.net at your service\\r\\n250-PIPELINING\\r\\n250-SIZE 1000"
        "\\r\\n250-Auth LOGIN PLAIN\\r\\n250 AUTH=LOGIN PLAIN\\r\\n"},
    {"hide auth", EHLO_REPLY, "change => 250-mx.example.net at your service\\r\\n250-PIPELINING\\r\\n250-SIZE 1000"
        "\\r\\n250-binarymime\\r\\n250 CHUNKING\\r\\n"},
    {"hide AUTH=", EHLO_REPLY, "change => 250-mx.example.net at your service\\r\\n250-PIPELINING\\r\\n250-SIZE 1000"
        "\\r\\n250-Auth LOGIN PLAIN\\r\\n250-binarymime\\r\\n250 CHUNKING\\r\\n"},
    {"hide BINARYMIME", "250-mx\r\n250-CHUNKING\r\n250 BINARYMIME\r\n", "change => 250-mx\\r\\n250 CHUNKING\\r\\n"},
    {"hide SIZE", "250-mx\r\n250 SIZE\r\n", "change => 250 mx\\r\\n"},
    {"hide SIZE", "250 SIZE is my name\r\n", "change"},         /* the first line is no keyword */
    {"hide SIZE hide PIPELINING", "250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n", "change; change => 250 mx\\r\\n"},
    {"hide STARTTLS", EHLO_REPLY, "change"},
    {"hide SIZE", "250-mx\n250-SIZE 1\n250 DSN\n", "change => 250-mx\\n250 DSN\\n"},
    {"hide SIZE", "500 what\r\n", "change"},
    {"offer \"SIZE 5\"", "250-mx\r\n250-SIZE 1000\r\n250 DSN\r\n", "change => 250-mx\\r\\n250-SIZE 5\\r\\n250 DSN\\r\\n"},
    {"offer \"size 5\"", "250-mx\r\n250-SIZE 1000\r\n250 SIZE\r\n", "change => 250-mx\\r\\n250 size 5\\r\\n"},
    {"offer \"DSN\"", "250 mx\r\n", "change => 250-mx\\r\\n250 DSN\\r\\n"},
    {"offer \"DSN\"", "250\r\n", "change => 250-\\r\\n250 DSN\\r\\n"},
    {"offer \"AUTH PLAIN\"", "250-mx\r\n250-AUTH LOGIN\r\n250 AUTH=LOGIN\r\n", "change => 250-mx\\r\\n250 AUTH PLAIN\\r\\n"},
    {"offer \"DSN\"", "500 what\r\n", "change"},
    {"offer \"X-%{session.client}\" hide DSN", "250-mx\r\n250 DSN\r\n",
        "change; change => 250-mx\\r\\n250 X-192.0.2.7\\r\\n"},
};

START_TEST(actions_on_ehlo)
{
	struct trial t;
	char text[512];

	snprintf(text, sizeof text, "rule \"r\" { on reply to EHLO, reply to LHLO %s }", ehlos[_i].actions);
	trial_begin(&t, text, 1);
	trial_reply(&t, _i % 2 == 0 ? "EHLO c" : "LHLO c", ehlos[_i].wire);
	ck_assert_msg(strcmp(t.said, ehlos[_i].said) == 0, "%s on %s:\n  %s\nexpected\n  %s", ehlos[_i].actions,
	    ehlos[_i].wire, t.said, ehlos[_i].said);
	trial_end(&t);
}
END_TEST

/* Several rules on one unit. */
static const struct {
	const char *rules, *line, *said;
} several[] = {
    {"rule \"a\" { on command log \"1\" } rule \"b\" { on NOOP log \"2\" }", "NOOP", "log 1; log 2"},
    {"rule \"a\" { on command log \"1\" stop log \"1b\" } rule \"b\" { on NOOP log \"2\" }", "NOOP",
        "log 1; note; log 1b"},
    {"rule \"a\" { on command reply 250 \"x\" delay 1s } rule \"b\" { on NOOP log \"2\" }", "NOOP",
        "reply 250 250 x\\r\\n; delay 1000000"},
    {"rule \"a\" { on command drop } rule \"b\" { on NOOP log \"2\" }", "NOOP", "drop"},
    {"rule \"a\" { on command hold } rule \"b\" { on NOOP log \"2\" }", "NOOP", "hold"},
    {"rule \"a\" { on command close } rule \"b\" { on NOOP log \"2\" }", "NOOP", "close both"},
    {"rule \"a\" { on command reset server } rule \"b\" { on NOOP log \"2\" }", "NOOP", "reset server"},
    {"rule \"a\" { on command delay 1s } rule \"b\" { on NOOP delay 2s }", "NOOP", "delay 1000000; delay 2000000"},
    {"rule \"a\" { on command set line \"NOOP 1\" } rule \"b\" { on NOOP when argument == \"1\" log \"%{line}\" }",
        "NOOP", "change; log NOOP 1 => NOOP 1\\r\\n"},
    /* A change of the verb: rules on the new one behind are asked, those on the old one are not. */
    {"rule \"0\" { on RSET log \"0\" } rule \"a\" { on NOOP set line \"RSET\" } rule \"b\" { on NOOP log \"n\" } "
        "rule \"c\" { on RSET log \"r\" } rule \"d\" { on command log \"d\" }", "NOOP",
        "change; log r; log d => RSET\\r\\n"},
    {"rule \"a\" { on RCPT set recipient \"x@y\" } rule \"b\" { on RCPT when recipient.domain == \"y\" drop }",
        "RCPT TO:<a@b>", "change; drop => RCPT TO:<x@y>\\r\\n"},
    {"rule \"a\" { on command tag \"t\" } rule \"b\" { on command when session.tag[\"t\"] log \"tagged\" }", "NOOP",
        "note; log tagged"},
    {"rule \"a\" { on command expect at least 1 } rule \"b\" { on command log \"2\" }", "NOOP", "log 2"},
};

START_TEST(several_rules)
{
	struct trial t;

	trial_begin(&t, several[_i].rules, 1);
	trial_command(&t, several[_i].line);
	ck_assert_msg(strcmp(t.said, several[_i].said) == 0, "%s\n  %s\nexpected\n  %s", several[_i].rules, t.said,
	    several[_i].said);
	trial_end(&t);
}
END_TEST

START_TEST(pass_is_for_the_whole_session)
{
	struct trial t;

	trial_begin(&t, "rule \"a\" { on RSET pass log \"last\" } rule \"b\" { on command log \"b\" }", 1);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log b");
	ck_assert_str_eq(trial_command(&t, "RSET"), "note; log last");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "-");
	rules_run_clear(&t.run, 5);
	rules_run_init(&t.run, t.rules, t.state, 6);
	ck_assert_str_eq(trial_command(&t, "NOOP"), "log b");
	trial_end(&t);
}
END_TEST

START_TEST(steps_say_whose_they_are)
{
	struct trial t;

	trial_begin(&t, "\nrule \"a b\" {\n\ton command\n\tdelay   1s .. 1s # wait\n\treply 421\n\t\t4.3.2 \"a  b\"\n}\n", 1);
	trial_command(&t, "NOOP");
	ck_assert_uint_eq(t.verdict.step_count, 2);
	ck_assert_str_eq(t.verdict.steps[0].rule, "a b");
	ck_assert_str_eq(t.verdict.steps[0].at, "t.rules:2");
	ck_assert_str_eq(t.verdict.steps[0].action, "delay 1s .. 1s");
	ck_assert_str_eq(t.verdict.steps[1].action, "reply 421 4.3.2 \"a  b\"");
	ck_assert(!t.verdict.steps[0].thrown);
	trial_end(&t);
}
END_TEST

/* Fields of peers hold any octet: none of them may end a line that a rule writes. */
START_TEST(no_line_end_comes_out_of_a_field)
{
	struct trial t;

	trial_begin(&t, "rule \"r\" { on command reply 250 \"%{session.helo}\" }", 1);
	t.facts.helo = VIEW("a\r\n250 b\rc");
	ck_assert_str_eq(trial_command(&t, "NOOP"), "reply 250 250 a  250 b c\\r\\n");
	trial_end(&t);
}
END_TEST

START_TEST(credentials_in_a_line_of_their_own)
{
	struct trial t;
	struct view line = VIEW("dGVzdA== x\r\n");

	trial_begin(&t, "rule \"r\" { on command log \"%{line}|%{verb}|%{argument}\" set argument \"y\" log \"%{line}\" }", 1);
	t.facts.place = RULES_AT_COMMAND;
	smtp_command_parse(smtp_line_text(line), &t.facts.command);
	t.facts.has_command = true;
	t.facts.command.secret = t.facts.command.line;
	ck_assert(rules_judge(&t.run, &t.facts, line, &t.arena, &t.verdict));
	assert_view(t.verdict.steps[0].octets, "***|***|***");
	assert_view(t.verdict.steps[2].octets, "***");
	assert_view(t.verdict.octets, "dGVzdA== y\r\n");
	trial_end(&t);
}
END_TEST

START_TEST(header_fields)
{
	struct trial t;

	trial_begin(&t, "rule \"r\" { on CONTENT-END when header[\"subject\"] ~ /Gr\\xc3\\xbc/ and header[\"X-None\"] != "
	    "\"a\" or header[\"From\"] == \"ann@example.org\" log \"%{header[\\\"Subject\\\"]}|%{header[\\\"X-None\\\"]}\" }", 1);
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT_END), "-");
	t.facts.header = VIEW("From: ann@example.org\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n and\r\n more\r\n");
	ck_assert_str_eq(trial_place(&t, RULES_AT_CONTENT_END), "log Gr\\xc3\\xbc\\xc3\\x9fe and more|");
	ck_assert(ruleset_wants_header(t.rules));
	ck_assert(!ruleset_wants_command_at_reply(t.rules));
	trial_end(&t);
}
END_TEST

START_TEST(what_must_be_held)
{
	struct trial t;

	trial_begin(&t, "rule \"a\" { on RCPT, reply to EHLO log \"\" }\n"
	    "rule \"b\" { on CONTENT-END, reply to CONTENT when recipient == \"x\" log \"\" }", 1);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CONNECT, 0), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_COMMAND, SMTP_RCPT), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_COMMAND, SMTP_MAIL), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_COMMAND, SMTP_VERB_UNKNOWN), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, SMTP_EHLO), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, SMTP_RCPT), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, SMTP_VERB_UNKNOWN), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, RULES_VERB_CONTENT), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, RULES_VERB_CONNECT), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CONTENT, 0), RULES_END);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CONTENT_END, 0), RULES_END);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CLOSE, 0), RULES_NONE);
	ck_assert(ruleset_wants_command_at_reply(t.rules));
	ck_assert(!ruleset_wants_header(t.rules));
	ck_assert_uint_eq(ruleset_count(t.rules), 2);
	trial_end(&t);
	trial_begin(&t, "rule \"a\" { on CONTENT, reply, close log \"%{header[\\\"From\\\"]}\" }", 1);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CONTENT, 0), RULES_STREAM);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CONTENT_END, 0), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, SMTP_VERB_UNKNOWN), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_REPLY, RULES_VERB_CONNECT), RULES_UNIT);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_COMMAND, SMTP_VERB_UNKNOWN), RULES_NONE);
	ck_assert_int_eq(rules_need(t.rules, RULES_AT_CLOSE, 0), RULES_UNIT);
	ck_assert(ruleset_wants_header(t.rules));
	trial_end(&t);
}
END_TEST

START_TEST(a_session_without_rules)
{
	struct ruleset *none = ruleset_load(NULL, 0, stderr);
	struct rules_state *state = rules_state_new(none, 1);
	struct rules_facts facts = {.place = RULES_AT_CONNECT};
	struct rules_run run;
	struct verdict verdict;
	struct arena arena;

	arena_init(&arena);
	ck_assert_uint_eq(ruleset_count(none), 0);
	rules_run_init(&run, none, state, 1);
	ck_assert(!rules_judge(&run, &facts, VIEW_NONE, &arena, &verdict));
	rules_run_clear(&run, 1);
	rules_run_init(&run, NULL, NULL, 1);
	ck_assert(!rules_judge(&run, &facts, VIEW_NONE, &arena, &verdict));
	rules_run_clear(&run, 1);
	rules_state_free(state);
	ruleset_free(none);
	arena_clear(&arena);
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof *(table))

int
main(void)
{
	Suite *suite = suite_create("rules: judging");
	TCase *tcase = tcase_create("units and verdicts");

	tcase_add_loop_test(tcase, conditions_on_commands, 0, COUNT(on_commands));
	tcase_add_loop_test(tcase, conditions_on_replies, 0, COUNT(on_replies));
	tcase_add_test(tcase, a_pattern_cannot_stop_the_program);
	tcase_add_loop_test(tcase, asked_at_its_place, 0, COUNT(places));
	tcase_add_test(tcase, asked_where_there_is_no_unit);
	tcase_add_loop_test(tcase, actions_on_commands, 0, COUNT(commands));
	tcase_add_loop_test(tcase, actions_on_replies, 0, COUNT(replies));
	tcase_add_loop_test(tcase, actions_on_ehlo, 0, COUNT(ehlos));
	tcase_add_loop_test(tcase, several_rules, 0, COUNT(several));
	tcase_add_test(tcase, pass_is_for_the_whole_session);
	tcase_add_test(tcase, steps_say_whose_they_are);
	tcase_add_test(tcase, no_line_end_comes_out_of_a_field);
	tcase_add_test(tcase, credentials_in_a_line_of_their_own);
	tcase_add_test(tcase, header_fields);
	tcase_add_test(tcase, what_must_be_held);
	tcase_add_test(tcase, a_session_without_rules);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
