/* SPDX-License-Identifier: MIT */
/*
 * Events as JSON Lines. Each is streamed into the buffer as it is read: nothing is copied
 * on the way and, once the buffer has grown, nothing allocated. How octets become strings is in
 * json_value.c.
 */
#include "proxy/outputs/json.h"

#include "proxy/outputs/json_value.h"

/* A keyword or parameter that is repeated is looked for this far ahead: a peer can send thousands. */
#define LOOK_AHEAD 64

/* Names of ours: nothing in them needs an escape, and their lengths are known. */
static const struct view side_names[] = {
	[EVENT_CLIENT] = {"client", 6}, [EVENT_SERVER] = {"server", 6}, [EVENT_PROXY] = {"proxy", 5},
	[EVENT_NETWORK] = {"network", 7}
};

static struct view
origin_name(enum event_origin origin, struct view peer)
{
	return origin == ORIGIN_RULE ? VIEW("rule") : origin == ORIGIN_PROXY ? VIEW("proxy") : peer;
}

static void
open_event(struct buffer *out, const struct event *event)
{
	json_type(out, "open");
	json_octets(out, "client", event->as.open.client);
	json_octets(out, "server", event->as.open.server);
	json_word(out, "source", event->as.open.source);
	json_octets(out, "capture", event->as.open.capture);
	if (event->as.open.preface.at != NULL)
		json_octets(out, "preface", event->as.open.preface);
}

static void
upstream_event(struct buffer *out, const struct event *event)
{
	json_type(out, "upstream");
	json_octets(out, "server", event->as.upstream.server);
	json_word(out, "outcome", event->as.upstream.outcome);
	json_ms(out, "duration_ms", (int64_t)event->as.upstream.duration_us);
	json_octets(out, "reason", event->as.upstream.reason);
}

static bool
named_again(struct view rest, struct view name)
{
	struct smtp_param param;

	for (int i = 0; i < LOOK_AHEAD && smtp_param_next(&rest, &param); i++) {
		if (view_equal_nocase(param.name, name))
			return true;
	}
	return false;
}

/* The parameters by name; of a repeated one the last. */
static void
params_object(struct buffer *out, struct view rest)
{
	struct smtp_param param;

	if (rest.len == 0) {
		json_empty(out, "params");
		return;
	}
	json_open(out, "params", '{');
	while (smtp_param_next(&rest, &param)) {
		if (named_again(rest, param.name))
			continue;
		json_member(out, param.name, param.value);
	}
	json_close(out, '}');
}

/* A count as RFC 1870 5 has it: 1 to 20 digits that fit. */
static bool
size_value(struct view text, uint64_t *value)
{
	uint64_t n = 0;

	if (text.len == 0 || text.len > 20)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = (unsigned)text.at[i] - '0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*value = n;
	return true;
}

/* What can be more than a string: the count of MAIL's SIZE, and a chunk. */
static void
decoded_object(struct buffer *out, const struct smtp_command *command)
{
	struct view rest = command->params;
	struct smtp_param param;
	uint64_t size = 0;
	bool sized = false;

	if (command->verb == SMTP_BDAT && command->chunk_valid) {
		json_open(out, "decoded", '{');
		json_count(out, "octets", command->chunk);
		json_bool(out, "last", command->chunk_last);
		json_close(out, '}');
	}
	if (command->verb != SMTP_MAIL || rest.len == 0)
		return;
	while (smtp_param_next(&rest, &param)) {
		if (view_equal_nocase(param.name, VIEW("SIZE")))
			sized = size_value(param.value, &size);
	}
	if (sized) {
		json_open(out, "decoded", '{');
		json_count(out, "SIZE", size);
		json_close(out, '}');
	}
}

