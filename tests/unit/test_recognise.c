/* SPDX-License-Identifier: MIT */
/* Openings of SMTP and of what looks like it, cut anywhere: an answer comes, and never turns round. */
#include <stdint.h>
#include <stdio.h>

#include "decoders/smtp/recognise.h"
#include "tests/unit/edge.h"

#define TURNS 12

enum { YES = SMTP_GUESS_YES, NO = SMTP_GUESS_NO, TLS = SMTP_GUESS_TLS, UNKNOWN = SMTP_GUESS_UNKNOWN };

/* Turns begin with C or S, for who says the rest. Then: the answer with both sides, and with each alone. */
static const struct opening {
	const char *name;
	uint16_t    port;               /* the server's */
	bool        inside;             /* the capture begins inside the connection */
	int         both, client, server;
	const char *turns[TURNS];
} openings[] = {
    /* SMTP. */
    {"postfix", 10025, false, YES, YES, YES,
	{"S220 mx.example.net ESMTP Postfix\r\n", "CEHLO client.example.org\r\n",
	    "S250-mx.example.net\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n", "CMAIL FROM:<ann@example.org>\r\n"}},
    {"greeting that says nothing", 10025, false, YES, YES, YES,
	{"S220 example.net ready\r\n", "CHELO client\r\n", "S250 example.net\r\n", "CMAIL FROM:<ann@example.org>\r\n"}},
    {"greeting of many lines", 10025, false, YES, YES, YES,
	{"S220-example.net\r\n220-We do not take\r\n220-bulk\r\n220 Go on\r\n", "CEHLO client\r\n", "S250 example.net\r\n"}},
    {"greeting by a host called ftp", 10025, false, YES, YES, UNKNOWN,
	{"S220 ftp.example.net ready\r\n", "CEHLO client\r\n", "S250 Hello\r\n"}},
    {"greeting by a host called ftp, with ESMTP", 10025, false, YES, YES, YES,
	{"S220 ftp.example.net ESMTP ready\r\n", "CEHLO client\r\n", "S250 Hello\r\n"}},
    {"greeting hidden by a firewall", 10025, false, YES, YES, YES,
	{"S220 ********************\r\n", "CEHLO client\r\n", "S250 Hello\r\n"}},
    {"no greeting for this client", 10025, false, YES, UNKNOWN, YES,
	{"S554 5.7.1 You are on a list\r\n", "CQUIT\r\n", "S221 2.0.0 Bye\r\n"}},
    {"no greeting, said by SMTP", 10025, false, YES, UNKNOWN, YES,
	{"S554 SMTP synchronization error\r\n", "CQUIT\r\n", "S221 Bye\r\n"}},
    {"LMTP", 10024, false, YES, YES, YES, {"S220 example.net LMTP\r\n", "CLHLO proxy\r\n", "S250-example.net\r\n250 SIZE\r\n"}},
    {"LMTP of Dovecot", 10024, false, YES, YES, YES,
	{"S220 example.net Dovecot ready.\r\n", "CLHLO proxy\r\n", "S250-example.net\r\n250-8BITMIME\r\n250 CHUNKING\r\n"}},
    {"no EHLO", 10025, false, YES, YES, YES,
	{"S220 example.net\r\n", "CMAIL FROM:<a@example.org>\r\n", "S250 ok\r\n", "CRCPT TO:<b@example.org>\r\n", "S250 ok\r\n"}},
    {"lower case, bare LF", 10025, false, YES, YES, YES,
	{"S220 example.net\n", "Cehlo client\n", "S250 example.net\n", "Cmail from: <a@example.org>\n"}},
    {"NOOP and RSET first", 10025, false, YES, YES, YES,
	{"S220 example.net\r\n", "CNOOP\r\n", "S250 ok\r\n", "CRSET\r\n", "S250 ok\r\n", "CDATA\r\n", "S503 no\r\n", "CVRFY ann\r\n"}},
    {"AUTH first", 10025, false, YES, UNKNOWN, UNKNOWN,
	{"S220 mail.example.net\r\n", "CAUTH LOGIN\r\n", "S503 5.x EHLO first\r\n"}},
    {"refused EHLO", 10025, false, YES, YES, UNKNOWN, {"S220 example.net\r\n", "CEHLO x\r\n", "S502 no\r\n", "CHELO x\r\n"}},
    {"pipelined before the greeting", 10025, false, YES, YES, YES,
	{"CEHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n", "S220 example.net\r\n250 x\r\n"}},
    {"banner alone, usual port", 25, false, YES, UNKNOWN, YES, {"S220 example.net\r\n"}},
    {"banner alone, other port", 10025, false, UNKNOWN, UNKNOWN, UNKNOWN, {"S220 example.net\r\n"}},
    {"banner alone that says ESMTP", 10025, false, YES, UNKNOWN, YES, {"S220 example.net ESMTP\r\n"}},
    {"421 alone, usual port", 587, false, YES, UNKNOWN, YES, {"S421 too busy\r\n"}},
    {"554 alone, usual port", 25, false, YES, UNKNOWN, YES, {"S554 go away\r\n"}},
    {"QUIT alone, usual port", 25, false, YES, YES, UNKNOWN, {"CQUIT\r\n"}},
    {"QUIT alone, other port", 10025, false, UNKNOWN, UNKNOWN, UNKNOWN, {"CQUIT\r\n"}},
    {"HTTP said to an SMTP server", 10025, false, YES, NO, YES,
	{"S220 example.net ESMTP\r\n", "CGET / HTTP/1.1\r\nHost: example.net\r\n\r\n", "S500 5.5.1 What?\r\n"}},
    {"junk said to an SMTP server", 10025, false, YES, YES, YES,
	{"S220 example.net ESMTP\r\n", "Chello\r\n", "S500 What?\r\n", "CEHLO x\r\n"}},
    {"the greeting is missing", 10025, false, YES, YES, YES,
	{"CEHLO x\r\n", "S250-example.net\r\n250-SIZE 1000\r\n250 HELP\r\n", "CMAIL FROM:<a@example.org>\r\n", "S250 ok\r\n"}},

    /* The same from inside. */
    {"inside an envelope", 10025, true, YES, YES, YES,
	{"CRCPT TO:<a@example.org>\r\n", "S250 2.1.5 Ok\r\n", "CDATA\r\n", "S354 go on\r\n"}},
    {"inside a line of each", 10025, true, YES, YES, YES,
	{"Cle.org>\r\nRCPT TO:<b@example.org>\r\n", "Sk\r\n250 ok\r\n", "CDATA\r\n", "S354 go on\r\n"}},
    {"inside content, and then the next", 10025, true, YES, YES, YES,
	{"Cof text\r\nSelect what you like\r\nList of things\r\n.\r\n", "S250 queued\r\n", "CMAIL FROM:<a@example.org>\r\n", "S250 ok\r\n",
	    "CRCPT TO:<b@example.org>\r\n", "S250 ok\r\n", "CDATA\r\n", "S354 go\r\n"}},
    {"replies alone without a code of ours", 10025, true, YES, UNKNOWN, YES,
	{"S250 ok\r\n", "S250 ok\r\n", "S250 ok\r\n", "S250 ok\r\n"}},
    {"inside content, usual port", 25, true, YES, UNKNOWN, YES, {"Csome\r\ntext\r\n", "S250 queued\r\n"}},
    {"content that shows a session", 80, true, UNKNOWN, UNKNOWN, UNKNOWN,
	{"Cis what happens:\r\nFirst:\r\nEHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\n"}},

    /* TLS. */
    {"TLS", 465, false, TLS, TLS, TLS, {"C\x16\x03\x01\x02\x10\x01\x10\x10\x03\x03", "S\x16\x03\x03\x01\x10\x02\x10\x10\x03\x03"}},
    {"TLS, other port", 4465, false, TLS, TLS, TLS, {"C\x16\x03\x01\x02\x10\x01\x10\x10\x03\x03", "S\x16\x03\x03\x01\x10\x02\x10\x10\x03\x03"}},
    {"inside TLS", 465, true, TLS, TLS, TLS, {"C\x17\x03\x03\x02\x10" "abc", "S\x17\x03\x03\x02\x10" "abc"}},
    {"TLS said to a greeting", 10025, false, YES, TLS, YES,
	{"S220 example.net ESMTP\r\n", "C\x16\x03\x01\x02\x10\x01\x10\x10\x03\x03", "S500 5.5.1 What?\r\n"}},
    {"nearly TLS", 465, false, NO, NO, NO, {"C\x16\x04\x01\x02\x10\x01\x01", "S\x16\x03\x03\x7f\x10\x02\x02"}},

    /* HTTP. */
    {"HTTP", 80, false, NO, NO, NO,
	{"CGET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "SHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}},
    {"HTTP with SMTP in it", 8080, false, NO, NO, NO,
	{"CPOST /mail HTTP/1.1\r\nHost: example.org\r\n\r\nEHLO x\r\nMAIL FROM:<a@example.org>\r\n",
	    "SHTTP/1.1 250 OK\r\n\r\n220 x ESMTP\r\n250 2.0.0 ok\r\n"}},
    {"HTTP 2", 80, false, NO, NO, NO, {"CPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "S\0"}},
    {"HTTP, usual port", 25, false, NO, NO, NO, {"CGET / HTTP/1.1\r\n\r\n", "SHTTP/1.1 400 Bad Request\r\n\r\n"}},
    {"HTTP 0.9", 80, false, NO, NO, NO, {"CGET /\r\n", "S<html>\n"}},
    {"inside HTTP", 80, true, NO, UNKNOWN, NO,
	{"Cabc\r\ndef\r\n", "S<p>\r\n220 x ESMTP\r\n</p>\r\nEHLO x\r\n"}},

    /* FTP. */
    {"vsftpd", 2121, false, NO, NO, NO,
	{"S220 (vsFTPd 3.0.3)\r\n", "CUSER ann\r\n", "S331 Please specify the password.\r\n", "CPASS x\r\n", "S230 Login successful.\r\n"}},
    {"FTP of a mail host", 21, false, NO, NO, NO,
	{"S220-mail.example.net\r\n220 Welcome\r\n", "CUSER ann\r\n", "S331 Password for ann.\r\n"}},
    {"FTP, TLS", 21, false, NO, NO, NO,
	{"S220 ProFTPD Server ready.\r\n", "CAUTH TLS\r\n", "S234 AUTH TLS successful\r\n"}},
    {"FTP, features first", 21, false, NO, NO, NO,
	{"S220 Welcome\r\n", "CFEAT\r\n", "S211-Features:\r\n SIZE\r\n211 End\r\n", "CSYST\r\n", "S215 UNIX Type: L8\r\n"}},
    {"FTP, NOOP and HELP first", 21, false, NO, NO, NO,
	{"S220 Welcome to mail.example.net FTP\r\n", "CNOOP\r\n", "S250 NOOP command successful\r\n", "CHELP\r\n", "S214 Help\r\n",
	    "CPWD\r\n", "S257 \"/\" is the current directory\r\n"}},
    {"FTP banner alone", 21, false, UNKNOWN, UNKNOWN, UNKNOWN, {"S220 Microsoft FTP Service\r\n"}},
    {"FTP banner alone, usual port", 25, false, UNKNOWN, UNKNOWN, UNKNOWN, {"S220 Microsoft FTP Service\r\n"}},
    {"FTP on a usual port", 2525, false, NO, NO, NO, {"S220 Microsoft FTP Service\r\n", "CUSER ann\r\n", "S331 Password\r\n"}},
    {"FTP on a usual port, banner of lines", 25, false, NO, NO, NO,
	{"S220-ftp.example.net\r\n220-Welcome to the archive\r\n220 Ready\r\n", "CUSER ann\r\n", "S331 Password\r\n"}},
    {"FTP that is full", 21, false, NO, UNKNOWN, NO, {"S421 Too many users\r\n", "S221 Bye\r\n150 x\r\n"}},
    {"inside FTP", 21, true, NO, UNKNOWN, NO,
	{"CCWD /pub\r\n", "S250 Directory successfully changed.\r\n", "CCWD a\r\n", "S250 Directory successfully changed.\r\n",
	    "CCWD b\r\n", "S250 CWD command successful\r\n", "CPASV\r\n", "S227 Entering Passive Mode (192,0,2,1,4,5)\r\n", "CLIST\r\n",
	    "S150 Here it comes\r\n", "S226 Done\r\n"}},

    /* POP3, IMAP, NNTP, IRC and others. */
    {"POP3", 110, false, NO, NO, NO, {"S+OK ready <1.2@example.net>\r\n", "CUSER ann\r\n", "S+OK\r\n", "CPASS x\r\n"}},
    {"POP3 with AUTH", 110, false, NO, UNKNOWN, NO,
	{"S+OK SMTP says hello\r\n", "CAUTH PLAIN\r\n", "S+ \r\n", "CAGFubgB4\r\n", "S+OK\r\n", "CNOOP\r\n", "CRSET\r\n", "CQUIT\r\n"}},
    {"POP3, usual port", 25, false, NO, NO, NO, {"S+OK ready\r\n", "CCAPA\r\n"}},
    {"IMAP", 143, false, NO, NO, NO, {"S* OK IMAP4rev1 ready\r\n", "Ca1 CAPABILITY\r\n", "S* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"}},
    {"IMAP, NOOP first", 143, false, NO, NO, NO, {"S* OK ready\r\n", "C1 NOOP\r\n", "S1 OK done\r\n"}},
    {"NNTP", 119, false, NO, NO, NO, {"S200 news.example.net ready (posting ok)\r\n", "CMODE READER\r\n", "S200 ready\r\n"}},
    {"NNTP, no posting", 119, false, NO, UNKNOWN, NO, {"S201 news.example.net mail and news\r\n", "CHELP\r\n", "S100 Help\r\n"}},
    {"NNTP, TLS", 119, false, NO, NO, NO, {"S200 ready\r\n", "CCAPABILITIES\r\n", "S101 list\r\nSTARTTLS\r\n.\r\n", "CSTARTTLS\r\n", "S382 go\r\n"}},
    {"IRC", 6667, false, NO, NO, NO,
	{"CNICK ann\r\nUSER ann 0 * :Ann\r\n", "S:irc.example.net NOTICE * :*** Looking up\r\n:irc.example.net 001 ann :Welcome\r\n"}},
    {"IRC, capabilities first", 6667, false, NO, NO, NO, {"CCAP LS 302\r\n", "SNOTICE AUTH :*** Hi\r\n"}},
    {"SSH", 22, false, NO, NO, NO, {"SSSH-2.0-OpenSSH_9.2\r\n", "CSSH-2.0-x\r\n"}},
    {"ManageSieve", 4190, false, NO, UNKNOWN, NO,
	{"S\"IMPLEMENTATION\" \"mail\"\r\n\"STARTTLS\"\r\nOK\r\n", "CSTARTTLS\r\n", "SOK \"Begin\"\r\n"}},
    {"Redis", 6379, false, NO, NO, NO, {"C*1\r\n$4\r\nPING\r\n", "S+PONG\r\n"}},
    {"MySQL", 3306, false, NO, UNKNOWN, NO, {"SJ\x01\x02\x01\x0a" "8.0.1"}},
    {"XMPP", 5222, false, NO, NO, NO, {"C<?xml version='1.0'?>\n<stream:stream>\n", "S<?xml version='1.0'?>\n"}},
    {"SIP", 5060, false, NO, NO, NO, {"CINVITE sip:a@example.org SIP/2.0\r\n\r\n", "SSIP/2.0 200 OK\r\n"}},
    {"RTSP", 554, false, NO, NO, NO, {"CDESCRIBE rtsp://example.org RTSP/1.0\r\n\r\n", "SRTSP/1.0 200 OK\r\n"}},
    {"telnet", 23, false, NO, UNKNOWN, NO, {"S\xff\xfd\x18\xff\xfd\x20login: \x01", "C\xff\xfb"}},
    {"finger", 79, false, NO, UNKNOWN, NO, {"Cann\r\n", "SLogin: ann\r\n"}},
    {"nothing", 25, false, UNKNOWN, UNKNOWN, UNKNOWN, {NULL}},
};

static const char *const answers[] = {"UNKNOWN", "YES", "TLS", "NO"};

/* One end's octets, growing. */
struct mouth {
	char   octets[2048];
	size_t len;
};

static void
says(struct mouth *m, const char *octets, size_t len)
{
	memcpy(m->octets + m->len, octets, len);
	m->len += len;
}

static int
ask(const struct opening *o, const struct mouth *client, const struct mouth *server, int way)
{
	struct view             c = edge_copy((struct view){client->octets, client->len});
	struct view             s = edge_copy((struct view){server->octets, server->len});
	bool                    swapped = way & 1, dialled = way & 2, a_is_client = swapped;
	struct smtp_guess_facts facts = {
	    .a = swapped ? s : c,
	    .b = swapped ? c : s,
	    .from_start = !o->inside,
	    .a_dialled = dialled && !swapped,
	    .b_dialled = dialled && swapped,
	    .a_port = swapped ? o->port : 40001,
	    .b_port = swapped ? 40001 : o->port,
	};
	int guess = (int)smtp_recognise(&facts, &a_is_client);

	if (guess == YES || (guess == TLS && (!o->inside || smtp_port_is_usual(o->port))))
		ck_assert_msg(a_is_client == !swapped, "%s: the wrong end is the client", o->name);
	edge_free(c);
	edge_free(s);
	return guess;
}

/* The opening octet by octet, one side or both; who is "C", "S" or "CS". */
static void
play(const struct opening *o, const char *who, int want, int way)
{
	struct mouth client = {.len = 0}, server = {.len = 0};
	int          guess = UNKNOWN, next;

	for (int turn = 0; turn < TURNS && o->turns[turn] != NULL; turn++) {
		const char *text = o->turns[turn];

		if (strchr(who, *text) == NULL)
			continue;
		/* The opening of HTTP 2 ends in a NUL, which is said too. */
		for (size_t i = 1; i < strlen(text) + (text[1] == '\0'); i++) {
			says(*text == 'C' ? &client : &server, text + i, 1);
			next = ask(o, &client, &server, way);
			ck_assert_msg(guess == UNKNOWN || next == guess, "%s: %s became %s", o->name, answers[guess], answers[next]);
			guess = next;
		}
	}
	ck_assert_msg(guess == want, "%s, %s, way %d: %s, not %s", o->name, who, way, answers[guess], answers[want]);
}

START_TEST(openings_with_both_sides)
{
	for (int way = 0; way < 4; way++)
		play(&openings[_i], "CS", openings[_i].both, way);
}
END_TEST

/* With one side only nobody may know who dialled; then what is no SMTP for one end may be for the other. */
START_TEST(openings_with_one_side)
{
	for (int way = 2; way < 4; way++) {
		play(&openings[_i], "C", openings[_i].client, way);
		play(&openings[_i], "S", openings[_i].server, way);
	}
	for (int way = 0; way < 2; way++) {
		if (openings[_i].client == YES)
			play(&openings[_i], "C", YES, way);
		if (openings[_i].server == YES)
			play(&openings[_i], "S", YES, way);
	}
}
END_TEST

START_TEST(an_answer_comes_within_4_kib)
{
	static char             text[SMTP_GUESS_ENOUGH];
	bool                    a_is_client = false;
	struct smtp_guess_facts facts = {.b_port = 10025, .from_start = true};

	memset(text, 'x', sizeof text);
	for (int inside = 0; inside < 2; inside++) {
		facts.from_start = !inside;
		facts.b_port = 10025;
		facts.a = VIEW("");
		facts.b = (struct view){text, SMTP_GUESS_ENOUGH - 1};
		ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_UNKNOWN);
		facts.b.len++;
		ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_NO);
		facts.a = facts.b;
		facts.b = VIEW("");
		ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_NO);
		/* In the middle of a message, say. */
		facts.b_port = 25;
		ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_YES);
		ck_assert(a_is_client);
		text[100] = '\0';
		ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_NO);
		text[100] = 'x';
	}
}
END_TEST

