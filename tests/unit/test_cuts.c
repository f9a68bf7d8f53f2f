/* SPDX-License-Identifier: MIT */
/*
 * Captures that are cut short, as a full disk or a killed tcpdump leaves them: decoding comes to
 * an end and says what is wrong, and tells of what is in front of the cut the same as of the whole.
 *
 * Captures are made of the transcripts, and those of samples/captures are taken. With SMTPSCOPE_LONG
 * each is cut at every octet, over 16 KiB at 2,000 places and near every record's start;
 * else at some of these. SMTPSCOPE_CAPTURES names a folder of others.
 */
#include <check.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/captures/capture.h"
#include "proxy/captures/frames.h"
#include "proxy/captures/keylog.h"
#include "proxy/outputs/json.h"
#include "proxy/sessions/rulebook.h"
#include "tests/unit/capture_made.h"

#define SMALL        (16u * 1024)
#define PLACES       2000u
#define NEAR         4u                 /* octets around a record's start */
#define SHARE        29u                /* without SMTPSCOPE_LONG: one cut of so many */
#define SHARE_LARGE  499u
#define MINUTES      40

static glob_t files;

/* The events of one run, as JSON Lines with their sessions. */
struct told_events {
	struct buffer lines;
	struct told_event {
		uint64_t session;
		enum event_type type;
		size_t   at, len;
	} *events;
	size_t count, room;
};

/* A capture in a file of its own that has no name, and what the whole of it leads to. */
struct cutting {
	const char        *name;
	char               path[64];
	int                fd;
	size_t             len;
	size_t            *records, record_count;
	struct tls_keylog *keylog;
	struct rulebook   *rulebook;
	struct arena       arena;
	struct told_events whole, part;
	char               said[1024];
};

static void
tell(void *to, const struct event *event)
{
	struct told_events *told = to;
	size_t at = told->lines.len;

	json_event(&told->lines, event, NULL);
	if (told->lines.len == at)
		return;
	if (told->count == told->room) {
		told->room = told->room > 0 ? 2 * told->room : 64;
		told->events = realloc(told->events, told->room * sizeof *told->events);
		ck_assert_ptr_nonnull(told->events);
	}
	told->events[told->count++] = (struct told_event){event->session, event->type, at, told->lines.len - at};
}

static struct view
line_of(const struct told_events *told, size_t i)
{
	return (struct view){told->lines.at + told->events[i].at, told->events[i].len};
}

/* It is a file: nothing is waited for. */
static bool
never(void *to, int fd)
{
	(void)to;
	(void)fd;
	return false;
}

static bool
take_frame(void *to, const struct capture_frame *frame)
{
	frames_take(to, frame);
	return true;
}

/* Decodes what there is of the file; returns how the capture ended, and in c->said the words. */
static enum capture_read
decode(struct cutting *c, struct told_events *told)
{
	FILE *err = fmemopen(c->said, sizeof c->said, "w");
	struct capture_run run = {.config = &c->rulebook->config, .keylog = c->keylog, .capture = "a.pcap"};
	static const struct capture_patience patience = {never, NULL};
	struct capture_reader reader = {take_frame, NULL};
	struct capture *capture;
	struct frames *frames;
	enum capture_read read = CAPTURE_DAMAGED;

	told->count = told->lines.len = 0;
	memset(c->said, 0, sizeof c->said);
	c->rulebook->config.events = (struct event_sink){.put = tell, .to = told, .wants_content = true};
	frames = reader.to = frames_new(&run);
	capture = capture_open_file(c->path, &patience, err);
	if (capture != NULL) {
		while ((read = capture_read(capture, 1000, &reader, err)) == CAPTURE_FRAMES)
			;
		capture_close(capture);
	}
	frames_end(frames);
	frames_free(frames);
	fclose(err);
	return read;
}

