/* SPDX-License-Identifier: MIT */
/*
 * What reaches a file when all goes well, and when it does not: a full disk, a reader that has gone,
 * a pipe that takes little at a time, a name that now is another file.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/outputs/json.h"
#include "proxy/outputs/output.h"
#include "tests/unit/events.h"

static char dir[64], path[128];
static char *said;
static size_t said_len;
static FILE *err;
static struct block *block;     /* what was put and not given yet */

static void
setup(void)
{
	strcpy(dir, "/tmp/smtpscope-output-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/events", dir);
	err = open_memstream(&said, &said_len);
	block = block_new();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

static void
teardown(void)
{
	char command[96];

	fclose(err);
	free(said);
	block_free(block);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct output *
opened(const char *name)
{
	struct output_options options = {.format = OUTPUT_JSON, .path = name, .colour = -1};
	struct output *output = output_open(&options, err);

	ck_assert_ptr_nonnull(output);
	return output;
}

static void
give(struct output *output)
{
	if (block->records > 0)
		output_take(output, block, err);
	else
		output_flush(output, err);
	ck_assert_uint_eq(block->records, 0);
}

static uint64_t
closed(struct output *output)
{
	give(output);
	return output_close(output, err);
}

/* An event whose line has a number to be known by, and is as long as asked for. */
static void
put(struct output *output, int number, size_t len)
{
	struct event e = event_made(EVENT_LOG, 1, 0);
	char *text = malloc(len + 16);
	int digits = snprintf(text, 16, "%d:", number);

	memset(text + digits, 'x', len);
	e.as.log.text = (struct view){text, (size_t)digits + len};
	json_event(&block->text, &e, NULL);
	block_end_record(block);
	if (block->text.len >= BLOCK_FULL)
		give(output);
	free(text);
}

/* The file's lines must be records first to last, and each whole. */
static void
assert_records(const char *name, int first, int last)
{
	FILE *file = fopen(name, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	ck_assert_ptr_nonnull(file);
	for (int number = first; (len = getline(&line, &size, file)) > 0; number++) {
		char *text = strstr(line, "\"text\":\"");

		ck_assert_int_le(number, last);
		ck_assert_msg(text != NULL && strcmp(line + len - 3, "\"}\n") == 0, "half a record: %s", line);
		ck_assert_int_eq(strtol(text + 8, NULL, 10), number);
		if (number == last)
			first = last + 1;
	}
	ck_assert_int_eq(first, last + 1);
	free(line);
	fclose(file);
}

static const char *
what_was_said(void)
{
	fflush(err);
	return said;
}

static int
times_said(const char *words)
{
	int times = 0;

	for (const char *at = what_was_said(); (at = strstr(at, words)) != NULL; at++)
		times++;
	return times;
}

START_TEST(a_file_is_private_and_appended_to)
{
	struct output *output;
	struct stat status;

	umask(022);
	for (int i = 0; i < 2; i++) {
		output = opened(path);
		put(output, 2 * i, 10);
		put(output, 2 * i + 1, 10);
		give(output);
		ck_assert(!output_waiting(output));
		assert_records(path, 0, 2 * i + 1);
		ck_assert_uint_eq(closed(output), 0);
	}
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	ck_assert_str_eq(what_was_said(), "");
}
END_TEST

START_TEST(a_block_is_written_without_waiting)
{
	struct output *output = opened(path);
	struct stat status;

	for (int i = 0; i < 100; i++)
		put(output, i, 1000);
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_gt(status.st_size, 60000);
	closed(output);
	assert_records(path, 0, 99);
}
END_TEST

START_TEST(a_descriptor_is_not_inherited)
{
	struct output *output = opened(path);
	char command[160];

	snprintf(command, sizeof(command), "ls -l /proc/self/fd | grep -q %s", path);
	ck_assert_int_ne(system(command), 0);
	output_close(output, err);
}
END_TEST

START_TEST(a_name_that_cannot_be_opened)
{
	struct output_options options = {.format = OUTPUT_TEXT, .path = "/nonexistent/events"};

	ck_assert_ptr_null(output_open(&options, err));
	ck_assert_str_eq(what_was_said(), "smtpscope: cannot open /nonexistent/events to write events to: "
	                                  "No such file or directory (its directory must exist)\n");
	options.path = dir;
	ck_assert_ptr_null(output_open(&options, err));
	ck_assert_int_eq(times_said("Is a directory (name a file in it)"), 1);
}
END_TEST

START_TEST(log_rotation)
{
	struct output *output = opened(path);
	char old[sizeof(path) + 2];

	snprintf(old, sizeof(old), "%s.1", path);
	put(output, 0, 10);
	give(output);
	put(output, 1, 10);
	ck_assert_int_eq(rename(path, old), 0);
	give(output);
	output_reopen(output, err);
	put(output, 2, 10);
	ck_assert_uint_eq(closed(output), 0);
	assert_records(old, 0, 1);
	assert_records(path, 2, 2);
}
END_TEST

START_TEST(a_new_file_that_cannot_be_opened_leaves_the_old)
{
	struct output *output = opened(path);
	char other[sizeof(dir) + 8];

	put(output, 0, 10);
	snprintf(other, sizeof(other), "%s.moved", dir);
	ck_assert_int_eq(rename(dir, other), 0);
	give(output);
	output_reopen(output, err);
	put(output, 1, 10);
	ck_assert_int_eq(rename(other, dir), 0);
	ck_assert_uint_eq(closed(output), 0);
	assert_records(path, 0, 1);
	ck_assert_int_eq(times_said("cannot open"), 1);
}
END_TEST

START_TEST(a_full_device_is_said_once_and_counted)
{
	struct output *output = opened("/dev/full");

	for (int i = 0; i < 3; i++) {
		put(output, i, 10);
		give(output);
		ck_assert(output_waiting(output));
	}
	ck_assert_uint_eq(closed(output), 3);
	ck_assert_str_eq(what_was_said(),
	    "smtpscope: cannot write events to /dev/full: No space left on device; they are kept for a while "
	    "and tried again\n"
	    "smtpscope: 3 events could not be written to /dev/full\n");
}
END_TEST

START_TEST(what_waits_for_a_full_device_has_a_ceiling)
{
	struct output *output = opened("/dev/full");

	for (int i = 0; i < 3000; i++)
		put(output, i, 1000);
	ck_assert_uint_eq(closed(output), 3000);
}
END_TEST

static void
limit_files(rlim_t octets)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit on files stands for a disk that is full in the middle of a record. */
START_TEST(half_a_record_is_finished_when_there_is_room_again)
{
	struct output *output = opened(path);

	limit_files(1000);
	for (int i = 0; i < 9; i++)
		put(output, i, 200);
	give(output);
	ck_assert(output_waiting(output));
	put(output, 9, 200);
	limit_files(RLIM_INFINITY);
	give(output);
	ck_assert(!output_waiting(output));
	ck_assert_uint_eq(closed(output), 0);
	assert_records(path, 0, 9);
}
END_TEST

START_TEST(half_a_record_is_taken_back_when_there_is_none)
{
	struct output *output = opened(path);

	limit_files(1000);
	for (int i = 0; i < 9; i++)
		put(output, i, 200);
	ck_assert_uint_eq(closed(output), 6);
	assert_records(path, 0, 2);
	limit_files(RLIM_INFINITY);
}
END_TEST

START_TEST(half_a_record_goes_whole_to_the_next_file)
{
	struct output *output = opened(path);
	char old[sizeof(path) + 2];

	snprintf(old, sizeof(old), "%s.1", path);
	limit_files(1000);
	for (int i = 0; i < 6; i++)
		put(output, i, 200);
	give(output);
	ck_assert_int_eq(rename(path, old), 0);
	give(output);
	output_reopen(output, err);
	limit_files(RLIM_INFINITY);
	ck_assert_uint_eq(closed(output), 0);
	assert_records(old, 0, 2);
	assert_records(path, 3, 5);
}
END_TEST

/* Standard output as a pipe of which the other end is returned. */
static int
stdout_as_pipe(int flags)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, flags), 0);
	ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	return ends[0];
}

