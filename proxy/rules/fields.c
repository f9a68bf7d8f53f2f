/* SPDX-License-Identifier: MIT */
/*
 * The fields of a rule, read from the facts of the unit. What is not there has no value,
 * and says so: a comparison with it is false.
 */
#include "decoders/message/header.h"
#include "proxy/rules/judging.h"
#include "proxy/rules/lexer.h"

size_t
field_readings(const struct judging *j, const struct field_ref *ref)
{
	if (ref->field == FIELD_RECIPIENT || ref->field == FIELD_RECIPIENT_DOMAIN)
		return j->facts.recipient_count;
	return 1;
}

static bool
read_text(struct view text, struct reading *reading)
{
	reading->text = text;
	return text.at != NULL;
}

static bool
read_number(uint64_t number, struct reading *reading)
{
	reading->number = number;
	return true;
}

static bool
read_boolean(bool value, struct reading *reading)
{
	reading->number = value;
	reading->text = value ? VIEW("true") : VIEW("false");
	return true;
}

/* The verb in upper case, as events have it. */
static struct view
verb_upper(struct judging *j)
{
	struct view name = j->facts.command.name;
	char *at = arena_take(j->arena, name.len + 1);

	for (size_t i = 0; i < name.len; i++)
		at[i] = name.at[i] >= 'a' && name.at[i] <= 'z' ? (char)(name.at[i] - 32) : name.at[i];
	return (struct view){at, name.len};
}

static bool
read_command(struct judging *j, enum field field, struct reading *reading)
{
	const struct smtp_command *command = &j->facts.command;

	if (!j->facts.has_command)
		return false;
	if (field == FIELD_VERB)
		return read_text(verb_upper(j), reading);
	reading->text = field == FIELD_LINE ? command->line : command->argument;
	if (reading->text.at == NULL)
		reading->text = VIEW("");
	return true;
}

/* The reply's lines behind their codes, with an LF between; put together once, until the reply is changed. */
static struct view
reply_text(struct judging *j)
{
	struct view rest = j->facts.reply.wire;
	struct smtp_reply_line line;
	size_t len = 0;
	char *text;

	if (j->reply_text.at != NULL)
		return j->reply_text;
	text = arena_take(j->arena, rest.len + 1);
	while (smtp_reply_line_next(&rest, &line)) {
		if (len > 0)
			text[len++] = '\n';
		if (line.text.len > 0)
			memcpy(text + len, line.text.at, line.text.len);
		len += line.text.len;
	}
	j->reply_text = (struct view){text, len};
	return j->reply_text;
}

static bool
read_reply(struct judging *j, enum field field, struct reading *reading)
{
	const struct smtp_reply *reply = &j->facts.reply;

	if (!j->facts.has_reply)
		return false;
	if (field == FIELD_REPLY_CODE)
		return read_number(reply->code, reading);
	if (field == FIELD_REPLY_TEXT)
		return read_text(reply_text(j), reading);
	if (field == FIELD_REPLY_ENHANCED) {
		reading->text = reply->enhanced;
		return reply->enhanced.at != NULL && enhanced_parse(reply->enhanced, &reading->number);
	}
	if (j->facts.latency_us < 0)
		return false;
	return read_number((uint64_t)j->facts.latency_us, reading);
}

static bool
read_header(struct judging *j, struct view name, struct reading *reading)
{
	struct view value;
	size_t size;
	char *text;

	if (j->facts.header.at == NULL || !header_find(j->facts.header, name, &value))
		return false;
	/* An encoded word is longer than its octets, of whatever charset: three times is plenty. */
	size = value.len * 3 + 1;
	text = arena_take(j->arena, size);
	reading->text = (struct view){text, header_decode(value, text, size)};
	return true;
}

static bool
read_content(const struct judging *j, struct reading *reading)
{
	const struct rules_facts *facts = &j->facts;
	bool here = facts->place == RULES_AT_CONTENT || facts->place == RULES_AT_CONTENT_END;
	bool after = facts->place == RULES_AT_REPLY && facts->verb == RULES_VERB_CONTENT;

	if (!here && !(after && facts->content_octets > 0))
		return false;
	return read_number(facts->content_octets, reading);
}

static bool
read_mailbox(struct view mailbox, bool domain, struct reading *reading)
{
	if (mailbox.at == NULL)
		return false;
	return read_text(domain ? smtp_mailbox_domain(mailbox) : mailbox, reading);
}

