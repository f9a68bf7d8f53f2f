/* SPDX-License-Identifier: MIT */
/*
 * What the messages of a handshake change: the facts, and from where on a side's records are
 * encrypted (RFC 5246 7.3, RFC 8446 2).
 */
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

/* In 1.3 all that either side sends behind the ServerHello is encrypted. */
static void
seal(struct tls_reader *r, enum tls_side side)
{
	r->party[side].sealed = true;
	tls_messages_clear(&r->party[side].messages);
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
	seal(r, TLS_SERVER);
	seal(r, TLS_CLIENT);
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

void
tls_handshake_read(struct tls_reader *r, enum tls_side from, struct view content)
{
	struct tls_party       *p = &r->party[from];
	uint32_t                wanted;
	enum tls_handshake_type type;
	struct view             message;

	wanted = from == TLS_CLIENT ? BIT(TLS_CLIENT_HELLO) : BIT(TLS_SERVER_HELLO) | BIT(TLS_CERTIFICATE);
	while (tls_messages_next(&p->messages, &content, wanted, &type, &message)) {
		bool sealed = p->sealed;

		switch (type) {
		case TLS_CLIENT_HELLO:
			client_hello(r, message);
			break;
		case TLS_SERVER_HELLO:
			server_hello(r, message);
			break;
		case TLS_CERTIFICATE:
			certificate(r, message);
			break;
		default:
			break;
		}
		/* No message goes on over a change of keys (RFC 8446 5.1). */
		if (p->sealed != sealed)
			return;
	}
}

void
tls_handshake_change_cipher(struct tls_reader *r, enum tls_side from)
{
	/* In 1.3 it means nothing (RFC 8446 D.4), and may stand in front of the ServerHello. */
	if (r->version == 0 || tls_reader_is_1_3(r))
		return;
	seal(r, from);
}
