/* SPDX-License-Identifier: MIT */
/* Messages into a Maildir: what the files hold, whatever the events are cut into and however they end. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "proxy/outputs/buffer.h"
#include "proxy/outputs/messages.h"
#include "tests/unit/edge.h"

#define FILES_MAX 16

static char path[] = "/tmp/smtpscope-mail-XXXXXX", said[4096];
static FILE *err;
static struct messages *messages;
static struct event_recipient recipients[8];
static size_t recipient_count;
static struct buffer files[FILES_MAX];
static size_t file_count;

static void
recipient(const char *address, uint16_t code)
{
	recipients[recipient_count++] = (struct event_recipient){.address = view_of(address), .code = code};
}

static void
setup(void)
{
	snprintf(path, sizeof path, "/tmp/smtpscope-mail-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	ck_assert_int_eq(rmdir(path), 0);
	memset(said, 0, sizeof said);
	err = fmemopen(said, sizeof said - 1, "w");
	setvbuf(err, NULL, _IONBF, 0);
	messages = messages_open(path, err);
	ck_assert_msg(messages != NULL, "%s", said);
	recipient_count = 0;
	recipient("bob@example.net", 250);
}

/* The files in a directory of the Maildir, removed; as texts, in the order of their names. */
static size_t
take_files(const char *directory)
{
	char name[512];
	struct dirent **list;
	int count, n = 0;

	snprintf(name, sizeof name, "%s/%s", path, directory);
	count = scandir(name, &list, NULL, versionsort);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s/%s/%s", path, directory, list[i]->d_name);
		if (list[i]->d_name[0] != '.') {
			struct stat status;
			int fd = open(name, O_RDONLY);

			ck_assert_int_lt(n, FILES_MAX);
			ck_assert_int_eq(fstat(fd, &status), 0);
			ck_assert_uint_eq(status.st_mode & 07777, 0600);
			files[n].len = 0;
			buffer_reserve(&files[n], (size_t)status.st_size + 1);
			ck_assert_int_eq(read(fd, files[n].at, (size_t)status.st_size), status.st_size);
			files[n].len = (size_t)status.st_size;
			files[n++].at[status.st_size] = '\0';
			close(fd);
			unlink(name);
		}
		free(list[i]);
	}
	free(list);
	return (size_t)n;
}

static void
teardown(void)
{
	static const char *const below[] = {"tmp", "new", "cur"};
	char name[512];

	fclose(err);
	for (unsigned i = 0; i < 3; i++) {
		take_files(below[i]);
		snprintf(name, sizeof name, "%s/%s", path, below[i]);
		rmdir(name);
	}
	rmdir(path);
}

/* Closes the Maildir, where nothing is left half done; what came of it is in files. */
static void
finish(uint64_t lost)
{
	ck_assert_uint_eq(messages_close(messages), lost);
	if (lost == 0)
		ck_assert_str_eq(said, "");
	ck_assert_uint_eq(take_files("tmp"), 0);
	file_count = take_files("new");
}

static void
put(const struct event *event)
{
	struct event_sink sink = messages_sink(messages);

	ck_assert(sink.wants_content);
	sink.put(sink.to, event);
}

static void
content(uint64_t session, uint64_t message, bool begins, bool by_data, const char *octets, size_t len)
{
	struct event e = {.type = EVENT_CONTENT, .session = session};

	e.as.content.octets = (struct view){octets, len};
	e.as.content.message = message;
	e.as.content.by_data = by_data;
	e.as.content.begins = begins;
	if (begins)
		e.as.content.envelope = (struct event_envelope){VIEW("ann@example.org"), recipients, recipient_count, 0};
	put(&e);
}

static void
data(uint64_t session, const char *octets)
{
	content(session, 1, true, true, octets, strlen(octets));
}

static struct event
ending(uint64_t session, uint64_t message, uint16_t code, const char *incomplete)
{
	struct event e = {.type = EVENT_MESSAGE, .session = session};

	e.as.message.message = message;
	e.as.message.reverse_path = VIEW("ann@example.org");
	e.as.message.recipients = recipients;
	e.as.message.recipient_count = recipient_count;
	e.as.message.code = code;
	e.as.message.incomplete = incomplete;
	e.as.message.complete = incomplete == NULL;
	return e;
}

static void
end(uint64_t session, uint64_t message, uint16_t code, const char *incomplete)
{
	struct event e = ending(session, message, code, incomplete);

	put(&e);
}

#define ENVELOPE "Return-Path: <ann@example.org>\r\nX-Envelope-To: <bob@example.net>\r\n"

