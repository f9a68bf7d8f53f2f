/* SPDX-License-Identifier: MIT */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a hash whose values peers cannot steer, and
 * which is the same on every machine. Chance is made of it, and the keys of doses.
 */
#ifndef RULES_SIPHASH_H
#define RULES_SIPHASH_H

#include <stdint.h>

#include "decoders/view.h"

uint64_t siphash(uint64_t key0, uint64_t key1, struct view octets);
/* Of numbers, as if written with their lowest octet first. */
uint64_t siphash_numbers(uint64_t key0, uint64_t key1, const uint64_t *numbers, size_t count);

#endif
