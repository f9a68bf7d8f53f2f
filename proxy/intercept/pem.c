/* SPDX-License-Identifier: MIT */
/*
 * PEM files. What is wrong with one is mostly that it is another: the key where the certificate
 * belongs, DER, a key with a passphrase. So a file that cannot be used is looked at again to say
 * which of them it is.
 */
#include "proxy/intercept/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)      /* a chain and a key take some KiB */

struct file {
	const char *option, *name;
	char       *text;               /* owned, a NUL behind it */
	size_t      len;
};

static bool
read_file(struct file *file, char *error)
{
	int fd = open(file->name, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	file->text = malloc(FILE_MAX + 1);
	if (file->text == NULL)
		abort();
	while (fd >= 0 && file->len < FILE_MAX) {
		n = read(fd, file->text + file->len, FILE_MAX - file->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		file->len += (size_t)n;
	}
	if (fd < 0 || n < 0)
		snprintf(error, PEM_ERROR_MAX, "%s %s: %s", file->option, file->name, strerror(errno));
	else if (file->len == FILE_MAX)
		snprintf(error, PEM_ERROR_MAX, "%s %s: larger than 1 MiB: no file of certificates", file->option,
		    file->name);
	file->text[file->len] = '\0';
	if (fd >= 0)
		close(fd);
	return fd >= 0 && n >= 0 && file->len < FILE_MAX;
}

static bool
holds(const struct file *file, const char *words)
{
	return memmem(file->text, file->len, words, strlen(words)) != NULL;
}

/* DER of a certificate, a key or a PKCS #12 container begins with a SEQUENCE of more than 127 octets. */
static bool
is_der(const struct file *file)
{
	return file->len > 4 && file->text[0] == 0x30 && (file->text[1] & 0x80) != 0;
}

static bool
no_certificate(const struct file *file, const char *key_option, char *error)
{
	int len = snprintf(error, PEM_ERROR_MAX, "%s %s: ", file->option, file->name);
	size_t room = PEM_ERROR_MAX - (size_t)len;

	if (file->len == 0)
		snprintf(error + len, room, "the file is empty; expected a certificate in PEM");
	else if (holds(file, "BEGIN CERTIFICATE REQUEST"))
		snprintf(error + len, room, "a request for a certificate, not yet signed by a CA; expected "
		    "-----BEGIN CERTIFICATE-----");
	else if (holds(file, "BEGIN CERTIFICATE"))
		snprintf(error + len, room, "the certificate in it is damaged; compare with 'openssl x509 -in %s'",
		    file->name);
	else if (holds(file, "PRIVATE KEY"))
		snprintf(error + len, room, "a private key without a certificate: is it the file for %s?", key_option);
	else if (is_der(file))
		snprintf(error + len, room, "not PEM but DER, as it seems; 'openssl x509 -inform DER -in %s -out "
		    "FILE.pem' converts a certificate ('openssl pkcs12 -nodes' what is in a .p12)", file->name);
	else
		snprintf(error + len, room, "no certificate in it; expected PEM, -----BEGIN CERTIFICATE-----");
	return false;
}

static bool
no_key(const struct file *file, bool locked, const char *cert_option, char *error)
{
	int len = snprintf(error, PEM_ERROR_MAX, "%s %s: ", file->option, file->name);
	size_t room = PEM_ERROR_MAX - (size_t)len;

	if (locked)
		snprintf(error + len, room, "the key has a passphrase, and nobody is asked for it here; 'openssl pkey "
		    "-in %s -out FILE' takes it off (keep FILE at mode 0600)", file->name);
	else if (file->len == 0)
		snprintf(error + len, room, "the file is empty; expected a private key in PEM");
	else if (holds(file, "PRIVATE KEY"))
		snprintf(error + len, room, "the private key in it is damaged, or of a kind that OpenSSL does not know");
	else if (strcmp(file->option, cert_option) == 0)
		snprintf(error + len, room, "there is no private key behind the certificate; name its file with %s",
		    strcmp(cert_option, "--ca-cert") == 0 ? "--ca-key"
		    : strcmp(cert_option, "--cert") == 0  ? "--key"
		                                          : "--client-key");
	else if (holds(file, "BEGIN CERTIFICATE"))
		snprintf(error + len, room, "a certificate without a private key: is it the file for %s?", cert_option);
	else
		snprintf(error + len, room, "no private key in it; expected PEM, -----BEGIN PRIVATE KEY-----");
	return false;
}

/* Nobody is there to ask: *owner, a bool, says afterwards that there was a passphrase. */
static int
no_passphrase(char *text, int size, int writing, void *owner)
{
	(void)text;
	(void)size;
	(void)writing;
	*(bool *)owner = true;
	return -1;
}

static bool
read_certificates(struct pem_pair *pair, const struct file *file, const char *key_option, char *error)
{
	BIO *bio = BIO_new_mem_buf(file->text, (int)file->len);
	X509 *cert;

	pair->chain = sk_X509_new_null();
	if (bio == NULL || pair->chain == NULL)
		abort();
	pair->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
	while (pair->cert != NULL && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(pair->chain, cert) == 0)
			abort();
	BIO_free(bio);
	return pair->cert != NULL || no_certificate(file, key_option, error);
}

static bool
read_key(struct pem_pair *pair, const struct file *file, const char *cert_option, char *error)
{
	BIO *bio = BIO_new_mem_buf(file->text, (int)file->len);
	bool locked = false;

	if (bio == NULL)
		abort();
	pair->key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &locked);
	BIO_free(bio);
	return pair->key != NULL || no_key(file, locked, cert_option, error);
}

bool
pem_pair_read(struct pem_pair *pair, const char *cert_option, const char *cert_file, const char *key_option,
    const char *key_file, char error[static PEM_ERROR_MAX])
{
	struct file certs = {.option = cert_option, .name = cert_file};
	struct file keys = {.option = key_file != NULL ? key_option : cert_option,
	    .name = key_file != NULL ? key_file : cert_file};
	bool well;

	*pair = (struct pem_pair){NULL, NULL, NULL};
	well = read_file(&certs, error) && read_certificates(pair, &certs, key_option, error) &&
	    read_file(&keys, error) && read_key(pair, &keys, cert_option, error);
	if (well && X509_check_private_key(pair->cert, pair->key) != 1) {
		snprintf(error, PEM_ERROR_MAX, "%s %s: the key is not that of the certificate in %s (%s); give the pair "
		    "that was made together", keys.option, keys.name, certs.name, certs.option);
		well = false;
	}
	/* What was in the files shall not stay in freed memory. */
	if (certs.text != NULL)
		OPENSSL_cleanse(certs.text, certs.len);
	if (keys.text != NULL)
		OPENSSL_cleanse(keys.text, keys.len);
	free(certs.text);
	free(keys.text);
	ERR_clear_error();
	return well;
}

void
pem_pair_free(struct pem_pair *pair)
{
	X509_free(pair->cert);
	sk_X509_pop_free(pair->chain, X509_free);
	EVP_PKEY_free(pair->key);
	*pair = (struct pem_pair){NULL, NULL, NULL};
}
