/* SPDX-License-Identifier: MIT */
/* MAIL, RCPT, DATA and BDAT, with the parameters of the extensions that EHLO offers. */
#include <stdlib.h>

#include "proxy/sink/sink_state.h"

static const struct sink_answer no_recipients = {503, "5.5.1 There is no recipient yet: RCPT TO:<address> first"};
static const struct sink_answer no_transaction = {503, "5.5.1 There is no mail transaction: MAIL FROM:<address> first"};

static bool
is_one_of(struct view value, const char *words)
{
	return value.at != NULL && smtp_words_have(view_of(words), value);
}

static bool
parse_number(struct view value, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < value.len; i++) {
		unsigned digit = (unsigned char)value.at[i] - (unsigned)'0';

		if (digit > 9 || *number > (UINT64_MAX - digit) / 10)
			return false;
		*number = *number * 10 + digit;
	}
	return value.len > 0;
}

/* NEVER, or a list of the other three with commas between (RFC 3461 4.1). */
static bool
is_notify(struct view value)
{
	if (value.at == NULL || view_equal_nocase(value, VIEW("NEVER")))
		return value.at != NULL;
	for (;;) {
		const char *comma = memchr(value.at, ',', value.len);
		size_t      n = comma == NULL ? value.len : (size_t)(comma - value.at);

		if (!is_one_of(view_first(value, n), "SUCCESS FAILURE DELAY"))
			return false;
		if (comma == NULL)
			return true;
		value = view_from(value, n + 1);
	}
}

/* What a parameter's value may be; offered by the keyword that is named here. */
static const struct parameter {
	const char *name, *keyword;
	const char *expected;
	bool        mail;               /* else of RCPT */
} parameters[] = {
    {"SIZE", "SIZE", "SIZE=OCTETS", true},
    {"BODY", "8BITMIME", "BODY=7BIT or BODY=8BITMIME", true},
    {"SMTPUTF8", "SMTPUTF8", "SMTPUTF8 without a value", true},
    {"RET", "DSN", "RET=FULL or RET=HDRS", true},
    {"ENVID", "DSN", "ENVID=XTEXT", true},
    {"AUTH", "AUTH", "AUTH=XTEXT or AUTH=<>", true},
    {"NOTIFY", "DSN", "NOTIFY=NEVER, or of SUCCESS,FAILURE,DELAY", false},
    {"ORCPT", "DSN", "ORCPT=TYPE;XTEXT", false},
};

static bool
is_value(const struct parameter *p, struct view value)
{
	uint64_t octets;

	if (strcmp(p->name, "SIZE") == 0)
		return parse_number(value, &octets);
	if (strcmp(p->name, "BODY") == 0)
		return is_one_of(value, "7BIT 8BITMIME");
	if (strcmp(p->name, "RET") == 0)
		return is_one_of(value, "FULL HDRS");
	if (strcmp(p->name, "NOTIFY") == 0)
		return is_notify(value);
	if (strcmp(p->name, "ORCPT") == 0)
		return value.len > 0 && memchr(value.at, ';', value.len) != NULL;
	if (strcmp(p->name, "SMTPUTF8") == 0)
		return value.at == NULL;
	return value.len > 0;
}

/* Reads the parameters of a MAIL or RCPT; 0: they are fine, else the code of what was said. */
static uint16_t
check_parameters(const struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	struct view       rest = command->params;
	struct smtp_param param;

	while (smtp_param_next(&rest, &param)) {
		const struct parameter *p = NULL;
		uint64_t                octets;

		for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
			if (parameters[i].mail == (command->verb == SMTP_MAIL) &&
			    view_equal_nocase(view_of(parameters[i].name), param.name))
				p = &parameters[i];
		if (p == NULL || sink->hello == SINK_HELO)
			return sink_say(out, 555, "5.5.4 Parameter %s is not offered", sink_shown(param.name).text);
		if (!is_value(p, param.value))
			return sink_say(out, 501, "5.5.4 Parameter %s: expected %s", p->name, p->expected);
		if (strcmp(p->name, "SIZE") == 0 && sink->settings->max_size != 0 &&
		    parse_number(param.value, &octets) && octets > sink->settings->max_size)
			return sink_say(out, 552, "5.3.4 The message is larger than SIZE says: %llu octets are the most",
			    (unsigned long long)sink->settings->max_size);
	}
	return 0;
}

