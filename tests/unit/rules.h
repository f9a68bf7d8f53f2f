/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the rules share: rules out of a text, a unit put to them, and their
 * verdict as a line that can be compared. Facts are those of one session; a test changes
 * what it is about.
 */
#ifndef TESTS_UNIT_RULES_H
#define TESTS_UNIT_RULES_H

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>

#include "proxy/rules/ruleset.h"
#include "tests/unit/edge.h"

struct trial {
	struct ruleset     *rules;
	struct rules_state *state;
	struct rules_run    run;
	struct arena        arena;
	struct rules_facts  facts;
	struct sockaddr_in  client;
	struct view         recipients[2];
	uint32_t            findings[FINDING_COUNT];
	struct verdict      verdict;
	char                said[4096]; /* the verdict as a line */
};

/* Loads rules from a text; what is said about them goes to *told (owned by the caller), may be NULL. */
static inline struct ruleset *
rules_of(const char *text, size_t len, char **told)
{
	struct source source;
	struct ruleset *rules;
	size_t size;
	char *words = NULL;
	FILE *file = open_memstream(&words, &size);

	source_take(&source, "t.rules", (struct view){text, len});
	rules = ruleset_parse(&source, 1);
	source_tell(&source, file);
	source_free(&source);
	fclose(file);
	if (told != NULL)
		*told = words;
	else
		free(words);
	return rules;
}

static inline void
trial_begin(struct trial *t, const char *text, uint64_t seed)
{
	char *told;

	memset(t, 0, sizeof *t);
	t->rules = rules_of(text, strlen(text), &told);
	ck_assert_msg(t->rules != NULL, "%s", told);
	free(told);
	t->state = rules_state_new(t->rules, seed);
	rules_run_init(&t->run, t->rules, t->state, 5);
	arena_init(&t->arena);
	t->client.sin_family = AF_INET;
	inet_pton(AF_INET, "192.0.2.7", &t->client.sin_addr);
	t->recipients[0] = VIEW("bob@example.net");
	t->recipients[1] = VIEW("Carol@example.com");
	t->facts = (struct rules_facts){
	    .time_us = 1000000000, .client = (const struct sockaddr *)&t->client, .client_text = VIEW("192.0.2.7"),
	    .client_port = 40123, .server = VIEW("smtp://mx.example.net:25"), .listener = VIEW("smtp://127.0.0.1:2525"),
	    .number = 5, .commands = 4, .transactions = 1, .helo = VIEW("client.example.org"), .age_us = 2500000,
	    .sender = VIEW("ann@example.org"), .transaction_recipients = 3, .transaction_accepted = 2,
	    .latency_us = -1, .findings = t->findings};
}

static inline void
trial_end(struct trial *t)
{
	rules_run_clear(&t->run, 5);
	arena_clear(&t->arena);
	rules_state_free(t->state);
	ruleset_free(t->rules);
}

static inline void
say(struct trial *t, const char *words)
{
	size_t len = strlen(t->said);

	snprintf(t->said + len, sizeof t->said - len, "%s", words);
}

static inline void
say_octets(struct trial *t, struct view octets)
{
	char one[8];

	for (size_t i = 0; i < octets.len; i++) {
		unsigned char c = (unsigned char)octets.at[i];

		if (c == '\r' || c == '\n')
			say(t, c == '\r' ? "\\r" : "\\n");
		else {
			snprintf(one, sizeof one, c < ' ' || c > '~' ? "\\x%02x" : "%c", c);
			say(t, one);
		}
	}
}

