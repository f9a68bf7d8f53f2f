/* SPDX-License-Identifier: MIT */
/*
 * Law of the one queue, with sessions and rules: random pipelined dialogues, in which each
 * command says by a word in its argument what a rule does to it ("NOOP keep-17"). So what both
 * ends must get can be written down when the command is said, without asking the session: each
 * reply in its place, each command once or as often as it should. Octets arrive when chance
 * has it, cut anywhere; at the end of many sessions a rule cuts, holds, closes or resets.
 *
 * SMTPSCOPE_SEED=n runs one seed, SMTPSCOPE_LONG=1 a hundred thousand.
 */
#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/ordering_wire.h"
#include "tests/unit/rules.h"

#define MOST 400

static const char *const verbs[] = {"MAIL", "RCPT", "RSET", "NOOP", "VRFY", "XYZZY"};
#define VERBS 6u

/* A word, where its rule stands, and what that does. */
static const struct {
	const char *word;
	bool        at_reply;
	const char *actions;
} fates[] = {
    {"keep", false, "reply 250 2.0.0 \"f %{line}\""},
    {"late", false, "delay 3ms reply 550 5.0.0 \"f %{line}\""},
    {"raw", false, "reply raw \"451-f\\r\\n451 f %{line}\\r\\n\""},
    {"drop", false, "drop"},
    {"wait", false, "delay 1ms..5ms"},
    {"change", false, "set argument \"changed\""},
    {"inject", false, "inject server \"NOOP one %{line}\\r\\nNOOP two %{line}\\r\\n\""},
    {"aside", false, "inject client \"299 a %{line}\\r\\n\""},
    {"again", false, "repeat 2"},
    {"slow", false, "throttle 100000/s"},
    {"drops", false, "dribble 3 every 1ms"},
    {"spoil", false, "corrupt 2"},
    {"mixed", false, "inject client \"299 a %{line}\\r\\n\" delay 2ms inject server \"NOOP one %{line}\" repeat 1"},
    {"other", true, "reply 550 5.0.0 \"f %{line}\""},
    {"lose", true, "drop"},
    {"twice", true, "repeat 1"},
    {"tardy", true, "delay 2ms dribble 5 every 1ms"},
    {"front", true, "inject client \"299 a %{line}\\r\\n\" throttle 50000/s client"},
};
#define FATES (sizeof fates / sizeof *fates)
enum { KEEP, LATE, RAW, DROP, WAIT, CHANGE, INJECT, ASIDE, AGAIN, SLOW, DROPS, SPOIL, MIXED, OTHER, LOSE, TWICE, TARDY,
	FRONT };

/* How a session may end, by a rule at its last command (NOOP), or at the reply to it (VRFY). */
static const struct { const char *word, *actions; } ends[] = {
    {"cut", "truncate 5"}, {"hold", "hold"}, {"shut", "reply 421 4.0.0 \"f %{line}\" close"}, {"rst", "reset"},
    {"shutc", "close client"}, {"shuts", "close server"}, {"cutrst", "truncate 5 reset"}};
enum { CUT, HOLD, SHUT, RESET, SHUT_CLIENT, SHUT_SERVER, CUT_RESET, ENDS };

struct thing {
	char     text[120];     /* what the server gets, or how the reply ends */
	bool     any;           /* it is spoilt: of this length, that is all */
	bool     numbered;      /* the reply is the server's, to its number-th thing */
	unsigned number;
};

struct talk {
	struct wire  wire;
	uint64_t     random;
	unsigned     seed, serial, budget, last;        /* last: 1 + how it ends; 0: QUIT */
	bool         last_at_reply, one_by_one, said_last, content_due;
	struct thing get[MOST], see[MOST];
	unsigned     get_count, got, see_count, seen;
	unsigned     waits_for;         /* nothing is said before so many replies are there */
	unsigned     data;              /* 1 + the number at the server of the DATA that is out; 0: none is */
	bool         in_content;        /* the server reads it */
	size_t       chunk_left;        /* of a BDAT that it reads */
	unsigned     chunk;
};

static void __attribute__((format(printf, 3, 4), noreturn))
differs(const struct talk *t, int line, const char *format, ...)
{
	char text[600];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	ck_abort_msg("seed %u, line %d: %s", t->seed, line, text);
}

#define must(t, condition, ...) do { if (!(condition)) differs(t, __LINE__, __VA_ARGS__); } while (0)

static unsigned
roll(struct talk *t, unsigned sides)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (unsigned)(t->random >> 11) % sides;
}

