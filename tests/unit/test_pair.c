/* SPDX-License-Identifier: MIT */
/*
 * Pairs, listeners and upstreams with real sockets and a session of the test's own, which
 * passes octets on or does as a test says. Thus what a plan means for sockets is tested apart
 * from what the real session plans.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proxy/relay/listener.h"
#include "proxy/relay/pair.h"
#include "proxy/relay/round.h"
#include "proxy/relay/upstream.h"

/* ---- a session that passes octets on ---- */

struct session {
	uint64_t number;
	bool     eof[2];
	size_t   fed[2];
};

/* What the tests look at, and how the session behaves other than passing on. */
static struct fake {
	unsigned begun, ended, attempts, resumed[2], woken, closed[2], stopped, timed_out, resets;
	uint64_t fed[2];
	char     outcomes[200], servers[400], reason[200];
	bool     refuses[2];            /* session_wants says no */
	uint64_t wake_at;
	bool     lmtp;
	char     client[80], server[300], listener[80];
	void   (*feed)(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan);
	void   (*resume)(struct session *s, enum smtp_side from, struct plan *plan);
	void   (*connect)(struct session *s, struct plan *plan);
} fake;

static void
plan_clear(struct plan *plan)
{
	memset(plan, 0, sizeof *plan);
}

static void
plan_put(struct plan *plan, enum smtp_side to, struct view octets, uint64_t wait_us, bool resume)
{
	plan->segment[plan->segments++] = (struct segment){.octets = octets, .to = to, .wait_us = wait_us, .resume = resume};
}

static void
copy_text(char *to, size_t size, struct view from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.at == NULL ? "" : from.at);
}

struct session *
session_new(const struct session_config *config, uint64_t number, const struct session_ends *ends, uint64_t time_us)
{
	struct session *s = calloc(1, sizeof *s);

	(void)time_us;
	ck_assert_ptr_nonnull(config);
	s->number = number;
	fake.begun++;
	fake.lmtp = ends->lmtp;
	copy_text(fake.client, sizeof fake.client, ends->client_text);
	copy_text(fake.server, sizeof fake.server, ends->server);
	copy_text(fake.listener, sizeof fake.listener, ends->listener);
	return s;
}

void
session_connect(struct session *s, uint64_t time_us, struct plan *plan)
{
	(void)time_us;
	plan_clear(plan);
	if (fake.connect != NULL)
		fake.connect(s, plan);
	else
		plan->dial = true;
}

void
session_server_ends(struct session *s, const struct sockaddr *own, const struct sockaddr *server, uint64_t time_us)
{
	(void)s;
	(void)own;
	(void)server;
	(void)time_us;
}

void
session_upstream(struct session *s, struct view server, const char *outcome, struct view reason,
    uint64_t duration_us, uint64_t time_us)
{
	size_t at = strlen(fake.outcomes), said = strlen(fake.servers);

	(void)s;
	(void)time_us;
	ck_assert_uint_lt(duration_us, 60000000);
	fake.attempts++;
	snprintf(fake.outcomes + at, sizeof fake.outcomes - at, "%s ", outcome);
	snprintf(fake.servers + said, sizeof fake.servers - said, "%.*s ", (int)server.len, server.at);
	if (reason.at != NULL)
		copy_text(fake.reason, sizeof fake.reason, reason);
}

void
session_unreachable(struct session *s, struct view reason, uint64_t time_us, struct plan *plan)
{
	(void)s;
	(void)time_us;
	copy_text(fake.reason, sizeof fake.reason, reason);
	plan_clear(plan);
	plan_put(plan, SMTP_CLIENT, VIEW("421 4.4.1 No server\r\n"), 0, false);
	plan->end[SMTP_CLIENT] = END_FIN;
	plan->drain[SMTP_CLIENT] = true;
	plan->over = true;
}

void
session_feed(struct session *s, enum smtp_side from, const char *octets, size_t len, uint64_t time_us,
    struct plan *plan)
{
	(void)time_us;
	plan_clear(plan);
	if (fake.feed != NULL) {
		fake.feed(s, from, octets, len, plan);
		return;
	}
	s->fed[from] += len;
	fake.fed[from] += len;
	plan_put(plan, smtp_other_side(from), (struct view){octets, len}, 0, false);
	plan->used = len;
}

bool
session_wants(const struct session *s, enum smtp_side from, size_t kept)
{
	(void)s;
	(void)kept;
	return !fake.refuses[from];
}

/* No leg has TLS here. */
void
session_leg_secured(struct session *s, enum smtp_side side, const struct event_tls *facts, uint64_t time_us,
    struct plan *plan)
{
	(void)s;
	(void)side;
	(void)facts;
	(void)time_us;
	plan_clear(plan);
}

void
session_leg_failed(struct session *s, enum smtp_side side, const struct event_tls *facts, uint64_t time_us,
    struct plan *plan)
{
	session_leg_secured(s, side, facts, time_us, plan);
}

bool
session_server_is_decided(const struct session *s)
{
	(void)s;
	return true;
}

void
session_resume(struct session *s, enum smtp_side from, uint64_t time_us, struct plan *plan)
{
	(void)time_us;
	fake.resumed[from]++;
	plan_clear(plan);
	if (fake.resume != NULL)
		fake.resume(s, from, plan);
}

void
session_closed(struct session *s, enum smtp_side by, enum close_how how, struct view reason, const char *kept,
    size_t len, uint64_t time_us, struct plan *plan)
{
	(void)reason;
	(void)kept;
	(void)len;
	(void)time_us;
	plan_clear(plan);
	s->eof[by] = true;
	if (how == CLOSE_EOF) {
		fake.closed[by]++;
		plan->end[smtp_other_side(by)] = END_FIN;
		plan->over = s->eof[smtp_other_side(by)];
		return;
	}
	fake.resets += how == CLOSE_RESET;
	fake.timed_out += how == CLOSE_TIMEOUT;
	fake.stopped += how == CLOSE_STOP;
	if (how == CLOSE_RESET) {
		plan->end[smtp_other_side(by)] = END_RST_AFTER;
	} else {
		plan_put(plan, SMTP_CLIENT, VIEW("421 4.3.2 Enough\r\n"), 0, false);
		plan->end[SMTP_CLIENT] = plan->end[SMTP_SERVER] = END_FIN;
		plan->drain[SMTP_CLIENT] = true;
	}
	plan->over = true;
}

