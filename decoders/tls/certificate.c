/* SPDX-License-Identifier: MIT */
/*
 * Whose certificate it is. Only the two names in it are decoded by OpenSSL (RFC 5280 4.1):
 * to read keys and extensions that nobody asks for would cost the most of all, and what a
 * peer put there is best left alone.
 */
#include "decoders/tls/hello.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>

/* A name has no bound of its own; longer ones are cut. */
#define NAME_MAX_OCTETS 1024u

/*
 * The element of ASN.1 at the front: taken off *der, whole; *inside is its content. Those of
 * indefinite length are none in DER.
 */
static bool
take_element(struct view *der, int *tag, struct view *whole, struct view *inside)
{
	const unsigned char *start = (const unsigned char *)der->at, *at = start;
	long length;
	int  class, flags;

	if (der->len == 0)
		return false;
	flags = ASN1_get_object(&at, &length, tag, &class, (long)der->len);
	if (flags & 0x80 || (flags & 1) || length < 0 || (size_t)length > der->len - (size_t)(at - start))
		return false;
	if (class == V_ASN1_CONTEXT_SPECIFIC)
		*tag = -1;
	*whole = view_first(*der, (size_t)(at - start) + (size_t)length);
	*inside = (struct view){(const char *)at, (size_t)length};
	*der = view_from(*der, whole->len);
	return true;
}

/* Finds issuer and subject: tbsCertificate is version [0], serial, algorithm, issuer, validity, subject. */
static bool
find_names(struct view der, struct view *issuer, struct view *subject)
{
	struct view whole, inside, tbs, skipped;
	int         tag;

	if (!take_element(&der, &tag, &whole, &inside) || tag != V_ASN1_SEQUENCE ||
	    !take_element(&inside, &tag, &whole, &tbs) || tag != V_ASN1_SEQUENCE ||
	    !take_element(&tbs, &tag, &whole, &skipped))
		return false;
	if (tag == -1 && !take_element(&tbs, &tag, &whole, &skipped))
		return false;
	return tag == V_ASN1_INTEGER && take_element(&tbs, &tag, &whole, &skipped) &&
	    take_element(&tbs, &tag, issuer, &skipped) && take_element(&tbs, &tag, &whole, &skipped) &&
	    take_element(&tbs, &tag, subject, &skipped);
}

/* Cuts what is too long, not inside a character of UTF-8. */
static size_t
cut_length(const char *text, size_t len)
{
	if (len <= NAME_MAX_OCTETS)
		return len;
	len = NAME_MAX_OCTETS;
	while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static char *
name_text(struct view der)
{
	const unsigned char *at = (const unsigned char *)der.at;
	X509_NAME *name = d2i_X509_NAME(NULL, &at, (long)der.len);
	BIO       *bio = BIO_new(BIO_s_mem());
	char      *octets, *text = NULL;
	long       len;

	/* UTF-8 as it is: RFC 4514 2.4 asks for no escapes there. */
	if (name != NULL && bio != NULL &&
	    X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(bio, &octets);
		if (len >= 0)
			text = strndup(len > 0 ? octets : "", cut_length(octets, (size_t)len));
	}
	BIO_free(bio);
	X509_NAME_free(name);
	return text;
}

bool
tls_certificate_names(struct view der, char **subject, char **issuer)
{
	struct view issuer_der, subject_der;
	bool        found;

	*subject = *issuer = NULL;
	/* What OpenSSL thinks of a peer's octets stays here. */
	ERR_set_mark();
	found = find_names(der, &issuer_der, &subject_der) && (*subject = name_text(subject_der)) != NULL &&
	    (*issuer = name_text(issuer_der)) != NULL;
	ERR_pop_to_mark();
	if (!found) {
		free(*subject);
		*subject = NULL;
	}
	return found;
}