static struct thing *
add(struct talk *t, struct thing *things, unsigned *count, const char *format, const char *text)
{
	struct thing *thing = &things[(*count)++];

	must(t, *count < MOST, "the talk is too long");
	memset(thing, 0, sizeof *thing);
	snprintf(thing->text, sizeof thing->text, format, text);
	return thing;
}

static void
gets(struct talk *t, const char *format, const char *text)
{
	add(t, t->get, &t->get_count, format, text);
}

static void
sees(struct talk *t, const char *format, const char *text)
{
	add(t, t->see, &t->see_count, format, text);
}

/* The reply to what the server gets as the one before the next. */
static void
sees_number(struct talk *t, unsigned number)
{
	struct thing *thing = add(t, t->see, &t->see_count, "%s", "");

	thing->numbered = true;
	thing->number = number;
}

static void
write_line(struct talk *t, const char *line)
{
	wire_octets_put(&t->wire.end[SMTP_CLIENT].out, line, strlen(line));
	wire_octets_put(&t->wire.end[SMTP_CLIENT].out, "\r\n", 2);
}

/* What the two ends must see of a command with this fate. */
static void
expect(struct talk *t, unsigned fate, const char *verb, const char *line)
{
	unsigned number, copies = fate == AGAIN ? 2 : fate == MIXED ? 1 : 0;

	if (fate == ASIDE || fate == MIXED || fate == FRONT)
		sees(t, "299 a %s", line);
	if (fate == DROP)
		return;
	if (fate == KEEP || fate == LATE || fate == RAW) {
		sees(t, "f %s", line);
		return;
	}
	if (fate == INJECT || fate == MIXED)
		gets(t, "NOOP one %s", line);
	if (fate == INJECT)
		gets(t, "NOOP two %s", line);
	number = t->get_count;
	if (fate == CHANGE)
		gets(t, "%s changed", verb);
	else
		gets(t, "%s", line);
	t->get[number].any = fate == SPOIL;
	for (unsigned i = 0; i < copies; i++)
		gets(t, "%s", line);
	if (fate == OTHER)
		sees(t, "f %s", line);
	else if (fate != LOSE)
		sees_number(t, number);
	if (fate == TWICE)
		sees_number(t, number);
}

static void
speak(struct talk *t, const char *verb, const char *word, unsigned fate)
{
	const char *path = strcmp(verb, "MAIL") == 0 ? "FROM:<%s-%u@example.org>" :
	    strcmp(verb, "RCPT") == 0 ? "TO:<%s-%u@example.net>" : "%s-%u";
	char argument[60], line[80];

	snprintf(argument, sizeof argument, path, word, ++t->serial);
	snprintf(line, sizeof line, "%s %s", verb, argument);
	write_line(t, line);
	if (fate <= FATES)
		expect(t, fate, verb, line);
}

static void
say_something(struct talk *t)
{
	unsigned verb = roll(t, VERBS), fate = roll(t, 3) == 0 ? FATES : roll(t, FATES);

	/* What is spoilt must not come to be another command that the server knows. */
	if (fate == SPOIL && verb < 3)
		fate = FATES;
	speak(t, verbs[verb], fate == FATES ? "pass" : fates[fate].word, fate);
}

static void
say_chunk(struct talk *t)
{
	char line[120], chunk[40] = "";
	unsigned len = roll(t, 30);

	for (unsigned i = 0; i < len; i++)
		chunk[i] = "x.\r\n250 "[roll(t, 8)];
	snprintf(line, sizeof line, "BDAT %u%s", len, roll(t, 2) == 0 ? " LAST" : "");
	write_line(t, line);
	wire_octets_put(&t->wire.end[SMTP_CLIENT].out, chunk, len);
	sees_number(t, t->get_count);
	gets(t, "%s", line);
}

/* All replies so far are awaited, and the one to this. */
static void
say_data(struct talk *t)
{
	write_line(t, "DATA");
	t->data = 1 + t->get_count;
	sees_number(t, t->get_count);
	gets(t, "%s", "DATA");
	t->waits_for = t->see_count;
}

static void
say_content(struct talk *t)
{
	static const char *const lines[] = {"x", "QUIT", "..", ".x", "250 ok", "", "NOOP keep-1"};

	for (unsigned n = roll(t, 5); n > 0; n--)
		write_line(t, lines[roll(t, 7)]);
	write_line(t, ".");
	sees_number(t, t->get_count);
	gets(t, "%s", "(content)");
}

