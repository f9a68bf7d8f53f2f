/* SPDX-License-Identifier: MIT */
/*
 * A handshake that failed, in words: whose fault it was, and what the user may do. OpenSSL's own
 * reasons name its routines' troubles, an alert names nothing but a class; both are said, and what
 * they mostly mean to somebody who stands between a client and a server.
 */
#include <errno.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "decoders/tls/hello.h"
#include "decoders/tls/tls.h"
#include "proxy/intercept/intercept_state.h"

#define HINT_TRUST                                                                                             \
	"it does not trust the CA that signs for the server: --ca-cert names a CA that can be kept and made known to " \
	"the client (--make-ca makes one and says how)"
#define HINT_POLICY                                                                                            \
	"if the server's domain publishes TLSA records (DANE) or an MTA-STS policy, the client may insist on the "     \
	"server's own certificate: lift that policy for this client, or give the server's certificate with --cert "    \
	"and --key, or let TLS pass (--starttls pass)"
#define HINT_LEVEL                                                                                             \
	"OpenSSL's security level forbids it; @SECLEVEL=0 in the cipher list of --ciphers lowers the level"
#define HINT_VERSION "--tls-min and --tls-max say which versions a leg may speak (--tls-min 1.0: all)"
#define HINT_CIPHER  "--ciphers says what a leg offers; an old client may know RSA alone: give such a certificate with --cert"
#define HINT_PLAIN   "implicit TLS (smtps://) and STARTTLS (smtp://) are mistaken for each other, perhaps"
#define HINT_UPSTREAM_CA "--upstream-ca names the CA that signed it; --upstream-verify none only reports"
#define HINT_CERT_ASKED "the server wants the client's certificate, which cannot be passed on: give one with --client-cert"

/* What an alert of the peer says of itself. */
static const struct {
	uint8_t     alert;
	const char *meaning;
	const char *from_client, *from_server;  /* hints; NULL: none */
} alerts[] = {
	{40, "nothing that it could agree to: versions, ciphers, groups or certificates", HINT_CIPHER, HINT_CIPHER},
	{42, "the certificate is wrong, or not the one that it expects", HINT_POLICY, NULL},
	{43, "a certificate of a kind that it does not take", HINT_CIPHER, NULL},
	{45, "the certificate is not valid at this time", NULL, NULL},
	{46, "it does not take the certificate", HINT_TRUST "; " HINT_POLICY, NULL},
	{48, "it does not know the CA", HINT_TRUST, NULL},
	{49, "the certificate gives no access", NULL, NULL},
	{51, "a signature was wrong", NULL, NULL},
	{70, "it does not speak this version", HINT_VERSION, HINT_VERSION},
	{71, "ciphers that it thinks too weak", HINT_CIPHER, HINT_CIPHER},
	{112, "it has no such name", NULL, NULL},
	{116, "it wants a certificate", NULL, NULL},
	{120, "no protocol in common by ALPN", NULL, NULL}
};

/* What OpenSSL complains about, where its words need help. */
static const struct {
	int         reason;
	const char *words;              /* behind "the client " or "the server "; NULL: OpenSSL's */
	const char *hint;
} reasons[] = {
	{SSL_R_WRONG_VERSION_NUMBER, "sent what is no TLS", HINT_PLAIN},
	{SSL_R_HTTP_REQUEST, "sent HTTP, no TLS", NULL},
	{SSL_R_UNSUPPORTED_PROTOCOL, "offers no version that this leg may speak", HINT_VERSION},
	{SSL_R_VERSION_TOO_LOW, "offers only versions below what this leg may speak", HINT_VERSION},
	{SSL_R_NO_PROTOCOLS_AVAILABLE, "could be offered no version at all", HINT_VERSION},
	{SSL_R_LEGACY_SIGALG_DISALLOWED_OR_UNSUPPORTED,
	    "speaks only versions below TLS 1.2, which OpenSSL's security level forbids", HINT_VERSION},
	{SSL_R_NO_SHARED_CIPHER, "offers no cipher that fits this leg and its certificate", HINT_CIPHER},
	{SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, "does not know RFC 5746 (secure renegotiation)", NULL},
	{SSL_R_DH_KEY_TOO_SMALL, "uses a Diffie-Hellman group that is too small", HINT_LEVEL},
	{SSL_R_EE_KEY_TOO_SMALL, "has a certificate whose key is too small", HINT_LEVEL},
	{SSL_R_CA_KEY_TOO_SMALL, "has a certificate of a CA whose key is too small", HINT_LEVEL},
	{SSL_R_CA_MD_TOO_WEAK, "has a certificate signed with a digest that is too weak", HINT_LEVEL},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "showed no certificate", NULL}
};

static const char *
peer_name(const struct tls_conn *conn)
{
	return conn->server ? "client" : "server";
}

__attribute__((format(printf, 2, 3))) static void
say(struct tls_conn *conn, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	if (vasprintf(&conn->reason, format, list) < 0)
		abort();
	va_end(list);
}