uint64_t
session_wake_at(const struct session *s)
{
	(void)s;
	return fake.wake_at;
}

void
session_wake(struct session *s, uint64_t time_us, struct plan *plan)
{
	(void)s;
	ck_assert_uint_ge(time_us, fake.wake_at);
	fake.woken++;
	fake.wake_at = 0;
	plan_clear(plan);
}

void
session_end(struct session *s, uint64_t time_us)
{
	(void)time_us;
	fake.ended++;
	free(s);
}

void
session_glance(const struct session *s, struct session_glance *glance)
{
	(void)s;
	memset(glance, 0, sizeof *glance);
}

/* No rules: what stands for them is never looked into. */
static char no_rules;

struct ruleset *
ruleset_load(const char *const *paths, size_t count, FILE *err)
{
	(void)paths;
	(void)err;
	ck_assert_uint_eq(count, 0);
	return (struct ruleset *)&no_rules;
}

size_t
ruleset_count(const struct ruleset *rules)
{
	(void)rules;
	return 0;
}

size_t
ruleset_find(const struct ruleset *rules, struct view name)
{
	(void)rules;
	(void)name;
	return RULES_NONE_SUCH;
}

bool
rules_state_goes_on(const struct rules_state *earlier, size_t rule, const struct rules_state *later)
{
	(void)earlier;
	(void)rule;
	(void)later;
	return true;
}

const char *
ruleset_saves(const struct ruleset *rules)
{
	(void)rules;
	return NULL;
}

struct rules_state *
rules_state_new(const struct ruleset *rules, uint64_t seed)
{
	(void)rules;
	(void)seed;
	return (struct rules_state *)&no_rules;
}

struct rules_state *
rules_state_follow(const struct ruleset *rules, const struct rules_state *earlier)
{
	(void)rules;
	(void)earlier;
	return (struct rules_state *)&no_rules;
}

void
rules_state_count(const struct rules_state *state, size_t rule, struct rules_count *count)
{
	(void)state;
	(void)rule;
	(void)count;
}

void
ruleset_free(struct ruleset *rules)
{
	(void)rules;
}

void
rules_state_free(struct rules_state *state)
{
	(void)state;
}

/* ---- the relay between two ends of the test's own ---- */

static struct worker worker;
static struct url listen_url;
static int server_listening;
static union url_address server_address;
static FILE *said;
static char *said_text;
static size_t said_len;
static struct loop_event *tick;

static void
tick_is_due(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	(void)what;
	(void)to;
}

/* One turn of the loop: until something happens, or the test should look again. */
static void
turn(void)
{
	round_go(&worker);
}

#define UNTIL(condition) while (!(condition)) turn()

static int
listen_on(const char *host, int backlog, union url_address *address)
{
	char error[URL_ERROR_MAX];
	struct url url;
	socklen_t len = sizeof *address;
	int fd;

	ck_assert_msg(url_parse(host, URL_LISTEN, 0, &url, error), "%s", error);
	fd = socket(url.address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(fd, &url.address.any, url_address_length(&url.address)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	getsockname(fd, &address->any, &len);
	return fd;
}

static void
start_with(const char *listener, const struct url *urls, size_t count, uint64_t timeout_us, const char *dns)
{
	char error[URL_ERROR_MAX];
	struct session_config config = {0};
	struct options_list none = {0};

	ck_assert_msg(url_parse(listener, URL_LISTEN, 0, &listen_url, error), "%s", error);
	ck_assert(worker_init(&worker));
	said = open_memstream(&said_text, &said_len);
	worker.listeners = listeners_new(&worker, said);
	worker.upstreams = upstreams_new(&worker, urls, count, timeout_us, dns);
	worker.rulebook = rulebook_load(&none, 1, &config, NULL, said);
	ck_assert_msg(listeners_add(worker.listeners, &listen_url, error), "%s", error);
	fflush(said);
	ck_assert(strncmp(said_text, "listening on ", 13) == 0);
	said_text[strcspn(said_text, "\n")] = '\0';
	ck_assert_msg(url_parse(said_text + 13, URL_LISTEN, 0, &listen_url, error), "%s", error);
	ck_assert_uint_ne(listen_url.port, 0);
	tick = event_new(worker.base, -1, EV_PERSIST, tick_is_due, NULL);
	event_add(tick, &(struct timeval){.tv_usec = 5000});
}

static struct url
url_to(const union url_address *address)
{
	char text[URL_ADDRESS_MAX], error[URL_ERROR_MAX];
	struct url url;

	url_address_text(address, text);
	ck_assert_msg(url_parse(text, URL_UPSTREAM, 25, &url, error), "%s", error);
	return url;
}

/* A proxy on loopback to a server that the test accepts for. */
static void
start(void)
{
	struct url url;

	server_listening = listen_on("127.0.0.1:0", 4096, &server_address);
	url = url_to(&server_address);
	start_with("127.0.0.1:0", &url, 1, 30000000, NULL);
}

static void
setup(void)
{
	memset(&fake, 0, sizeof fake);
	memset(&worker, 0, sizeof worker);
	server_listening = -1;
}

static void
teardown(void)
{
	pairs_stop(&worker, "the test is over");
	ck_assert_uint_eq(fake.begun, fake.ended);
	ck_assert_uint_eq(worker.pair_count, 0);
	event_free(tick);
	listeners_free(worker.listeners);
	upstreams_free(worker.upstreams);
	worker_clear(&worker);
	fclose(said);
	free(said_text);
	if (server_listening >= 0)
		close(server_listening);
}

static int
client_connect(void)
{
	int fd = socket(listen_url.address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_ge(fd, 0);
	if (connect(fd, &listen_url.address.any, url_address_length(&listen_url.address)) != 0)
		ck_assert_int_eq(errno, EINPROGRESS);
	return fd;
}

static int
server_accept(void)
{
	int fd;

	UNTIL((fd = accept4(server_listening, NULL, NULL, SOCK_NONBLOCK)) >= 0);
	return fd;
}

static void
send_reset(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(fd);
}

/* Reads up to EOF (0) or an error (its errno); *text has the octets, with a NUL behind them. */
static int
read_to_end(int fd, char *text, size_t size)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, text + len, size - 1 - len);

		if (n > 0)
			len += (size_t)n;
		text[len] = '\0';
		if (n == 0)
			return 0;
		if (n < 0 && errno != EAGAIN)
			return errno;
		if (n < 0)
			turn();
	}
}

