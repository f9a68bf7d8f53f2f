/* SPDX-License-Identifier: MIT */
/*
 * What the proxy does where a rule has made the legs disagree, and nobody else can answer:
 * a row a case. The client's octets are read by what the client was told, the server's by
 * what the server said; neither is left waiting for what cannot come.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

#define BYE   VIEW("221 2.0.0 Bye\r\n")

/* A command while there is no server for it. */
static bool
answer_without_server(struct session *s, enum smtp_verb verb, struct view *reply, bool *close)
{
	if (verb == SMTP_QUIT) {
		*reply = BYE;
		*close = true;
		return true;
	}
	if (s->server == SERVER_REFUSED) {
		*reply = VIEW("503 5.5.1 Bad sequence of commands\r\n");
		return true;
	}
	*reply = s->server == SERVER_UNREACHABLE
	    ? VIEW("421 4.4.1 No server could be reached\r\n")
	    : VIEW("421 4.3.2 The server's connection is closed\r\n");
	*close = true;
	return true;
}

/* A verb that only a keyword brings, which the client was or was not told about. */
static bool
brought_by(smtp_keyword_set keywords, enum smtp_verb verb)
{
	struct view name = smtp_verb_entry(verb)->name;

	for (unsigned k = 1; k < SMTP_KEYWORD_COUNT; k++)
		if (smtp_keyword_in(keywords, k) && smtp_words_have(smtp_keyword_entry(k)->verbs, name))
			return true;
	return false;
}

bool
verdicts_answer(struct session *s, const struct smtp_command *command, struct view *reply, bool *close)
{
	smtp_keyword_set told = s->keywords[SMTP_CLIENT], said = s->keywords[SMTP_SERVER];

	if (s->server != SERVER_OPEN)
		return answer_without_server(s, command->verb, reply, close);
	if (command->verb == SMTP_STARTTLS && (*reply = securing_answers(s, command)).at != NULL)
		return true;
	if (size_refuses_mail(s, command)) {
		*reply = SIZE_REPLY;
		return true;
	}
	if (told == said || command->verb == SMTP_VERB_UNKNOWN)
		return false;
	/* CHUNKING was hidden and is used all the same; or something is offered that the server lacks. */
	if (command->verb == SMTP_BDAT && smtp_keyword_in(said & ~told, SMTP_KEYWORD_CHUNKING)) {
		*reply = VIEW("502 5.5.1 BDAT is not offered\r\n");
		return true;
	}
	if (brought_by(told & ~said, command->verb)) {
		*reply = VIEW("502 5.5.1 Command not implemented\r\n");
		return true;
	}
	return false;
}

/* A 220 that the server did not say, and the proxy has no TLS for the client: nobody answers its hello. */
void
verdicts_starttls_told(struct session *s, uint16_t told, uint16_t said)
{
	if (told == 220 && said != 220 && !securing_has_client(s))
		s->unheard = true;
}

/*
 * The server said 220, the client was told otherwise. Where the proxy speaks TLS, the server has
 * it and the client goes on in the clear; else the server waits for a hello that cannot come.
 */
void
verdicts_tls_with_server_alone(struct session *s)
{
	if (s->securing == NULL || s->securing->leg[SMTP_SERVER] != LEG_SECURE)
		verdicts_leave_server(s);
}

/* Whether a parameter belongs to a keyword that only the client was told of. */
static bool
is_surplus(smtp_keyword_set told, smtp_keyword_set said, enum smtp_verb verb, struct view name)
{
	bool surplus = false;

	for (unsigned k = 1; k < SMTP_KEYWORD_COUNT; k++) {
		const struct smtp_keyword_entry *entry = smtp_keyword_entry(k);

		if (!smtp_words_have(verb == SMTP_MAIL ? entry->mail_params : entry->rcpt_params, name))
			continue;
		if (smtp_keyword_in(said, k))
			return false;
		surplus = surplus || smtp_keyword_in(told, k);
	}
	return surplus;
}

