/* SPDX-License-Identifier: MIT */
/*
 * Reply codes and enhanced status codes: those that have a row in the registry, and all others
 * by their digits, which is how a client has to read them (RFC 5321 4.2.1, 4.3.2).
 */
#include "decoders/smtp/registry.h"
#include "decoders/smtp/reply.h"
#include "proxy/explain.h"

#define COUNT(table)   (sizeof(table) / sizeof(*(table)))

/* By the first digit (RFC 5321 4.2.1); the first row is for all that have none. */
static const struct {
	const char *class, *next;
} by_first[] = {
    {"no class of SMTP, whose codes begin with 2, 3, 4 or 5",
        "does not know how to read it; most take it for a failure"},
    {"1yz, positive preliminary: RFC 821 kept room for it, SMTP has none",
        "does not expect it, and may wait for the reply that it would announce"},
    {"2yz, positive completion: done", "goes on with its next command"},
    {"3yz, positive intermediate: so far so good, and more is needed", "sends what was asked for"},
    {"4yz, transient negative: not done, and may work another time",
        "keeps the message in its queue and tries again later, after 30 minutes or more, for some days "
        "(RFC 5321 4.5.4.1)"},
    {"5yz, permanent negative: not done, and will not work in the same way again",
        "does not repeat it; a message is returned to its reverse-path (RFC 5321 4.2.1)"},
};

/* By the second digit (RFC 5321 4.2.1). */
static const char *const by_second[] = {
    [0] = "x0z, syntax: of the command, its arguments, or commands that are not there",
    [1] = "x1z, information: status or help",
    [2] = "x2z, connections: about the transmission channel",
    [3] = "x3z, left open by RFC 5321; authentication uses it (RFC 4954)",
    [4] = "x4z, left open by RFC 5321",
    [5] = "x5z, mail system: the receiver's side of the transfer or of the mailbox",
};

/* Where a code makes the client do something else than its class says. */
static const struct {
	uint16_t    code;
	const char *next;
} by_code[] = {
    {220, "says EHLO; after STARTTLS it begins TLS at once, and then says EHLO again"},
    {221, "closes the connection"},
    {235, "begins its mail; where the mechanism brought a security layer it says EHLO again (RFC 4954 4)"},
    {251, "takes the recipient for accepted; it may tell the user the new address"},
    {252, "takes it for neither yes nor no, and sends the message to find out"},
    {334, "answers with a line in base64, or cancels with a line that is \"*\" (the server then says 501)"},
    {354, "sends the message content, with each dot at the start of a line doubled, and a line that is one dot"},
    {421, "takes the connection for closed, keeps its messages and tries again later; what was not answered "
          "with 2yz was not taken. Some try the domain's next MX host at once"},
    {432, "sends the password once by PLAIN in TLS, or asks its user"},
    {450, "tries again later; greylisting takes the second try, some minutes after the first"},
    {452, "to RCPT: sends the message to the recipients that were accepted and comes back for the others "
          "(RFC 5321 4.5.3.1.10); else tries again later"},
    {454, "to STARTTLS: goes on without TLS, or tries later where its policy wants TLS; to AUTH: tries later"},
    {455, "may leave the parameter out, if the message can do without, or tries again later"},
    {500, "to EHLO: says HELO instead (RFC 5321 3.2); to another verb: does without it; to AUTH with 5.5.6: "
          "the line was too long"},
    {501, "does not repeat the command as it was; after \"*\" in AUTH it is the wanted answer"},
    {502, "does without the command; to EHLO: says HELO instead"},
    {503, "has lost its place in the session: RSET, or a new session; often the real fault is an earlier "
          "command that was refused"},
    {504, "to AUTH: tries another mechanism of those that EHLO offered"},
    {521, "closes; a message to this host is returned, or goes to the next MX host"},
    {530, "begins TLS or authenticates, as the text says, and repeats the command"},
    {534, "tries a stronger mechanism, or asks its user"},
    {535, "asks its user for the credentials; the same ones will not do better"},
    {538, "begins TLS, says EHLO and authenticates again"},
    {551, "returns the message, or tells its user the new address; it need not follow it by itself"},
    {552, "returns the message; to RCPT, where it means too many recipients, it is read as 452 "
          "(RFC 5321 4.5.3.1.10)"},
    {554, "returns the message; as a greeting: says QUIT, and tries the next MX host or returns the message"},
    {555, "sends the command again without the parameter, if the message can do without; else returns it"},
};

/* RFC 3463 2. */
static const char *const subjects[] = {
    "other: no subject is known", "addressing: the sender's or the recipient's address",
    "mailbox: the recipient's mailbox and what it can take", "mail system: the receiving system as a whole",
    "network and routing: on the way to the system", "mail delivery protocol: the dialogue itself",
    "message content or media: what the message is made of", "security or policy: what is allowed"};

