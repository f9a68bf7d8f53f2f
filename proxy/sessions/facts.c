/* SPDX-License-Identifier: MIT */
/* What the fields of rules read, out of a session's state. */
#include "proxy/sessions/state.h"

void
facts_fill(struct session *s, struct rules_facts *facts, enum rules_place place)
{
	memset(facts, 0, sizeof *facts);
	facts->place = place;
	facts->time_us = s->now_us;
	facts->client = s->client.any.sa_family != AF_UNSPEC ? &s->client.any : NULL;
	facts->client_text = s->client_address;
	facts->client_port = ntohs(s->client.any.sa_family == AF_INET6 ? s->client.in6.sin6_port :
	    s->client.in.sin_port);
	facts->server = s->server_text;
	facts->listener = s->listener_text;
	facts->number = s->number;
	facts->commands = s->commands;
	facts->transactions = s->transactions;
	facts->tls = s->tls;
	facts->helo = view_of(s->helo);
	facts->user = view_of(s->user);
	facts->age_us = s->now_us - s->opened_us;
	facts->transaction_recipients = s->recipients;
	facts->latency_us = -1;
	facts->findings = s->findings;
}

static void
facts_of_transaction(struct rules_facts *facts, const struct transaction *t)
{
	if (t == NULL)
		return;
	facts->sender = view_of(t->reverse_path);
	facts->transaction_accepted = t->accepted;
}

static void
one_recipient(struct session *s, struct rules_facts *facts, struct view address)
{
	struct view *list = arena_take(s->config->arena, sizeof *list);

	*list = address;
	facts->recipients = list;
	facts->recipient_count = address.at != NULL;
}

/* Every recipient that the client was told is accepted. */
static void
accepted_recipients(struct session *s, struct rules_facts *facts, const struct transaction *t)
{
	struct view *list;
	size_t count = 0;

	if (t == NULL || t->recipient_count == 0)
		return;
	list = arena_take(s->config->arena, t->recipient_count * sizeof *list);
	for (uint32_t i = 0; i < t->recipient_count; i++)
		if (t->recipients[i].code / 100 == 2 && t->recipients[i].address != NULL)
			list[count++] = (struct view){t->recipients[i].address, t->recipients[i].address_len};
	facts->recipients = list;
	facts->recipient_count = count;
}

void
facts_of_command(struct session *s, struct rules_facts *facts, const struct smtp_command *command,
    const struct note *note)
{
	facts->verb = command->verb;
	facts->has_command = true;
	facts->command = *command;
	facts_of_transaction(facts, note->transaction != NULL ? note->transaction : s->sending);
	if (command->verb == SMTP_RCPT)
		one_recipient(s, facts, command->address);
}

void
facts_of_reply(struct session *s, struct rules_facts *facts, const struct smtp_reply *reply,
    const struct smtp_exchange *e, int64_t latency_us)
{
	const struct note *note = e != NULL ? e->note : NULL;
	const struct transaction *t = note != NULL ? note->transaction : NULL;
	struct recipient *r;

	facts->has_reply = true;
	facts->reply = *reply;
	facts->latency_us = latency_us;
	facts->verb = e == NULL ? SMTP_VERB_UNKNOWN : e->kind == SMTP_GREETING ? RULES_VERB_CONNECT :
	    e->kind == SMTP_CONTENT_DONE ? RULES_VERB_CONTENT : e->verb;
	facts_of_transaction(facts, t);
	if (note != NULL && note->line != NULL) {
		facts->has_command = true;
		smtp_command_parse((struct view){note->line, note->line_len}, &facts->command);
		if (note->line_secret)
			facts->command.secret = facts->command.line;
	}
	if (t == NULL)
		return;
	if (e->kind == SMTP_CONTENT_DONE) {
		facts->content_octets = t->octets;
		facts->header = (struct view){t->header, t->header_len};
	}
	if (e->kind == SMTP_CONTENT_DONE && !s->dialogue.lmtp) {
		accepted_recipients(s, facts, t);
		return;
	}
	r = e->kind == SMTP_CONTENT_DONE ? transaction_peek_final(note->transaction, COLUMN_SERVER) :
	    e->verb == SMTP_RCPT ? transaction_recipient(note->transaction, note->recipient) : NULL;
	if (r != NULL)
		one_recipient(s, facts, (struct view){r->address, r->address_len});
}

void
facts_of_content(struct session *s, struct rules_facts *facts, struct transaction *t)
{
	facts_of_transaction(facts, t);
	if (t == NULL)
		return;
	facts->content_octets = t->octets;
	facts->header = (struct view){t->header, t->header_len};
	accepted_recipients(s, facts, t);
}
