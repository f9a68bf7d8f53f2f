/* SPDX-License-Identifier: MIT */
/* Runs a script of a dialogue: see the header. Apart from the cases, which are data. */
#include "tests/unit/dialogue_script.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TRACE_SIZE 16384
#define FATES 16
#define NOTES 256

/* How a script's octets arrive. */
struct cuts {
	size_t at;              /* octet of all behind which there is a cut; SIZE_MAX: nowhere */
	bool   each;            /* one octet at a time */
};

struct trace {
	char   text[TRACE_SIZE];
	size_t len;
	size_t octets;          /* of the script: where a cut can be */
};

struct side {
	char            *octets;        /* not used yet; exactly as long as it says, for the sanitizer */
	size_t           len;
	struct smtp_fate fate[FATES];
	unsigned         fates, fate_next;
	uint64_t         sent, used;    /* octets */
	bool             hold;          /* the next unit is not settled before STEP_RELEASE */
	bool             held;
	struct smtp_unit held_unit;
};

struct run {
	struct smtp_dialogue d;
	struct trace        *trace;
	struct side          side[2];
	uint64_t             now_us;
	/* The line of stretches that may yet grow. */
	struct smtp_unit     joined;
	char                 join[4096];
	size_t               join_len;
	bool                 joining;
	unsigned             given[NOTES];      /* of each note how often leaves got it */
	unsigned             notes;
};

static const char *const type_names[] = {
    [SMTP_UNIT_COMMAND] = "command", [SMTP_UNIT_AUTH_LINE] = "auth-line", [SMTP_UNIT_REPLY] = "reply",
    [SMTP_UNIT_NOT_REPLY] = "not-reply", [SMTP_UNIT_CONTENT] = "content", [SMTP_UNIT_CONTENT_END] = "end",
    [SMTP_UNIT_REST] = "rest", [SMTP_UNIT_LEFTOVER] = "leftover", [SMTP_UNIT_HANDOVER] = "handover",
    [SMTP_UNIT_OPAQUE] = "opaque"};

static const char *const mark_names[] = {"bare-lf", "bare-cr", "nul", "8bit", "cut", "unterminated", "unsure",
    "code-change", "bad-line", "early", "pipelined"};

static void __attribute__((format(printf, 2, 3)))
say(struct trace *trace, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(trace->text + trace->len, TRACE_SIZE - trace->len, format, arguments);
	va_end(arguments);
	ck_assert(n >= 0 && trace->len + (size_t)n < TRACE_SIZE);
	trace->len += (size_t)n;
}

static void
say_octets(struct trace *trace, struct view octets)
{
	say(trace, " \"");
	for (size_t i = 0; i < octets.len; i++) {
		unsigned char c = (unsigned char)octets.at[i];

		if (c == '\r')
			say(trace, "\\r");
		else if (c == '\n')
			say(trace, "\\n");
		else if (c < 0x20 || c >= 0x7f)
			say(trace, "\\x%02x", c);
		else
			say(trace, "%c", c);
	}
	say(trace, "\"");
}

static void
say_exchange(struct trace *trace, const struct smtp_exchange *e)
{
	if (e->kind == SMTP_GREETING)
		say(trace, "CONNECT");
	else if (e->kind == SMTP_CONTENT_DONE)
		say(trace, "CONTENT");
	else if (e->kind == SMTP_ASIDE)
		say(trace, "aside");
	else if (e->verb == SMTP_VERB_UNKNOWN)
		say(trace, "unknown");
	else
		say(trace, "%s", smtp_verb_entry(e->verb)->name.at);
	if (e->by_proxy && e->kind != SMTP_ASIDE)
		say(trace, "(inserted)");
}

static void
say_marks(struct trace *trace, unsigned marks)
{
	for (unsigned i = 0; i < sizeof mark_names / sizeof *mark_names; i++)
		if (marks >> i & 1)
			say(trace, " +%s", mark_names[i]);
}

static void
flush(struct run *run)
{
	const struct smtp_unit *unit = &run->joined;

	if (!run->joining)
		return;
	run->joining = false;
	say(run->trace, "%s", type_names[unit->type]);
	say_octets(run->trace, (struct view){run->join, run->join_len});
	if (unit->last)
		say(run->trace, " last");
	say_marks(run->trace, unit->marks);
	say(run->trace, "\n");
}