static void
cutting_begin(struct cutting *c, const char *name, struct view octets)
{
	struct session_config config = {.source = "pcap", .dry_run = true, .max_line = 65536, .max_content = 1 << 20,
	    .arena = &c->arena};
	struct options_list no_rules = {0};

	arena_init(&c->arena);
	c->name = name;
	c->rulebook = rulebook_load(&no_rules, 1, &config, NULL, stderr);
	c->fd = memfd_create("capture", 0);
	ck_assert_int_ge(c->fd, 0);
	snprintf(c->path, sizeof c->path, "/proc/self/fd/%d", c->fd);
	ck_assert_int_eq(write(c->fd, octets.at, octets.len), (ssize_t)octets.len);
	c->len = octets.len;
	c->record_count = capture_records(octets, &c->records);
	ck_assert_msg(decode(c, &c->whole) == CAPTURE_END, "%s: %s", name, c->said);
}

static void
cutting_end(struct cutting *c)
{
	free(c->records);
	free(c->whole.events);
	free(c->part.events);
	buffer_free(&c->whole.lines);
	buffer_free(&c->part.lines);
	tls_keylog_free(c->keylog);
	rulebook_release(c->rulebook);
	arena_clear(&c->arena);
	close(c->fd);
}

/* What the end of a capture leads to: what was under way is told as far as it got. */
static bool
is_of_the_end(enum event_type type)
{
	return type == EVENT_MESSAGE || type == EVENT_FINDING || type == EVENT_CLOSE || type == EVENT_AUTH ||
	    type == EVENT_TLS || type == EVENT_UNDECODED || type == EVENT_CONTENT;
}

/* A line beyond the ceiling is told with its true length: as much of that as there is. */
static bool
is_longer_than_told(const struct told_events *told, size_t i)
{
	return i < told->count && memmem(line_of(told, i).at, line_of(told, i).len, "_octets\":", 9) != NULL;
}

/* The next event of a session behind this one; told->count: none. */
static size_t
next_of(const struct told_events *told, uint64_t session, size_t i)
{
	while (i < told->count && told->events[i].session != session)
		i++;
	return i;
}

/* Returns how many events of the session are those of the whole; what else it has must be of its end. */
static size_t
same_up_to_the_end(const struct cutting *c, size_t cut, uint64_t session)
{
	const struct told_events *part = &c->part, *whole = &c->whole;
	size_t i = next_of(part, session, 0), j = next_of(whole, session, 0), same = 0, last = i;

	while (i < part->count && j < whole->count && view_equal(line_of(part, i), line_of(whole, j))) {
		same++;
		last = i;
		i = next_of(part, session, i + 1);
		j = next_of(whole, session, j + 1);
	}
	if (is_longer_than_told(part, i) && is_longer_than_told(whole, j)) {
		last = i;
		i = next_of(part, session, i + 1);
	}
	for (; i < part->count; last = i, i = next_of(part, session, i + 1))
		ck_assert_msg(is_of_the_end(part->events[i].type), "%s cut at %zu: this is told:\n%.500s\nnot this:\n%.500s",
		    c->name, cut, line_of(part, i).at, j < whole->count ? line_of(whole, j).at : "nothing");
	ck_assert_msg(part->events[last].type == EVENT_CLOSE, "%s cut at %zu: session %llu has no end", c->name, cut,
	    (unsigned long long)session);
	return same;
}

