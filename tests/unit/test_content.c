/* SPDX-License-Identifier: MIT */
/*
 * Framing of content: every input cut at every octet, in every pair of places, and octet by
 * octet; the same content, the same marks and the same end must come out.
 */
#include <stdint.h>

#include "decoders/smtp/content.h"
#include "decoders/smtp/line.h"
#include "tests/unit/edge.h"

#define LF  SMTP_MARK_BARE_LF
#define CR  SMTP_MARK_BARE_CR
#define NUL SMTP_MARK_NUL
#define HI  SMTP_MARK_EIGHT_BIT

static const struct {
	struct view wire;       /* what the client sends behind the 354 */
	struct view content;    /* as the receiver stores it; .at NULL: it has no end */
	unsigned    marks;
	size_t      behind;     /* octets left behind the end */
} cases[] = {
    {VIEW("a\r\n.\r\n"), VIEW("a\r\n"), 0, 0},
    {VIEW(".\r\n"), VIEW(""), 0, 0},
    {VIEW("\r\n.\r\n"), VIEW("\r\n"), 0, 0},
    {VIEW("Subject: x\r\n\r\nbody\r\n.\r\nMAIL FROM:<>\r\n"), VIEW("Subject: x\r\n\r\nbody\r\n"), 0, 14},
    {VIEW("..\r\n.\r\n"), VIEW(".\r\n"), 0, 0},
    {VIEW("...\r\n.\r\n"), VIEW("..\r\n"), 0, 0},
    {VIEW("a\r\n..b\r\n..\r\n.\r\n"), VIEW("a\r\n.b\r\n.\r\n"), 0, 0},
    {VIEW("a\r\n.b\r\n.\r\n"), VIEW("a\r\nb\r\n"), 0, 0},           /* a sender that does not stuff */
    {VIEW("a.\r\n.\r\n"), VIEW("a.\r\n"), 0, 0},
    {VIEW("a\r\n.\r\n.\r\n"), VIEW("a\r\n"), 0, 3},
    /* What ends it at some servers and not here (SMTP smuggling). */
    {VIEW("a\n.\r\nb\r\n.\r\n"), VIEW("a\n.\r\nb\r\n"), LF, 0},
    {VIEW("a\r\n.\nb\r\n.\r\n"), VIEW("a\r\n\nb\r\n"), LF, 0},
    {VIEW("a\n.\nb\r\n.\r\n"), VIEW("a\n.\nb\r\n"), LF, 0},
    {VIEW("a\r.\r\nb\r\n.\r\n"), VIEW("a\r.\r\nb\r\n"), CR, 0},
    {VIEW("a\r\n.\rb\r\n.\r\n"), VIEW("a\r\n\rb\r\n"), CR, 0},
    {VIEW("a\r\n.\r\r\n.\r\n"), VIEW("a\r\n\r\r\n"), CR, 0},
    {VIEW("a\r\r\n.\r\n"), VIEW("a\r\r\n"), CR, 0},
    {VIEW("\n.\r\n\r\n.\r\n"), VIEW("\n.\r\n\r\n"), LF, 0},
    {VIEW("a\r\n\0.\r\n.\r\n"), VIEW("a\r\n\0.\r\n"), NUL, 0},
    {VIEW("a\r\0\n.\r\n\r\n.\r\n"), VIEW("a\r\0\n.\r\n\r\n"), CR | NUL | LF, 0},
    {VIEW("caf\xc3\xa9\r\n.\r\n"), VIEW("caf\xc3\xa9\r\n"), HI, 0},
    {VIEW("a line that is longer than eight octets\r\n.and a dot\r\n.\r\nQUIT\r\n"),
        VIEW("a line that is longer than eight octets\r\nand a dot\r\n"), 0, 6},
    /* No end, however near they come to it. */
    {VIEW("a\r\n."), VIEW_NONE, 0, 0},
    {VIEW("a\r\n.\r"), VIEW_NONE, 0, 0},
    {VIEW("a\n.\n"), VIEW_NONE, LF, 0},
    {VIEW("."), VIEW_NONE, 0, 0},
    {VIEW("a.\r\n"), VIEW_NONE, 0, 0},
    {VIEW("a"), VIEW_NONE, 0, 0},
};