/* What a code answers: words of the registry, the two of our own explained. */
static void
print_answers(FILE *out, const char *answers)
{
	char   text[320] = "";
	size_t n = 0;

	if (strncmp(answers, "any command", 11) == 0) {
		explain_field(out, "answers", answers);
		return;
	}
	for (const char *word = answers; *word != '\0' && n < sizeof text;) {
		struct view v = {word, strcspn(word, " ")};
		const char *more = view_equal(v, VIEW("CONNECT"))   ? " (the greeting)"
		                   : view_equal(v, VIEW("CONTENT")) ? " (the end of the message)"
		                                                    : "";

		n += (size_t)snprintf(
		    text + n, sizeof text - n, "%s%.*s%s", n == 0 ? "" : ", ", (int)v.len, v.at, more);
		word += v.len + strspn(word + v.len, " ");
	}
	if (n > 0)
		explain_field(out, "answers", text);
}

bool
explain_reply_code(struct view word, bool again, FILE *out)
{
	const struct smtp_code_entry *entry;
	const char                   *next;
	uint16_t                      code = 0;
	size_t                        first, second;

	if (word.len != 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		code = (uint16_t)(code * 10 + word.at[i] - '0');
	}
	entry = smtp_code_find(code);
	first = code / 100 < COUNT(by_first) ? code / 100 : 0;
	second = code / 10 % 10;
	next = by_first[first].next;
	for (size_t i = 0; i < COUNT(by_code); i++)
		if (by_code[i].code == code)
			next = by_code[i].next;

	explain_heading(out, again, word, "reply code, said by the server");
	explain_field(out, "", entry != NULL ? entry->meaning
	                                     : "a code that no standard has; a client goes by its digits");
	explain_field(out, "first digit", by_first[first].class);
	if (first > 1)
		explain_field(out, "second digit", second < COUNT(by_second) ? by_second[second] : "not defined");
	if (entry != NULL)
		print_answers(out, entry->answers);
	explain_field(out, "the client", next);
	explain_field(out, "defined in", entry != NULL ? entry->reference : "none; by its digits RFC 5321 4.2.1");
	return true;
}

/* One of the three numbers of an enhanced status code, and the dot behind it. */
static bool
take_number(struct view *rest, uint16_t *number)
{
	size_t n = 0;

	*number = 0;
	while (n < rest->len && n < 4 && rest->at[n] >= '0' && rest->at[n] <= '9')
		*number = (uint16_t)(*number * 10 + rest->at[n++] - '0');
	*rest = view_from(*rest, n);
	return n > 0 && n < 4;
}

static bool
take_dot(struct view *rest)
{
	if (rest->len == 0 || *rest->at != '.')
		return false;
	*rest = view_from(*rest, 1);
	return true;
}

static void
print_enhanced_class(FILE *out, char class)
{
	static const char *const outside = "none of 2 (success), 4 (may work later) and 5 (will not): "
	                                   "what has another is no enhanced status code";

	explain_field(out, "class",
	    class == '2'   ? "2, success"
	    : class == '4' ? "4, persistent transient failure: the message is valid, and may pass later; a client "
	                     "keeps it and tries again"
	    : class == '5' ? "5, permanent failure: not without a change to the message or to its recipient; a "
	                     "client returns it"
	    : class == 'X' || class == 'x' ? "left open: 2 success, 4 may work later, 5 will not"
	                                   : outside);
}

/* What else there is of a subject, for who has met a detail that is in no registry. */
static void
print_registered(FILE *out, uint16_t subject)
{
	const struct smtp_enhanced_entry *entry;
	char                              text[512];
	size_t                            len = 0;

	for (size_t n = 0; (entry = smtp_enhanced_nth(n)) != NULL; n++)
		if (entry->subject == subject && len + 16 < sizeof text)
			len += (size_t)snprintf(text + len, sizeof text - len, "%sX.%u.%u", len > 0 ? ", " : "", subject,
			    entry->detail);
	if (len > 0)
		explain_field(out, "registered", text);
}

bool
explain_enhanced_code(struct view word, bool again, FILE *out)
{
	const struct smtp_enhanced_entry *entry;
	struct view                       rest = word;
	uint16_t                          class, subject, detail;
	char                              text[128], digit;

	if (word.len == 0)
		return false;
	digit = *word.at;
	if (digit == 'X' || digit == 'x')
		rest = view_from(rest, 1);
	else if (!take_number(&rest, &class) || class > 9)
		return false;
	if (!take_dot(&rest) || !take_number(&rest, &subject) || !take_dot(&rest) ||
	    !take_number(&rest, &detail) || rest.len > 0)
		return false;
	entry = smtp_enhanced_find(subject, detail);

	explain_heading(out, again, word, "enhanced status code, said by the server behind the reply code");
	if (entry != NULL)
		explain_field(out, "", entry->meaning);
	else
		explain_field(out, "", subject < COUNT(subjects)
		    ? "a detail that is not registered: it can be read by class and subject alone"
		    : "a subject that is not registered: it can be read by its class alone");
	print_enhanced_class(out, digit);
	if (subject < COUNT(subjects)) {
		snprintf(text, sizeof text, "%u, %s", subject, subjects[subject]);
		explain_field(out, "subject", text);
	}
	if (entry == NULL)
		print_registered(out, subject);
	if (digit == '2' || digit == '4' || digit == '5') {
		snprintf(text, sizeof text,
		    "has to be of the same class, %cyz (RFC 2034 4); where it is not, clients go by the reply code",
		    digit);
		explain_field(out, "reply code", text);
	}
	explain_field(out, "defined in", entry != NULL ? entry->reference : "none; class and subject RFC 3463 2");
	return true;
}
