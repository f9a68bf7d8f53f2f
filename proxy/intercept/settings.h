/* SPDX-License-Identifier: MIT */
/* What the command line says about TLS that the proxy itself speaks. Texts are the caller's. */
#ifndef INTERCEPT_SETTINGS_H
#define INTERCEPT_SETTINGS_H

#include <stdbool.h>

/* What makes the proxy refuse the server; what was found is told whatever this says. */
enum intercept_verify {
	INTERCEPT_VERIFY_NONE,          /* nothing */
	INTERCEPT_VERIFY_NAME,          /* a certificate for another name; who signed it does not matter */
	INTERCEPT_VERIFY_FULL           /* that, and one that no trusted CA signed, or that is not valid now */
};

/* A certificate that is wrong on purpose, in exactly one way. */
enum intercept_bad_cert {
	INTERCEPT_BAD_NONE, INTERCEPT_BAD_EXPIRED, INTERCEPT_BAD_SELF_SIGNED, INTERCEPT_BAD_WRONG_NAME,
	INTERCEPT_BAD_UNKNOWN_CA
};

struct intercept_leg_settings {
	int         min, max;           /* 0x0301 (1.0) to 0x0304 (1.3); 0: as the library has it */
	const char *ciphers;            /* an OpenSSL cipher list, names of TLS 1.3 suites in it; NULL: the library's */
};

struct intercept_settings {
	const char *ca_cert, *ca_key;   /* NULL: a CA for this run; ca_key NULL: it is in the file of ca_cert */
	const char *cert, *key;         /* given instead of minted; key NULL: it is in the file of cert */
	int         bad_cert;           /* enum intercept_bad_cert */
	int         verify;             /* enum intercept_verify */
	const char *upstream_ca;        /* a file or a directory; NULL: the system's */
	const char *client_cert, *client_key;   /* shown to a server that asks; key NULL: in the same file */
	const char *keylog;             /* both legs' secrets are appended; NULL: they are not */
	struct intercept_leg_settings legs[2];  /* towards the client, towards the server: enum smtp_side */
	const char *own_name;           /* not NULL: a server itself, no proxy: without cert a self-signed one of this name */
};

/* The first option that was given and is about TLS that the proxy speaks itself; NULL: none. */
const char *intercept_settings_given(const struct intercept_settings *settings);

#endif