static void
command_event(struct buffer *out, const struct event *event)
{
	const struct smtp_command *command = &event->as.command.command;
	size_t octets = event->as.command.line_octets;
	bool path = command->verb == SMTP_MAIL || command->verb == SMTP_RCPT;

	json_type(out, "command");
	json_octets(out, "verb", event->as.command.name_upper);
	if (octets > 0 && command->argument.len == 0)
		json_count(out, "verb_octets", octets - (command->line.len - command->name.len));
	json_octets(out, "argument", command->argument.at == NULL ? VIEW("") : command->argument);
	if (octets > 0 && command->argument.len > 0)
		json_count(out, "argument_octets", octets - (command->line.len - command->argument.len));
	params_object(out, path ? command->params : VIEW_NONE);
	decoded_object(out, command);
	json_octets(out, "address", command->address);
	json_bool(out, "forwarded", event->as.command.forwarded);
	if (event->as.command.forwarded_line.at != NULL)
		json_octets(out, "forwarded_line", event->as.command.forwarded_line);
	json_octets(out, "origin", origin_name(event->as.command.origin, VIEW("client")));
	json_bool(out, "pipelined", event->as.command.pipelined);
}

/* Code, enhanced code and text. Where a line is not UTF-8, text_base64 has all of them, in step. */
static void
reply_members(struct buffer *out, const struct smtp_reply *reply)
{
	struct smtp_reply_line line;
	struct view rest = reply->wire;
	bool utf8 = true;

	json_code(out, "code", reply->code);
	json_octets(out, "enhanced", reply->enhanced);
	json_open(out, "text", '[');
	while (rest.len > 0 && smtp_reply_line_next(&rest, &line))
		utf8 &= json_element(out, line.text);
	json_close(out, ']');
	if (utf8)
		return;
	json_open(out, "text_base64", '[');
	rest = reply->wire;
	while (smtp_reply_line_next(&rest, &line))
		json_element_base64(out, line.text);
	json_close(out, ']');
}

static void
reply_event(struct buffer *out, const struct event *event)
{
	json_type(out, "reply");
	reply_members(out, &event->as.reply.reply);
	if (event->as.reply.wire_octets > 0)
		json_count(out, "text_octets", event->as.reply.wire_octets);
	json_octets(out, "to", event->as.reply.to);
	if (event->as.reply.latency_us == EVENT_NO_LATENCY)
		json_null(out, "latency_ms");
	else
		json_ms(out, "latency_ms", event->as.reply.latency_us);
	json_octets(out, "origin", origin_name(event->as.reply.origin, VIEW("server")));
	if (event->as.reply.changed) {
		json_open(out, "original", '{');
		reply_members(out, &event->as.reply.original);
		json_close(out, '}');
	}
	json_bool(out, "delivered", event->as.reply.delivered);
	if (event->as.reply.recipient.at != NULL)
		json_octets(out, "recipient", event->as.reply.recipient);
}

/* The value of a keyword that is repeated is its last; AUTH and AUTH= are one, the first not empty. */
static bool
offered_again(struct view rest, const struct smtp_ehlo_keyword *keyword, struct view *auth)
{
	struct smtp_ehlo_keyword next;
	bool again = false;

	for (int i = 0; i < LOOK_AHEAD && smtp_ehlo_next(&rest, &next); i++) {
		if (!view_equal_nocase(next.name, keyword->name))
			continue;
		again = true;
		if (auth->len == 0)
			*auth = next.params;
	}
	return again;
}

static void
keywords_object(struct buffer *out, const char *name, const struct smtp_reply *reply)
{
	struct view rest = smtp_ehlo_rest(reply), auth = VIEW_NONE;
	struct smtp_ehlo_keyword keyword;
	bool auth_done = false;

	json_open(out, name, '{');
	while (smtp_ehlo_next(&rest, &keyword)) {
		bool is_auth = keyword.keyword == SMTP_KEYWORD_AUTH, again;

		if (is_auth) {
			if (auth_done)
				continue;
			auth_done = true;
			auth = keyword.params;
		}
		again = offered_again(rest, &keyword, &auth);
		if (again && !is_auth)
			continue;
		if (is_auth)
			keyword.params = auth;
		json_member(out, keyword.name, keyword.params.at == NULL ? VIEW("") : keyword.params);
	}
	json_close(out, '}');
}

static void
ehlo_event(struct buffer *out, const struct event *event)
{
	json_type(out, "ehlo");
	keywords_object(out, "keywords", &event->as.ehlo.offered);
	json_octets(out, "name", event->as.ehlo.name);
	json_bool(out, "tls", event->as.ehlo.tls);
	if (event->as.ehlo.changed)
		keywords_object(out, "server_keywords", &event->as.ehlo.server);
}

