/* SPDX-License-Identifier: MIT */
/* Reassembly: cases by hand, then random streams in random pieces. */
#include <stdint.h>
#include <stdio.h>

#include "decoders/net/stream.h"
#include "tests/unit/edge.h"

#define KEEP 65536

/* What a stream has told, as text: data as it is, the rest in brackets. */
struct told {
	struct tcp_stream stream;
	char              text[4096];
	size_t            len;
};

static void
note(struct told *t, const char *text, size_t len)
{
	ck_assert_uint_lt(t->len + len, sizeof t->text);
	memcpy(t->text + t->len, text, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static void
drain(struct told *t)
{
	struct stream_news news;
	char               word[64];

	while (tcp_stream_next(&t->stream, &news)) {
		switch (news.type) {
		case STREAM_DATA:
			note(t, news.octets.at, news.octets.len);
			continue;
		case STREAM_GAP:
			snprintf(word, sizeof word, "[gap %u]", (unsigned)news.count);
			break;
		case STREAM_OVERLAP:
			snprintf(word, sizeof word, "[overlap %u]", (unsigned)news.count);
			break;
		case STREAM_FIN:
			snprintf(word, sizeof word, "[fin]");
			break;
		case STREAM_RESET:
			snprintf(word, sizeof word, "[reset]");
			break;
		}
		note(t, word, strlen(word));
	}
}

/* A segment of which the capture has the text and the wire had missing more. It is against the end of memory. */
static void
cut_segment(struct told *t, uint32_t seq, unsigned flags, const char *text, size_t missing, size_t max_kept)
{
	struct view        octets = edge_copy(view_of(text));
	struct tcp_segment segment = {.seq = seq, .flags = (uint8_t)flags, .data = octets, .data_len = octets.len + missing};

	tcp_stream_segment(&t->stream, &segment, max_kept);
	drain(t);
	edge_free(octets);
}

static void
segment(struct told *t, uint32_t seq, unsigned flags, const char *text)
{
	cut_segment(t, seq, flags, text, 0, KEEP);
}

static void
ack(struct told *t, uint32_t seq)
{
	tcp_stream_acknowledged(&t->stream, seq);
	drain(t);
}

static void
flush(struct told *t)
{
	tcp_stream_flush(&t->stream);
	drain(t);
}

static void
start(struct told *t, uint32_t isn)
{
	memset(t, 0, sizeof *t);
	tcp_stream_init(&t->stream);
	segment(t, isn, TCP_SYN, "");
	ck_assert(t->stream.begun && !t->stream.midstream);
}

/* What was told since the last look. */
#define assert_told(t, want) \
	do { \
		ck_assert_str_eq((t)->text, (want)); \
		(t)->len = 0; \
		(t)->text[0] = '\0'; \
	} while (0)

static void
finish(struct told *t)
{
	flush(t);
	ck_assert_ptr_null(t->stream.pieces);
	ck_assert_uint_eq(t->stream.kept, 0);
	tcp_stream_clear(&t->stream);
}

/* Every case at places where sequence numbers wrap, and where they change their sign. */
static const uint32_t starts[] = {0, 99, 0x7ffffff8, 0xffffffff, 0xfffffffe, 0xfffffff0};

START_TEST(in_order_it_is_handed_on_as_it_lies)
{
	struct told        t;
	uint32_t           isn = starts[_i];
	char               octets[] = "EHLO client.example.org\r\n";
	struct tcp_segment s = {.seq = isn + 1, .flags = TCP_ACK, .data = {octets, 25}, .data_len = 25};
	struct stream_news news;

	start(&t, isn);
	tcp_stream_segment(&t.stream, &s, KEEP);
	ck_assert(tcp_stream_next(&t.stream, &news));
	ck_assert_int_eq(news.type, STREAM_DATA);
	ck_assert_ptr_eq(news.octets.at, octets);
	ck_assert_uint_eq(news.octets.len, 25);
	ck_assert(!tcp_stream_next(&t.stream, &news));
	ck_assert_uint_eq(t.stream.next, isn + 26);
	ck_assert_uint_eq(t.stream.kept, 0);
	ack(&t, isn + 26);
	segment(&t, isn + 26, TCP_ACK | TCP_FIN, "QUIT\r\n");
	assert_told(&t, "QUIT\r\n[fin]");
	ack(&t, isn + 33);
	segment(&t, isn + 33, TCP_RST, "");
	assert_told(&t, "[reset]");
	segment(&t, isn + 33, TCP_RST, "");
	segment(&t, isn + 33, TCP_ACK, "too late");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(out_of_order_waits)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 9, TCP_ACK, "cc");
	segment(&t, isn + 5, TCP_ACK, "bbbb");
	assert_told(&t, "");
	ck_assert_uint_gt(t.stream.kept, 0);
	segment(&t, isn + 1, TCP_ACK, "aaaa");
	assert_told(&t, "aaaabbbbcc");
	ck_assert_uint_eq(t.stream.kept, 0);
	segment(&t, isn + 11, TCP_ACK, "d");
	assert_told(&t, "d");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(fin_out_of_order)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 7, TCP_ACK | TCP_FIN, "");
	segment(&t, isn + 5, TCP_ACK, "bb");
	assert_told(&t, "");
	segment(&t, isn + 1, TCP_ACK, "aaaa");
	assert_told(&t, "aaaabb[fin]");
	/* Again, with data and at other places: nothing comes behind FIN. */
	segment(&t, isn + 5, TCP_ACK | TCP_FIN, "bb");
	segment(&t, isn + 7, TCP_ACK, "cc");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(a_gap_comes_when_it_is_acknowledged_and_not_earlier)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aaaa");
	segment(&t, isn + 8, TCP_ACK, "bb");
	assert_told(&t, "aaaa");
	ack(&t, isn + 5);
	ack(&t, isn + 1);
	assert_told(&t, "");
	ack(&t, isn + 6);
	assert_told(&t, "[gap 1]");
	ack(&t, isn + 10);
	assert_told(&t, "[gap 2]bb");
	/* Nothing of it was seen. */
	ack(&t, isn + 110);
	assert_told(&t, "[gap 100]");
	/* What comes after its gap was told adds nothing. */
	segment(&t, isn + 5, TCP_ACK, "xxx");
	segment(&t, isn + 108, TCP_ACK, "yyzz");
	assert_told(&t, "zz");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(retransmissions_add_nothing_and_differences_are_told)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aaaabbbb");
	segment(&t, isn + 1, TCP_ACK, "aaaabbbb");
	segment(&t, isn + 5, TCP_ACK, "bbbb");
	segment(&t, isn + 3, TCP_ACK, "aa");
	assert_told(&t, "aaaabbbb");
	segment(&t, isn + 5, TCP_ACK, "bbXbcc");
	assert_told(&t, "[overlap 1]cc");
	segment(&t, isn + 1, TCP_ACK, "AAAA");
	assert_told(&t, "[overlap 4]");
	/* The same for what waits. */
	segment(&t, isn + 14, TCP_ACK, "eee");
	segment(&t, isn + 14, TCP_ACK, "eee");
	assert_told(&t, "");
	segment(&t, isn + 13, TCP_ACK, "deeEf");
	assert_told(&t, "[overlap 1]");
	segment(&t, isn + 11, TCP_ACK, "dddeXefff");
	assert_told(&t, "[overlap 1]dddeeefff");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(a_large_piece_again_with_other_contents)
{
	struct told t;
	uint32_t    isn = starts[_i];
	char        text[1461];

	start(&t, isn);
	for (int i = 0; i < 1460; i++)
		text[i] = (char)('a' + i % 23);
	text[1460] = '\0';
	segment(&t, isn + 1, TCP_ACK, text);
	assert_told(&t, text);
	segment(&t, isn + 1, TCP_ACK, text);
	assert_told(&t, "");
	/* In front of the octets that are kept the piece counts whole. */
	text[3] = 'X';
	segment(&t, isn + 1, TCP_ACK, text);
	assert_told(&t, "[overlap 1204]");
	text[3] = 'a' + 3;
	text[1459] = 'Y';
	segment(&t, isn + 1001, TCP_ACK, text + 1000);
	assert_told(&t, "[overlap 1]");
	finish(&t);
}
END_TEST

START_TEST(keep_alives_and_probes_add_nothing)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn, TCP_ACK, "");
	segment(&t, isn, TCP_ACK, "x");
	assert_told(&t, "");
	segment(&t, isn + 1, TCP_ACK, "aaaa");
	segment(&t, isn + 4, TCP_ACK, "");
	segment(&t, isn + 4, TCP_ACK, "\x01");
	assert_told(&t, "aaaa");
	/* A zero-window probe is the next octet, not taken at first. */
	segment(&t, isn + 5, TCP_ACK, "b");
	ack(&t, isn + 5);
	segment(&t, isn + 5, TCP_ACK, "b");
	ack(&t, isn + 5);
	segment(&t, isn + 5, TCP_ACK, "bcd");
	ack(&t, isn + 8);
	finish(&t);
	assert_told(&t, "bcd");
}
END_TEST

