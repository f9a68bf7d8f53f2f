/* SPDX-License-Identifier: MIT */
/* What ctl is answered, as text and as JSON: a line an object. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/control/control.h"
#include "proxy/near.h"
#include "proxy/outputs/escape.h"
#include "proxy/outputs/json_value.h"

static void
say_escaped(struct buffer *out, struct view octets)
{
	buffer_char(out, '"');
	escape_octets(out, octets);
	buffer_char(out, '"');
}

static void
end_row(struct buffer *out)
{
	json_close(out, '}');
	buffer_char(out, '\n');
}

static void
rule_as_json(struct buffer *out, const struct rules_count *count)
{
	json_open(out, NULL, '{');
	json_word(out, "rule", count->rule);
	json_word(out, "at", count->at);
	json_bool(out, "enabled", count->enabled);
	json_count(out, "fires", count->fires);
	json_bool(out, "reached", count->reached);
	json_count(out, "matched", count->matched);
	json_count(out, "skipped", count->skipped);
	json_count(out, "acted", count->acted);
	json_word(out, "expect", count->expected ? count->expectation : NULL);
	if (count->expected)
		json_bool(out, "met", count->met);
	else
		json_null(out, "met");
	end_row(out);
}

static void
rule_as_text(struct buffer *out, const struct rules_count *count)
{
	buffer_printf(out, "%8" PRIu64 " %8" PRIu64 " %8" PRIu64 "  %-8s  ", count->matched, count->skipped,
	    count->acted, count->enabled ? "enabled" : "disabled");
	say_escaped(out, view_of(count->rule));
	buffer_printf(out, "  %s", count->at);
	if (count->fires > 0)
		buffer_printf(out, "; to act at its next %s", count->fires == 1 ? "match" : "matches");
	if (count->fires > 1)
		buffer_printf(out, " (%u)", count->fires);
	if (count->expected)
		buffer_printf(out, "; expected %s: %s", count->expectation, count->met ? "met" : "not met");
	if (!count->reached)
		buffer_printf(out, "; never reached");
	buffer_char(out, '\n');
}

static void
answer_rules(struct control_answer *a)
{
	const struct rulebook *rulebook = proxy_rulebook(a->proxy);
	size_t rules = ruleset_count(rulebook->rules);

	if (!a->json)
		buffer_printf(&a->text, rules == 0 ? "no rules\n" : " matched  skipped    acted  state     rule\n");
	for (size_t i = 0; i < rules; i++) {
		struct rules_count count;

		rules_state_count(rulebook->state, i, &count);
		if (a->json)
			rule_as_json(&a->text, &count);
		else
			rule_as_text(&a->text, &count);
	}
}

static void
no_such_rule(struct control_answer *a, const struct ruleset *rules, const char *name)
{
	size_t count = ruleset_count(rules);
	const char **names = calloc(count + 1, sizeof *names), *near;

	if (names == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		names[i] = ruleset_name(rules, i);
	near = near_word(view_of(name), names, count);
	free(names);
	buffer_printf(&a->text, "smtpscope: there is no rule ");
	say_escaped(&a->text, view_of(name));
	if (near != NULL) {
		buffer_printf(&a->text, " (did you mean ");
		say_escaped(&a->text, view_of(near));
		buffer_printf(&a->text, "?)\n");
	} else if (count == 0)
		buffer_printf(&a->text, ": the proxy has no rules\n");
	else
		buffer_printf(&a->text, "; 'rules' in its place lists them\n");
	a->code = EXIT_FAILED;
}

static void
answer_switch(struct control_answer *a, enum control_word word, const char *name)
{
	const struct rulebook *rulebook = proxy_rulebook(a->proxy);
	size_t rule = ruleset_find(rulebook->rules, view_of(name));
	struct buffer said = {0};
	struct rules_count count;

	if (rule == RULES_NONE_SUCH) {
		no_such_rule(a, rulebook->rules, name);
		return;
	}
	if (word != CONTROL_FIRE)
		rules_state_enable(rulebook->state, rule, word == CONTROL_ENABLE);
	else if (!rules_state_fire(rulebook->state, rule)) {
		buffer_printf(&a->text, "smtpscope: rule ");
		say_escaped(&a->text, view_of(name));
		buffer_printf(&a->text, " has no action, only an expect: there is nothing to fire\n");
		a->code = EXIT_FAILED;
		return;
	}
	say_escaped(&said, view_of(name));
	buffer_printf(&said, word == CONTROL_FIRE ? " acts at its next match\n" :
	    word == CONTROL_ENABLE ? " is enabled\n" : " is disabled\n");
	/* Who reads the events later wants to know why a rule did what it did. */
	if (!a->quiet)
		fprintf(stderr, "smtpscope: ctl: rule %.*s", (int)said.len, said.at);
	rules_state_count(rulebook->state, rule, &count);
	if (a->json)
		rule_as_json(&a->text, &count);
	else
		buffer_put(&a->text, (struct view){said.at, said.len});
	buffer_free(&said);
}

