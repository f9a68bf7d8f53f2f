/* SPDX-License-Identifier: MIT */
#include "proxy/spares.h"

#include <stdlib.h>

#include "proxy/must.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
/* What is spare is nobody's: whoever looks into it is told of by the sanitizer, as if it were freed. */
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define HIDE(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define SHOW(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define HIDE(at, len) ((void)(len))
#define SHOW(at, len) ((void)(len))
#endif

struct spare {
	struct spare *next;
};

void *
spares_take(struct spares *spares, size_t size)
{
	struct spare *spare = spares->first;

	if (spare == NULL)
		return must(malloc(size));
	SHOW(spare, size);
	spares->first = spare->next;
	spares->count--;
	return spare;
}

void
spares_give(struct spares *spares, void *object, size_t size, unsigned max)
{
	struct spare *spare = object;

	if (spare == NULL)
		return;
	if (spares->count >= max) {
		free(spare);
		return;
	}
	spare->next = spares->first;
	spares->first = spare;
	spares->count++;
	HIDE(spare, size);
}

void
spares_clear(struct spares *spares, size_t size)
{
	while (spares->first != NULL)
		free(spares_take(spares, size));
}