/* The parameters of what was offered and the server lacks are taken off; .at NULL: there are none. */
struct view
verdicts_change(struct session *s, const struct smtp_unit *unit)
{
	const struct smtp_command *c = &unit->as.command;
	smtp_keyword_set told = s->keywords[SMTP_CLIENT], said = s->keywords[SMTP_SERVER];
	struct view rest = c->params, line_end;
	struct smtp_param param;
	char *at, *out;
	bool changed = false;

	if ((c->verb != SMTP_MAIL && c->verb != SMTP_RCPT) || (told & ~said) == 0 || c->params.len == 0)
		return VIEW_NONE;
	at = out = arena_take(s->config->arena, unit->wire.len + 1);
	memcpy(out, unit->wire.at, (size_t)(c->params.at - unit->wire.at));
	out += c->params.at - unit->wire.at;
	while (out > at && out[-1] == ' ')
		out--;
	while (smtp_param_next(&rest, &param)) {
		size_t len = param.name.len + (param.value.at != NULL ? 1 + param.value.len : 0);

		if (is_surplus(told, said, c->verb, param.name)) {
			changed = true;
			continue;
		}
		*out++ = ' ';
		memcpy(out, param.name.at, len);
		out += len;
	}
	line_end = view_from(unit->wire, smtp_line_text(unit->wire).len);
	memcpy(out, line_end.at, line_end.len);
	out += line_end.len;
	return changed ? (struct view){at, (size_t)(out - at)} : VIEW_NONE;
}

/* A rule has greeted the client, the server has not greeted us yet. */
static bool
server_is_to_greet(struct session *s)
{
	struct smtp_exchange *e;

	smtp_dialogue_place(&s->dialogue, SMTP_SERVER, &e);
	return e != NULL && e->kind == SMTP_GREETING && e->by_proxy;
}

/* A delay at `connect` is running. */
static bool
opening_is_undecided(const struct session *s)
{
	const struct pending *pending = s->from[SMTP_SERVER].pending;

	return pending != NULL && pending->passage.place == RULES_AT_CONNECT;
}

/* Whether commands must be whole before they go on, although no rule stands on them. */
bool
verdicts_hold_commands(struct session *s)
{
	return s->keywords[SMTP_CLIENT] != s->keywords[SMTP_SERVER] || s->size_limit != 0 || server_is_to_greet(s) ||
	    opening_is_undecided(s);
}

/* PIPELINING was hidden, or offered for a server that lacks it: it gets one command at a time. */
bool
verdicts_one_by_one(const struct session *s)
{
	return smtp_keyword_in(s->keywords[SMTP_SERVER] ^ s->keywords[SMTP_CLIENT], SMTP_KEYWORD_PIPELINING) &&
	    s->server == SERVER_OPEN && !s->from[SMTP_SERVER].eof;
}

/* Something is on its way that must be answered before the next command may go. */
static bool
is_occupied(struct session *s)
{
	return verdicts_one_by_one(s) && (s->injections.len > 0 || smtp_dialogue_server_owes(&s->dialogue));
}

/*
 * Whether no unit of the client's may be taken up yet. The server is not talked to before it has
 * greeted (RFC 5321 4.3.1), although the client was; nor is anything said for it before the rules at
 * `connect` have decided whether there will be one.
 */
bool
verdicts_wait(struct session *s)
{
	bool unheard = s->unplain > 0 && server_is_to_greet(s) && s->server == SERVER_OPEN && !s->from[SMTP_SERVER].eof;

	if (opening_is_undecided(s) || rewriting_waits(s))
		return true;
	/* The rest of a line is no command: without it the server cannot answer. */
	return (unheard || (is_occupied(s) && smtp_dialogue_between_commands(&s->dialogue))) &&
	    smtp_dialogue_place(&s->dialogue, SMTP_CLIENT, NULL) == SMTP_COMMANDS;
}

/* Whether this command must wait, for its rule has sent the server others in front of it. */
bool
verdicts_wait_for(struct session *s, const struct passage *p)
{
	return p->unit.type == SMTP_UNIT_COMMAND && !p->dropped && p->reply == NULL && !p->held && is_occupied(s);
}

/* The server's connection is closed inside the content: it discards the message (RFC 5321 4.1.1.4). */
void
verdicts_leave_server(struct session *s)
{
	if (s->server != SERVER_OPEN)
		return;
	withheld_forget(s);
	put_end(s, SMTP_SERVER, END_FIN);
	s->plan->drain[SMTP_SERVER] = true;
	s->server = SERVER_LEFT;
	smtp_dialogue_server_gone(&s->dialogue);
}

