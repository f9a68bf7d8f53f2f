/* SPDX-License-Identifier: MIT */
/*
 * A connection read record by record. Of what is encrypted, and cannot be decrypted, nothing
 * is kept, so that a proxy may let this read along with what it passes on.
 */
#include <openssl/crypto.h>
#include <stdlib.h>

#include "decoders/tls/state.h"

/*
 * In 1.3 the first encrypted record may be an alert. What a side sends up to its Finished is
 * never shorter than this: 4 + 32 octets of Finished, type and tag.
 */
#define FINISHED_MIN (4u + 32u + 1u + 16u)

#define ALERT_FATAL 2

/* Behind a gap: so many records are at most thought to be missing, and so many wrong ones tried. */
#define MISSING_MAX  256u
#define FAILURES_MAX 16u
#define RECORD_MIN   (5u + 1u + 17u)

struct tls_reader *
tls_reader_new(const struct tls_keylog *log)
{
	struct tls_reader *r = calloc(1, sizeof *r);

	if (r != NULL)
		r->log = log;
	return r;
}

void
tls_reader_free(struct tls_reader *r)
{
	if (r == NULL)
		return;
	for (int side = TLS_CLIENT; side <= TLS_SERVER; side++) {
		tls_frames_clear(&r->party[side].frames);
		tls_messages_clear(&r->party[side].messages);
		tls_party_close(r, side);
	}
	if (r->room != NULL)
		OPENSSL_cleanse(r->room, TLS_RECORD_MAX);
	free(r->room);
	free((char *)(uintptr_t)r->facts.sni.at);
	free((char *)(uintptr_t)r->facts.alpn.at);
	free((char *)(uintptr_t)r->facts.cipher.at);
	free((char *)(uintptr_t)r->facts.subject.at);
	free((char *)(uintptr_t)r->facts.issuer.at);
	free(r);
}

const struct tls_facts *
tls_reader_facts(const struct tls_reader *r)
{
	return &r->facts;
}

/* From here on it is not known where this side's records begin. What is there of one is opaque. */
static void
lose(struct tls_reader *r, enum tls_side side)
{
	struct tls_party *p = &r->party[side];

	p->lost = true;
	p->opaque += p->frames.held.len;
	tls_frames_clear(&p->frames);
	tls_messages_clear(&p->messages);
	tls_party_close(r, side);
}

void
tls_reader_feed(struct tls_reader *r, enum tls_side from, struct view octets)
{
	if (r->fed.len > 0)     /* its octets may be gone by now */
		lose(r, r->from);
	r->data = VIEW_NONE;
	r->from = from;
	r->fed = octets;
}

/*
 * Records that were opened so far can be again behind a gap: the next header is looked for,
 * and opened by the numbers that it may have. In 1.0 each record needs the one before it.
 */
static bool
can_seek(const struct tls_reader *r, const struct tls_party *p)
{
	return p->opener != NULL && p->opened && p->up && r->version > TLS_1_0;
}

/* So many octets more may have been records. */
static void
note_missing(struct tls_party *p, uint64_t octets)
{
	uint64_t missing = p->missing + octets / RECORD_MIN + 2;

	p->missing = (uint16_t)(missing < MISSING_MAX ? missing : MISSING_MAX);
}

void
tls_reader_gap(struct tls_reader *r, enum tls_side from, uint64_t count)
{
	struct tls_party *p = &r->party[from];

	tls_reader_feed(r, from, VIEW_NONE);
	if (count == 0 || p->over || p->lost)
		return;
	if (!can_seek(r, p)) {
		lose(r, from);
		return;
	}
	p->seeking = true;
	note_missing(p, count);
	p->opaque += p->frames.held.len;
	tls_frames_clear(&p->frames);
	tls_messages_clear(&p->messages);
}

/* Whether records of this type are encrypted now. */
static bool
is_sealed(const struct tls_reader *r, const struct tls_party *p, enum tls_content type)
{
	return p->sealed && (type == TLS_APPLICATION_DATA || !tls_reader_is_1_3(r));
}

/* What stands in a record in the clear, or can be decrypted. */
static bool
is_looked_into(const struct tls_reader *r, const struct tls_party *p, enum tls_content type)
{
	if (is_sealed(r, p, type))
		return p->opener != NULL;
	return type == TLS_CHANGE_CIPHER_SPEC || type == TLS_ALERT || type == TLS_HANDSHAKE;
}

static void
alert(struct tls_reader *r, enum tls_side from, struct view content)
{
	uint8_t level, number;

	if (content.len != 2)
		return;
	level = (uint8_t)content.at[0];
	number = (uint8_t)content.at[1];
	if (number == 0) {
		r->changed = r->changed || !r->facts.closed[from];
		r->facts.closed[from] = true;
	} else if (level == ALERT_FATAL || (tls_reader_is_1_3(r) && number != 90)) {
		r->facts.alerted = true;
		r->facts.alert = number;
		r->facts.alert_from = from;
		r->changed = true;
	}
}

/* Opens a record that is sealed; false: it stays so. */
static bool
open_record(struct tls_reader *r, enum tls_side from, struct view body, uint8_t *type, struct view *content)
{
	struct tls_party *p = &r->party[from];

	if (p->opener != NULL &&
	    tls_opener_open(p->opener, p->missing, p->frames.header, body, r->room, type, content)) {
		r->changed = r->changed || !r->facts.decrypting;
		r->facts.decrypting = p->opened = true;
		p->missing = 0;
		p->seeking = false;
		return true;
	}
	if (tls_frames_type(&p->frames) == TLS_APPLICATION_DATA)
		p->opaque += body.len;
	if (p->seeking) {
		note_missing(p, body.len);
		if (++p->failures > FAILURES_MAX)
			lose(r, from);
		return false;
	}
	/* Early data has keys of its own, which are not read here: what comes behind it has these. */
	if (!p->early || p->opened || !tls_reader_is_1_3(r))
		tls_party_close(r, from);
	return false;
}