START_TEST(by_port_where_nothing_else_tells)
{
	bool                    a_is_client = true;
	struct smtp_guess_facts facts = {.a = VIEW("QUIT\r\n"), .b = VIEW("QUIT\r\n"), .a_port = 25, .b_port = 40001};

	ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_YES);
	ck_assert(!a_is_client);
	facts.b_port = 25;
	facts.a_port = 40001;
	ck_assert_int_eq(smtp_recognise(&facts, &a_is_client), SMTP_GUESS_YES);
	ck_assert(a_is_client);
}
END_TEST

START_TEST(usual_ports)
{
	static const uint16_t usual[] = {24, 25, 366, 465, 587, 2525};

	for (unsigned port = 0, i = 0; port < 65536; port++) {
		bool is = i < sizeof usual / sizeof *usual && usual[i] == port;

		ck_assert_int_eq(smtp_port_is_usual((uint16_t)port), is);
		i += is;
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("recognise");
	TCase *tcase = tcase_create("recognise");
	int    count = sizeof openings / sizeof *openings;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, openings_with_both_sides, 0, count);
	tcase_add_loop_test(tcase, openings_with_one_side, 0, count);
	tcase_add_test(tcase, an_answer_comes_within_4_kib);
	tcase_add_test(tcase, by_port_where_nothing_else_tells);
	tcase_add_test(tcase, usual_ports);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
