/* SPDX-License-Identifier: MIT */
/*
 * The two SSL_CTX, by the settings. A version below TLS 1.2 needs security level 0 (its handshake
 * is signed with SHA-1 or MD5), which is set where such a version is asked for and the cipher list
 * says no level itself; that something is left to agree upon is tried before a client comes.
 */
#include "proxy/intercept/intercept_state.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *
leg_name(enum smtp_side leg)
{
	return leg == SMTP_CLIENT ? "client" : "server";
}

static const char *
version_name(int version, const char *without)
{
	switch (version) {
	case TLS1_VERSION:
		return "1.0";
	case TLS1_1_VERSION:
		return "1.1";
	case TLS1_2_VERSION:
		return "1.2";
	case TLS1_3_VERSION:
		return "1.3";
	default:
		return without;
	}
}

/* Parts a list into what TLS 1.3 calls suites and what it does not; both of size, "" where there are none. */
static void
part_list(const char *list, char *suites, char *ciphers, size_t size)
{
	suites[0] = ciphers[0] = '\0';
	for (const char *at = list; *at != '\0';) {
		size_t len = strcspn(at, ":, ");
		char *to = strncmp(at, "TLS_", 4) == 0 ? suites : ciphers;
		size_t used = strlen(to);

		if (len > 0)
			snprintf(to + used, size - used, "%s%.*s", used > 0 ? ":" : "", (int)len, at);
		at += len + (at[len] != '\0');
	}
}

static bool
set_ciphers(SSL_CTX *context, enum smtp_side leg, const char *list, char *error)
{
	size_t size = strlen(list) + 2;
	char *suites = malloc(size), *ciphers = malloc(size);
	bool well;

	if (suites == NULL || ciphers == NULL)
		abort();
	part_list(list, suites, ciphers, size);
	well = (suites[0] == '\0' || SSL_CTX_set_ciphersuites(context, suites) == 1) &&
	    (ciphers[0] == '\0' || SSL_CTX_set_cipher_list(context, ciphers) == 1);
	free(suites);
	free(ciphers);
	if (!well)
		snprintf(error, INTERCEPT_ERROR_MAX, "--ciphers %s:%s: OpenSSL knows no such cipher; 'openssl ciphers -s -v "
		    "ALL:@SECLEVEL=0' lists them, openssl-ciphers(1) says how a list is written", leg_name(leg), list);
	return well;
}

/* Whether a version and a cipher are left on this leg; OpenSSL says so only for a connection. */
static bool
something_is_left(SSL_CTX *context, enum smtp_side leg, const struct intercept_leg_settings *settings, char *error)
{
	SSL *ssl = SSL_new(context);
	STACK_OF(SSL_CIPHER) *left = ssl == NULL ? NULL : SSL_get1_supported_ciphers(ssl);
	bool well = left != NULL && sk_SSL_CIPHER_num(left) > 0;

	/* Their handshakes are signed with SHA-1, which a level above 0 forbids: OpenSSL says so only then. */
	if (settings->max != 0 && settings->max < TLS1_2_VERSION && SSL_CTX_get_security_level(context) > 0)
		well = false;
	if (!well)
		snprintf(error, INTERCEPT_ERROR_MAX, "%s leg: with TLS %s to %s at OpenSSL's security level %d no cipher of "
		    "%s is left; widen --tls-min or --tls-max, or add @SECLEVEL=0 to --ciphers %s:LIST", leg_name(leg),
		    version_name(settings->min, "(the least there is)"), version_name(settings->max, "1.3"),
		    SSL_CTX_get_security_level(context), settings->ciphers != NULL ? settings->ciphers : "the default list",
		    leg_name(leg));
	sk_SSL_CIPHER_free(left);
	SSL_free(ssl);
	return well;
}

static bool
set_versions(SSL_CTX *context, enum smtp_side leg, const struct intercept_leg_settings *settings, char *error)
{
	int lowest = settings->min != 0 ? settings->min : settings->max;

	if (settings->min != 0 && settings->max != 0 && settings->min > settings->max) {
		snprintf(error, INTERCEPT_ERROR_MAX, "%s leg: --tls-min %s is above --tls-max %s: no version is left",
		    leg_name(leg), version_name(settings->min, ""), version_name(settings->max, ""));
		return false;
	}
	if (lowest != 0 && lowest < TLS1_2_VERSION)
		SSL_CTX_set_security_level(context, 0);
	/* A default minimum (of openssl.cnf) above the maximum that is asked for would leave nothing. */
	if ((lowest == 0 || SSL_CTX_set_min_proto_version(context, lowest) == 1) &&
	    (settings->max == 0 || SSL_CTX_set_max_proto_version(context, settings->max) == 1))
		return true;
	snprintf(error, INTERCEPT_ERROR_MAX, "%s leg: this OpenSSL (%s) was built without TLS %s", leg_name(leg),
	    OPENSSL_VERSION_TEXT, version_name(lowest, version_name(settings->max, "")));
	return false;
}

