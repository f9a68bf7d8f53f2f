/* SPDX-License-Identifier: MIT */
/*
 * `smtpscope explain WORD...`: what a mail engineer wants to know of a word that stands in a
 * transcript, without leaving the terminal. Codes are in explain_code.c.
 */
#include "proxy/explain.h"

#include "decoders/findings.h"
#include "decoders/smtp/registry.h"
#include "proxy/near.h"
#include "proxy/options.h"

#define WIDTH   79      /* of a line */
#define INDENT  4
#define COLUMN  18      /* where a labelled text begins */

void
explain_heading(FILE *out, bool again, struct view word, const char *kind)
{
	fprintf(out, "%s%.*s: %s\n", again ? "\n" : "", (int)word.len, word.at, kind);
}

void
explain_field(FILE *out, const char *label, const char *text)
{
	int  start = *label == '\0' ? INDENT : COLUMN, column = start;
	bool first = true;

	fprintf(out, "%*s%-*s", INDENT, "", start - INDENT, label);
	while (*text != '\0') {
		int len = (int)strcspn(text, " ");

		if (!first && column + 1 + len > WIDTH) {
			fprintf(out, "\n%*s", start, "");
			column = start;
		} else if (!first) {
			fputc(' ', out);
			column++;
		}
		if (first && *label == '\0' && *text >= 'a' && *text <= 'z')
			fprintf(out, "%c%.*s", *text - 'a' + 'A', len - 1, text + 1);
		else
			fprintf(out, "%.*s", len, text);
		column += len;
		first = false;
		text += len + (int)strspn(text + len, " ");
	}
	fputc('\n', out);
}

/* What is written behind the verb, and how long the client waits (RFC 5321 4.5.3.2). */
static const struct {
	const char *syntax, *timeout;
} verb_words[SMTP_VERB_COUNT] = {
    [SMTP_HELO] = {"HELO client.example.org", NULL},
    [SMTP_EHLO] = {"EHLO client.example.org", NULL},
    [SMTP_LHLO] = {"LHLO client.example.org", NULL},
    [SMTP_MAIL] = {"MAIL FROM:<ann@example.org> [PARAMETER[=VALUE]]...; <> for a bounce",
        "5 minutes (RFC 5321 4.5.3.2)"},
    [SMTP_RCPT] = {"RCPT TO:<bob@example.net> [PARAMETER[=VALUE]]...", "5 minutes (RFC 5321 4.5.3.2)"},
    [SMTP_DATA] = {"DATA", "2 minutes for the 354, 3 for each block that it sends, 10 for the reply to the dot "
                         "(RFC 5321 4.5.3.2)"},
    [SMTP_BDAT] = {"BDAT OCTETS [LAST], and behind the CRLF so many octets", NULL},
    [SMTP_RSET] = {"RSET", NULL},
    [SMTP_VRFY] = {"VRFY bob", NULL},
    [SMTP_EXPN] = {"EXPN list", NULL},
    [SMTP_HELP] = {"HELP [VERB]", NULL},
    [SMTP_NOOP] = {"NOOP", NULL},
    [SMTP_QUIT] = {"QUIT", NULL},
    [SMTP_AUTH] = {"AUTH MECHANISM [INITIAL-RESPONSE]; the rest follows line by line, each in base64, each "
                   "asked for by a 334", NULL},
    [SMTP_STARTTLS] = {"STARTTLS", NULL},
    [SMTP_ETRN] = {"ETRN example.org", NULL},
    [SMTP_TURN] = {"TURN", NULL},
    [SMTP_XCLIENT] = {"XCLIENT ATTRIBUTE=VALUE...; after its 220 the session begins anew", NULL},
    [SMTP_XFORWARD] = {"XFORWARD ATTRIBUTE=VALUE...", NULL},
};

/* A list of words as a text, put together as far as there is room. */
struct list {
	char   text[640];
	size_t len;
};

static void
list_add(struct list *list, struct view item)
{
	int n = snprintf(list->text + list->len, sizeof list->text - list->len, "%s%.*s",
	    list->len == 0 ? "" : ", ", (int)item.len, item.at);

	if (n > 0 && (size_t)n < sizeof list->text - list->len)
		list->len += (size_t)n;
	else
		list->text[list->len] = '\0';
}

/* The words of a list that has a space between. */
static void
list_add_words(struct list *list, struct view words)
{
	while (words.len > 0) {
		const char *space = memchr(words.at, ' ', words.len);
		size_t      n = space == NULL ? words.len : (size_t)(space - words.at);

		list_add(list, view_first(words, n));
		words = view_from(words, n + 1);
	}
}