/* The last command, and what its rule makes of the session. */
static void
say_last(struct talk *t)
{
	unsigned end = t->last - 1;
	char line[40];

	t->said_last = true;
	if (t->last == 0) {
		write_line(t, "QUIT");
		sees_number(t, t->get_count);
		gets(t, "%s", "QUIT");
		return;
	}
	snprintf(line, sizeof line, "%s %s-%u", t->last_at_reply ? "VRFY" : "NOOP", ends[end].word, t->serial + 1);
	speak(t, t->last_at_reply ? "VRFY" : "NOOP", ends[end].word, FATES + 1);
	if (t->last_at_reply)
		gets(t, "%s", line);
	else if (end == CUT || end == CUT_RESET)
		gets(t, "%.5s", line);
	if (end == SHUT)
		sees(t, "f %s", line);
}

static void
client_talks(struct talk *t)
{
	if (t->seen < t->waits_for || t->said_last)
		return;
	if (t->content_due) {
		t->content_due = false;
		say_content(t);
		return;
	}
	for (unsigned n = 1 + roll(t, 6); n > 0 && t->budget > 0 && t->seen >= t->waits_for; n--) {
		unsigned what = roll(t, 12);

		t->budget--;
		if (what == 0)
			say_data(t);
		else if (what == 1)
			say_chunk(t);
		else
			say_something(t);
	}
	if (roll(t, 3) == 0)
		t->waits_for = t->see_count;
	if (t->budget == 0 && t->seen >= t->waits_for)
		say_last(t);
}

/* One whole reply, its last line without CRLF. */
static void
client_sees(struct talk *t, const char *line, size_t len)
{
	struct thing *thing = &t->see[t->seen];
	char number[20];
	size_t tail;

	must(t, t->seen < t->see_count, "a reply too many: %.*s", (int)len, line);
	snprintf(number, sizeof number, " k%u", thing->number);
	tail = strlen(thing->numbered ? number : thing->text);
	must(t, len >= tail && memcmp(line + len - tail, thing->numbered ? number : thing->text, tail) == 0,
	    "%.*s instead of %s%s", (int)len, line, thing->text, thing->numbered ? number : "");
	t->seen++;
	if (thing->numbered && t->data == 1 + thing->number) {
		t->content_due = line[0] == '3';
		t->data = 0;
	}
}

static void
client_reads(struct talk *t)
{
	struct wire_octets *in = &t->wire.end[SMTP_CLIENT].in;
	const char *lf;

	while (in->len > 0 && (lf = memchr(in->at, '\n', in->len)) != NULL) {
		size_t len = (size_t)(lf - in->at) + 1;

		must(t, len >= 6 && lf[-1] == '\r' && (in->at[3] == ' ' || in->at[3] == '-'), "not a line of a reply: %.*s",
		    (int)len, in->at);
		if (in->at[3] == ' ')
			client_sees(t, in->at, len - 2);
		wire_octets_use(in, len);
	}
}

static void
server_says(struct talk *t, unsigned code, unsigned number)
{
	char line[60];
	int len;

	for (unsigned more = roll(t, 4) == 0 ? 1 + roll(t, 2) : 0; more > 0; more--) {
		len = snprintf(line, sizeof line, "%u-k%u\r\n", code, number);
		wire_octets_put(&t->wire.end[SMTP_SERVER].out, line, (size_t)len);
	}
	len = snprintf(line, sizeof line, "%u k%u\r\n", code, number);
	wire_octets_put(&t->wire.end[SMTP_SERVER].out, line, (size_t)len);
}

static bool
server_reads_chunk(struct talk *t)
{
	struct wire_octets *in = &t->wire.end[SMTP_SERVER].in;
	size_t len = in->len < t->chunk_left ? in->len : t->chunk_left;

	wire_octets_use(in, len);
	t->chunk_left -= len;
	if (t->chunk_left > 0)
		return false;
	server_says(t, 250, t->chunk - 1);
	t->chunk = 0;
	return true;
}

