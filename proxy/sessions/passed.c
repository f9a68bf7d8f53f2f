/* SPDX-License-Identifier: MIT */
/*
 * TLS that goes by: its hellos are read along, so that the tls event can say which server
 * was meant, and what was agreed. Never longer than that.
 */
#include "decoders/tls/tls.h"

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

/* A handshake with large certificates is shorter; what is not agreed by then is no TLS. */
#define PASSED_MAX (256u * 1024)

void
passed_begins(struct session *s)
{
	s->passed = tls_reader_new(NULL);
	s->passed_octets = 0;
	if (s->passed == NULL)
		event_tls(s, "passed", NULL, VIEW_NONE);
}

void
passed_ends(struct session *s)
{
	if (s->passed == NULL)
		return;
	event_tls(s, "passed", tls_reader_facts(s->passed), VIEW_NONE);
	tls_reader_free(s->passed);
	s->passed = NULL;
}

void
passed_goes_on(struct session *s, enum smtp_side from, struct view octets)
{
	struct tls_news news;
	enum tls_side side;
	bool over = false;

	if (s->passed == NULL)
		return;
	tls_reader_feed(s->passed, from == SMTP_CLIENT ? TLS_CLIENT : TLS_SERVER, octets);
	while (tls_reader_next(s->passed, &side, &news))
		over = over || news.type == TLS_NOT_TLS;
	s->passed_octets += (uint32_t)octets.len;
	if (over) {
		event_tls(s, "failed", tls_reader_facts(s->passed), VIEW("what follows the 220 is not TLS"));
		tls_reader_free(s->passed);
		s->passed = NULL;
	} else if ((tls_reader_facts(s->passed)->established && !s->has_keys) || s->passed_octets > PASSED_MAX) {
		passed_ends(s);
	}
}
