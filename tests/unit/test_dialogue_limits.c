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
};

int
main(void)
{
	return dialogue_cases_run("dialogue-limits", cases, sizeof cases / sizeof *cases);
}
