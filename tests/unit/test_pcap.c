/* SPDX-License-Identifier: MIT */
/* Sessions' octets as a capture: what libpcap and decoders/net read out of it again. */
#include <arpa/inet.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "decoders/net/packet.h"
#include "decoders/net/stream.h"
#include "proxy/outputs/buffer.h"
#include "proxy/outputs/packet.h"
#include "proxy/outputs/pcap.h"
#include "tests/unit/edge.h"

#define START 1795348763000000u

static char path[] = "/tmp/smtpscope-pcap-XXXXXX", said[4096];
static FILE *err;
static struct pcap_output *output;
static uint64_t now;

static void
setup(void)
{
	int fd;

	snprintf(path, sizeof path, "/tmp/smtpscope-pcap-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	memset(said, 0, sizeof said);
	err = fmemopen(said, sizeof said - 1, "w");
	setvbuf(err, NULL, _IONBF, 0);
	output = pcap_output_open(&(struct pcap_options){.path = path, .may_open_tls = true}, err);
	ck_assert_msg(output != NULL, "%s", said);
	now = START;
}

static void
teardown(void)
{
	fclose(err);
	unlink(path);
}

static struct sockaddr_storage
address(const char *text, uint16_t port)
{
	struct sockaddr_storage storage = {.ss_family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};

	if (storage.ss_family == AF_INET6) {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;

		six->sin6_port = htons(port);
		ck_assert_int_eq(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
	} else {
		struct sockaddr_in *four = (struct sockaddr_in *)&storage;

		four->sin_port = htons(port);
		ck_assert_int_eq(inet_pton(AF_INET, text, &four->sin_addr), 1);
	}
	return storage;
}

static void
tell(struct wire_news news)
{
	struct wire_sink sink = pcap_output_sink(output);

	if (news.session == 0)
		news.session = 1;
	news.time_us = now;
	sink.put(sink.to, &news);
	now += 1000;
}

static void
open_between(const char *client, const char *server, bool live)
{
	struct sockaddr_storage from = address(client, 40123), to = address(server, 25);

	tell((struct wire_news){.type = WIRE_OPENED, .client = (struct sockaddr *)&from,
	    .server = (struct sockaddr *)&to, .live = live});
}

static void
say(enum smtp_side from, const char *octets)
{
	tell((struct wire_news){.type = WIRE_OCTETS, .from = from, .octets = view_of(octets)});
}

static void
say_kind(enum smtp_side from, enum wire_kind kind, const char *octets)
{
	tell((struct wire_news){.type = WIRE_OCTETS, .from = from, .kind = kind, .octets = view_of(octets)});
}

/* What is read again: a line a packet, and the streams put together. */
struct reading {
	char            lines[8192];
	struct buffer   stream[2];      /* the client's, the server's; <N> for a gap, $ for FIN, ! for reset */
	uint64_t        first_us, last_us;
	unsigned        packets;
};

static uint32_t
sum16(uint32_t sum, const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += (uint32_t)(unsigned char)octets[i] << (i % 2 == 0 ? 8 : 0);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* RFC 1071: with the checksum in its place the sum is all ones. */
static void
check_sums(struct view packet, const struct net_packet *ip)
{
	size_t len = ip->source.family == 6 ? 16 : 4;
	uint32_t sum = 6 + (uint32_t)ip->payload.len;

	ck_assert_uint_eq(ip->payload.len, ip->payload_len);
	sum = sum16(sum, (const char *)ip->source.octets, len);
	sum = sum16(sum, (const char *)ip->destination.octets, len);
	ck_assert_uint_eq(sum16(sum, ip->payload.at, ip->payload.len), 0xffff);
	if (len == 4)
		ck_assert_uint_eq(sum16(0, packet.at, 20), 0xffff);
}

static void
news_of(struct reading *r, struct tcp_stream *stream, unsigned end)
{
	struct stream_news news;

	while (tcp_stream_next(stream, &news)) {
		switch (news.type) {
		case STREAM_DATA:
			buffer_put(&r->stream[end], news.octets);
			break;
		case STREAM_GAP:
			buffer_printf(&r->stream[end], "<%llu>", (unsigned long long)news.count);
			break;
		case STREAM_FIN:
			buffer_char(&r->stream[end], '$');
			break;
		case STREAM_RESET:
			buffer_char(&r->stream[end], '!');
			break;
		case STREAM_OVERLAP:
			ck_abort_msg("octets came twice");
		}
	}
}

static void
read_packet(struct reading *r, struct tcp_stream streams[2], struct view octets)
{
	struct net_packet ip;
	struct tcp_segment tcp;
	unsigned end;

	ck_assert_int_eq(net_packet_parse(DLT_RAW, octets, octets.len, &ip), NET_PACKET);
	ck_assert_int_eq(ip.protocol, IP_TCP);
	check_sums(octets, &ip);
	ck_assert(tcp_segment_parse(ip.payload, ip.payload_len, &tcp));
	ck_assert_uint_le(tcp.data_len, PACKET_DATA_MAX);
	end = tcp.source_port == 25;
	snprintf(r->lines + strlen(r->lines), sizeof r->lines - strlen(r->lines), "%c%s%s%s%s %zu\n", end ? 'S' : 'C',
	    tcp.flags & TCP_SYN ? " SYN" : "", tcp.flags & TCP_FIN ? " FIN" : "", tcp.flags & TCP_RST ? " RST" : "",
	    tcp.flags & TCP_ACK ? " ACK" : "", tcp.data_len);
	if ((tcp.flags & TCP_ACK) != 0) {
		tcp_stream_acknowledged(&streams[!end], tcp.ack);
		news_of(r, &streams[!end], !end);
	}
	tcp_stream_segment(&streams[end], &tcp, 1 << 20);
	news_of(r, &streams[end], end);
	/* All in order: nothing is ever kept for later, but where a gap has just been made. */
	ck_assert_uint_eq(streams[end].kept, 0);
}

/* Closes the capture and reads it. */
static struct reading *
read_back(void)
{
	static struct reading r;
	struct tcp_stream streams[2] = {0};
	char reason[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *header;
	const u_char *octets;
	struct stat status;
	pcap_t *pcap;
	int code;

	ck_assert_uint_eq(pcap_output_close(output), 0);
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	buffer_free(&r.stream[0]);
	buffer_free(&r.stream[1]);
	memset(&r, 0, sizeof r);
	tcp_stream_init(&streams[0]);
	tcp_stream_init(&streams[1]);
	pcap = pcap_open_offline(path, reason);
	ck_assert_msg(pcap != NULL, "%s", reason);
	ck_assert_int_eq(pcap_datalink(pcap), DLT_RAW);
	while ((code = pcap_next_ex(pcap, &header, &octets)) == 1) {
		ck_assert_uint_eq(header->caplen, header->len);
		r.last_us = (uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec;
		if (r.packets++ == 0)
			r.first_us = r.last_us;
		read_packet(&r, streams, (struct view){(const char *)octets, header->caplen});
	}
	ck_assert_int_eq(code, PCAP_ERROR_BREAK);
	pcap_close(pcap);
	for (unsigned end = 0; end < 2; end++) {
		tcp_stream_flush(&streams[end]);
		news_of(&r, &streams[end], end);
		tcp_stream_clear(&streams[end]);
		buffer_char(&r.stream[end], '\0');
	}
	return &r;
}

START_TEST(a_session_is_a_connection)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", _i == 1);
	say(SMTP_SERVER, "220 mx.example.net\r\n");
	say(SMTP_CLIENT, "QUIT\r\n");
	say(SMTP_SERVER, "221 2.0.0 Bye\r\n");
	tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_SERVER});
	tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_SERVER});
	tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_CLIENT});
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->lines, "C SYN 0\nS SYN ACK 0\nC ACK 0\nS ACK 20\nC ACK 6\nS ACK 15\n"
	    "S FIN ACK 0\nC FIN ACK 0\nS ACK 0\n");
	ck_assert_str_eq(r->stream[0].at, "QUIT\r\n$");
	ck_assert_str_eq(r->stream[1].at, "220 mx.example.net\r\n221 2.0.0 Bye\r\n$");
	ck_assert_uint_eq(r->first_us, START);
	ck_assert_uint_eq(r->last_us, START + 6000);
}
END_TEST

