/* SPDX-License-Identifier: MIT */
/*
 * Counting events. Totals need no memory; of a session something is kept only while it is open, and
 * only where lines about sessions are wanted.
 */
#include "proxy/outputs/summary.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proxy/outputs/escape.h"
#include "proxy/outputs/rfc3339.h"

#define BUCKETS 1024u           /* of open sessions, by number */
#define HOWS    16              /* ways to close; smtpscope(1) has eleven */

static const char *const fate_names[] = {"accepted", "deferred", "refused", "without a final reply"};

struct open_session {
	struct open_session *next;
	uint64_t             number, began_us;
	char                *client, *server;   /* escaped */
	uint64_t             messages[FATES];
	uint64_t             findings;
	enum finding         worst;             /* the first of the highest severity, if there were any */
};

struct rule_count {
	char    *rule;
	bool     reached;
	uint64_t matched, skipped, acted;
};

struct summary {
	uint64_t sessions, closed;
	struct {
		char     how[16];       /* empty: none */
		uint64_t count;
	} hows[HOWS];
	uint64_t first_us, last_us;
	uint64_t messages[FATES], content_octets;
	uint64_t unlike;                        /* messages where the server said otherwise */
	uint64_t commands, kept, changed, injected;
	uint64_t severities[10];                /* replies by their first digit, 0: without a code */
	uint64_t by_rule, by_proxy, undelivered;
	uint64_t octets[2], encrypted[2];
	uint64_t findings[FINDING_COUNT];
	struct rule_count   *rules;
	size_t               rule_count, rules_size;
	FILE                *sessions_to;       /* NULL: no lines about sessions */
	struct open_session *open[BUCKETS];
};

static void *
or_abort(void *at)
{
	if (at == NULL)
		abort();
	return at;
}

struct summary *
summary_new(void)
{
	return or_abort(calloc(1, sizeof(struct summary)));
}

static void
session_free(struct open_session *session)
{
	free(session->client);
	free(session->server);
	free(session);
}

void
summary_free(struct summary *summary)
{
	if (summary == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (summary->open[i] != NULL) {
			struct open_session *next = summary->open[i]->next;

			session_free(summary->open[i]);
			summary->open[i] = next;
		}
	}
	for (size_t i = 0; i < summary->rule_count; i++)
		free(summary->rules[i].rule);
	free(summary->rules);
	free(summary);
}

void
summary_sessions_to(struct summary *summary, FILE *out)
{
	summary->sessions_to = out;
}

