/* SPDX-License-Identifier: MIT */
/*
 * What the messages of a handshake change: the facts, and from where on a side's records are
 * encrypted (RFC 5246 7.3, RFC 8446 2).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "decoders/tls/state.h"

#define BIT(type) (UINT32_C(1) << (type))

/* Keeps a copy of the octets in place of what was known; none is known where there is no memory. */
static void
keep(struct tls_reader *r, struct view *fact, struct view octets)
{
	char *copy;

	if (octets.at == NULL ? fact->at == NULL : fact->at != NULL && view_equal(*fact, octets))
		return;
	free((char *)(uintptr_t)fact->at);
	*fact = VIEW_NONE;
	r->changed = true;
	if (octets.at == NULL)
		return;
	copy = malloc(octets.len + 1);
	if (copy == NULL)
		return;
	memcpy(copy, octets.at, octets.len);
	fact->at = copy;
	fact->len = octets.len;
}

static void
client_hello(struct tls_reader *r, struct view message)
{
	struct tls_hello hello;

	if (!tls_client_hello_parse(message, &hello))
		return;
	memcpy(r->client_random, hello.random.at, sizeof r->client_random);
	r->have_client_random = true;
	for (unsigned which = TLS_MASTER_SECRET; which <= TLS_SERVER_TRAFFIC_SECRET; which++)
		r->facts.known = r->facts.known || tls_keylog_find(r->log,
		    (struct view){(const char *)r->client_random, sizeof r->client_random}, which).at != NULL;
	r->party[TLS_CLIENT].early = hello.early_data;
	keep(r, &r->facts.sni, hello.sni);
	keep(r, &r->facts.alpn, hello.alpn);
	r->changed = true;
}

static void
agree_on_cipher(struct tls_reader *r, uint16_t number)
{
	char text[8];

	r->suite = tls_suite_find(number);
	if (r->suite != NULL) {
		keep(r, &r->facts.cipher, view_of(r->suite->name));
		return;
	}
	snprintf(text, sizeof text, "0x%04X", number);
	keep(r, &r->facts.cipher, view_of(text));
}

void
tls_party_close(struct tls_reader *r, enum tls_side side)
{
	struct tls_party *p = &r->party[side];
	bool decrypting;

	tls_opener_free(p->opener);
	p->opener = NULL;
	OPENSSL_cleanse(p->secret, sizeof p->secret);
	p->secret_len = 0;
	p->opened = false;
	decrypting = r->party[!side].opened;
	r->changed = r->changed || decrypting != r->facts.decrypting;
	r->facts.decrypting = decrypting;
}

/* What this side sends from here on is encrypted: with these keys, where they are known. */
static void
seal(struct tls_reader *r, enum tls_side side, const struct tls_keys *keys)
{
	struct tls_party *p = &r->party[side];

	p->sealed = true;
	tls_messages_clear(&p->messages);
	tls_opener_free(p->opener);
	p->opener = NULL;
	if (keys != NULL && r->room == NULL)
		r->room = malloc(TLS_RECORD_MAX);
	if (keys != NULL && r->room != NULL)
		p->opener = tls_opener_new(r->suite, r->version, r->encrypt_then_mac, keys);
	if (p->opener == NULL)
		tls_party_close(r, side);
}

static struct view
client_random(const struct tls_reader *r)
{
	return (struct view){(const char *)r->client_random, r->have_client_random ? sizeof r->client_random : 0};
}

/* 1.3: by a traffic secret. It is kept for the next ones, but for that of the handshake. */
static void
seal_by_traffic(struct tls_reader *r, enum tls_side side, struct view secret)
{
	struct tls_keys keys = {.key = {0}};

	if (secret.at != NULL && r->suite != NULL && tls_keys_from_traffic(r->suite, secret, &keys))
		seal(r, side, &keys);
	else
		seal(r, side, NULL);
	OPENSSL_cleanse(&keys, sizeof keys);
}

static void
seal_by_handshake(struct tls_reader *r, enum tls_side side)
{
	r->party[side].in_application = false;
	seal_by_traffic(r, side, tls_keylog_find(r->log, client_random(r),
	    side == TLS_CLIENT ? TLS_CLIENT_HANDSHAKE_SECRET : TLS_SERVER_HANDSHAKE_SECRET));
}

static void
seal_by_application(struct tls_reader *r, enum tls_side side)
{
	struct tls_party *p = &r->party[side];
	struct view secret = tls_keylog_find(r->log, client_random(r),
	    side == TLS_CLIENT ? TLS_CLIENT_TRAFFIC_SECRET : TLS_SERVER_TRAFFIC_SECRET);

	p->in_application = true;
	if (secret.at != NULL) {
		memcpy(p->secret, secret.at, secret.len);
		p->secret_len = (uint8_t)secret.len;
	}
	seal_by_traffic(r, side, secret);
}

