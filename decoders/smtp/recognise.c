/* SPDX-License-Identifier: MIT */
/*
 * Recognition weighs lines. Some settle it at once: EHLO, MAIL FROM, 354, an enhanced status
 * code, a greeting that says ESMTP. Others are shared (FTP greets with 220, POP3 knows RSET),
 * and count for little until several agree. A line of another protocol ends the search on its
 * side. Points are only ever added, so an answer does not turn round when more comes.
 *
 * Where nobody knows who dialled, both ways round are tried.
 */
#include "decoders/smtp/recognise.h"

#include "decoders/smtp/command.h"
#include "decoders/smtp/line.h"
#include "decoders/smtp/registry.h"
#include "decoders/smtp/reply.h"

#define SURE     100    /* this is SMTP, whatever else comes */
#define ENOUGH   4      /* points that make it SMTP */
#define FOREIGN  (-1)   /* this is something else */

/* One end of the connection as a client or as a server. */
struct side {
	struct view octets;
	bool        from_start;
	bool        usual_port;         /* the server's */
	int         points;
	bool        spoke;              /* a line that SMTP has too */
	bool        foreign;
};

bool
smtp_port_is_usual(uint16_t port)
{
	switch (port) {
	case 24:
	case 25:
	case 366:
	case 465:
	case 587:
	case 2525:
		return true;
	default:
		return false;
	}
}

/* A bit that letters have in common with few others, whatever their case. */
static inline uint64_t
bit_of(char c)
{
	return UINT64_C(1) << ((c | 0x20) & 63);
}

/* Whether the words are in the text anywhere, whatever their case and what is around them. */
static bool
has_text(struct view text, struct view word)
{
	for (; text.len >= word.len; text = view_from(text, 1))
		if ((*text.at | 0x20) == (*word.at | 0x20) && view_starts_nocase(text, word))
			return true;
	return false;
}

static bool
has_any(struct view text, const struct view *words, size_t count)
{
	uint64_t bits = 0, ends;

	for (size_t i = 0; i < text.len; i++)
		bits |= bit_of(text.at[i]);
	for (size_t i = 0; i < count; i++) {
		ends = bit_of(words[i].at[0]) | bit_of(words[i].at[words[i].len - 1]);
		/* What the text lacks need not be looked for. */
		if ((ends & ~bits) == 0 && has_text(text, words[i]))
			return true;
	}
	return false;
}

#define HAS_ANY(text, words) has_any((text), (words), sizeof(words) / sizeof *(words))

/* Control characters that no line of a protocol in lines has. */
static bool
is_binary(struct view octets)
{
	for (size_t i = 0; i < octets.len; i++) {
		unsigned char c = (unsigned char)octets.at[i];

		if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f)
			return true;
	}
	return false;
}

/* Commands of protocols that SMTP has none of: FTP, POP3, NNTP, HTTP, IRC, and their like. */
static const char foreign_verbs[] =
    " USER PASS ACCT APOP CAPA STLS UIDL RETR DELE LIST STAT TOP"
    " CWD CDUP PWD XPWD PASV EPSV PORT EPRT TYPE STRU STOR STOU APPE RNFR RNTO ABOR RMD MKD NLST SITE SYST"
    " FEAT OPTS PBSZ PROT CCC MLSD MLST MDTM CLNT"
    " MODE GROUP LISTGROUP ARTICLE BODY IHAVE POST NEWGROUPS NEWNEWS XOVER OVER XHDR AUTHINFO CAPABILITIES"
    " CHECK TAKETHIS DATE NEXT LAST"
    " GET HEAD PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND PRI REPORT"
    " NICK JOIN PRIVMSG NOTICE PING PONG CAP PROTOCTL SERVER WEBIRC"
    " INVITE REGISTER SUBSCRIBE DESCRIBE SETUP PLAY SET INFO VERSION SELECT STATS ";

/* The second words of IMAP, behind a tag of the client's own. */
static const char imap_verbs[] =
    " CAPABILITY LOGIN AUTHENTICATE STARTTLS NOOP LOGOUT SELECT EXAMINE LIST LSUB NAMESPACE ID ENABLE UID FETCH"
    " IDLE STATUS SEARCH COMPRESS ";

/* Whether a word stands in a list of words with spaces around. It is written here in upper case. */
static bool
is_word_of(struct view list, struct view word)
{
	if (word.len == 0 || memchr(word.at, ' ', word.len) != NULL)
		return false;
	for (; list.len >= word.len + 2; list = view_from(list, 1))
		if (list.at[0] == ' ' && list.at[word.len + 1] == ' ' && view_starts_nocase(view_from(list, 1), word))
			return true;
	return false;
}