static void
explain_alert(struct tls_conn *conn)
{
	const char *name = tls_alert_name(conn->alert), *meaning = NULL;

	for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++) {
		if (alerts[i].alert != conn->alert)
			continue;
		meaning = alerts[i].meaning;
		conn->hint = conn->server ? alerts[i].from_client : alerts[i].from_server;
	}
	/* Servers say all kinds of things where they miss a certificate. */
	if (!conn->server && conn->asked && SSL_get_certificate(conn->ssl) == NULL)
		conn->hint = HINT_CERT_ASKED;
	if (name[0] == '\0')
		say(conn, "the %s sent the alert %u, which is not known", peer_name(conn), conn->alert);
	else
		say(conn, "the %s sent the alert %s%s%s", peer_name(conn), name, meaning != NULL ? ": " : "",
		    meaning != NULL ? meaning : "");
}

static void
explain_error(struct tls_conn *conn, unsigned long error)
{
	const char *words = ERR_reason_error_string(error);
	int reason = ERR_GET_REASON(error);

	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		conn->hint = conn->server ? NULL : HINT_UPSTREAM_CA;
		say(conn, "the %s's certificate is refused: %s", peer_name(conn),
		    X509_verify_cert_error_string(conn->unverified));
		return;
	}
	for (size_t i = 0; ERR_GET_LIB(error) == ERR_LIB_SSL && i < sizeof reasons / sizeof *reasons; i++) {
		if (reasons[i].reason != reason)
			continue;
		conn->hint = reasons[i].hint;
		say(conn, "the %s %s", peer_name(conn), reasons[i].words);
		return;
	}
	say(conn, "TLS with the %s failed: %s", peer_name(conn), words != NULL ? words : "for no reason that OpenSSL names");
}

void
tls_conn_explain(struct tls_conn *conn, int error, int system)
{
	unsigned long first = ERR_peek_error();
	bool inside = !conn->established;
	bool ended = error == SSL_ERROR_ZERO_RETURN || (error == SSL_ERROR_SYSCALL && first == 0 && system == 0) ||
	    (error == SSL_ERROR_SSL && ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING);

	if (conn->reason != NULL)
		return;
	if (conn->alerted && conn->alert_from_peer) {
		explain_alert(conn);
		return;
	}
	if (!ended && !(error == SSL_ERROR_SYSCALL && first == 0)) {
		explain_error(conn, first);
		return;
	}
	if (ended)
		say(conn, "the %s closed the connection%s, with no alert", peer_name(conn),
		    inside ? " inside the handshake" : "");
	else
		say(conn, "the connection with the %s was lost%s: %s", peer_name(conn), inside ? " inside the handshake" : "",
		    strerror(system));
	/* A client that has seen a certificate and leaves without a word did not like it, mostly. */
	if (conn->server && inside && conn->hello)
		conn->hint = HINT_POLICY;
}

void
tls_conn_failure(const struct tls_conn *conn, struct tls_conn_failure *failure)
{
	*failure = (struct tls_conn_failure){.alert_from_peer = conn->alert_from_peer,
	    .reason = view_of(conn->reason != NULL ? conn->reason : "it was given up"), .hint = view_of(conn->hint)};
	if (conn->alerted)
		failure->alert = view_of(tls_alert_name(conn->alert));
}

/* Subject and issuer, by the same decoder that reads captures. */
static void
read_peer(struct tls_conn *conn)
{
	unsigned char *der = NULL;
	int len;

	if (conn->peer == NULL) {
		conn->peer = SSL_get1_peer_certificate(conn->ssl);
		if (conn->peer == NULL)
			return;
	}
	if (conn->subject != NULL)
		return;
	len = i2d_X509(conn->peer, &der);
	if (len > 0)
		tls_certificate_names((struct view){(const char *)der, (size_t)len}, &conn->subject, &conn->issuer);
	OPENSSL_free(der);
}

void
tls_conn_facts(struct tls_conn *conn, struct tls_conn_facts *facts)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(conn->ssl);
	const unsigned char *alpn;
	unsigned alpn_len;

	*facts = (struct tls_conn_facts){.asked = conn->asked};
	if (cipher != NULL) {
		facts->version = view_of(SSL_get_version(conn->ssl));
		facts->cipher = view_of(SSL_CIPHER_standard_name(cipher));
	}
	if (conn->sni_len > 0)
		facts->sni = (struct view){conn->sni, conn->sni_len};
	SSL_get0_alpn_selected(conn->ssl, &alpn, &alpn_len);
	if (alpn_len > 0)
		facts->alpn = (struct view){(const char *)alpn, alpn_len};
	read_peer(conn);
	facts->subject = view_of(conn->subject);
	facts->issuer = view_of(conn->issuer);
	if (conn->server || conn->peer == NULL)
		return;
	facts->verified = conn->unverified == X509_V_OK ? TLS_CONN_VERIFIED : TLS_CONN_NOT_VERIFIED;
	if (conn->unverified != X509_V_OK)
		facts->verify_error = view_of(X509_verify_cert_error_string(conn->unverified));
}
