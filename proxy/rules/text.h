/* SPDX-License-Identifier: MIT */
/* A text that is put together in an arena. It grows by doubling: peers choose how long it gets. */
#ifndef RULES_TEXT_H
#define RULES_TEXT_H

#include "proxy/arena.h"

struct text {
	struct arena *arena;    /* borrowed */
	char         *at;
	size_t        len, size;
};

/* Empty, in that arena. */
#define TEXT_IN(arena) ((struct text){(arena), NULL, 0, 0})

void text_put(struct text *text, struct view octets);
/* All of it, with a NUL behind; .at is never NULL. */
struct view text_done(struct text *text);

#endif