static struct view
first_word(struct view text)
{
	const char *space = text.len == 0 ? NULL : memchr(text.at, ' ', text.len);

	return space == NULL ? text : view_first(text, (size_t)(space - text.at));
}

/* What an SMTP command tells: nothing that other protocols say as well is worth much. */
static int
points_of_verb(const struct smtp_command *command)
{
	static const struct view ftp_mechanisms[] = {VIEW("TLS"), VIEW("SSL"), VIEW("TLS-C"), VIEW("TLS-P")};
	struct view              argument = command->argument;

	switch (command->verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
	case SMTP_LHLO:
	case SMTP_ETRN:
	case SMTP_XCLIENT:
	case SMTP_XFORWARD:
		return SURE;
	case SMTP_MAIL:
		return view_starts_nocase(argument, VIEW("FROM")) ? SURE : 0;
	case SMTP_RCPT:
		return view_starts_nocase(argument, VIEW("TO")) ? SURE : 0;
	case SMTP_BDAT:
		return command->chunk_valid ? SURE : 0;
	case SMTP_DATA:
		return argument.len == 0 ? 2 : 0;
	case SMTP_VRFY:
	case SMTP_EXPN:
		return argument.len > 0 ? 2 : 0;
	case SMTP_AUTH:
		for (size_t i = 0; i < sizeof ftp_mechanisms / sizeof *ftp_mechanisms; i++)
			if (view_equal_nocase(argument, ftp_mechanisms[i]))
				return FOREIGN;
		return argument.len > 0 ? 2 : 0;
	case SMTP_STARTTLS:
	case SMTP_RSET:
		return argument.len == 0 ? 1 : 0;
	default:
		return 0;
	}
}

/* Whether a client's line is none of SMTP's. Inside message content anything may stand. */
static bool
is_foreign_line(struct view line, bool from_start)
{
	struct view            word = first_word(line), second = first_word(view_from(line, word.len + 1));
	struct smtp_reply_line reply;
	bool                   slash = line.len > 0 && memchr(line.at, '/', line.len) != NULL;

	if (slash && (has_text(line, VIEW(" HTTP/1.")) || has_text(line, VIEW(" HTTP/2.0")) ||
	    has_text(line, VIEW(" RTSP/1.")) || has_text(line, VIEW(" SIP/2.0"))))
		return true;
	if (view_starts_nocase(line, VIEW("SSH-")))
		return true;
	if (!from_start)
		return false;
	smtp_reply_line_parse(line, &reply);
	return reply.code != 0 || is_word_of(VIEW(foreign_verbs), word) || is_word_of(VIEW(imap_verbs), second) || is_binary(line) ||
	    view_starts_nocase(line, VIEW("<?xml")) || view_starts_nocase(line, VIEW("<stream")) ||
	    (line.len > 0 && *line.at == '*');
}

/* The next whole line of a side, without its end; false: no more. */
static bool
line_next(struct view *rest, struct view *line)
{
	size_t searched = 0, len = rest->len == 0 ? 0 : smtp_line_length(rest->at, rest->len, &searched);

	if (len == 0)
		return false;
	*line = smtp_line_text(view_first(*rest, len));
	*rest = view_from(*rest, len);
	return true;
}

static void
weigh_client(struct side *client)
{
	struct view rest = client->octets, line;
	bool        alone = true, dot = false;  /* nothing but commands so far; the end of content in front */

	for (int lines = 0; !client->foreign && line_next(&rest, &line); lines++) {
		struct smtp_command command;
		int                 points;

		smtp_command_parse(line, &command);
		points = command.verb == SMTP_VERB_UNKNOWN ? 0 : points_of_verb(&command);
		if (command.verb == SMTP_VERB_UNKNOWN || points == FOREIGN) {
			client->foreign = is_foreign_line(line, client->from_start) ||
			    (points == FOREIGN && client->from_start);
			/* The capture may begin inside a line. */
			alone &= lines == 0 && !client->from_start;
			dot = view_equal(line, VIEW("."));
			continue;
		}
		client->spoke = true;
		/* In what may be the text of anything, commands among other lines are not enough. */
		if (alone || dot || client->from_start || client->points >= ENOUGH)
			client->points += points;
		else
			client->points = client->points + points < ENOUGH ? client->points + points : ENOUGH - 1;
		dot = false;
	}
	/* What is not a line yet. */
	if (client->from_start && rest.len > 0 && rest.at == client->octets.at)
		client->foreign |= is_binary(rest);
}