START_TEST(a_reader_that_has_gone)
{
	int end = stdout_as_pipe(0);
	struct output *output = opened("-");

	close(end);
	put(output, 0, 10);
	put(output, 1, 10);
	give(output);
	ck_assert(!output_waiting(output));
	put(output, 2, 10);
	give(output);
	ck_assert_uint_eq(closed(output), 3);
	ck_assert_str_eq(what_was_said(), "smtpscope: cannot write events to standard output: Broken pipe\n"
	                                  "smtpscope: 3 events could not be written to standard output\n");
}
END_TEST

/* Reads what the pipe holds into the file. */
static void
drain(int end, int file)
{
	char octets[4096];
	ssize_t len;

	while ((len = read(end, octets, sizeof(octets))) > 0)
		ck_assert_int_eq(write(file, octets, (size_t)len), len);
}

START_TEST(a_pipe_that_takes_little_at_a_time)
{
	int end = stdout_as_pipe(O_NONBLOCK), file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	struct output *output = opened(NULL);

	ck_assert_int_gt(fcntl(end, F_SETPIPE_SZ, 4096), 0);
	for (int i = 0; i < 300; i++)
		put(output, i, 777);
	do {
		give(output);
		drain(end, file);
	} while (output_waiting(output));
	ck_assert_uint_eq(closed(output), 0);
	assert_records(path, 0, 299);
	ck_assert_str_eq(what_was_said(), "");
	close(file);
	close(end);
}
END_TEST