/* What the server is sent before it is connected waits for the ends of its leg. */
START_TEST(the_servers_leg_is_a_connection_of_its_own)
{
	struct sockaddr_storage own = address("192.0.2.9", 50000), server = address("192.0.2.25", 10025);
	const struct reading *r;

	pcap_output_close(output);
	output = pcap_output_open(&(struct pcap_options){.path = path, .leg = PCAP_SERVER_LEG}, err);
	open_between("192.0.2.1", "192.0.2.9", true);
	tell((struct wire_news){.type = WIRE_OCTETS, .leg = SMTP_SERVER, .from = SMTP_CLIENT, .octets = VIEW("NOOP\r\n")});
	tell((struct wire_news){.type = WIRE_CONNECTED, .client = (struct sockaddr *)&own,
	    .server = (struct sockaddr *)&server});
	say(SMTP_SERVER, "450 of a rule\r\n");
	tell((struct wire_news){.type = WIRE_OCTETS, .leg = SMTP_SERVER, .from = SMTP_SERVER, .octets = VIEW("250 Ok\r\n")});
	tell((struct wire_news){.type = WIRE_FIN, .leg = SMTP_SERVER, .from = SMTP_SERVER});
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->lines, "C SYN 0\nS SYN ACK 0\nC ACK 0\nC ACK 6\nS ACK 8\nS FIN ACK 0\n");
	ck_assert_str_eq(r->stream[0].at, "NOOP\r\n");
	ck_assert_str_eq(r->stream[1].at, "250 Ok\r\n$");
	ck_assert_uint_eq(r->first_us, START + 2000);
}
END_TEST

