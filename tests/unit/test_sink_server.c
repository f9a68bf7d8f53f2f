/* SPDX-License-Identifier: MIT */
/* Connections of the built-in server on a loop that is run step by step. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>

#include "proxy/sink/sink_server.h"
#include "tests/unit/edge.h"

static struct event_base *base;
static struct sink_server_settings settings;

static void
setup(void)
{
	base = event_base_new();
	ck_assert_ptr_nonnull(base);
	settings = (struct sink_server_settings){.session = {.max_size = 1000}};
}

static void
teardown(void)
{
	event_base_free(base);
}

static struct sink_server *
start(bool listens)
{
	struct sockaddr_in  loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	char                error[SINK_SERVER_ERROR_MAX];
	struct sink_server *server = sink_server_start(
	    base, listens ? (struct sockaddr *)&loopback : NULL, sizeof loopback, &settings, error);

	ck_assert_msg(server != NULL, "%s", error);
	return server;
}

/* The client's end of a session that the server was handed. */
static int
take(struct sink_server *server)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	ck_assert(sink_server_take(server, pair[0]));
	fcntl(pair[1], F_SETFL, O_NONBLOCK);
	return pair[1];
}

static int
dial(const struct sink_server *server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)},
	    .sin_port = htons(sink_server_port(server))};
	int                fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* Runs the loop until the text has come, or nothing comes any more for a second. */
static void
expect(int fd, const char *text)
{
	static char  got[4096];
	const size_t len = strlen(text);
	size_t       have = 0;

	for (int round = 0; round < 100 && have < len; round++) {
		ssize_t n = recv(fd, got + have, len - have, 0);

		if (n > 0)
			have += (size_t)n;
		else if (n == 0)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (n < 0)
			usleep(10000);
	}
	ck_assert_msg(have == len && memcmp(got, text, len) == 0, "\"%.*s\" came instead of \"%s\"", (int)have, got, text);
}

