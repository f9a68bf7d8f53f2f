/* SPDX-License-Identifier: MIT */
/*
 * The loop of a session: units of the dialogue in, each answered in its turn. Whatever the
 * client pipelines, there is one unanswered command at a time, since each is answered before
 * the next is looked at; a BDAT alone waits, for its chunk.
 */
#include "proxy/sink/sink.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/sink/sink_state.h"

#define LINE_MAX_OCTETS 12290   /* RFC 4954 4: a line of AUTH may have 12288, and CRLF */
#define OUT_FULL        16384   /* octets of replies that the client has to read before more is done */

struct sink *
sink_new(const struct sink_settings *settings, struct buffer *out)
{
	static const struct smtp_limits limits = {.max_line = LINE_MAX_OCTETS, .max_pending = 4};
	struct sink                    *sink = calloc(1, sizeof *sink);
	struct smtp_exchange           *greeting;

	if (sink == NULL)
		return NULL;
	sink->settings = settings;
	sink->secured = settings->secured;
	smtp_dialogue_init(&sink->dialogue, &limits, settings->lmtp);
	smtp_dialogue_no_greeting(&sink->dialogue, false);
	greeting = smtp_dialogue_turn(&sink->dialogue);
	smtp_dialogue_answered(&sink->dialogue, greeting->serial,
	    sink_say(out, 220, "%s %s smtpscope's built-in server", SINK_NAME, settings->lmtp ? "LMTP" : "ESMTP"));
	return sink;
}

void
sink_free(struct sink *sink)
{
	if (sink == NULL)
		return;
	sink_transaction_free(sink->transaction);
	smtp_dialogue_clear(&sink->dialogue);
	free(sink);
}

bool
sink_is_over(const struct sink *sink)
{
	return sink->over;
}

bool
sink_awaits_tls(const struct sink *sink)
{
	return sink->awaits_tls;
}

void
sink_secure(struct sink *sink)
{
	smtp_dialogue_secured(&sink->dialogue);
	sink_reset(sink);
	sink->hello = SINK_SILENT;
	sink->auth = SINK_AUTH_NONE;
	sink->authenticated = false;
	sink->awaits_tls = false;
	sink->secured = true;
}

void
sink_end(struct sink *sink, const char *why, struct buffer *out)
{
	if (!sink->over)
		sink_say(out, 421, "%s", why);
	sink->over = true;
}

/* The reply that was just written belongs to the exchange whose turn it is. */
static void
answered(struct sink *sink, uint16_t code)
{
	struct smtp_exchange *e = smtp_dialogue_turn(&sink->dialogue);

	assert(e != NULL);
	smtp_dialogue_answered(&sink->dialogue, e->serial, code);
}

void
sink_report(const struct sink *sink, uint16_t code, const char *file)
{
	const struct sink_transaction *t = sink->transaction;
	struct sink_message            message = {
	               .reverse_path = sink_transaction_path(t, 0),
	               .recipients = t->count - 1,
	               .octets = t->octets,
	               .chunks = t->chunks,
	               .code = code,
	               .file = *file == '\0' ? NULL : file,
	               .error = t->error,
        };

	if (sink->settings->message != NULL)
		sink->settings->message(sink->settings->owner, &message);
}

/*
 * The end of the content gets its reply; in LMTP one for each recipient (RFC 2033 4.2), as many
 * as the dialogue says that the client is owed. The transaction is over.
 */
static void
content_done(struct sink *sink, const struct sink_answer *refused, struct buffer *out)
{
	struct sink_transaction  *t = sink->transaction;
	const struct sink_answer *answer = refused;
	struct smtp_exchange     *e;
	char                      file[NAME_MAX + 1] = "";
	uint32_t                  n = 0;
	bool                      lmtp = sink->settings->lmtp || sink->hello == SINK_LHLO;

	if (refused == NULL) {
		answer = sink_transaction_end(t, file);
		sink_report(sink, answer->code, file);
	}
	while ((e = smtp_dialogue_turn(&sink->dialogue)) != NULL) {
		bool several = lmtp && t != NULL && ++n < t->count;

		sink_say(out, answer->code, "%s%s%s%s%s%s", answer->text, several ? " <" : "",
		    several ? sink_shown(sink_transaction_path(t, n)).text : "", several ? ">" : "",
		    *file == '\0' ? "" : ", kept as ", file);
		smtp_dialogue_answered(&sink->dialogue, e->serial, answer->code);
	}
	if (refused == NULL) {
		sink_transaction_free(t);
		sink->transaction = NULL;
	}
}

/* A BDAT's chunk has come, taken or not. */
static void
chunk_done(struct sink *sink, struct buffer *out)
{
	const struct sink_answer *refused = sink->chunk_refused;

	sink->chunk_waits = false;
	if (refused == NULL && !sink->chunk_last)
		refused = sink->transaction->failed;
	if (sink->chunk_last)
		content_done(sink, refused, out);
	else if (refused != NULL)
		answered(sink, sink_say(out, refused->code, "%s", refused->text));
	else
		answered(sink, sink_say(out, 250, "2.0.0 Ok, %llu octets", (unsigned long long)sink->chunk));
}

/* The client speaks TLS where nobody does: there is nothing more to say that it would read. */
static void
not_smtp(struct sink *sink, struct buffer *out)
{
	sink_say(out, 500, "5.5.1 This is no SMTP%s",
	    sink->settings->starttls ? "; TLS begins with STARTTLS here" : ", and TLS was not offered");
	sink->over = true;
}

static void
take_unit(struct sink *sink, const struct smtp_unit *unit, struct buffer *out)
{
	struct smtp_fate fate = {.forwarded = false, .owed = true};
	uint16_t         code = 0;

	switch (unit->type) {
	case SMTP_UNIT_COMMAND:
		code = sink_answer_command(sink, &unit->as.command, unit->marks, out);
		break;
	case SMTP_UNIT_AUTH_LINE:
		code = sink_answer_auth_line(sink, unit->wire, unit->marks, out);
		break;
	case SMTP_UNIT_CONTENT:
		if (!sink->chunk_waits || sink->chunk_refused == NULL)
			sink_transaction_content(sink->transaction, unit->wire, sink->settings->max_size);
		break;
	case SMTP_UNIT_CONTENT_END:
	case SMTP_UNIT_REST:
		break;
	default:
		not_smtp(sink, out);
		break;
	}
	smtp_dialogue_settle(&sink->dialogue, SMTP_CLIENT, &fate);
	if (code != 0)
		answered(sink, code);
	else if (sink->chunk_waits && smtp_dialogue_turn(&sink->dialogue) != NULL)
		chunk_done(sink, out);
	else if (unit->type == SMTP_UNIT_CONTENT_END && !sink->chunk_waits)
		content_done(sink, NULL, out);
}

size_t
sink_feed(struct sink *sink, const char *octets, size_t len, struct buffer *out)
{
	struct smtp_unit unit;
	size_t           used = 0;

	while (!sink->over && !sink->awaits_tls && out->len < OUT_FULL &&
	       smtp_dialogue_feed(&sink->dialogue, SMTP_CLIENT, octets + used, len - used, 0, &unit)) {
		take_unit(sink, &unit, out);
		used += unit.wire.len;
	}
	return sink->over || sink->awaits_tls ? len : used;
}
