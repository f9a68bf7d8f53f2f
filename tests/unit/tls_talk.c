/* SPDX-License-Identifier: MIT */
/* Both ends of a TLS connection in one program, by memory BIOs. */
#include "tests/unit/tls_talk.h"

#include <check.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

static void
text_add(struct tls_talk_text *text, const char *octets, size_t len)
{
	text->octets = realloc(text->octets, text->len + len + 1);
	ck_assert_ptr_nonnull(text->octets);
	memcpy(text->octets + text->len, octets, len);
	text->len += len;
	text->octets[text->len] = '\0';
}

uint32_t
tls_talk_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void
keylog_line(const SSL *ssl, const char *line)
{
	struct tls_talk *talk = SSL_get_app_data(ssl);

	text_add(&talk->keylog, line, strlen(line));
	text_add(&talk->keylog, "\n", 1);
}

/* A certificate of its own hand, for a key made now: C=XX, O=Example, CN=mx.example.net. */
static void
certify(SSL_CTX *ctx)
{
	EVP_PKEY  *key = EVP_EC_gen("P-256");
	X509      *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate), *issuer;

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_NAME_add_entry_by_txt(subject, "C", MBSTRING_UTF8, (const unsigned char *)"XX", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Ex, \xc3\xa4mple", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)"mx.example.net", -1, -1, 0);
	issuer = X509_NAME_new();
	X509_NAME_add_entry_by_txt(issuer, "CN", MBSTRING_UTF8, (const unsigned char *)"Example CA", -1, -1, 0);
	X509_set_issuer_name(certificate, issuer);
	X509_NAME_free(issuer);
	X509_set_pubkey(certificate, key);
	ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
	ck_assert_int_eq(SSL_CTX_use_certificate(ctx, certificate), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static int
any_certificate_will_do(int preverified, X509_STORE_CTX *store)
{
	(void)preverified;
	(void)store;
	return 1;
}

static int
choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	const char *wanted = arg;

	(void)ssl;
	for (unsigned at = 0; at < in_len; at += 1 + in[at])
		if (in[at] == strlen(wanted) && memcmp(in + at + 1, wanted, in[at]) == 0) {
			*out = in + at + 1;
			*out_len = in[at];
			return SSL_TLSEXT_ERR_OK;
		}
	return SSL_TLSEXT_ERR_NOACK;
}

static void
offer_protocols(SSL *ssl, const struct tls_talk_setup *setup)
{
	const char   *names[] = {setup->client_alpn, setup->alpn};
	unsigned char list[200];
	unsigned      len = 0;

	for (size_t i = 0; i < 2; i++) {
		if (names[i] == NULL)
			continue;
		list[len++] = (unsigned char)strlen(names[i]);
		memcpy(list + len, names[i], strlen(names[i]));
		len += (unsigned)strlen(names[i]);
	}
	if (len > 0)
		ck_assert_int_eq(SSL_set_alpn_protos(ssl, list, len), 0);
}

static SSL_CTX *
ctx_new(const struct tls_talk_setup *setup, enum tls_side side)
{
	SSL_CTX    *ctx = SSL_CTX_new(side == TLS_CLIENT ? TLS_client_method() : TLS_server_method());
	const char *groups = side == TLS_CLIENT ? setup->client_groups : setup->server_groups;

	ck_assert_ptr_nonnull(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	ck_assert_int_eq(SSL_CTX_set_min_proto_version(ctx, setup->version), 1);
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(ctx, setup->version), 1);
	SSL_CTX_set_options(ctx, setup->options | SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
	if (setup->cipher != NULL && setup->version == TLS1_3_VERSION)
		ck_assert_int_eq(SSL_CTX_set_ciphersuites(ctx, setup->cipher), 1);
	else if (setup->cipher != NULL)
		ck_assert_int_eq(SSL_CTX_set_cipher_list(ctx, setup->cipher), 1);
	if (setup->padding > 0)
		ck_assert_int_eq(SSL_CTX_set_block_padding(ctx, setup->padding), 1);
	if (groups != NULL)
		ck_assert_int_eq(SSL_CTX_set1_groups_list(ctx, groups), 1);
	if (side == TLS_SERVER || setup->client_certificate)
		certify(ctx);
	if (side == TLS_CLIENT)
		SSL_CTX_set_keylog_callback(ctx, keylog_line);
	if (side == TLS_SERVER && (setup->client_certificate || setup->demand))
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_certificate_will_do);
	if (side == TLS_CLIENT && setup->verify)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (side == TLS_SERVER && setup->alpn != NULL)
		SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, (void *)(uintptr_t)setup->alpn);
	if (side == TLS_SERVER && setup->early)
		SSL_CTX_set_max_early_data(ctx, 1000);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"talk", 4);
	return ctx;
}

