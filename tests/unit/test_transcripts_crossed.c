/* SPDX-License-Identifier: MIT */
/*
 * The octets of one transcript, some of them spoilt, under the rules of two others: nobody
 * knows what should come of it. But every session comes to its end, and where the octets
 * are cut makes no difference to what both sides receive, nor to an event.
 *
 * SMTPSCOPE_SEED=n plays crossing n alone, SMTPSCOPE_LONG=1 four times as many. Which transcripts
 * meet changes with each that is added.
 */
#include <check.h>
#include <glob.h>
#include <stdlib.h>

#include "tests/unit/transcript.h"
#include "tests/unit/transcript_events.h"
#include "tests/unit/transcript_run.h"

#define CROSSINGS  4000
#define CROSSINGS_LONG (4 * CROSSINGS)
#define CUT_RUNS   5            /* runs of each, besides the whole one */
#define MOST       20000u       /* octets; larger transcripts are left out here */

struct crossing {
	struct transcript *octets, *rules[2];
	struct ruleset    *ruleset;
	unsigned char     *cut;
	size_t             len;         /* of all writes */
	uint64_t           random;
};

static size_t
random_below(struct crossing *c, size_t limit)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return limit == 0 ? 0 : (size_t)(c->random % limit);
}

static struct transcript *
random_transcript(struct crossing *c, const glob_t *files)
{
	struct transcript *t = transcript_load(files->gl_pathv[random_below(c, files->gl_pathc)], stderr);

	ck_assert_ptr_nonnull(t);
	return t;
}

/* Another octet, one less, an early end, two writes swapped or glued. */
static void
spoil(struct crossing *c)
{
	struct transcript *t = c->octets;
	struct transcript_step *step = &t->step[random_below(c, t->steps)], *other = &t->step[random_below(c, t->steps)];
	struct view octets = arena_copy(&t->arena, step->octets), glued;
	size_t place = random_below(c, octets.len);
	char *at = (char *)octets.at;

	if (octets.len == 0)
		return;
	switch (random_below(c, 6)) {
	case 0:
		at[place] = (char)random_below(c, 256);
		break;
	case 1:
		at[place] = "\r\n.2 345"[random_below(c, 8)];
		break;
	case 2:
		memmove(at + place, at + place + 1, octets.len - place - 1);
		octets.len--;
		break;
	case 3:
		octets.len = place;
		break;
	case 4:
		octets = other->octets;
		other->octets = step->octets;
		break;
	default:
		glued = arena_printf(&t->arena, "%*s", (int)(octets.len + other->octets.len), "");
		memcpy((char *)glued.at, octets.at, octets.len);
		memcpy((char *)glued.at + octets.len, other->octets.at, other->octets.len);
		octets = glued;
	}
	step->octets = octets;
}

/*
 * A reset takes with it what waits: behind a delay, or for the answer to the part of a chunk in front
 * of it. How much of that had been read depends on the cuts.
 */
static bool
is_a_race(const struct crossing *c)
{
	bool resets = false, waits = ruleset_edits_content(c->ruleset) && c->octets->max_content < c->len;

	for (size_t i = 0; i < c->octets->steps; i++)
		resets |= c->octets->step[i].ends == TRANSCRIPT_RESET;
	for (int i = 0; i < 2; i++)
		waits |= memmem(c->rules[i]->rules.at, c->rules[i]->rules.len, "delay", 5) != NULL;
	return resets && waits;
}

/* False: these do not go together. */
static bool
crossing_open(struct crossing *c, const glob_t *files, int number)
{
	FILE *nobody = fopen("/dev/null", "w");
	struct view both;

	*c = (struct crossing){.random = 0x9e3779b97f4a7c15u * (uint64_t)(number + 1)};
	random_below(c, 1);
	c->octets = random_transcript(c, files);
	c->rules[0] = random_transcript(c, files);
	c->rules[1] = random_transcript(c, files);
	for (size_t spoilt = random_below(c, 5); spoilt > 0; spoilt--)
		spoil(c);
	for (size_t i = 0; i < c->octets->steps; i++)
		c->len += c->octets->step[i].octets.len;
	both = arena_printf(&c->octets->arena, "%s%s", c->rules[0]->rules.at, c->rules[1]->rules.at);
	/* Rules of one name do not load: the same transcript twice. */
	c->ruleset = transcript_rules(c->rules[0]->name, both, nobody);
	fclose(nobody);
	c->cut = calloc(1, c->len + 1);
	return c->ruleset != NULL && c->cut != NULL && c->len > 0 && c->len <= MOST && !is_a_race(c);
}