static bool
is_record_start(const struct cutting *c, size_t place)
{
	size_t low = 0, high = c->record_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (c->records[middle] == place)
			return true;
		if (c->records[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* Cuts behind so many octets; returns how many events are those of the whole. Cuts come in falling order. */
static size_t
cut_at(struct cutting *c, size_t cut)
{
	uint64_t sessions = 0;
	size_t same = 0;
	enum capture_read read;

	ck_assert_int_eq(ftruncate(c->fd, (off_t)cut), 0);
	read = decode(c, &c->part);
	ck_assert_msg(read == CAPTURE_END || strstr(c->said, c->path) != NULL, "%s cut at %zu: \"%s\" is said", c->name, cut,
	    c->said);
	if (c->record_count > 0)
		ck_assert_msg((read == CAPTURE_END) == is_record_start(c, cut), "%s cut at %zu: %s", c->name, cut,
		    read == CAPTURE_END ? "nothing is said" : c->said);
	for (size_t i = 0; i < c->part.count; i++)
		if (c->part.events[i].session > sessions)
			sessions = c->part.events[i].session;
	for (uint64_t session = 1; session <= sessions; session++)
		same += same_up_to_the_end(c, cut, session);
	return same;
}

static int
falling(const void *a, const void *b)
{
	size_t one = *(const size_t *)a, other = *(const size_t *)b;

	return one < other ? 1 : one > other ? -1 : 0;
}

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Where to cut, in falling order; the caller frees. */
static size_t
places_of(const struct cutting *c, size_t **places)
{
	size_t count = 0, kept = 0, share = getenv("SMTPSCOPE_LONG") != NULL ? 1 : c->len > SMALL ? SHARE_LARGE : SHARE;
	uint64_t seed = 5321;

	*places = malloc((c->len + PLACES + c->record_count * (2 * NEAR + 1)) * sizeof **places);
	ck_assert_ptr_nonnull(*places);
	if (c->len <= SMALL) {
		while (count < c->len) {
			(*places)[count] = count;
			count++;
		}
	} else {
		while (count < PLACES)
			(*places)[count++] = random_next(&seed) % c->len;
		for (size_t i = 0; i < c->record_count; i++)
			for (size_t at = c->records[i] - NEAR; at <= c->records[i] + NEAR; at++)
				if (at < c->len)
					(*places)[count++] = at;
	}
	qsort(*places, count, sizeof **places, falling);
	for (size_t i = 0; i < count; i += share)
		(*places)[kept++] = (*places)[i];
	return kept;
}

static void
cut_everywhere(const char *name, struct view octets, const char *keylog)
{
	struct cutting c = {.keylog = NULL};
	size_t *places, count, before;

	ck_assert(keylog_load(keylog, &c.keylog, stderr));
	cutting_begin(&c, name, octets);
	before = c.whole.count;
	count = places_of(&c, &places);
	for (size_t i = 0; i < count; i++) {
		size_t same = cut_at(&c, places[i]);

		ck_assert_msg(same <= before, "%s cut at %zu: %zu events are right, and %zu where more is there", name,
		    places[i], same, before);
		before = same;
	}
	free(places);
	cutting_end(&c);
}

static void
cut_transcript(const char *path, int i)
{
	struct transcript *transcript = transcript_load(path, stderr);
	struct buffer capture;

	ck_assert_ptr_nonnull(transcript);
	capture_of_transcript(transcript, i % 2 == 0 ? CAPTURE_PCAP : CAPTURE_PCAPNG, &capture);
	cut_everywhere(path, (struct view){capture.at, capture.len}, NULL);
	buffer_free(&capture);
	transcript_free(transcript);
}

/* A capture may have its key log beside it: NAME.keylog. */
static void
cut_file(const char *path)
{
	char keylog[512];
	FILE *file = fopen(path, "re");
	struct stat st;
	struct buffer octets = {.at = NULL};

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	buffer_reserve(&octets, (size_t)st.st_size);
	octets.len = fread(octets.at, 1, (size_t)st.st_size, file);
	fclose(file);
	snprintf(keylog, sizeof keylog, "%.*s.keylog", (int)(strrchr(path, '.') - path), path);
	cut_everywhere(path, (struct view){octets.at, octets.len}, access(keylog, R_OK) == 0 ? keylog : NULL);
	buffer_free(&octets);
}

START_TEST(what_is_in_front_of_a_cut_is_told_the_same)
{
	const char *path = files.gl_pathv[_i], *dot = strrchr(path, '.');

	if (strcmp(dot, ".txt") == 0)
		cut_transcript(path, _i);
	else
		cut_file(path);
}
END_TEST

static void
find(const char *folder, const char *pattern)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, pattern);
	glob(path, files.gl_pathv != NULL ? GLOB_APPEND : 0, NULL, &files);
}

int
main(void)
{
	Suite *suite = suite_create("cuts");
	TCase *tc = tcase_create("cuts");
	const char *others = getenv("SMTPSCOPE_CAPTURES");
	SRunner *runner;
	int failed;

	if (others == NULL) {
		find("tests/transcripts", "*.txt");
		find("samples/captures", "*.pcap*");
	} else {
		find(others, "*.pcap*");
	}
	if (files.gl_pathc == 0) {
		fputs("no captures: run this where tests/transcripts is\n", stderr);
		return EXIT_FAILURE;
	}
	tcase_set_timeout(tc, MINUTES * 60);
	tcase_add_loop_test(tc, what_is_in_front_of_a_cut_is_told_the_same, 0, (int)files.gl_pathc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	globfree(&files);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
