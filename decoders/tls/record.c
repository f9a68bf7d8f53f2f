/* SPDX-License-Identifier: MIT */
/*
 * Pieces of TLS put together: records, and the handshake messages in them. Apart from what
 * they mean, because whoever sends them decides how they are cut.
 */
#include "decoders/tls/record.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "decoders/tls/tls.h"

static void
held_free(struct tls_held *held)
{
	/* May have been decrypted. */
	if (held->octets != NULL)
		OPENSSL_cleanse(held->octets, held->len);
	free(held->octets);
	*held = (struct tls_held){NULL, 0, 0};
}

/* Adds octets; room grows by doubling up to max, so that a length alone costs nothing. */
static bool
held_add(struct tls_held *held, struct view octets, size_t max)
{
	size_t room = held->room > 0 ? held->room : 512;
	char  *wider;

	while (room < held->len + octets.len)
		room *= 2;
	if (room > max)
		room = max;
	if (room > held->room) {
		wider = realloc(held->octets, room);
		if (wider == NULL)
			return false;
		held->octets = wider;
		held->room = room;
	}
	if (octets.len > 0)
		memcpy(held->octets + held->len, octets.at, octets.len);
	held->len += octets.len;
	return true;
}

/* Whether the octet may stand there in a record's header. */
static bool
header_octet_is_possible(const unsigned char *header, unsigned at)
{
	unsigned length = (unsigned)header[3] << 8 | header[4];

	switch (at) {
	case 0:
		return header[0] >= TLS_CHANGE_CIPHER_SPEC && header[0] <= TLS_HEARTBEAT;
	case 1:
		return header[1] == 3;
	case 2:
		return header[2] <= 4;
	case 3:
		return (unsigned)header[3] << 8 <= TLS_RECORD_MAX;
	default:
		/* Empty ones are known of application data alone, sent against CBC attacks. */
		return length <= TLS_RECORD_MAX && (length > 0 || header[0] == TLS_APPLICATION_DATA);
	}
}

enum tls_framing
tls_frames_header(struct tls_frames *f, struct view *octets)
{
	if (f->header_len == sizeof f->header && f->done == f->length)
		tls_frames_clear(f);    /* the last one is through */
	while (f->header_len < sizeof f->header) {
		if (octets->len == 0)
			return TLS_FRAME_MORE;
		f->header[f->header_len] = (unsigned char)octets->at[0];
		if (!header_octet_is_possible(f->header, f->header_len))
			return TLS_FRAME_BAD;
		*octets = view_from(*octets, 1);
		if (++f->header_len == sizeof f->header) {
			f->length = (uint16_t)(f->header[3] << 8 | f->header[4]);
			f->done = 0;
			/* An empty body is through before anybody takes it: nothing needs it. */
			if (f->length == 0)
				f->header_len = 0;
		}
	}
	return TLS_FRAME_HEADER;
}

int
tls_frames_body(struct tls_frames *f, struct view *octets, struct view *body)
{
	struct view piece = view_first(*octets, (size_t)(f->length - f->done));

	*octets = view_from(*octets, piece.len);
	if (piece.len == f->length) {
		f->done = f->length;
		*body = piece;
		return 1;
	}
	if (!held_add(&f->held, piece, f->length))
		return -1;
	f->done = (uint16_t)(f->done + piece.len);
	*body = (struct view){f->held.octets, f->held.len};
	return f->done == f->length;
}

size_t
tls_frames_skip(struct tls_frames *f, struct view *octets)
{
	size_t n = view_first(*octets, (size_t)(f->length - f->done)).len;

	*octets = view_from(*octets, n);
	f->done = (uint16_t)(f->done + n);
	return n;
}

size_t
tls_frames_shift(struct tls_frames *f, struct view *octets)
{
	size_t dropped = 0;

	if (f->header_len == 0) {
		*octets = view_from(*octets, 1);
		return 1;
	}
	for (bool possible = false; !possible;) {
		dropped++;
		f->header_len--;
		memmove(f->header, f->header + 1, f->header_len);
		possible = true;
		for (unsigned at = 0; at < f->header_len; at++)
			possible = possible && header_octet_is_possible(f->header, at);
	}
	return dropped;
}

void
tls_frames_clear(struct tls_frames *f)
{
	held_free(&f->held);
	*f = (struct tls_frames){.header_len = 0};
}

/* Takes what is there of the message's header; whether it is whole. */
static bool
message_header(struct tls_messages *m, struct view *octets)
{
	while (m->header_len < sizeof m->header) {
		if (octets->len == 0)
			return false;
		m->header[m->header_len++] = (unsigned char)octets->at[0];
		*octets = view_from(*octets, 1);
	}
	m->length = (uint32_t)m->header[1] << 16 | (uint32_t)m->header[2] << 8 | m->header[3];
	return true;
}

bool
tls_messages_next(struct tls_messages *m, struct view *octets, uint32_t wanted, enum tls_handshake_type *type,
    struct view *body)
{
	for (;;) {
		bool        keep;
		struct view piece;

		if (m->handed_out)
			tls_messages_clear(m);
		if (!message_header(m, octets))
			return false;
		keep = m->header[0] < 32 && (wanted >> m->header[0] & 1) != 0 && m->length <= TLS_MESSAGE_MAX;
		piece = view_first(*octets, m->length - m->done);
		*octets = view_from(*octets, piece.len);
		m->done += (uint32_t)piece.len;
		m->handed_out = m->done == m->length;
		*type = m->header[0];
		if (keep && piece.len == m->length) {
			*body = piece;
			return true;
		}
		/* Without memory the message is lost, not the connection. */
		if (keep && !held_add(&m->held, piece, m->length))
			held_free(&m->held);
		if (keep && m->handed_out && m->held.len == m->length) {
			*body = (struct view){m->held.octets, m->held.len};
			return true;
		}
		if (!m->handed_out)
			return false;
	}
}

void
tls_messages_clear(struct tls_messages *m)
{
	held_free(&m->held);
	*m = (struct tls_messages){.header_len = 0};
}
