/* SPDX-License-Identifier: MIT */
/*
 * One record opened. Who reads along is nobody's oracle: a wrong tag, MAC or padding means
 * that these are not the keys, and nothing is said about which it was.
 */
#include "decoders/tls/decrypt.h"

#include <openssl/crypto.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "decoders/tls/hello.h"
#include "decoders/tls/record.h"

#define NONCE  12u
#define AAD    13u      /* sequence number, type, version, length (RFC 5246 6.2.3.3) */
#define HEADER 5u

struct tls_opener {
	const struct tls_bulk *bulk;
	const struct tls_hash *hash;    /* of the MAC, with CBC */
	EVP_CIPHER            *cipher;
	EVP_CIPHER_CTX        *ctx;
	EVP_MAC               *mac;
	EVP_MAC_CTX           *mac_ctx;
	uint64_t               sequence;
	uint16_t               version;
	bool                   encrypt_then_mac;
	struct tls_keys        keys;
};

static bool
mac_new(struct tls_opener *o)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t)o->hash->name, 0),
		OSSL_PARAM_construct_end()
	};

	return (o->mac = EVP_MAC_fetch(NULL, "HMAC", NULL)) != NULL && (o->mac_ctx = EVP_MAC_CTX_new(o->mac)) != NULL &&
	    EVP_MAC_init(o->mac_ctx, o->keys.mac, o->hash->octets, params) == 1;
}

static bool
cipher_new(struct tls_opener *o)
{
	if ((o->cipher = EVP_CIPHER_fetch(NULL, o->bulk->name, NULL)) == NULL ||
	    (o->ctx = EVP_CIPHER_CTX_new()) == NULL || EVP_DecryptInit_ex(o->ctx, o->cipher, NULL, NULL, NULL) != 1)
		return false;
	if (o->bulk->way == TLS_CBC)
		return EVP_CIPHER_CTX_set_padding(o->ctx, 0) == 1 &&
		    EVP_DecryptInit_ex(o->ctx, NULL, NULL, o->keys.key, NULL) == 1;
	/* CCM has to know both lengths before its key. */
	return EVP_CIPHER_CTX_ctrl(o->ctx, EVP_CTRL_AEAD_SET_IVLEN, NONCE, NULL) == 1 &&
	    (o->bulk->way != TLS_AEAD_CCM ||
	    EVP_CIPHER_CTX_ctrl(o->ctx, EVP_CTRL_AEAD_SET_TAG, o->bulk->tag, NULL) == 1) &&
	    EVP_DecryptInit_ex(o->ctx, NULL, NULL, o->keys.key, NULL) == 1;
}

struct tls_opener *
tls_opener_new(const struct tls_suite *suite, uint16_t version, bool encrypt_then_mac, const struct tls_keys *keys)
{
	struct tls_opener *o;
	bool               done;

	if (suite->bulk == TLS_BULK_NONE || (o = calloc(1, sizeof *o)) == NULL)
		return NULL;
	o->bulk = &tls_bulks[suite->bulk];
	o->hash = &tls_hashes[suite->hash];
	o->version = version;
	o->encrypt_then_mac = encrypt_then_mac;
	o->keys = *keys;
	ERR_set_mark();
	done = cipher_new(o) && (o->bulk->way != TLS_CBC || mac_new(o));
	ERR_pop_to_mark();
	if (done)
		return o;
	tls_opener_free(o);
	return NULL;
}

void
tls_opener_free(struct tls_opener *o)
{
	if (o == NULL)
		return;
	EVP_MAC_CTX_free(o->mac_ctx);
	EVP_MAC_free(o->mac);
	EVP_CIPHER_CTX_free(o->ctx);
	EVP_CIPHER_free(o->cipher);
	OPENSSL_cleanse(o, sizeof *o);
	free(o);
}

static void
put_sequence(uint64_t sequence, unsigned char *octets)
{
	for (int i = 7; i >= 0; i--, sequence >>= 8)
		octets[i] = (unsigned char)sequence;
}

/* The additional data up to 1.2, and the front of what is under the MAC. */
static void
put_aad(const struct tls_opener *o, const unsigned char *header, size_t len, unsigned char *aad)
{
	put_sequence(o->sequence, aad);
	memcpy(aad + 8, header, 3);
	aad[11] = (unsigned char)(len >> 8);
	aad[12] = (unsigned char)len;
}

/* Ciphertext and tag against nonce and additional data. */
static bool
open_aead(struct tls_opener *o, const unsigned char *nonce, struct view aad, struct view sealed, char *room)
{
	int         tag = o->bulk->tag, len = 0, end = 0, text = (int)sealed.len - tag;
	const void *in = sealed.at;
	bool        ccm = o->bulk->way == TLS_AEAD_CCM;

	/* CCM wants the tag before, and how much text there will be; it then says at once whether it is right. */
	return EVP_CIPHER_CTX_ctrl(o->ctx, EVP_CTRL_AEAD_SET_TAG, tag, (void *)(uintptr_t)(sealed.at + text)) == 1 &&
	    EVP_DecryptInit_ex(o->ctx, NULL, NULL, NULL, nonce) == 1 &&
	    (!ccm || EVP_DecryptUpdate(o->ctx, NULL, &len, NULL, text) == 1) &&
	    EVP_DecryptUpdate(o->ctx, NULL, &len, (const unsigned char *)aad.at, (int)aad.len) == 1 &&
	    EVP_DecryptUpdate(o->ctx, (unsigned char *)room, &len, in, text) == 1 && len == text &&
	    (ccm || EVP_DecryptFinal_ex(o->ctx, (unsigned char *)room + len, &end) == 1);
}