/* A session's line, and its number to sort by. */
struct row {
	uint64_t      number;
	struct buffer line;
};

static void
session_as_json(struct buffer *out, const struct session_glance *g, uint64_t now_us)
{
	json_open(out, NULL, '{');
	json_count(out, "session", g->number);
	json_octets(out, "client", g->client);
	json_octets(out, "server", g->server);
	json_time(out, "since", g->opened_us);
	json_ms(out, "duration_ms", (int64_t)(now_us - g->opened_us));
	json_octets(out, "helo", g->helo);
	json_octets(out, "user", g->user);
	json_bool(out, "tls", g->tls);
	json_count(out, "commands", g->commands);
	json_count(out, "replies", g->replies);
	json_count(out, "messages", g->messages);
	json_open(out, "octets", '{');
	json_count(out, "client", g->octets[SMTP_CLIENT]);
	json_count(out, "server", g->octets[SMTP_SERVER]);
	json_close(out, '}');
	json_octets(out, "awaited", g->awaited);
	if (g->awaited.at != NULL && g->awaited_us != 0)
		json_ms(out, "awaited_ms", (int64_t)(now_us - g->awaited_us));
	else
		json_null(out, "awaited_ms");
	end_row(out);
}

static void
session_as_text(struct buffer *out, const struct session_glance *g, uint64_t now_us)
{
	buffer_printf(out, "%-8" PRIu64 " %10.3f s %8" PRIu64 " %8" PRIu64 "  %.*s -> %.*s", g->number,
	    (double)(now_us - g->opened_us) / 1e6, g->commands, g->messages, (int)g->client.len, g->client.at,
	    (int)g->server.len, g->server.at);
	if (g->helo.at != NULL) {
		buffer_printf(out, ", ");
		escape_octets(out, g->helo);
	}
	if (g->user.at != NULL) {
		buffer_printf(out, " as ");
		say_escaped(out, g->user);
	}
	buffer_printf(out, g->tls ? ", TLS" : "");
	if (g->awaited.at != NULL) {
		buffer_printf(out, "; the server is to answer ");
		escape_octets(out, g->awaited);
		if (g->awaited_us != 0)
			buffer_printf(out, " since %.3f s", (double)(now_us - g->awaited_us) / 1e6);
	}
	buffer_char(out, '\n');
}

static int
by_number(const void *left, const void *right)
{
	const struct row *l = left, *r = right;

	return l->number < r->number ? -1 : l->number > r->number;
}

static void
sessions_done(struct control_answer *a)
{
	struct row *row = (struct row *)(void *)a->rows.at;
	size_t count = a->rows.len / sizeof *row;

	if (count > 0)
		qsort(row, count, sizeof *row, by_number);
	if (!a->json)
		buffer_printf(&a->text, count == 0 ? "no sessions\n" :
		    "session       age      commands messages  client -> server\n");
	for (size_t i = 0; i < count; i++) {
		buffer_put(&a->text, (struct view){row[i].line.at, row[i].line.len});
		buffer_free(&row[i].line);
	}
	buffer_free(&a->rows);
	a->done(a);
}

static void
take_session(void *to, const struct session_glance *glance)
{
	struct control_answer *a = to;
	struct row row = {0};

	if (glance == NULL) {
		sessions_done(a);
		return;
	}
	row.number = glance->number;
	if (a->json)
		session_as_json(&row.line, glance, proxy_now(a->proxy));
	else
		session_as_text(&row.line, glance, proxy_now(a->proxy));
	buffer_put(&a->rows, (struct view){(const char *)&row, sizeof row});
}

static void
close_done(void *to, bool found)
{
	struct control_answer *a = to;

	if (!found) {
		buffer_printf(&a->text, "smtpscope: there is no session %" PRIu64 " that goes on\n", a->number);
		a->code = EXIT_FAILED;
	} else if (a->json) {
		json_open(&a->text, NULL, '{');
		json_count(&a->text, "session", a->number);
		json_bool(&a->text, "closed", true);
		end_row(&a->text);
	} else
		buffer_printf(&a->text, "session %" PRIu64 " is closed\n", a->number);
	a->done(a);
}

static void
answer_close(struct control_answer *a, const char *operand)
{
	size_t digits = strspn(operand, "0123456789");

	if (digits == 0 || digits > 19 || operand[digits] != '\0') {
		buffer_printf(&a->text, "smtpscope: ctl close: ");
		say_escaped(&a->text, view_of(operand));
		buffer_printf(&a->text, " is not the number of a session; 'sessions' lists those that go on\n");
		a->code = EXIT_USAGE;
		a->done(a);
		return;
	}
	a->number = strtoull(operand, NULL, 10);
	proxy_close(a->proxy, a->number, "closed by ctl", close_done, a);
}

