/* SPDX-License-Identifier: MIT */
/* What all connections of a run share, made at start from the settings. */
#include "proxy/intercept/intercept.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/intercept/ca.h"
#include "proxy/intercept/certificate.h"
#include "proxy/intercept/intercept_state.h"

#define OWN_VALID (INT64_C(365) * 24 * 3600)
#define DAY       (24 * 3600)

__attribute__((format(printf, 2, 3))) static void
note(struct intercept *intercept, const char *format, ...)
{
	va_list list;
	unsigned n = 0;

	while (n < INTERCEPT_NOTES - 1 && intercept->notes[n] != NULL)
		n++;
	va_start(list, format);
	if (n == INTERCEPT_NOTES - 1 || vasprintf(&intercept->notes[n], format, list) < 0)
		abort();
	va_end(list);
}

const char *
intercept_note(const struct intercept *intercept, unsigned n)
{
	return n < INTERCEPT_NOTES ? intercept->notes[n] : NULL;
}

/* Options that contradict each other, or lack their other half. */
static bool
fit_together(const struct intercept_settings *settings, char *error)
{
	const char *wrong = NULL;

	if (settings->cert == NULL && settings->key != NULL)
		wrong = "--key: its certificate is missing; name it with --cert";
	else if (settings->ca_cert == NULL && settings->ca_key != NULL)
		wrong = "--ca-key: the CA's certificate is missing; name it with --ca-cert (--make-ca makes both)";
	else if (settings->cert != NULL && settings->bad_cert != INTERCEPT_BAD_NONE)
		wrong = "--bad-cert mints a certificate that is wrong; with --cert none is minted: leave one of them away";
	else if (settings->cert != NULL && settings->ca_cert != NULL)
		wrong = "--cert gives the certificate, --ca-cert mints it: leave one of them away";
	if (wrong != NULL)
		snprintf(error, INTERCEPT_ERROR_MAX, "%s", wrong);
	return wrong == NULL;
}

