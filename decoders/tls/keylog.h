/* SPDX-License-Identifier: MIT */
/* What a key log knows of one connection; tls.h has the rest. */
#ifndef DECODERS_TLS_KEYLOG_H
#define DECODERS_TLS_KEYLOG_H

#include "decoders/tls/tls.h"

#define TLS_RANDOM_OCTETS 32u
#define TLS_MASTER_OCTETS 48u
#define TLS_SECRET_MAX    64u           /* of any hash's length */

enum tls_secret {
	TLS_MASTER_SECRET, TLS_CLIENT_HANDSHAKE_SECRET, TLS_SERVER_HANDSHAKE_SECRET, TLS_CLIENT_TRAFFIC_SECRET,
	TLS_SERVER_TRAFFIC_SECRET
};

/* The secret of the connection with this client random; .at NULL: none. Lasts until lines are added. */
struct view tls_keylog_find(const struct tls_keylog *log, struct view client_random, enum tls_secret which);

#endif
