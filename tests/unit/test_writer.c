/* SPDX-License-Identifier: MIT */
/*
 * The writer's thread: each source's events in their order and none lost, whoever else writes;
 * what gives way when nobody reads; a full disk that is waited for, and a name that is another
 * file from now on.
 */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/outputs/draft.h"
#include "tests/unit/events.h"

#define SOURCES 4
#define EVENTS  20000

static char dir[64], path[128];

static void
setup(void)
{
	strcpy(dir, "/tmp/smtpscope-writer-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/events", dir);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void
teardown(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct output *
opened(const char *name)
{
	struct output_options options = {.format = OUTPUT_JSON, .path = name, .colour = -1};
	struct output *output = output_open(&options, stderr);

	ck_assert_ptr_nonnull(output);
	return output;
}

/*
 * An event of a source, with its number, and text of at most 1,000 octets. Asserts nothing: Check
 * takes notes of that in a file, which may be limited.
 */
static void
put(struct draft *draft, unsigned source, unsigned number, size_t len)
{
	struct event_sink sink = draft_sink(draft);
	struct event e = event_made(EVENT_LOG, source, 0);
	char text[1100];
	int digits = snprintf(text, sizeof(text), "%u:", number);

	memset(text + digits, 'x', len);
	e.as.log.text = (struct view){text, (size_t)digits + len};
	sink.put(sink.to, &e);
}

/* How many records a source has in the file; they must be whole, and number first, first + 1 ... */
static unsigned
records_of(const char *name, unsigned source, unsigned first)
{
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	unsigned count = 0, number;

	ck_assert_ptr_nonnull(file);
	while ((len = getline(&line, &size, file)) > 0) {
		const char *session = strstr(line, "\"session\":"), *text = strstr(line, "\"text\":\"");

		ck_assert_msg(session != NULL && text != NULL && strcmp(line + len - 3, "\"}\n") == 0, "half a record: %s", line);
		if (strtoul(session + 10, NULL, 10) != source)
			continue;
		number = (unsigned)strtoul(text + 8, NULL, 10);
		ck_assert_uint_eq(number, first + count);
		count++;
	}
	free(line);
	fclose(file);
	return count;
}

struct feeder {
	pthread_t      thread;
	struct writer *writer;
	struct output *output;
	unsigned       source;
};

static void *
feed(void *to)
{
	struct feeder *feeder = to;
	struct draft *draft = draft_new(feeder->writer, feeder->output);

	for (unsigned i = 0; i < EVENTS; i++) {
		put(draft, feeder->source, i, (i * 7) % 100);
		if (i % 1000 == feeder->source)
			draft_hand_over(draft);         /* as a timer does */
	}
	draft_free(draft);
	return NULL;
}

START_TEST(each_source_keeps_its_order_and_nothing_is_lost)
{
	struct writer *writer = writer_start(WRITER_PATIENT, stderr);
	struct output *output = opened(path);
	struct feeder feeders[SOURCES];

	for (unsigned i = 0; i < SOURCES; i++) {
		feeders[i] = (struct feeder){.writer = writer, .output = output, .source = i + 1};
		ck_assert_int_eq(pthread_create(&feeders[i].thread, NULL, feed, &feeders[i]), 0);
	}
	for (unsigned i = 0; i < SOURCES; i++)
		pthread_join(feeders[i].thread, NULL);
	writer_stop(writer);
	ck_assert_uint_eq(output_close(output, stderr), 0);
	for (unsigned i = 0; i < SOURCES; i++)
		ck_assert_uint_eq(records_of(path, i + 1, 0), EVENTS);
}
END_TEST

/* Standard output as a pipe that nobody reads yet; the end to read from is returned. */
static int
unread_pipe(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	return ends[0];
}

struct reader {
	pthread_t thread;
	int       from;
};

static void *
read_all(void *to)
{
	struct reader *reader = to;
	int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	char octets[65536];
	ssize_t len;

	while ((len = read(reader->from, octets, sizeof(octets))) > 0) {
		if (write(file, octets, (size_t)len) != len)
			break;
	}
	close(file);
	return NULL;
}

/* Five times as much as may wait, with nobody to read: events give way whole, and are counted. */
START_TEST(drop_drops_whole_events_and_counts_them)
{
	struct reader reader = {.from = unread_pipe()};
	struct writer *writer = writer_start(WRITER_DROP, stderr);
	struct output *output = opened("-");
	struct draft *draft = draft_new(writer, output);
	FILE *file;
	char *line = NULL;
	size_t size = 0, records = 0;
	uint64_t lost;

	for (unsigned i = 0; i < 5000; i++)
		put(draft, 1, i, 1000);
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
	draft_free(draft);
	writer_stop(writer);
	lost = output_close(output, stderr);
	close(STDOUT_FILENO);
	pthread_join(reader.thread, NULL);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (getline(&line, &size, file) > 0)
		records++;
	free(line);
	fclose(file);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_gt(records, 900);        /* the quota was kept */
	ck_assert_uint_eq(lost + records, 5000);
}
END_TEST

START_TEST(who_is_slow_is_waited_for)
{
	struct reader reader = {.from = unread_pipe()};
	struct writer *writer = writer_start(_i == 0 ? WRITER_PATIENT : WRITER_BLOCK, stderr);
	struct output *output = opened("-");
	struct draft *draft = draft_new(writer, output);

	for (unsigned i = 0; i < 500; i++)
		put(draft, 1, i, 1000);
	ck_assert_int_eq(pthread_create(&reader.thread, NULL, read_all, &reader), 0);
	for (unsigned i = 500; i < 5000; i++)
		put(draft, 1, i, 1000);
	draft_free(draft);
	writer_stop(writer);
	ck_assert_uint_eq(output_close(output, stderr), 0);
	close(STDOUT_FILENO);
	pthread_join(reader.thread, NULL);
	ck_assert_uint_eq(records_of(path, 1, 0), 5000);
}
END_TEST

static void
limit_files(rlim_t octets)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
		abort();
	limit.rlim_cur = octets;
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		abort();
}

static void *
make_room(void *to)
{
	(void)to;
	usleep(100000);         /* long enough that much waits; what is tested holds without it too */
	limit_files(RLIM_INFINITY);
	return NULL;
}

/* A limit on files stands for a full disk. By `block` nothing is lost until there is room again. */
START_TEST(block_waits_for_a_full_disk)
{
	struct writer *writer = writer_start(WRITER_BLOCK, stderr);
	struct output *output = opened(path);
	struct draft *draft = draft_new(writer, output);
	pthread_t thread;

	limit_files(10000);
	ck_assert_int_eq(pthread_create(&thread, NULL, make_room, NULL), 0);
	for (unsigned i = 0; i < 5000; i++)
		put(draft, 1, i, 1000);
	pthread_join(thread, NULL);
	draft_free(draft);
	writer_stop(writer);
	ck_assert_uint_eq(output_close(output, stderr), 0);
	ck_assert_uint_eq(records_of(path, 1, 0), 5000);
}
END_TEST

static size_t
size_of(const char *name)
{
	FILE *file = fopen(name, "r");
	long size;

	if (file == NULL)
		return 0;
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	fclose(file);
	return (size_t)size;
}

START_TEST(reopening_cuts_between_events)
{
	struct writer *writer = writer_start(_i == 0 ? WRITER_PATIENT : WRITER_BLOCK, stderr);
	struct output *output = opened(path);
	struct draft *draft = draft_new(writer, output);
	char old[sizeof(path) + 2];
	unsigned first;

	snprintf(old, sizeof(old), "%s.1", path);
	for (unsigned i = 0; i < 1000; i++)
		put(draft, 1, i, 500);
	draft_hand_over(draft);
	/* The name is taken away when all is there, so that what comes after belongs to the new file. */
	while (size_of(path) < 1000 * 500)
		usleep(1000);
	ck_assert_int_eq(rename(path, old), 0);
	writer_reopen(writer, output);
	for (unsigned i = 1000; i < 2000; i++)
		put(draft, 1, i, 500);
	draft_free(draft);
	writer_stop(writer);
	ck_assert_uint_eq(output_close(output, stderr), 0);
	first = records_of(old, 1, 0);
	ck_assert_uint_eq(first, 1000);
	ck_assert_uint_eq(records_of(path, 1, first), 1000);
}
END_TEST

/* What helps when a disk is full is another file: that is not left to wait behind what is stuck. */
START_TEST(reopening_gets_past_a_full_disk)
{
	struct writer *writer = writer_start(WRITER_BLOCK, stderr);
	struct output *output = opened("/dev/full"), *other = opened(path);
	struct draft *draft = draft_new(writer, output), *second = draft_new(writer, other);

	put(draft, 1, 0, 10);
	draft_hand_over(draft);
	put(second, 1, 0, 10);
	draft_hand_over(second);
	writer_reopen(writer, other);
	draft_free(draft);
	draft_free(second);
	writer_stop(writer);
	ck_assert_uint_eq(output_close(output, stderr), 1);
	ck_assert_uint_eq(output_close(other, stderr), 0);
	ck_assert_uint_eq(records_of(path, 1, 0), 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("writer");
	TCase *tcase = tcase_create("writer");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_source_keeps_its_order_and_nothing_is_lost);
	tcase_add_test(tcase, drop_drops_whole_events_and_counts_them);
	tcase_add_loop_test(tcase, who_is_slow_is_waited_for, 0, 2);
	tcase_add_test(tcase, block_waits_for_a_full_disk);
	tcase_add_loop_test(tcase, reopening_cuts_between_events, 0, 2);
	tcase_add_test(tcase, reopening_gets_past_a_full_disk);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