static void
stats_as_json(struct buffer *out, const struct proxy_stats *stats, uint64_t now_us)
{
	static const char *const fates[] = {"accepted", "deferred", "refused", "unanswered"};
	const struct summary_totals *t = &stats->totals;

	json_open(out, NULL, '{');
	json_time(out, "since", stats->since_us);
	json_ms(out, "duration_ms", (int64_t)(now_us - stats->since_us));
	json_open(out, "sessions", '{');
	json_count(out, "open", stats->open);
	json_count(out, "begun", t->sessions);
	json_count(out, "ended", t->closed);
	json_count(out, "turned_away", stats->turned_away);
	json_close(out, '}');
	json_count(out, "commands", t->commands);
	json_open(out, "replies", '{');
	for (unsigned i = 2; i <= 5; i++)
		json_count(out, (const char[]){(char)('0' + i), 'y', 'z', '\0'}, t->replies[i]);
	json_count(out, "by_rule", t->replies_by_rule);
	json_close(out, '}');
	json_open(out, "messages", '{');
	for (unsigned i = 0; i < FATES; i++)
		json_count(out, fates[i], t->messages[i]);
	json_close(out, '}');
	json_open(out, "findings", '{');
	for (unsigned i = FINDING_INFO; i <= FINDING_ERROR; i++)
		json_count(out, finding_severity_name((enum finding_severity)i), t->findings[i]);
	json_close(out, '}');
	json_open(out, "octets", '{');
	json_count(out, "client", t->octets[SMTP_CLIENT]);
	json_count(out, "server", t->octets[SMTP_SERVER]);
	json_close(out, '}');
	end_row(out);
}

static void
stats_as_text(struct buffer *out, const struct proxy_stats *stats, uint64_t now_us)
{
	const struct summary_totals *t = &stats->totals;

	buffer_printf(out, "running   %.3f s\n", (double)(now_us - stats->since_us) / 1e6);
	buffer_printf(out, "sessions  %" PRIu64 " open, %" PRIu64 " begun, %" PRIu64 " ended, %" PRIu64 " turned away\n",
	    stats->open, t->sessions, t->closed, stats->turned_away);
	buffer_printf(out, "commands  %" PRIu64 "\n", t->commands);
	buffer_printf(out, "replies   %" PRIu64 " of 2yz, %" PRIu64 " of 3yz, %" PRIu64 " of 4yz, %" PRIu64
	    " of 5yz; %" PRIu64 " by rules\n", t->replies[2], t->replies[3], t->replies[4], t->replies[5],
	    t->replies_by_rule);
	buffer_printf(out, "messages  %" PRIu64 " accepted, %" PRIu64 " deferred, %" PRIu64 " refused, %" PRIu64
	    " without a final reply\n", t->messages[FATE_ACCEPTED], t->messages[FATE_DEFERRED],
	    t->messages[FATE_REFUSED], t->messages[FATE_UNANSWERED]);
	buffer_printf(out, "findings  %" PRIu64 " errors, %" PRIu64 " warnings, %" PRIu64 " notes, %" PRIu64 " infos\n",
	    t->findings[FINDING_ERROR], t->findings[FINDING_WARNING], t->findings[FINDING_NOTE],
	    t->findings[FINDING_INFO]);
	buffer_printf(out, "octets    %" PRIu64 " of clients, %" PRIu64 " of servers, in sessions that have ended\n",
	    t->octets[SMTP_CLIENT], t->octets[SMTP_SERVER]);
}

static void
take_stats(void *to, const struct proxy_stats *stats)
{
	struct control_answer *a = to;

	if (a->json)
		stats_as_json(&a->text, stats, proxy_now(a->proxy));
	else
		stats_as_text(&a->text, stats, proxy_now(a->proxy));
	a->done(a);
}

void
control_answer_clear(struct control_answer *a)
{
	struct row *row = (struct row *)(void *)a->rows.at;

	for (size_t i = 0; i < a->rows.len / sizeof *row; i++)
		buffer_free(&row[i].line);
	buffer_free(&a->rows);
	buffer_free(&a->text);
}

void
control_ask(struct control_answer *a, enum control_word word, const char *operand)
{
	switch (word) {
	case CONTROL_SESSIONS:
		proxy_sessions(a->proxy, take_session, a);
		return;
	case CONTROL_CLOSE:
		answer_close(a, operand);
		return;
	case CONTROL_RULES:
		answer_rules(a);
		break;
	case CONTROL_STATS:
		proxy_stats(a->proxy, take_stats, a);
		return;
	case CONTROL_ENABLE:
	case CONTROL_DISABLE:
	case CONTROL_FIRE:
		answer_switch(a, word, operand);
		break;
	case CONTROL_WORD_COUNT:
		break;
	}
	a->done(a);
}