/* RFC 8446 4.6.3: what this side sends behind its KeyUpdate has the next key. */
static void
update_key(struct tls_reader *r, enum tls_side side)
{
	struct tls_party *p = &r->party[side];

	if (r->suite == NULL || !tls_traffic_update(r->suite, p->secret, p->secret_len))
		tls_party_close(r, side);
	else
		seal_by_traffic(r, side, (struct view){(const char *)p->secret, p->secret_len});
}

/* Up to 1.2: by the master secret. */
static void
seal_by_master(struct tls_reader *r, enum tls_side side)
{
	struct view     master = tls_keylog_find(r->log, client_random(r), TLS_MASTER_SECRET);
	struct view     server_random = {(const char *)r->server_random, sizeof r->server_random};
	struct tls_keys keys = {.key = {0}};

	if (master.at != NULL && r->suite != NULL && r->version >= TLS_1_0 &&
	    tls_keys_from_master(r->suite, r->version, master, client_random(r), server_random, side, &keys))
		seal(r, side, &keys);
	else
		seal(r, side, NULL);
	OPENSSL_cleanse(&keys, sizeof keys);
}

static void
server_hello(struct tls_reader *r, struct view message)
{
	struct tls_hello hello;

	if (!tls_server_hello_parse(message, &hello))
		return;
	memcpy(r->server_random, hello.random.at, sizeof r->server_random);
	r->version = hello.version;
	r->encrypt_then_mac = hello.encrypt_then_mac;
	r->facts.version = tls_version_name(hello.version);
	agree_on_cipher(r, hello.cipher);
	r->changed = true;
	if (hello.retry)
		return;
	/* In 1.3 the server says it behind this, encrypted: the client's first offer stands until then. */
	if (!tls_reader_is_1_3(r)) {
		keep(r, &r->facts.alpn, hello.alpn);
		return;
	}
	seal_by_handshake(r, TLS_SERVER);
	seal_by_handshake(r, TLS_CLIENT);
}

static void
certificate(struct tls_reader *r, struct view message)
{
	char *subject, *issuer;

	if (!tls_certificate_names(tls_first_certificate(message, tls_reader_is_1_3(r)), &subject, &issuer))
		return;
	free((char *)(uintptr_t)r->facts.subject.at);
	free((char *)(uintptr_t)r->facts.issuer.at);
	r->facts.subject = view_of(subject);
	r->facts.issuer = view_of(issuer);
	r->changed = true;
}

/* Its Finished. True: in 1.3 the first one ends the keys of the handshake. */
static bool
finished(struct tls_reader *r, enum tls_side from)
{
	r->party[from].up = true;
	if (!tls_reader_is_1_3(r) || r->party[from].in_application)
		return false;
	seal_by_application(r, from);
	return true;
}

/* What one message changes. True: the keys, and no message goes on over that (RFC 8446 5.1). */
static bool
read_message(struct tls_reader *r, enum tls_side from, enum tls_handshake_type type, struct view message)
{
	switch (type) {
	case TLS_CLIENT_HELLO:
		client_hello(r, message);
		return false;
	case TLS_SERVER_HELLO:
		server_hello(r, message);
		return tls_reader_is_1_3(r) && r->party[from].sealed;
	case TLS_ENCRYPTED_EXTENSIONS:
		keep(r, &r->facts.alpn, tls_encrypted_extensions_alpn(message));
		return false;
	case TLS_CERTIFICATE:
		certificate(r, message);
		return false;
	case TLS_FINISHED:
		return finished(r, from);
	case TLS_KEY_UPDATE:
		if (!r->party[from].in_application)
			return false;
		update_key(r, from);
		return true;
	default:
		return false;
	}
}

/* The messages that tell something: in the clear the hellos and the certificate of 1.2. */
static uint32_t
wanted_messages(const struct tls_reader *r, enum tls_side from)
{
	uint32_t wanted = from == TLS_CLIENT ? BIT(TLS_CLIENT_HELLO) : BIT(TLS_SERVER_HELLO) | BIT(TLS_CERTIFICATE);

	if (r->party[from].opener == NULL)
		return wanted;
	wanted |= BIT(TLS_FINISHED);
	if (!tls_reader_is_1_3(r))
		return wanted;
	/* A hello under encryption would begin a renegotiation, which 1.3 has not. */
	wanted &= ~(BIT(TLS_CLIENT_HELLO) | BIT(TLS_SERVER_HELLO));
	return wanted | BIT(TLS_KEY_UPDATE) | (from == TLS_SERVER ? BIT(TLS_ENCRYPTED_EXTENSIONS) : 0);
}

void
tls_handshake_read(struct tls_reader *r, enum tls_side from, struct view content)
{
	enum tls_handshake_type type;
	struct view             message;

	while (tls_messages_next(&r->party[from].messages, &content, wanted_messages(r, from), &type, &message))
		if (read_message(r, from, type, message))
			return;
}

void
tls_handshake_change_cipher(struct tls_reader *r, enum tls_side from)
{
	/* In 1.3 it means nothing (RFC 8446 D.4), and may stand in front of the ServerHello. */
	if (r->version == 0 || tls_reader_is_1_3(r))
		return;
	seal_by_master(r, from);
}