static bool
read_session(const struct judging *j, const struct field_ref *ref, struct reading *reading)
{
	const struct rules_facts *facts = &j->facts;

	switch (ref->field) {
	case FIELD_SESSION_CLIENT:
		reading->text = facts->client_text.at != NULL ? facts->client_text : VIEW("");
		return address_of(facts->client, &reading->address);
	case FIELD_SESSION_CLIENT_PORT:
		return facts->client != NULL && read_number(facts->client_port, reading);
	case FIELD_SESSION_SERVER:
		return read_text(facts->server, reading);
	case FIELD_SESSION_LISTENER:
		return read_text(facts->listener, reading);
	case FIELD_SESSION_NUMBER:
		return read_number(facts->number, reading);
	case FIELD_SESSION_COMMANDS:
		return read_number(facts->commands, reading);
	case FIELD_SESSION_TRANSACTIONS:
		return read_number(facts->transactions, reading);
	case FIELD_SESSION_TLS:
		return read_boolean(facts->tls, reading);
	case FIELD_SESSION_HELO:
		return read_text(facts->helo, reading);
	case FIELD_SESSION_USER:
		return read_text(facts->user, reading);
	case FIELD_SESSION_SECONDS:
		return read_number(facts->age_us, reading);
	default:
		return read_boolean(tag_has(j, ref->number), reading);
	}
}

bool
field_read(struct judging *j, const struct field_ref *ref, size_t nth, struct reading *reading)
{
	const struct rules_facts *facts = &j->facts;

	reading->text = VIEW_NONE;
	switch (ref->field) {
	case FIELD_VERB:
	case FIELD_ARGUMENT:
	case FIELD_LINE:
		return read_command(j, ref->field, reading);
	case FIELD_SENDER:
	case FIELD_SENDER_DOMAIN:
		return read_mailbox(facts->sender, ref->field == FIELD_SENDER_DOMAIN, reading);
	case FIELD_RECIPIENT:
	case FIELD_RECIPIENT_DOMAIN:
		return nth < facts->recipient_count &&
		    read_mailbox(facts->recipients[nth], ref->field == FIELD_RECIPIENT_DOMAIN, reading);
	case FIELD_TRANSACTION_RECIPIENTS:
		return read_number(facts->transaction_recipients, reading);
	case FIELD_TRANSACTION_ACCEPTED:
		return read_number(facts->transaction_accepted, reading);
	case FIELD_REPLY_CODE:
	case FIELD_REPLY_ENHANCED:
	case FIELD_REPLY_TEXT:
	case FIELD_REPLY_LATENCY:
		return read_reply(j, ref->field, reading);
	case FIELD_CONTENT_OCTETS:
		return read_content(j, reading);
	case FIELD_HEADER:
		return read_header(j, ref->index, reading);
	case FIELD_FINDING:
		return read_number(facts->findings != NULL ? facts->findings[ref->number] : 0, reading);
	default:
		return read_session(j, ref, reading);
	}
}

/* The text without what of it is a credential. The verb is a copy: it is all or nothing. */
static struct view
mask(struct judging *j, const struct field_ref *ref, struct view text)
{
	struct view secret = j->facts.command.secret, where = ref->field == FIELD_VERB ? j->facts.command.name : text;
	struct text out = TEXT_IN(j->arena);
	size_t before, behind;

	if (!j->facts.has_command || secret.at == NULL || secret.len == 0 ||
	    (ref->field != FIELD_VERB && ref->field != FIELD_ARGUMENT && ref->field != FIELD_LINE) ||
	    secret.at >= where.at + where.len || where.at >= secret.at + secret.len)
		return text;
	if (ref->field == FIELD_VERB)
		return VIEW("***");
	before = secret.at > text.at ? (size_t)(secret.at - text.at) : 0;
	behind = text.at + text.len > secret.at + secret.len ?
	    (size_t)(text.at + text.len - (secret.at + secret.len)) : 0;
	text_put(&out, view_first(text, before));
	text_put(&out, VIEW("***"));
	text_put(&out, view_from(text, text.len - behind));
	return text_done(&out);
}

/* What has no text of its own, as a rule would write it. */
static struct view
number_text(struct judging *j, const struct field_ref *ref, uint64_t number)
{
	unsigned long long n = number;

	switch (language_fields[ref->field].type) {
	case TYPE_SECONDS:
		return arena_printf(j->arena, "%llu", n / 1000000);
	case TYPE_DURATION:
		return arena_printf(j->arena, "%llu.%03llums", n / 1000, n % 1000);
	default:
		return arena_printf(j->arena, "%llu", n);
	}
}

struct view
field_text(struct judging *j, const struct field_ref *ref, bool masked)
{
	struct text all = TEXT_IN(j->arena);
	struct reading reading;
	size_t count = field_readings(j, ref);

	for (size_t i = 0; i < count; i++) {
		struct view text;

		if (!field_read(j, ref, i, &reading))
			continue;
		text = reading.text.at == NULL ? number_text(j, ref, reading.number) :
		    masked ? mask(j, ref, reading.text) : reading.text;
		if (count == 1)
			return text;
		if (all.len > 0)
			text_put(&all, VIEW(", "));
		text_put(&all, text);
	}
	return text_done(&all);
}