static void
expect_text(int fd, const char *text)
{
	char got[256];
	size_t len = 0;

	while (len < strlen(text)) {
		ssize_t n = read(fd, got + len, strlen(text) - len);

		ck_assert_int_ne(n, 0);
		if (n > 0)
			len += (size_t)n;
		else
			turn();
	}
	ck_assert(memcmp(got, text, len) == 0);
}

/* ---- transparency ---- */

static uint64_t
random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* A stream of octets in random cuts, and what has come of it at the other end. */
struct stream {
	int      from, to;
	uint64_t size, sent, got, seed, wrong;
	size_t   most;          /* octets sent at once; 0: many */
	bool     fin, ended;
};

static char
octet_at(uint64_t seed, uint64_t at)
{
	uint64_t x = (at + seed) * 0x9E3779B97F4A7C15u;

	return (char)(x >> 56);
}

static void
stream_step(struct stream *s, bool reads)
{
	static char block[70000];
	size_t len = random_next(&s->seed) % 3 == 0 ? random_next(&s->seed) % sizeof block : random_next(&s->seed) % 50;
	ssize_t n;

	if (s->most != 0 && len > s->most)
		len = s->most;
	if (len > s->size - s->sent)
		len = s->size - s->sent;
	for (size_t i = 0; i < len; i++)
		block[i] = octet_at(s->size, s->sent + i);
	n = len == 0 ? 0 : send(s->from, block, len, MSG_NOSIGNAL);
	s->sent += n > 0 ? (uint64_t)n : 0;
	if (s->sent == s->size && !s->fin) {
		shutdown(s->from, SHUT_WR);
		s->fin = true;
	}
	n = reads ? read(s->to, block, sizeof block) : -1;
	for (ssize_t i = 0; i < n; i++)
		s->wrong += block[i] != octet_at(s->size, s->got + (uint64_t)i);
	s->got += n > 0 ? (uint64_t)n : 0;
	s->ended |= n == 0;
}

START_TEST(octets_and_half_closes_pass_both_ways)
{
	struct stream up = {.size = 1500000 + (uint64_t)_i, .seed = 11 + (uint64_t)_i};
	struct stream down = {.size = _i == 1 ? 0 : 900001, .seed = 12 + (uint64_t)_i};
	int client, server;

	start();
	client = client_connect();
	server = server_accept();
	up.from = down.to = client;
	up.to = down.from = server;
	while (!up.ended || !down.ended) {
		stream_step(&up, true);
		stream_step(&down, true);
		turn();
	}
	ck_assert_uint_eq(up.got, up.size);
	ck_assert_uint_eq(down.got, down.size);
	ck_assert_uint_eq(up.wrong + down.wrong, 0);
	UNTIL(worker.pair_count == 0);
	close(client);
	close(server);
}
END_TEST

/* ---- many legs in one round of the loop ---- */

#define MANY 40         /* more than are read by one call */

/* The kernel forbids io_uring to this process, as in a container. */
static void
forbid_rings(void)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof code / sizeof *code, code};

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	ck_assert_int_eq(syscall(SYS_io_uring_setup, 1, NULL), -1);
	ck_assert_int_eq(errno, EPERM);
}

static void
start_many(int clients[MANY], int servers[MANY])
{
	start();
	for (int i = 0; i < MANY; i++) {
		clients[i] = client_connect();
		servers[i] = server_accept();
	}
}

/* Some of the ends read late and have little room, so that their sockets take a part, or nothing, of what is small. */
START_TEST(many_streams_pass_at_once)
{
	static struct stream streams[2 * MANY];
	int clients[MANY], servers[MANY], room = 40000;
	bool all = false;

	if (_i == 1)
		forbid_rings();
	start_many(clients, servers);
	for (int i = 0; i < 2 * MANY; i++) {
		int pair = i / 2;

		streams[i] = (struct stream){.seed = 77 + (uint64_t)i, .most = i % 3 == 0 ? 0 : 5000,
		    .size = (i % 5 == 0 ? 900000 : 60000) + 1000 * (uint64_t)i,
		    .from = i % 2 == 0 ? clients[pair] : servers[pair],
		    .to = i % 2 == 0 ? servers[pair] : clients[pair]};
		if (i % 5 == 0)
			setsockopt(streams[i].to, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	}
	for (unsigned step = 0; !all; step++) {
		all = true;
		for (int i = 0; i < 2 * MANY; i++) {
			if (!streams[i].ended)
				stream_step(&streams[i], i % 5 != 0 || step > 300);
			all &= streams[i].ended;
		}
		turn();
	}
	for (int i = 0; i < 2 * MANY; i++) {
		ck_assert_uint_eq(streams[i].got, streams[i].size);
		ck_assert_uint_eq(streams[i].wrong, 0);
	}
	UNTIL(worker.pair_count == 0);
	for (int i = 0; i < MANY; i++) {
		close(clients[i]);
		close(servers[i]);
	}
}
END_TEST

/* Passes on in three parts, the middle one a little later, and says the end behind them. */
static void
in_parts_and_the_end(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan)
{
	struct view all = {octets, len};

	s->fed[from] += len;
	plan->used = len;
	if (len == 0) {
		plan_put(plan, smtp_other_side(from), VIEW("later, "), 1000, false);
		plan_put(plan, smtp_other_side(from), VIEW("the end\r\n"), 0, false);
		plan->end[smtp_other_side(from)] = END_FIN;
		return;
	}
	plan_put(plan, smtp_other_side(from), view_first(all, 5), 0, false);
	plan_put(plan, smtp_other_side(from), VIEW("now, "), 0, false);
	plan->again = true;
}

START_TEST(what_is_put_out_in_one_round_stays_in_order)
{
	int clients[MANY], servers[MANY];
	char text[100];

	if (_i == 1)
		forbid_rings();
	start_many(clients, servers);
	fake.feed = in_parts_and_the_end;
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(write(clients[i], "NOOP x\r\n", 8), 8);
	for (int i = 0; i < MANY; i++) {
		ck_assert_int_eq(read_to_end(servers[i], text, sizeof text), 0);
		ck_assert_str_eq(text, "NOOP now, later, the end\r\n");
		close(servers[i]);
		close(clients[i]);
	}
	UNTIL(worker.pair_count == 0);
}
END_TEST

/* In the round in which all say a line, every third server has gone, and every seventh client goes. */
START_TEST(who_leaves_among_many_takes_nobody_along)
{
	int clients[MANY], servers[MANY];
	char line[20], text[100];

	if (_i == 1)
		forbid_rings();
	start_many(clients, servers);
	for (int i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "NOOP %02d\r\n", i);
		ck_assert_int_eq(write(clients[i], line, 9), 9);
		if (i % 3 == 0)
			send_reset(servers[i]);
		else if (i % 7 == 0)
			send_reset(clients[i]);
	}
	for (int i = 0; i < MANY; i++) {
		snprintf(line, sizeof line, "NOOP %02d\r\n", i);
		if (i % 3 == 0) {
			ck_assert_int_eq(read_to_end(clients[i], text, sizeof text), ECONNRESET);
			ck_assert_str_eq(text, "");
			close(clients[i]);
		} else if (i % 7 == 0) {
			ck_assert_int_eq(read_to_end(servers[i], text, sizeof text), ECONNRESET);
			ck_assert_str_eq(text, line);
			close(servers[i]);
		} else {
			expect_text(servers[i], line);
			close(clients[i]);
			ck_assert_int_eq(read_to_end(servers[i], text, sizeof text), 0);
			close(servers[i]);
		}
	}
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(a_half_close_leaves_the_other_half_open)
{
	char text[100];
	int client, server;

	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "QUIT\r\n", 6), 6);
	shutdown(client, SHUT_WR);
	ck_assert_int_eq(read_to_end(server, text, sizeof text), 0);
	ck_assert_str_eq(text, "QUIT\r\n");
	ck_assert_int_eq(write(server, "221 Bye\r\n", 9), 9);
	expect_text(client, "221 Bye\r\n");
	ck_assert_uint_eq(worker.pair_count, 1);
	close(server);
	ck_assert_int_eq(read_to_end(client, text, sizeof text), 0);
	UNTIL(worker.pair_count == 0);
	close(client);
}
END_TEST

