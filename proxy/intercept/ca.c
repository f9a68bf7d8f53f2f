/* SPDX-License-Identifier: MIT */
/* CAs, their files, and what is wrong with one before a client says so. */
#include "proxy/intercept/ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/intercept/certificate.h"

#define DAY   (24 * 3600)
#define VALID (INT64_C(10) * 365 * DAY)

bool
ca_make(struct pem_pair *ca, char error[static CA_ERROR_MAX])
{
	STACK_OF(GENERAL_NAME) *names;
	X509_NAME *name;
	unsigned char octets[3];
	char text[64];

	*ca = (struct pem_pair){.key = certificate_new_key(), .chain = sk_X509_new_null()};
	/* Clients tell CAs apart by name: two of ours in one store shall have two. */
	if (RAND_bytes(octets, sizeof octets) == 1 && ca->key != NULL && ca->chain != NULL) {
		snprintf(text, sizeof text, "smtpscope CA %02x%02x%02x", octets[0], octets[1], octets[2]);
		if (certificate_names_of(view_of(text), &name, &names)) {
			ca->cert = certificate_make(&(struct certificate_order){
			    .subject = name, .key = ca->key, .from_s = -DAY, .until_s = VALID, .ca = true});
			X509_NAME_free(name);
			sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
		}
	}
	if (ca->cert != NULL)
		return true;
	snprintf(error, CA_ERROR_MAX, "a CA could not be made: %s", ERR_reason_error_string(ERR_peek_error()));
	ERR_clear_error();
	return false;
}

bool
ca_read(struct pem_pair *ca, const char *cert_file, const char *key_file, char error[static CA_ERROR_MAX])
{
	if (!pem_pair_read(ca, "--ca-cert", cert_file, "--ca-key", key_file, error))
		return false;
	if (X509_check_ca(ca->cert) == 0 || (X509_get_key_usage(ca->cert) & KU_KEY_CERT_SIGN) == 0) {
		snprintf(error, CA_ERROR_MAX, "--ca-cert %s: no CA's certificate, clients would take nothing that it signs; "
		    "--make-ca makes a CA, and a server's own certificate is given with --cert and --key", cert_file);
		return false;
	}
	if (X509_cmp_current_time(X509_get0_notAfter(ca->cert)) < 0) {
		snprintf(error, CA_ERROR_MAX, "--ca-cert %s: it has expired; --make-ca makes another", cert_file);
		return false;
	}
	return true;
}

/* A file that was not there before. -1: errno says why. */
static int
create(const char *name, mode_t mode)
{
	return open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

static bool
put_out(int fd, BIO *bio)
{
	char *at;
	long left = BIO_get_mem_data(bio, &at);

	while (left > 0) {
		ssize_t n = write(fd, at, (size_t)left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		left -= n;
	}
	return fsync(fd) == 0 || errno == EINVAL;
}

static bool
cannot(const char *option, const char *name, bool *exists, char *error)
{
	*exists = errno == EEXIST;
	if (*exists)
		snprintf(error, CA_ERROR_MAX, "%s %s: is there already, and is not written over; name another file, or "
		    "leave --make-ca away to use it", option, name);
	else
		snprintf(error, CA_ERROR_MAX, "%s %s: %s", option, name, strerror(errno));
	return false;
}

static bool
write_pair(int cert, int key, const struct pem_pair *ca)
{
	BIO *certs = BIO_new(BIO_s_mem()), *keys = BIO_new(BIO_s_secmem());
	bool well = certs != NULL && keys != NULL && PEM_write_bio_X509(certs, ca->cert) == 1 &&
	    PEM_write_bio_PKCS8PrivateKey(keys, ca->key, NULL, NULL, 0, NULL, NULL) == 1 && put_out(key, keys) &&
	    put_out(cert, certs);

	BIO_free(certs);
	BIO_free(keys);
	return well;
}

bool
ca_write(const char *cert_file, const char *key_file, bool *exists, char error[static CA_ERROR_MAX])
{
	struct pem_pair ca;
	int cert, key;
	bool well;

	*exists = false;
	key = create(key_file, 0600);
	if (key < 0)
		return cannot("--ca-key", key_file, exists, error);
	cert = create(cert_file, 0644);
	if (cert < 0) {
		cannot("--ca-cert", cert_file, exists, error);
		close(key);
		unlink(key_file);
		return false;
	}
	errno = 0;
	well = ca_make(&ca, error);
	if (well && !write_pair(cert, key, &ca)) {
		well = false;
		snprintf(error, CA_ERROR_MAX, "%s and %s: %s", cert_file, key_file,
		    errno != 0 ? strerror(errno) : "could not be written");
	}
	pem_pair_free(&ca);
	if (close(cert) != 0 || close(key) != 0 || !well) {
		unlink(cert_file);
		unlink(key_file);
		return false;
	}
	return true;
}

char *
ca_trust_advice(const char *cert_file)
{
	char *text;

	if (asprintf(&text, "a client trusts it by: swaks --tls-ca-path %s; openssl s_client -CAfile %s; Postfix: "
	    "smtp_tls_CAfile = %s; all of a Debian host: cp %s /usr/local/share/ca-certificates/smtpscope.crt && "
	    "update-ca-certificates", cert_file, cert_file, cert_file, cert_file) < 0)
		abort();
	return text;
}
