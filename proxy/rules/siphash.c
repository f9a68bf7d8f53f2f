/* SPDX-License-Identifier: MIT */
/* The hash is its authors'; the test compares it with the vectors of their paper. */
#include "proxy/rules/siphash.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
rounds(struct state *s, unsigned count)
{
	while (count-- > 0) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static void
take(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

static struct state
begin(uint64_t key0, uint64_t key1)
{
	return (struct state){key0 ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du, key0 ^ 0x6c7967656e657261u,
	    key1 ^ 0x7465646279746573u};
}

static uint64_t
end(struct state *s, uint64_t last)
{
	take(s, last);
	s->v2 ^= 0xff;
	rounds(s, 4);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t
siphash(uint64_t key0, uint64_t key1, struct view octets)
{
	struct state s = begin(key0, key1);
	uint64_t word = 0;

	for (size_t i = 0; i < octets.len; i++) {
		word |= (uint64_t)(unsigned char)octets.at[i] << 8 * (i % 8);
		if (i % 8 == 7) {
			take(&s, word);
			word = 0;
		}
	}
	return end(&s, word | (uint64_t)octets.len << 56);
}

uint64_t
siphash_numbers(uint64_t key0, uint64_t key1, const uint64_t *numbers, size_t count)
{
	struct state s = begin(key0, key1);

	for (size_t i = 0; i < count; i++)
		take(&s, numbers[i]);
	return end(&s, (uint64_t)(count * 8) << 56);
}