START_TEST(a_reset_follows_the_octets_before_it)
{
	char text[100];
	int ends[2], from = _i, to = 1 - _i;

	start();
	ends[SMTP_CLIENT] = client_connect();
	ends[SMTP_SERVER] = server_accept();
	ck_assert_int_eq(write(ends[to], "other way", 9), 9);
	expect_text(ends[from], "other way");
	ck_assert_int_eq(write(ends[from], "before it", 9), 9);
	send_reset(ends[from]);
	ck_assert_int_eq(read_to_end(ends[to], text, sizeof text), ECONNRESET);
	ck_assert_str_eq(text, "before it");
	UNTIL(worker.pair_count == 0);
	ck_assert_uint_eq(fake.resets, 1);
	close(ends[to]);
}
END_TEST

/* What our socket took is not yet the peer's: a reset too early would take it back. */
START_TEST(a_reset_takes_no_octets_back)
{
	static char block[300000], got[sizeof block + 2];
	int client, server, left;
	size_t sent = 0;

	start();
	client = client_connect();
	server = server_accept();
	memset(block, 'x', sizeof block);
	while (sent < sizeof block) {
		ssize_t n = send(client, block + sent, sizeof block - sent, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	UNTIL(ioctl(client, SIOCOUTQ, &left) == 0 && left == 0);
	send_reset(client);
	UNTIL(fake.resets == 1);
	ck_assert_int_eq(read_to_end(server, got, sizeof got), ECONNRESET);
	ck_assert_uint_eq(strlen(got), sizeof block);
	UNTIL(worker.pair_count == 0);
	close(server);
}
END_TEST

/* The server answers and closes with our octets unread: its reply must still be read. */
START_TEST(octets_of_a_leg_that_takes_no_more_are_read)
{
	char text[100];
	int client, server;

	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "EHLO client.example.org\r\n", 25), 25);
	UNTIL(recv(server, text, sizeof text, MSG_PEEK) == 25);
	ck_assert_int_eq(write(server, "421 4.3.2 Bye\r\n", 15), 15);
	close(server);
	read_to_end(client, text, sizeof text);
	ck_assert_str_eq(text, "421 4.3.2 Bye\r\n");
	UNTIL(worker.pair_count == 0);
	close(client);
}
END_TEST

