/* SPDX-License-Identifier: MIT */
/* A reader of TLS from the inside: reader.c has its records, handshake.c what they agree on. */
#ifndef DECODERS_TLS_STATE_H
#define DECODERS_TLS_STATE_H

#include "decoders/tls/decrypt.h"
#include "decoders/tls/hello.h"
#include "decoders/tls/keylog.h"
#include "decoders/tls/record.h"
#include "decoders/tls/suites.h"

/* What one side has sent. */
struct tls_party {
	struct tls_frames   frames;
	struct tls_messages messages;
	struct tls_opener  *opener;     /* owned; NULL: what is sealed stays so */
	unsigned char       secret[TLS_SECRET_MAX];     /* 1.3: of application data, for the next key */
	uint8_t             secret_len;
	uint32_t            sealed_octets;      /* 1.3, not decrypted: as far as they matter for up */
	uint64_t            opaque;     /* octets that are not told yet */
	uint16_t            missing;    /* records, at most, of a gap behind which the next one is looked for */
	uint16_t            failures;   /* of what looked like one there */
	bool                seeking;    /* that is so now */
	bool                looked_into;        /* the present record is, and not stepped over */
	bool                sealed;     /* what it sends is encrypted by now */
	bool                opened;     /* some of it was decrypted */
	bool                in_application;     /* 1.3: by the keys of application data */
	bool                up;         /* it has sent its Finished, or application data */
	bool                lost;       /* octets are missing: where records begin is not known any more */
	bool                over;       /* what it sends is not TLS */
	bool                early;      /* the client offers early data (RFC 8446 4.2.10) */
};

struct tls_reader {
	const struct tls_keylog *log;   /* borrowed; may be NULL */
	struct tls_facts         facts;
	struct tls_party         party[2];      /* by enum tls_side */
	const struct tls_suite  *suite;         /* NULL: not known */
	uint16_t                 version;       /* 0: not agreed on yet */
	bool                     encrypt_then_mac;
	bool                     have_client_random;
	unsigned char            client_random[TLS_RANDOM_OCTETS], server_random[TLS_RANDOM_OCTETS];

	/* What was fed and is not looked at yet, and what is found and not told yet. */
	struct view              fed;
	enum tls_side            from;
	bool                     changed;       /* the facts */
	uint64_t                 not_tls;
	struct view              data;          /* in room */
	char                    *room;          /* owned, TLS_RECORD_MAX: what was decrypted; NULL: nothing yet */
};

static inline bool
tls_reader_is_1_3(const struct tls_reader *r)
{
	return r->version >= TLS_1_3;   /* the drafts' numbers are higher too */
}

/* From here on what this side has sealed stays so. */
void tls_party_close(struct tls_reader *reader, enum tls_side side);

/* The content of a handshake record. */
void tls_handshake_read(struct tls_reader *reader, enum tls_side from, struct view content);
/* ChangeCipherSpec: what this side sends from here on is encrypted (RFC 5246 7.1). */
void tls_handshake_change_cipher(struct tls_reader *reader, enum tls_side from);

#endif