/* A whole record: what is in it. */
static void
read_record(struct tls_reader *r, enum tls_side from, struct view content)
{
	struct tls_party *p = &r->party[from];
	uint8_t type = p->frames.header[0];
	bool    sealed = is_sealed(r, p, type);

	if (sealed && !open_record(r, from, content, &type, &content))
		return;
	switch (type) {
	case TLS_CHANGE_CIPHER_SPEC:
		tls_handshake_change_cipher(r, from);
		break;
	case TLS_ALERT:
		alert(r, from, content);
		break;
	case TLS_HANDSHAKE:
		/* In 1.3 none comes in the clear any more: who sends one may not be who shook hands. */
		if (sealed || !p->sealed || !tls_reader_is_1_3(r))
			tls_handshake_read(r, from, content);
		break;
	case TLS_APPLICATION_DATA:
		p->up = true;
		r->data = content;
		break;
	default:
		break;
	}
}

/* What the mere presence of so many octets of an encrypted record says. */
static void
note_sealed(struct tls_reader *r, struct tls_party *p, enum tls_content type, size_t octets)
{
	if (type == TLS_HANDSHAKE)
		p->up = p->up || p->sealed;
	if (type != TLS_APPLICATION_DATA)
		return;
	p->opaque += octets;
	if (!tls_reader_is_1_3(r)) {
		/* Early data goes in front of the ServerHello. */
		p->up = p->up || r->version != 0 || !p->early;
	} else if (p->sealed_octets < FINISHED_MIN) {
		p->sealed_octets += (uint32_t)octets;
		p->up = p->up || p->sealed_octets >= FINISHED_MIN;
	}
}

/* A side that has lost octets is believed to be as far as what the other sends tells. */
static void
note_established(struct tls_reader *r)
{
	const struct tls_party *c = &r->party[TLS_CLIENT], *s = &r->party[TLS_SERVER];

	if (r->facts.established || !(c->up || s->up) || !(c->up || c->lost) || !(s->up || s->lost))
		return;
	r->facts.established = true;
	r->changed = true;
}

/* Behind a gap no more than a whole header of application data is taken for one. */
static bool
is_sought(const struct tls_reader *r, const struct tls_party *p)
{
	return p->frames.done > 0 || (p->frames.header[0] == TLS_APPLICATION_DATA && p->frames.length > 1 &&
	    p->frames.header[2] == (tls_reader_is_1_3(r) ? TLS_1_2 & 0xff : r->version & 0xff));
}

/* Takes the header of the next record; false: it is not whole yet, or there is none. */
static bool
step_to_body(struct tls_reader *r, struct tls_party *p)
{
	switch (tls_frames_header(&p->frames, &r->fed)) {
	case TLS_FRAME_MORE:
		return false;
	case TLS_FRAME_HEADER:
		if (!p->seeking || is_sought(r, p))
			return true;
		p->opaque += tls_frames_shift(&p->frames, &r->fed);
		return false;
	case TLS_FRAME_BAD:
		if (p->seeking) {
			p->opaque += tls_frames_shift(&p->frames, &r->fed);
			return false;
		}
		r->not_tls += p->frames.header_len;
		p->over = true;
		tls_party_close(r, r->from);
		return false;
	}
	return false;
}

/* Looks at the next piece of what was fed; false: there is none. */
static bool
step(struct tls_reader *r)
{
	struct tls_party *p = &r->party[r->from];
	enum tls_content  type;
	struct view       body;
	int               whole;

	if (r->fed.len == 0)
		return false;
	if (p->over || p->lost) {
		*(p->over ? &r->not_tls : &p->opaque) += r->fed.len;
		r->fed = view_from(r->fed, r->fed.len);
		return true;
	}
	if (!step_to_body(r, p))
		return true;
	type = tls_frames_type(&p->frames);
	if (p->frames.done == 0)
		p->looked_into = is_looked_into(r, p, type);
	if (!p->looked_into) {
		note_sealed(r, p, type, tls_frames_skip(&p->frames, &r->fed));
	} else {
		whole = tls_frames_body(&p->frames, &r->fed, &body);
		if (whole == 1)
			read_record(r, r->from, body);
		else if (whole == -1)
			lose(r, r->from);
	}
	note_established(r);
	return true;
}

bool
tls_reader_next(struct tls_reader *r, enum tls_side *from, struct tls_news *news)
{
	struct tls_party *p = &r->party[r->from];

	while (!r->changed && r->data.len == 0 && r->not_tls == 0 && step(r))
		;
	*from = r->from;
	*news = (struct tls_news){.octets = VIEW_NONE};
	if (p->opaque > 0) {
		news->type = TLS_OPAQUE;
		news->count = p->opaque;
		p->opaque = 0;
		return true;
	}
	if (r->changed) {
		news->type = TLS_HELLO;
		r->changed = false;
		return true;
	}
	if (r->data.len > 0) {
		news->type = TLS_DATA;
		news->octets = r->data;
		r->data = VIEW_NONE;
		return true;
	}
	if (r->not_tls > 0) {
		news->type = TLS_NOT_TLS;
		news->count = r->not_tls;
		r->not_tls = 0;
		return true;
	}
	return false;
}