START_TEST(a_server_that_is_not_reached_has_none)
{
	pcap_output_close(output);
	output = pcap_output_open(&(struct pcap_options){.path = path, .leg = PCAP_SERVER_LEG}, err);
	open_between("192.0.2.1", "192.0.2.9", true);
	tell((struct wire_news){.type = WIRE_OCTETS, .leg = SMTP_SERVER, .from = SMTP_CLIENT, .octets = VIEW("NOOP\r\n")});
	say(SMTP_SERVER, "421 4.4.1 No server\r\n");
	tell((struct wire_news){.type = WIRE_CLOSED});
	ck_assert_uint_eq(read_back()->packets, 0);
}
END_TEST

START_TEST(a_reset_ends_it)
{
	open_between("2001:db8::1", "2001:db8::25", true);
	say(SMTP_CLIENT, "RSET\r\n");
	tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_SERVER});
	tell((struct wire_news){.type = WIRE_RESET, .from = SMTP_SERVER});
	say(SMTP_CLIENT, "NOOP\r\n");
	tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_CLIENT});
	tell((struct wire_news){.type = WIRE_CLOSED});
	ck_assert_str_eq(read_back()->lines, "C SYN 0\nS SYN ACK 0\nC ACK 0\nC ACK 6\nS FIN ACK 0\nS RST ACK 0\n");
}
END_TEST

START_TEST(an_end_that_nobody_saw_is_none)
{
	open_between("192.0.2.1", "2001:db8::25", false);
	say(SMTP_CLIENT, "NOOP\r\n");
	tell((struct wire_news){.type = WIRE_CLOSED});
	ck_assert_str_eq(read_back()->lines, "C SYN 0\nS SYN ACK 0\nC ACK 0\nC ACK 6\n");
}
END_TEST

START_TEST(a_session_under_way_has_no_handshake)
{
	open_between("192.0.2.1", "192.0.2.25", false);
	tell((struct wire_news){.type = WIRE_MIDSTREAM});
	say(SMTP_SERVER, "250 Ok\r\n");
	say(SMTP_CLIENT, "DATA\r\n");
	tell((struct wire_news){.type = WIRE_CLOSED});
	ck_assert_str_eq(read_back()->lines, "S ACK 8\nC ACK 6\n");
}
END_TEST

