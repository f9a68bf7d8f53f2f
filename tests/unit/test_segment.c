/* SPDX-License-Identifier: MIT */
/* TCP headers, with options, cut short, and such as lie. */
#include <stdint.h>

#include "decoders/net/segment.h"
#include "tests/unit/edge.h"

#define HEADER(offset_flags) \
	"\xdc\x04\0\x19\x01\x02\x03\x04\xf1\xf2\xf3\xf4" offset_flags "\x20\0\xab\xcd\0\0"

START_TEST(a_header)
{
	struct view        octets = edge_copy(VIEW(HEADER("\x50\x18") "QUIT\r\n"));
	struct tcp_segment s;

	ck_assert(tcp_segment_parse(octets, octets.len, &s));
	ck_assert_uint_eq(s.source_port, 56324);
	ck_assert_uint_eq(s.destination_port, 25);
	ck_assert_uint_eq(s.seq, 0x01020304);
	ck_assert_uint_eq(s.ack, 0xf1f2f3f4);
	ck_assert_uint_eq(s.window, 0x2000);
	ck_assert_uint_eq(s.flags, TCP_ACK | TCP_PSH);
	assert_view(s.data, "QUIT\r\n");
	ck_assert_uint_eq(s.data_len, 6);
	edge_free(octets);
}
END_TEST

START_TEST(options_and_every_cut)
{
	struct view        whole = VIEW(HEADER("\x80\x02") "\x02\x04\x05\xb4\x01\x03\x03\x07\x01\x01\x04\x02" "EHLO x\r\n");
	struct view        edge = edge_copy(whole);
	struct tcp_segment s;

	for (size_t cut = 0; cut <= whole.len; cut++) {
		bool parsed = tcp_segment_parse(edge_first(edge, whole, cut), whole.len, &s);

		/* Where options are cut, what stands in front of them still tells how much was sent. */
		ck_assert_int_eq(parsed, cut >= 20);
		if (!parsed)
			continue;
		ck_assert_uint_eq(s.flags, TCP_SYN);
		ck_assert_uint_eq(s.data_len, 8);
		ck_assert_uint_eq(s.data.len, cut > 32 ? cut - 32 : 0);
	}
	edge_free(edge);
}
END_TEST

START_TEST(headers_that_lie)
{
	struct tcp_segment s;

	ck_assert(!tcp_segment_parse(VIEW(HEADER("\x40\x10") "text"), 24, &s));
	ck_assert(!tcp_segment_parse(VIEW(HEADER("\0\x10") "text"), 24, &s));
	ck_assert(!tcp_segment_parse(VIEW(HEADER("\x70\x10") "text"), 24, &s));
	ck_assert(tcp_segment_parse(VIEW(HEADER("\x60\x10") "text"), 24, &s));
	ck_assert_uint_eq(s.data_len, 0);
	ck_assert(tcp_segment_parse(VIEW(HEADER("\xf0\x10")), 60, &s));
	ck_assert_uint_eq(s.data.len, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("segment");
	TCase *tcase = tcase_create("segment");

	tcase_add_test(tcase, a_header);
	tcase_add_test(tcase, options_and_every_cut);
	tcase_add_test(tcase, headers_that_lie);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