static void
auth_event(struct buffer *out, const struct event *event)
{
	json_type(out, "auth");
	json_octets(out, "mechanism", event->as.auth.mechanism);
	json_octets(out, "user", event->as.auth.user);
	json_word(out, "outcome", event->as.auth.outcome);
	json_code(out, "code", event->as.auth.code);
	if (event->as.auth.secret.at != NULL)
		json_octets(out, "secret", event->as.auth.secret);
}

/* Of TLS that is passed through or read along nobody here has verified anything. */
static void
tls_event(struct buffer *out, const struct event *event)
{
	json_type(out, "tls");
	json_octets(out, "side", side_names[event->as.tls.side]);
	json_word(out, "outcome", event->as.tls.outcome);
	json_octets(out, "version", event->as.tls.version);
	json_octets(out, "cipher", event->as.tls.cipher);
	json_octets(out, "sni", event->as.tls.sni);
	json_octets(out, "subject", event->as.tls.subject);
	json_octets(out, "issuer", event->as.tls.issuer);
	if (event->as.tls.verified == 0)
		json_null(out, "verified");
	else
		json_bool(out, "verified", event->as.tls.verified > 0);
	json_octets(out, "verify_error", event->as.tls.verify_error);
	json_octets(out, "alert", event->as.tls.alert);
	json_octets(out, "reason", event->as.tls.reason);
	if (event->as.tls.hint.at != NULL)
		json_octets(out, "hint", event->as.tls.hint);
}

static void
recipient_object(struct buffer *out, const struct event_recipient *recipient)
{
	json_open(out, NULL, '{');
	json_octets(out, "address", recipient->address);
	json_code(out, "code", recipient->code);
	if (recipient->server_code != 0)
		json_code(out, "server_code", recipient->server_code);
	if (recipient->final != 0) {
		json_open(out, "final", '{');
		json_code(out, "code", recipient->final);
		json_octets(out, "enhanced", recipient->final_enhanced);
		json_close(out, '}');
	}
	json_close(out, '}');
}

static void
message_event(struct buffer *out, const struct event *event)
{
	json_type(out, "message");
	json_octets(out, "reverse_path", event->as.message.reverse_path);
	json_open(out, "recipients", '[');
	for (size_t i = 0; i < event->as.message.recipient_count; i++)
		recipient_object(out, &event->as.message.recipients[i]);
	json_close(out, ']');
	if (event->as.message.recipients_unlisted > 0)
		json_count(out, "recipients_unlisted", event->as.message.recipients_unlisted);
	json_count(out, "octets", event->as.message.octets);
	json_count(out, "lines", event->as.message.lines);
	json_word(out, "transfer", event->as.message.transfer);
	json_open(out, "header", '{');
	json_octets(out, "subject", event->as.message.subject);
	json_octets(out, "from", event->as.message.from);
	json_octets(out, "to", event->as.message.to);
	json_octets(out, "message_id", event->as.message.message_id);
	json_octets(out, "date", event->as.message.date);
	json_close(out, '}');
	json_code(out, "code", event->as.message.code);
	if (event->as.message.server_code != 0)
		json_code(out, "server_code", event->as.message.server_code);
	json_bool(out, "complete", event->as.message.complete);
	if (event->as.message.changed)
		json_count(out, "forwarded_octets", event->as.message.forwarded_octets);
}

static void
finding_event(struct buffer *out, const struct event *event)
{
	const struct finding_entry *entry = finding_entry(event->as.finding.finding);
	struct view detail = event->as.finding.detail;

	json_type(out, "finding");
	json_word(out, "id", entry->id);
	json_word(out, "severity", finding_severity_name(entry->severity));
	json_octets(out, "side", side_names[event->as.finding.side]);
	json_octets(out, "detail", detail.at == NULL ? view_of(entry->line) : detail);
	json_octets(out, "excerpt", event->as.finding.excerpt);
	json_word(out, "reference", entry->reference);
	json_bool(out, "security", entry->security);
	json_bool(out, "unsure", event->as.finding.unsure);
}