/* Mail servers that call themselves so, and FTP's that do. */
static const struct view sure_words[] = {VIEW("ESMTP"), VIEW("LMTP")};
static const struct view mail_words[] = {
    VIEW("mail"), VIEW("postfix"), VIEW("exim"), VIEW("exchange"), VIEW("dovecot"), VIEW("cyrus"), VIEW("mx")};
static const struct view ftp_words[] = {
    VIEW("FTP"), VIEW("FileZilla"), VIEW("file transfer"), VIEW("Serv-U"), VIEW("directory"), VIEW("CWD")};

/* A line of the first reply, where the server is seen from its start. */
static int
points_of_greeting(const struct smtp_reply_line *line, bool usual_port, bool ftp)
{
	if (HAS_ANY(line->text, sure_words) || (!ftp && has_text(line->text, VIEW("SMTP"))))
		return SURE;
	if (line->code != 220 && line->code / 100 < 4)
		return usual_port ? 0 : FOREIGN;        /* 200 and 201 are NNTP's */
	if (ftp)
		return 0;
	if (usual_port)
		return SURE;
	return HAS_ANY(line->text, mail_words) ? 2 : 1;
}

/* A line of any other reply. The lines of one count as one, but for those that name extensions. */
static int
points_of_reply(const struct smtp_reply_line *line, bool usual_port)
{
	bool ftp = HAS_ANY(line->text, ftp_words);

	if (line->code / 100 < 4 && !usual_port && smtp_code_find(line->code) == NULL)
		return FOREIGN;
	if (line->code == 354 || (usual_port && !ftp))
		return SURE;
	if (line->code == 250 && smtp_keyword_find(first_word(line->text)) != SMTP_KEYWORD_UNKNOWN)
		return 2;
	if (line->separator == '-' || ftp)
		return 0;
	switch (line->code) {
	case 235:
	case 251:
	case 252:
	case 334:
	case 454:
	case 535:
	case 554:
	case 555:
		return 2;
	case 250:
		return 1;
	default:
		return 0;
	}
}

/* Lines that no server of SMTP begins with. */
static bool
is_foreign_server(struct view line)
{
	static const struct view starts[] = {
	    VIEW("+OK"), VIEW("-ERR"), VIEW("* "), VIEW("HTTP/"), VIEW("SSH-"), VIEW("RTSP/"), VIEW("SIP/"), VIEW(":"),
	    VIEW("NOTICE "), VIEW("PING ")};

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
		if (view_starts_nocase(line, starts[i]))
			return true;
	return is_binary(line);
}

static void
weigh_server(struct side *server)
{
	enum { GREETING, REST_OF_GREETING, ANSWER, LATER } place = server->from_start ? GREETING : LATER;
	struct view            rest = server->octets, wire, enhanced;
	struct smtp_reply_line line;
	bool                   mailish = true;  /* the greeting may be SMTP's: no word of FTP */
	bool                   refused = false; /* the greeting was no 220 */

	for (int lines = 0; !server->foreign && line_next(&rest, &wire); lines++) {
		bool ftp;
		int points;

		smtp_reply_line_parse(wire, &line);
		if (line.code < 100 || line.code > 599) {
			/* The capture may begin inside a line. */
			if (lines > 0 || server->from_start)
				server->foreign = !server->usual_port || is_foreign_server(wire);
			continue;
		}
		if (place == GREETING && line.code == 250)
			place = LATER;          /* what was in front is missing */
		if (place <= REST_OF_GREETING) {
			/* A usual port makes no mail server of one that has said FTP in a line before. */
			ftp = HAS_ANY(line.text, ftp_words);
			points = points_of_greeting(&line, server->usual_port && mailish, ftp);
			if (place == REST_OF_GREETING && points != SURE && points != FOREIGN)
				points = 0;
			mailish &= !ftp;
			refused |= line.code != 220;
			place = line.separator == '-' ? REST_OF_GREETING : ANSWER;
		} else {
			points = points_of_reply(&line, server->usual_port && mailish);
			/* FTP asks for a user first, SMTP says 250 to EHLO. */
			if (place == ANSWER && line.code == 250 && mailish && !refused)
				points += ENOUGH - 1;
			place = LATER;
		}
		enhanced = smtp_enhanced_parse(line.text);
		if (enhanced.at != NULL && enhanced.at[0] - '0' == line.code / 100 && (line.code != 220 || lines > 0))
			points = SURE;
		if (points == FOREIGN)
			server->foreign = true;
		else
			server->points += points;
	}
	if (rest.len > 0 && rest.at == server->octets.at && server->from_start)
		server->foreign |= is_foreign_server(rest);
}

