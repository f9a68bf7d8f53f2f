/* SPDX-License-Identifier: MIT */
/* Datagrams in parts: in any order, again, across each other, cut, too old, too many. */
#include <stdint.h>
#include <stdio.h>

#include "decoders/net/fragments.h"
#include "tests/unit/edge.h"
#include "tests/unit/frames.h"

#define SECOND UINT64_C(1000000)

static struct fragments *f;

static void
set_up(void)
{
	f = fragments_new(100000, 30 * SECOND);
	ck_assert_ptr_nonnull(f);
}

static void
tear_down(void)
{
	fragments_free(f);
}

/* A fragment with the octets that were captured, and missing more on the wire. */
static bool
cut_fragment(struct net_packet *whole, uint8_t family, uint32_t id, uint32_t offset, bool more, struct view octets, size_t missing, uint64_t time_us)
{
	struct view edge = edge_copy(octets);
	bool        is_whole;

	*whole = (struct net_packet){.source.family = family,
	    .destination.family = family,
	    .protocol = IP_TCP,
	    .payload = edge,
	    .payload_len = octets.len + missing,
	    .fragment = true,
	    .more = more,
	    .id = id,
	    .offset = offset};
	is_whole = fragments_add(f, whole, time_us);
	edge_free(edge);
	return is_whole;
}

static bool
fragment(struct net_packet *whole, uint32_t id, uint32_t offset, bool more, const char *text)
{
	return cut_fragment(whole, 4, id, offset, more, view_of(text), 0, 0);
}

#define assert_counts(w, g, o) \
	do { \
		struct fragments_counts c_ = fragments_count(f); \
		ck_assert_uint_eq(c_.whole, (w)); \
		ck_assert_uint_eq(c_.given_up, (g)); \
		ck_assert_uint_eq(c_.overlaps, (o)); \
	} while (0)

START_TEST(in_every_order)
{
	static const struct {
		uint32_t    offset;
		bool        more;
		const char *text;
	} parts[4] = {{0, true, "aaaaaaaa"}, {8, true, "bbbbbbbbcccccccc"}, {24, true, "dddddddd"}, {32, false, "eee"}};
	static const int orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {0, 2, 1, 3}, {3, 0, 1, 2}};
	struct net_packet p;

	for (size_t order = 0; order < 6; order++) {
		for (int i = 0; i < 4; i++) {
			int  part = orders[order][i];
			bool whole = fragment(&p, 7, parts[part].offset, parts[part].more, parts[part].text);

			ck_assert_int_eq(whole, i == 3);
		}
		assert_view(p.payload, "aaaaaaaabbbbbbbbccccccccddddddddeee");
		ck_assert_uint_eq(p.payload_len, 35);
		ck_assert(!p.fragment && !p.more);
		ck_assert_uint_eq(p.protocol, IP_TCP);
	}
	assert_counts(6, 0, 0);
}
END_TEST

START_TEST(again_and_across_each_other)
{
	struct net_packet p;

	ck_assert(!fragment(&p, 7, 0, true, "aaaaaaaa"));
	ck_assert(!fragment(&p, 7, 0, true, "aaaaaaaa"));
	ck_assert(!fragment(&p, 7, 16, true, "cccccccc"));
	assert_counts(0, 0, 0);
	/* The first stay; what differs is counted by fragment. */
	ck_assert(!fragment(&p, 7, 0, true, "aaaaaaaXbbbbbbbb"));
	ck_assert(!fragment(&p, 7, 8, true, "bbbbbbbbXXXXXXXX"));
	ck_assert(fragment(&p, 7, 8, false, "bbbbbbbbccccccccd"));
	assert_view(p.payload, "aaaaaaaabbbbbbbbccccccccd");
	assert_counts(1, 0, 2);
	/* One that covers all the others. */
	ck_assert(!fragment(&p, 7, 8, true, "bbbbbbbb"));
	ck_assert(!fragment(&p, 7, 24, false, "d"));
	ck_assert(fragment(&p, 7, 0, true, "aaaaaaaabbbbbbbbcccccccc"));
	assert_view(p.payload, "aaaaaaaabbbbbbbbccccccccd");
	assert_counts(2, 0, 2);
}
END_TEST

