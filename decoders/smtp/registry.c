/* SPDX-License-Identifier: MIT */
/*
 * The lists of registry.h as tables, and those of codes: what RFCs and IANA's "SMTP Enhanced
 * Status Codes" (of 2024-12-06) have, and what is met in the wild. Meanings are in our words,
 * those of the registries are often too short to act upon.
 */
#include "decoders/smtp/registry.h"

#define COUNT(table)   (sizeof(table) / sizeof(*(table)))

static const struct smtp_verb_entry verbs[] = {
#define X(id, verb, argument, ends_group, reference, meaning) \
	[SMTP_##id] = {{verb, sizeof(verb) - 1}, argument, ends_group, reference, meaning},
	SMTP_VERBS(X)
#undef X
};

static const struct smtp_keyword_entry keywords[] = {
#define X(id, keyword, brings, mail, rcpt, reference, meaning) \
	[SMTP_KEYWORD_##id] = {{keyword, sizeof(keyword) - 1}, {brings, sizeof(brings) - 1}, \
	    {mail, sizeof(mail) - 1}, {rcpt, sizeof(rcpt) - 1}, reference, meaning},
	SMTP_KEYWORDS(X)
#undef X
};

/* In the order of their numbers: looked up by bsearch. */
static const struct smtp_code_entry codes[] = {
	{211, "system status, or an answer to HELP about the server as a whole", "RFC 5321 4.2.3", "HELP"},
	{214, "help text for a human reader", "RFC 5321 4.2.3", "HELP"},
	{220, "the service is ready; after STARTTLS: go on, TLS begins behind this line",
	    "RFC 5321 4.2.3, RFC 3207 4", "CONNECT STARTTLS XCLIENT"},
	{221, "the server closes the connection, as was asked for by QUIT", "RFC 5321 4.2.3", "QUIT"},
	{235, "authentication succeeded", "RFC 4954 6", "AUTH"},
	{250, "what was asked for is done", "RFC 5321 4.2.3",
	    "HELO EHLO LHLO MAIL RCPT CONTENT BDAT RSET VRFY EXPN NOOP ETRN XFORWARD"},
	{251, "the user is not here, the server forwards to the path in the text; to ETRN: nothing is waiting",
	    "RFC 5321 3.4, RFC 1985", "RCPT VRFY ETRN"},
	{252, "the server does not say whether the user exists, it would take the message and try; to ETRN: "
	    "waiting messages are being sent", "RFC 5321 3.5.3, RFC 1985", "VRFY EXPN RCPT ETRN"},
	{253, "so many waiting messages are being sent", "RFC 1985", "ETRN"},
	{334, "the authentication goes on; the text is the server's challenge in base64", "RFC 4954 4", "AUTH"},
	{353, "the final reply comes as one reply for each recipient and one for all",
	    "draft-hall-prdr (Exim's PRDR)", "CONTENT"},
	{354, "send the message content and end it by a line that is a dot alone", "RFC 5321 4.2.3", "DATA"},
	{355, "send the rest of the content from this offset on", "RFC 1845", "DATA"},
	{400, "no code of a standard; by its first digit a failure that may pass", "none, seen in the wild", ""},
	{401, "no code of a standard; by its first digit a failure that may pass", "none, seen in the wild", ""},
	{402, "no code of a standard; by its first digit a failure that may pass", "none, seen in the wild", ""},
	{421, "the service is not available and the server closes the connection; may be the answer to any "
	    "command, and may come with none", "RFC 5321 3.8", "any command"},
	{422, "the account needs a new kind of password first; a form of 432", "RFC 5248 2.4", "AUTH"},
	{432, "the password must be sent once by PLAIN (in TLS), so that the server can set up the mechanism "
	    "that was asked for", "RFC 4954 6", "AUTH"},
	{435, "cannot authenticate at present", "none, seen in the wild (Exim)", "AUTH"},
	{450, "the mailbox is not available now: locked, busy, or held back by policy (greylisting)",
	    "RFC 5321 4.2.3", "RCPT MAIL VRFY CONTENT"},
	{451, "given up because of an error in the server's own processing", "RFC 5321 4.2.3",
	    "MAIL RCPT DATA BDAT CONTENT"},
	{452, "not enough storage, or too many recipients for one transaction", "RFC 5321 4.2.3, 4.5.3.1.10",
	    "MAIL RCPT DATA BDAT CONTENT"},
	{453, "there is no mail waiting for this domain", "RFC 2645", "ATRN"},
	{454, "authentication or TLS is not available for a reason that may pass", "RFC 4954 6, RFC 3207 4",
	    "AUTH STARTTLS"},
	{455, "the server cannot take the parameters of MAIL or RCPT at present", "RFC 5321 4.1.1.11", "MAIL RCPT"},
	{458, "messages for this node cannot be queued", "RFC 1985", "ETRN"},
	{459, "this node is not allowed to ask", "RFC 1985", "ETRN"},
	{472, "no code of a standard; looks like the enhanced code 4.7.2 without its dots",
	    "none, seen in the wild", ""},
	{500, "syntax error, the command is not recognised (or its line is too long)", "RFC 5321 4.2.2, 4.2.4",
	    "any command"},
	{501, "syntax error in the argument or a parameter", "RFC 5321 4.2.2", "any command"},
	{502, "the command is known but not implemented here", "RFC 5321 4.2.4", "any command"},
	{503, "bad sequence of commands: not at this place of the session", "RFC 5321 4.2.2, 4.1.4",
	    "any command"},
	{504, "the value of a parameter is not implemented; to AUTH: not this mechanism",
	    "RFC 5321 4.2.2, RFC 4954 4", "any command"},
	{511, "no code of a standard; looks like the enhanced code 5.1.1 (no such mailbox) without its dots",
	    "none, seen in the wild", "RCPT"},
	{521, "this host never accepts mail", "RFC 7504", "CONNECT EHLO HELO"},
	{522, "no code of a standard; looks like the enhanced code 5.2.2 (mailbox full) without its dots",
	    "none, seen in the wild", "RCPT CONTENT"},
	{523, "encryption is needed", "RFC 5248 2.4", "AUTH MAIL"},
	{524, "this mechanism is only for sessions in TLS", "RFC 5248 2.4", "AUTH"},
	{525, "the account is disabled", "RFC 5248 2.4", "AUTH"},
	{530, "first authenticate; with 5.7.0 and STARTTLS in the text: first begin TLS",
	    "RFC 4954 6, RFC 3207 4", "any command but NOOP, EHLO, STARTTLS, QUIT"},
	{534, "the mechanism is weaker than the server's policy permits for this user", "RFC 4954 6", "AUTH"},
	{535, "authentication failed: the credentials are wrong", "RFC 4954 6", "AUTH"},
	{538, "this mechanism is only for sessions in TLS", "RFC 4954 6, RFC 2554", "AUTH"},
	{541, "no code of a standard; used by spam filters that refuse a message", "none, seen in the wild",
	    "CONTENT RCPT"},
	{543, "no code of a standard; looks like the enhanced code 5.4.3 without its dots",
	    "none, seen in the wild", ""},
	{550, "not done: no such mailbox, no access, or refused by policy", "RFC 5321 4.2.3",
	    "RCPT MAIL VRFY EXPN CONTENT EHLO"},
	{551, "the user is not here; the text may say where to send to", "RFC 5321 3.4", "RCPT VRFY"},
	{552, "more storage than is granted: the mailbox is full or the message too large",
	    "RFC 5321 4.2.3, RFC 1870 6", "MAIL RCPT CONTENT BDAT"},
	{553, "the mailbox name is not allowed, often for its syntax", "RFC 5321 4.2.3", "MAIL RCPT VRFY"},
	{554, "transaction failed; as a greeting: no SMTP service here", "RFC 5321 4.2.3, 3.1",
	    "DATA BDAT CONTENT CONNECT"},
	{555, "a parameter of MAIL or RCPT is not recognised or not implemented", "RFC 5321 4.1.1.11", "MAIL RCPT"},
	{556, "the domain of the recipient does not accept mail", "RFC 7504", "RCPT"},
	{571, "no code of a standard; looks like the enhanced code 5.7.1 (not authorised) without its dots",
	    "none, seen in the wild", "RCPT CONTENT"},
};

/* In the order of their numbers: looked up by bsearch. */
static const struct smtp_enhanced_entry enhanced_codes[] = {
	{0, 0, "nothing more is known than the class says", "RFC 3463 3.1"},
	{1, 0, "something about the address", "RFC 3463 3.2"},
	{1, 1, "no such mailbox: the part before the @ is not known here", "RFC 3463 3.2"},
	{1, 2, "no such system: the domain does not exist or takes no mail", "RFC 3463 3.2"},
	{1, 3, "the recipient's address has a syntax error", "RFC 3463 3.2"},
	{1, 4, "the recipient's address matches more than one mailbox", "RFC 3463 3.2"},
	{1, 5, "the recipient's address is valid", "RFC 3463 3.2"},
	{1, 6, "the mailbox has moved and left no address behind", "RFC 3463 3.2"},
	{1, 7, "the sender's address has a syntax error", "RFC 3463 3.2"},
	{1, 8, "the sender's domain does not exist or cannot take mail back", "RFC 3463 3.2"},
	{1, 9, "the message was relayed to a system that does not speak the protocol that was asked for",
	    "RFC 3886"},
	{1, 10, "the recipient's domain says by a null MX that it takes no mail", "RFC 7505"},
	{2, 0, "something about the recipient's mailbox", "RFC 3463 3.3"},
	{2, 1, "the mailbox exists but takes no messages", "RFC 3463 3.3"},
	{2, 2, "the mailbox is full", "RFC 3463 3.3"},
	{2, 3, "the message is longer than the mailbox's owner or administrator allows", "RFC 3463 3.3"},
	{2, 4, "the mailing list could not be expanded", "RFC 3463 3.3"},
	{3, 0, "something about the receiving mail system", "RFC 3463 3.4"},
	{3, 1, "the mail system's storage is full", "RFC 3463 3.4"},
	{3, 2, "the mail system takes no messages now: going down, overloaded, or under maintenance",
	    "RFC 3463 3.4"},
	{3, 3, "the mail system cannot do what was selected for the message", "RFC 3463 3.4"},
	{3, 4, "the message is too big for the mail system", "RFC 3463 3.4"},
	{3, 5, "the mail system is configured wrongly", "RFC 3463 3.4"},
	{3, 6, "the message was taken with another priority than was asked for", "RFC 6710"},
	{4, 0, "something about the network or the routing", "RFC 3463 3.5"},
	{4, 1, "the host did not answer: no connection came about", "RFC 3463 3.5"},
	{4, 2, "the connection came about and then failed", "RFC 3463 3.5"},
	{4, 3, "a directory (DNS, LDAP) that was needed did not answer", "RFC 3463 3.5"},
	{4, 4, "no route: the next host could not be found out", "RFC 3463 3.5"},
	{4, 5, "the mail system has too much to do", "RFC 3463 3.5"},
	{4, 6, "the message goes round in a loop", "RFC 3463 3.5"},
	{4, 7, "the message could not be delivered in time", "RFC 3463 3.5"},
	{5, 0, "something about the protocol", "RFC 3463 3.6"},
	{5, 1, "the command is unknown, or not allowed at this place", "RFC 3463 3.6"},
	{5, 2, "the command has a syntax error", "RFC 3463 3.6"},
	{5, 3, "more recipients than can be taken in one transaction", "RFC 3463 3.6"},
	{5, 4, "the command's arguments are wrong or not supported", "RFC 3463 3.6"},
	{5, 5, "the two sides have protocol versions that do not fit", "RFC 3463 3.6"},
	{5, 6, "a line of the authentication exchange is too long", "RFC 4954 6"},
	{6, 0, "something about the content or its media type", "RFC 3463 3.7"},
	{6, 1, "the content's media type is not supported", "RFC 3463 3.7"},
	{6, 2, "the content would have to be converted, and that is forbidden", "RFC 3463 3.7"},
	{6, 3, "the content would have to be converted, and that cannot be done", "RFC 3463 3.7"},
	{6, 4, "the content was converted and lost something by it", "RFC 3463 3.7"},
	{6, 5, "the content could not be converted", "RFC 3463 3.7"},
	{6, 6, "the content that BURL names could not be fetched", "RFC 4468"},
	{6, 7, "an address is not ASCII, and that is not permitted for this sender or recipient",
	    "RFC 6531 3.5"},
	{6, 8, "the reply would need UTF-8, which the client did not permit", "RFC 6531 3.5"},
	{6, 9, "the header is UTF-8 and a recipient cannot be given it", "RFC 6531 3.5"},
	{6, 10, "the same as X.6.8, registered twice; not to be used", "RFC 6531 3.5"},
	{7, 0, "something about security", "RFC 3463 3.8"},
	{7, 1, "refused by policy: the sender may not send to this recipient", "RFC 3463 3.8"},
	{7, 2, "the sender may not send to this mailing list", "RFC 3463 3.8"},
	{7, 3, "one kind of security would have to be converted to another, and that cannot be done",
	    "RFC 3463 3.8"},
	{7, 4, "a security feature that the message asks for is not supported", "RFC 3463 3.8"},
	{7, 5, "a signature could not be verified or an encryption not undone", "RFC 3463 3.8"},
	{7, 6, "a cryptographic algorithm is not supported", "RFC 3463 3.8"},
	{7, 7, "the message was changed on its way", "RFC 3463 3.8"},
	{7, 8, "the credentials are wrong", "RFC 4954 6"},
	{7, 9, "the authentication mechanism is too weak for this user", "RFC 4954 6"},
	{7, 10, "encryption is needed before this mechanism may be used", "RFC 5248 2.4"},
	{7, 11, "this authentication mechanism is only for sessions in TLS", "RFC 4954 6"},
	{7, 12, "the password must be set up anew before this mechanism can be used", "RFC 4954 6"},
	{7, 13, "the account is disabled", "RFC 5248 2.4"},
	{7, 14, "a third server must be trusted first (BURL, submission)", "RFC 5248 2.4"},
	{7, 15, "the message's priority is too low to be taken now", "RFC 6710"},
	{7, 16, "the message is too big for its priority", "RFC 6710"},
	{7, 17, "the mailbox has another owner than at the time that RRVS names", "RFC 7293"},
	{7, 18, "the domain has another owner than at the time that RRVS names", "RFC 7293"},
	{7, 19, "whether the owner is the same (RRVS) could not be found out", "RFC 7293"},
	{7, 20, "no DKIM signature of the message passed", "RFC 7372 3.1"},
	{7, 21, "a DKIM signature passed, but none that is acceptable here", "RFC 7372 3.1"},
	{7, 22, "a DKIM signature passed, but none of the author's domain", "RFC 7372 3.1"},
	{7, 23, "SPF says that this client may not send for the domain (fail)", "RFC 7372 3.2"},
	{7, 24, "SPF could not be evaluated (temperror, permerror)", "RFC 7372 3.2"},
	{7, 25, "the client's address has no name in DNS that leads back to it", "RFC 7372 3.3"},
	{7, 26, "several authentication checks (DKIM, SPF ...) failed together", "RFC 7372 3.4"},
	{7, 27, "the sender's domain says by a null MX that it takes no mail, so no bounce could reach it",
	    "RFC 7505"},
	{7, 28, "the message looks like one of a flood of abusive ones; large receivers also say so to those "
	    "who send too fast", "IANA SMTP Enhanced Status Codes"},
	{7, 29, "the message's ARC chain does not verify", "RFC 8617"},
	{7, 30, "the message must travel by TLS all the way (REQUIRETLS), and the next host cannot do that",
	    "RFC 8689"},
};

static inline char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* The first four octets as a number, letters in upper case: what else changes is no longer equal to a letter. */
static inline uint32_t
first_four(const char *at)
{
	uint32_t four;

	memcpy(&four, at, sizeof(four));
	return four & UINT32_C(0xdfdfdfdf);
}

/* Every command line comes through here. No verb is shorter than four letters, and few are longer. */
enum smtp_verb
smtp_verb_find(struct view name)
{
	uint32_t four;

	if (name.len < 4)
		return SMTP_VERB_UNKNOWN;
	four = first_four(name.at);
	for (unsigned v = SMTP_VERB_UNKNOWN + 1; v < SMTP_VERB_COUNT; v++) {
		const struct view *known = &verbs[v].name;

		if (known->len == name.len && first_four(known->at) == four &&
		    (name.len == 4 || view_equal_nocase(*known, name)))
			return (enum smtp_verb)v;
	}
	return SMTP_VERB_UNKNOWN;
}

const struct smtp_verb_entry *
smtp_verb_entry(enum smtp_verb verb)
{
	return verb > SMTP_VERB_UNKNOWN && verb < SMTP_VERB_COUNT ? &verbs[verb] : NULL;
}

enum smtp_keyword
smtp_keyword_find(struct view name)
{
	char first;

	if (name.len == 0)
		return SMTP_KEYWORD_UNKNOWN;
	first = upper(*name.at);
	for (unsigned k = SMTP_KEYWORD_UNKNOWN + 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct view *known = &keywords[k].name;

		if (known->len == name.len && *known->at == first && view_equal_nocase(*known, name))
			return (enum smtp_keyword)k;
	}
	return SMTP_KEYWORD_UNKNOWN;
}

const struct smtp_keyword_entry *
smtp_keyword_entry(enum smtp_keyword keyword)
{
	return keyword > SMTP_KEYWORD_UNKNOWN && keyword < SMTP_KEYWORD_COUNT ? &keywords[keyword] : NULL;
}

const struct smtp_code_entry *
smtp_code_find(uint16_t code)
{
	size_t low = 0, high = COUNT(codes);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (codes[middle].code == code)
			return &codes[middle];
		if (codes[middle].code < code)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct smtp_enhanced_entry *
smtp_enhanced_find(uint16_t subject, uint16_t detail)
{
	uint32_t wanted = (uint32_t)subject << 16 | detail;
	size_t   low = 0, high = COUNT(enhanced_codes);

	while (low < high) {
		size_t                            middle = low + (high - low) / 2;
		const struct smtp_enhanced_entry *entry = &enhanced_codes[middle];
		uint32_t                          at = (uint32_t)entry->subject << 16 | entry->detail;

		if (at == wanted)
			return entry;
		if (at < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct smtp_code_entry *
smtp_code_nth(size_t n)
{
	return n < COUNT(codes) ? &codes[n] : NULL;
}

const struct smtp_enhanced_entry *
smtp_enhanced_nth(size_t n)
{
	return n < COUNT(enhanced_codes) ? &enhanced_codes[n] : NULL;
}

bool
smtp_words_have(struct view words, struct view word)
{
	while (words.len > 0) {
		const char *space = memchr(words.at, ' ', words.len);
		size_t      n = space == NULL ? words.len : (size_t)(space - words.at);

		if (n > 0 && view_equal_nocase(view_first(words, n), word))
			return true;
		words = view_from(words, n + 1);
	}
	return false;
}