/* TLS (RFC 8446 5.1): 1 yes, 0 no, -1 too few octets to say. *client: by its hello, whose it is. */
static int
is_tls(struct view octets, bool inside, bool *client)
{
	const char *at = octets.at;

	if (octets.len == 0)
		return -1;
	if (*at != 0x16 && !(inside && *at == 0x17))
		return 0;
	if (octets.len >= 2 && at[1] != 3)
		return 0;
	if (octets.len >= 3 && (unsigned char)at[2] > 4)
		return 0;
	/* A record's length: at most 2^14, and what encryption adds. */
	if (octets.len >= 4 && (unsigned char)at[3] > 0x48)
		return 0;
	if (octets.len < 6)
		return -1;
	*client = *at == 0x16 && at[5] == 1;
	return *at != 0x16 || inside || at[5] == 1 || at[5] == 2;
}

/* The answer for one way round. */
static enum smtp_guess
judge(const struct smtp_guess_facts *facts, bool a_is_client)
{
	bool        usual = smtp_port_is_usual(a_is_client ? facts->b_port : facts->a_port);
	struct side client = {.octets = a_is_client ? facts->a : facts->b, .from_start = facts->from_start};
	struct side server = {.octets = a_is_client ? facts->b : facts->a, .from_start = facts->from_start, .usual_port = usual};

	weigh_client(&client);
	weigh_server(&server);
	if (client.points + server.points >= ENOUGH || (usual && client.spoke))
		return SMTP_GUESS_YES;
	if (client.foreign || server.foreign)
		return SMTP_GUESS_NO;
	if (client.octets.len < SMTP_GUESS_ENOUGH && server.octets.len < SMTP_GUESS_ENOUGH)
		return SMTP_GUESS_UNKNOWN;
	/* Nothing in it is of anything else: in the middle of a message, say. */
	return usual && !is_binary(client.octets) && !is_binary(server.octets) ? SMTP_GUESS_YES : SMTP_GUESS_NO;
}

/* Whether one end speaks TLS and the other does, or has not said anything else yet. */
static enum smtp_guess
judge_tls(const struct smtp_guess_facts *facts, bool *a_is_client)
{
	bool inside = !facts->from_start && (smtp_port_is_usual(facts->a_port) || smtp_port_is_usual(facts->b_port));
	bool a_hello = false, b_hello = false;
	int  a = is_tls(facts->a, inside, &a_hello), b = is_tls(facts->b, inside, &b_hello);

	if (a == 0 || b == 0)
		return SMTP_GUESS_NO;
	if (a < 0 && b < 0)
		return facts->a.len + facts->b.len > 0 ? SMTP_GUESS_UNKNOWN : SMTP_GUESS_NO;
	if (facts->a_dialled != facts->b_dialled)
		*a_is_client = facts->a_dialled;
	else if (a_hello || b_hello)
		*a_is_client = a_hello;
	else if (facts->from_start)     /* the hello of a server */
		*a_is_client = b > 0;
	else
		*a_is_client = smtp_port_is_usual(facts->b_port);
	return SMTP_GUESS_TLS;
}

enum smtp_guess
smtp_recognise(const struct smtp_guess_facts *facts, bool *a_is_client)
{
	enum smtp_guess guess = judge_tls(facts, a_is_client), other;

	if (guess != SMTP_GUESS_NO)
		return guess;
	if (facts->a_dialled != facts->b_dialled) {
		*a_is_client = facts->a_dialled;
		return judge(facts, facts->a_dialled);
	}
	guess = judge(facts, true);
	other = judge(facts, false);
	*a_is_client = guess == SMTP_GUESS_YES;
	if (guess == SMTP_GUESS_YES && other == SMTP_GUESS_YES)
		*a_is_client = !smtp_port_is_usual(facts->a_port) || smtp_port_is_usual(facts->b_port);
	if (guess == SMTP_GUESS_YES || other == SMTP_GUESS_YES)
		return SMTP_GUESS_YES;
	return guess == SMTP_GUESS_NO && other == SMTP_GUESS_NO ? SMTP_GUESS_NO : SMTP_GUESS_UNKNOWN;
}
