/* SPDX-License-Identifier: MIT */
/*
 * When octets may go, by a pace of a rule's. Apart from the outlet, which asks how many and
 * tells how many went: it knows times and counts, no octet and no socket.
 */
#ifndef RELAY_PACER_H
#define RELAY_PACER_H

#include <stddef.h>

#include "proxy/rules/rules.h"

struct pacer {
	struct pace pace;
	size_t      group;      /* octets that may go at due_us; 0: none are in line */
	uint64_t    due_us;     /* of the group; without one: when the next may begin */
	uint64_t    rest;       /* spread: what the division has left over, for an exact sum */
	bool        waited;     /* octets were in line all the time since due_us was set */
};

/* Begins: nothing has gone at this pace yet. */
void pacer_set(struct pacer *pacer, const struct pace *pace);

/*
 * How many of the octets that are in line may go now; 0: not before pacer->due_us. Never more
 * than there are.
 */
size_t pacer_allows(struct pacer *pacer, size_t in_line, uint64_t now_us);

/* So many went (no more than were allowed), and so many are left in line. */
void pacer_went(struct pacer *pacer, size_t octets, size_t in_line, uint64_t now_us);

#endif
