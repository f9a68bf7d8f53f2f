/* SPDX-License-Identifier: MIT */
/* Lines and replies that are too long, that are none, that never end: still one entry each. */
#include "tests/unit/dialogue_script.h"

static const struct dialogue_case cases[] = {
    /* Lines and replies beyond the limit, which is 64 octets here. */
    {.name = "a line of the limit is whole, one more is cut",
	.script = {GREETED, C("NOOP 67890123456789012345678901234567890123456789012345678901\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP 67890123456789012345678901234567890123456789012345678901\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "a line that is too long has an entry all the same, and its rest goes on",
	.script = {GREETED, C("NOOP " LONG_64 LONG_64 "\r\nRSET\r\n"), S("500 long\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP 01234567890123456789012345678901234567890123456789012345678\" +cut\n"
	"C rest \"90123" LONG_64 "\\r\\n\" last\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 500 to NOOP\n"
	"S reply 250 to RSET\n"},
    {.name = "a line cut between CR and LF has no bare CR or LF in it",
	.script = {GREETED, C("NOOP 67890123456789012345678901234567890123456789012345678901" "23\r\nRSET\r\n"),
	    C("NOOP 6789012345678901234567890123456789012345678901234567890\r" "x23\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP 6789012345678901234567890123456789012345678901234567890123\" +cut\n"
	"C rest \"\\r\\n\" last\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"C command \"NOOP 6789012345678901234567890123456789012345678901234567890\\rx23\" +bare-cr +cut +pipelined\n"
	"C rest \"\\r\\n\" last\n"
	"- NOOP client=1 server=1\n"
	"- RSET client=1 server=1\n"
	"- NOOP client=1 server=1\n"},
    {.name = "odd octets in a rest are marked, wherever it is cut",
	.script = {GREETED, C("NOOP " LONG_64 "a\rb\rc\r\n"), C("NOOP " LONG_64 "\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP 01234567890123456789012345678901234567890123456789012345678\" +cut\n"
	"C rest \"90123a\\rb\\rc\\r\\n\" last +bare-cr\n"
	"C command \"NOOP 01234567890123456789012345678901234567890123456789012345678\" +cut +pipelined\n"
	"C rest \"90123\\n\" last +bare-lf\n"
	"- NOOP client=1 server=1\n"
	"- NOOP client=1 server=1\n"},
    {.name = "a BDAT that is cut announces nothing",
	.script = {GREETED, C("BDAT 3 " LONG_64 "\r\nNOOP\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 3 012345678901234567890123456789012345678901234567890123456\" +cut\n"
	"C rest \"7890123\\r\\n\" last\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"- BDAT client=1 server=1\n"
	"- NOOP client=1 server=1\n"},
    {.name = "a cut line whose command decides what follows: its rest does not wait",
	.script = {GREETED, C("DATA " LONG_64 "\r\nx\r\n"), CLIENT_WAITS(SMTP_UNDECIDED), S("354 go\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA 01234567890123456789012345678901234567890123456789012345678\" +cut\n"
	"C rest \"90123\\r\\n\" last\n"
	"S reply 354 to DATA\n"
	"C content \"x\\r\\n\"\n"},
    {.name = "a reply of one line that is too long",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"), S("250 " LONG_64 "-x\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"0123-x\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a reply of too many lines, cut in one that is not its last",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"),
	    S("250-0123456789012345678901234567890\r\n250-a23456789012345678901234567890\r\n250-b\r\n250 c\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP lines=2 +cut\n"
	"S rest \"4567890\\r\\n250-b\\r\\n250 c\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a reply of too many lines, cut in its last",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"),
	    S("250-0123456789012345678901234567890\r\n250 a23456789012345678901234567890\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP lines=2 +cut\n"
	"S rest \"4567890\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a reply cut where too little of a line is there to tell: between two lines",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"),
	    S("250-0123456789012345678901234567890123456789012345678901234\r\n250-b\r\n250\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"250-b\\r\\n250\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a reply of many lines, cut in one that has no code: the reply goes on behind it",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"),
	    S("250-0123456789012345678901234567890\r\nno code, and too long for the limit\r\n250 c\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP lines=2 +cut +bad-line\n"
	"S rest \"he limit\\r\\n250 c\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a last line of a code alone, cut before its LF",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"), S("250-" LONG_64 "\r\n250\r\n"),
	    S("250-01234567890123456789012345678901234567890123456789012\r\n250\r\n"), C("QUIT\r\n"), S("221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"0123\\r\\n250\\r\\n\" last\n"
	"S reply 250 to RSET lines=2\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "a code alone, its CR the last octet within the limit",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"),
	    S("250-012345678901234567890123456789012345678901234567890123\r\n250\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"250\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "lines without a code in the rest of a reply do not end it",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"), S("250-" LONG_64 "\r\nx\r\n25\r\n2500 x\r\n250\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"0123\\r\\nx\\r\\n25\\r\\n2500 x\\r\\n250\\r\\n\" last\n"
	"S reply 250 to RSET\n"},
    {.name = "a long line that is no reply answers nothing",
	.script = {GREETED, C("NOOP\r\n"), S(LONG_64 LONG_64 "\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"S not-reply \"" LONG_64 "\" +cut\n"
	"S rest \"" LONG_64 "\\r\\n\" last\n"
	"S reply 250 to NOOP\n"},
    {.name = "a forged reply does not go out inside a reply that is still coming",
	.script = {GREETED, FORWARD, KEEP, C("MAIL\r\nRCPT\r\n"), S("250 " LONG_64 "x"), NO_TURN, S("x"), NO_TURN,
	    S("x\r\n"), ANSWER(421)},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL +cut\n"
	"S rest \"0123x\"\n"
	"S rest \"x\"\n"
	"S rest \"x\\r\\n\" last\n"
	"P 421 to RCPT\n"},
    {.name = "a cut reply that the client does not get keeps nobody waiting",
	.script = {GREETED, C("NOOP\r\n"), WITHHOLD, S("250 " LONG_64), ANSWER(421), S("\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"0123\"\n"
	"P 421 to NOOP\n"
	"S rest \"\\r\\n\" last\n"},
    {.name = "the server goes inside a reply that was cut",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"), S("250-" LONG_64 "\r\n25"), NO_TURN, SERVER_ENDS, SERVER_GONE, ANSWER(421)},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +cut\n"
	"S rest \"0123\\r\\n\"\n"
	"S leftover \"25\" +unterminated\n"
	"P 421 to RSET\n"},

    /* What is not a reply, or a strange one. */
    {.name = "a line that is no reply answers nothing",
	.script = {GREETED, C("NOOP\r\n"), S("hello\r\n25\r\n2500 x\r\n250_x\r\n\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"S not-reply \"hello\\r\\n\"\n"
	"S not-reply \"25\\r\\n\"\n"
	"S not-reply \"2500 x\\r\\n\"\n"
	"S not-reply \"250_x\\r\\n\"\n"
	"S not-reply \"\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "codes that change in a reply, lines without one: still one reply",
	.script = {GREETED, C("NOOP\r\nRSET\r\n"), S("250-a\r\n550-b\r\n250 c\r\n250-a\r\nb\r\n250 c\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP lines=3 +code-change\n"
	"S reply 250 to RSET lines=3 +bad-line\n"},
    {.name = "the last line's code is the reply's",
	.script = {GREETED, C("DATA\r\n"), S("554-a\r\n354 b\r\n"), C(".\r\n"), S("999\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA lines=2 +code-change\n"
	"C end \".\\r\\n\"\n"
	"S reply 999 to CONTENT\n"},

    /* Ends of streams and of patience. */
    {.name = "full: what is too much waits",
	.script = {GREETED, C("NOOP\r\nNOOP\r\nRSET\r\n"), CLIENT_WAITS(SMTP_FULL), S("250 ok\r\n"), S("250 ok\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"S reply 250 to RSET\n",
	.max_pending = 2},
    {.name = "left over: a line without an end, a reply without a last line",
	.script = {GREETED, C("NOOP\r\nQUIT"), CLIENT_ENDS, S("250-x\r\n250"), SERVER_ENDS},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C leftover \"QUIT\" +unterminated\n"
	"S leftover \"250-x\\r\\n250\" +unterminated\n"
	"- NOOP client=1 server=1\n"},
    {.name = "left over in content: the start of what might have been its end",
	.script = {GREETED, C("DATA\r\n"), S("354 go\r\n"), C("x\r\n.\r"), CLIENT_ENDS, CLIENT_ENDS},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C content \".\\r\" +bare-cr +unterminated\n"},
    {.name = "nothing left over, nothing said",
	.script = {GREETED, C("NOOP\r\n"), CLIENT_ENDS, S("250 ok\r\n"), SERVER_ENDS},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "octets that are not SMTP at all",
	.script = {C("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), S("HTTP/1.1 400 Bad\r\n\r\n\x80\x00"), SERVER_ENDS},
	.trace =
	"C command \"GET / HTTP/1.1\\r\\n\" +early\n"
	"C command \"Host: x\\r\\n\" +early +pipelined\n"
	"C command \"\\r\\n\" +early +pipelined\n"
	"S not-reply \"HTTP/1.1 400 Bad\\r\\n\"\n"
	"S not-reply \"\\r\\n\"\n"
	"S leftover \"\\x80\\x00\" +nul +8bit +unterminated\n"
	"- CONNECT client=1 server=1\n"
	"- unknown client=1 server=1\n"
	"- unknown client=1 server=1\n"
	"- unknown client=1 server=1\n"},
};

int
main(void)
{
	return dialogue_cases_run("dialogue-limits", cases, sizeof cases / sizeof *cases);
}
