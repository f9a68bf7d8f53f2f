/* SPDX-License-Identifier: MIT */
/*
 * What is told by way of a thread is what is told at once: the same events in the same order, of
 * sessions that overlap, of more than all blocks hold, and of one write that is more than a block.
 */
#include <check.h>
#include <stdlib.h>

#include "proxy/captures/connection.h"
#include "proxy/captures/pipeline.h"
#include "proxy/outputs/json.h"
#include "proxy/sessions/rulebook.h"

#define SESSIONS 4000u          /* some 5 MB of what is told: several times what waits at most */
#define AT_ONCE  7u             /* sessions that overlap */
#define LARGE    (200u << 10)

struct hearing {
	struct buffer      lines;
	struct capture_run run;
	unsigned           pauses, waits;
};

struct speaker {
	struct connection *connection;
	uint32_t           seq[2];
	size_t             step;
};

static struct arena     arena;
static struct rulebook *rulebook;
static char             large[LARGE];

static void
put(void *to, const struct event *event)
{
	struct hearing *h = to;

	json_event(&h->lines, event, NULL);
}

static void
count_pause(void *to)
{
	((struct hearing *)to)->pauses++;
}

/* How often is a matter of luck. */
static void
count_wait(void *to)
{
	((struct hearing *)to)->waits++;
}

static void
segment(struct speaker *s, unsigned end, uint8_t flags, struct view octets, uint64_t time_us)
{
	struct tcp_segment segment = {.seq = s->seq[end], .ack = s->seq[!end], .flags = flags, .data = octets,
	    .data_len = octets.len};

	connection_segment(s->connection, end, &segment, time_us);
	s->seq[end] += (uint32_t)octets.len + ((flags & (TCP_SYN | TCP_FIN)) != 0);
}

/* The next packet of a session; false: that was its last one. */
static bool
speak(struct speaker *s, uint64_t time_us)
{
	static const char *const said[] = {"S220 mx.example.net\r\n", "CEHLO client.example.org\r\n",
	    "S250 mx.example.net\r\n", "CMAIL FROM:<ann@example.org>\r\n", "S250 Ok\r\n",
	    "CRCPT TO:<bob@example.net>\r\n", "S250 Ok\r\n", "CDATA\r\n", "S354 Go on\r\n", "C", "C.\r\n", "S250 Ok\r\n",
	    "CQUIT\r\n", "S221 Bye\r\n"};
	size_t step = s->step++;

	if (step < 2) {
		segment(s, (unsigned)step, step == 0 ? TCP_SYN : TCP_SYN | TCP_ACK, VIEW_NONE, time_us);
		return true;
	}
	step -= 2;
	if (step < sizeof said / sizeof *said) {
		struct view octets = view_of(said[step] + 1);

		if (octets.len == 0)
			octets = (struct view){large, time_us % 1000 == 0 ? LARGE : 1000};
		segment(s, said[step][0] == 'S', TCP_ACK, octets, time_us);
		return true;
	}
	step -= sizeof said / sizeof *said;
	segment(s, step == 0, TCP_ACK | TCP_FIN, VIEW_NONE, time_us);
	return step == 0;
}

static void
begin(struct hearing *h, struct speaker *s, unsigned number)
{
	struct conversation_ends ends = {.address = {{.family = 4, .octets = {192, 0, 2, 1}},
	    {.family = 4, .octets = {192, 0, 2, 25}}}, .port = {(uint16_t)(1024 + number), 25}};

	*s = (struct speaker){.connection = connection_new(&h->run, &ends), .seq = {7, UINT32_MAX - 20}};
}

static void
hear_all(struct hearing *h, bool by_thread)
{
	struct speaker speakers[AT_ONCE];
	uint64_t time_us = 1000000;

	*h = (struct hearing){.run = {.config = &rulebook->config, .capture = "a.pcap"}};
	h->run.turns.kept = true;
	rulebook->config.events = (struct event_sink){.put = put, .to = h, .wants_content = true};
	h->run.pipeline = by_thread ? pipeline_open(&(struct pipeline_calls){count_pause, count_wait, h}) : NULL;
	for (unsigned i = 0; i < AT_ONCE; i++)
		begin(h, &speakers[i], i);
	for (unsigned begun = AT_ONCE; begun < SESSIONS;) {
		struct speaker *s = &speakers[time_us % AT_ONCE];

		if (!speak(s, ++time_us)) {
			connection_close(s->connection, time_us);
			begin(h, s, begun++);
		}
		if (begun == SESSIONS / 2)
			pipeline_settle(h->run.pipeline);
	}
	/* Those that are open now are closed before their time. */
	pipeline_settle(h->run.pipeline);
	for (unsigned i = 0; i < AT_ONCE; i++)
		connection_close(speakers[i].connection, time_us);
	pipeline_close(h->run.pipeline);
	connections_clear(&h->run);
}

START_TEST(a_thread_tells_the_same)
{
	struct session_config config = {.source = "pcap", .dry_run = true, .max_line = 65536, .max_content = 1 << 20,
	    .arena = &arena};
	struct options_list no_rules = {0};
	struct hearing at_once, by_thread;

	for (size_t i = 0; i < LARGE; i++)
		large[i] = "0123456789\r\n"[i % 12];
	arena_init(&arena);
	rulebook = rulebook_load(&no_rules, 1, &config, NULL, stderr);
	hear_all(&at_once, false);
	hear_all(&by_thread, true);
	ck_assert_uint_gt(at_once.run.sessions, SESSIONS - 2 * AT_ONCE);
	ck_assert_uint_eq(at_once.run.sessions, by_thread.run.sessions);
	ck_assert_uint_eq(at_once.lines.len, by_thread.lines.len);
	ck_assert_int_eq(0, memcmp(at_once.lines.at, by_thread.lines.at, at_once.lines.len));
	ck_assert_uint_eq(at_once.pauses, 0);
	buffer_free(&at_once.lines);
	buffer_free(&by_thread.lines);
	rulebook_release(rulebook);
	arena_clear(&arena);
}
END_TEST

/* With nothing to do, the thread lets the outputs have what there is. */
START_TEST(what_was_told_is_shown)
{
	struct hearing h = {.run = {.capture = "a.pcap"}};
	struct pipeline *p = pipeline_open(&(struct pipeline_calls){count_pause, count_wait, &h});
	struct conversation_start start = {.run = &h.run, .capture = "a.pcap", .ends = {.port = {1, 2}}};

	if (p == NULL)
		return; /* one processor: there is no thread */
	pipeline_settle(p);
	ck_assert_uint_eq(h.pauses, 0);
	for (unsigned i = 1; i <= 3; i++) {
		struct told told = {.to = conversation_new(&h.run), .type = TOLD_START,
		    .news.octets = {(const char *)&start, sizeof start}};
		struct told end = {.to = told.to, .type = TOLD_END};

		pipeline_tell(p, &told);
		pipeline_tell(p, &end);
		pipeline_settle(p);
		ck_assert_uint_eq(h.pauses, i);
	}
	pipeline_close(p);
	connections_clear(&h.run);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("pipeline");
	TCase *tc = tcase_create("pipeline");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_thread_tells_the_same);
	tcase_add_test(tc, what_was_told_is_shown);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
