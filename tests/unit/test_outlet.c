/* SPDX-License-Identifier: MIT */
/* The way out to one leg: at once where that goes, in order, each wait in its turn. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/relay/outlet.h"

static int near_end, far_end;
static struct outlet outlet;
static unsigned resumed;

static void
setup(void)
{
	int ends[2], size = 4096;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	near_end = ends[0];
	far_end = ends[1];
	setsockopt(near_end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	outlet_init(&outlet);
	resumed = 0;
}

static void
teardown(void)
{
	outlet_clear(&outlet);
	close(near_end);
	close(far_end);
}

/* All that has arrived, with a NUL behind it. */
static const char *
arrived(void)
{
	static char octets[4096];
	ssize_t n = read(far_end, octets, sizeof octets - 1);

	octets[n > 0 ? n : 0] = '\0';
	return octets;
}

static struct segment
segment(const char *octets, uint64_t wait_us, bool resume)
{
	return (struct segment){.octets = view_of(octets), .to = SMTP_CLIENT, .wait_us = wait_us, .resume = resume};
}

static void
put(const char *octets, uint64_t wait_us, bool resume, uint64_t now_us)
{
	struct segment s = segment(octets, wait_us, resume);

	ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, &s, 1, now_us, &resumed), 0);
}

static void
flush(uint64_t now_us)
{
	ck_assert_int_eq(outlet_flush(&outlet, near_end, now_us, &resumed), 0);
}

START_TEST(what_is_due_goes_at_once_and_leaves_nothing)
{
	struct segment s[4] = {segment("220 ", 0, false), segment("", 0, false), segment("mx", 0, false),
	    segment("\r\n", 0, false)};

	s[2].to = SMTP_SERVER;          /* not ours */
	ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, s, 4, 1, &resumed), 0);
	ck_assert(outlet_is_empty(&outlet));
	ck_assert_uint_eq(outlet.size, 0);
	ck_assert_str_eq(arrived(), "220 \r\n");
}
END_TEST

START_TEST(a_wait_starts_when_everything_in_front_is_out)
{
	put("one ", 1000, false, 100);
	put("two ", 1000, false, 200);
	put("three", 0, false, 300);
	ck_assert_uint_eq(outlet_wake_at(&outlet), 1100);
	flush(1099);
	ck_assert_str_eq(arrived(), "");
	flush(1150);
	ck_assert_str_eq(arrived(), "one ");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 2150);
	flush(2150);
	ck_assert_str_eq(arrived(), "two three");
	ck_assert(outlet_is_empty(&outlet));
	ck_assert_uint_eq(outlet_wake_at(&outlet), 0);
	ck_assert_uint_eq(resumed, 0);
}
END_TEST

START_TEST(a_wait_in_the_middle_of_a_plan_holds_what_is_behind_it)
{
	struct segment s[3] = {segment("now ", 0, false), segment("", 500, true), segment("then", 0, false)};

	ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, s, 3, 100, &resumed), 0);
	ck_assert_str_eq(arrived(), "now ");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 600);
	ck_assert_uint_eq(resumed, 0);
	flush(600);
	ck_assert_uint_eq(resumed, 1);
	ck_assert_str_eq(arrived(), "then");
	ck_assert(outlet_is_empty(&outlet));
}
END_TEST

START_TEST(behind_for_ever_nothing_goes_and_nothing_is_kept)
{
	size_t size;

	put("before ", 0, false, 1);
	put("never", SEGMENT_FOREVER, false, 1);
	size = outlet.size;
	put("nor this", 0, false, 2);
	put("nor this", 10, true, 2);
	ck_assert_uint_eq(outlet.size, size);
	flush(UINT64_MAX - 1);
	ck_assert_str_eq(arrived(), "before ");
	ck_assert(!outlet_is_empty(&outlet));
	ck_assert(outlet.dammed);
	ck_assert_uint_eq(outlet_wake_at(&outlet), 0);
}
END_TEST

START_TEST(not_connected_all_is_kept_and_no_clock_runs)
{
	struct segment s[2] = {segment("EHLO ", 50, false), segment("client", 0, false)};

	ck_assert_int_eq(outlet_put(&outlet, -1, SMTP_CLIENT, s, 2, 100, &resumed), 0);
	ck_assert_uint_eq(outlet_wake_at(&outlet), 0);
	flush(1000);
	ck_assert_str_eq(arrived(), "");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 1050);
	flush(1050);
	ck_assert_str_eq(arrived(), "EHLO client");
}
END_TEST