static void
list_print(FILE *out, const char *label, const struct list *list)
{
	if (list->len > 0)
		explain_field(out, label, list->text);
}

/* The replies that name the word among what they answer. */
static void
print_replies(FILE *out, const char *label, struct view word)
{
	const struct smtp_code_entry *entry;
	struct list                   codes = {.len = 0};
	char                          code[8];

	for (size_t n = 0; (entry = smtp_code_nth(n)) != NULL; n++) {
		if (strncmp(entry->reference, "none", 4) == 0 || !smtp_words_have(view_of(entry->answers), word))
			continue;
		snprintf(code, sizeof code, "%u", entry->code);
		list_add(&codes, view_of(code));
	}
	list_add(&codes, VIEW("and as to everything 421, 500-504"));
	list_print(out, label, &codes);
}

/* The parameters that keywords bring to MAIL or RCPT. */
static void
print_parameters(FILE *out, bool mail)
{
	struct list list = {.len = 0};

	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct smtp_keyword_entry *entry = smtp_keyword_entry((enum smtp_keyword)k);

		/* BINARYMIME adds a value to 8BITMIME's BODY, no parameter. */
		if (k != SMTP_KEYWORD_BINARYMIME)
			list_add_words(&list, mail ? entry->mail_params : entry->rcpt_params);
	}
	list_print(out, "parameters", &list);
}

static bool
explain_verb(struct view word, bool again, FILE *out)
{
	enum smtp_verb                verb = smtp_verb_find(word);
	const struct smtp_verb_entry *entry = smtp_verb_entry(verb);
	struct list                   keywords = {.len = 0};

	if (entry == NULL)
		return false;
	explain_heading(out, again, entry->name, "verb, sent by the client");
	explain_field(out, "", entry->meaning);
	explain_field(out, "written", verb_words[verb].syntax);
	if (verb == SMTP_MAIL || verb == SMTP_RCPT)
		print_parameters(out, verb == SMTP_MAIL);
	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++)
		if (smtp_words_have(smtp_keyword_entry((enum smtp_keyword)k)->verbs, entry->name))
			list_add(&keywords, smtp_keyword_entry((enum smtp_keyword)k)->name);
	list_print(out, "EHLO keyword", &keywords);
	explain_field(out, "PIPELINING", entry->ends_group
	    ? "only as the last of a group: the client waits for its reply"
	    : "may stand anywhere in a group");
	print_replies(out, "replies", entry->name);
	if (verb == SMTP_DATA || verb == SMTP_BDAT)
		print_replies(out, "to its end", VIEW("CONTENT"));
	if (verb_words[verb].timeout != NULL)
		explain_field(out, "client waits", verb_words[verb].timeout);
	explain_field(out, "defined in", entry->reference);
	return true;
}

static bool
explain_keyword(struct view word, bool again, FILE *out)
{
	const struct smtp_keyword_entry *entry = smtp_keyword_entry(smtp_keyword_find(word));

	if (entry == NULL)
		return false;
	explain_heading(out, again, entry->name, "EHLO keyword, offered by the server");
	explain_field(out, "", entry->meaning);
	if (entry->verbs.len > 0)
		explain_field(out, "verbs", entry->verbs.at);
	if (entry->mail_params.len > 0)
		explain_field(out, "MAIL takes", entry->mail_params.at);
	if (entry->rcpt_params.len > 0)
		explain_field(out, "RCPT takes", entry->rcpt_params.at);
	explain_field(out, "the client", "uses it only in a session whose last EHLO offered it; it is forgotten "
	                                 "when TLS begins (RFC 3207 4.2)");
	explain_field(out, "defined in", entry->reference);
	return true;
}

/* A parameter of MAIL or RCPT, by the keyword that brings it. */
static bool
explain_parameter(struct view word, bool again, FILE *out)
{
	bool known = false;

	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct smtp_keyword_entry *entry = smtp_keyword_entry((enum smtp_keyword)k);
		bool                             mail = smtp_words_have(entry->mail_params, word);
		char                             text[160], name[32];

		/* Of the same name as its keyword, it has been explained. */
		if ((!mail && !smtp_words_have(entry->rcpt_params, word)) || view_equal_nocase(entry->name, word))
			continue;
		for (size_t i = 0; i < word.len && i < sizeof name; i++)
			name[i] = word.at[i] >= 'a' && word.at[i] <= 'z' ? (char)(word.at[i] - 'a' + 'A') : word.at[i];
		explain_heading(out, again || known, view_first((struct view){name, sizeof name}, word.len),
		    mail ? "parameter of MAIL, sent by the client" : "parameter of RCPT, sent by the client");
		snprintf(text, sizeof text, "%s: %s", entry->name.at, entry->meaning);
		explain_field(out, "EHLO keyword", text);
		explain_field(out, "defined in", entry->reference);
		known = true;
	}
	return known;
}

