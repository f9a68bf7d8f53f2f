/* SPDX-License-Identifier: MIT */
/* Memory that the program cannot go on without. */
#ifndef PROXY_MUST_H
#define PROXY_MUST_H

#include <stdlib.h>

/* What an allocation gave; out of memory ends the program. */
static inline void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

#endif
