/* SPDX-License-Identifier: MIT */
/*
 * Every transcript, three ways: whole, cut at every octet, cut at several random places at
 * once. Octets and events must be the same in each. The fourth way, through a live proxy, is
 * tests/integration/test_transcripts.py, which calls this program:
 *
 *      test_transcripts --steps FILE           the transcript's steps, and its events by step, as JSON
 *      test_transcripts --events FILE LINES    are these JSON Lines the events of the transcript?
 */
#include <check.h>
#include <glob.h>
#include <stdlib.h>

#include "tests/unit/transcript.h"
#include "tests/unit/transcript_events.h"
#include "tests/unit/transcript_run.h"

#define TRANSCRIPTS  "tests/transcripts/*.txt"
#define DIALOGUES    "samples/dialogues/*.txt"  /* what the rules of samples/rules do */
#define SMALL        (16u * 1024)       /* octets; larger transcripts are not cut everywhere */
#define LARGE_CUTS   2000u
#define LARGE_RUNS   100u
#define NEAR_LF      4u                 /* octets around a line end where those are cut all the same */
#define RANDOM_RUNS  50u

static glob_t files;
static size_t cut_everywhere;   /* the first of files: dialogues of samples are cut at random alone */

/* A transcript, its rules, and how it went when played whole. */
struct stage {
	struct transcript *t;
	struct ruleset    *rules;
	struct transcript_outcome whole;
	struct event_list  events;
	unsigned char     *cut;         /* all zero between runs */
	struct view        sent;        /* what both sides write, in order */
};

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static bool
stage_open(struct stage *stage, const char *path, FILE *err)
{
	char *sent;
	size_t len = 0;

	*stage = (struct stage){.t = transcript_load(path, err)};
	if (stage->t == NULL)
		return false;
	stage->rules = transcript_rules(stage->t->name, stage->t->rules, err);
	if (stage->rules == NULL)
		return false;
	for (size_t i = 0; i < stage->t->steps; i++)
		len += stage->t->step[i].octets.len;
	sent = arena_take(&stage->t->arena, len + 1);
	stage->sent = (struct view){sent, len};
	for (size_t i = 0; i < stage->t->steps; i++) {
		memcpy(sent, stage->t->step[i].octets.at, stage->t->step[i].octets.len);
		sent += stage->t->step[i].octets.len;
	}
	stage->cut = arena_take(&stage->t->arena, len + 1);
	memset(stage->cut, 0, len + 1);
	if (!transcript_run(stage->t, stage->rules, NULL, &stage->whole, err))
		return false;
	return event_list_read(&stage->events,
	    (struct view){stage->whole.events.at, stage->whole.events.len}, err);
}

static void
stage_close(struct stage *stage)
{
	event_list_free(&stage->events);
	transcript_outcome_free(&stage->whole);
	if (stage->rules != NULL)
		ruleset_free(stage->rules);
	if (stage->t != NULL)
		transcript_free(stage->t);
}

/* Plays it with the cuts set by now, and compares. */
static bool
same_when_cut(struct stage *stage, FILE *err)
{
	struct transcript_outcome outcome;
	struct event_list events = {0};
	bool good = transcript_run(stage->t, stage->rules, stage->cut, &outcome, err);

	if (good)
		good = event_list_read(&events, (struct view){outcome.events.at, outcome.events.len}, err)
		    && event_list_same(&stage->events, "whole", &events, "cut", err);
	event_list_free(&events);
	transcript_outcome_free(&outcome);
	return good;
}

static bool
same_when_cut_at(struct stage *stage, size_t place, FILE *err)
{
	bool good;

	stage->cut[place] = 1;
	good = same_when_cut(stage, err);
	stage->cut[place] = 0;
	if (!good)
		fprintf(err, "(cut in front of octet %zu of %zu)\n", place, stage->sent.len);
	return good;
}

static bool
near_line_end(struct view octets, size_t place)
{
	size_t from = place < NEAR_LF ? 0 : place - NEAR_LF;
	struct view near = view_first(view_from(octets, from), place + NEAR_LF - from);

	return memchr(near.at, '\n', near.len) != NULL;
}

/* One cut a run at the line ends (if those are many, at some of them); then at all the places at once. */
static bool
same_when_cut_at_many_places(struct stage *stage, FILE *err)
{
	uint64_t state = 0x5eedu;
	size_t near = 0, seen = 0, every;
	bool good = true;

	for (size_t place = 1; place < stage->sent.len; place++)
		near += near_line_end(stage->sent, place);
	every = 1 + near / LARGE_RUNS;
	for (size_t place = 1; place < stage->sent.len && good; place++)
		if (near_line_end(stage->sent, place) && seen++ % every == 0)
			good = same_when_cut_at(stage, place, err);
	for (size_t place = 1; place < stage->sent.len; place++)
		stage->cut[place] = near_line_end(stage->sent, place);
	for (size_t i = 0; i < LARGE_CUTS; i++)
		stage->cut[random_next(&state) % stage->sent.len] = 1;
	return good && same_when_cut(stage, err);
}

