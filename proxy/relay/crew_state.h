/* SPDX-License-Identifier: MIT */
/* The crew from the inside, for crew.c (how it works) and crew_ask.c (what it can be asked). */
#ifndef RELAY_CREW_STATE_H
#define RELAY_CREW_STATE_H

#include "proxy/relay/crew.h"
#include "proxy/relay/inbox.h"

struct mate {
	struct crew        *crew;
	struct worker       worker;
	struct reporting    reporting;
	struct sink_server *sink;       /* NULL: none */
	struct inbox        inbox;
	pthread_t           thread;
	bool                made, running;
	const char         *reason;     /* its own: of the end */
};

struct crew {
	struct crew_model model;
	struct inbox      inbox;        /* main's */
	void            (*idle)(void *to);
	void             *to;
	size_t            busy;         /* mates that have sessions left, or are not known to have none */
	size_t            count;
	struct mate       mates[];
};

#endif
