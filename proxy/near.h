/* SPDX-License-Identifier: MIT */
/* "Did you mean": the known word that is nearest to one that is not known. */
#ifndef PROXY_NEAR_H
#define PROXY_NEAR_H

#include "decoders/view.h"

/*
 * The name that is nearest to word, ASCII case ignored, or NULL where none is near enough
 * to be worth saying. A letter added, left out, mistaken or two swapped count as one step;
 * about one step in three letters is near enough. Of equally near ones the first in names
 * wins. The result is one of names.
 */
const char *near_word(struct view word, const char *const *names, size_t count);

#endif