/* Where the pointer to the session is, or would be. */
static struct open_session **
session_at(struct summary *summary, uint64_t number)
{
	struct open_session **at = &summary->open[number % BUCKETS];

	while (*at != NULL && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

static char *
escaped(struct view octets)
{
	struct buffer text = {NULL, 0, 0};

	escape_words(&text, octets);
	buffer_char(&text, '\0');
	return text.at;
}

static void
session_open(struct summary *summary, const struct event *event)
{
	struct open_session **at = session_at(summary, event->session), *session;

	if (summary->sessions_to == NULL || *at != NULL)
		return;
	session = or_abort(calloc(1, sizeof(*session)));
	session->number = event->session;
	session->began_us = event->time_us;
	session->client = escaped(event->as.open.client);
	session->server = escaped(event->as.open.server);
	*at = session;
}

static void
print_count(FILE *out, uint64_t count, const char *one, const char *many)
{
	fprintf(out, "%" PRIu64 " %s", count, count == 1 ? one : many);
}

static void
print_fates(FILE *out, const uint64_t *messages)
{
	const char *before = "";

	for (int fate = 0; fate < FATES; fate++) {
		if (messages[fate] == 0)
			continue;
		fprintf(out, "%s%" PRIu64 " %s", before, messages[fate], fate_names[fate]);
		before = ", ";
	}
	if (*before == '\0')
		fputs("none", out);
}

/* One session on one line, what has a width first. */
static void
session_line(const struct open_session *session, const struct event *event, FILE *out)
{
	struct buffer began = {NULL, 0, 0};

	flockfile(out);         /* other workers' sessions end too */
	rfc3339_put(&began, session->began_us);
	fprintf(out, "#%-5" PRIu64 " %.*s %9.3f s  %-11s  %s -> %s; ", session->number, (int)began.len, began.at,
	    (double)event->as.close.duration_us / 1e6, event->as.close.how, session->client, session->server);
	buffer_free(&began);
	print_count(out, event->as.close.commands, "command", "commands");
	fputs("; messages: ", out);
	print_fates(out, session->messages);
	if (session->findings > 0) {
		const struct finding_entry *worst = finding_entry(session->worst);

		fprintf(out, "; findings: %" PRIu64 ", worst %s %s", session->findings,
		    finding_severity_name(worst->severity), worst->id);
	}
	fputc('\n', out);
	fflush(out);
	funlockfile(out);
}

static void
session_close(struct summary *summary, const struct event *event)
{
	struct open_session **at = session_at(summary, event->session), *session = *at;

	if (session == NULL)
		return;
	if (summary->sessions_to != NULL)
		session_line(session, event, summary->sessions_to);
	*at = session->next;
	session_free(session);
}

static void
count_how(struct summary *summary, const char *how, uint64_t count)
{
	size_t i = 0;

	while (i < HOWS - 1 && summary->hows[i].count > 0 && strcmp(summary->hows[i].how, how) != 0)
		i++;
	if (summary->hows[i].count == 0)
		snprintf(summary->hows[i].how, sizeof(summary->hows[i].how), "%s", how);
	summary->hows[i].count += count;
}

static void
count_close(struct summary *summary, const struct event *event)
{
	summary->closed++;
	for (int side = 0; side < 2; side++) {
		summary->octets[side] += event->as.close.octets[side];
		summary->encrypted[side] += event->as.close.encrypted[side];
	}
	count_how(summary, event->as.close.how, 1);
}

static void
count_command(struct summary *summary, const struct event *event)
{
	summary->commands++;
	summary->injected += event->as.command.origin != ORIGIN_PEER;
	summary->kept += !event->as.command.forwarded;
	summary->changed += event->as.command.forwarded && event->as.command.forwarded_line.at != NULL;
}

static void
count_reply(struct summary *summary, const struct event *event)
{
	uint16_t digit = event->as.reply.reply.code / 100;

	summary->severities[digit < 10 ? digit : 0]++;
	summary->by_rule += event->as.reply.origin == ORIGIN_RULE;
	summary->by_proxy += event->as.reply.origin == ORIGIN_PROXY;
	summary->undelivered += !event->as.reply.delivered;
}

static void
count_message(struct summary *summary, const struct event *event)
{
	uint16_t code = event->as.message.code, server = event->as.message.server_code;
	struct open_session *session = *session_at(summary, event->session);
	enum summary_fate fate = code / 100 == 2 ? FATE_ACCEPTED : code / 100 == 4 ? FATE_DEFERRED :
	    code != 0 ? FATE_REFUSED : FATE_UNANSWERED;

	summary->messages[fate]++;
	summary->content_octets += event->as.message.octets;
	summary->unlike += server != 0 && server / 100 != code / 100;
	if (session != NULL)
		session->messages[fate]++;
}

static void
count_finding(struct summary *summary, const struct event *event)
{
	struct open_session *session = *session_at(summary, event->session);
	enum finding finding = event->as.finding.finding;

	summary->findings[finding]++;
	if (session == NULL)
		return;
	if (session->findings++ == 0 || finding_entry(finding)->severity > finding_entry(session->worst)->severity)
		session->worst = finding;
}

static void
count_rule(struct summary *summary, const struct event *event)
{
	struct rule_count *count;

	if (summary->rule_count == summary->rules_size) {
		summary->rules_size = summary->rules_size == 0 ? 16 : summary->rules_size * 2;
		summary->rules = or_abort(realloc(summary->rules, summary->rules_size * sizeof(*summary->rules)));
	}
	count = &summary->rules[summary->rule_count++];
	count->rule = escaped(view_of(event->as.rule_summary.rule));
	count->reached = event->as.rule_summary.reached;
	count->matched = event->as.rule_summary.matched;
	count->skipped = event->as.rule_summary.skipped;
	count->acted = event->as.rule_summary.acted;
}

static void
put(void *to, const struct event *event)
{
	struct summary *summary = to;

	if (summary->first_us == 0 && event->type != EVENT_RULE_SUMMARY)
		summary->first_us = event->time_us;
	if (event->type != EVENT_RULE_SUMMARY && event->time_us > summary->last_us)
		summary->last_us = event->time_us;
	switch (event->type) {
	case EVENT_OPEN:
		summary->sessions++;
		session_open(summary, event);
		break;
	case EVENT_COMMAND:
		count_command(summary, event);
		break;
	case EVENT_REPLY:
		count_reply(summary, event);
		break;
	case EVENT_MESSAGE:
		count_message(summary, event);
		break;
	case EVENT_FINDING:
		count_finding(summary, event);
		break;
	case EVENT_CLOSE:
		count_close(summary, event);
		session_close(summary, event);
		break;
	case EVENT_RULE_SUMMARY:
		count_rule(summary, event);
		break;
	default:
		break;
	}
}

struct event_sink
summary_sink(struct summary *summary)
{
	return (struct event_sink){.put = put, .to = summary, .counts_only = true};
}

int
summary_worst_finding(const struct summary *summary)
{
	int worst = -1;

	for (int i = 0; i < FINDING_COUNT; i++) {
		if (summary->findings[i] > 0 && (int)finding_entry((enum finding)i)->severity > worst)
			worst = (int)finding_entry((enum finding)i)->severity;
	}
	return worst;
}

static void
add_all(uint64_t *to, const uint64_t *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] += from[i];
}

void
summary_add(struct summary *summary, const struct summary *other)
{
	summary->sessions += other->sessions;
	summary->closed += other->closed;
	for (size_t i = 0; i < HOWS && other->hows[i].count > 0; i++)
		count_how(summary, other->hows[i].how, other->hows[i].count);
	if (other->first_us != 0 && (summary->first_us == 0 || other->first_us < summary->first_us))
		summary->first_us = other->first_us;
	if (other->last_us > summary->last_us)
		summary->last_us = other->last_us;
	add_all(summary->messages, other->messages, FATES);
	summary->content_octets += other->content_octets;
	summary->unlike += other->unlike;
	summary->commands += other->commands;
	summary->kept += other->kept;
	summary->changed += other->changed;
	summary->injected += other->injected;
	add_all(summary->severities, other->severities, 10);
	summary->by_rule += other->by_rule;
	summary->by_proxy += other->by_proxy;
	summary->undelivered += other->undelivered;
	add_all(summary->octets, other->octets, 2);
	add_all(summary->encrypted, other->encrypted, 2);
	add_all(summary->findings, other->findings, FINDING_COUNT);
}

void
summary_total(const struct summary *summary, struct summary_totals *totals)
{
	*totals = (struct summary_totals){.sessions = summary->sessions, .closed = summary->closed,
	    .commands = summary->commands, .replies_by_rule = summary->by_rule,
	    .octets = {summary->octets[0], summary->octets[1]}};
	memcpy(totals->replies, summary->severities, sizeof totals->replies);
	memcpy(totals->messages, summary->messages, sizeof totals->messages);
	for (int i = 0; i < FINDING_COUNT; i++)
		totals->findings[finding_entry((enum finding)i)->severity] += summary->findings[i];
}

void
summary_totals_add(struct summary_totals *totals, const struct summary_totals *others)
{
	totals->sessions += others->sessions;
	totals->closed += others->closed;
	totals->commands += others->commands;
	add_all(totals->replies, others->replies, 10);
	totals->replies_by_rule += others->replies_by_rule;
	add_all(totals->messages, others->messages, FATES);
	add_all(totals->octets, others->octets, 2);
	add_all(totals->findings, others->findings, 4);
}

/* "; 3 kept from the server", of what was said before: what is 0 is not worth a word. */
static void
print_some(FILE *out, uint64_t count, const char *what)
{
	if (count > 0)
		fprintf(out, "; %" PRIu64 " %s", count, what);
}

static void
print_totals(const struct summary *summary, FILE *out)
{
	const char *before = "";

	fprintf(out, "  messages  ");
	print_fates(out, summary->messages);
	print_some(out, summary->unlike, "where the server said otherwise");
	fprintf(out, "; %" PRIu64 " octets\n  commands  %" PRIu64, summary->content_octets, summary->commands);
	print_some(out, summary->kept, "kept from the server");
	print_some(out, summary->changed, "changed by rules");
	print_some(out, summary->injected, "made by rules");
	fputs("\n  replies   ", out);
	for (int digit = 1; digit < 10; digit++) {
		if (summary->severities[digit] == 0)
			continue;
		fprintf(out, "%s%" PRIu64 " of %dyz", before, summary->severities[digit], digit);
		before = ", ";
	}
	if (*before == '\0')
		fputs("0", out);
	print_some(out, summary->severities[0], "without a code");
	print_some(out, summary->by_rule, "by rules");
	print_some(out, summary->by_proxy, "by the proxy");
	print_some(out, summary->undelivered, "not delivered");
	fprintf(out, "\n  octets    %" PRIu64 " of clients, %" PRIu64 " of servers", summary->octets[0],
	    summary->octets[1]);
	print_some(out, summary->encrypted[0] + summary->encrypted[1], "not decoded");
	fputc('\n', out);
}

/* The gravest first; of one severity in the order of the table. */
static void
print_findings(const struct summary *summary, FILE *out)
{
	if (summary_worst_finding(summary) < 0)
		return;
	fputs("  findings\n", out);
	for (int severity = FINDING_ERROR; severity >= FINDING_INFO; severity--) {
		for (int i = 0; i < FINDING_COUNT; i++) {
			const struct finding_entry *entry = finding_entry((enum finding)i);

			if (summary->findings[i] > 0 && (int)entry->severity == severity)
				fprintf(out, "    %-7s  %-18s %8" PRIu64 "  %s\n",
				    finding_severity_name(entry->severity), entry->id, summary->findings[i],
				    entry->line);
		}
	}
}

/* Columns that UTF-8 takes on a terminal, but for wide characters. */
static int
columns(const char *text)
{
	int count = 0;

	for (; *text != '\0'; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

/* Names are of the user's choice: the column is as wide as the widest, within reason. */
static void
print_rules(const struct summary *summary, FILE *out)
{
	int width = 6;

	for (size_t i = 0; i < summary->rule_count; i++) {
		int name = columns(summary->rules[i].rule);

		if (name > width && name <= 60)
			width = name;
	}
	if (summary->rule_count > 0)
		fprintf(out, "  rules%*s   matched  skipped    acted\n", width - 2, "");
	for (size_t i = 0; i < summary->rule_count; i++) {
		const struct rule_count *rule = &summary->rules[i];
		int name = columns(rule->rule);

		fprintf(out, "    %s%*s  %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "%s\n", rule->rule,
		    name < width ? width - name : 0, "", rule->matched, rule->skipped, rule->acted,
		    !rule->reached ? "  never reached" : rule->matched == 0 ? "  never matched" : "");
	}
}

void
summary_print(const struct summary *summary, FILE *out)
{
	print_count(out, summary->sessions, "session", "sessions");
	fprintf(out, " in %.3f s", (double)(summary->last_us - summary->first_us) / 1e6);
	for (size_t i = 0; i < HOWS && summary->hows[i].count > 0; i++)
		fprintf(out, "%s%" PRIu64 " %s", i == 0 ? ": " : ", ", summary->hows[i].count, summary->hows[i].how);
	print_some(out, summary->sessions - summary->closed, "still open");
	fputc('\n', out);
	if (summary->sessions > 0)
		print_totals(summary, out);
	print_findings(summary, out);
	print_rules(summary, out);
}