/* Cuts may move in these: they are one line of the trace as long as nothing else comes. */
static void
join(struct run *run, enum smtp_side from, const struct smtp_unit *unit)
{
	if (!run->joining || run->joined.type != unit->type || run->joined.last) {
		flush(run);
		say(run->trace, "%c ", from == SMTP_CLIENT ? 'C' : 'S');
		run->joined = *unit;
		run->join_len = 0;
		run->joining = true;
	}
	ck_assert(run->join_len + unit->wire.len <= sizeof run->join);
	memcpy(run->join + run->join_len, unit->wire.at, unit->wire.len);
	run->join_len += unit->wire.len;
	run->joined.marks |= unit->marks;
	run->joined.last = unit->type == SMTP_UNIT_REST && unit->last;
}

static void
trace_unit(struct run *run, enum smtp_side from, const struct smtp_unit *unit)
{
	if (unit->type == SMTP_UNIT_CONTENT || unit->type == SMTP_UNIT_REST || unit->type == SMTP_UNIT_OPAQUE) {
		join(run, from, unit);
		return;
	}
	flush(run);
	say(run->trace, "%c %s", from == SMTP_CLIENT ? 'C' : 'S', type_names[unit->type]);
	if (unit->type == SMTP_UNIT_REPLY)
		say(run->trace, " %03u", unit->as.reply.code);
	if (unit->of != NULL) {
		say(run->trace, unit->type == SMTP_UNIT_REPLY ? " to " : " of ");
		say_exchange(run->trace, unit->of);
	}
	if (unit->type != SMTP_UNIT_HANDOVER && unit->type != SMTP_UNIT_REPLY)
		say_octets(run->trace, unit->wire);
	else if (unit->type == SMTP_UNIT_REPLY && unit->as.reply.lines != 1)
		say(run->trace, " lines=%u", unit->as.reply.lines);
	if (unit->type == SMTP_UNIT_COMMAND && unit->as.command.secret.at != NULL) {
		say(run->trace, " secret");
		say_octets(run->trace, unit->as.command.secret);
	}
	say_marks(run->trace, unit->marks);
	say(run->trace, "\n");
}

static void
leaves(void *owner, struct smtp_exchange *e)
{
	struct run *run = owner;
	unsigned *given = e->note;

	if (given == NULL)
		return;
	ck_assert(given >= run->given && given < run->given + NOTES);
	++*given;
}

static void *
new_note(struct run *run)
{
	ck_assert_uint_lt(run->notes, NOTES);
	return &run->given[run->notes++];
}

static struct smtp_fate
next_fate(struct run *run, enum smtp_side from, const struct smtp_unit *unit)
{
	struct side *side = &run->side[from];
	struct smtp_fate fate = {.forwarded = true, .owed = true};
	bool asked = unit->type == SMTP_UNIT_COMMAND || unit->type == SMTP_UNIT_CONTENT_END ||
	    unit->type == SMTP_UNIT_REPLY || unit->type == SMTP_UNIT_AUTH_LINE;

	if (asked && side->fate_next < side->fates)
		fate = side->fate[side->fate_next++];
	fate.time_us = run->now_us;
	return fate;
}

static void
settle(struct run *run, enum smtp_side from, const struct smtp_unit *unit)
{
	struct smtp_fate fate = next_fate(run, from, unit);
	bool takes_note = unit->type == SMTP_UNIT_COMMAND || (unit->type == SMTP_UNIT_CONTENT_END && unit->wire.len > 0);
	struct smtp_unit none;

	/* Nothing comes out while a unit waits for its verdict. */
	ck_assert(!smtp_dialogue_feed(&run->d, from, unit->wire.at, unit->wire.len, run->now_us, &none));
	ck_assert_int_eq(smtp_dialogue_place(&run->d, from, NULL), SMTP_UNSETTLED);
	if (takes_note && (fate.forwarded || fate.owed))
		fate.note = new_note(run);
	smtp_dialogue_settle(&run->d, from, &fate);
}

static void
use(struct side *side, size_t n)
{
	char *rest = malloc(side->len - n);

	ck_assert_uint_le(n, side->len);
	if (side->len > n)
		memcpy(rest, side->octets + n, side->len - n);
	free(side->octets);
	side->octets = rest;
	side->len -= n;
	side->used += n;
}