START_TEST(a_slow_reader_holds_up_a_fast_writer)
{
	static char block[65536];
	uint64_t written = 0, arrived = 0;
	int client, server, idle = 0;

	start();
	client = client_connect();
	server = server_accept();
	memset(block, 'x', sizeof block);
	while (idle < 20) {             /* until nobody takes any more */
		ssize_t n = send(client, block, sizeof block, MSG_NOSIGNAL);

		written += n > 0 ? (uint64_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
		turn();
	}
	/* What the proxy read is what it sent (kernel buffers) and what it keeps: its ceiling. */
	ck_assert_uint_lt(fake.fed[SMTP_CLIENT], written);
	ck_assert_uint_lt(written, 64 << 20);
	/* Full the one way, it is open the other. */
	ck_assert_int_eq(write(server, "250 Ok\r\n", 8), 8);
	expect_text(client, "250 Ok\r\n");
	shutdown(client, SHUT_WR);
	for (ssize_t n; (n = read(server, block, sizeof block)) != 0;) {
		arrived += n > 0 ? (uint64_t)n : 0;
		if (n < 0)
			turn();
	}
	ck_assert_uint_eq(arrived, written);
	close(server);
	close(client);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(a_paused_client_that_resets_is_noticed)
{
	int client, server;

	start();
	client = client_connect();
	server = server_accept();
	fake.refuses[SMTP_CLIENT] = true;
	ck_assert_int_eq(write(server, "220 mx.example.org\r\n", 20), 20);
	expect_text(client, "220 mx.example.org\r\n");
	ck_assert_int_eq(write(client, "EHLO\r\n", 6), 6);
	send_reset(client);
	UNTIL(fake.resets == 1);
	UNTIL(worker.pair_count == 0);
	close(server);
}
END_TEST

START_TEST(a_thousand_sessions_at_once)
{
	enum { SESSIONS = 1000 };
	static int client[SESSIONS], server[SESSIONS];
	struct rlimit limit;
	char octet;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < 4 * SESSIONS + 50) {
		printf("skipped: %s needs %d descriptors\n", __func__, 4 * SESSIONS + 50);
		start();
		return;
	}
	start();
	for (int i = 0; i < SESSIONS; i++)
		client[i] = client_connect();
	for (int i = 0; i < SESSIONS; i++)
		server[i] = server_accept();
	ck_assert_uint_eq(worker.pair_count, SESSIONS);
	for (int i = 0; i < SESSIONS; i++)
		ck_assert_int_eq(write(client[i], "x", 1), 1);
	for (int i = 0; i < SESSIONS; i++) {
		UNTIL(read(server[i], &octet, 1) == 1);
		ck_assert_int_eq(octet, 'x');
		close(server[i]);
	}
	for (int i = 0; i < SESSIONS; i++) {
		UNTIL(read(client[i], &octet, 1) == 0);
		close(client[i]);
	}
	UNTIL(worker.pair_count == 0);
	ck_assert_uint_eq(fake.ended, SESSIONS);
}
END_TEST

/* ---- plans ---- */

static void
answer_later(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan)
{
	(void)s;
	(void)octets;
	plan->used = len;
	if (from == SMTP_SERVER || len == 0)
		return;
	plan_put(plan, SMTP_SERVER, VIEW("at once "), 0, false);
	plan_put(plan, SMTP_SERVER, VIEW("late "), 20000, true);
}

static void
then_more(struct session *s, enum smtp_side from, struct plan *plan)
{
	(void)s;
	plan_put(plan, smtp_other_side(from), VIEW("later"), 0, false);
	plan->end[smtp_other_side(from)] = END_FIN;
}

START_TEST(a_wait_resumes_the_side_that_it_held)
{
	char text[100];
	int client, server;

	fake.feed = answer_later;
	fake.resume = then_more;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "x", 1), 1);
	ck_assert_int_eq(read_to_end(server, text, sizeof text), 0);
	ck_assert_str_eq(text, "at once late later");
	ck_assert_uint_eq(fake.resumed[SMTP_CLIENT], 1);
	ck_assert_uint_eq(fake.resumed[SMTP_SERVER], 0);
	close(client);
	close(server);
}
END_TEST

/* Uses what the client sends line by line; asks for the same side again until no line is left. */
static void
line_by_line(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan)
{
	const char *end = len == 0 ? NULL : memchr(octets, '\n', len);

	s->fed[from] += len;
	if (end == NULL)
		return;
	plan->used = (size_t)(end - octets) + 1;
	plan_put(plan, smtp_other_side(from), (struct view){octets, plan->used}, 0, false);
	plan->again = true;
}

START_TEST(what_is_not_used_is_kept_and_offered_again)
{
	int client, server;

	fake.feed = line_by_line;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "one\ntwo\nthr", 11), 11);
	expect_text(server, "one\ntwo\n");
	ck_assert_int_eq(write(client, "e", 1), 1);
	ck_assert_int_eq(write(client, "e\nfour\n", 7), 7);
	expect_text(server, "three\nfour\n");
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

/* The client's octets are used only once the server has said something: "other" brings them back. */
static void
when_the_server_has_spoken(struct session *s, enum smtp_side from, const char *octets, size_t len,
    struct plan *plan)
{
	if (from == SMTP_SERVER) {
		s->fed[SMTP_SERVER] += len;
		plan->other = true;
		plan->used = len;
		return;
	}
	if (s->fed[SMTP_SERVER] == 0)
		return;
	plan_put(plan, SMTP_SERVER, (struct view){octets, len}, 0, false);
	plan->used = len;
}

START_TEST(the_other_sides_kept_octets_are_offered)
{
	int client, server;

	fake.feed = when_the_server_has_spoken;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "EHLO client.example.org\r\n", 25), 25);
	shutdown(client, SHUT_WR);
	UNTIL(fake.closed[SMTP_CLIENT] == 1);
	ck_assert_int_eq(read(server, &(char){0}, 1), 0);       /* the fake says FIN at once */
	ck_assert_int_eq(write(server, "220 Go\r\n", 8), 8);
	close(server);
	UNTIL(worker.pair_count == 0);
	close(client);
}
END_TEST

START_TEST(kept_octets_go_on_when_the_other_side_has_spoken)
{
	int client, server;

	fake.feed = when_the_server_has_spoken;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "EHLO client.", 12), 12);
	ck_assert_int_eq(write(client, "example.org\r\n", 13), 13);
	ck_assert_int_eq(write(server, "220 Go\r\n", 8), 8);
	expect_text(server, "EHLO client.example.org\r\n");
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

static void
close_with_reply(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan)
{
	(void)s;
	(void)octets;
	plan->used = len;
	if (from == SMTP_SERVER)
		return;
	plan_put(plan, SMTP_CLIENT, VIEW("421 4.7.0 Enough\r\n"), 0, false);
	plan->end[SMTP_CLIENT] = plan->end[SMTP_SERVER] = END_FIN;
	plan->drain[SMTP_CLIENT] = true;
	plan->over = true;
}

/* What the client sends behind the reply must not make a reset of ours overtake it. */
START_TEST(a_drained_leg_is_read_until_its_fin)
{
	static char block[100000];
	char text[100];
	int client, server;

	fake.feed = close_with_reply;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "MAIL\r\n", 6), 6);
	UNTIL(fake.ended == 1);
	ck_assert_uint_eq(worker.pair_count, 1);
	for (size_t sent = 0; sent < 3000000;) {
		ssize_t n = send(client, block, sizeof block, MSG_NOSIGNAL);

		ck_assert(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	ck_assert_int_eq(read_to_end(client, text, sizeof text), 0);
	ck_assert_str_eq(text, "421 4.7.0 Enough\r\n");
	ck_assert_int_eq(read_to_end(server, text, sizeof text), 0);
	close(client);
	UNTIL(worker.pair_count == 0);
	close(server);
}
END_TEST

static void
reset_both(struct session *s, enum smtp_side from, const char *octets, size_t len, struct plan *plan)
{
	(void)s;
	(void)from;
	(void)octets;
	plan->used = len;
	plan->end[SMTP_CLIENT] = plan->end[SMTP_SERVER] = END_RST;
	plan->over = true;
}

START_TEST(a_rules_reset_is_one)
{
	char text[100];
	int client, server;

	fake.feed = reset_both;
	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "MAIL\r\n", 6), 6);
	ck_assert_int_eq(read_to_end(client, text, sizeof text), ECONNRESET);
	ck_assert_int_eq(read_to_end(server, text, sizeof text), ECONNRESET);
	UNTIL(worker.pair_count == 0);
	close(client);
	close(server);
}
END_TEST

