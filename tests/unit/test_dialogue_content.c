/* SPDX-License-Identifier: MIT */
/* Where message content begins and ends in a dialogue: DATA, BDAT, and LMTP's many replies. */
#include "tests/unit/dialogue_script.h"

static const struct dialogue_case cases[] = {
    /* DATA (RFC 5321 4.1.1.4, 4.5.2). */
    {.name = "content opens at the 354, ends at the dot",
	.script = {GREETED, C("DATA\r\n"), S("354 go\r\n"),
	    C("a: b\r\n\r\n..x\r\n.y\r\n\n.\n\r\n.\r\nQUIT\r\n"), S("250 ok\r\n221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C content \"a: b\\r\\n\\r\\n..x\\r\\n.y\\r\\n\\n.\\n\\r\\n\" +bare-lf\n"
	"C end \".\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 250 to CONTENT\n"
	"S reply 221 to QUIT\n"},
    {.name = "content of no octets, twice",
	.script = {GREETED, C("DATA\r\n"), S("354 go\r\n"), C(".\r\n"), S("250 ok\r\n"), C("DATA\r\n"),
	    S("354 go\r\n"), C(".\r\n"), S("451 no\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"S reply 250 to CONTENT\n"
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"S reply 451 to CONTENT\n"},
    {.name = "DATA refused: what follows is commands",
	.script = {GREETED, C("DATA\r\n"), S("554 no valid recipients\r\n"), C("RSET\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 554 to DATA\n"
	"C command \"RSET\\r\\n\"\n"
	"S reply 250 to RSET\n"},
    {.name = "content sent early waits for the reply and is content",
	.script = {GREETED, C("DATA\r\nx\r\n.\r\n"), CLIENT_WAITS(SMTP_UNDECIDED), S("354 go\r\n"),
	    S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"S reply 250 to CONTENT\n"},
    {.name = "content sent early and refused is commands",
	.script = {GREETED, C("DATA\r\nx\r\n.\r\n"), S("554 no\r\n"), S("500 x\r\n500 .\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 554 to DATA\n"
	"C command \"x\\r\\n\" +pipelined\n"
	"C command \".\\r\\n\" +pipelined\n"
	"S reply 500 to unknown\n"
	"S reply 500 to unknown\n"},
    {.name = "any 3yz opens content, as clients see it (RFC 5321 4.2.1)",
	.script = {GREETED, C("DATA\r\n"), S("350 go\r\n"), C("x\r\n.\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 350 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"S reply 250 to CONTENT\n"},
    {.name = "the server gives up inside the content",
	.script = {GREETED, C("DATA\r\n"), S("354 go\r\n"), C("x\r\n"), S("421 full\r\n"), C("y\r\n.\r\n"),
	    SERVER_GONE, ANSWER(421)},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"S reply 421\n"
	"C content \"y\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"P 421 to CONTENT\n"},
    {.name = "354 forged: the content is kept, and answered",
	.script = {GREETED, KEEP, C("DATA\r\n"), ANSWER(354), KEEP, C("x\r\n.\r\n"), ANSWER(451),
	    C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"P 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"P 451 to CONTENT\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "354 forged while the content is already there",
	.script = {GREETED, KEEP, C("DATA\r\nx\r\n.\r\n"), CLIENT_WAITS(SMTP_UNDECIDED), KEEP, ANSWER(354),
	    ANSWER(451)},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"P 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"P 451 to CONTENT\n"},
    {.name = "DATA refused by a rule",
	.script = {GREETED, KEEP, C("DATA\r\n"), ANSWER(452), C("QUIT\r\n"), S("221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"P 452 to DATA\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "the server's 354 turned into a refusal: commands follow",
	.script = {GREETED, C("DATA\r\n"), TELL(452), S("354 go\r\n"), C("QUIT\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C command \"QUIT\\r\\n\"\n"
	"- QUIT client=1 server=1\n"},
    {.name = "a refusal turned into 354: content follows",
	.script = {GREETED, C("DATA\r\n"), TELL(354), S("554 no\r\n"), KEEP, C("x\r\n.\r\n"), ANSWER(250)},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 554 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"P 250 to CONTENT\n"},
    {.name = "DATA dropped: no place in the queue, the next line is a command",
	.script = {GREETED, DROP, C("DATA\r\nNOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "the reply to DATA lost: nothing is decided by it any more",
	.script = {GREETED, C("DATA\r\nx\r\n"), LOSE, S("354 go\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C command \"x\\r\\n\" +pipelined\n"
	"- unknown client=1 server=1\n"},
    {.name = "the reply to DATA withheld: the proxy gives another",
	.script = {GREETED, C("DATA\r\n"), WITHHOLD, S("354 go\r\n"), ANSWER(421), C("QUIT\r\n")},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"P 421 to DATA\n"
	"C command \"QUIT\\r\\n\"\n"
	"- QUIT client=1 server=1\n"},
    {.name = "the end of content kept from the server",
	.script = {GREETED, C("DATA\r\n"), S("354 go\r\n"), KEEP, C("x\r\n.\r\nQUIT\r\n"), ANSWER(552),
	    SERVER_GONE, ANSWER(221)},
	.trace =
	GREETED_SAID
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"
	"C content \"x\\r\\n\"\n"
	"C end \".\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"P 552 to CONTENT\n"
	"P 221 to QUIT\n"},

    /* BDAT (RFC 3030 2). */
    {.name = "chunks, the last of no octets",
	.script = {GREETED, C("BDAT 3\r\nabcBDAT 4\r\n\r\n.\nBDAT 0 LAST\r\nNOOP\r\n"),
	    S("250 3\r\n250 4\r\n250 done\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 3\\r\\n\"\n"
	"C content \"abc\"\n"
	"C command \"BDAT 4\\r\\n\" +pipelined\n"
	"C content \"\\r\\n.\\n\" +bare-lf\n"
	"C command \"BDAT 0 LAST\\r\\n\" +pipelined\n"
	"C end of CONTENT \"\"\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to BDAT\n"
	"S reply 250 to BDAT\n"
	"S reply 250 to CONTENT\n"
	"S reply 250 to NOOP\n"},
    {.name = "a chunk of no octets that is not the last",
	.script = {GREETED, C("BDAT 0\r\nBDAT 1 LAST\r\nx"), S("250 0\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 0\\r\\n\"\n"
	"C command \"BDAT 1 LAST\\r\\n\" +pipelined\n"
	"C content \"x\"\n"
	"C end of CONTENT \"\"\n"
	"S reply 250 to BDAT\n"
	"S reply 250 to CONTENT\n"},
    {.name = "a chunk refused is swallowed all the same",
	.script = {GREETED, C("BDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"), S("503 no\r\n221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 6 LAST\\r\\n\"\n"
	"C content \"QUIT\\r\\n\"\n"
	"C end of CONTENT \"\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 503 to CONTENT\n"
	"S reply 221 to QUIT\n"},
    {.name = "a chunk refused before it is whole",
	.script = {GREETED, C("BDAT 6 LAST\r\nQU"), S("552 too big\r\n"), NO_TURN, C("IT\r\nQUIT\r\n"),
	    S("221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 6 LAST\\r\\n\"\n"
	"C content \"QU\"\n"
	"S reply 552 to CONTENT\n"
	"C content \"IT\\r\\n\"\n"
	"C end of CONTENT \"\"\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "a count that is none: no chunk follows",
	.script = {GREETED, C("BDAT x LAST\r\nQUIT\r\n"), S("501 count\r\n221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT x LAST\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 501 to BDAT\n"
	"S reply 221 to QUIT\n"},
    {.name = "a chunk answered by a rule: its turn is behind its octets",
	.script = {GREETED, KEEP, C("BDAT 4\r\nab"), NO_TURN, C("cdBDAT 1 LAST\r\nx"), ANSWER(452), NO_TURN,
	    S("503 no\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 4\\r\\n\"\n"
	"C content \"ab\"\n"
	"C content \"cd\"\n"
	"C command \"BDAT 1 LAST\\r\\n\" +pipelined\n"
	"C content \"x\"\n"
	"C end of CONTENT \"\"\n"
	"P 452 to BDAT\n"
	"S reply 503 to CONTENT\n"},
    {.name = "a chunk whose command was dropped belongs to nobody",
	.script = {GREETED, DROP, C("BDAT 2\r\nabDATA\r\n"), S("354 go\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 2\\r\\n\"\n"
	"C content \"ab\"\n"
	"C command \"DATA\\r\\n\"\n"
	"S reply 354 to DATA\n"},
    {.name = "a last chunk whose command was dropped",
	.script = {GREETED, DROP, C("BDAT 2 LAST\r\nabNOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 2 LAST\\r\\n\"\n"
	"C content \"ab\"\n"
	"C end \"\"\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "the last chunk withheld, RSET in its place",
	.script = {GREETED, FORWARD, KEEP, C("BDAT 2 LAST\r\nab"), INSERT(RSET), ANSWER(552), LOSE,
	    S("250 reset\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"BDAT 2 LAST\\r\\n\"\n"
	"C content \"ab\"\n"
	"C end of CONTENT \"\"\n"
	"P 552 to CONTENT\n"
	"S reply 250 to RSET(inserted)\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},

    /* LMTP (RFC 2033 4.2). */
    {.name = "LMTP: a reply for each accepted recipient",
	.script = {GREETED, C("MAIL\r\nRCPT\r\nRCPT\r\nRCPT\r\nDATA\r\n"),
	    S("250 ok\r\n250 ok\r\n550 no\r\n251 ok\r\n354 go\r\n"), C(".\r\nNOOP\r\n"),
	    S("250 one\r\n452 two\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 550 to RCPT\n"
	"S reply 251 to RCPT\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to CONTENT\n"
	"S reply 452 to CONTENT\n"
	"S reply 250 to NOOP\n",
	.lmtp = true},
    {.name = "LHLO makes it LMTP; recipients of one transaction do not count in the next",
	.script = {GREETED, C("LHLO c\r\n"), S("250 mx\r\n"), C("MAIL\r\nRCPT\r\nRCPT\r\nRSET\r\nRCPT\r\nRCPT\r\n"
	    "MAIL\r\nRCPT\r\nBDAT 1 LAST\r\nxMAIL\r\nRCPT\r\nRCPT\r\nBDAT 0 LAST\r\n"),
	    S("250 m\r\n250 r\r\n250 r\r\n250 rset\r\n250 r\r\n250 r\r\n250 m\r\n250 r\r\n250 one\r\n"
	      "250 m\r\n250 r\r\n250 r\r\n250 one\r\n250 two\r\n")},
	.trace =
	GREETED_SAID
	"C command \"LHLO c\\r\\n\"\n"
	"S reply 250 to LHLO\n"
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RSET\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"MAIL\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"BDAT 1 LAST\\r\\n\" +pipelined\n"
	"C content \"x\"\n"
	"C end of CONTENT \"\"\n"
	"C command \"MAIL\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"BDAT 0 LAST\\r\\n\" +pipelined\n"
	"C end of CONTENT \"\"\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RSET\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to CONTENT\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to CONTENT\n"
	"S reply 250 to CONTENT\n"},
    {.name = "LMTP: a recipient refused for the client alone: one final reply too many, withheld",
	.script = {GREETED, C("MAIL\r\nRCPT\r\nRCPT\r\nDATA\r\n"), PASS, TELL(550), S("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
	    C(".\r\n"), WITHHOLD, S("250 one\r\n"), NO_TURN, S("250 two\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"S reply 250 to CONTENT\n"
	"S reply 250 to CONTENT\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n",
	.lmtp = true},
    {.name = "LMTP: a recipient accepted by a rule: the final reply that is missing is the proxy's",
	.script = {GREETED, FORWARD, KEEP, C("MAIL\r\nRCPT\r\nRCPT\r\nDATA\r\n"), S("250 ok\r\n"), ANSWER(250),
	    S("250 ok\r\n354 go\r\n"), C(".\r\n"), NO_TURN, ANSWERED(451), S("250 two\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"P 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"P 451 to CONTENT\n"
	"S reply 250 to CONTENT\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n",
	.lmtp = true},
    {.name = "LMTP: the end of content answered by a rule, once a recipient",
	.script = {GREETED, C("MAIL\r\nRCPT\r\nRCPT\r\nDATA\r\n"), S("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
	    KEEP, C(".\r\n"), ANSWER(452), ANSWER(452), NO_TURN},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"P 452 to CONTENT\n"
	"P 452 to CONTENT\n",
	.lmtp = true},
    {.name = "LMTP: recipients are counted when all are known, though a forged reply is still to go out",
	.script = {GREETED, FORWARD, FORWARD, KEEP, C("MAIL\r\nRCPT\r\nRCPT\r\nBDAT 0 LAST\r\nMAIL\r\n"), S("250 ok\r\n250 ok\r\n"), HOLD_REPLY,
	    S("250 one\r\n"), ANSWER(250), NO_TURN, RELEASE_REPLY, ANSWER(451), NO_TURN, S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"BDAT 0 LAST\\r\\n\" +pipelined\n"
	"C end of CONTENT \"\"\n"
	"C command \"MAIL\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to CONTENT\n"
	"P 250 to RCPT\n"
	"P 451 to CONTENT\n"
	"S reply 250 to MAIL\n",
	.lmtp = true},
    {.name = "LHLO refused: it is SMTP, with one reply for all",
	.script = {GREETED, C("LHLO c\r\nMAIL\r\nRCPT\r\nRCPT\r\nDATA\r\n"), S("500 what\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
	    C(".\r\nNOOP\r\n"), S("250 ok\r\n250 noop\r\n")},
	.trace =
	GREETED_SAID
	"C command \"LHLO c\\r\\n\"\n"
	"C command \"MAIL\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"S reply 500 to LHLO\n"
	"S reply 250 to MAIL\n"
	"S reply 250 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 354 to DATA\n"
	"C end \".\\r\\n\"\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to CONTENT\n"
	"S reply 250 to NOOP\n"},
    {.name = "LMTP with nobody to deliver to: one reply",
	.script = {GREETED, C("MAIL\r\nRCPT\r\nBDAT 1 LAST\r\nxNOOP\r\n"), S("250 ok\r\n550 no\r\n503 no\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"BDAT 1 LAST\\r\\n\" +pipelined\n"
	"C content \"x\"\n"
	"C end of CONTENT \"\"\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 550 to RCPT\n"
	"S reply 503 to CONTENT\n"
	"S reply 250 to NOOP\n",
	.lmtp = true},
};

int
main(void)
{
	return dialogue_cases_run("dialogue-content", cases, sizeof cases / sizeof *cases);
}