struct result {
	char     content[128];
	size_t   len;
	unsigned marks;
	uint64_t wire, stuffed;
	size_t   used;          /* octets of the wire, the end included */
	bool     ended;
};

/* Feeds the octets up to `upto`, all that is not used yet; takes what comes. */
static void
feed(struct smtp_content *c, struct result *r, uint8_t *state, struct view wire, size_t upto)
{
	while (!r->ended) {
		struct view octets = edge_copy((struct view){wire.at + r->used, upto - r->used});
		size_t      end = 77, took;
		unsigned    marks = 77;

		took = smtp_content_feed(c, octets.at, octets.len, &end, &marks);
		ck_assert_uint_le(took, octets.len);
		r->len += smtp_content_unstuff(state, view_first(octets, took), r->content + r->len);
		r->marks |= marks;
		r->used += took;
		if (end > 0) {
			ck_assert_uint_eq(end, 3);
			ck_assert(view_equal(view_first(view_from(octets, took), 3), VIEW(".\r\n")));
			r->used += end;
			r->ended = true;
		}
		edge_free(octets);
		if (took == 0)
			break;
	}
}

static struct result
run(struct view wire, size_t first, size_t second)
{
	struct smtp_content c;
	struct result       r = {.len = 0};
	uint8_t             state = 0;

	smtp_content_begin_data(&c);
	feed(&c, &r, &state, wire, first);
	feed(&c, &r, &state, wire, second);
	feed(&c, &r, &state, wire, wire.len);
	r.wire = c.wire;
	r.stuffed = c.stuffed;
	return r;
}

static void
check(const struct result *r, int i)
{
	ck_assert_int_eq(r->ended, cases[i].content.at != NULL);
	ck_assert_uint_eq(r->marks, cases[i].marks);
	if (!r->ended)
		return;
	ck_assert_uint_eq(r->used, cases[i].wire.len - cases[i].behind);
	ck_assert_uint_eq(r->wire, r->used - 3);
	ck_assert_uint_eq(r->wire - r->stuffed, cases[i].content.len);
	ck_assert_uint_eq(r->len, cases[i].content.len);
	ck_assert(memcmp(r->content, cases[i].content.at, r->len) == 0);
}

START_TEST(the_same_wherever_it_is_cut)
{
	struct view wire = cases[_i].wire;

	for (size_t first = 0; first <= wire.len; first++) {
		for (size_t second = first; second <= wire.len; second++) {
			struct result r = run(wire, first, second);

			check(&r, _i);
		}
	}
}
END_TEST

START_TEST(the_same_octet_by_octet)
{
	struct smtp_content c;
	struct result       r = {.len = 0};
	uint8_t             state = 0;

	smtp_content_begin_data(&c);
	for (size_t upto = 0; upto <= cases[_i].wire.len; upto++)
		feed(&c, &r, &state, cases[_i].wire, upto);
	r.wire = c.wire;
	r.stuffed = c.stuffed;
	check(&r, _i);
}
END_TEST

/* Only ".", ".\r" at a line's start are kept back, nothing else waits. */
START_TEST(nothing_is_held_without_need)
{
	static const struct {
		const char *wire;
		size_t      taken;
	} held[] = {{"a", 1}, {"a\r", 2}, {"a\r\n", 3}, {"a\r\n.", 3}, {"a\r\n.\r", 3}, {"a\r\n.\r\r", 6},
	    {"a\r\n..", 5}, {".", 0}, {".\r", 0}, {".a", 2}, {"a\n.", 3}, {"a\r.", 3}};

	for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
		struct smtp_content c;
		size_t              end;
		unsigned            marks;

		smtp_content_begin_data(&c);
		ck_assert_uint_eq(
		    smtp_content_feed(&c, held[i].wire, strlen(held[i].wire), &end, &marks), held[i].taken);
		ck_assert_uint_eq(end, 0);
	}
}
END_TEST