static SSL_CTX *
make(struct intercept *intercept, enum smtp_side leg, char *error)
{
	const struct intercept_leg_settings *settings = &intercept->settings.legs[leg];
	SSL_CTX *context = SSL_CTX_new(leg == SMTP_CLIENT ? TLS_server_method() : TLS_client_method());

	if (context == NULL)
		abort();
	SSL_CTX_set_app_data(context, intercept);
	SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/*
	 * FIN without close_notify is how many SMTP clients end; as a fault it would make OpenSSL send an
	 * alert, and refuse to send the replies that are still due to one that closed its half.
	 */
	SSL_CTX_set_options(context,
	    SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_info_callback(context, tls_conn_on_info);
	if (intercept->secrets != NULL)
		SSL_CTX_set_keylog_callback(context, tls_conn_on_secret);
	if (set_versions(context, leg, settings, error) &&
	    (settings->ciphers == NULL || set_ciphers(context, leg, settings->ciphers, error)) &&
	    something_is_left(context, leg, settings, error))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

/* A directory of hashed certificates, a file, or what the system trusts. */
static bool
trust(SSL_CTX *context, const char *name, char *error)
{
	struct stat status;
	int well;

	if (name == NULL) {
		SSL_CTX_set_default_verify_paths(context);
		ERR_clear_error();
		return true;
	}
	if (stat(name, &status) != 0) {
		snprintf(error, INTERCEPT_ERROR_MAX, "--upstream-ca %s: %s", name, strerror(errno));
		return false;
	}
	well = S_ISDIR(status.st_mode) ? SSL_CTX_load_verify_dir(context, name) : SSL_CTX_load_verify_file(context, name);
	ERR_clear_error();
	if (well != 1)
		snprintf(error, INTERCEPT_ERROR_MAX, "--upstream-ca %s: no certificate in it; expected a file of CAs in PEM "
		    "(-----BEGIN CERTIFICATE-----), or a directory that 'openssl rehash' was run on", name);
	return well == 1;
}

static bool
set_client_certificate(SSL_CTX *context, const struct intercept_settings *settings, char *error)
{
	struct pem_pair pair = {NULL, NULL, NULL};
	char why[PEM_ERROR_MAX];
	bool well;

	if (settings->client_cert == NULL && settings->client_key == NULL)
		return true;
	if (settings->client_cert == NULL) {
		snprintf(error, INTERCEPT_ERROR_MAX, "--client-key %s: its certificate is missing; name it with --client-cert",
		    settings->client_key);
		return false;
	}
	well = pem_pair_read(&pair, "--client-cert", settings->client_cert, "--client-key", settings->client_key, why);
	if (!well) {
		snprintf(error, INTERCEPT_ERROR_MAX, "%s", why);
	} else if (SSL_CTX_use_cert_and_key(context, pair.cert, pair.key, pair.chain, 1) != 1) {
		well = false;
		snprintf(error, INTERCEPT_ERROR_MAX, "--client-cert %s: OpenSSL does not take it: %s (a key too small for "
		    "security level %d? @SECLEVEL=0 in --ciphers server:LIST lowers it)", settings->client_cert,
		    ERR_reason_error_string(ERR_peek_error()), SSL_CTX_get_security_level(context));
	}
	pem_pair_free(&pair);
	ERR_clear_error();
	return well;
}

bool
intercept_contexts_make(struct intercept *intercept, char error[static INTERCEPT_ERROR_MAX])
{
	SSL_CTX *client = make(intercept, SMTP_CLIENT, error), *server;

	intercept->contexts[SMTP_CLIENT] = client;
	if (client == NULL)
		return false;
	SSL_CTX_set_num_tickets(client, 0);
	SSL_CTX_set_client_hello_cb(client, tls_conn_on_hello, NULL);
	SSL_CTX_set_alpn_select_cb(client, tls_conn_on_alpn, NULL);
	SSL_CTX_set_dh_auto(client, 1);
	if (intercept->settings.own_name != NULL)
		return true;
	server = make(intercept, SMTP_SERVER, error);
	intercept->contexts[SMTP_SERVER] = server;
	if (server == NULL)
		return false;
	/* Servers without RFC 5746 are to be seen, too. */
	SSL_CTX_set_options(server, SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_verify(server, SSL_VERIFY_PEER, tls_conn_on_verify);
	SSL_CTX_set_cert_cb(server, tls_conn_on_asked, NULL);
	return trust(server, intercept->settings.upstream_ca, error) &&
	    set_client_certificate(server, &intercept->settings, error);
}