static void
answer_without_server(struct session *s, struct plan *plan)
{
	(void)s;
	plan_put(plan, SMTP_CLIENT, VIEW("554 No\r\n"), 0, false);
}

START_TEST(a_session_may_have_no_server)
{
	int client;

	fake.connect = answer_without_server;
	start();
	client = client_connect();
	expect_text(client, "554 No\r\n");
	close(client);
	UNTIL(fake.closed[SMTP_CLIENT] == 1);
	ck_assert_uint_eq(fake.attempts, 0);
}
END_TEST

static void
dial_later(struct session *s, struct plan *plan)
{
	(void)s;
	plan_put(plan, SMTP_CLIENT, VIEW(""), 30000, true);
}

static void
dial_now(struct session *s, enum smtp_side from, struct plan *plan)
{
	(void)s;
	ck_assert_int_eq(from, SMTP_SERVER);
	plan->dial = true;
}

/* A rule delays the greeting, and so the dial; the client has spoken meanwhile. */
START_TEST(octets_wait_for_a_server_that_is_dialled_later)
{
	int client, server;

	fake.connect = dial_later;
	fake.resume = dial_now;
	start();
	client = client_connect();
	ck_assert_int_eq(write(client, "EHLO\r\n", 6), 6);
	UNTIL(fake.fed[SMTP_CLIENT] == 6);
	ck_assert_uint_eq(fake.resumed[SMTP_SERVER], 0);
	server = server_accept();
	expect_text(server, "EHLO\r\n");
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(a_session_is_woken_when_it_asked_for_it)
{
	start();
	fake.wake_at = worker_now(&worker) + 30000;
	close(client_connect());
	UNTIL(fake.woken == 1);
}
END_TEST

START_TEST(an_idle_session_is_ended)
{
	char text[100];
	int client;

	start();
	worker.idle_timeout_us = 50000;
	client = client_connect();
	ck_assert_int_eq(read_to_end(client, text, sizeof text), 0);
	ck_assert_str_eq(text, "421 4.3.2 Enough\r\n");
	ck_assert_uint_eq(fake.timed_out, 1);
	close(client);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(a_stop_says_what_it_can)
{
	char text[100];
	int client, server;

	start();
	client = client_connect();
	server = server_accept();
	ck_assert_int_eq(write(client, "NOOP\r\n", 6), 6);
	expect_text(server, "NOOP\r\n");
	ck_assert_int_eq(write(client, "unread\r\n", 8), 8);
	pairs_stop(&worker, "stopped");
	ck_assert_uint_eq(fake.stopped, 1);
	ck_assert_uint_eq(fake.ended, 1);
	ck_assert_int_eq(read_to_end(client, text, sizeof text), 0);
	ck_assert_str_eq(text, "421 4.3.2 Enough\r\n");
	close(client);
	close(server);
}
END_TEST

/* ---- listeners and upstreams ---- */

START_TEST(refused_then_the_next_is_tried)
{
	union url_address closed;
	struct url urls[2];
	int client, server;

	close(listen_on("127.0.0.1:0", 1, &closed));
	server_listening = listen_on("127.0.0.1:0", 10, &server_address);
	urls[0] = url_to(&closed);
	urls[1] = url_to(&server_address);
	start_with("127.0.0.1:0", urls, 2, 30000000, NULL);
	client = client_connect();
	server = server_accept();
	ck_assert_str_eq(fake.outcomes, "refused connected ");
	ck_assert(view_equal(url_authority(&urls[0]), view_of(fake.server)));
	ck_assert(view_equal(url_authority(&listen_url), view_of(fake.listener)));
	ck_assert(strncmp(fake.client, "127.0.0.1:", 10) == 0);
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(all_refused_is_told)
{
	union url_address closed;
	struct url url;
	char text[100];
	int client;

	close(listen_on("127.0.0.1:0", 1, &closed));
	url = url_to(&closed);
	start_with("127.0.0.1:0", &url, 1, 30000000, NULL);
	client = client_connect();
	ck_assert_int_eq(write(client, "EHLO\r\n", 6), 6);
	ck_assert_int_eq(read_to_end(client, text, sizeof text), 0);
	ck_assert_str_eq(text, "421 4.4.1 No server\r\n");
	ck_assert_msg(strstr(fake.reason, "Connection refused") != NULL, "%s", fake.reason);
	close(client);
	UNTIL(worker.pair_count == 0);
}
END_TEST

/* A listener whose backlog is full drops what comes: the attempt takes too long. */
START_TEST(a_connect_that_takes_too_long)
{
	struct url url;
	int client, filler[3];

	server_listening = listen_on("127.0.0.1:0", 0, &server_address);
	for (int i = 0; i < 3; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(filler[i], &server_address.any, url_address_length(&server_address));
	}
	url = url_to(&server_address);
	start_with("127.0.0.1:0", &url, 1, 100000, NULL);
	client = client_connect();
	UNTIL(fake.attempts == 1);
	ck_assert_str_eq(fake.outcomes, "timeout ");
	UNTIL(fake.ended == 1);
	close(client);
	for (int i = 0; i < 3; i++)
		close(filler[i]);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(a_client_that_leaves_while_dialling)
{
	struct url url;
	int filler[3];

	server_listening = listen_on("127.0.0.1:0", 0, &server_address);
	for (int i = 0; i < 3; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(filler[i], &server_address.any, url_address_length(&server_address));
	}
	url = url_to(&server_address);
	start_with("127.0.0.1:0", &url, 1, 30000000, NULL);
	send_reset(client_connect());
	UNTIL(fake.resets == 1);
	UNTIL(worker.pair_count == 0);
	ck_assert_uint_eq(fake.attempts, 0);
	for (int i = 0; i < 3; i++)
		close(filler[i]);
}
END_TEST

START_TEST(ipv6_both_ways)
{
	struct url url;
	int client, server;

	server_listening = listen_on("[::1]:0", 10, &server_address);
	url = url_to(&server_address);
	start_with("[::1]:0", &url, 1, 30000000, NULL);
	client = client_connect();
	server = server_accept();
	ck_assert(strncmp(fake.client, "[::1]:", 6) == 0);
	ck_assert_int_eq(write(client, "EHLO\r\n", 6), 6);
	expect_text(server, "EHLO\r\n");
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(an_ipv4_client_of_an_ipv6_listener_has_its_own_address)
{
	char error[URL_ERROR_MAX], text[40];
	struct url url;
	int client, server;

	server_listening = listen_on("127.0.0.1:0", 10, &server_address);
	url = url_to(&server_address);
	start_with("[::]:0", &url, 1, 30000000, NULL);
	snprintf(text, sizeof text, "127.0.0.1:%u", listen_url.port);
	ck_assert(url_parse(text, URL_LISTEN, 0, &listen_url, error));
	client = client_connect();
	server = server_accept();
	ck_assert(strncmp(fake.client, "127.0.0.1:", 10) == 0);
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(one_session_too_many_is_told)
{
	char text[100];
	int client, server, second;

	start();
	worker.max_sessions = 1;
	client = client_connect();
	server = server_accept();
	second = client_connect();
	ck_assert_int_eq(read_to_end(second, text, sizeof text), 0);
	ck_assert(strncmp(text, "421 4.3.2 ", 10) == 0);
	ck_assert_uint_eq(worker.turned_away, 1);
	ck_assert_uint_eq(fake.begun, 1);
	close(second);
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

/* Without descriptors it must neither spin nor forget: who waits comes in when one is free. */
START_TEST(without_descriptors_accepting_pauses)
{
	struct rlimit limit, low;
	int client[2], server, spare, turns = 0;

	start();
	client[0] = client_connect();
	server = server_accept();
	client[1] = client_connect();
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	spare = dup(client[0]);
	close(spare);
	low.rlim_cur = (rlim_t)spare;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	event_del(tick);
	UNTIL((fflush(said), said_len > 0 && strstr(said_text + strlen(said_text) + 1, "no connection for now")));
	for (uint64_t end = worker_now(&worker) + 250000; worker_now(&worker) < end; turns++)
		turn();
	ck_assert_int_lt(turns, 20);
	ck_assert_uint_eq(fake.begun, 1);
	setrlimit(RLIMIT_NOFILE, &limit);
	event_add(tick, &(struct timeval){.tv_usec = 5000});
	close(server);
	server = server_accept();
	ck_assert_uint_eq(fake.begun, 2);
	close(client[0]);
	close(client[1]);
	close(server);
	UNTIL(worker.pair_count == 0);
}
END_TEST

START_TEST(never_to_its_own_listener)
{
	static const struct {
		const char *listener, *to;
		bool        own;
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1", true},
		{"127.0.0.1:0", "127.0.0.2", false},
		{"127.0.0.1:0", "0.0.0.0", true},
		{"0.0.0.0:0", "127.0.0.1", true},
		{"0.0.0.0:0", "127.0.0.9", true},
		{"0.0.0.0:0", "192.0.2.1", false},
		{"0.0.0.0:0", "[::ffff:127.0.0.1]", true},
		{"0.0.0.0:0", "[::1]", false},
		{"[::]:0", "[::1]", true},
		{"[::]:0", "127.0.0.1", true},
		{"[::]:0", "[2001:db8::1]", false},
		{"[::1]:0", "[::1]", true},
		{"[::1]:0", "[::]", true},
	};
	char text[80], error[URL_ERROR_MAX];
	struct url url;

	server_listening = listen_on("127.0.0.1:0", 10, &server_address);
	url = url_to(&server_address);
	start_with(rows[_i].listener, &url, 1, 30000000, NULL);
	ck_assert_ptr_null(upstreams_find_own(worker.upstreams));
	snprintf(text, sizeof text, "%s:%u", rows[_i].to, listen_url.port);
	ck_assert(url_parse(text, URL_UPSTREAM, 25, &url, error));
	ck_assert_int_eq(listeners_own(worker.listeners, &url.address), rows[_i].own);
	upstreams_free(worker.upstreams);
	worker.upstreams = upstreams_new(&worker, &url, 1, 30000000, NULL);
	ck_assert_int_eq(upstreams_find_own(worker.upstreams) != NULL, rows[_i].own);
	if (rows[_i].own) {
		int client = client_connect();

		UNTIL(fake.ended == 1);
		ck_assert_uint_eq(fake.begun, 1);
		ck_assert_str_eq(fake.outcomes, "refused ");
		ck_assert(strstr(fake.reason, "own listener") != NULL);
		close(client);
		UNTIL(worker.pair_count == 0);
	}
	url_address_set_port(&url.address, (uint16_t)(listen_url.port ^ 1));
	ck_assert(!listeners_own(worker.listeners, &url.address));
}
END_TEST

/* ---- names ---- */

static int dns;
static unsigned asked;

/* Answers each query: mx.example.org has 127.0.0.3 and 127.0.0.1, silent.example.org nothing, others are unknown. */
static void
dns_answer(evutil_socket_t fd, short what, void *to)
{
	static const uint8_t address[] = {0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 0};
	uint8_t message[512];
	union url_address from;
	socklen_t len = sizeof from;
	ssize_t n = recvfrom(fd, message, 300, 0, &from.any, &len);
	size_t question = 12;
	bool known, a;

	(void)what;
	(void)to;
	ck_assert_int_gt(n, 16);
	asked++;
	if (memmem(message, (size_t)n, "silent", 6) != NULL)
		return;
	while (message[question] != 0)
		question += message[question] + 1u;
	a = message[question + 2] == 1;
	question += 5;
	known = memcmp(message + 12, "\2mx\7example\3org", 16) == 0;
	message[2] = 0x81;
	message[3] = known ? 0x80 : 0x83;
	memset(message + 6, 0, 6);
	if (known && a) {
		message[7] = 2;
		for (uint8_t i = 0; i < 2; i++) {
			memcpy(message + question, address, sizeof address);
			message[question + sizeof address - 1] = i == 0 ? 3 : 1;
			question += sizeof address;
		}
	}
	ck_assert_int_eq(sendto(fd, message, question, 0, &from.any, len), (ssize_t)question);
}

static void
start_with_names(const char *first, const char *second, uint64_t timeout_us)
{
	union url_address address;
	socklen_t len = sizeof address;
	char text[URL_ADDRESS_MAX], name[300], error[URL_ERROR_MAX];
	struct url urls[2];
	const char *names[] = {first, second};
	static struct loop_event answering;

	server_listening = listen_on("127.0.0.1:0", 10, &server_address);
	dns = listen_on("127.0.0.1:0", 1, &address);
	close(dns);
	dns = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(dns, &address.any, sizeof address.v4), 0);
	getsockname(dns, &address.any, &len);
	url_address_text(&address, text);
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof name, "%s:%u", names[i], url_address_port(&server_address));
		ck_assert(url_parse(name, URL_UPSTREAM, 25, &urls[i], error));
	}
	asked = 0;
	start_with("127.0.0.1:0", urls, 2, timeout_us, text);
	event_assign(&answering, worker.base, dns, EV_READ | EV_PERSIST, dns_answer, NULL);
	event_add(&answering, NULL);
}

START_TEST(a_names_addresses_are_tried_in_order)
{
	int client, server;
	char expected[200];

	start_with_names("unknown.example.org", "mx.example.org", 30000000);
	client = client_connect();
	server = server_accept();
	snprintf(expected, sizeof expected, "unknown.example.org:%u 127.0.0.3:%u 127.0.0.1:%u ",
	    url_address_port(&server_address), url_address_port(&server_address), url_address_port(&server_address));
	ck_assert_str_eq(fake.outcomes, "dns refused connected ");
	ck_assert_str_eq(fake.servers, expected);
	ck_assert_uint_ge(asked, 2);
	close(client);
	close(server);
	UNTIL(worker.pair_count == 0);
	close(dns);
}
END_TEST

START_TEST(a_name_that_is_not_answered)
{
	int client;

	start_with_names("silent.example.org", "silent.example.org", 60000);
	client = client_connect();
	UNTIL(fake.ended == 1);
	ck_assert_str_eq(fake.outcomes, "dns dns ");
	ck_assert_msg(strstr(fake.reason, "no answer in 0.06 s") != NULL, "%s", fake.reason);
	close(client);
	UNTIL(worker.pair_count == 0);
	close(dns);
}
END_TEST

START_TEST(a_client_that_leaves_while_a_name_is_asked_for)
{
	start_with_names("silent.example.org", "mx.example.org", 30000000);
	send_reset(client_connect());
	UNTIL(fake.resets == 1);
	UNTIL(worker.pair_count == 0);
	ck_assert_uint_eq(fake.attempts, 0);
	close(dns);
}
END_TEST

START_TEST(a_number_is_asked_of_nobody)
{
	int client;

	start_with_names("127.0.0.1", "127.0.0.1", 30000000);
	client = client_connect();
	close(server_accept());
	UNTIL(fake.closed[SMTP_SERVER] == 1);
	ck_assert_uint_eq(asked, 0);
	close(client);
	UNTIL(worker.pair_count == 0);
	close(dns);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pair");
	TCase *tcase = tcase_create("pair");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, octets_and_half_closes_pass_both_ways, 0, 4);
	tcase_add_loop_test(tcase, many_streams_pass_at_once, 0, 2);
	tcase_add_loop_test(tcase, what_is_put_out_in_one_round_stays_in_order, 0, 2);
	tcase_add_loop_test(tcase, who_leaves_among_many_takes_nobody_along, 0, 2);
	tcase_add_test(tcase, a_half_close_leaves_the_other_half_open);
	tcase_add_loop_test(tcase, a_reset_follows_the_octets_before_it, 0, 2);
	tcase_add_test(tcase, a_reset_takes_no_octets_back);
	tcase_add_test(tcase, octets_of_a_leg_that_takes_no_more_are_read);
	tcase_add_test(tcase, a_slow_reader_holds_up_a_fast_writer);
	tcase_add_test(tcase, a_paused_client_that_resets_is_noticed);
	tcase_add_test(tcase, a_thousand_sessions_at_once);
	tcase_add_test(tcase, a_wait_resumes_the_side_that_it_held);
	tcase_add_test(tcase, what_is_not_used_is_kept_and_offered_again);
	tcase_add_test(tcase, the_other_sides_kept_octets_are_offered);
	tcase_add_test(tcase, kept_octets_go_on_when_the_other_side_has_spoken);
	tcase_add_test(tcase, a_drained_leg_is_read_until_its_fin);
	tcase_add_test(tcase, a_rules_reset_is_one);
	tcase_add_test(tcase, a_session_may_have_no_server);
	tcase_add_test(tcase, octets_wait_for_a_server_that_is_dialled_later);
	tcase_add_test(tcase, a_session_is_woken_when_it_asked_for_it);
	tcase_add_test(tcase, an_idle_session_is_ended);
	tcase_add_test(tcase, a_stop_says_what_it_can);
	tcase_add_test(tcase, refused_then_the_next_is_tried);
	tcase_add_test(tcase, all_refused_is_told);
	tcase_add_test(tcase, a_connect_that_takes_too_long);
	tcase_add_test(tcase, a_client_that_leaves_while_dialling);
	tcase_add_test(tcase, ipv6_both_ways);
	tcase_add_test(tcase, an_ipv4_client_of_an_ipv6_listener_has_its_own_address);
	tcase_add_test(tcase, one_session_too_many_is_told);
	tcase_add_test(tcase, without_descriptors_accepting_pauses);
	tcase_add_loop_test(tcase, never_to_its_own_listener, 0, 13);
	tcase_add_test(tcase, a_names_addresses_are_tried_in_order);
	tcase_add_test(tcase, a_name_that_is_not_answered);
	tcase_add_test(tcase, a_client_that_leaves_while_a_name_is_asked_for);
	tcase_add_test(tcase, a_number_is_asked_of_nobody);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
