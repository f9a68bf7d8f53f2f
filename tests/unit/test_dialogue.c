/* SPDX-License-Identifier: MIT */
/* Who is owed what: each transition of the queue, a case each; content has its own file. */
#include "tests/unit/dialogue_script.h"

static const struct dialogue_case cases[] = {
    {.name = "greeting, then a command at a time",
	.script = {S("220 mx\r\n"), C("EHLO c\r\n"), S("250-mx\r\n250 SIZE\r\n"), C("QUIT\r\n"),
	    S("221 bye\r\n")},
	.trace =
	"S reply 220 to CONNECT\n"
	"C command \"EHLO c\\r\\n\"\n"
	"S reply 250 to EHLO lines=2\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "greeting of several lines, and one that refuses",
	.script = {S("554-no\r\n554-no\r\n554 no\r\n"), C("QUIT\r\n"), S("221 bye\r\n")},
	.trace =
	"S reply 554 to CONNECT lines=3\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "a client that talks before the greeting",
	.script = {C("EHLO c\r\n"), S("220 mx\r\n250 mx\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	"C command \"EHLO c\\r\\n\" +early\n"
	"S reply 220 to CONNECT\n"
	"S reply 250 to EHLO\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "a group: each reply to its command (RFC 2920 3.1)",
	.script = {GREETED,
	    C("MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nrcpt to:<c@example.org>\r\nXYZ\r\n"),
	    S("250 ok\r\n550 no\r\n250 ok\r\n500 what\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL FROM:<a@example.org>\\r\\n\"\n"
	"C command \"RCPT TO:<b@example.org>\\r\\n\" +pipelined\n"
	"C command \"rcpt to:<c@example.org>\\r\\n\" +pipelined\n"
	"C command \"XYZ\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 550 to RCPT\n"
	"S reply 250 to RCPT\n"
	"S reply 500 to unknown\n"},
    {.name = "a reply that nobody asked for answers nothing",
	.script = {GREETED, S("421 timeout\r\n"), C("NOOP\r\n"), S("250 ok\r\n250 ok\r\n")},
	.trace =
	GREETED_SAID
	"S reply 421\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"
	"S reply 250\n"},
    {.name = "line ends and octets as they are",
	.script = {GREETED, C("NOOP\nNO\rOP\r\nNOOP \0\r\nNOOP \xe9\r\n\r\n"),
	    S("250 ok\n250 a\rb\r\n250\r\n250 \xe9\r\n250 \0\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\n\" +bare-lf\n"
	"C command \"NO\\rOP\\r\\n\" +bare-cr +pipelined\n"
	"C command \"NOOP \\x00\\r\\n\" +nul +pipelined\n"
	"C command \"NOOP \\xe9\\r\\n\" +8bit +pipelined\n"
	"C command \"\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP +bare-lf\n"
	"S reply 250 to unknown +bare-cr\n"
	"S reply 250 to NOOP\n"
	"S reply 250 to NOOP +8bit\n"
	"S reply 250 to unknown +nul\n"},

    /* AUTH (RFC 4954 4). */
    {.name = "AUTH in one step",
	.script = {GREETED, C("AUTH PLAIN AGEAYg==\r\n"), S("235 ok\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH PLAIN AGEAYg==\\r\\n\" secret \"AGEAYg==\"\n"
	"S reply 235 to AUTH\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "AUTH in three steps, its lines sent ahead",
	.script = {GREETED, C("AUTH LOGIN\r\nYQ==\r\nYg==\r\nNOOP\r\n"), CLIENT_WAITS(SMTP_UNDECIDED),
	    S("334 VXNlcm5hbWU6\r\n"), NO_TURN, S("334 UGFzc3dvcmQ6\r\n"), S("235 ok\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"S reply 334 to AUTH\n"
	"C auth-line of AUTH \"YQ==\\r\\n\" +pipelined\n"
	"S reply 334 to AUTH\n"
	"C auth-line of AUTH \"Yg==\\r\\n\" +pipelined\n"
	"S reply 235 to AUTH\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"},
    {.name = "while a line of the client's is awaited it is nobody's turn",
	.script = {GREETED, C("AUTH LOGIN\r\n"), S("334 VXNlcm5hbWU6\r\n"), NO_TURN, C("*\r\n"), NO_TURN,
	    S("501 cancelled\r\n"), C("NOOP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"S reply 334 to AUTH\n"
	"C auth-line of AUTH \"*\\r\\n\"\n"
	"S reply 501 to AUTH\n"
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"},
    {.name = "AUTH refused: credentials sent all the same are secret until the next known verb",
	.script = {GREETED, C("AUTH LOGIN\r\nYQ==\r\nYg==\r\n"), S("504 no\r\n"), S("500 a\r\n500 b\r\n"),
	    C("NOOP\r\nYg==\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"S reply 504 to AUTH\n"
	"C command \"YQ==\\r\\n\" secret \"YQ==\" +pipelined\n"
	"C command \"Yg==\\r\\n\" secret \"Yg==\" +pipelined\n"
	"S reply 500 to unknown\n"
	"S reply 500 to unknown\n"
	"C command \"NOOP\\r\\n\"\n"
	"C command \"Yg==\\r\\n\" +pipelined\n"
	"- NOOP client=1 server=1\n"
	"- unknown client=1 server=1\n"},
    {.name = "AUTH played by a rule, step by step",
	.script = {GREETED, KEEP, C("AUTH LOGIN\r\n"), ANSWER(334), NO_TURN, KEEP, C("YQ==\r\n"), ANSWER(334),
	    KEEP, C("Yg==\r\n"), ANSWER(535), C("QUIT\r\n"), S("221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"P 334 to AUTH\n"
	"C auth-line of AUTH \"YQ==\\r\\n\"\n"
	"P 334 to AUTH\n"
	"C auth-line of AUTH \"Yg==\\r\\n\"\n"
	"P 535 to AUTH\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "the server's 334 turned into a refusal",
	.script = {GREETED, C("AUTH LOGIN\r\n"), TELL(454), S("334 VXNlcm5hbWU6\r\n"), C("NOOP\r\n")},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"S reply 334 to AUTH\n"
	"C command \"NOOP\\r\\n\"\n"
	"- NOOP client=1 server=1\n"},
    {.name = "the server goes while a line of the client's is awaited",
	.script = {GREETED, C("AUTH LOGIN\r\n"), S("334 VXNlcm5hbWU6\r\n"), S("421 timeout\r\n"), SERVER_GONE,
	    KEEP, C("YQ==\r\n"), ANSWER(421)},
	.trace =
	GREETED_SAID
	"C command \"AUTH LOGIN\\r\\n\"\n"
	"S reply 334 to AUTH\n"
	"S reply 421\n"
	"C auth-line of AUTH \"YQ==\\r\\n\"\n"
	"P 421 to AUTH\n"},

    /* STARTTLS (RFC 3207 4) and implicit TLS (RFC 8314 3). */
    {.name = "STARTTLS accepted: TLS follows on both sides, what was glued behind it too",
	.script = {GREETED, C("STARTTLS\r\nNOOP\r\n"), CLIENT_WAITS(SMTP_UNDECIDED), S("220 go\r\nmore"),
	    C("\x16\x03"), S("\x16\x03")},
	.trace =
	GREETED_SAID
	"C command \"STARTTLS\\r\\n\"\n"
	"S reply 220 to STARTTLS\n"
	"S opaque \"more\"\n"
	"C handover\n"
	"C opaque \"NOOP\\r\\n\"\n"
	"C opaque \"\\x16\\x03\"\n"
	"S opaque \"\\x16\\x03\"\n"},
    {.name = "STARTTLS refused: what was glued behind it is commands",
	.script = {GREETED, C("STARTTLS\r\nNOOP\r\n"), S("454 no\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"STARTTLS\\r\\n\"\n"
	"S reply 454 to STARTTLS\n"
	"C command \"NOOP\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"},
    {.name = "STARTTLS accepted by the server, refused for the client",
	.script = {GREETED, C("STARTTLS\r\n"), TELL(454), S("220 go\r\n"), C("NOOP\r\n")},
	.trace =
	GREETED_SAID
	"C command \"STARTTLS\\r\\n\"\n"
	"S reply 220 to STARTTLS\n"
	"C command \"NOOP\\r\\n\"\n"
	"- NOOP client=1 server=1\n"},
    {.name = "implicit TLS is told by its first octets",
	.script = {C("\x16\x03\x01\x02"), S("\x16\x03\x03")},
	.trace =
	"C handover\n"
	"C opaque \"\\x16\\x03\\x01\\x02\"\n"
	"S opaque \"\\x16\\x03\\x03\"\n"
	"- CONNECT client=1 server=1\n"},
    {.name = "an octet 0x16 alone does not make it TLS",
	.script = {C("\x16NOOP\r\n"), C("\x16\x03\r\n")},
	.trace =
	"C command \"\\x16NOOP\\r\\n\" +early\n"
	"C command \"\\x16\\x03\\r\\n\" +early +pipelined\n"
	"- CONNECT client=1 server=1\n"
	"- unknown client=1 server=1\n"
	"- unknown client=1 server=1\n"},
    {.name = "given up: any octets are opaque",
	.script = {GREETED, C("NO"), GIVE_UP, C("OP\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C opaque \"NOOP\\r\\n\"\n"
	"S opaque \"250 ok\\r\\n\"\n"},

    /* What a rule or the proxy does to the queue. */
    {.name = "a forged reply waits for those in front of it",
	.script = {GREETED, FORWARD, KEEP, C("MAIL\r\nRCPT\r\nRCPT\r\n"), NO_TURN, S("250 ok\r\n"), ANSWER(421),
	    NO_TURN, S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"P 421 to RCPT\n"
	"S reply 250 to RCPT\n"},
    {.name = "dropped commands have no place; inserted ones are answered to nobody",
	.script = {GREETED, DROP, C("NOOP\r\n"), INSERT(RSET), C("MAIL\r\n"), LOSE, S("250 reset\r\n"), S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"MAIL\\r\\n\"\n"
	"S reply 250 to RSET(inserted)\n"
	"S reply 250 to MAIL\n"},
    {.name = "a repeated command: its second reply is not the client's",
	.script = {GREETED, C("NOOP\r\n"), INSERT(NOOP), S("250 ok\r\n"), LOSE, S("250 ok\r\n"), C("QUIT\r\n"), S("221 bye\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"S reply 250 to NOOP\n"
	"S reply 250 to NOOP(inserted)\n"
	"C command \"QUIT\\r\\n\"\n"
	"S reply 221 to QUIT\n"},
    {.name = "an aside goes out in its place",
	.script = {GREETED, C("NOOP\r\n"), ASIDE, C("HELP\r\n"), NO_TURN, S("250 ok\r\n"), ANSWER(0), NO_TURN, S("214 help\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"HELP\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"P 0 to aside\n"
	"S reply 214 to HELP\n"},
    {.name = "a reply lost: the next takes its place for the client, not for us",
	.script = {GREETED, C("MAIL\r\nRCPT\r\n"), LOSE, S("250 m\r\n"), NO_TURN, S("550 r\r\n")},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"S reply 250 to MAIL\n"
	"S reply 550 to RCPT\n"},
    {.name = "the server goes: who is owed something gets it from the proxy, in order",
	.script = {GREETED, C("MAIL\r\nRCPT\r\n"), INSERT(NOOP), C("DATA\r\n"), SERVER_GONE, ANSWER(421), ANSWER(421),
	    ANSWER(421), NO_TURN, KEEP, C("QUIT\r\n"), ANSWER(221)},
	.trace =
	GREETED_SAID
	"C command \"MAIL\\r\\n\"\n"
	"C command \"RCPT\\r\\n\" +pipelined\n"
	"C command \"DATA\\r\\n\" +pipelined\n"
	"P 421 to MAIL\n"
	"P 421 to RCPT\n"
	"P 421 to DATA\n"
	"C command \"QUIT\\r\\n\"\n"
	"P 221 to QUIT\n"},
    {.name = "greeted by a rule: what the server says later is nobody's, what the client says is not early",
	.script = {NO_GREETING(true), ANSWER(220), C("EHLO c\r\n"), LOSE, S("220 mx\r\n"), S("250 mx\r\n")},
	.trace =
	"P 220 to CONNECT\n"
	"C command \"EHLO c\\r\\n\"\n"
	"S reply 220 to CONNECT(inserted)\n"
	"S reply 250 to EHLO\n"},
    {.name = "what only we are owed does not keep the client waiting",
	.script = {NO_GREETING(true), ANSWER(220), KEEP, C("EHLO c\r\n"), ANSWER(250), INSERT(NOOP), KEEP, C("QUIT\r\n"),
	    ANSWER(221), NO_TURN, LOSE, LOSE, S("220 mx\r\n250 ok\r\n")},
	.trace =
	"P 220 to CONNECT\n"
	"C command \"EHLO c\\r\\n\"\n"
	"P 250 to EHLO\n"
	"C command \"QUIT\\r\\n\"\n"
	"P 221 to QUIT\n"
	"S reply 220 to CONNECT(inserted)\n"
	"S reply 250 to NOOP(inserted)\n"},
    {.name = "the server goes while its last reply is held: that reply is still to come",
	.script = {GREETED, C("NOOP\r\nQUIT\r\n"), S("250 ok\r\n"), HOLD_REPLY, S("221 bye\r\n"), SERVER_GONE, NO_TURN,
	    RELEASE_REPLY, NO_TURN},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"S reply 221 to QUIT\n"},
    {.name = "the server goes while a reply is held that is not its last",
	.script = {GREETED, C("NOOP\r\nQUIT\r\n"), HOLD_REPLY, S("250 ok\r\n"), SERVER_GONE, NO_TURN,
	    RELEASE_REPLY, ANSWER(221), NO_TURN},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"P 221 to QUIT\n"},
    {.name = "what is behind a held command waits with it",
	.script = {GREETED, HOLD_COMMAND, C("NOOP\r\nQUIT\r\n"), CLIENT_WAITS(SMTP_UNSETTLED), RELEASE_COMMAND, S("250 ok\r\n")},
	.trace =
	GREETED_SAID
	"C command \"NOOP\\r\\n\"\n"
	"C command \"QUIT\\r\\n\" +pipelined\n"
	"S reply 250 to NOOP\n"
	"- QUIT client=1 server=1\n"},
    {.name = "no server at all: greeting and replies are the proxy's",
	.script = {NO_GREETING(false), ANSWER(554), KEEP, C("EHLO c\r\n"), ANSWER(503), KEEP, C("QUIT\r\n"), ANSWER(221)},
	.trace =
	"P 554 to CONNECT\n"
	"C command \"EHLO c\\r\\n\"\n"
	"P 503 to EHLO\n"
	"C command \"QUIT\\r\\n\"\n"
	"P 221 to QUIT\n"},
};

int
main(void)
{
	return dialogue_cases_run("dialogue", cases, sizeof cases / sizeof *cases);
}