/*
 * A rule answered the end of content that the server has begun to get. Where the BDAT that says
 * LAST was withheld RSET takes all back; everything else only leaving.
 */
void
verdicts_content_end_answered(struct session *s, bool by_count)
{
	bool held = rewriting_holds_command(s);

	if (!by_count || (s->content_way != CONTENT_WITHHELD && !held)) {
		verdicts_leave_server(s);
		return;
	}
	withheld_forget(s);
	rewriting_forgets_command(s, s->content);
	if (s->content != NULL)
		s->content->swallowed += s->dialogue.content.wire;
	s->content_way = CONTENT_FORWARDED;
	put_octets(s, SMTP_SERVER, VIEW("RSET\r\n"));
	event_injected(s, VIEW("RSET"), ORIGIN_PROXY);
	if (smtp_dialogue_inserted(&s->dialogue, SMTP_RSET, s->now_us, NULL) != NULL)
		s->unplain++;
}

void
forged_tell(struct session *s, struct smtp_exchange *e, struct view octets, uint16_t code,
    enum event_origin origin)
{
	struct note *note = e->note;
	struct smtp_reply reply;
	struct event_reply_of r = {.of = e, .reply = &reply, .origin = origin, .delivered = true,
	    .latency_us = EVENT_NO_LATENCY};

	smtp_reply_parse(octets, &reply);
	if (code == 0)
		code = reply.code;
	if (e->kind == SMTP_CONTENT_DONE && s->dialogue.lmtp && note != NULL && note->transaction != NULL)
		r.recipient = transaction_peek_final(note->transaction, COLUMN_CLIENT);
	event_reply(s, &r);
	if (e->kind == SMTP_COMMAND && e->verb == SMTP_STARTTLS)
		s->wire_kind = code == 220 ? WIRE_STARTTLS : WIRE_STARTTLS_REFUSED;
	put_octets(s, SMTP_CLIENT, octets);
	s->wire_kind = WIRE_SMTP;
	client_told(s, e, &reply, NULL);
	smtp_dialogue_answered(&s->dialogue, e->serial, code);
}

/* LMTP: recipients whom only a rule accepted get their final reply from the proxy, in their place. */
void
verdicts_lmtp_missing(struct session *s, struct smtp_exchange *e)
{
	struct note *note = e->note;
	uint64_t serial = e->serial;
	struct recipient *r;

	if (note == NULL || note->transaction == NULL || note->transaction->unlisted > 0)
		return;
	while (e != NULL && e->client_is_owed > 0 &&
	    (r = transaction_peek_final(note->transaction, COLUMN_CLIENT)) != NULL && r->server_code / 100 != 2) {
		forged_tell(s, e, VIEW("451 4.3.0 The server did not accept this recipient\r\n"), 451, ORIGIN_PROXY);
		e = smtp_queue_find(&s->dialogue.queue, serial);
	}
}

/* Forged replies, each when everything in front of it has been answered (law 2). */
void
forged_go_out(struct session *s)
{
	struct smtp_exchange *e;

	if (s->forged == 0 && !s->dialogue.lmtp)
		return;
	while (!s->over && !(securing_holds_replies(s) && !s->forced) &&
	    (e = smtp_dialogue_turn(&s->dialogue)) != NULL) {
		struct note *note = e->note;
		struct view octets;

		if (note == NULL || note->forged == NULL) {
			if (e->kind != SMTP_CONTENT_DONE || !s->dialogue.lmtp || e->server_code == 0)
				return;
			verdicts_lmtp_missing(s, e);
			if (smtp_dialogue_turn(&s->dialogue) == e)
				return;
			continue;
		}
		octets = arena_copy(s->config->arena, (struct view){note->forged, note->forged_len});
		if (e->client_is_owed == 1)
			note_forget_forged(s, note);
		if (e->kind == SMTP_ASIDE) {
			event_injected_reply(s, octets);
			put_octets(s, SMTP_CLIENT, octets);
			smtp_dialogue_answered(&s->dialogue, e->serial, 0);
		} else {
			forged_tell(s, e, octets, note->forged_code, note->forged_origin);
		}
	}
}