/* RFC 8446 5.2: what it is stands behind the content, before the padding. */
static bool
open_1_3(struct tls_opener *o, const unsigned char *header, struct view body, char *room, uint8_t *type,
    struct view *content)
{
	unsigned char nonce[NONCE], sequence[8];
	size_t        len;

	if (body.len <= o->bulk->tag)
		return false;
	put_sequence(o->sequence, sequence);
	memcpy(nonce, o->keys.iv, sizeof nonce);
	for (size_t i = 0; i < sizeof sequence; i++)
		nonce[NONCE - sizeof sequence + i] ^= sequence[i];
	if (!open_aead(o, nonce, (struct view){(const char *)header, HEADER}, body, room))
		return false;
	for (len = body.len - o->bulk->tag; len > 0 && room[len - 1] == 0;)
		len--;
	if (len == 0)
		return false;
	*type = (uint8_t)room[len - 1];
	*content = (struct view){room, len - 1};
	return true;
}

/* RFC 5288 3, RFC 6655 3: half of the nonce is in the record; RFC 7905 2: none of it is. */
static bool
open_1_2(struct tls_opener *o, const unsigned char *header, struct view body, char *room, struct view *content)
{
	unsigned char nonce[NONCE], aad[AAD], sequence[8];
	size_t        in_record = NONCE - o->bulk->iv;

	if (body.len < in_record + o->bulk->tag)
		return false;
	memcpy(nonce, o->keys.iv, o->bulk->iv);
	memcpy(nonce + o->bulk->iv, body.at, in_record);
	if (in_record == 0) {
		put_sequence(o->sequence, sequence);
		for (size_t i = 0; i < sizeof sequence; i++)
			nonce[NONCE - sizeof sequence + i] ^= sequence[i];
	}
	put_aad(o, header, body.len - in_record - o->bulk->tag, aad);
	*content = (struct view){room, body.len - in_record - o->bulk->tag};
	return open_aead(o, nonce, (struct view){(const char *)aad, sizeof aad}, view_from(body, in_record), room);
}

/* Whether the MAC over the additional data and the octets is this one. */
static bool
mac_is(struct tls_opener *o, const unsigned char *aad, struct view octets, const char *mac)
{
	unsigned char computed[EVP_MAX_MD_SIZE];
	size_t        len;

	return EVP_MAC_init(o->mac_ctx, o->keys.mac, o->hash->octets, NULL) == 1 &&
	    EVP_MAC_update(o->mac_ctx, aad, AAD) == 1 &&
	    EVP_MAC_update(o->mac_ctx, (const unsigned char *)octets.at, octets.len) == 1 &&
	    EVP_MAC_final(o->mac_ctx, computed, &len, sizeof computed) == 1 && len == o->hash->octets &&
	    CRYPTO_memcmp(computed, mac, len) == 0;
}

/* Takes the padding off: each of its octets, and the one behind them, says how many they are. */
static bool
strip_padding(struct view *text)
{
	size_t padding;

	if (text->len == 0)
		return false;
	padding = (unsigned char)text->at[text->len - 1];
	if (padding + 1 > text->len)
		return false;
	for (size_t i = text->len - 1 - padding; i < text->len; i++)
		if ((unsigned char)text->at[i] != padding)
			return false;
	text->len -= padding + 1;
	return true;
}

/* CBC: blocks behind an IV that is in the record (from 1.1 on), or was the end of the last one. */
static bool
open_cbc(struct tls_opener *o, const unsigned char *header, struct view body, char *room, struct view *content)
{
	size_t        mac = o->hash->octets, block = o->bulk->iv;
	unsigned char aad[AAD], iv[16];
	struct view   text = body;
	int           len = 0;

	if (o->encrypt_then_mac) {
		if (body.len < mac)
			return false;
		text.len -= mac;
		put_aad(o, header, text.len, aad);
		if (!mac_is(o, aad, text, text.at + text.len))
			return false;
	}
	memcpy(iv, o->keys.iv, block);
	if (o->version > TLS_1_0) {
		if (text.len < block)
			return false;
		memcpy(iv, text.at, block);
		text = view_from(text, block);
	}
	if (text.len == 0 || text.len % block != 0)
		return false;
	if (EVP_DecryptInit_ex(o->ctx, NULL, NULL, NULL, iv) != 1 ||
	    EVP_DecryptUpdate(o->ctx, (unsigned char *)room, &len, (const unsigned char *)text.at, (int)text.len) != 1)
		return false;
	*content = (struct view){room, (size_t)len};
	if (!strip_padding(content))
		return false;
	if (!o->encrypt_then_mac) {
		if (content->len < mac)
			return false;
		content->len -= mac;
		put_aad(o, header, content->len, aad);
		if (!mac_is(o, aad, *content, content->at + content->len))
			return false;
	}
	if (o->version <= TLS_1_0)
		memcpy(o->keys.iv, text.at + text.len - block, block);
	return true;
}

static bool
open_record(struct tls_opener *o, const unsigned char *header, struct view body, char *room, uint8_t *type,
    struct view *content)
{
	*type = header[0];
	if (o->bulk->way == TLS_CBC)
		return open_cbc(o, header, body, room, content);
	if (o->version >= TLS_1_3)
		return open_1_3(o, header, body, room, type, content);
	return open_1_2(o, header, body, room, content);
}

bool
tls_opener_open(struct tls_opener *o, unsigned missing, const unsigned char *header, struct view body, char *room,
    uint8_t *type, struct view *content)
{
	uint64_t next = o->sequence;
	bool     opened = false;

	ERR_set_mark();
	while (!opened && o->sequence <= next + missing) {
		opened = open_record(o, header, body, room, type, content);
		o->sequence++;
	}
	ERR_pop_to_mark();
	if (!opened)
		o->sequence = next;
	return opened;
}