/* Transparency is taken off and nothing else, wherever the stretches are cut (RFC 5321 4.5.2). */
START_TEST(dots_are_unstuffed_wherever_it_is_cut)
{
	static const char sent[] = "..a\r\nb\n.c\r\n...\r\n.\rd\r\n\r\n..\r\n";
	static const char stored[] = ".a\r\nb\n.c\r\n..\r\n\rd\r\n\r\n.\r\n";
	size_t len = sizeof sent - 1, cut = (size_t)_i % (len + 1), second = (size_t)_i / (len + 1);

	ck_assert_uint_eq(len, 27);
	if (second < cut)
		second = len;
	content(1, 1, true, true, sent, cut);
	content(1, 1, false, true, sent + cut, second - cut);
	content(1, 1, false, true, sent + second, len - second);
	end(1, 1, 250, NULL);
	finish(0);
	ck_assert_uint_eq(file_count, 1);
	ck_assert_uint_eq(files[0].len, sizeof ENVELOPE - 1 + sizeof stored - 1);
	ck_assert_mem_eq(files[0].at, ENVELOPE, sizeof ENVELOPE - 1);
	ck_assert_mem_eq(files[0].at + sizeof ENVELOPE - 1, stored, sizeof stored - 1);
}
END_TEST

START_TEST(chunks_are_kept_as_they_are)
{
	static const char octets[] = "..a\0b\r\n.\r\n\n\r";

	content(1, 1, true, false, octets, 4);
	content(1, 1, false, false, octets + 4, sizeof octets - 4);
	end(1, 1, 250, NULL);
	finish(0);
	ck_assert_uint_eq(files[0].len, sizeof ENVELOPE - 1 + sizeof octets);
	ck_assert_mem_eq(files[0].at + sizeof ENVELOPE - 1, octets, sizeof octets);
}
END_TEST

START_TEST(sessions_and_messages_interleave)
{
	for (uint64_t session = 1; session <= 5; session++)
		data(session, "from the first\r\n");
	content(3, 2, true, false, "second of 3", 11);
	for (uint64_t session = 1; session <= 5; session++)
		content(session, 1, false, true, session == 3 ? "3" : "-", 1);
	content(3, 2, false, false, ", more", 6);
	for (uint64_t session = 5; session >= 1; session--)
		end(session, 1, 250, NULL);
	end(3, 2, 250, NULL);
	/* A session that was numbered alike, and an empty content. */
	end(3, 3, 250, NULL);
	finish(0);
	ck_assert_uint_eq(file_count, 7);
	ck_assert_str_eq(files[0].at, ENVELOPE "from the first\r\n-");
	ck_assert_str_eq(files[2].at, ENVELOPE "from the first\r\n3");
	ck_assert_str_eq(files[5].at, ENVELOPE "second of 3, more");
	ck_assert_str_eq(files[6].at, ENVELOPE);
}
END_TEST

/* With pipelining a recipient is refused behind the chunk that was meant for it. */
START_TEST(the_envelope_is_what_it_turned_out_to_be)
{
	recipients[0].code = 0;
	recipient("carol@example.net", 0);
	recipient("evil\r\nX: y@example.net", 0);
	content(1, 1, true, false, "chunk", 5);
	recipients[0].code = 250;
	recipients[1].code = 550;
	recipients[2].code = 251;
	end(1, 1, 250, NULL);
	finish(0);
	ck_assert_uint_eq(file_count, 1);
	ck_assert_str_eq(files[0].at, ENVELOPE "X-Envelope-To: <evil??X: y@example.net>\r\nchunk");
}
END_TEST

START_TEST(what_became_of_it_is_said)
{
	static const struct { uint16_t code; const char *incomplete, *said; } cases[] = {
	    {250, NULL, ""},
	    {552, NULL, "X-Smtpscope-Reply: 552\r\n"},
	    {0, NULL, "X-Smtpscope-Reply: none\r\n"},
	    {0, "reset", "X-Smtpscope-Incomplete: reset\r\n"},
	    {250, "gap", "X-Smtpscope-Incomplete: gap\r\n"},
	    {451, "gap", "X-Smtpscope-Reply: 451\r\nX-Smtpscope-Incomplete: gap\r\n"}};
	char expected[512];

	data(1, "content\r\n");
	end(1, 1, cases[_i].code, cases[_i].incomplete);
	finish(0);
	snprintf(expected, sizeof expected, "%s%scontent\r\n", ENVELOPE, cases[_i].said);
	ck_assert_str_eq(files[0].at, expected);
}
END_TEST

START_TEST(large_content_is_written_anew_as_well)
{
	static char line[1001];
	struct event e;

	memset(line, 'x', 998);
	memcpy(line + 998, "\r\n", 2);
	content(1, 1, true, true, line, 1000);
	for (int i = 1; i < 1000; i++)
		content(1, 1, false, true, line, 1000);
	e = ending(1, 1, 250, NULL);
	e.as.message.recipients_unlisted = 17;
	put(&e);
	finish(0);
	ck_assert_uint_eq(files[0].len, sizeof ENVELOPE - 1 + strlen("X-Smtpscope-Recipients-Unlisted: 17\r\n") + 1000000);
	ck_assert_mem_eq(files[0].at + files[0].len - 1000, line, 1000);
}
END_TEST

