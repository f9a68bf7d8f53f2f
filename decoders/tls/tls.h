/* SPDX-License-Identifier: MIT */
/*
 * A TLS connection that is read along: what the hellos say, and, where a key log has its
 * secrets, what was sent in it (RFC 5246, RFC 8446; key log as NSS writes it, RFC 9850).
 * OpenSSL's EVP does the cryptography; nothing here touches a socket or a file.
 */
#ifndef DECODERS_TLS_TLS_H
#define DECODERS_TLS_TLS_H

#include <stdint.h>

#include "decoders/view.h"

struct tls_keylog;      /* the lines of a key log, by client random */
struct tls_reader;      /* one connection */

/* NULL: no memory. */
struct tls_keylog *tls_keylog_new(void);
/*
 * Takes whole lines of a key log file (the last may lack its line end). *bad (may be NULL) is
 * set to the number of those that are none; comments, and labels not known here, are well.
 */
void tls_keylog_add(struct tls_keylog *log, struct view lines, size_t *bad);
size_t tls_keylog_count(const struct tls_keylog *log);     /* secrets in it */
void tls_keylog_free(struct tls_keylog *log);

enum tls_side { TLS_CLIENT, TLS_SERVER };

/* What is known so far. Texts are the reader's; .at NULL: not known (yet). */
struct tls_facts {
	struct view sni;
	struct view alpn;               /* what the server chose; the client's first where that is not known */
	struct view version;            /* "TLSv1.3", as OpenSSL says it */
	struct view cipher;             /* "TLS_AES_256_GCM_SHA384", the IANA name; "0x5A5A" without one */
	struct view subject, issuer;    /* of the server's certificate, where it was readable: RFC 4514, UTF-8 */
	bool        established;        /* both have sent application data or Finished, as far as one can see */
	bool        known;              /* the key log has this connection: told by its ClientHello */
	bool        decrypting;         /* at least one side is, by the secrets of the key log */
	bool        closed[2];          /* close_notify, by enum tls_side */
	bool        alerted;
	uint8_t     alert;              /* the last fatal alert, where alerted */
	enum tls_side alert_from;
};

enum tls_news_type {
	TLS_DATA,               /* application data: octets, decrypted */
	TLS_HELLO,              /* the facts are new: a hello, a certificate, an alert, established, ... */
	TLS_OPAQUE,             /* count octets of application data that could not be decrypted, as encrypted */
	TLS_NOT_TLS             /* count octets that are no TLS record: reading ends here for this side */
};

struct tls_news {
	enum tls_news_type type;
	struct view        octets;      /* DATA: until the next call for this reader */
	uint64_t           count;
};

/* Borrows the key log (may be NULL), which must outlive it and may grow. NULL: no memory. */
struct tls_reader *tls_reader_new(const struct tls_keylog *log);
void tls_reader_free(struct tls_reader *reader);

/* The next octets of a side, cut anywhere. Borrowed: call tls_reader_next until it says false. */
void tls_reader_feed(struct tls_reader *reader, enum tls_side from, struct view octets);
/*
 * So many octets are missing (call tls_reader_next here, too). What follows is opaque: to the
 * end, or, where decryption was under way, to the next record that can be opened.
 */
void tls_reader_gap(struct tls_reader *reader, enum tls_side from, uint64_t count);
bool tls_reader_next(struct tls_reader *reader, enum tls_side *from, struct tls_news *news);

const struct tls_facts *tls_reader_facts(const struct tls_reader *reader);
/* "unknown_ca" for 48; "" for a number that has no name. */
const char *tls_alert_name(uint8_t alert);

#endif