/* Nothing is made up for a side of which nothing is there, until it says something all the same. */
START_TEST(a_side_that_was_not_heard_says_nothing)
{
	struct sockaddr_storage from = address("192.0.2.1", 40123), to = address("192.0.2.25", 25);

	tell((struct wire_news){.type = WIRE_OPENED, .client = (struct sockaddr *)&from,
	    .server = (struct sockaddr *)&to, .unheard = {[SMTP_CLIENT] = true}});
	say(SMTP_SERVER, "220 mx\r\n");
	if (_i == 1)
		say(SMTP_CLIENT, "QUIT\r\n");
	if (_i == 2)
		tell((struct wire_news){.type = WIRE_HEARD, .from = SMTP_CLIENT});
	say(SMTP_SERVER, "221 Bye\r\n");
	tell((struct wire_news){.type = WIRE_FIN, .from = _i == 3 ? SMTP_CLIENT : SMTP_SERVER});
	tell((struct wire_news){.type = WIRE_CLOSED});
	ck_assert_str_eq(read_back()->lines, _i == 2 ? "S SYN ACK 0\nS ACK 8\nC ACK 0\nS ACK 9\nS FIN ACK 0\n" :
	    _i == 3 ? "S SYN ACK 0\nS ACK 8\nS ACK 9\nS ACK 0\n" : _i == 0 ? "S SYN ACK 0\nS ACK 8\nS ACK 9\nS FIN ACK 0\n" :
	    "S SYN ACK 0\nS ACK 8\nC ACK 6\nS ACK 9\nS FIN ACK 0\n");
}
END_TEST

START_TEST(much_content_is_many_segments)
{
	static char content[100001];
	const struct reading *r;

	for (size_t i = 0; i < sizeof content - 1; i++)
		content[i] = (char)('a' + i % 26);
	open_between("2001:db8::1", "2001:db8::25", true);
	say(SMTP_CLIENT, content);
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->stream[0].at, content);
	/* 69 of data, and one that acknowledges for each 12 (16 KiB). */
	ck_assert_uint_eq(r->packets, 3 + 69 + 5);
}
END_TEST

START_TEST(a_gap_stays_a_gap)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", false);
	say(SMTP_CLIENT, "MAIL FROM:<>\r\n");
	tell((struct wire_news){.type = WIRE_MISSING, .from = SMTP_CLIENT, .missing = 3000});
	say(SMTP_CLIENT, "QUIT\r\n");
	tell((struct wire_news){.type = WIRE_MISSING, .from = SMTP_SERVER, .missing = 20});
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->stream[0].at, "MAIL FROM:<>\r\n<3000>QUIT\r\n");
	ck_assert_str_eq(r->stream[1].at, "<20>");
}
END_TEST

START_TEST(tls_that_was_read_leaves_no_trace)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", false);
	say(SMTP_CLIENT, "NOOP\r\n");
	say_kind(SMTP_CLIENT, WIRE_STARTTLS, "STARTTLS\r\n");
	say(SMTP_SERVER, "250 to NOOP\r\n");
	say_kind(SMTP_SERVER, WIRE_STARTTLS, "220 Go\r\n");
	say_kind(SMTP_CLIENT, WIRE_OPAQUE, "\x16\x03");
	say_kind(SMTP_SERVER, WIRE_OPAQUE, "\x16\x03");
	tell((struct wire_news){.type = WIRE_SECURED});
	say(SMTP_CLIENT, "EHLO a\r\n");
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->stream[0].at, "NOOP\r\nEHLO a\r\n");
	ck_assert_str_eq(r->stream[1].at, "250 to NOOP\r\n");
}
END_TEST

START_TEST(tls_that_was_not_read_stands_as_it_was)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", false);
	say_kind(SMTP_CLIENT, WIRE_STARTTLS, "STARTTLS\r\n");
	say_kind(SMTP_SERVER, WIRE_STARTTLS, "220 Go\r\n");
	say_kind(SMTP_CLIENT, WIRE_OPAQUE, "\x16\x03");
	tell((struct wire_news){.type = WIRE_MISSING, .from = SMTP_CLIENT, .missing = 7});
	if (_i == 0)
		tell((struct wire_news){.type = WIRE_FIN, .from = SMTP_CLIENT});
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->stream[0].at, _i == 0 ? "STARTTLS\r\n\x16\x03<7>$" : "STARTTLS\r\n\x16\x03<7>");
	ck_assert_str_eq(r->stream[1].at, "220 Go\r\n");
	ck_assert_uint_eq(r->last_us, START + (_i == 0 ? 5000 : 4000));
}
END_TEST