static bool
feed_side(struct run *run, enum smtp_side from)
{
	struct side *side = &run->side[from];
	struct smtp_unit unit;

	if (!smtp_dialogue_feed(&run->d, from, side->octets, side->len, ++run->now_us, &unit))
		return false;
	ck_assert(!side->held);
	ck_assert(unit.wire.at == side->octets);
	trace_unit(run, from, &unit);
	if (side->hold) {
		side->hold = false;
		side->held = true;
		side->held_unit = unit;
		return false;
	}
	settle(run, from, &unit);
	use(side, unit.wire.len);
	return true;
}

/* What one side sent may have opened what the other waits in. */
static void
feed_both(struct run *run)
{
	while (feed_side(run, SMTP_CLIENT) || feed_side(run, SMTP_SERVER))
		;
}

static void
release(struct run *run, enum smtp_side from)
{
	struct side *side = &run->side[from];

	ck_assert(side->held);
	side->held = false;
	/* More octets may have moved the buffer; the dialogue does not look at them again. */
	side->held_unit.wire.at = side->octets;
	settle(run, from, &side->held_unit);
	use(side, side->held_unit.wire.len);
	feed_both(run);
}

static void
offer(struct run *run, enum smtp_side from, struct view octets)
{
	struct side *side = &run->side[from];

	side->octets = realloc(side->octets, side->len + octets.len);
	memcpy(side->octets + side->len, octets.at, octets.len);
	side->len += octets.len;
	side->sent += octets.len;
	while (feed_side(run, from))
		;
}

static void
send(struct run *run, enum smtp_side from, struct view octets, struct cuts cuts)
{
	size_t at = run->trace->octets, n;

	run->trace->octets += octets.len;
	while (octets.len > 0) {
		n = octets.len;
		if (cuts.each)
			n = 1;
		else if (cuts.at > at && cuts.at < at + octets.len)
			n = cuts.at - at;
		offer(run, from, view_first(octets, n));
		octets = view_from(octets, n);
		at += n;
	}
	/* Only now, so that the order of both sides' units does not hang on the cuts. */
	feed_both(run);
}

static void
finish(struct run *run, enum smtp_side from)
{
	struct side *side = &run->side[from];
	struct smtp_unit unit;

	if (!smtp_dialogue_finish(&run->d, from, side->octets, side->len, ++run->now_us, &unit))
		return;
	trace_unit(run, from, &unit);
	settle(run, from, &unit);
	use(side, unit.wire.len);
}

static void
answer(struct run *run, const struct step *step)
{
	struct smtp_exchange *e = step->what == STEP_ANSWER ? smtp_dialogue_turn(&run->d)
	                                                    : smtp_queue_nth(&run->d.queue, 0);

	ck_assert_msg(e != NULL, "it is nobody's turn for %u; so far:\n%s", step->number, run->trace->text);
	say(run->trace, "P %u to ", step->number);
	say_exchange(run->trace, e);
	say(run->trace, "\n");
	smtp_dialogue_answered(&run->d, e->serial, (uint16_t)step->number);
	feed_both(run);
}

static void
one_step(struct run *run, const struct step *step, struct cuts cuts)
{
	struct side *side = &run->side[step->what == STEP_FATE_SERVER];

	switch (step->what) {
	case STEP_CLIENT:
		send(run, SMTP_CLIENT, step->octets, cuts);
		break;
	case STEP_SERVER:
		send(run, SMTP_SERVER, step->octets, cuts);
		break;
	case STEP_FATE_CLIENT:
	case STEP_FATE_SERVER:
		ck_assert_uint_lt(side->fates, FATES);
		side->fate[side->fates++] = step->fate;
		break;
	case STEP_HOLD:
		run->side[step->number].hold = true;
		break;
	case STEP_RELEASE:
		release(run, step->number);
		break;
	case STEP_ANSWER:
	case STEP_ANSWERED:
		answer(run, step);
		break;
	case STEP_NO_TURN:
		ck_assert_msg(smtp_dialogue_turn(&run->d) == NULL, "it is a turn; so far:\n%s", run->trace->text);
		break;
	case STEP_INSERT:
		smtp_dialogue_inserted(&run->d, step->number, run->now_us, new_note(run));
		break;
	case STEP_ASIDE:
		smtp_dialogue_aside(&run->d, new_note(run));
		break;
	case STEP_CLIENT_ENDS:
		finish(run, SMTP_CLIENT);
		break;
	case STEP_SERVER_ENDS:
		finish(run, SMTP_SERVER);
		break;
	case STEP_SERVER_GONE:
		smtp_dialogue_server_gone(&run->d);
		break;
	case STEP_NO_GREETING:
		smtp_dialogue_no_greeting(&run->d, step->number != 0);
		break;
	case STEP_GIVE_UP:
		smtp_dialogue_give_up(&run->d);
		break;
	case STEP_STUCK:
		ck_assert_uint_eq(smtp_dialogue_place(&run->d, SMTP_CLIENT, NULL), step->number);
		ck_assert_uint_gt(run->side[SMTP_CLIENT].len, 0);
		break;
	default:
		ck_abort_msg("a step that is none");
	}
	flush(run);
}