uint16_t
sink_mail(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	uint16_t code;

	if (sink->hello == SINK_SILENT)
		return sink_say(out, 503, "5.5.1 Say %s first", sink->settings->lmtp ? "LHLO" : "EHLO or HELO");
	if (sink->transaction != NULL)
		return sink_say(out, 503, "5.5.1 A mail transaction is open: RSET gives it up");
	if (command->address.at == NULL)
		return sink_say(out, 501, "5.5.4 Expected MAIL FROM:<address>");
	code = check_parameters(sink, command, out);
	if (code != 0)
		return code;
	sink->transaction = sink_transaction_new(command->address);
	if (sink->transaction == NULL)
		return sink_say(out, 452, "4.3.1 There is no memory for the transaction");
	return sink_say(out, 250, "2.1.0 Sender <%s> ok", sink_shown(command->address).text);
}

uint16_t
sink_rcpt(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	struct sink_transaction *t = sink->transaction;
	uint16_t                 code;

	if (t == NULL)
		return sink_say(out, no_transaction.code, "%s", no_transaction.text);
	if (t->begun)
		return sink_say(out, 503, "5.5.1 The content has begun: BDAT goes on, RSET gives it up");
	if (command->address.at == NULL)
		return sink_say(out, 501, "5.5.4 Expected RCPT TO:<address>");
	if (command->address.len == 0)
		return sink_say(out, 501, "5.1.3 The null path is no recipient");
	code = check_parameters(sink, command, out);
	if (code != 0)
		return code;
	if (!sink_transaction_add(t, command->address))
		return sink_say(out, 452, "4.5.3 Too many recipients: send to these first");
	return sink_say(out, 250, "2.1.5 Recipient <%s> ok", sink_shown(command->address).text);
}

/* Why content may not come now; NULL: it may. */
static const struct sink_answer *
refusal(const struct sink *sink)
{
	if (sink->transaction == NULL)
		return &no_transaction;
	return sink->transaction->count < 2 ? &no_recipients : NULL;
}

uint16_t
sink_data(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	const struct sink_answer *refused = refusal(sink);
	struct sink_transaction  *t = sink->transaction;

	(void)command;
	if (refused != NULL)
		return sink_say(out, refused->code, "%s", refused->text);
	if (t->chunks)
		return sink_say(out, 503, "5.5.1 The content came by BDAT so far, and has to end by it (RFC 3030 2)");
	sink_transaction_begin(t, sink->settings->maildir);
	if (t->failed != NULL) {
		/* Better said now than behind the content; the transaction may be tried again. */
		uint16_t code = sink_say(out, t->failed->code, "%s", t->failed->text);

		sink_report(sink, code, "");
		t->failed = NULL;
		t->begun = false;
		return code;
	}
	return sink_say(out, 354, "End data with <CR><LF>.<CR><LF>");
}

uint16_t
sink_bdat(struct sink *sink, const struct smtp_command *command, struct buffer *out)
{
	struct sink_transaction *t = sink->transaction;

	/* How many octets follow is unknown: the next line is read as a command. */
	if (!command->chunk_valid)
		return sink_say(out, 501, "5.5.4 Expected BDAT OCTETS [LAST]");
	sink->chunk_refused = refusal(sink);
	sink->chunk = command->chunk;
	sink->chunk_last = command->chunk_last;
	sink->chunk_waits = true;
	if (sink->chunk_refused != NULL)
		return 0;
	t->chunks = true;
	if (!t->begun)
		sink_transaction_begin(t, sink->settings->maildir);
	return 0;
}
