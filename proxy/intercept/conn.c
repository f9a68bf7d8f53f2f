/* SPDX-License-Identifier: MIT */
/* One connection's TLS: its two roles, and octets in and out without waiting. */
#include "proxy/intercept/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "proxy/intercept/intercept_state.h"

static struct tls_conn *
conn_new(const struct intercept *intercept, enum smtp_side leg)
{
	struct tls_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->intercept = intercept;
	conn->server = leg == SMTP_CLIENT;
	conn->ssl = SSL_new(intercept->contexts[leg]);
	if (conn->ssl == NULL) {
		free(conn);
		return NULL;
	}
	SSL_set_app_data(conn->ssl, conn);
	if (conn->server)
		SSL_set_accept_state(conn->ssl);
	else
		SSL_set_connect_state(conn->ssl);
	return conn;
}

static void
keep_name(char *name, uint8_t *len, struct view from)
{
	if (from.len > CONN_NAME_MAX || (from.len > 0 && memchr(from.at, 0, from.len) != NULL))
		return;
	if (from.len > 0)
		memcpy(name, from.at, from.len);
	name[from.len] = '\0';
	*len = (uint8_t)from.len;
}

static bool
is_address(const char *name)
{
	unsigned char octets[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* Whom the certificate must be for, and whom we ask for. */
static bool
set_names(struct tls_conn *conn, const struct tls_conn *hello)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(conn->ssl);

	if (hello != NULL && hello->sni_len > 0)
		keep_name(conn->sni, &conn->sni_len, (struct view){hello->sni, hello->sni_len});
	else if (conn->host_len > 0 && !is_address(conn->host))
		keep_name(conn->sni, &conn->sni_len, (struct view){conn->host, conn->host_len});
	if (conn->sni_len > 0 && SSL_set_tlsext_host_name(conn->ssl, conn->sni) != 1)
		return false;
	if (hello != NULL && hello->alpn_len > 0 && SSL_set_alpn_protos(conn->ssl, hello->alpn, hello->alpn_len) != 0)
		return false;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* Of a server that is known by its address the client's SNI says whom it is meant to be. */
	if (conn->host_len > 0 && is_address(conn->host) && conn->sni_len == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(param, conn->host) == 1;
	return X509_VERIFY_PARAM_set1_host(param,
	    conn->host_len > 0 && !is_address(conn->host) ? conn->host : conn->sni, 0) == 1;
}

struct tls_conn *
intercept_towards_server(const struct intercept *intercept, struct view host, const struct tls_conn *hello)
{
	struct tls_conn *conn = conn_new(intercept, SMTP_SERVER);

	if (conn == NULL)
		return NULL;
	keep_name(conn->host, &conn->host_len, host);
	if (set_names(conn, hello))
		return conn;
	ERR_clear_error();
	tls_conn_free(conn);
	return NULL;
}

struct tls_conn *
intercept_towards_client(const struct intercept *intercept)
{
	return conn_new(intercept, SMTP_CLIENT);
}

bool
tls_conn_attach(struct tls_conn *conn, int fd, struct view early)
{
	BIO *socket = BIO_new_socket(fd, BIO_NOCLOSE), *first;

	if (socket == NULL)
		return false;
	if (early.len == 0) {
		SSL_set_bio(conn->ssl, socket, socket);
		return true;
	}
	first = BIO_new(BIO_s_mem());
	if (first == NULL || early.len > INT_MAX || BIO_write(first, early.at, (int)early.len) != (int)early.len) {
		BIO_free(first);
		BIO_free(socket);
		return false;
	}
	BIO_set_mem_eof_return(first, -1);
	BIO_up_ref(socket);
	conn->socket = socket;
	SSL_set0_rbio(conn->ssl, first);
	SSL_set0_wbio(conn->ssl, socket);
	return true;
}

/* Early octets are used up: from now on the descriptor is read. True: what wanted to read may try again. */
static bool
leave_early(struct tls_conn *conn)
{
	if (conn->socket == NULL || BIO_pending(SSL_get_rbio(conn->ssl)) > 0)
		return false;
	SSL_set0_rbio(conn->ssl, conn->socket);
	conn->socket = NULL;
	return true;
}

/* What a call's answer means; errno is as it left it. */
static enum tls_conn_step
step_of(struct tls_conn *conn, int answer)
{
	int system = errno, error = SSL_get_error(conn->ssl, answer);

	switch (error) {
	case SSL_ERROR_NONE:
		return TLS_CONN_OK;
	case SSL_ERROR_WANT_READ:
		return TLS_CONN_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_CONN_WANT_WRITE;
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		return TLS_CONN_HELLO;
	case SSL_ERROR_ZERO_RETURN:
		return conn->notified ? TLS_CONN_CLOSED : TLS_CONN_EOF;
	default:
		break;
	}
	if (conn->established && error == SSL_ERROR_SYSCALL && system != 0) {
		errno = system;
		return TLS_CONN_LOST;
	}
	tls_conn_explain(conn, error, system);
	conn->failed = true;
	ERR_clear_error();
	return TLS_CONN_FAILED;
}

enum tls_conn_step
tls_conn_handshake(struct tls_conn *conn)
{
	enum tls_conn_step step;

	if (conn->failed)
		return TLS_CONN_FAILED;
	do {
		ERR_clear_error();
		errno = 0;
		step = step_of(conn, SSL_do_handshake(conn->ssl));
	} while (step == TLS_CONN_WANT_READ && leave_early(conn));
	conn->established = step == TLS_CONN_OK;
	if (step != TLS_CONN_CLOSED && step != TLS_CONN_EOF)
		return step;
	tls_conn_explain(conn, SSL_ERROR_ZERO_RETURN, 0);
	conn->failed = true;
	return TLS_CONN_FAILED;
}

/* What the server chose, wants of the client, and is called. */
static bool
follow(struct tls_conn *conn, const struct tls_conn *upstream)
{
	const unsigned char *alpn;
	const STACK_OF(X509_NAME) *names;
	STACK_OF(X509_NAME) *copy;
	unsigned len;

	if (upstream->peer != NULL && X509_up_ref(upstream->peer) == 1)
		conn->like = upstream->peer;
	SSL_get0_alpn_selected(upstream->ssl, &alpn, &len);
	if (len > 0 && len <= sizeof conn->chosen) {
		memcpy(conn->chosen, alpn, len);
		conn->chosen_len = (uint8_t)len;
	}
	if (!upstream->asked)
		return true;
	conn->asked = true;
	SSL_set_verify(conn->ssl, SSL_VERIFY_PEER, tls_conn_on_verify);
	names = SSL_get0_peer_CA_list(upstream->ssl);
	if (names == NULL)
		return true;
	copy = SSL_dup_CA_list(names);
	if (copy != NULL)
		SSL_set0_CA_list(conn->ssl, copy);
	return copy != NULL;
}

bool
tls_conn_serve(struct tls_conn *conn, const struct tls_conn *upstream, struct view host)
{
	conn->served = true;
	keep_name(conn->host, &conn->host_len, host);
	return upstream == NULL || follow(conn, upstream);
}

enum tls_conn_step
tls_conn_read(struct tls_conn *conn, char *at, size_t size, size_t *len)
{
	enum tls_conn_step step;

	*len = 0;
	if (conn->failed)
		return TLS_CONN_FAILED;
	do {
		ERR_clear_error();
		errno = 0;
		step = step_of(conn, SSL_read_ex(conn->ssl, at, size, len));
	} while (step == TLS_CONN_WANT_READ && leave_early(conn));
	return step;
}

enum tls_conn_step
tls_conn_write(struct tls_conn *conn, const char *at, size_t len, size_t *taken)
{
	*taken = 0;
	if (len == 0)
		return TLS_CONN_OK;
	if (conn->failed)
		return TLS_CONN_FAILED;
	ERR_clear_error();
	errno = 0;
	return step_of(conn, SSL_write_ex(conn->ssl, at, len, taken));
}

enum tls_conn_step
tls_conn_close(struct tls_conn *conn)
{
	enum tls_conn_step step;
	int answer;

	if (conn->failed)
		return TLS_CONN_FAILED;
	if (!conn->established || (SSL_get_shutdown(conn->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return TLS_CONN_OK;
	ERR_clear_error();
	errno = 0;
	answer = SSL_shutdown(conn->ssl);
	/* 0: ours is sent; the peer's is not waited for. */
	if (answer >= 0)
		return TLS_CONN_OK;
	step = step_of(conn, answer);
	return step == TLS_CONN_WANT_READ || step == TLS_CONN_CLOSED || step == TLS_CONN_EOF ? TLS_CONN_OK : step;
}

void
tls_conn_free(struct tls_conn *conn)
{
	if (conn == NULL)
		return;
	SSL_free(conn->ssl);
	BIO_free(conn->socket);
	X509_free(conn->peer);
	X509_free(conn->like);
	free(conn->subject);
	free(conn->issuer);
	free(conn->reason);
	free(conn);
}

size_t
tls_conn_pending(const struct tls_conn *conn)
{
	return (size_t)SSL_pending(conn->ssl);
}
