/* SPDX-License-Identifier: MIT */
/* One certificate: version 3, a random serial, the extensions that clients ask for. */
#include "proxy/intercept/certificate.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#define SERIAL_BITS 127         /* RFC 5280 4.1.2.2: positive, 20 octets at most */
#define COMMON_NAME_MAX 64      /* its upper bound (RFC 5280 A.1) */

EVP_PKEY *
certificate_new_key(void)
{
	return EVP_EC_gen("P-256");
}

static bool
set_serial(X509 *cert)
{
	BIGNUM *serial = BN_new();
	bool well = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
	    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL;

	BN_free(serial);
	return well;
}

static bool
add(X509 *cert, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, context, nid, value);
	bool well = extension != NULL && X509_add_ext(cert, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return well;
}

static bool
add_extensions(X509 *cert, const struct certificate_order *order)
{
	X509V3_CTX context;
	bool rsa = EVP_PKEY_get_base_id(order->key) == EVP_PKEY_RSA;
	bool unnamed = X509_NAME_entry_count(order->subject) == 0;

	X509V3_set_ctx(&context, order->issuer != NULL ? order->issuer : cert, cert, NULL, NULL, 0);
	if (!add(cert, &context, NID_basic_constraints, order->ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") ||
	    !add(cert, &context, NID_key_usage,
	        order->ca ? "critical,keyCertSign,cRLSign"
	        : rsa     ? "critical,digitalSignature,keyEncipherment"
	                  : "critical,digitalSignature") ||
	    !add(cert, &context, NID_subject_key_identifier, "hash"))
		return false;
	/* One that signed itself needs none (RFC 5280 4.2.1.1). */
	if (order->issuer != NULL && !add(cert, &context, NID_authority_key_identifier, "keyid"))
		return false;
	if (!order->ca && !add(cert, &context, NID_ext_key_usage, "serverAuth"))
		return false;
	return order->names == NULL || X509_add1_ext_i2d(cert, NID_subject_alt_name, (void *)(uintptr_t)order->names,
	    unnamed, X509V3_ADD_DEFAULT) == 1;
}

/* Ed25519 and Ed448 have a digest of their own. */
static const EVP_MD *
digest_of(EVP_PKEY *key)
{
	int nid;

	if (EVP_PKEY_get_default_digest_nid(key, &nid) == 2 && nid == NID_undef)
		return NULL;
	return EVP_sha256();
}

X509 *
certificate_make(const struct certificate_order *order)
{
	X509 *cert = X509_new();
	const X509_NAME *issuer = order->issuer != NULL ? X509_get_subject_name(order->issuer) : order->subject;
	EVP_PKEY *signer = order->issuer_key != NULL ? order->issuer_key : order->key;

	if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
	    X509_set_issuer_name(cert, issuer) == 1 && X509_set_subject_name(cert, order->subject) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), (long)order->from_s) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), (long)order->until_s) != NULL &&
	    X509_set_pubkey(cert, order->key) == 1 && add_extensions(cert, order) &&
	    X509_sign(cert, signer, digest_of(signer)) > 0)
		return cert;
	X509_free(cert);
	return NULL;
}

static GENERAL_NAME *
general_name(const char *host)
{
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = NULL;

	if (name != NULL && address != NULL) {
		GENERAL_NAME_set0_value(name, GEN_IPADD, address);
		return name;
	}
	text = ASN1_IA5STRING_new();
	if (name == NULL || address != NULL || text == NULL || ASN1_STRING_set(text, host, -1) != 1) {
		ASN1_OCTET_STRING_free(address);
		ASN1_IA5STRING_free(text);
		GENERAL_NAME_free(name);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	return name;
}

bool
certificate_names_of(struct view host, X509_NAME **subject, STACK_OF(GENERAL_NAME) **names)
{
	char text[256];
	GENERAL_NAME *name;
	int len = snprintf(text, sizeof text, "%.*s", (int)host.len, host.at);

	*subject = X509_NAME_new();
	*names = sk_GENERAL_NAME_new_null();
	name = len > 0 ? general_name(text) : NULL;
	if (*subject == NULL || *names == NULL || name == NULL || sk_GENERAL_NAME_push(*names, name) == 0) {
		GENERAL_NAME_free(name);
		goto out;
	}
	/* Too long for a common name: the alternative name is enough, and critical then. */
	if (len > COMMON_NAME_MAX || X509_NAME_add_entry_by_NID(*subject, NID_commonName, MBSTRING_UTF8,
	    (const unsigned char *)text, len, -1, 0) == 1)
		return true;
out:
	X509_NAME_free(*subject);
	sk_GENERAL_NAME_pop_free(*names, GENERAL_NAME_free);
	*subject = NULL;
	*names = NULL;
	return false;
}
