/* SPDX-License-Identifier: MIT */
/* The ends and their certificates, made anew for each test. */
#include "tests/unit/intercept_ends.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/intercept/ca.h"
#include "proxy/intercept/mint.h"

#define TURNS 200

static void
socketpair_of(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

static int
verify_nothing(int well, X509_STORE_CTX *store)
{
	(void)well;
	(void)store;
	return 1;
}

static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *len, const unsigned char *in, unsigned in_len, void *arg)
{
	const char *wanted = arg;

	(void)ssl;
	for (unsigned at = 0; at < in_len; at += 1u + in[at]) {
		if (in[at] != strlen(wanted) || memcmp(in + at + 1, wanted, in[at]) != 0)
			continue;
		*out = in + at + 1;
		*len = in[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

/* The server, its certificate minted by a CA of its own. */
static void
make_server(struct ends *ends, const struct ends_setup *setup)
{
	struct pem_pair ca;
	struct mint *mint;
	bool exists;
	char error[CA_ERROR_MAX];
	X509 *cert;

	ck_assert_msg(ca_write(ends->server_ca, ends->server_key, &exists, error), "%s", error);
	ck_assert(ca_read(&ca, ends->server_ca, ends->server_key, error));
	mint = mint_new(ca.cert, ca.key, ca.chain, INTERCEPT_BAD_NONE);
	cert = mint_certificate(mint, NULL, view_of(setup->server_host != NULL ? setup->server_host : "mx.example.org"));
	ends->server_ctx = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_security_level(ends->server_ctx, 0);
	SSL_CTX_set_min_proto_version(ends->server_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ends->server_ctx, setup->server_max);
	if (setup->server_ciphers != NULL)
		ck_assert_int_eq(SSL_CTX_set_cipher_list(ends->server_ctx, setup->server_ciphers), 1);
	ck_assert_int_eq(SSL_CTX_use_cert_and_key(ends->server_ctx, cert, mint_key(mint), mint_chain(mint), 1), 1);
	if (setup->server_alpn != NULL)
		SSL_CTX_set_alpn_select_cb(ends->server_ctx, choose_alpn, (void *)(uintptr_t)setup->server_alpn);
	if (setup->server_asks || setup->server_insists) {
		SSL_CTX_set_verify(ends->server_ctx,
		    SSL_VERIFY_PEER | (setup->server_insists ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), verify_nothing);
		SSL_CTX_add_client_CA(ends->server_ctx, ca.cert);
	}
	X509_free(cert);
	mint_free(mint);
	pem_pair_free(&ca);
	ends->server = SSL_new(ends->server_ctx);
	SSL_set_fd(ends->server, ends->fds[3]);
	SSL_set_accept_state(ends->server);
}

static void
make_client(struct ends *ends, const struct ends_setup *setup)
{
	const char *trusts = setup->client_trusts != NULL ? setup->client_trusts : ends->ca_cert;
	const char *host = setup->client_host != NULL ? setup->client_host
	    : setup->server_host != NULL              ? setup->server_host
	                                              : "mx.example.org";
	unsigned char alpn[64];

	ends->client_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(ends->client_ctx, 0);
	SSL_CTX_set_min_proto_version(ends->client_ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ends->client_ctx, setup->client_max);
	if (setup->client_ciphers != NULL)
		ck_assert_int_eq(SSL_CTX_set_cipher_list(ends->client_ctx, setup->client_ciphers), 1);
	ends->client = SSL_new(ends->client_ctx);
	if (setup->client_verifies) {
		if (trusts[0] != '\0')
			ck_assert_int_eq(SSL_CTX_load_verify_file(ends->client_ctx, trusts), 1);
		SSL_set_verify(ends->client, SSL_VERIFY_PEER, NULL);
		SSL_set1_host(ends->client, host);
	}
	if (setup->client_sni != NULL)
		SSL_set_tlsext_host_name(ends->client, setup->client_sni);
	if (setup->client_alpn != NULL) {
		snprintf((char *)alpn, sizeof alpn, "%c%s", (int)strlen(setup->client_alpn), setup->client_alpn);
		SSL_set_alpn_protos(ends->client, alpn, (unsigned)strlen((char *)alpn));
	}
	SSL_set_fd(ends->client, ends->fds[0]);
	SSL_set_connect_state(ends->client);
}

static bool
is_over(enum tls_conn_step step)
{
	return step == TLS_CONN_OK || step == TLS_CONN_FAILED;
}

static void
end_turn(SSL *ssl, bool *done)
{
	if (!*done)
		*done = SSL_do_handshake(ssl) == 1;
}

static void
shake_hands(struct ends *ends, const struct ends_setup *setup)
{
	struct view host = view_of(setup->host != NULL ? setup->host : "mx.example.org");

	ends->to_client = intercept_towards_client(ends->intercept);
	ck_assert(tls_conn_attach(ends->to_client, ends->fds[1], VIEW_NONE));
	ends->client_leg = TLS_CONN_WANT_READ;
	ends->server_leg = setup->plain_server ? TLS_CONN_OK : TLS_CONN_WANT_READ;
	for (int turn = 0; turn < TURNS; turn++) {
		bool client_may = setup->implicit || ends->server_leg == TLS_CONN_OK;

		end_turn(ends->client, &ends->client_done);
		if (ends->server != NULL && ends->to_server != NULL)
			end_turn(ends->server, &ends->server_done);
		if (ends->to_server == NULL && !setup->plain_server &&
		    (!setup->implicit || ends->client_leg == TLS_CONN_HELLO)) {
			ends->to_server = intercept_towards_server(
			    ends->intercept, host, setup->implicit ? ends->to_client : NULL);
			ck_assert(tls_conn_attach(ends->to_server, ends->fds[2], VIEW_NONE));
		}
		if (ends->to_server != NULL && !is_over(ends->server_leg))
			ends->server_leg = tls_conn_handshake(ends->to_server);
		if (ends->server_leg == TLS_CONN_OK && ends->client_leg == TLS_CONN_HELLO)
			tls_conn_serve(ends->to_client, ends->to_server, host);
		if (client_may && !is_over(ends->client_leg) && (ends->client_leg != TLS_CONN_HELLO || ends->server_leg == TLS_CONN_OK))
			ends->client_leg = tls_conn_handshake(ends->to_client);
	}
}

struct ends *
ends_new(const struct ends_setup *setup)
{
	struct ends *ends = calloc(1, sizeof *ends);
	struct intercept_settings *settings;
	char error[INTERCEPT_ERROR_MAX];
	bool exists, usage;

	signal(SIGPIPE, SIG_IGN);
	snprintf(ends->dir, sizeof ends->dir, "/tmp/ends.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(ends->dir));
	snprintf(ends->ca_cert, sizeof ends->ca_cert, "%s/ca.pem", ends->dir);
	snprintf(ends->ca_key, sizeof ends->ca_key, "%s/ca.key", ends->dir);
	snprintf(ends->server_ca, sizeof ends->server_ca, "%s/server-ca.pem", ends->dir);
	snprintf(ends->server_key, sizeof ends->server_key, "%s/server-ca.key", ends->dir);
	snprintf(ends->keylog, sizeof ends->keylog, "%s/keylog", ends->dir);
	ck_assert_msg(ca_write(ends->ca_cert, ends->ca_key, &exists, error), "%s", error);
	socketpair_of(&ends->fds[0]);
	socketpair_of(&ends->fds[2]);
	make_server(ends, setup);
	make_client(ends, setup);
	settings = malloc(sizeof *settings);
	*settings = setup->settings;
	if (settings->ca_cert == NULL && settings->cert == NULL) {
		settings->ca_cert = ends->ca_cert;
		settings->ca_key = ends->ca_key;
	}
	if (settings->upstream_ca == NULL)
		settings->upstream_ca = setup->server_untrusted ? ends->ca_cert : ends->server_ca;
	settings->keylog = ends->keylog;
	ends->intercept = intercept_new(settings, &usage, error);
	ck_assert_msg(ends->intercept != NULL, "%s", error);
	ends->settings = settings;
	shake_hands(ends, setup);
	return ends;
}

void
ends_free(struct ends *ends)
{
	char command[128];

	tls_conn_free(ends->to_client);
	tls_conn_free(ends->to_server);
	intercept_free(ends->intercept);
	SSL_free(ends->client);
	SSL_free(ends->server);
	SSL_CTX_free(ends->client_ctx);
	SSL_CTX_free(ends->server_ctx);
	for (size_t i = 0; i < 4; i++)
		close(ends->fds[i]);
	free(ends->settings);
	snprintf(command, sizeof command, "rm -r %s", ends->dir);
	ck_assert_int_eq(system(command), 0);
	free(ends);
}

/* One way: from SSL over two legs to SSL. */
static void
carry(SSL *from, struct tls_conn *in, struct tls_conn *out, SSL *to, const char *words)
{
	char buffer[4096];
	size_t len = strlen(words), got, taken, heard = 0;

	ck_assert_int_eq(SSL_write_ex(from, words, len, &taken), 1);
	ck_assert_int_eq(tls_conn_read(in, buffer, sizeof buffer, &got), TLS_CONN_OK);
	ck_assert_uint_eq(got, len);
	ck_assert_int_eq(tls_conn_write(out, buffer, got, &taken), TLS_CONN_OK);
	ck_assert_uint_eq(taken, len);
	ck_assert_int_eq(SSL_read_ex(to, buffer, sizeof buffer, &heard), 1);
	ck_assert_uint_eq(heard, len);
	ck_assert_mem_eq(buffer, words, len);
	ck_assert_int_eq(tls_conn_read(in, buffer, sizeof buffer, &got), TLS_CONN_WANT_READ);
}

void
ends_talk(struct ends *ends)
{
	carry(ends->client, ends->to_client, ends->to_server, ends->server, "EHLO client.example.org\r\n");
	carry(ends->server, ends->to_server, ends->to_client, ends->client, "250 mx.example.org\r\n");
}

const char *
ends_client_verdict(const struct ends *ends)
{
	long verdict = SSL_get_verify_result(ends->client);

	return verdict == X509_V_OK ? "" : X509_verify_cert_error_string(verdict);
}