START_TEST(behind_a_gap_no_line_begins)
{
	struct event e = {.type = EVENT_CONTENT, .session = 1};

	data(1, "a line\r\n");
	e.as.content.octets = VIEW("..b\r\n..c\r\n");
	e.as.content.message = 1;
	e.as.content.by_data = true;
	e.as.content.missing = 100;
	put(&e);
	end(1, 1, 250, "gap");
	finish(0);
	ck_assert_str_eq(files[0].at, ENVELOPE "X-Smtpscope-Incomplete: gap\r\na line\r\n..b\r\n.c\r\n");
}
END_TEST

START_TEST(there_may_be_no_envelope)
{
	struct event e = ending(1, 1, 250, NULL);

	e.as.message.reverse_path = VIEW_NONE;
	e.as.message.recipient_count = 0;
	put(&e);
	e.as.message.message = 2;
	e.as.message.reverse_path = VIEW("");
	put(&e);
	finish(0);
	ck_assert_str_eq(files[0].at, "");
	ck_assert_str_eq(files[1].at, "Return-Path: <>\r\n");
}
END_TEST

START_TEST(too_many_open_files_are_said_once_and_counted)
{
	const struct rlimit limit = {(rlim_t)fileno(stderr) + 8, (rlim_t)fileno(stderr) + 8};
	unsigned kept = 0;
	char expected[512];

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (uint64_t session = 1; session <= 20; session++)
		data(session, "content\r\n");
	for (uint64_t session = 1; session <= 20; session++) {
		content(session, 1, false, true, "more\r\n", 6);
		end(session, 1, 250, NULL);
	}
	kept = 20 - (unsigned)messages_close(messages);
	snprintf(expected, sizeof expected, "smtpscope: --save-messages %s: message 1 of session %u cannot be kept: "
	    "Too many open files\nsmtpscope: --save-messages %s: %u messages were not kept\n", path, kept + 1, path,
	    20 - kept);
	ck_assert_str_eq(said, expected);
	ck_assert_uint_gt(kept, 0);
	ck_assert_uint_lt(kept, 20);
	ck_assert_uint_eq(take_files("tmp"), 0);
	ck_assert_uint_eq(take_files("new"), kept);
	ck_assert_str_eq(files[0].at, ENVELOPE "content\r\nmore\r\n");
}
END_TEST

/* A disk that is full: when the content comes, or when the file has to be written anew. */
START_TEST(a_full_disk_is_said_and_counted)
{
	const struct rlimit limit = {100, 100};
	char expected[512];

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	data(1, "0123456789\r\n");
	end(1, 1, 250, NULL);
	data(2, _i == 0 ? "more than what there is room for, by far: 0123456789\r\n" : "012345678901234567890\r\n");
	content(2, 1, false, true, "m", 1);
	end(2, 1, _i == 0 ? 250 : 550, NULL);
	snprintf(expected, sizeof expected, "smtpscope: --save-messages %s: message 1 of session 2 cannot be kept: "
	    "File too large\n", path);
	ck_assert_str_eq(said, expected);
	finish(1);
	ck_assert_uint_eq(file_count, 1);
	ck_assert_str_eq(files[0].at, ENVELOPE "0123456789\r\n");
}
END_TEST

START_TEST(a_message_that_never_ends_is_not_lost_silently)
{
	data(1, "content\r\n");
	data(9, "content\r\n");
	finish(2);
	ck_assert_uint_eq(file_count, 0);
	ck_assert_ptr_nonnull(strstr(said, ": 2 messages were not kept\n"));
}
END_TEST

START_TEST(a_directory_that_is_none_is_said)
{
	finish(0);
	ck_assert_ptr_null(messages_open("/dev/null", err));
	ck_assert_str_eq(said, "smtpscope: --save-messages /dev/null: cannot open the directory: Not a directory\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("messages");
	TCase *t = tcase_create("kept");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, dots_are_unstuffed_wherever_it_is_cut, 0, 28 * 28);
	tcase_add_test(t, chunks_are_kept_as_they_are);
	tcase_add_test(t, sessions_and_messages_interleave);
	tcase_add_test(t, the_envelope_is_what_it_turned_out_to_be);
	tcase_add_loop_test(t, what_became_of_it_is_said, 0, 6);
	tcase_add_test(t, large_content_is_written_anew_as_well);
	tcase_add_test(t, behind_a_gap_no_line_begins);
	tcase_add_test(t, there_may_be_no_envelope);
	tcase_add_test(t, too_many_open_files_are_said_once_and_counted);
	tcase_add_loop_test(t, a_full_disk_is_said_and_counted, 0, 2);
	tcase_add_test(t, a_message_that_never_ends_is_not_lost_silently);
	tcase_add_test(t, a_directory_that_is_none_is_said);
	suite_add_tcase(s, t);
	return edge_run(s);
}