START_TEST(datagrams_are_kept_apart)
{
	struct net_packet p;

	ck_assert(!fragment(&p, 1, 0, true, "aaaaaaaa"));
	ck_assert(!fragment(&p, 2, 0, true, "bbbbbbbb"));
	ck_assert(!cut_fragment(&p, 6, 1, 0, true, VIEW("cccccccc"), 0, 0));
	ck_assert(fragment(&p, 2, 8, false, "2"));
	assert_view(p.payload, "bbbbbbbb2");
	ck_assert(fragment(&p, 1, 8, false, "1"));
	assert_view(p.payload, "aaaaaaaa1");
	ck_assert(cut_fragment(&p, 6, 1, 8, false, VIEW("3"), 0, 0));
	assert_view(p.payload, "cccccccc3");
	assert_counts(3, 0, 0);

	/* In IPv4 the protocol is a part of the name. */
	ck_assert(!fragment(&p, 1, 0, true, "aaaaaaaa"));
	p = (struct net_packet){.source.family = 4,
	    .destination.family = 4,
	    .protocol = 17,
	    .payload = VIEW("1"),
	    .payload_len = 1,
	    .fragment = true,
	    .id = 1,
	    .offset = 8};
	ck_assert(!fragments_add(f, &p, 0));
	ck_assert(fragment(&p, 1, 8, false, "1"));
}
END_TEST

START_TEST(cut_fragments)
{
	struct net_packet p;

	ck_assert(!cut_fragment(&p, 4, 1, 0, true, VIEW("aaaaaaaa"), 8, 0));
	ck_assert(cut_fragment(&p, 4, 1, 16, false, VIEW("bb"), 2, 0));
	assert_view(p.payload, "aaaaaaaa");
	ck_assert_uint_eq(p.payload_len, 20);
	ck_assert(!cut_fragment(&p, 4, 1, 0, true, VIEW("aaaaaaaa"), 0, 0));
	ck_assert(cut_fragment(&p, 4, 1, 8, false, VIEW("bb"), 2, 0));
	assert_view(p.payload, "aaaaaaaabb");
	ck_assert_uint_eq(p.payload_len, 12);
	ck_assert(!cut_fragment(&p, 4, 1, 0, true, VIEW(""), 8, 0));
	ck_assert(cut_fragment(&p, 4, 1, 8, false, VIEW("bb"), 0, 0));
	ck_assert_uint_eq(p.payload.len, 0);
	ck_assert_uint_eq(p.payload_len, 10);
}
END_TEST

/* Lengths that contradict each other, and such as no datagram has. */
START_TEST(nonsense_is_given_up)
{
	static char       long_text[40000];
	struct net_packet p;

	memset(long_text, 'x', sizeof long_text);
	ck_assert(!fragment(&p, 1, 0, true, "not by 8"));
	ck_assert(!fragment(&p, 1, 8, true, "not by eight"));
	assert_counts(0, 1, 0);
	ck_assert(!fragment(&p, 1, 0, true, ""));
	assert_counts(0, 2, 0);
	ck_assert(!fragment(&p, 1, 16, false, "a"));
	ck_assert(!fragment(&p, 1, 24, false, "a"));
	assert_counts(0, 3, 0);
	ck_assert(!fragment(&p, 1, 16, false, "a"));
	ck_assert(!fragment(&p, 1, 16, true, "aaaaaaaa"));
	assert_counts(0, 4, 0);
	ck_assert(!fragment(&p, 1, 16, true, "aaaaaaaa"));
	ck_assert(!fragment(&p, 1, 8, false, "a"));
	assert_counts(0, 5, 0);
	ck_assert(!cut_fragment(&p, 4, 1, 40000, true, (struct view){long_text, sizeof long_text}, 0, 0));
	assert_counts(0, 6, 0);
}
END_TEST

START_TEST(old_ones_are_given_up)
{
	struct net_packet p;

	ck_assert(!cut_fragment(&p, 4, 1, 0, true, VIEW("aaaaaaaa"), 0, 10 * SECOND));
	ck_assert(!cut_fragment(&p, 4, 2, 0, true, VIEW("bbbbbbbb"), 0, 20 * SECOND));
	ck_assert(!cut_fragment(&p, 4, 3, 0, true, VIEW("cccccccc"), 0, 5 * SECOND));
	ck_assert(cut_fragment(&p, 4, 2, 8, false, VIEW("2"), 0, 41 * SECOND));
	assert_counts(1, 1, 0);
	ck_assert(!cut_fragment(&p, 4, 1, 8, false, VIEW("1"), 0, 42 * SECOND));
	assert_counts(1, 2, 0);
}
END_TEST

START_TEST(too_many_are_given_up)
{
	struct net_packet p;
	static char       text[800];

	memset(text, 'x', sizeof text);
	for (uint32_t id = 0; id < 10000; id++)
		ck_assert(!cut_fragment(&p, 4, id, 8, true, (struct view){text, sizeof text}, 0, id));
	/* About a hundred of them may be kept: the last ones. */
	ck_assert_uint_gt(fragments_count(f).given_up, 9880);
	ck_assert(!cut_fragment(&p, 4, 9999, 808, false, VIEW("x"), 0, 10000));
	ck_assert(cut_fragment(&p, 4, 9999, 0, true, VIEW("xxxxxxxx"), 0, 10000));
	ck_assert_uint_eq(p.payload_len, 809);
}
END_TEST

