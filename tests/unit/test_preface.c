/* SPDX-License-Identifier: MIT */
/* Prefaces of both sides, whole, cut at every octet, and what is none. */
#include <stdint.h>
#include <stdio.h>

#include "decoders/net/preface.h"
#include "tests/unit/edge.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define GREETING "220 mx.example.net ESMTP\r\n"
#define EHLO     "EHLO client.example.org\r\n"

/* An opening: what each side sends, how much of it is preface, and what was learnt, as text. */
static const struct {
	struct view client, server;
	size_t      client_len, server_len;
	const char *learnt;
} openings[] = {
    /* Nothing in front. */
    {VIEW(EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PIPELINE\r\n"), VIEW(GREETING), 0, 0, ""},
    {VIEW("GET / HTTP/1.1\r\n\r\n"), VIEW("HTTP/1.1 200 OK\r\n\r\n220 is no greeting here"), 0, 0, ""},
    {VIEW(EHLO), VIEW("HTTP/1.1 200 OK\r\n\r\n"), 0, 0, ""},
    {VIEW("\x16\x03\x01\x02"), VIEW("\x16\x03\x03\0z"), 0, 0, ""},

    /* PROXY protocol, version 1. */
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n" EHLO), VIEW(GREETING), 44, 0,
	"PROXY protocol v1; client 192.0.2.1 56324; server 198.51.100.1 25"},
    {VIEW("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n" EHLO), VIEW(GREETING), 44, 0,
	"PROXY protocol v1; client 2001:db8::1 1; server 2001:db8::2 65535"},
    {VIEW("PROXY UNKNOWN\r\n" EHLO), VIEW(GREETING), 15, 0, "PROXY protocol v1"},
    {VIEW("PROXY UNKNOWN ffff:f...f:ffff 65535\r\n" EHLO), VIEW(GREETING), 37, 0, "PROXY protocol v1"},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 65536\r\n" EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\n" EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25 x\r\n" EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PROXY TCP4 2001:db8::1 198.51.100.1 56324 25\r\n" EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PROXY TCP4 192.0.2.1\r\n" EHLO), VIEW(GREETING), 0, 0, ""},
    {VIEW("PROXY\r\n" EHLO), VIEW(GREETING), 0, 0, ""},

    /* Version 2: IPv4, IPv6 with a TLV behind, LOCAL, a unix socket, an unknown version. */
    {VIEW(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19" EHLO), VIEW(GREETING), 28, 0,
	"PROXY protocol v2; client 192.0.2.1 56324; server 198.51.100.1 25"},
    {VIEW(V2 "\x21\x21\0\x29"
	     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\0\x01\0\x19"
	     "\x04\0\x02hi" EHLO),
	VIEW(GREETING), 57, 0, "PROXY protocol v2; client 2001:db8::1 1; server 2001:db8::2 25"},
    {VIEW(V2 "\x20\0\0\0" EHLO), VIEW(GREETING), 16, 0, "PROXY protocol v2"},
    {VIEW(V2 "\x20\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19" EHLO), VIEW(GREETING), 28, 0, "PROXY protocol v2"},
    {VIEW(V2 "\x21\x31\0\x04path" EHLO), VIEW(GREETING), 20, 0, "PROXY protocol v2"},
    {VIEW(V2 "\x21\x11\0\x04path" EHLO), VIEW(GREETING), 20, 0, "PROXY protocol v2"},
    {VIEW(V2 "\x11\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19" EHLO), VIEW(GREETING), 0, 0, ""},

    /* SOCKS 4 and 4a. */
    {VIEW("\x04\x01\0\x19\xc6\x33\x64\x01me\0" EHLO), VIEW("\0\x5a\0\0\0\0\0\0" GREETING), 11, 8,
	"SOCKS4; server 198.51.100.1 25"},
    {VIEW("\x04\x01\0\x19\0\0\0\x01\0mx.example.net\0" EHLO), VIEW("\0\x5a\0\0\0\0\0\0" GREETING), 24, 8,
	"SOCKS4; host mx.example.net 25"},
    {VIEW("\x04\x01\0\x19\xc6\x33\x64\x01\0"), VIEW("\0\x5b\0\0\0\0\0\0"), 9, 8, "SOCKS4; server 198.51.100.1 25; refused"},
    {VIEW("\x04\x02\0\x19\xc6\x33\x64\x01\0"), VIEW("\0\x5a\0\0\0\0\0\0"), 0, 0, ""},
    {VIEW("\x04\x01\0\x19\xc6\x33\x64\x01\0"), VIEW("\0\x17"), 9, 0, "SOCKS4; server 198.51.100.1 25"},

    /* SOCKS 5: by name, with a password, refused in each way. */
    {VIEW("\x05\x01\0\x05\x01\0\x03\x0emx.example.net\0\x19" EHLO),
	VIEW("\x05\0\x05\0\0\x01\xc0\0\x02\x09\x10\0" GREETING), 24, 12, "SOCKS5; host mx.example.net 25"},
    {VIEW("\x05\x02\0\x02\x01\x03" "ann\x05wordy\x05\x01\0\x01\xc6\x33\x64\x01\0\x19" EHLO),
	VIEW("\x05\x02\x01\0\x05\0\0\x01\0\0\0\0\0\0" GREETING), 25, 14, "SOCKS5; server 198.51.100.1 25"},
    {VIEW("\x05\x01\0\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x19" EHLO),
	VIEW("\x05\0\x05\0\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\0\x19" GREETING), 25, 24,
	"SOCKS5; server 2001:db8::1 25"},
    {VIEW("\x05\x01\0\x05\x01\0\x01\xc6\x33\x64\x01\0\x19"), VIEW("\x05\0\x05\x05\0\x01\0\0\0\0\0\0"), 13, 12,
	"SOCKS5; server 198.51.100.1 25; refused"},
    {VIEW("\x05\0\x05\x01"), VIEW("\x05\xff"), 0, 0, ""},
    {VIEW("\x05\x01\0\x05\x02\0\x01\xc6\x33\x64\x01\0\x19"), VIEW("\x05\0"), 0, 0, ""},

    /* HTTP CONNECT: with a name, an address, a retry with a password, a refusal. */
    {VIEW("CONNECT mx.example.net:25 HTTP/1.1\r\nHost: mx.example.net:25\r\n\r\n" EHLO),
	VIEW("HTTP/1.1 200 Connection established\r\n\r\n" GREETING), 63, 39, "HTTP CONNECT; host mx.example.net 25"},
    {VIEW("CONNECT 198.51.100.1:25 HTTP/1.0\n\n" EHLO), VIEW("HTTP/1.0 200\r\nVia: x\r\nContent-Length: 5\r\n\r\n" GREETING),
	34, 43, "HTTP CONNECT; server 198.51.100.1 25"},
    {VIEW("CONNECT [2001:db8::1]:25 HTTP/1.1\r\n\r\n" EHLO), VIEW("HTTP/1.1 200 OK\r\n\r\n" GREETING), 37, 19,
	"HTTP CONNECT; server 2001:db8::1 25"},
    {VIEW("CONNECT x.example.net:25 HTTP/1.1\r\n\r\nCONNECT x.example.net:25 HTTP/1.1\r\nProxy-Authorization: Basic eA==\r\n\r\n" EHLO),
	VIEW("HTTP/1.1 407 Who?\r\nContent-Length: 4\r\n\r\nWho?HTTP/1.1 200 OK\r\n\r\n" GREETING), 107, 63,
	"HTTP CONNECT; HTTP CONNECT; host x.example.net 25"},
    {VIEW("CONNECT x.example.net:25 HTTP/1.1\r\n\r\n"), VIEW("HTTP/1.1 403 Forbidden\r\ncontent-length:\t4\r\n\r\nNo.\n"), 37, 49,
	"HTTP CONNECT; host x.example.net 25; refused"},
    {VIEW("CONNECT x.example.net HTTP/1.1\r\n\r\n"), VIEW("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, 0, ""},
    {VIEW("CONNECT :25 HTTP/1.1\r\n\r\n"), VIEW("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, 0, ""},
    {VIEW("CONNECT x.example.net:25\r\n\r\n"), VIEW("HTTP/1.1 400 Bad Request\r\n\r\n"), 0, 0, ""},

    /* One behind the other. */
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nCONNECT x.example.net:587 HTTP/1.1\r\n\r\n" EHLO),
	VIEW("HTTP/1.1 200 OK\r\n\r\n" GREETING), 82, 19,
	"PROXY protocol v1; HTTP CONNECT; client 192.0.2.1 56324; host x.example.net 587"},
    {VIEW("PROXY UNKNOWN\r\nPROXY UNKNOWN\r\nPROXY UNKNOWN\r\nPROXY UNKNOWN\r\nPROXY UNKNOWN\r\n"), VIEW(GREETING), 60, 0,
	"PROXY protocol v1; PROXY protocol v1; PROXY protocol v1; PROXY protocol v1"},

    /* One side alone. */
    {VIEW("PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\n" EHLO), VIEW(""), 44, 0,
	"PROXY protocol v1; client 192.0.2.1 56324; server 198.51.100.1 25"},
    {VIEW("\x05\x01\0\x05\x01\0\x01\xc6\x33\x64\x01\0\x19" EHLO), VIEW(""), 13, 0, "SOCKS5; server 198.51.100.1 25"},
    {VIEW(""), VIEW(GREETING), 0, 0, ""},
    {VIEW(""), VIEW("\x05\0\x05\0\0\x01\xc0\0\x02\x09\x10\0" GREETING), 0, 12, "SOCKS5"},
    {VIEW(""), VIEW("\0\x5a\0\0\0\0\0\0" GREETING), 0, 8, "SOCKS4"},
    {VIEW(""), VIEW("HTTP/1.1 200 Connection established\r\n\r\n554 No\r\n"), 0, 39, "HTTP CONNECT"},
    {VIEW(""), VIEW("HTTP/1.1 200 OK\r\n\r\n" GREETING), 0, 19, "HTTP CONNECT"},
    {VIEW(""), VIEW("HTTP/1.1 200 OK\r\n\r\n<html>"), 0, 0, ""},
};

static size_t
say(char *text, size_t at, size_t room, const char *what)
{
	return at + (size_t)snprintf(text + at, room - at, "%s%s", at > 0 ? "; " : "", what);
}

static void
learnt(const struct preface *p, char *text, size_t room)
{
	char   address[NET_ADDRESS_TEXT], word[300];
	size_t at = 0;

	*text = '\0';
	for (int i = 0; i < p->count; i++)
		at = say(text, at, room, preface_name(p->kinds[i]));
	if (p->has_client) {
		net_address_text(&p->client, address);
		snprintf(word, sizeof word, "client %s %u", address, p->client_port);
		at = say(text, at, room, word);
	}
	if (p->has_server) {
		net_address_text(&p->server, address);
		snprintf(word, sizeof word, "server %s %u", address, p->server_port);
		at = say(text, at, room, word);
	} else if (p->host.at != NULL) {
		snprintf(word, sizeof word, "host %.*s %u", (int)p->host.len, p->host.at, p->server_port);
		at = say(text, at, room, word);
	}
	if (p->refused)
		say(text, at, room, "refused");
}

START_TEST(what_openings_say)
{
	struct preface p;
	struct view    client = edge_copy(openings[_i].client), server = edge_copy(openings[_i].server);
	char           text[500];

	preface_read(client, server, &p);
	learnt(&p, text, sizeof text);
	ck_assert_str_eq(text, openings[_i].learnt);
	ck_assert_uint_eq(p.client_len, openings[_i].client_len);
	ck_assert_uint_eq(p.server_len, openings[_i].server_len);
	edge_free(client);
	edge_free(server);
}
END_TEST

/* Cut anywhere in both sides: what was said to be certain stays so. */
START_TEST(openings_cut_anywhere)
{
	struct view client = openings[_i].client, server = openings[_i].server;
	struct view client_edge = edge_copy(client), server_edge = edge_copy(server);

	for (size_t c = 0; c <= client.len; c++) {
		for (size_t s = 0; s <= server.len; s++) {
			struct preface p;

			preface_read(edge_first(client_edge, client, c), edge_first(server_edge, server, s), &p);
			ck_assert_uint_le(p.count, PREFACE_MAX);
			/* With nothing of the client so far its side alone is read, as if it never came. */
			if (!p.client_more && client.len > 0)
				ck_assert_uint_eq(p.client_len, openings[_i].client_len);
			if (!p.server_more && (c > 0 || client.len == 0))
				ck_assert_uint_eq(p.server_len, openings[_i].server_len);
			ck_assert_uint_le(p.client_len, openings[_i].client_len);
		}
	}
	edge_free(client_edge);
	edge_free(server_edge);
}
END_TEST

START_TEST(the_first_octet_mostly_decides)
{
	struct preface p;

	preface_read(VIEW(""), VIEW("2"), &p);
	ck_assert(p.client_more && !p.server_more);
	preface_read(VIEW("E"), VIEW("2"), &p);
	ck_assert(!p.client_more && !p.server_more);
	preface_read(VIEW("PR"), VIEW("2"), &p);
	ck_assert(p.client_more && !p.server_more);
	preface_read(VIEW("C"), VIEW("H"), &p);
	ck_assert(p.client_more && p.server_more);
	preface_read(VIEW("E"), VIEW("H"), &p);
	ck_assert(!p.client_more && !p.server_more);
}
END_TEST

START_TEST(lengths_without_an_end)
{
	static char    octets[8192];
	struct preface p;

	/* A line of version 1 that is too long by one. */
	memset(octets, ' ', sizeof octets);
	memcpy(octets, "PROXY UNKNOWN", 13);
	memcpy(octets + 105, "\r\n", 2);
	preface_read((struct view){octets, 200}, VIEW("220"), &p);
	ck_assert_uint_eq(p.client_len, 107);
	memcpy(octets + 105, " \r\n", 3);
	preface_read((struct view){octets, 106}, VIEW("220"), &p);
	ck_assert(p.client_more);
	preface_read((struct view){octets, 200}, VIEW("220"), &p);
	ck_assert(p.count == 0 && !p.client_more);

	/* A head of HTTP. */
	memset(octets, 'x', sizeof octets);
	memcpy(octets, "CONNECT x:25 HTTP/1.1\r\nX: ", 26);
	preface_read((struct view){octets, 4095}, VIEW("H"), &p);
	ck_assert(p.client_more);
	preface_read((struct view){octets, 4096}, VIEW("H"), &p);
	ck_assert(p.count == 0 && !p.client_more);

	/* Version 2 says how long it is: what has not come yet is to be stepped over. */
	memcpy(octets, V2 "\x21\x11\xff\xff\xc0\0\x02\x01\xc6\x33\x64\x01\xdc\x04\0\x19", 28);
	preface_read((struct view){octets, 28}, VIEW("220"), &p);
	ck_assert_uint_eq(p.client_len, 65551);
	ck_assert(p.has_client && p.client_more);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("preface");
	TCase *tcase = tcase_create("preface");
	int    count = sizeof openings / sizeof *openings;

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, what_openings_say, 0, count);
	tcase_add_loop_test(tcase, openings_cut_anywhere, 0, count);
	tcase_add_test(tcase, the_first_octet_mostly_decides);
	tcase_add_test(tcase, lengths_without_an_end);
	suite_add_tcase(suite, tcase);
	return edge_run(suite);
}
