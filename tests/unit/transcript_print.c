/* SPDX-License-Identifier: MIT */
/* A transcript for the live player: complete steps as JSON, so that the format is read in one place. */
#include <inttypes.h>

#include "proxy/outputs/buffer.h"
#include "tests/unit/transcript.h"

static void
put_hex(struct buffer *out, const char *name, struct view octets)
{
	buffer_printf(out, "\"%s\":\"", name);
	for (size_t i = 0; i < octets.len; i++) {
		buffer_char(out, "0123456789abcdef"[(unsigned char)octets.at[i] >> 4]);
		buffer_char(out, "0123456789abcdef"[octets.at[i] & 15]);
	}
	buffer_printf(out, "\"");
}

static void
put_step(struct buffer *out, const struct transcript_step *step, size_t events)
{
	static const char *const ending[] = {"", "close", "reset"};
	static const char *const writer[] = {"", "client", "server"};
	static const char *const server[] = {"up", "refused", "none"};

	buffer_printf(out, "{\"line\":%u,\"begins\":%s,\"server_is\":\"%s\",\"writer\":\"%s\",", step->line,
	    step->begins ? "true" : "false", server[step->server], writer[step->writer + 1]);
	put_hex(out, "octets", step->octets);
	buffer_printf(out, ",\"ends\":\"%s\",\"takes_us\":%" PRIu64 ",\"pause_us\":%" PRIu64 ",\"events\":%zu,\"client\":{",
	    ending[step->ends], step->takes_us, step->pause_us, events);
	put_hex(out, "received", step->received[SMTP_CLIENT]);
	buffer_printf(out, ",\"ended\":\"%s\"},\"server\":{", ending[step->ended[SMTP_CLIENT]]);
	put_hex(out, "received", step->received[SMTP_SERVER]);
	buffer_printf(out, ",\"ended\":\"%s\"}}", ending[step->ended[SMTP_SERVER]]);
}

void
transcript_print(const struct transcript *t, const size_t *events_by, FILE *file)
{
	struct buffer out = {0};

	buffer_printf(&out, "{\"name\":\"%s\",\"lmtp\":%s,\"show_secrets\":%s,\"max_line\":%" PRIu32
	    ",\"max_content\":%" PRIu64 ",\"seed\":%" PRIu64 ",\"exit\":%" PRIu64 ",",
	    t->name.at, t->lmtp ? "true" : "false", t->show_secrets ? "true" : "false", t->max_line,
	    t->max_content, t->seed, t->exit);
	put_hex(&out, "rules", t->rules);
	buffer_printf(&out, ",\"steps\":[");
	for (size_t i = 0; i < t->steps; i++) {
		if (i > 0)
			buffer_char(&out, ',');
		put_step(&out, &t->step[i], events_by[i]);
	}
	buffer_printf(&out, "]}\n");
	fwrite(out.at, 1, out.len, file);
	buffer_free(&out);
}