/* What is in the datagram is read on: extension headers, a tunnel, and what is in parts in it itself. */
START_TEST(what_is_inside)
{
	struct frame      frame = {.len = 0}, inner = {.len = 0};
	struct net_packet p;

	frame_add(&frame, VIEW("\x06\x01\x05\x02\0\0\x01\0\0\0\0\0\0\0\0\0" "TEXT"));
	p = (struct net_packet){.source.family = 6,
	    .destination.family = 6,
	    .protocol = 60,
	    .payload = view_first(frame_view(&frame), 8),
	    .payload_len = 8,
	    .fragment = true,
	    .more = true};
	ck_assert(!fragments_add(f, &p, 0));
	/* Later fragments need not say the same. */
	p.fragment = true;
	p.more = false;
	p.offset = 8;
	p.protocol = 99;
	p.payload = view_from(frame_view(&frame), 8);
	p.payload_len = p.payload.len;
	ck_assert(fragments_add(f, &p, 0));
	assert_view(p.payload, "TEXT");
	ck_assert_uint_eq(p.protocol, IP_TCP);

	/* IPv4 in IPv4, where the inner one is a fragment as well. */
	for (int half = 0; half < 2; half++) {
		inner.len = 0;
		frame_add_ipv4(&inner, IP_TCP, 9, half == 0 ? 0x2000 : 1, VIEW(""), 8);
		frame_add(&inner, half == 0 ? VIEW("firsthal") : VIEW("secondha"));
		for (uint32_t offset = 0; offset < 28; offset += 16) {
			struct view octets = view_first(view_from(frame_view(&inner), offset), 16);
			bool        whole;

			p = (struct net_packet){.source.family = 4,
			    .destination.family = 4,
			    .protocol = 4,
			    .payload = octets,
			    .payload_len = octets.len,
			    .fragment = true,
			    .more = offset == 0,
			    .id = 20u + (uint32_t)half,
			    .offset = offset};
			whole = fragments_add(f, &p, 0);
			ck_assert_int_eq(whole, half == 1 && offset == 16);
		}
	}
	assert_view(p.payload, "firsthalsecondha");
	ck_assert(p.tunnelled);
	ck_assert_uint_eq(p.protocol, IP_TCP);

	/* What does not hold, inside. */
	assert_counts(4, 0, 0);
	p = (struct net_packet){.source.family = 6,
	    .destination.family = 6,
	    .protocol = 60,
	    .payload = VIEW("\x06\xff\x05\x02\0\0\x01\0"),
	    .payload_len = 8,
	    .fragment = true,
	    .more = true};
	ck_assert(!fragments_add(f, &p, 0));
	p.more = false;
	p.offset = 8;
	p.payload = VIEW("x");
	p.payload_len = 1;
	ck_assert(!fragments_add(f, &p, 0));
	assert_counts(5, 1, 0);
}
END_TEST

/* Random parts of random datagrams: what becomes whole is what was cut. */
START_TEST(random_parts)
{
	static char       octets[2048];
	struct net_packet p;
	uint64_t          state = 3, wholes = 0;

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (char)(i * 7 + i / 256);
	for (int round = 0; round < 20000; round++) {
		uint32_t id, offset, len, total;

		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		id = state >> 62;
		total = 200 + id * 100 + 1;
		offset = (uint32_t)(state >> 40) % (total / 8 + 1) * 8;
		len = ((uint32_t)(state >> 50) % 12 + 1) * 8;
		if (offset + len > total)
			len = total - offset;
		if (cut_fragment(&p, 4, id, offset, offset + len < total, (struct view){octets + offset, len}, 0, (uint64_t)round)) {
			ck_assert_uint_eq(p.payload.len, total);
			ck_assert_mem_eq(p.payload.at, octets, total);
			wholes++;
		}
	}
	ck_assert_uint_gt(wholes, 100);
	assert_counts(wholes, 0, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("fragments");
	TCase *tcase = tcase_create("fragments");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, in_every_order);
	tcase_add_test(tcase, again_and_across_each_other);
	tcase_add_test(tcase, datagrams_are_kept_apart);
	tcase_add_test(tcase, cut_fragments);
	tcase_add_test(tcase, nonsense_is_given_up);
	tcase_add_test(tcase, old_ones_are_given_up);
	tcase_add_test(tcase, too_many_are_given_up);
	tcase_add_test(tcase, what_is_inside);
	tcase_add_test(tcase, random_parts);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