START_TEST(starttls_that_is_refused_stands_as_it_was)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", false);
	say_kind(SMTP_CLIENT, WIRE_STARTTLS, "STARTTLS\r\n");
	say_kind(SMTP_SERVER, WIRE_STARTTLS_REFUSED, "454 No\r\n");
	say(SMTP_CLIENT, "QUIT\r\n");
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_str_eq(r->lines, "C SYN 0\nS SYN ACK 0\nC ACK 0\nC ACK 10\nS ACK 8\nC ACK 6\n");
}
END_TEST

START_TEST(what_is_held_has_a_ceiling)
{
	static char record[65537];
	const struct reading *r;

	memset(record, 'r', sizeof record - 1);
	open_between("192.0.2.1", "192.0.2.25", false);
	say_kind(SMTP_CLIENT, WIRE_STARTTLS, "STARTTLS\r\n");
	for (int i = 0; i < 4; i++)
		say_kind(SMTP_SERVER, WIRE_OPAQUE, record);
	pcap_output_flush(output);
	/* It has given up: the rest is written as it comes. */
	say_kind(SMTP_SERVER, WIRE_OPAQUE, "last");
	tell((struct wire_news){.type = WIRE_CLOSED});
	r = read_back();
	ck_assert_uint_eq(r->stream[1].len, 4 * 65536 + 5);
	ck_assert_uint_eq(r->last_us, START + 6000);
}
END_TEST

START_TEST(sessions_interleave)
{
	const struct reading *r;

	open_between("192.0.2.1", "192.0.2.25", true);
	for (uint64_t session = 2; session < 500; session++) {
		tell((struct wire_news){.type = WIRE_OPENED, .session = session, .live = true});
		tell((struct wire_news){.type = WIRE_CLOSED, .session = session - (session > 2)});
		if (session == 2)
			tell((struct wire_news){.type = WIRE_OPENED, .session = session, .live = true});
	}
	tell((struct wire_news){.type = WIRE_OCTETS, .session = 7, .octets = VIEW("nobody knows it")});
	ck_assert_uint_eq(pcap_output_close(output), 0);
	output = pcap_output_open(&(struct pcap_options){.path = path}, err);
	open_between("192.0.2.1", "192.0.2.25", true);
	say_kind(SMTP_CLIENT, WIRE_STARTTLS, "STARTTLS\r\n");
	r = read_back();
	/* Without keys nothing is held; a program that ends at once has what was said. */
	ck_assert_str_eq(r->stream[0].at, "STARTTLS\r\n");
}
END_TEST

START_TEST(ends_are_of_one_family)
{
	static const struct {
		const char *client, *server;
		bool six;
		const char *shown[2];
	} cases[] = {
	    {"192.0.2.1", "192.0.2.25", false, {"192.0.2.1", "192.0.2.25"}},
	    {"::ffff:192.0.2.1", "192.0.2.25", false, {"192.0.2.1", "192.0.2.25"}},
	    {"2001:db8::1", "192.0.2.25", true, {"2001:db8::1", "::ffff:192.0.2.25"}},
	    {"2001:db8::1", NULL, true, {"2001:db8::1", "::"}},
	    {NULL, "192.0.2.25", false, {"0.0.0.0", "192.0.2.25"}},
	    {NULL, NULL, false, {"0.0.0.0", "0.0.0.0"}},
	};
	struct sockaddr_storage client, server;
	struct packet_segment segment = {.from = 0, .flags = PACKET_ACK, .data = VIEW("odd")};
	struct packet_ends ends;
	struct net_packet ip;
	uint8_t packet[PACKET_MAX];
	char text[NET_ADDRESS_TEXT];
	size_t len;

	if (cases[_i].client != NULL)
		client = address(cases[_i].client, 40123);
	if (cases[_i].server != NULL)
		server = address(cases[_i].server, 25);
	packet_ends_of(&ends, cases[_i].client != NULL ? (struct sockaddr *)&client : NULL,
	    cases[_i].server != NULL ? (struct sockaddr *)&server : NULL);
	ck_assert_int_eq(ends.six, cases[_i].six);
	ck_assert_uint_eq(ends.end[1].port, cases[_i].server != NULL ? 25 : 0);
	len = packet_build(packet, &ends, &segment);
	ck_assert_int_eq(net_packet_parse(DLT_RAW, (struct view){(char *)packet, len}, len, &ip), NET_PACKET);
	check_sums((struct view){(char *)packet, len}, &ip);
	net_address_text(&ip.source, text);
	ck_assert_str_eq(text, cases[_i].shown[0]);
	net_address_text(&ip.destination, text);
	ck_assert_str_eq(text, cases[_i].shown[1]);
}
END_TEST