/* Whether the server has closed, after a while at most. */
static bool
is_closed(int fd)
{
	char octet;

	for (int round = 0; round < 100; round++) {
		ssize_t n = recv(fd, &octet, 1, 0);

		if (n == 0)
			return true;
		if (n > 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return false;
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	return false;
}

static void
say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

#define GREETING "220 smtpscope.invalid ESMTP smtpscope's built-in server\r\n"

START_TEST(a_session_over_tcp)
{
	struct sink_server *server = start(true);
	int                 fd;

	ck_assert_uint_ne(sink_server_port(server), 0);
	fd = dial(server);
	expect(fd, GREETING);
	ck_assert_uint_eq(sink_server_sessions(server), 1);
	say(fd, "NOOP\r\nNO");
	expect(fd, "250 2.0.0 Ok\r\n");
	say(fd, "OP\r\nQUIT\r\nNOOP\r\n");
	expect(fd, "250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n");
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(sink_server_sessions(server), 1);     /* waits for our FIN */
	close(fd);
	for (int round = 0; round < 100 && sink_server_sessions(server) > 0; round++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	ck_assert_uint_eq(sink_server_sessions(server), 0);
	sink_server_stop(server);
}
END_TEST

START_TEST(a_session_that_was_handed_over)
{
	struct sink_server *server = start(false);
	int                 fd = take(server);

	ck_assert_uint_eq(sink_server_port(server), 0);
	expect(fd, GREETING);
	say(fd, "QUIT\r\n");
	shutdown(fd, SHUT_WR);
	expect(fd, "221 2.0.0 Bye\r\n");
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(sink_server_sessions(server), 0);
	sink_server_stop(server);
	close(fd);
}
END_TEST

START_TEST(half_a_close_behind_commands)
{
	struct sink_server *server = start(false);
	int                 fd = take(server);

	say(fd, "NOOP\r\nRSET\r\nhalf a lin");
	shutdown(fd, SHUT_WR);
	expect(fd, GREETING "250 2.0.0 Ok\r\n250 2.0.0 Ok\r\n");
	ck_assert(is_closed(fd));
	ck_assert_uint_eq(sink_server_sessions(server), 0);
	sink_server_stop(server);
	close(fd);
}
END_TEST

START_TEST(silence_ends_it)
{
	struct sink_server *server;
	int                 idle, busy;

	settings.idle_us = 200000;
	server = start(false);
	idle = take(server);
	busy = take(server);
	expect(idle, GREETING);
	expect(busy, GREETING);
	for (int n = 0; n < 30; n++) {
		say(busy, "NOOP\r\n");
		expect(busy, "250 2.0.0 Ok\r\n");
		usleep(10000);
	}
	expect(idle, "421 4.4.2 Nothing was heard for too long, closing\r\n");
	ck_assert(is_closed(idle));
	say(busy, "NOOP\r\n");
	expect(busy, "250 2.0.0 Ok\r\n");
	sink_server_stop(server);
	close(idle);
	close(busy);
}
END_TEST

START_TEST(stopping_says_so)
{
	struct sink_server *server = start(false);
	int                 fd = take(server), other = take(server);

	expect(fd, GREETING);
	sink_server_stop(server);
	expect(fd, "421 4.3.2 The server is going down\r\n");
	ck_assert(is_closed(fd));
	close(fd);
	close(other);
}
END_TEST

START_TEST(more_sessions_wait)
{
	struct sink_server *server;
	int                 first, second;
	char                octet;

	settings.max_sessions = 1;
	server = start(true);
	first = dial(server);
	expect(first, GREETING);
	second = dial(server);
	for (int round = 0; round < 20; round++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	ck_assert_int_eq(recv(second, &octet, 1, 0), -1);
	close(first);
	expect(second, GREETING);
	close(second);
	sink_server_stop(server);
}
END_TEST

/* Replies that are not read stop the reading; all of them come when they are. */
START_TEST(a_client_that_does_not_read)
{
	struct sink_server *server = start(false);
	int                 fd = take(server);
	size_t              sent = 0, replies = 0, whole;
	char                got[65536];
	bool                stuck = false;

	expect(fd, GREETING);
	while (sent < 64 * 1024 * 1024 && !stuck) {
		static const char group[] = "NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
		ssize_t           n = send(fd, group + sent % 6, sizeof group - 1 - sent % 6, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		for (int round = 0; n < 0 && round < 50; round++) {
			event_base_loop(base, EVLOOP_NONBLOCK);
			stuck = (n = send(fd, &"NOOP\r\n"[sent % 6], 1, MSG_NOSIGNAL)) < 0;
			if (n > 0)
				sent++;
		}
	}
	ck_assert(stuck);
	whole = sent / 6;
	for (int round = 0; round < 100000 && replies < whole; round++) {
		ssize_t n = recv(fd, got, sizeof got, 0);

		for (ssize_t i = 0; i < n; i++)
			replies += got[i] == '\n';
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert_uint_eq(replies, whole);
	sink_server_stop(server);
	close(fd);
}
END_TEST

START_TEST(an_address_that_is_taken)
{
	struct sink_server *server = start(true);
	struct sockaddr_in  address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)},
	     .sin_port = htons(sink_server_port(server))};
	char                error[SINK_SERVER_ERROR_MAX];

	ck_assert_ptr_null(
	    sink_server_start(base, (struct sockaddr *)&address, sizeof address, &settings, error));
	ck_assert_ptr_nonnull(strstr(error, "Address already in use"));
	sink_server_stop(server);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sink_server");
	TCase *tcase = tcase_create("sink_server");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_session_over_tcp);
	tcase_add_test(tcase, a_session_that_was_handed_over);
	tcase_add_test(tcase, half_a_close_behind_commands);
	tcase_add_test(tcase, silence_ends_it);
	tcase_add_test(tcase, stopping_says_so);
	tcase_add_test(tcase, more_sessions_wait);
	tcase_add_test(tcase, a_client_that_does_not_read);
	tcase_add_test(tcase, an_address_that_is_taken);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