START_TEST(clearing_says_who_waited)
{
	put("", 1000, true, 1);
	put("", 1000, true, 1);
	put("", 1000, false, 1);
	ck_assert_uint_eq(outlet_clear(&outlet), 2);
	ck_assert(outlet_is_empty(&outlet));
	ck_assert_uint_eq(outlet.size, 0);
}
END_TEST

/* A reader that is slower than the writer gets every octet, and the writer is told to stop. */
START_TEST(what_the_socket_refuses_is_kept_in_order)
{
	uint64_t state = 7, written = 0, read_so_far = 0, wrong = 0;
	bool was_full = false;
	char block[3000];

	while (written < 3000000 || !outlet_is_empty(&outlet)) {
		if (written < 3000000 && !outlet.full) {
			struct segment s[3];
			size_t at = 0;

			for (size_t i = 0; i < sizeof block; i++)
				block[i] = (char)((written + i) * 131 >> 3);
			for (int i = 0; i < 3; i++) {
				size_t len;

				state = state * 6364136223846793005u + 1442695040888963407u;
				len = (state >> 33) % 1000;
				s[i] = (struct segment){.octets = {block + at, len}, .to = SMTP_CLIENT};
				at += len;
			}
			written += at;
			ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, s, 3, 1, &resumed), 0);
		}
		was_full |= outlet.full;
		ck_assert_uint_le(outlet.size, OUTLET_HIGH + sizeof block + 200);
		if (outlet.full || written >= 3000000) {
			char got[5000];
			ssize_t n = read(far_end, got, sizeof got);

			for (ssize_t i = 0; i < n; i++)
				wrong += got[i] != (char)((read_so_far + (uint64_t)i) * 131 >> 3);
			read_so_far += n > 0 ? (uint64_t)n : 0;
			flush(1);
		}
	}
	ck_assert_uint_eq(wrong, 0);
	ck_assert(was_full);
	for (ssize_t n; (n = read(far_end, block, sizeof block)) > 0;)
		read_so_far += (uint64_t)n;
	ck_assert_uint_eq(read_so_far, written);
	ck_assert_uint_eq(outlet.size, 0);
	ck_assert(!outlet.full);
}
END_TEST

static void
put_paced(const char *octets, const struct pace *pace, uint64_t now_us)
{
	struct segment s = segment(octets, 0, false);

	s.pace = pace;
	ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, &s, 1, now_us, &resumed), 0);
}

START_TEST(dribbled_octets_go_in_groups_a_period_apart)
{
	const struct pace pace = {.octets = 3, .period_us = 1000};

	put("as before ", 0, false, 1);
	put_paced("abcdefgh", &pace, 5000);
	ck_assert_str_eq(arrived(), "as before abc");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 6000);
	flush(5999);
	ck_assert_str_eq(arrived(), "");
	flush(6100);            /* served late: the next is counted from when it was due */
	ck_assert_str_eq(arrived(), "def");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 7000);
	put("i", 0, false, 6500);
	flush(7000);
	ck_assert_str_eq(arrived(), "ghi");
	ck_assert(outlet_is_empty(&outlet));
	ck_assert_uint_eq(outlet_wake_at(&outlet), 0);
	put("jk", 0, false, 7500);
	ck_assert_str_eq(arrived(), "");
	flush(8000);
	ck_assert_str_eq(arrived(), "jk");
	/* Who was idle for longer begins anew. */
	put("lm", 0, false, 9700);
	ck_assert_str_eq(arrived(), "lm");
	put("n", 0, false, 9800);
	ck_assert_uint_eq(outlet_wake_at(&outlet), 10700);
}
END_TEST

START_TEST(a_timer_that_is_very_late_does_not_make_two_groups_one)
{
	const struct pace pace = {.octets = 1, .period_us = 1000};

	put_paced("abc", &pace, 0);
	flush(50000);
	ck_assert_str_eq(arrived(), "ab");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 51000);
}
END_TEST