/* What a side has written goes to the other, and is kept. */
static bool
transfer(struct tls_talk *talk, enum tls_side from)
{
	char *octets;
	long  len = BIO_get_mem_data(SSL_get_wbio(talk->ssl[from]), &octets);

	if (len <= 0)
		return false;
	talk->pieces = realloc(talk->pieces, (talk->count + 1) * sizeof *talk->pieces);
	talk->pieces[talk->count] = (struct tls_talk_piece){from, malloc((size_t)len), (size_t)len};
	memcpy(talk->pieces[talk->count].octets, octets, (size_t)len);
	talk->count++;
	ck_assert_int_eq(BIO_write(SSL_get_rbio(talk->ssl[!from]), octets, (int)len), (int)len);
	(void)BIO_reset(SSL_get_wbio(talk->ssl[from]));
	return true;
}

/* Both read what came until nothing moves any more. */
static void
settle(struct tls_talk *talk)
{
	char room[20000];

	for (bool moved = true; moved;) {
		moved = transfer(talk, TLS_CLIENT);
		moved = transfer(talk, TLS_SERVER) || moved;
		for (int side = 0; side < 2; side++)
			while (SSL_is_init_finished(talk->ssl[side]) && SSL_read(talk->ssl[side], room, sizeof room) > 0)
				;
		ERR_clear_error();
	}
}

static void
shake_hands(struct tls_talk *talk)
{
	for (bool moved = true; moved;) {
		SSL_do_handshake(talk->ssl[TLS_CLIENT]);
		moved = transfer(talk, TLS_CLIENT);
		SSL_do_handshake(talk->ssl[TLS_SERVER]);
		moved = transfer(talk, TLS_SERVER) || moved;
	}
	ERR_clear_error();
	settle(talk);
}

/* The client speaks before it has shaken hands, and the server listens (RFC 8446 2.3). */
static void
say_early(struct tls_talk *talk)
{
	char   room[100];
	size_t len;

	ck_assert_int_eq(SSL_write_early_data(talk->ssl[TLS_CLIENT], "EHLO early.example", 18, &len), 1);
	transfer(talk, TLS_CLIENT);
	ck_assert_int_eq(SSL_read_early_data(talk->ssl[TLS_SERVER], room, sizeof room, &len),
	    SSL_READ_EARLY_DATA_SUCCESS);
	ck_assert_uint_eq(len, 18);
	transfer(talk, TLS_SERVER);
	SSL_do_handshake(talk->ssl[TLS_CLIENT]);
	transfer(talk, TLS_CLIENT);
	ck_assert_int_eq(SSL_read_early_data(talk->ssl[TLS_SERVER], room, sizeof room, &len),
	    SSL_READ_EARLY_DATA_FINISH);
}

