/* SPDX-License-Identifier: MIT */
/* The ring of exchanges: it wraps, grows, finds by serial, and shrinks when a burst is over. */
#include <check.h>
#include <stdlib.h>

#include "decoders/smtp/dialogue.h"
#include "decoders/smtp/queue.h"

static void
push(struct smtp_queue *q, uint64_t serial)
{
	struct smtp_exchange *e = smtp_queue_push(q);

	ck_assert_uint_eq(e->serial, serial);
	/* A new entry is all zero but for its serial, whatever was in its place. */
	ck_assert(e->note == NULL && e->client_is_owed == 0 && e->server_owes == 0 && e->code == 0 && !e->forwarded);
	e->client_is_owed = (uint32_t)(serial * 7);
	e->note = q;
}

static void
holds(const struct smtp_queue *q, uint64_t first, uint32_t count)
{
	ck_assert_uint_eq(q->count, count);
	for (uint32_t n = 0; n < count; n++) {
		struct smtp_exchange *e = smtp_queue_nth(q, n);

		ck_assert_uint_eq(e->serial, first + n);
		ck_assert_uint_eq(e->client_is_owed, (uint32_t)((first + n) * 7));
		ck_assert_ptr_eq(smtp_queue_find(q, first + n), e);
	}
	ck_assert_ptr_null(smtp_queue_nth(q, count));
	ck_assert_ptr_null(smtp_queue_find(q, first - 1));
	ck_assert_ptr_null(smtp_queue_find(q, first + count));
	ck_assert_ptr_null(smtp_queue_find(q, 0));
	ck_assert_ptr_null(smtp_queue_find(q, UINT64_MAX));
}

START_TEST(order_is_kept_however_full_it_gets)
{
	struct smtp_queue q;
	uint64_t pushed = 0, popped = 0;

	smtp_queue_init(&q);
	holds(&q, 1, 0);
	/* The fill level goes up and down through several sizes, so that each wraps before it grows. */
	for (uint32_t level = 1; level < 70; level += 3) {
		while (q.count < level)
			push(&q, ++pushed);
		holds(&q, popped + 1, q.count);
		while (q.count > level / 2) {
			smtp_queue_pop(&q);
			popped++;
			holds(&q, popped + 1, q.count);
		}
	}
	smtp_queue_clear(&q);
	holds(&q, 1, 0);
}
END_TEST

START_TEST(a_burst_leaves_nothing_behind)
{
	struct smtp_queue q;

	smtp_queue_init(&q);
	for (uint64_t serial = 1; serial <= SMTP_QUEUE_INLINE; serial++)
		push(&q, serial);
	ck_assert_ptr_null(q.grown);
	for (uint64_t serial = SMTP_QUEUE_INLINE + 1; serial <= 1000; serial++)
		push(&q, serial);
	ck_assert_ptr_nonnull(q.grown);
	while (q.count > 0)
		smtp_queue_pop(&q);
	ck_assert_ptr_null(q.grown);
	push(&q, 1001);
	holds(&q, 1001, 1);
	smtp_queue_clear(&q);
}
END_TEST

/* 100,000 commands answered by a rule wait for one that the server owes: no step may walk over them. */
START_TEST(thousands_of_commands_cost_no_more_each)
{
	enum { COMMANDS = 100000 };
	struct smtp_limits limits = {.max_line = 64, .max_pending = COMMANDS + 2};
	struct smtp_fate kept = {.owed = true}, forwarded = {.forwarded = true, .owed = true};
	struct smtp_dialogue d;
	struct smtp_unit unit;
	struct smtp_exchange *e;

	smtp_dialogue_init(&d, &limits, false);
	smtp_dialogue_feed(&d, SMTP_SERVER, "220 mx\r\n", 8, 1, &unit);
	smtp_dialogue_settle(&d, SMTP_SERVER, &forwarded);
	for (int n = 0; n <= COMMANDS; n++) {
		ck_assert(smtp_dialogue_feed(&d, SMTP_CLIENT, "NOOP\r\n", 6, 2, &unit));
		smtp_dialogue_settle(&d, SMTP_CLIENT, n == 0 ? &forwarded : &kept);
		ck_assert_ptr_null(smtp_dialogue_turn(&d));
	}
	/* The server answers, and says more than it was asked: the walk for what it owes is over before it begins. */
	ck_assert(smtp_dialogue_feed(&d, SMTP_SERVER, "250 ok\r\n", 8, 3, &unit));
	smtp_dialogue_settle(&d, SMTP_SERVER, &forwarded);
	for (int n = 0; n < COMMANDS; n++) {
		ck_assert(!smtp_dialogue_server_owes(&d));
		ck_assert(smtp_dialogue_client_is_owed(&d));
		ck_assert(smtp_dialogue_feed(&d, SMTP_SERVER, "421 no\r\n", 8, 3, &unit));
		ck_assert_ptr_null(unit.of);
		smtp_dialogue_settle(&d, SMTP_SERVER, &forwarded);
	}
	for (int n = 0; n < COMMANDS; n++) {
		e = smtp_dialogue_turn(&d);
		ck_assert_ptr_nonnull(e);
		smtp_dialogue_answered(&d, e->serial, 250);
	}
	ck_assert_uint_eq(d.queue.count, 0);
	smtp_dialogue_clear(&d);
}
END_TEST

/* A command of ours that the server never answers, then thousands of the client's that it need not see. */
START_TEST(what_only_we_are_owed_is_not_walked_over)
{
	enum { COMMANDS = 100000 };
	struct smtp_limits limits = {.max_line = 64, .max_pending = COMMANDS + 2};
	struct smtp_fate kept = {.owed = true}, forwarded = {.forwarded = true, .owed = true};
	struct smtp_dialogue d;
	struct smtp_unit unit;

	smtp_dialogue_init(&d, &limits, false);
	smtp_dialogue_feed(&d, SMTP_SERVER, "220 mx\r\n", 8, 1, &unit);
	smtp_dialogue_settle(&d, SMTP_SERVER, &forwarded);
	smtp_dialogue_inserted(&d, SMTP_NOOP, 2, NULL);
	for (int n = 0; n < COMMANDS; n++) {
		ck_assert(smtp_dialogue_feed(&d, SMTP_CLIENT, "NOOP\r\n", 6, 2, &unit));
		ck_assert_uint_eq(unit.marks, 0);
		smtp_dialogue_settle(&d, SMTP_CLIENT, &kept);
		smtp_dialogue_answered(&d, smtp_dialogue_turn(&d)->serial, 250);
	}
	smtp_dialogue_clear(&d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tcase = tcase_create("queue");
	SRunner *runner;
	int failed;

	/* A walk over all at each step would be 5,000,000,000 steps and more. */
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, order_is_kept_however_full_it_gets);
	tcase_add_test(tcase, a_burst_leaves_nothing_behind);
	tcase_add_test(tcase, thousands_of_commands_cost_no_more_each);
	tcase_add_test(tcase, what_only_we_are_owed_is_not_walked_over);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