static void
server_gets(struct talk *t, const char *line, size_t len)
{
	const struct thing *thing = &t->get[t->got];
	unsigned number = t->got++, code = roll(t, 3) == 0 ? 550 : 250;

	must(t, number < t->get_count, "the server got more than it should: %.*s", (int)len, line);
	must(t, strlen(thing->text) == len && (thing->any || memcmp(thing->text, line, len) == 0),
	    "the server got \"%.*s\" instead of \"%s\"", (int)len, line, thing->text);
	if (strncmp(thing->text, "EHLO ", 5) == 0) {
		wire_octets_put(&t->wire.end[SMTP_SERVER].out, "250-mx.example.net\r\n250-HELP\r\n250 PIPELINING\r\n", 46);
		return;
	}
	if (strncmp(thing->text, "BDAT ", 5) == 0) {
		t->chunk_left = strtoul(thing->text + 5, NULL, 10);
		t->chunk = number + 1;
		/* Nothing more of it is under way: else the clock may go to where the session waits no longer. */
		if (t->chunk_left == 0)
			server_reads_chunk(t);
		return;
	}
	if (strcmp(thing->text, "DATA") == 0) {
		code = roll(t, 3) == 0 ? 554 : 354;
		t->in_content = code == 354;
	}
	server_says(t, strcmp(thing->text, "QUIT") == 0 ? 221 : code, number);
	if (strcmp(thing->text, "QUIT") == 0)
		t->wire.end[SMTP_SERVER].leaves = true;
}

static void
server_reads(struct talk *t)
{
	struct wire_octets *in = &t->wire.end[SMTP_SERVER].in;
	bool again = true;

	while (again && roll(t, 4) != 0) {
		const char *lf = in->len > 0 ? memchr(in->at, '\n', in->len) : NULL;
		size_t len = lf != NULL ? (size_t)(lf - in->at) + 1 : 0;

		if (t->chunk != 0) {
			again = server_reads_chunk(t);
			continue;
		}
		if (len == 0)
			return;
		must(t, len >= 2 && lf[-1] == '\r', "a line without CRLF");
		if (t->in_content) {
			if (len == 3 && in->at[0] == '.') {
				t->in_content = false;
				server_gets(t, "(content)", 9);
			}
			wire_octets_use(in, len);
			continue;
		}
		must(t, !t->one_by_one || in->len == len || strncmp(in->at, "BDAT", 4) == 0 || t->in_content,
		    "two commands at once: %.*s", (int)in->len, in->at);
		server_gets(t, in->at, len - 2);
		wire_octets_use(in, len);
	}
}

static void
one_thing_happens(struct talk *t)
{
	struct wire_end *client = &t->wire.end[SMTP_CLIENT], *server = &t->wire.end[SMTP_SERVER];

	switch (roll(t, 7)) {
	case 0:
		client_talks(t);
		break;
	case 1:
		wire_deliver(&t->wire, SMTP_CLIENT, roll(t, 2) == 0 ? client->out.len : roll(t, 12));
		break;
	case 2:
		wire_deliver(&t->wire, SMTP_SERVER, roll(t, 2) == 0 ? server->out.len : roll(t, 12));
		break;
	case 3:
		server_reads(t);
		break;
	case 4:
		wire_wait(&t->wire);
		break;
	default:
		client_reads(t);
		break;
	}
	/* Who has heard the last of it leaves as well. */
	if (client->closed && client->in.len < 6 && memchr(client->in.at != NULL ? client->in.at : "", '\n', client->in.len) == NULL)
		client->leaves = true;
	if (server->closed && server->in.len < 6 && !t->in_content && t->chunk == 0)
		server->leaves = true;
}

static bool
was_reset(const struct talk *t)
{
	return t->last == 1 + RESET || t->last == 1 + CUT_RESET;
}

/* All has come that was to come, and nothing else. */
static void
must_be_complete(struct talk *t)
{
	struct wire_octets *client = &t->wire.end[SMTP_CLIENT].in, *server = &t->wire.end[SMTP_SERVER].in;
	bool cut = t->last == 1 + CUT || t->last == 1 + CUT_RESET;
	size_t rest = cut && t->last_at_reply ? 5 : 0;

	if (was_reset(t) || t->last == 1 + SHUT_CLIENT || t->last == 1 + SHUT_SERVER)
		return;         /* of what was under way some may be lost: what came was right */
	must(t, t->seen == t->see_count, "the client saw %u of %u", t->seen, t->see_count);
	must(t, client->len == rest, "%zu octets are left at the client: %.*s", client->len, (int)client->len, client->at);
	if (cut && !t->last_at_reply) {
		must(t, server->len == 5 && memcmp(server->at, "NOOP ", 5) == 0, "not what is left of the last command");
		t->got++;
	}
	must(t, t->got == t->get_count, "the server got %u of %u", t->got, t->get_count);
}

