/* SPDX-License-Identifier: MIT */
/*
 * Real TLS between two ends of OpenSSL's that share no socket: what passes between them is
 * kept as it was sent, with what was said in it, and the key log of the client.
 */
#ifndef TESTS_UNIT_TLS_TALK_H
#define TESTS_UNIT_TLS_TALK_H

#include <openssl/ssl.h>

#include "decoders/tls/tls.h"

struct tls_talk_setup {
	int         version;            /* TLS1_2_VERSION or so */
	const char *cipher;             /* OpenSSL's name; NULL: its choice */
	uint64_t    options;            /* SSL_OP_... of both ends */
	const char *client_groups, *server_groups;      /* NULL: OpenSSL's */
	size_t      padding;            /* 1.3: records are padded to a multiple of it; 0: they are not */
	const char *sni;                /* NULL: none */
	const char *alpn;               /* what both ends speak; NULL: none */
	const char *client_alpn;        /* what the client offers first, and the server does not speak */
	bool        client_certificate;
	bool        demand;             /* the server wants a certificate, and the client has none */
	bool        verify;             /* the client refuses the certificate, as it knows no CA */
	bool        early;              /* with resume: the client sends early data, which the server takes */
	bool        resume;             /* say something, part, and meet again: only the second time is kept */
};

struct tls_talk_piece {
	enum tls_side from;
	char         *octets;
	size_t        len;
};

struct tls_talk_text {
	char  *octets;
	size_t len;
};

struct tls_talk {
	SSL_CTX               *ctx[2];
	SSL                   *ssl[2];
	struct tls_talk_piece *pieces;  /* in the order in which they were sent */
	size_t                 count;
	struct tls_talk_text   said[2]; /* application data, by side */
	struct tls_talk_text   keylog;
};

/* Sets both ends up and shakes hands as far as they like each other. */
struct tls_talk *tls_talk_new(const struct tls_talk_setup *setup);
void tls_talk_free(struct tls_talk *talk);

void tls_talk_say(struct tls_talk *talk, enum tls_side from, const char *octets, size_t len);
/* Says so many octets that look random. */
void tls_talk_say_much(struct tls_talk *talk, enum tls_side from, size_t len);
/* SSL_shutdown, SSL_key_update and SSL_renegotiate of that side. */
void tls_talk_close(struct tls_talk *talk, enum tls_side from);
void tls_talk_update_key(struct tls_talk *talk, enum tls_side from, bool ask_the_other);
void tls_talk_renegotiate(struct tls_talk *talk);

/* The client's key log, or only the lines that begin with one of these labels (a space between two). */
struct tls_keylog *tls_talk_keylog(const struct tls_talk *talk, const char *labels);

/* What a reader made of it. */
struct tls_heard {
	struct tls_talk_text said[2];
	uint64_t             opaque[2], not_tls[2];
	unsigned             hellos;
};

/* Has the octets read; cut: in pieces of 1 to so many octets (0: as they were sent). */
void tls_heard_feed(struct tls_heard *heard, struct tls_reader *reader, enum tls_side from, const char *octets,
    size_t len, size_t cut);
/* Has all of the talk read, in the order in which it was sent. */
void tls_heard_talk(struct tls_heard *heard, struct tls_reader *reader, const struct tls_talk *talk, size_t cut);
void tls_heard_clear(struct tls_heard *heard);

/* Random numbers that are the same every time. */
uint32_t tls_talk_random(uint32_t *state);

#endif