/* Cut in two at each octet, and into single octets. */
static bool
same_when_cut_everywhere(struct stage *stage, FILE *err)
{
	bool good = true;

	if (stage->sent.len > SMALL)
		return same_when_cut_at_many_places(stage, err);
	for (size_t place = 1; place < stage->sent.len && good; place++)
		good = same_when_cut_at(stage, place, err);
	memset(stage->cut, 1, stage->sent.len);
	return good && same_when_cut(stage, err);
}

static bool
same_when_cut_at_random(struct stage *stage, FILE *err)
{
	bool good = true;

	for (unsigned run = 1; run <= RANDOM_RUNS && good && stage->sent.len > 0; run++) {
		uint64_t state = 0x9e3779b97f4a7c15u * run;
		uint64_t cuts = 2 + random_next(&state) % 12;

		memset(stage->cut, 0, stage->sent.len);
		for (; cuts > 0; cuts--)
			stage->cut[random_next(&state) % stage->sent.len] = 1;
		good = same_when_cut(stage, err);
		if (!good)
			fprintf(err, "(random cuts, run %u)\n", run);
	}
	return good;
}

/* Plays one transcript in one way; a failure names file, line and difference. */
static void
play(int number, bool (*way)(struct stage *, FILE *))
{
	char *message = NULL;
	size_t size = 0;
	FILE *err = open_memstream(&message, &size);
	struct stage stage;
	bool good = stage_open(&stage, files.gl_pathv[number], err) && way(&stage, err);

	stage_close(&stage);
	fclose(err);
	if (!good)
		ck_abort_msg("%s\n%s", files.gl_pathv[number], message);
	free(message);
}

static bool
as_expected(struct stage *stage, FILE *err)
{
	return event_list_expected(&stage->events, stage->t,
	    (struct view){stage->whole.events.at, stage->whole.events.len}, err);
}

START_TEST(whole)
{
	play(_i, as_expected);
}
END_TEST

START_TEST(cut_at_every_octet)
{
	play(_i, same_when_cut_everywhere);
}
END_TEST

START_TEST(cut_at_random_places)
{
	play(_i, same_when_cut_at_random);
}
END_TEST

START_TEST(there_are_enough)
{
	ck_assert_uint_ge(files.gl_pathc, 60);
}
END_TEST

static int
run_all(bool all)
{
	Suite *suite = suite_create("transcripts");
	TCase *some = tcase_create("transcripts");
	SRunner *runner;
	int failed;

	tcase_set_timeout(some, 300);
	if (all)
		tcase_add_test(some, there_are_enough);
	tcase_add_loop_test(some, whole, 0, (int)files.gl_pathc);
	tcase_add_loop_test(some, cut_at_every_octet, 0, (int)cut_everywhere);
	tcase_add_loop_test(some, cut_at_random_places, 0, (int)files.gl_pathc);
	suite_add_tcase(suite, some);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

static int
print_steps(const char *path)
{
	struct stage stage;
	bool good = stage_open(&stage, path, stderr);

	if (good)
		transcript_print(stage.t, stage.whole.events_by, stdout);
	stage_close(&stage);
	return good ? 0 : 1;
}

static char *
read_file(const char *path, size_t *len)
{
	FILE *file = fopen(path, "r");
	char *octets = NULL;
	size_t size = 0;

	if (file == NULL) {
		perror(path);
		return NULL;
	}
	if (getdelim(&octets, &size, EOF, file) < 0)
		octets[0] = '\0';
	fseek(file, 0, SEEK_END);
	*len = (size_t)ftell(file);
	fclose(file);
	return octets;
}

static int
judge_events(const char *path, const char *lines_path)
{
	size_t len = 0;
	char *lines = read_file(lines_path, &len);
	struct event_list events = {0};
	struct stage stage = {0};
	bool good = lines != NULL && stage_open(&stage, path, stderr)
	    && event_list_read(&events, (struct view){lines, len}, stderr)
	    && event_list_expected(&events, stage.t, (struct view){lines, len}, stderr)
	    && event_list_same(&stage.events, "without sockets", &events, "live", stderr);

	event_list_free(&events);
	stage_close(&stage);
	free(lines);
	return good ? 0 : 1;
}

/* pattern NULL: all. */
static bool
find_files(const char *pattern)
{
	if (glob(pattern != NULL ? pattern : TRANSCRIPTS, 0, NULL, &files) != 0)
		return false;
	cut_everywhere = files.gl_pathc;
	return pattern != NULL || glob(DIALOGUES, GLOB_APPEND, NULL, &files) == 0;
}

int
main(int argc, char **argv)
{
	int code;

	if (argc == 3 && strcmp(argv[1], "--steps") == 0)
		return print_steps(argv[2]);
	if (argc == 4 && strcmp(argv[1], "--events") == 0)
		return judge_events(argv[2], argv[3]);
	if (argc != 1 && argc != 2) {
		fprintf(stderr, "usage: %s [PATTERN] | --steps FILE | --events FILE LINES\n", argv[0]);
		return 2;
	}
	if (!find_files(argc == 2 ? argv[1] : NULL)) {
		fprintf(stderr, "%s: no transcripts at %s; run it from the project's root\n", argv[0],
		    argc == 2 ? argv[1] : TRANSCRIPTS);
		return 2;
	}
	code = run_all(argc == 1);
	globfree(&files);
	return code;
}