/* A capture that is cut off ends behind a packet; what is missing is counted. */
START_TEST(a_full_disk_is_said_once_and_counted)
{
	const struct rlimit limit = {2000 + (rlim_t)_i, 2000 + (rlim_t)_i};
	char reason[PCAP_ERRBUF_SIZE], expected[512];
	struct pcap_pkthdr *header;
	const u_char *octets;
	unsigned there = 0;
	uint64_t lost;
	pcap_t *pcap;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	open_between("192.0.2.1", "192.0.2.25", true);
	for (int i = 0; i < 97; i++) {
		say(SMTP_CLIENT, "NOOP\r\n");
		if (i == 50)
			pcap_output_flush(output);
	}
	lost = pcap_output_close(output);
	snprintf(expected, sizeof expected, "smtpscope: --pcap: cannot write %s: File too large\n"
	    "smtpscope: --pcap: %u packets are missing from %s\n", path, (unsigned)lost, path);
	ck_assert_str_eq(said, expected);
	pcap = pcap_open_offline(path, reason);
	ck_assert_msg(pcap != NULL, "%s", reason);
	while (pcap_next_ex(pcap, &header, &octets) == 1)
		there++;
	ck_assert_str_eq(pcap_geterr(pcap), "");
	pcap_close(pcap);
	ck_assert_uint_eq(there + lost, 100);
	/* As many as there is room for: 3 without data, and the rest with 6 octets. */
	ck_assert_uint_eq(there, 3 + (2000 + (unsigned)_i - 24 - 3 * 56) / 62);
}
END_TEST

START_TEST(a_file_that_cannot_be_made_is_said)
{
	static const struct { const char *path, *said; } cases[] = {
	    {"/nonexistent/a.pcap", "smtpscope: --pcap: cannot write /nonexistent/a.pcap: its directory must exist\n"},
	    {"/tmp", "smtpscope: --pcap: cannot write /tmp: Is a directory\n"},
	    {"/dev/full", "smtpscope: --pcap: cannot write /dev/full: No space left on device\n"}};

	pcap_output_close(output);
	ck_assert_ptr_null(pcap_output_open(&(struct pcap_options){.path = cases[_i].path}, err));
	ck_assert_str_eq(said, cases[_i].said);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pcap");
	TCase *t = tcase_create("written and read again");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_session_is_a_connection, 0, 2);
	tcase_add_test(t, a_reset_ends_it);
	tcase_add_test(t, the_servers_leg_is_a_connection_of_its_own);
	tcase_add_test(t, a_server_that_is_not_reached_has_none);
	tcase_add_test(t, an_end_that_nobody_saw_is_none);
	tcase_add_test(t, a_session_under_way_has_no_handshake);
	tcase_add_loop_test(t, a_side_that_was_not_heard_says_nothing, 0, 4);
	tcase_add_test(t, much_content_is_many_segments);
	tcase_add_test(t, a_gap_stays_a_gap);
	tcase_add_test(t, tls_that_was_read_leaves_no_trace);
	tcase_add_loop_test(t, tls_that_was_not_read_stands_as_it_was, 0, 2);
	tcase_add_test(t, starttls_that_is_refused_stands_as_it_was);
	tcase_add_test(t, what_is_held_has_a_ceiling);
	tcase_add_test(t, sessions_interleave);
	tcase_add_loop_test(t, ends_are_of_one_family, 0, 6);
	tcase_add_loop_test(t, a_full_disk_is_said_once_and_counted, 0, 70);
	tcase_add_loop_test(t, a_file_that_cannot_be_made_is_said, 0, 3);
	suite_add_tcase(s, t);
	return edge_run(s);
}