static void
interrupt(int signal_number)
{
	(void)signal_number;
}

/* A slow reader and a timer that interrupts each write: nothing is lost, and nothing said. */
START_TEST(writes_that_are_interrupted)
{
	int end = stdout_as_pipe(0), status;
	struct sigaction action = {.sa_handler = interrupt};
	struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
	struct output *output;
	pid_t reader;

	ck_assert_int_gt(fcntl(end, F_SETPIPE_SZ, 4096), 0);
	reader = fork();
	if (reader == 0) {
		int file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

		close(STDOUT_FILENO);
		for (int i = 0; i < 20; i++)
			usleep(1000);
		drain(end, file);
		_exit(0);
	}
	output = opened(NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 300; i++)
		put(output, i, 777);
	ck_assert_uint_eq(closed(output), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	close(STDOUT_FILENO);
	ck_assert_int_eq(waitpid(reader, &status, 0), reader);
	assert_records(path, 0, 299);
	ck_assert_str_eq(what_was_said(), "");
}
END_TEST

START_TEST(colour_is_for_terminals_that_want_it)
{
	struct output_options options = {.format = OUTPUT_TEXT, .path = path, .colour = -1};

	for (int colour = -1; colour <= 1; colour++) {
		struct output *output;

		options.colour = colour;
		output = output_open(&options, err);
		ck_assert(!output_is_terminal(output));
		ck_assert_int_eq(output_wants_colour(output), colour == 1);
		output_close(output, err);
	}
}
END_TEST

START_TEST(content_is_for_text_that_wants_it)
{
	struct output_options options = {.format = OUTPUT_TEXT, .path = path, .content = true};

	for (int i = 0; i < 4; i++) {
		struct output *output;

		options.content = i & 1;
		options.format = i & 2 ? OUTPUT_JSON : OUTPUT_TEXT;
		output = output_open(&options, err);
		ck_assert_int_eq(output_wants_content(output), i == 1);
		ck_assert_int_eq(output_format(output), options.format);
		output_close(output, err);
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("output");
	TCase *tcase = tcase_create("output");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_file_is_private_and_appended_to);
	tcase_add_test(tcase, a_block_is_written_without_waiting);
	tcase_add_test(tcase, a_descriptor_is_not_inherited);
	tcase_add_test(tcase, a_name_that_cannot_be_opened);
	tcase_add_test(tcase, log_rotation);
	tcase_add_test(tcase, a_new_file_that_cannot_be_opened_leaves_the_old);
	tcase_add_test(tcase, a_full_device_is_said_once_and_counted);
	tcase_add_test(tcase, what_waits_for_a_full_device_has_a_ceiling);
	tcase_add_test(tcase, half_a_record_is_finished_when_there_is_room_again);
	tcase_add_test(tcase, half_a_record_is_taken_back_when_there_is_none);
	tcase_add_test(tcase, half_a_record_goes_whole_to_the_next_file);
	tcase_add_test(tcase, a_reader_that_has_gone);
	tcase_add_test(tcase, a_pipe_that_takes_little_at_a_time);
	tcase_add_test(tcase, writes_that_are_interrupted);
	tcase_add_test(tcase, colour_is_for_terminals_that_want_it);
	tcase_add_test(tcase, content_is_for_text_that_wants_it);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