START_TEST(cut_segments_leave_a_hole)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	cut_segment(&t, isn + 1, TCP_ACK, "aa", 2, KEEP);
	cut_segment(&t, isn + 5, TCP_ACK, "bb", 2, KEEP);
	assert_told(&t, "aa");
	ack(&t, isn + 5);
	assert_told(&t, "[gap 2]bb");
	/* Sent again, and less of it cut. */
	cut_segment(&t, isn + 5, TCP_ACK, "bbB", 1, KEEP);
	assert_told(&t, "B");
	ack(&t, isn + 9);
	assert_told(&t, "[gap 1]");
	cut_segment(&t, isn + 9, TCP_ACK | TCP_FIN, "", 7, KEEP);
	assert_told(&t, "");
	finish(&t);
	assert_told(&t, "[gap 7][fin]");
}
END_TEST

START_TEST(the_end_of_the_capture)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 4, TCP_ACK, "aa");
	segment(&t, isn + 9, TCP_ACK, "bb");
	finish(&t);
	assert_told(&t, "[gap 3]aa[gap 3]bb");
	start(&t, isn);
	segment(&t, isn + 4, TCP_ACK, "aa");
	segment(&t, isn + 9, TCP_ACK | TCP_FIN, "");
	segment(&t, isn + 9, TCP_ACK | TCP_RST, "");
	assert_told(&t, "[gap 3]aa[gap 3][fin][reset]");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(a_fin_that_the_capture_has_not)
{
	struct told t;
	uint32_t    isn = starts[_i];

	/* One more than was seen is acknowledged: FIN, if nothing comes behind it. */
	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aa");
	ack(&t, isn + 4);
	assert_told(&t, "aa");
	finish(&t);
	assert_told(&t, "[fin]");
	/* FIN itself comes after its ACK. */
	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aa");
	ack(&t, isn + 4);
	segment(&t, isn + 3, TCP_ACK | TCP_FIN, "");
	finish(&t);
	assert_told(&t, "aa[fin]");
	/* It was an octet. */
	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aa");
	ack(&t, isn + 4);
	segment(&t, isn + 4, TCP_ACK, "b");
	assert_told(&t, "aa[gap 1]b");
	finish(&t);
	assert_told(&t, "");
	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aa");
	ack(&t, isn + 4);
	ack(&t, isn + 5);
	assert_told(&t, "aa[gap 2]");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(a_capture_that_begins_inside)
{
	struct told t = {.len = 0};
	uint32_t    seq = starts[_i];

	tcp_stream_init(&t.stream);
	segment(&t, seq, TCP_ACK, "");
	ck_assert(!t.stream.begun);
	segment(&t, seq, TCP_ACK, "aa");
	ck_assert(t.stream.begun && t.stream.midstream);
	segment(&t, seq - 2, TCP_ACK, "zz");
	segment(&t, seq + 2, TCP_ACK, "bb");
	assert_told(&t, "aabb");
	tcp_stream_clear(&t.stream);

	/* The other side's ACK says where it stands. */
	ack(&t, seq);
	ck_assert(t.stream.begun && t.stream.midstream);
	segment(&t, seq + 4, TCP_ACK, "bb");
	assert_told(&t, "");
	ack(&t, seq + 6);
	assert_told(&t, "[gap 4]bb");
	tcp_stream_clear(&t.stream);

	/* The SYN is missing, not the ACK of it. Then it comes, late. */
	tcp_stream_begin(&t.stream, seq);
	ck_assert(t.stream.begun && !t.stream.midstream);
	ack(&t, seq);
	segment(&t, seq, TCP_ACK, "aa");
	segment(&t, seq - 1, TCP_SYN, "");
	assert_told(&t, "aa");
	tcp_stream_clear(&t.stream);
	segment(&t, seq, TCP_ACK, "aa");
	ck_assert(t.stream.midstream);
	segment(&t, seq - 1, TCP_SYN, "");
	ck_assert(!t.stream.midstream);
	assert_told(&t, "aa");
	tcp_stream_clear(&t.stream);

	segment(&t, seq, TCP_ACK | TCP_FIN, "");
	assert_told(&t, "[fin]");
	tcp_stream_clear(&t.stream);
	segment(&t, seq, TCP_RST, "");
	assert_told(&t, "[reset]");
	tcp_stream_clear(&t.stream);
	flush(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(syn_with_data_again)
{
	struct told t = {.len = 0};
	uint32_t    isn = starts[_i];

	tcp_stream_init(&t.stream);
	segment(&t, isn, TCP_SYN, "EHLO x\r\n");
	segment(&t, isn, TCP_SYN, "EHLO x\r\n");
	segment(&t, isn + 1, TCP_ACK, "EHLO x\r\nNOOP\r\n");
	assert_told(&t, "EHLO x\r\nNOOP\r\n");
	finish(&t);
}
END_TEST

START_TEST(strays_are_counted)
{
	struct told t;
	uint32_t    isn = starts[_i];

	start(&t, isn);
	segment(&t, isn + 1, TCP_ACK, "aa");
	segment(&t, isn + 0x50000000, TCP_ACK, "far ahead");
	segment(&t, isn - 0x50000000, TCP_ACK, "far behind");
	ack(&t, isn + 0x50000000);
	ck_assert_uint_eq(t.stream.strays, 3);
	segment(&t, isn + 2, TCP_FIN, "");
	ck_assert_uint_eq(t.stream.strays, 4);
	segment(&t, isn + 3, TCP_FIN, "");
	segment(&t, isn + 5, TCP_FIN, "");
	assert_told(&t, "aa[fin]");
	finish(&t);
	assert_told(&t, "");
}
END_TEST

START_TEST(the_ceiling_gives_up_the_hole)
{
	struct told t;
	uint32_t    isn = starts[_i];
	size_t      most = 0;

	start(&t, isn);
	for (uint32_t i = 0; i < 200; i++) {
		cut_segment(&t, isn + 3 + i * 2, TCP_ACK, "a", 0, 2000);
		most = most < t.stream.kept ? t.stream.kept : most;
	}
	ck_assert_uint_le(most, 2000);
	ck_assert_ptr_nonnull(strstr(t.text, "[gap 2]a[gap 1]a[gap 1]a"));
	finish(&t);
	t.len = 0;

	/* One piece that is larger than all that may be kept. */
	start(&t, isn);
	cut_segment(&t, isn + 3, TCP_ACK, "aaaaaaaaaa", 0, 5);
	assert_told(&t, "[gap 2]aaaaaaaaaa");
	finish(&t);
}
END_TEST

/* Random streams. */

struct dice {
	uint64_t state;
};

static uint32_t
roll(struct dice *d, uint32_t sides)
{
	d->state = d->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(d->state >> 33) % sides;
}

#define STREAM_LEN 3000
#define MOST_SENT  600

struct sent {
	uint32_t from, len;
};

/* Cuts a stream into segments, some of them again and across each other's bounds; returns how many. */
static int
cut_up(struct dice *d, struct sent *sent)
{
	int count = 0;

	for (uint32_t at = 0; at < STREAM_LEN;) {
		uint32_t len = 1 + roll(d, roll(d, 4) == 0 ? 700 : 30);

		if (len > STREAM_LEN - at)
			len = STREAM_LEN - at;
		sent[count++] = (struct sent){at, len};
		if (roll(d, 4) == 0) {
			uint32_t back = roll(d, at + 1 < 50 ? at + 1 : 50), more = roll(d, 20);

			if (more > STREAM_LEN - at - len)
				more = STREAM_LEN - at - len;
			sent[count++] = (struct sent){at - back, back + len + more};
		}
		at += len;
		ck_assert_int_lt(count, MOST_SENT - 2);
	}
	return count;
}

static void
shuffle(struct dice *d, struct sent *sent, int count, uint32_t how_far)
{
	for (int i = 0; i < count; i++) {
		int         other = i + (int)roll(d, how_far);
		struct sent s = sent[i];

		if (other < count) {
			sent[i] = sent[other];
			sent[other] = s;
		}
	}
}

struct random_stream {
	struct dice       dice;
	struct tcp_stream stream;
	uint32_t          isn, told;            /* octets told, gaps included */
	struct view       edge;                 /* room for a segment against the end of memory */
	char              octets[STREAM_LEN];
	bool              captured[STREAM_LEN]; /* before it was too late for it */
	bool              loses;                /* parts of it are not in the capture */
};

/* What is told must be the stream, and a gap only where nothing of it was captured. */
static void
check_told(struct random_stream *r)
{
	struct stream_news news;

	while (tcp_stream_next(&r->stream, &news)) {
		uint64_t count = news.type == STREAM_DATA ? news.octets.len : news.count;

		ck_assert_int_ne(news.type, STREAM_OVERLAP);
		ck_assert_uint_le(r->told + count, STREAM_LEN);
		for (uint64_t o = 0; o < count; o++)
			ck_assert_int_eq(r->captured[r->told + o], news.type == STREAM_DATA);
		if (news.type == STREAM_DATA)
			ck_assert_mem_eq(news.octets.at, r->octets + r->told, count);
		r->told += (uint32_t)count;
	}
}

/* Sends one segment past the capture, or a part of it, or all; returns whether it was a FIN that was seen. */
static bool
one_segment(struct random_stream *r, const struct sent *s)
{
	bool               cut = r->loses && roll(&r->dice, 8) == 0;
	struct view        data;
	struct tcp_segment segment = {.seq = r->isn + s->from, .flags = TCP_ACK, .data_len = s->len};

	if (s->from + s->len == STREAM_LEN && roll(&r->dice, 2))
		segment.flags |= TCP_FIN;
	if (r->loses && roll(&r->dice, 6) == 0)
		return false;
	data = segment.data = edge_first(r->edge, (struct view){r->octets + s->from, s->len}, cut ? s->len / 2 : s->len);
	for (uint32_t o = s->from; o < s->from + data.len; o++)
		r->captured[o] |= o >= r->told;
	tcp_stream_segment(&r->stream, &segment, 1 << 20);
	check_told(r);
	return (segment.flags & TCP_FIN) != 0;
}

static void
one_stream(uint64_t seed)
{
	struct random_stream r = {.dice = {seed}};
	struct sent          sent[MOST_SENT];
	int                  count = cut_up(&r.dice, sent);
	bool                 fin = false;

	r.loses = roll(&r.dice, 2);
	r.isn = roll(&r.dice, 2) ? 0u - roll(&r.dice, STREAM_LEN) : roll(&r.dice, 0x7fffffff);
	for (uint32_t i = 0; i < STREAM_LEN; i++)
		r.octets[i] = (char)roll(&r.dice, 256);
	shuffle(&r.dice, sent, count, 1 + roll(&r.dice, 12));
	r.edge = edge_copy((struct view){r.octets, STREAM_LEN});
	tcp_stream_init(&r.stream);
	tcp_stream_begin(&r.stream, r.isn);
	for (int i = 0; i < count; i++) {
		uint32_t acked;

		fin |= one_segment(&r, &sent[i]);
		/* The receiver has had all up to some place, whatever the capture has. */
		acked = r.told + roll(&r.dice, 40);
		if (r.loses && roll(&r.dice, 10) == 0 && acked < STREAM_LEN) {
			tcp_stream_acknowledged(&r.stream, r.isn + acked);
			check_told(&r);
			ck_assert_uint_ge(r.told + 1, acked);
		}
	}
	tcp_stream_flush(&r.stream);
	check_told(&r);
	if (fin)
		ck_assert(r.stream.ended);
	if (fin || !r.loses)
		ck_assert_uint_eq(r.told, STREAM_LEN);
	ck_assert_uint_eq(r.stream.next, r.isn + r.told);
	ck_assert_uint_eq(r.stream.kept, 0);
	tcp_stream_clear(&r.stream);
	edge_free(r.edge);
}

START_TEST(random_streams)
{
	uint64_t rounds = getenv("SMTPSCOPE_LONG") != NULL ? 2000 : 500;

	for (uint64_t seed = 1; seed <= rounds; seed++)
		one_stream(seed);
}
END_TEST

/* Segments that have nothing to do with each other: no order, no end, but no harm either. */
START_TEST(random_nonsense)
{
	struct dice       d = {7};
	struct tcp_stream stream;

	tcp_stream_init(&stream);
	for (int i = 0; i < 200000; i++) {
		struct stream_news news;
		char               octets[64];
		struct tcp_segment segment = {.seq = roll(&d, 300) - 100u, .flags = (uint8_t)(roll(&d, 20) == 0 ? roll(&d, 32) : TCP_ACK)};

		if (roll(&d, 50) == 0)
			segment.seq = roll(&d, 0x7fffffff) * 2;
		if (roll(&d, 500) != 0)
			segment.flags &= (uint8_t)~(TCP_RST | TCP_FIN);
		for (size_t o = 0; o < sizeof octets; o++)
			octets[o] = (char)roll(&d, 3);
		segment.data = (struct view){octets, roll(&d, sizeof octets)};
		segment.data_len = segment.data.len + (roll(&d, 4) == 0 ? roll(&d, 10) : 0);
		tcp_stream_segment(&stream, &segment, 500);
		while (tcp_stream_next(&stream, &news))
			;
		ck_assert_uint_le(stream.kept, 500);
		if (roll(&d, 3) == 0)
			tcp_stream_acknowledged(&stream, roll(&d, 300) - 100u);
		if (roll(&d, 1000) == 0)
			tcp_stream_flush(&stream);
		while (tcp_stream_next(&stream, &news))
			;
		if (stream.ended || roll(&d, 200) == 0)
			tcp_stream_clear(&stream);
	}
	tcp_stream_clear(&stream);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("stream");
	TCase *tcase = tcase_create("stream");
	int    count = sizeof starts / sizeof *starts;

	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, in_order_it_is_handed_on_as_it_lies, 0, count);
	tcase_add_loop_test(tcase, out_of_order_waits, 0, count);
	tcase_add_loop_test(tcase, fin_out_of_order, 0, count);
	tcase_add_loop_test(tcase, a_gap_comes_when_it_is_acknowledged_and_not_earlier, 0, count);
	tcase_add_loop_test(tcase, retransmissions_add_nothing_and_differences_are_told, 0, count);
	tcase_add_loop_test(tcase, a_large_piece_again_with_other_contents, 0, count);
	tcase_add_loop_test(tcase, keep_alives_and_probes_add_nothing, 0, count);
	tcase_add_loop_test(tcase, cut_segments_leave_a_hole, 0, count);
	tcase_add_loop_test(tcase, the_end_of_the_capture, 0, count);
	tcase_add_loop_test(tcase, a_fin_that_the_capture_has_not, 0, count);
	tcase_add_loop_test(tcase, a_capture_that_begins_inside, 0, count);
	tcase_add_loop_test(tcase, syn_with_data_again, 0, count);
	tcase_add_loop_test(tcase, strays_are_counted, 0, count);
	tcase_add_loop_test(tcase, the_ceiling_gives_up_the_hole, 0, count);
	tcase_add_test(tcase, random_streams);
	tcase_add_test(tcase, random_nonsense);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