static inline void
say_step(struct trial *t, const struct step *step)
{
	static const char *const names[] = {"delay", "hold", "reply", "drop", "close", "reset", "inject", "pace",
	    "truncate", "repeat", "change", "edit", "save", "log", "note"};
	static const char *const sides[] = {" both", " client", " server"};
	char number[60];

	say(t, t->said[0] != '\0' ? "; " : "");
	say(t, names[step->type]);
	if (step->type == STEP_CLOSE || step->type == STEP_RESET || step->type == STEP_INJECT ||
	    step->type == STEP_PACE)
		say(t, sides[step->which]);
	if (step->type == STEP_DELAY || step->type == STEP_REPLY) {
		snprintf(number, sizeof number, " %llu%s", step->type == STEP_DELAY ?
		    (unsigned long long)step->delay_us : step->code, step->raw ? " raw" : "");
		say(t, number);
	}
	if (step->type == STEP_TRUNCATE || step->type == STEP_REPEAT) {
		snprintf(number, sizeof number, " %llu", (unsigned long long)step->number);
		say(t, number);
	}
	if (step->type == STEP_PACE) {
		snprintf(number, sizeof number, " %llu/%llu%s", (unsigned long long)step->pace.octets,
		    (unsigned long long)step->pace.period_us, step->pace.spread ? " spread" : "");
		say(t, number);
	}
	if (step->octets.at != NULL)
		say(t, " ");
	say_octets(t, step->octets);
}

/* Puts a unit to the rules; the verdict in words: "-" where there is none. */
static inline const char *
trial_judge(struct trial *t, struct view unit)
{
	/* Octets against an unreadable page: nothing behind a unit may be looked at. */
	struct view edge = unit.at != NULL ? edge_copy(unit) : unit;
	bool acted;

	t->said[0] = '\0';
	if (t->facts.place == RULES_AT_COMMAND) {
		smtp_command_parse(smtp_line_text(edge), &t->facts.command);
		t->facts.has_command = true;
		t->facts.verb = t->facts.command.verb;
	} else if (t->facts.place == RULES_AT_REPLY && unit.at != NULL) {
		smtp_reply_parse(edge, &t->facts.reply);
		t->facts.has_reply = true;
	}
	if (t->facts.has_command && t->facts.command.verb == SMTP_RCPT) {
		t->facts.recipients = &t->facts.command.address;
		t->facts.recipient_count = 1;
	}
	if (t->facts.has_command && t->facts.command.verb == SMTP_MAIL)
		t->facts.sender = t->facts.command.address;
	acted = rules_judge(&t->run, &t->facts, edge, &t->arena, &t->verdict);
	for (size_t i = 0; acted && i < t->verdict.step_count; i++)
		say_step(t, &t->verdict.steps[i]);
	if (!acted)
		say(t, "-");
	if (acted && t->verdict.octets.at != NULL) {
		say(t, " => ");
		say_octets(t, t->verdict.octets);
	}
	if (unit.at != NULL)
		edge_free(edge);
	return t->said;
}

static inline const char *
trial_command(struct trial *t, const char *line)
{
	struct view unit = view_of(line);
	char *whole = malloc(unit.len + 2);
	const char *said;

	memcpy(whole, line, unit.len);
	memcpy(whole + unit.len, "\r\n", 2);
	t->facts.place = RULES_AT_COMMAND;
	said = trial_judge(t, (struct view){whole, unit.len + 2});
	free(whole);
	return said;
}

/* The reply to a command; to is that line, or "CONNECT", or "CONTENT". */
static inline const char *
trial_reply(struct trial *t, const char *to, const char *wire)
{
	t->facts.place = RULES_AT_REPLY;
	t->facts.has_command = false;
	memset(&t->facts.command, 0, sizeof t->facts.command);
	if (strcmp(to, "CONNECT") == 0) {
		t->facts.verb = RULES_VERB_CONNECT;
	} else if (strcmp(to, "CONTENT") == 0) {
		t->facts.verb = RULES_VERB_CONTENT;
		t->facts.recipients = t->recipients;
		t->facts.recipient_count = 2;
	} else {
		smtp_command_parse(view_of(to), &t->facts.command);
		t->facts.has_command = true;
		t->facts.verb = t->facts.command.verb;
	}
	return trial_judge(t, view_of(wire));
}

static inline const char *
trial_place(struct trial *t, enum rules_place place)
{
	t->facts.place = place;
	t->facts.verb = 0;
	t->facts.has_command = t->facts.has_reply = false;
	t->facts.recipient_count = 0;
	if (place == RULES_AT_CONTENT || place == RULES_AT_CONTENT_END) {
		t->facts.recipients = t->recipients;
		t->facts.recipient_count = 2;
		t->facts.content_octets = 4096;
	}
	return trial_judge(t, VIEW_NONE);
}

#endif