/* The end may be asked for again: the caller takes content and end as two units. */
START_TEST(the_end_is_found_again)
{
	struct smtp_content c;
	size_t              end;
	unsigned            marks;

	smtp_content_begin_data(&c);
	ck_assert_uint_eq(smtp_content_feed(&c, "a\r\n.\r\nQUIT\r\n", 12, &end, &marks), 3);
	ck_assert_uint_eq(end, 3);
	for (int again = 0; again < 2; again++) {
		ck_assert_uint_eq(smtp_content_feed(&c, ".\r\nQUIT\r\n", 9, &end, &marks), 0);
		ck_assert_uint_eq(end, 3);
	}
	ck_assert_uint_eq(c.wire, 3);
}
END_TEST

START_TEST(a_chunk_ends_by_its_count)
{
	static const struct view wire = VIEW(".\r\n\xff\0\r\n.\r\nRSET\r\n");

	for (size_t cut = 0; cut <= wire.len; cut++) {
		struct smtp_content c;
		size_t              end, took;
		unsigned            marks, all = 0;

		smtp_content_begin_chunk(&c, 10, true);
		took = smtp_content_feed(&c, wire.at, cut, &end, &marks);
		ck_assert_uint_eq(took, cut < 10 ? cut : 10);
		ck_assert_uint_eq(end, 0);
		all |= marks;
		took += smtp_content_feed(&c, wire.at + took, wire.len - took, &end, &marks);
		all |= marks;
		ck_assert_uint_eq(took, 10);
		ck_assert_uint_eq(end, 0);
		ck_assert_uint_eq(c.left, 0);
		ck_assert_uint_eq(c.wire, 10);
		ck_assert_uint_eq(c.stuffed, 0);
		ck_assert_uint_eq(all, NUL | HI);
		ck_assert(c.last);
	}
}
END_TEST

START_TEST(a_line_end_between_two_chunks_is_one)
{
	struct smtp_content c;
	size_t              end;
	unsigned            marks;

	smtp_content_begin_chunk(&c, 2, false);
	ck_assert_uint_eq(smtp_content_feed(&c, "a\r", 2, &end, &marks), 2);
	ck_assert_uint_eq(marks, 0);
	smtp_content_begin_chunk(&c, 3, true);
	ck_assert_uint_eq(smtp_content_feed(&c, "\nb\n", 3, &end, &marks), 3);
	ck_assert_uint_eq(marks, LF);
}
END_TEST

START_TEST(huge_counts)
{
	struct smtp_content c;
	size_t              end;
	unsigned            marks;

	smtp_content_begin_chunk(&c, UINT64_MAX, true);
	ck_assert_uint_eq(smtp_content_feed(&c, "abc", 3, &end, &marks), 3);
	ck_assert_uint_eq(c.left, UINT64_MAX - 3);
	smtp_content_begin_chunk(&c, 0, true);
	ck_assert_uint_eq(smtp_content_feed(&c, "abc", 3, &end, &marks), 0);
}
END_TEST

/* Who knows that a stretch has no dots to take off has it where smtp_content_unstuff would be behind it. */
START_TEST(a_stretch_without_added_dots)
{
	static const char octets[] = {'a', '.', '\r', '\n'};
	char out[4];

	for (unsigned which = 0; which < 256; which++) {
		char stretch[4] = {octets[which & 3], octets[which >> 2 & 3], octets[which >> 4 & 3], octets[which >> 6]};

		for (size_t len = 0; len <= sizeof stretch; len++) {
			for (uint8_t before = 0; before < 3; before++) {
				uint8_t copied = before, passed = before;
				struct view v = {stretch, len};

				if (smtp_content_unstuff(&copied, v, out) < len)
					continue;
				smtp_content_unstuffed(&passed, v);
				ck_assert_uint_eq(passed, copied);
			}
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("content");
	TCase *tcase = tcase_create("content");
	int    count = sizeof cases / sizeof *cases;

	tcase_add_loop_test(tcase, the_same_wherever_it_is_cut, 0, count);
	tcase_add_loop_test(tcase, the_same_octet_by_octet, 0, count);
	tcase_add_test(tcase, nothing_is_held_without_need);
	tcase_add_test(tcase, the_end_is_found_again);
	tcase_add_test(tcase, a_chunk_ends_by_its_count);
	tcase_add_test(tcase, a_line_end_between_two_chunks_is_one);
	tcase_add_test(tcase, huge_counts);
	tcase_add_test(tcase, a_stretch_without_added_dots);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