static void
print_finding(FILE *out, bool again, const struct finding_entry *entry)
{
	static const char *const sides[] = {[FINDING_CLIENT] = "the client's", [FINDING_SERVER] = "the server's",
	    [FINDING_NETWORK] = "the network's", [FINDING_EITHER] = "the client's or the server's, as the event says"};

	explain_heading(out, again, view_of(entry->id), "finding");
	explain_field(out, "", entry->line);
	explain_field(out, "why", entry->paragraph);
	explain_field(out, "severity", finding_severity_name(entry->severity));
	explain_field(out, "conduct", sides[entry->side]);
	if (entry->security)
		explain_field(out, "security", "yes: it may be an attack, or make one possible");
	explain_field(out, "reference", entry->reference);
}

/* A finding, or all of a group: "line" and "line." are every one that begins so. */
static bool
explain_finding(struct view word, bool again, FILE *out)
{
	int  finding = finding_find(word);
	bool known = false;

	if (finding >= 0) {
		print_finding(out, again, finding_entry((enum finding)finding));
		return true;
	}
	if (word.len > 0 && word.at[word.len - 1] == '.')
		word.len--;
	for (int f = 0; f < FINDING_COUNT; f++) {
		const struct finding_entry *entry = finding_entry((enum finding)f);

		if (view_starts_nocase(view_of(entry->id), word) && entry->id[word.len] == '.') {
			if (!known)
				explain_heading(out, again, word, "findings of this group");
			fprintf(out, "    %-20s %s\n", entry->id, entry->line);
			known = true;
		}
	}
	return known;
}

void
explain_unknown(struct view word, FILE *out)
{
	const char *names[SMTP_VERB_COUNT + SMTP_KEYWORD_COUNT + FINDING_COUNT], *near;
	size_t      count = 0;
	bool        number = word.len > 0;

	for (int v = 1; v < SMTP_VERB_COUNT; v++)
		names[count++] = smtp_verb_entry((enum smtp_verb)v)->name.at;
	for (int k = 1; k < SMTP_KEYWORD_COUNT; k++)
		names[count++] = smtp_keyword_entry((enum smtp_keyword)k)->name.at;
	for (int f = 0; f < FINDING_COUNT; f++)
		names[count++] = finding_entry((enum finding)f)->id;
	for (size_t i = 0; i < word.len; i++)
		number = number && ((word.at[i] >= '0' && word.at[i] <= '9') || word.at[i] == '.');
	near = near_word(word, names, count);
	fprintf(out, "smtpscope: explain: \"%.*s\" ", (int)word.len, word.at);
	if (number)
		fprintf(out, "is no code: a reply code has three digits (421), an enhanced status code three "
		             "numbers (4.7.1)\n");
	else if (near != NULL)
		fprintf(out, "is not known (did you mean %s?)\n", near);
	else
		fprintf(out, "is not known; ask for a verb (RCPT), a reply code (421), an enhanced status code "
		             "(4.7.1), an EHLO keyword (PIPELINING) or a finding (line.bare-lf; --list-findings "
		             "has all)\n");
}

bool
explain_word(struct view word, bool again, FILE *out)
{
	static bool (*const kinds[])(struct view, bool, FILE *) = {explain_reply_code, explain_enhanced_code,
	    explain_verb, explain_keyword, explain_parameter, explain_finding};
	const char *equals = word.len == 0 ? NULL : memchr(word.at, '=', word.len);
	bool        known = false;

	/* "SIZE=1000" is a parameter as it stands in a transcript. */
	if (equals != NULL)
		word.len = (size_t)(equals - word.at);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		known = kinds[i](word, again || known, out) || known;
	return known;
}

int
explain_command(const struct options *options)
{
	int  code = EXIT_DONE;
	bool explained = false;

	if (options->operands.count == 0) {
		fprintf(stderr, "smtpscope: explain: what? A verb (RCPT), a reply code (421), an enhanced status "
		                "code (4.7.1), an EHLO keyword (PIPELINING) or a finding (line.bare-lf)\n");
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < options->operands.count; i++) {
		struct view word = view_of(options->operands.at[i]);

		if (explain_word(word, explained, stdout)) {
			explained = true;
		} else {
			fflush(stdout);
			explain_unknown(word, stderr);
			code = EXIT_FAILED;
		}
	}
	return code;
}
