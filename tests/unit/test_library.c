/* SPDX-License-Identifier: MIT */
/*
 * libdecoders.a by itself: linked with nothing but libc (the Makefile says so for this
 * program alone), and used as its headers tell. A session goes in an octet at a time, by
 * turns; what each reply answered comes out.
 */
#include <stdio.h>
#include <string.h>

#include "decoders/smtp/dialogue.h"

static const struct smtp_limits limits = {.max_line = 4096, .max_pending = 1000};

static const struct {
	enum smtp_side from;
	const char    *octets;
} session[] = {
    {SMTP_SERVER, "220-mx.example.net\r\n220 ESMTP\r\n"},
    {SMTP_CLIENT, "EHLO client.example.org\r\n"},
    {SMTP_SERVER, "250-mx.example.net\r\n250-PIPELINING\r\n250 CHUNKING\r\n"},
    {SMTP_CLIENT, "MAIL FROM:<ann@example.org>\r\nRCPT TO:<nobody@example.net>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"},
    {SMTP_SERVER, "250 2.1.0 Ok\r\n550 5.1.1 No such mailbox\r\n250 2.1.5 Ok\r\n354 Go\r\n"},
    {SMTP_CLIENT, "Subject: QUIT\r\n\r\nQUIT\r\n.\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n"},
    {SMTP_SERVER, "250 2.0.0 Kept\r\n503 5.5.1 No transaction\r\n221 2.0.0 Bye\r\n"},
};

static const char expected[] =
    "CONNECT 220\nEHLO 250\nMAIL 250\nRCPT 550\nRCPT 250\nDATA 354\nCONTENT 250\nCONTENT 503\nQUIT 221\n";

static void
write_reply(const struct smtp_unit *unit, char *text, size_t size)
{
	const struct smtp_exchange *e = unit->of;
	const char *to = e == NULL ? "nothing" : e->kind == SMTP_GREETING ? "CONNECT" :
	    e->kind == SMTP_CONTENT_DONE ? "CONTENT" : smtp_verb_entry(e->verb)->name.at;
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s %u\n", to, unit->as.reply.code);
}

int
main(void)
{
	struct smtp_dialogue d;
	struct smtp_unit unit;
	struct smtp_fate fate = {.forwarded = true, .owed = true};
	char text[1000] = "";

	smtp_dialogue_init(&d, &limits, false);
	for (size_t i = 0; i < sizeof session / sizeof *session; i++) {
		const char *octets = session[i].octets;
		size_t have = 0, used = 0, len = strlen(octets);

		while (have < len) {
			have++;
			while (smtp_dialogue_feed(&d, session[i].from, octets + used, have - used, 0, &unit)) {
				used += unit.wire.len;
				if (unit.type == SMTP_UNIT_REPLY)
					write_reply(&unit, text, sizeof text);
				smtp_dialogue_settle(&d, session[i].from, &fate);
			}
		}
	}
	smtp_dialogue_clear(&d);
	if (strcmp(text, expected) != 0) {
		printf("expected:\n%sgot:\n%s0 passed, 1 failed\n", expected, text);
		return 1;
	}
	printf("1 passed, 0 failed\n");
	return 0;
}
