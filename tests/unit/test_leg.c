/* SPDX-License-Identifier: MIT */
/* One connection: what is kept, how its stream ends, and that it notices a peer that vanishes. */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/relay/leg.h"

static struct event_base *base;
static struct leg leg;
static int peer;
static unsigned calls;
static short what_came;

static void
ready(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	(void)to;
	calls++;
	what_came = what;
}

/* Two ends of a TCP connection on loopback. */
static void
connect_ends(int *one, int *other)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(listening, 1), 0);
	getsockname(listening, (struct sockaddr *)&address, &len);
	*one = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(*one, (struct sockaddr *)&address, len), 0);
	*other = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
	close(listening);
}

static void
setup(void)
{
	int fd;

	base = event_base_new();
	connect_ends(&peer, &fd);
	leg_init(&leg);
	leg_open(&leg, base, fd, ready, NULL);
	calls = 0;
}

static void
teardown(void)
{
	leg_clear(&leg);
	if (peer >= 0)
		close(peer);
	event_base_free(base);
}

static void
wait_for(int fd, short events)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};

	ck_assert_int_eq(poll(&poll_fd, 1, 3000), 1);
}

static void
reset_by_peer(void)
{
	struct linger now = {1, 0};

	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(peer);
	peer = -1;
}

START_TEST(keeps_what_is_not_used)
{
	static const char octets[] = "EHLO client.example.org";

	leg_keep(&leg, octets, 23);
	ck_assert(view_equal((struct view){leg.kept, leg.kept_len}, VIEW("EHLO client.example.org")));
	leg_keep(&leg, leg.kept, leg.kept_len);
	ck_assert_uint_eq(leg.kept_len, 23);
	leg_keep(&leg, leg.kept + 5, leg.kept_len - 5);
	ck_assert(view_equal((struct view){leg.kept, leg.kept_len}, VIEW("client.example.org")));
	leg_keep(&leg, leg.kept + leg.kept_len, 0);
	ck_assert_ptr_null(leg.kept);
	leg_keep(&leg, NULL, 0);
	ck_assert_ptr_null(leg.kept);
}
END_TEST

START_TEST(reads_octets_then_fin)
{
	char octets[10];
	size_t len;

	ck_assert_int_eq(leg_read(&leg, octets, sizeof octets, &len), LEG_READ_NOTHING);
	ck_assert_int_eq(write(peer, "QUIT\r\n", 6), 6);
	shutdown(peer, SHUT_WR);
	wait_for(leg.fd, POLLIN);
	ck_assert_int_eq(leg_read(&leg, octets, sizeof octets, &len), LEG_READ_SOME);
	ck_assert_uint_eq(len, 6);
	wait_for(leg.fd, POLLRDHUP);
	ck_assert_int_eq(leg_read(&leg, octets, sizeof octets, &len), LEG_READ_FIN);
	ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(reads_what_came_before_a_reset)
{
	char octets[10];
	size_t len;

	ck_assert_int_eq(write(peer, "QUIT\r\n", 6), 6);
	wait_for(leg.fd, POLLIN);
	reset_by_peer();
	ck_assert(leg_has_vanished(&leg));
	ck_assert_int_eq(leg_read(&leg, octets, sizeof octets, &len), LEG_READ_SOME);
	ck_assert_uint_eq(len, 6);
	ck_assert_int_eq(leg_read(&leg, octets, sizeof octets, &len), LEG_READ_LOST);
	ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

START_TEST(fin_waits_for_the_outlet)
{
	struct segment s = {.octets = VIEW("221 2.0.0 Bye\r\n"), .to = SMTP_CLIENT, .wait_us = 1000};
	unsigned resumed = 0;
	char octets[64];

	ck_assert_int_eq(outlet_put(&leg.outlet, leg.fd, SMTP_CLIENT, &s, 1, 1, &resumed), 0);
	leg.fin_due = true;
	leg_send_fin(&leg, 1);
	ck_assert(!leg.fin_sent);
	ck_assert_int_eq(outlet_flush(&leg.outlet, leg.fd, 1001, &resumed), 0);
	leg_send_fin(&leg, 1001);
	ck_assert(leg.fin_sent);
	ck_assert_uint_eq(leg.drain_until_us, 1001 + LEG_DRAIN_US);
	ck_assert_int_eq(read(peer, octets, sizeof octets), 15);
	ck_assert_int_eq(read(peer, octets, sizeof octets), 0);
}
END_TEST

START_TEST(a_reset_is_a_reset)
{
	char octet;

	leg_reset(&leg);
	ck_assert_int_eq(leg.state, LEG_GONE);
	ck_assert_int_eq(read(peer, &octet, 1), -1);
	ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

/* Paused, it must sleep through octets and a FIN behind them, and wake for a reset: once. */
START_TEST(paused_it_notices_a_reset_and_does_not_spin)
{
	leg_watch(&leg, false, false);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	calls = 0;
	ck_assert_int_eq(write(peer, "octets", 6), 6);
	wait_for(leg.fd, POLLIN);
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_eq(calls, 0);
	ck_assert(!leg_has_vanished(&leg));
	reset_by_peer();
	for (int i = 0; i < 5; i++)
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_eq(calls, 1);
	ck_assert(leg_has_vanished(&leg));
}
END_TEST

START_TEST(is_watched_for_what_it_is_told)
{
	leg_watch(&leg, true, false);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_eq(calls, 0);
	leg_watch(&leg, true, true);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_int_eq(what_came, EV_WRITE);
	leg_watch(&leg, true, false);
	ck_assert_int_eq(write(peer, "octets", 6), 6);
	wait_for(leg.fd, POLLIN);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_int_eq(what_came, EV_READ);
	leg.eof = true;
	calls = 0;
	leg_watch(&leg, false, false);
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	ck_assert_uint_eq(calls, 0);
	ck_assert_int_eq(leg.watched, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("leg");
	TCase *tcase = tcase_create("leg");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, keeps_what_is_not_used);
	tcase_add_test(tcase, reads_octets_then_fin);
	tcase_add_test(tcase, reads_what_came_before_a_reset);
	tcase_add_test(tcase, fin_waits_for_the_outlet);
	tcase_add_test(tcase, a_reset_is_a_reset);
	tcase_add_test(tcase, paused_it_notices_a_reset_and_does_not_spin);
	tcase_add_test(tcase, is_watched_for_what_it_is_told);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
