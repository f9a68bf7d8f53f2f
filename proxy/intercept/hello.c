/* SPDX-License-Identifier: MIT */
/*
 * What OpenSSL asks and tells in the midst of a handshake: the client's hello, which certificate
 * and which ALPN it is to get, what is wrong with the server's certificate, alerts and secrets.
 */
#include "proxy/intercept/intercept_state.h"

#include <openssl/err.h>

/* Takes a vector of octets with a length of so many octets in front (RFC 8446 3.4). */
static bool
take_vector(struct view *from, size_t length_octets, struct view *vector)
{
	size_t len = 0;

	if (from->len < length_octets)
		return false;
	for (size_t i = 0; i < length_octets; i++)
		len = len << 8 | (unsigned char)from->at[i];
	*from = view_from(*from, length_octets);
	if (from->len < len)
		return false;
	*vector = view_first(*from, len);
	*from = view_from(*from, len);
	return true;
}

static bool
extension(SSL *ssl, unsigned type, struct view *content)
{
	const unsigned char *at;
	size_t len;

	if (SSL_client_hello_get0_ext(ssl, type, &at, &len) != 1)
		return false;
	*content = (struct view){(const char *)at, len};
	return true;
}

/* server_name (RFC 6066 3): only names of hosts exist. */
static void
read_sni(struct tls_conn *conn)
{
	struct view content, list, name;

	if (!extension(conn->ssl, TLSEXT_TYPE_server_name, &content) || !take_vector(&content, 2, &list) ||
	    list.len < 1 || list.at[0] != TLSEXT_NAMETYPE_host_name)
		return;
	list = view_from(list, 1);
	if (!take_vector(&list, 2, &name) || name.len == 0 || name.len > CONN_NAME_MAX || memchr(name.at, 0, name.len) != NULL)
		return;
	memcpy(conn->sni, name.at, name.len);
	conn->sni_len = (uint8_t)name.len;
}

/* application_layer_protocol_negotiation (RFC 7301 3.1): kept as it is sent. */
static void
read_alpn(struct tls_conn *conn)
{
	struct view content, list;

	if (!extension(conn->ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &content) ||
	    !take_vector(&content, 2, &list) || list.len == 0 || list.len > CONN_NAME_MAX)
		return;
	memcpy(conn->alpn, list.at, list.len);
	conn->alpn_len = (uint8_t)list.len;
}

static bool
use_minted(struct tls_conn *conn)
{
	struct mint *mint = conn->intercept->mint;
	struct view host = conn->sni_len > 0 ? (struct view){conn->sni, conn->sni_len}
	    : conn->host_len > 0             ? (struct view){conn->host, conn->host_len}
	                                     : VIEW("smtpscope.invalid");
	X509 *cert;
	bool well;

	if (mint == NULL)
		return true;    /* the one given is in the context */
	cert = mint_certificate(mint, conn->like, host);
	well = cert != NULL && SSL_use_cert_and_key(conn->ssl, cert, mint_key(mint), mint_chain(mint), 1) == 1;
	X509_free(cert);
	return well;
}

int
tls_conn_on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);

	(void)arg;
	if (!conn->hello) {
		conn->hello = true;
		read_sni(conn);
		read_alpn(conn);
	}
	if (!conn->served)
		return SSL_CLIENT_HELLO_RETRY;
	if (use_minted(conn))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

/* What the server chose, if the client offers it; else nothing is agreed upon, as without us. */
int
tls_conn_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);
	struct view offered = {(const char *)in, in_len}, protocol;

	(void)arg;
	while (conn->chosen_len > 0 && take_vector(&offered, 1, &protocol)) {
		if (!view_equal(protocol, (struct view){(const char *)conn->chosen, conn->chosen_len}))
			continue;
		*out = (const unsigned char *)protocol.at;
		*out_len = (unsigned char)protocol.len;
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

int
tls_conn_on_asked(SSL *ssl, void *arg)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);

	(void)arg;
	conn->asked = true;
	return 1;
}

static bool
is_name_error(int error)
{
	return error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH ||
	    error == X509_V_ERR_EMAIL_MISMATCH;
}

/* Keeps the first error, and refuses what the user wants refused; the rest is reported. */
int
tls_conn_on_verify(int well, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_conn *conn = SSL_get_app_data(ssl);
	enum intercept_verify verify = (enum intercept_verify)conn->intercept->settings.verify;
	X509 *leaf = X509_STORE_CTX_get0_cert(store);
	int error = X509_STORE_CTX_get_error(store);

	/* Kept here: of a handshake that fails OpenSSL keeps no certificate. */
	if (conn->peer == NULL && leaf != NULL && X509_up_ref(leaf) == 1)
		conn->peer = leaf;
	if (well || conn->server)
		return 1;
	if (conn->unverified == X509_V_OK)
		conn->unverified = error;
	if (verify == INTERCEPT_VERIFY_FULL || (verify == INTERCEPT_VERIFY_NAME && is_name_error(error))) {
		conn->unverified = error;
		return 0;
	}
	return 1;
}

void
tls_conn_on_info(const SSL *ssl, int where, int value)
{
	struct tls_conn *conn = SSL_get_app_data(ssl);
	uint8_t alert = (uint8_t)(value & 0xff);

	if ((where & SSL_CB_ALERT) == 0 || conn == NULL)
		return;
	if (alert == SSL_AD_CLOSE_NOTIFY && (where & SSL_CB_READ) != 0)
		conn->notified = true;
	/* Warnings that end nothing. */
	if (conn->alerted || alert == SSL_AD_CLOSE_NOTIFY || alert == SSL_AD_USER_CANCELLED || alert == SSL_AD_NO_RENEGOTIATION)
		return;
	if (value >> 8 == SSL3_AL_WARNING && SSL_version(ssl) < TLS1_3_VERSION)
		return;
	conn->alerted = true;
	conn->alert = alert;
	conn->alert_from_peer = (where & SSL_CB_READ) != 0;
}

void
tls_conn_on_secret(const SSL *ssl, const char *line)
{
	const struct intercept *intercept = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	secrets_log_put(intercept->secrets, line);
}
