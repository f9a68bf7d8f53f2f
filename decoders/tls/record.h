/* SPDX-License-Identifier: MIT */
/*
 * The two layers of pieces in TLS: records out of what a side sent (RFC 8446 5.1), and
 * handshake messages out of records (RFC 8446 4). Both are cut anywhere. What lies whole in
 * the octets offered is handed on from there; only what came in pieces is copied.
 */
#ifndef DECODERS_TLS_RECORD_H
#define DECODERS_TLS_RECORD_H

#include <stdint.h>

#include "decoders/view.h"

#define TLS_RECORD_MAX  (16384u + 2048u)        /* RFC 5246 6.2.3; RFC 8446 allows less */
#define TLS_MESSAGE_MAX (128u * 1024)           /* a longer one is stepped over */

enum tls_content {
	TLS_CHANGE_CIPHER_SPEC = 20, TLS_ALERT = 21, TLS_HANDSHAKE = 22, TLS_APPLICATION_DATA = 23,
	TLS_HEARTBEAT = 24      /* RFC 6520 */
};

enum tls_handshake_type {
	TLS_CLIENT_HELLO = 1, TLS_SERVER_HELLO = 2, TLS_ENCRYPTED_EXTENSIONS = 8, TLS_CERTIFICATE = 11,
	TLS_FINISHED = 20, TLS_KEY_UPDATE = 24
};

/* Octets that came in pieces, as long as they are needed. */
struct tls_held {
	char  *octets;          /* owned; NULL: none */
	size_t len, room;
};

/* Where a side is in its records. All zero: at the start of one. */
struct tls_frames {
	unsigned char   header[5];
	uint8_t         header_len;     /* octets of it that are there */
	uint16_t        length;         /* of the body, once the header is whole */
	uint16_t        done;           /* octets of the body that were taken */
	struct tls_held held;
};

enum tls_framing {
	TLS_FRAME_MORE,         /* the octets end inside a header */
	TLS_FRAME_HEADER,       /* the header is whole: take the body, or skip it */
	TLS_FRAME_BAD           /* no record begins so; header_len octets of it were taken before */
};

/* Takes the header of the next record off the octets, or what is there of it. */
enum tls_framing tls_frames_header(struct tls_frames *frames, struct view *octets);
/*
 * Takes the body behind a whole header: 1 if it is whole (*body borrows from octets or from
 * frames, until the next call), 0 if more is needed, -1 if there is no memory for it.
 */
int tls_frames_body(struct tls_frames *frames, struct view *octets, struct view *body);
/* Steps over the body as far as it is there; returns how many octets of it were. */
size_t tls_frames_skip(struct tls_frames *frames, struct view *octets);
/*
 * Behind a gap: what was taken of a header is none. Drops octets of it, or the first of octets,
 * until what is left may begin one; returns how many.
 */
size_t tls_frames_shift(struct tls_frames *frames, struct view *octets);
void tls_frames_clear(struct tls_frames *frames);

static inline enum tls_content
tls_frames_type(const struct tls_frames *frames)
{
	return frames->header[0];
}

/* Where a side is in its handshake messages. All zero: at the start of one. */
struct tls_messages {
	unsigned char   header[4];
	uint8_t         header_len;
	bool            handed_out;     /* the last one was: the next call begins anew */
	uint32_t        length, done;
	struct tls_held held;
};

/*
 * Takes the next message that is wanted (bit 1 << type) off the content of handshake records;
 * the others, and those above TLS_MESSAGE_MAX, are stepped over. *body borrows as above.
 */
bool tls_messages_next(struct tls_messages *messages, struct view *octets, uint32_t wanted,
    enum tls_handshake_type *type, struct view *body);
void tls_messages_clear(struct tls_messages *messages);

#endif