/* What is left: who is owed what, and octets that nobody used. */
static void
trace_end(struct run *run)
{
	struct smtp_exchange *e;

	for (uint32_t n = 0; (e = smtp_queue_nth(&run->d.queue, n)) != NULL; n++) {
		say(run->trace, "- ");
		say_exchange(run->trace, e);
		say(run->trace, " client=%u server=%u\n", e->client_is_owed, e->server_owes);
	}
	for (int from = SMTP_CLIENT; from <= SMTP_SERVER; from++) {
		struct side *side = &run->side[from];

		ck_assert_uint_eq(side->used + side->len, side->sent);
		ck_assert_msg(side->fate_next == side->fates, "a fate that met no unit:\n%s", run->trace->text);
		if (side->len == 0)
			continue;
		say(run->trace, "%c unused", from == SMTP_CLIENT ? 'C' : 'S');
		say_octets(run->trace, (struct view){side->octets, side->len});
		say(run->trace, "\n");
	}
}

static void
run_case(const struct dialogue_case *c, struct cuts cuts, struct trace *trace)
{
	struct smtp_limits limits = {.max_line = 64, .max_pending = c->max_pending > 0 ? c->max_pending : 100};
	struct run *run = calloc(1, sizeof *run);

	run->trace = trace;
	trace->len = 0;
	trace->text[0] = '\0';
	trace->octets = 0;
	smtp_dialogue_init(&run->d, &limits, c->lmtp);
	run->d.leaves = leaves;
	run->d.owner = run;
	for (const struct step *step = c->script; step->what != STEP_END; step++)
		one_step(run, step, cuts);
	trace_end(run);
	smtp_dialogue_clear(&run->d);
	for (unsigned i = 0; i < run->notes; i++)
		ck_assert_msg(run->given[i] == 1, "note %u was given back %u times:\n%s", i, run->given[i], trace->text);
	free(run->side[SMTP_CLIENT].octets);
	free(run->side[SMTP_SERVER].octets);
	free(run);
	ck_assert_msg(strcmp(trace->text, c->trace) == 0, "%s (cut at %zd)\nexpected:\n%sgot:\n%s", c->name,
	    cuts.each ? -2 : (ssize_t)cuts.at, c->trace, trace->text);
}

/* Check hands a test its number alone, so the cases of this program stand here. */
static const struct dialogue_case *all_cases;

START_TEST(units_and_what_they_answer)
{
	struct trace trace;

	run_case(&all_cases[_i], (struct cuts){.at = SIZE_MAX}, &trace);
}
END_TEST

START_TEST(same_units_wherever_the_octets_are_cut)
{
	struct trace trace;
	size_t octets;

	run_case(&all_cases[_i], (struct cuts){.at = SIZE_MAX, .each = true}, &trace);
	octets = trace.octets;
	for (size_t at = 1; at < octets; at++)
		run_case(&all_cases[_i], (struct cuts){.at = at}, &trace);
}
END_TEST

int
dialogue_cases_run(const char *name, const struct dialogue_case *cases, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	all_cases = cases;
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, units_and_what_they_answer, 0, (int)count);
	tcase_add_loop_test(tcase, same_units_wherever_the_octets_are_cut, 0, (int)count);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
