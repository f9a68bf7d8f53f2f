/* SPDX-License-Identifier: MIT */
/*
 * When sessions are to be woken: to the microsecond, for what a rule delays is to take as long as
 * it says. Apart from libevent's timers, which go by a clock of 4 ms and waits of whole
 * milliseconds, or cost a system call each time round the loop.
 *
 * One timerfd a loop, set to the earliest alarm; no alarm, no system call.
 */
#ifndef RELAY_ALARMS_H
#define RELAY_ALARMS_H

#include "proxy/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct alarm {
	uint64_t at_us;         /* by the caller's clock; 0: it is not set */
	uint32_t place;         /* in the heap */
};

struct alarms {
	struct loop_event event;
	struct alarm    **heap;         /* owned; the earliest first, each before those at 2n + 1 and 2n + 2 */
	uint32_t          count, size;
	uint64_t          armed_us;     /* what the timerfd is set to; 0: not set */
	uint64_t          clock_us;     /* what the monotonic clock lacks to be the caller's */
	int               fd;
	void            (*rings)(struct alarm *alarm);
};

/*
 * rings is called in the loop for each alarm that is due, once it is unset; it may set and unset
 * any. False: no descriptor for it.
 */
bool alarms_init(struct alarms *alarms, struct event_base *base, uint64_t clock_us,
    void (*rings)(struct alarm *alarm));
void alarms_clear(struct alarms *alarms);

/* Rings at that time, which is not 0; an earlier time that was set before is forgotten. */
void alarms_set(struct alarms *alarms, struct alarm *alarm, uint64_t at_us);
void alarms_unset(struct alarms *alarms, struct alarm *alarm);

#endif