static void
crossing_close(struct crossing *c)
{
	if (c->ruleset != NULL)
		ruleset_free(c->ruleset);
	transcript_free(c->octets);
	transcript_free(c->rules[0]);
	transcript_free(c->rules[1]);
	free(c->cut);
}

static struct view
received(const struct transcript_outcome *outcome, int side)
{
	return (struct view){outcome->received[side].at, outcome->received[side].len};
}

static bool
same_received(const struct transcript_outcome *whole, const struct transcript_outcome *cut, FILE *err)
{
	for (int side = 0; side < 2; side++) {
		struct view one = received(whole, side), other = received(cut, side);
		bool same = whole->ended[side] == cut->ended[side];

		/* At a reset nothing is flushed: what had gone out by then depends on the cuts. */
		if (same && whole->ended[side] == TRANSCRIPT_RESET) {
			one = view_first(one, other.len);
			other = view_first(other, one.len);
		}
		if (same && view_equal(one, other))
			continue;
		fprintf(err, "the %s received, whole:\n%.*s\nand cut:\n%.*s\n", side == SMTP_CLIENT ? "client" : "server",
		    (int)one.len, one.at, (int)other.len, other.at);
		return false;
	}
	return true;
}

/* Plays it cut at random places (the first time: everywhere) and compares. */
static bool
same_when_cut(struct crossing *c, int run, const struct transcript_outcome *whole,
    const struct event_list *whole_events, FILE *err)
{
	struct transcript_outcome outcome;
	struct event_list events = {0};
	bool good;

	memset(c->cut, run == 0, c->len);
	for (size_t cuts = 1 + random_below(c, 8); cuts > 0; cuts--)
		c->cut[random_below(c, c->len)] = 1;
	good = transcript_run_freely(c->octets, c->ruleset, c->cut, &outcome, err)
	    && event_list_read(&events, (struct view){outcome.events.at, outcome.events.len}, err)
	    && event_list_same(whole_events, "whole", &events, "cut", err)
	    && same_received(whole, &outcome, err);
	event_list_free(&events);
	transcript_outcome_free(&outcome);
	return good;
}

static bool
crossing_play(struct crossing *c, FILE *err)
{
	struct transcript_outcome whole;
	struct event_list events = {0};
	bool good = transcript_run_freely(c->octets, c->ruleset, NULL, &whole, err)
	    && event_list_read(&events, (struct view){whole.events.at, whole.events.len}, err);

	for (int run = 0; run < CUT_RUNS && good; run++)
		good = same_when_cut(c, run, &whole, &events, err);
	event_list_free(&events);
	transcript_outcome_free(&whole);
	return good;
}

/* Plays one of them; false: these do not go together. */
static bool
cross(const glob_t *files, int number)
{
	char *message = NULL;
	size_t size;
	FILE *err = open_memstream(&message, &size);
	struct crossing c;
	bool open = crossing_open(&c, files, number), good = !open || crossing_play(&c, err);

	fclose(err);
	if (!good)
		ck_abort_msg("crossing %d: %s under the rules of %s and %s\n%s", number, c.octets->name.at,
		    c.rules[0]->name.at, c.rules[1]->name.at, message);
	free(message);
	crossing_close(&c);
	return open;
}

START_TEST(cuts_make_no_difference)
{
	const char *seed = getenv("SMTPSCOPE_SEED"), *large = getenv("SMTPSCOPE_LONG");
	int crossings = large != NULL && *large != '\0' ? CROSSINGS_LONG : CROSSINGS, played = 0;
	glob_t files;

	ck_assert_int_eq(0, glob("tests/transcripts/*.txt", 0, NULL, &files));
	if (seed != NULL)
		ck_assert_msg(cross(&files, atoi(seed)), "the transcripts of crossing %s do not go together", seed);
	for (int number = 0; number < crossings && seed == NULL; number++)
		played += cross(&files, number);
	ck_assert(seed != NULL || played > crossings / 2);
	globfree(&files);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("transcripts crossed");
	TCase *all = tcase_create("crossed");
	SRunner *runner;
	int failed;

	tcase_set_timeout(all, 600);
	tcase_add_test(all, cuts_make_no_difference);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