static void
fingerprint(X509 *cert, char text[static 3 * EVP_MAX_MD_SIZE])
{
	unsigned char octets[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	text[0] = '\0';
	if (X509_digest(cert, EVP_sha256(), octets, &len) != 1)
		return;
	for (unsigned i = 0; i < len; i++)
		snprintf(text + (size_t)i * 3, 4, "%02X%s", octets[i], i + 1 < len ? ":" : "");
}

/* A CA whose key or digest is below the security level would fail each handshake: better to say so now. */
static bool
can_be_shown(struct intercept *intercept, char *error)
{
	SSL_CTX *context = intercept->contexts[SMTP_CLIENT];
	X509 *cert = mint_certificate(intercept->mint, NULL, VIEW("smtpscope.invalid"));
	bool well = cert != NULL &&
	    SSL_CTX_use_cert_and_key(context, cert, mint_key(intercept->mint), mint_chain(intercept->mint), 1) == 1;

	if (!well)
		snprintf(error, INTERCEPT_ERROR_MAX, "--ca-cert %s: OpenSSL does not show what it signs: %s (too weak for "
		    "security level %d? @SECLEVEL=0 in --ciphers client:LIST lowers it)", intercept->settings.ca_cert,
		    ERR_reason_error_string(ERR_peek_error()), SSL_CTX_get_security_level(context));
	X509_free(cert);
	return well;
}

/* The mint, with the CA of the settings or one for this run. */
static bool
make_mint(struct intercept *intercept, bool *usage, char *error)
{
	const struct intercept_settings *settings = &intercept->settings;
	char why[CA_ERROR_MAX], print[3 * EVP_MAX_MD_SIZE];
	struct pem_pair ca;

	*usage = settings->ca_cert != NULL;
	if (*usage ? !ca_read(&ca, settings->ca_cert, settings->ca_key, why) : !ca_make(&ca, why)) {
		snprintf(error, INTERCEPT_ERROR_MAX, "%s", why);
		pem_pair_free(&ca);
		return false;
	}
	if (!*usage) {
		fingerprint(ca.cert, print);
		note(intercept, "without --ca-cert certificates are signed by a CA made for this run, which no client trusts "
		    "(SHA-256 %s); --make-ca makes one to keep", print);
	}
	intercept->mint = mint_new(ca.cert, ca.key, ca.chain, (enum intercept_bad_cert)settings->bad_cert);
	pem_pair_free(&ca);
	if (intercept->mint != NULL)
		return !*usage || can_be_shown(intercept, error);
	*usage = false;
	snprintf(error, INTERCEPT_ERROR_MAX, "no key for certificates could be made: %s",
	    ERR_reason_error_string(ERR_peek_error()));
	return false;
}

static bool
read_given(struct intercept *intercept, char *error)
{
	const struct intercept_settings *settings = &intercept->settings;
	char why[PEM_ERROR_MAX];

	if (!pem_pair_read(&intercept->given, "--cert", settings->cert, "--key", settings->key, why)) {
		snprintf(error, INTERCEPT_ERROR_MAX, "%s", why);
		return false;
	}
	if (SSL_CTX_use_cert_and_key(intercept->contexts[SMTP_CLIENT], intercept->given.cert, intercept->given.key,
	    intercept->given.chain, 1) == 1)
		return true;
	snprintf(error, INTERCEPT_ERROR_MAX, "--cert %s: OpenSSL does not take it: %s (a key too small for security level "
	    "%d? @SECLEVEL=0 in --ciphers client:LIST lowers it)", settings->cert,
	    ERR_reason_error_string(ERR_peek_error()),
	    SSL_CTX_get_security_level(intercept->contexts[SMTP_CLIENT]));
	ERR_clear_error();
	return false;
}

/* Adds names under which a host is reached from itself. */
static bool
add_local(STACK_OF(GENERAL_NAME) *names)
{
	static const char *const locals[] = {"localhost", "127.0.0.1", "::1"};
	STACK_OF(GENERAL_NAME) *more;
	X509_NAME *subject;
	GENERAL_NAME *name;

	for (size_t i = 0; i < sizeof locals / sizeof *locals; i++) {
		if (!certificate_names_of(view_of(locals[i]), &subject, &more))
			return false;
		name = sk_GENERAL_NAME_pop(more);
		X509_NAME_free(subject);
		sk_GENERAL_NAME_free(more);
		if (sk_GENERAL_NAME_push(names, name) == 0) {
			GENERAL_NAME_free(name);
			return false;
		}
	}
	return true;
}

/* One certificate for all connections, signed by itself. */
static bool
make_own(struct intercept *intercept, char *error)
{
	struct pem_pair *own = &intercept->given;
	STACK_OF(GENERAL_NAME) *names = NULL;
	X509_NAME *subject = NULL;
	bool well;

	own->key = certificate_new_key();
	own->chain = sk_X509_new_null();
	well = own->key != NULL && own->chain != NULL &&
	    certificate_names_of(view_of(intercept->settings.own_name), &subject, &names) && add_local(names);
	if (well)
		own->cert = certificate_make(&(struct certificate_order){
		    .subject = subject, .names = names, .key = own->key, .from_s = -DAY, .until_s = OWN_VALID});
	X509_NAME_free(subject);
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	well = own->cert != NULL &&
	    SSL_CTX_use_cert_and_key(intercept->contexts[SMTP_CLIENT], own->cert, own->key, own->chain, 1) == 1;
	if (!well)
		snprintf(error, INTERCEPT_ERROR_MAX, "no certificate could be made: %s",
		    ERR_reason_error_string(ERR_peek_error()));
	return well;
}

static bool
open_secrets(struct intercept *intercept, char *error)
{
	char why[SECRETS_LOG_ERROR_MAX];

	if (intercept->settings.keylog == NULL)
		return true;
	intercept->secrets = secrets_log_open(intercept->settings.keylog, why);
	if (intercept->secrets == NULL) {
		snprintf(error, INTERCEPT_ERROR_MAX, "%s", why);
		return false;
	}
	note(intercept, "--keylog %s: its secrets open all of both legs, credentials included; nothing in it can be masked",
	    intercept->settings.keylog);
	return true;
}

static bool
make_all(struct intercept *intercept, bool *usage, char *error)
{
	const struct intercept_settings *settings = &intercept->settings;

	*usage = true;
	if (!fit_together(settings, error) || !open_secrets(intercept, error) ||
	    !intercept_contexts_make(intercept, error))
		return false;
	if (settings->cert != NULL)
		return read_given(intercept, error);
	if (settings->own_name == NULL)
		return make_mint(intercept, usage, error);
	*usage = false;
	return make_own(intercept, error);
}

struct intercept *
intercept_new(const struct intercept_settings *settings, bool *usage, char error[static INTERCEPT_ERROR_MAX])
{
	struct intercept *intercept = calloc(1, sizeof *intercept);
	bool well;

	if (intercept == NULL)
		abort();
	intercept->settings = *settings;
	well = make_all(intercept, usage, error);
	ERR_clear_error();
	if (well)
		return intercept;
	intercept_free(intercept);
	return NULL;
}

void
intercept_free(struct intercept *intercept)
{
	if (intercept == NULL)
		return;
	for (size_t i = 0; i < 2; i++)
		SSL_CTX_free(intercept->contexts[i]);
	mint_free(intercept->mint);
	pem_pair_free(&intercept->given);
	secrets_log_close(intercept->secrets);
	for (size_t i = 0; i < INTERCEPT_NOTES; i++)
		free(intercept->notes[i]);
	free(intercept);
}

char *
intercept_trust_advice(const char *ca_cert)
{
	return ca_trust_advice(ca_cert);
}
