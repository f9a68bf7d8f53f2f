/* SPDX-License-Identifier: MIT */
/*
 * What a session keeps about each command until it is answered. Notes are used again, so
 * that a command in the steady state allocates nothing.
 */
#include <stdlib.h>

#include "proxy/must.h"
#include "proxy/sessions/state.h"

#define NOTES_KEPT 2u

struct note *
note_new(struct session *s)
{
	struct note *note = s->free_notes;

	/* malloc looks into what its thread has freed last, calloc does not. */
	if (note == NULL) {
		note = must(malloc(sizeof *note));
	} else {
		s->free_notes = note->next;
		s->free_count--;
	}
	memset(note, 0, sizeof *note);
	return note;
}

void
note_forge(struct session *s, struct note *note, struct view octets, uint16_t code, enum event_origin origin)
{
	note_forget_forged(s, note);
	s->forged++;
	note->forged = malloc(octets.len + 1);
	if (note->forged == NULL)
		abort();
	memcpy(note->forged, octets.at, octets.len);
	note->forged_len = octets.len;
	note->forged_code = code;
	note->forged_origin = (uint8_t)origin;
}

void
note_forget_forged(struct session *s, struct note *note)
{
	if (note->forged == NULL)
		return;
	s->forged--;
	free(note->forged);
	note->forged = NULL;
}

void
note_free(struct session *s, struct note *note, bool refused)
{
	if (note == NULL)
		return;
	/*
	 * A refused MAIL or RSET ended nothing: the transaction before it goes on (RFC 5321 4.1.4).
	 * But chunks that are under way stay one content, however early the refusal came.
	 */
	if (refused && note->ended && s->sending == note->transaction &&
	    (s->content == NULL || s->content != note->transaction)) {
		transaction_unref(s, s->sending);
		s->sending = note->previous;
		note->previous = NULL;
	}
	/* Chunks without a last one: with the transaction goes what was to come. */
	if (!refused && note->previous != NULL && s->content == note->previous) {
		transaction_unref(s, s->content);
		s->content = NULL;
	}
	transaction_unref(s, note->transaction);
	transaction_unref(s, note->previous);
	/* Most have none of these. */
	if (note->line != NULL)
		free(note->line);
	note_forget_forged(s, note);
	if (note->verb_name != NULL)
		free(note->verb_name);
	if (s->free_count >= NOTES_KEPT) {
		free(note);
		return;
	}
	note->next = s->free_notes;
	s->free_notes = note;
	s->free_count++;
}

void
note_leaves(void *session, struct smtp_exchange *e)
{
	struct session *s = session;

	if (e->by_proxy || !e->forwarded)
		s->unplain--;
	note_free(s, e->note, e->code >= 400);
}