static void
run(const struct session_config *configs, unsigned seed)
{
	struct talk *t = calloc(1, sizeof *t);
	unsigned n = 0;

	t->seed = seed;
	t->random = seed * 0x9e3779b97f4a7c15u + 1;
	for (int i = 0; i < 8; i++)
		roll(t, 2);
	t->one_by_one = roll(t, 3) == 0;
	t->budget = 2 + roll(t, 40);
	t->last = roll(t, 2) == 0 ? 0 : 1 + roll(t, ENDS);
	t->last_at_reply = roll(t, 2) == 0;
	wire_begin(&t->wire, &configs[t->one_by_one], seed);
	sees_number(t, 0);
	gets(t, "%s", "(greeting)");
	server_says(t, 220, t->got++);
	t->waits_for = 2;
	write_line(t, "EHLO client.example.org");
	sees(t, "%s", t->one_by_one ? "250 HELP" : "250 PIPELINING");
	gets(t, "%s", "EHLO client.example.org");
	while (!t->wire.over && n++ < 100000) {
		one_thing_happens(t);
		if (t->said_last && t->chunk == 0 && wire_is_quiet(&t->wire)) {
			t->wire.end[SMTP_CLIENT].leaves = true;
			t->wire.end[SMTP_SERVER].leaves = true;
		}
	}
	must(t, t->wire.over, "it does not end: %u of %u replies, %u of %u commands", t->seen, t->see_count, t->got,
	    t->get_count);
	while (wire_wait(&t->wire))
		;
	for (int i = 0; i < 200; i++) {
		client_reads(t);
		if (!was_reset(t))
			server_reads(t);
	}
	must_be_complete(t);
	wire_finish(&t->wire);
	free(t);
}

/* Every fate at every verb, and every end; with PIPELINING hidden or not. */
static struct ruleset *
rules_make(bool one_by_one)
{
	struct ruleset *rules;
	char *text = NULL, *told;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (one_by_one)
		fprintf(file, "rule \"one by one\" { on reply to EHLO hide PIPELINING }\n");
	for (size_t fate = 0; fate < FATES; fate++)
		for (unsigned verb = 0; verb < VERBS; verb++) {
			bool unknown = strcmp(verbs[verb], "XYZZY") == 0, at_reply = fates[fate].at_reply;

			fprintf(file, "rule \"%s at %s\" { on %s%s when argument ~ \"%s-\"%s %s }\n", fates[fate].word, verbs[verb],
			    !at_reply ? "" : unknown ? "reply" : "reply to ", unknown ? (at_reply ? "" : "command") : verbs[verb],
			    fates[fate].word, unknown ? " and verb == \"XYZZY\"" : "", fates[fate].actions);
		}
	for (size_t end = 0; end < ENDS; end++)
		fprintf(file, "rule \"%s\" { on NOOP when argument ~ \"%s-\" %s }\n"
		    "rule \"%s at its reply\" { on reply to VRFY when argument ~ \"%s-\" %s }\n", ends[end].word, ends[end].word,
		    ends[end].actions, ends[end].word, ends[end].word, ends[end].actions);
	fclose(file);
	rules = rules_of(text, size, &told);
	ck_assert_msg(rules != NULL, "%s", told);
	free(told);
	free(text);
	return rules;
}

static void
put_event(void *to, const struct event *event)
{
	(void)to;
	(void)event;
}

START_TEST(both_ends_get_what_they_must)
{
	const char *seed = getenv("SMTPSCOPE_SEED"), *large = getenv("SMTPSCOPE_LONG");
	unsigned seeds = large != NULL && *large != '\0' ? 100000 : 4000;
	struct session_config configs[2];
	struct ruleset *rules[2];
	struct arena arena;

	arena_init(&arena);
	for (int i = 0; i < 2; i++) {
		rules[i] = rules_make(i);
		configs[i] = (struct session_config){.rules = rules[i], .rules_state = rules_state_new(rules[i], 7),
		    .events = {.put = put_event}, .source = "proxy", .max_line = 4096, .max_content = 1 << 20, .arena = &arena};
	}
	if (seed != NULL)
		run(configs, (unsigned)strtoul(seed, NULL, 10));
	for (unsigned n = 1; seed == NULL && n <= seeds; n++)
		run(configs, n);
	for (int i = 0; i < 2; i++) {
		rules_state_free((struct rules_state *)configs[i].rules_state);
		ruleset_free(rules[i]);
	}
	arena_clear(&arena);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("ordering by rules");
	TCase *tcase = tcase_create("ordering by rules");

	tcase_set_timeout(tcase, 2000);
	tcase_add_test(tcase, both_ends_get_what_they_must);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
