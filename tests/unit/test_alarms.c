/* SPDX-License-Identifier: MIT */
/* Alarms ring in the order of their times, each once, however they were set and unset before. */
#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "proxy/relay/alarms.h"

#define MANY 500

static struct event_base *base;
static struct alarms alarms;
static struct alarm many[MANY];
static unsigned rung, wrong;
static uint64_t last_us;

static uint64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

/* Where it was due is kept here: it is unset by the time it rings. */
static uint64_t due_us[MANY];

static void
rings(struct alarm *alarm)
{
	uint64_t at_us = due_us[alarm - many];

	rung++;
	wrong += alarm->at_us != 0 || at_us < last_us || now() < at_us;
	last_us = at_us;
	/* Every tenth is done with another at its ring, and sets itself once more. */
	if (rung % 10 == 0)
		alarms_unset(&alarms, &many[(alarm - many + 1) % MANY]);
	if (rung % 10 == 5) {
		due_us[alarm - many] = at_us + 2000;
		alarms_set(&alarms, alarm, at_us + 2000);
	}
}

static void
set(unsigned n, uint64_t at_us)
{
	due_us[n] = at_us;
	alarms_set(&alarms, &many[n], at_us);
}

START_TEST(they_ring_in_order)
{
	uint64_t state = 88172645463325252u, start;

	base = event_base_new();
	ck_assert(alarms_init(&alarms, base, 0, rings));
	start = now();
	for (unsigned i = 0; i < 4 * MANY; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		if (state % 5 == 0)
			alarms_unset(&alarms, &many[state / 7 % MANY]);
		else
			set((unsigned)(state / 7 % MANY), start + state / 11 % 50000);
	}
	while (alarms.count > 0)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(wrong, 0);
	ck_assert_uint_gt(rung, MANY / 2);
	/* What is past rings as well, and a loop with none left has nothing to do. */
	rung = 0;
	last_us = 0;
	set(0, 1);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_eq(rung, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_uint_eq(rung, 1);
	alarms_clear(&alarms);
	event_base_free(base);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("alarms");
	TCase *tcase = tcase_create("alarms");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, they_ring_in_order);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