static void
meet(struct tls_talk *talk, const struct tls_talk_setup *setup, SSL_SESSION *session)
{
	for (int side = 0; side < 2; side++) {
		talk->ssl[side] = SSL_new(talk->ctx[side]);
		SSL_set_app_data(talk->ssl[side], talk);
		SSL_set_bio(talk->ssl[side], BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	}
	SSL_set_connect_state(talk->ssl[TLS_CLIENT]);
	SSL_set_accept_state(talk->ssl[TLS_SERVER]);
	if (setup->sni != NULL)
		SSL_set_tlsext_host_name(talk->ssl[TLS_CLIENT], setup->sni);
	offer_protocols(talk->ssl[TLS_CLIENT], setup);
	if (session != NULL)
		ck_assert_int_eq(SSL_set_session(talk->ssl[TLS_CLIENT], session), 1);
	if (session != NULL && setup->early)
		say_early(talk);
	shake_hands(talk);
}

/* What was kept so far is forgotten. */
static void
forget(struct tls_talk *talk)
{
	for (size_t i = 0; i < talk->count; i++)
		free(talk->pieces[i].octets);
	free(talk->pieces);
	talk->pieces = NULL;
	talk->count = 0;
	for (int side = 0; side < 2; side++) {
		free(talk->said[side].octets);
		talk->said[side] = (struct tls_talk_text){NULL, 0};
	}
	free(talk->keylog.octets);
	talk->keylog = (struct tls_talk_text){NULL, 0};
}

struct tls_talk *
tls_talk_new(const struct tls_talk_setup *setup)
{
	struct tls_talk *talk = calloc(1, sizeof *talk);
	SSL_SESSION     *session;

	for (int side = 0; side < 2; side++)
		talk->ctx[side] = ctx_new(setup, side);
	meet(talk, setup, NULL);
	if (!setup->resume)
		return talk;
	tls_talk_say(talk, TLS_SERVER, "220 once\r\n", 10);
	session = SSL_get1_session(talk->ssl[TLS_CLIENT]);
	for (int side = 0; side < 2; side++) {
		SSL_set_quiet_shutdown(talk->ssl[side], 1);
		SSL_shutdown(talk->ssl[side]);
		SSL_free(talk->ssl[side]);
	}
	forget(talk);
	meet(talk, setup, session);
	ck_assert_int_eq(SSL_session_reused(talk->ssl[TLS_CLIENT]), 1);
	SSL_SESSION_free(session);
	return talk;
}

void
tls_talk_free(struct tls_talk *talk)
{
	forget(talk);
	for (int side = 0; side < 2; side++) {
		SSL_free(talk->ssl[side]);
		SSL_CTX_free(talk->ctx[side]);
	}
	free(talk);
}

void
tls_talk_say(struct tls_talk *talk, enum tls_side from, const char *octets, size_t len)
{
	ck_assert_int_eq(SSL_write(talk->ssl[from], octets, (int)len), (int)len);
	text_add(&talk->said[from], octets, len);
	settle(talk);
}

void
tls_talk_say_much(struct tls_talk *talk, enum tls_side from, size_t len)
{
	char    *octets = malloc(len);
	uint32_t state = 1 + (uint32_t)len;

	for (size_t i = 0; i < len; i++)
		octets[i] = (char)tls_talk_random(&state);
	tls_talk_say(talk, from, octets, len);
	free(octets);
}

void
tls_talk_close(struct tls_talk *talk, enum tls_side from)
{
	SSL_shutdown(talk->ssl[from]);
	settle(talk);
}

void
tls_talk_update_key(struct tls_talk *talk, enum tls_side from, bool ask_the_other)
{
	ck_assert_int_eq(SSL_key_update(talk->ssl[from],
	    ask_the_other ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
	ck_assert_int_eq(SSL_do_handshake(talk->ssl[from]), 1);
	settle(talk);
}

void
tls_talk_renegotiate(struct tls_talk *talk)
{
	char room[10];

	ck_assert_int_eq(SSL_renegotiate(talk->ssl[TLS_CLIENT]), 1);
	for (bool moved = true; moved;) {
		SSL_do_handshake(talk->ssl[TLS_CLIENT]);
		moved = transfer(talk, TLS_CLIENT);
		/* The server answers a ClientHello where it reads. */
		SSL_read(talk->ssl[TLS_SERVER], room, sizeof room);
		moved = transfer(talk, TLS_SERVER) || moved;
	}
	ERR_clear_error();
	ck_assert(SSL_is_init_finished(talk->ssl[TLS_CLIENT]) && SSL_num_renegotiations(talk->ssl[TLS_CLIENT]) == 1);
}

/* Whether the line's label is among them. */
static bool
is_wanted(const char *line, const char *labels)
{
	size_t len = strcspn(line, " ");

	for (const char *at = labels; *at != '\0'; at += strspn(at, " ")) {
		if (strcspn(at, " ") == len && memcmp(at, line, len) == 0)
			return true;
		at += strcspn(at, " ");
	}
	return false;
}

struct tls_keylog *
tls_talk_keylog(const struct tls_talk *talk, const char *labels)
{
	struct tls_keylog *log = tls_keylog_new();
	size_t             bad;

	for (size_t at = 0, len; at < talk->keylog.len; at += len) {
		const char *line = talk->keylog.octets + at;

		len = strcspn(line, "\n") + 1;
		if (labels != NULL && !is_wanted(line, labels))
			continue;
		tls_keylog_add(log, (struct view){line, len}, &bad);
		ck_assert_uint_eq(bad, 0);
	}
	return log;
}

void
tls_heard_feed(struct tls_heard *heard, struct tls_reader *reader, enum tls_side from, const char *octets,
    size_t len, size_t cut)
{
	static const size_t whole = SIZE_MAX;
	uint32_t state = 1 + (uint32_t)(len * 31 + cut);

	for (size_t at = 0; at < len;) {
		size_t          n = cut == 0 ? whole : 1 + tls_talk_random(&state) % cut;
		char           *copy;
		enum tls_side   side;
		struct tls_news news;

		if (n > len - at)
			n = len - at;
		/* Exactly as long, and gone afterwards: a sanitizer sees who keeps it, or looks behind it. */
		copy = malloc(n);
		memcpy(copy, octets + at, n);
		tls_reader_feed(reader, from, (struct view){copy, n});
		while (tls_reader_next(reader, &side, &news)) {
			ck_assert_int_eq(side, from);
			if (news.type == TLS_DATA) {
				ck_assert_uint_gt(news.octets.len, 0);
				text_add(&heard->said[side], news.octets.at, news.octets.len);
			} else if (news.type == TLS_OPAQUE) {
				ck_assert_uint_gt(news.count, 0);
				heard->opaque[side] += news.count;
			} else if (news.type == TLS_NOT_TLS) {
				ck_assert_uint_gt(news.count, 0);
				heard->not_tls[side] += news.count;
			} else {
				heard->hellos++;
			}
		}
		free(copy);
		at += n;
	}
}

void
tls_heard_talk(struct tls_heard *heard, struct tls_reader *reader, const struct tls_talk *talk, size_t cut)
{
	for (size_t i = 0; i < talk->count; i++)
		tls_heard_feed(heard, reader, talk->pieces[i].from, talk->pieces[i].octets, talk->pieces[i].len, cut);
}

void
tls_heard_clear(struct tls_heard *heard)
{
	free(heard->said[TLS_CLIENT].octets);
	free(heard->said[TLS_SERVER].octets);
	*heard = (struct tls_heard){.hellos = 0};
}
