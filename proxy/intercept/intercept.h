/* SPDX-License-Identifier: MIT */
/*
 * TLS that the program itself speaks: the contexts of both legs, the CA, the certificates
 * minted by it and the key log, made once from the settings and shared by all workers. One
 * connection's TLS is conn.h.
 *
 * Towards the client there is no resumption, neither by tickets nor by session ids: each
 * handshake shows the certificate that is minted for the server behind it, and each leaves
 * secrets in the key log that open the whole connection. Towards the server none is asked for.
 */
#ifndef INTERCEPT_INTERCEPT_H
#define INTERCEPT_INTERCEPT_H

#include <stddef.h>

#include "decoders/view.h"
#include "proxy/intercept/conn.h"
#include "proxy/intercept/settings.h"

#define INTERCEPT_ERROR_MAX 1024

struct intercept;

/*
 * Reads certificates and keys, or makes the CA of this run; opens the key log. Copies the
 * settings, and borrows their texts until intercept_free. NULL: error says what is wrong with which file and how
 * it is mended; *usage tells whether the settings are to blame (exit code 2) or the system.
 *
 * The rest of this header may be called by several threads at once.
 */
struct intercept *intercept_new(const struct intercept_settings *settings, bool *usage,
    char error[static INTERCEPT_ERROR_MAX]);
/* All its connections must be gone. */
void intercept_free(struct intercept *intercept);

/* What is worth a line on standard error at start ("the CA is made for this run ..."); NULL behind the last. */
const char *intercept_note(const struct intercept *intercept, unsigned n);

/* How a client is made to trust the CA in this file: one line, malloc'd. */
char *intercept_trust_advice(const char *ca_cert);

/*
 * TLS in the client's role. host is whom we dialled (a name, or an address without brackets):
 * it is what the certificate must be for, and the SNI where it is a name. hello, of what the
 * client said to us where that is known by now (implicit TLS), goes before: its SNI and ALPN are
 * passed on; NULL: not known. NULL: out of memory.
 */
struct tls_conn *intercept_towards_server(const struct intercept *intercept, struct view host,
    const struct tls_conn *hello);

/*
 * TLS in the server's role. The certificate is given or minted (for the names of the server's
 * leaf certificate; without one, for the client's SNI; without that, for host), when the client's
 * hello has been read and tls_conn_serve was called. NULL: out of memory.
 */
struct tls_conn *intercept_towards_client(const struct intercept *intercept);

#endif