/* However long the octets are, and whenever the timer is served: the last one is there when the line has carried it. */
START_TEST(a_throttled_stream_takes_as_long_as_its_line)
{
	static const struct { uint64_t rate; size_t octets; } lines[] = {
	    {1, 5}, {7, 100}, {333, 1000}, {1000, 3000}, {10240, 100000}, {999983, 1000000}, {20 << 20, 1 << 20}};
	struct pace pace = {.octets = lines[_i].rate, .period_us = 1000000, .spread = true};
	uint64_t start = 123456789, now = start, last = start, due;
	uint64_t expected = (uint64_t)lines[_i].octets * 1000000 / lines[_i].rate;
	char *octets = malloc(lines[_i].octets + 1), got[65536];
	size_t read_so_far = 0;

	memset(octets, 'x', lines[_i].octets);
	octets[lines[_i].octets] = '\0';
	put_paced(octets, &pace, now);
	for (unsigned n = 0; !outlet_is_empty(&outlet); n++) {
		if ((due = outlet_wake_at(&outlet)) > now)
			now = due + n % 7 * 300;        /* as late as timers are */
		flush(now);
		for (ssize_t len; (len = read(far_end, got, sizeof got)) > 0;) {
			read_so_far += (size_t)len;
			last = now;
			/* Never before their time. */
			ck_assert_uint_le(read_so_far, (now - start) * lines[_i].rate / 1000000 + 1 + lines[_i].rate / 1000000);
		}
	}
	ck_assert_uint_eq(read_so_far, lines[_i].octets);
	ck_assert_uint_ge(last - start, expected);
	ck_assert_uint_le(last - start, expected + 2000);
	free(octets);
}
END_TEST

START_TEST(a_pace_begins_behind_what_waits_in_front_of_it)
{
	const struct pace pace = {.octets = 1, .period_us = 1000}, other = {.octets = 4, .period_us = 500};

	put("", 1000, true, 1);
	put_paced("ab", &pace, 2);
	put_paced("cdefgh", &other, 3);
	put("", 700, false, 4);
	put("i", 0, false, 5);
	flush(1001);
	ck_assert_uint_eq(resumed, 1);
	ck_assert_str_eq(arrived(), "a");
	flush(2001);
	ck_assert_str_eq(arrived(), "bcdef");   /* and another one begins at once */
	ck_assert_uint_eq(outlet_wake_at(&outlet), 2501);
	flush(2501);
	ck_assert_str_eq(arrived(), "gh");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 3201);
	flush(3201);
	ck_assert_str_eq(arrived(), "i");
}
END_TEST

START_TEST(not_connected_no_pace_begins)
{
	const struct pace pace = {.octets = 2, .period_us = 1000};
	struct segment s = segment("abc", 0, false);

	s.pace = &pace;
	ck_assert_int_eq(outlet_put(&outlet, -1, SMTP_CLIENT, &s, 1, 1, &resumed), 0);
	ck_assert_uint_eq(outlet_wake_at(&outlet), 0);
	flush(9000);
	ck_assert_str_eq(arrived(), "ab");
	ck_assert_uint_eq(outlet_wake_at(&outlet), 10000);
	ck_assert_uint_eq(outlet_clear(&outlet), 0);
	put("as fast as can be", 0, false, 9001);
	ck_assert_str_eq(arrived(), "as fast as can be");
}
END_TEST

START_TEST(a_closed_socket_is_told_by_its_errno)
{
	struct segment s = segment("250 Ok\r\n", 0, false);

	close(far_end);
	far_end = -1;
	ck_assert_int_eq(outlet_put(&outlet, near_end, SMTP_CLIENT, &s, 1, 1, &resumed), EPIPE);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("outlet");
	TCase *tcase = tcase_create("outlet");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_due_goes_at_once_and_leaves_nothing);
	tcase_add_test(tcase, a_wait_starts_when_everything_in_front_is_out);
	tcase_add_test(tcase, a_wait_in_the_middle_of_a_plan_holds_what_is_behind_it);
	tcase_add_test(tcase, behind_for_ever_nothing_goes_and_nothing_is_kept);
	tcase_add_test(tcase, not_connected_all_is_kept_and_no_clock_runs);
	tcase_add_test(tcase, clearing_says_who_waited);
	tcase_add_test(tcase, what_the_socket_refuses_is_kept_in_order);
	tcase_add_test(tcase, dribbled_octets_go_in_groups_a_period_apart);
	tcase_add_test(tcase, a_timer_that_is_very_late_does_not_make_two_groups_one);
	tcase_add_loop_test(tcase, a_throttled_stream_takes_as_long_as_its_line, 0, 7);
	tcase_add_test(tcase, a_pace_begins_behind_what_waits_in_front_of_it);
	tcase_add_test(tcase, not_connected_no_pace_begins);
	tcase_add_test(tcase, a_closed_socket_is_told_by_its_errno);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
