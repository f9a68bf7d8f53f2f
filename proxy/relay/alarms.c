/* SPDX-License-Identifier: MIT */
/* A heap of alarms and the timerfd for the first of them. */
#include "proxy/relay/alarms.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void
put(struct alarms *alarms, uint32_t place, struct alarm *alarm)
{
	alarms->heap[place] = alarm;
	alarm->place = place;
}

static void
move_up(struct alarms *alarms, struct alarm *alarm)
{
	uint32_t place = alarm->place;

	while (place > 0 && alarms->heap[(place - 1) / 2]->at_us > alarm->at_us) {
		put(alarms, place, alarms->heap[(place - 1) / 2]);
		place = (place - 1) / 2;
	}
	put(alarms, place, alarm);
}

static void
move_down(struct alarms *alarms, struct alarm *alarm)
{
	uint32_t place = alarm->place, below;

	while ((below = 2 * place + 1) < alarms->count) {
		if (below + 1 < alarms->count && alarms->heap[below + 1]->at_us < alarms->heap[below]->at_us)
			below++;
		if (alarms->heap[below]->at_us >= alarm->at_us)
			break;
		put(alarms, place, alarms->heap[below]);
		place = below;
	}
	put(alarms, place, alarm);
}

/* For the earliest of them. One that is set too early costs a look, and none a system call. */
static void
arm(struct alarms *alarms)
{
	uint64_t at_us = alarms->count > 0 ? alarms->heap[0]->at_us : 0, clock_us;
	struct itimerspec when = {{0, 0}, {0, 1}};

	if (at_us == 0 || (alarms->armed_us != 0 && alarms->armed_us <= at_us))
		return;
	alarms->armed_us = at_us;
	if (at_us > alarms->clock_us) {
		clock_us = at_us - alarms->clock_us;
		when.it_value = (struct timespec){(time_t)(clock_us / 1000000), (long)(clock_us % 1000000) * 1000};
	}
	if (timerfd_settime(alarms->fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		abort();
}

static uint64_t
now(const struct alarms *alarms)
{
	struct timespec monotonic;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	return (uint64_t)monotonic.tv_sec * 1000000 + (uint64_t)monotonic.tv_nsec / 1000 + alarms->clock_us;
}

static void
timer_is_due(evutil_socket_t fd, short what, void *to)
{
	struct alarms *alarms = to;
	uint64_t times, now_us = now(alarms);

	(void)what;
	if (read(fd, &times, sizeof times) < 0)
		return;
	alarms->armed_us = 0;
	/* Who sets it anew for what is past by now waits for the loop to come round, as others do. */
	for (uint32_t most = alarms->count; most > 0 && alarms->count > 0 && alarms->heap[0]->at_us <= now_us; most--) {
		struct alarm *alarm = alarms->heap[0];

		alarms_unset(alarms, alarm);
		alarms->rings(alarm);
	}
	arm(alarms);
}

bool
alarms_init(struct alarms *alarms, struct event_base *base, uint64_t clock_us, void (*rings)(struct alarm *alarm))
{
	*alarms = (struct alarms){.clock_us = clock_us, .rings = rings};
	alarms->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (alarms->fd < 0)
		return false;
	event_assign(&alarms->event, base, alarms->fd, EV_READ | EV_PERSIST, timer_is_due, alarms);
	return event_add(&alarms->event, NULL) == 0;
}

void
alarms_clear(struct alarms *alarms)
{
	if (alarms->fd >= 0) {
		event_del(&alarms->event);
		close(alarms->fd);
	}
	free(alarms->heap);
	*alarms = (struct alarms){.fd = -1};
}

void
alarms_set(struct alarms *alarms, struct alarm *alarm, uint64_t at_us)
{
	if (alarm->at_us != 0)
		alarms_unset(alarms, alarm);
	if (alarms->count == alarms->size) {
		alarms->size = alarms->size == 0 ? 16 : alarms->size * 2;
		alarms->heap = realloc(alarms->heap, alarms->size * sizeof *alarms->heap);
		if (alarms->heap == NULL)
			abort();
	}
	alarm->at_us = at_us;
	alarm->place = alarms->count++;
	move_up(alarms, alarm);
	arm(alarms);
}

void
alarms_unset(struct alarms *alarms, struct alarm *alarm)
{
	struct alarm *last;

	if (alarm->at_us == 0)
		return;
	alarm->at_us = 0;
	last = alarms->heap[--alarms->count];
	if (last == alarm)
		return;
	put(alarms, alarm->place, last);
	move_up(alarms, last);
	move_down(alarms, last);
}