static void
rule_event(struct buffer *out, const struct event *event)
{
	json_type(out, "rule");
	json_word(out, "rule", event->as.rule.rule);
	json_word(out, "action", event->as.rule.action);
	json_word(out, "at", event->as.rule.at);
	if (event->as.rule.thrown)
		json_number(out, "throw", event->as.rule.throw);
	if (event->as.rule.fired)
		json_bool(out, "fired", true);
	json_bool(out, "dry_run", event->as.rule.dry_run);
}

static void
log_event(struct buffer *out, const struct event *event)
{
	json_type(out, "log");
	json_word(out, "rule", event->as.log.rule);
	json_octets(out, "text", event->as.log.text);
}

static void
undecoded_event(struct buffer *out, const struct event *event)
{
	json_type(out, "undecoded");
	json_octets(out, "side", side_names[event->as.undecoded.side]);
	json_count(out, "octets", event->as.undecoded.count);
	json_octets(out, "excerpt", event->as.undecoded.octets);
	json_word(out, "reason", event->as.undecoded.reason);
}

static void
close_event(struct buffer *out, const struct event *event)
{
	json_type(out, "close");
	json_octets(out, "by", side_names[event->as.close.by]);
	json_word(out, "how", event->as.close.how);
	json_octets(out, "reason", event->as.close.reason);
	json_ms(out, "duration_ms", (int64_t)event->as.close.duration_us);
	json_count(out, "commands", event->as.close.commands);
	json_count(out, "replies", event->as.close.replies);
	json_count(out, "messages", event->as.close.messages);
	json_open(out, "octets", '{');
	json_count(out, "client", event->as.close.octets[0]);
	json_count(out, "server", event->as.close.octets[1]);
	json_close(out, '}');
	json_open(out, "encrypted", '{');
	json_count(out, "client", event->as.close.encrypted[0]);
	json_count(out, "server", event->as.close.encrypted[1]);
	json_close(out, '}');
	json_count(out, "gaps", event->as.close.gaps);
}

static void
rule_summary_event(struct buffer *out, const struct event *event)
{
	json_type(out, "rule-summary");
	json_word(out, "rule", event->as.rule_summary.rule);
	json_count(out, "matched", event->as.rule_summary.matched);
	json_count(out, "skipped", event->as.rule_summary.skipped);
	json_count(out, "acted", event->as.rule_summary.acted);
	json_bool(out, "reached", event->as.rule_summary.reached);
}

static void (*const members[])(struct buffer *out, const struct event *event) = {
	[EVENT_OPEN] = open_event, [EVENT_UPSTREAM] = upstream_event, [EVENT_COMMAND] = command_event,
	[EVENT_REPLY] = reply_event, [EVENT_EHLO] = ehlo_event, [EVENT_AUTH] = auth_event,
	[EVENT_TLS] = tls_event, [EVENT_CONTENT] = NULL, [EVENT_MESSAGE] = message_event,
	[EVENT_FINDING] = finding_event, [EVENT_RULE] = rule_event, [EVENT_LOG] = log_event,
	[EVENT_UNDECODED] = undecoded_event, [EVENT_CLOSE] = close_event,
	[EVENT_RULE_SUMMARY] = rule_summary_event
};

/* What all events begin with. The time is what is dear in it: its second is kept. */
static inline void
head(struct buffer *out, const struct event *event, struct rfc3339_kept *kept)
{
	static const char time[] = "{\"time\":\"", session[] = "\",\"session\":";
	char *at;

	buffer_reserve(out, sizeof(time) + RFC3339_LEN + sizeof(session) + JSON_NUMBER_MAX);
	at = out->at + out->len;
	memcpy(at, time, sizeof(time) - 1);
	at += sizeof(time) - 1;
	rfc3339_write(at, event->time_us, kept);
	at += RFC3339_LEN;
	memcpy(at, session, sizeof(session) - 1);
	at += sizeof(session) - 1;
	json_end_(out, event->session == 0 ? json_literal_(at, "null", 4) : json_put_count_(at, event->session));
}

void
json_event(struct buffer *out, const struct event *event, struct rfc3339_kept *kept)
{
	struct rfc3339_kept none = {.next = 0};

	if (members[event->type] == NULL)
		return;
	head(out, event, kept != NULL ? kept : &none);
	members[event->type](out, event);
	buffer_put(out, VIEW("}\n"));
}
