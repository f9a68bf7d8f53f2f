/* SPDX-License-Identifier: MIT */
/*
 * Hellos: what a client asks for and a server agrees to (RFC 5246 7.4.1, RFC 8446 4.1,
 * extensions as RFC 6066, RFC 7301, RFC 7366 and RFC 7627 have them). Nothing is refused:
 * peers judge each other, this reads what they said.
 */
#include "decoders/tls/hello.h"

#include "decoders/tls/take.h"

enum extension {
	SERVER_NAME = 0, ALPN = 16, ENCRYPT_THEN_MAC = 22, EXTENDED_MASTER_SECRET = 23, EARLY_DATA = 42,
	SUPPORTED_VERSIONS = 43
};

/* The SHA-256 of "HelloRetryRequest" stands where a server's random would (RFC 8446 4.1.3). */
static const unsigned char retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
	0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c
};

/* ServerNameList: the first host_name (RFC 6066 3). A server's is empty. */
static struct view
host_name(struct view extension)
{
	struct view list, name;
	uint32_t    type;

	if (!take_vector(&extension, 2, &list))
		return VIEW_NONE;
	while (take_number(&list, 1, &type) && take_vector(&list, 2, &name))
		if (type == 0)
			return name;
	return VIEW_NONE;
}

/* ProtocolNameList: its first; a server's has one (RFC 7301 3.1). */
static struct view
first_protocol(struct view extension)
{
	struct view list, name;

	if (!take_vector(&extension, 2, &list) || !take_vector(&list, 1, &name))
		return VIEW_NONE;
	return name;
}

/* The highest of a client's versions; GREASE (RFC 8701) and drafts are none. */
static uint16_t
highest_version(struct view extension)
{
	struct view list;
	uint32_t    version, highest = 0;

	if (!take_vector(&extension, 1, &list))
		return 0;
	while (take_number(&list, 2, &version))
		if (version <= TLS_1_3 && version > highest)
			highest = version;
	return (uint16_t)highest;
}

static void
read_extensions(struct view extensions, bool server, struct tls_hello *hello)
{
	struct view extension;
	uint32_t    type, version;

	while (take_number(&extensions, 2, &type) && take_vector(&extensions, 2, &extension)) {
		switch (type) {
		case SERVER_NAME:
			hello->sni = host_name(extension);
			break;
		case ALPN:
			hello->alpn = first_protocol(extension);
			break;
		case ENCRYPT_THEN_MAC:
			hello->encrypt_then_mac = true;
			break;
		case EXTENDED_MASTER_SECRET:
			hello->extended_master_secret = true;
			break;
		case EARLY_DATA:
			hello->early_data = true;
			break;
		case SUPPORTED_VERSIONS:
			if (server && take_number(&extension, 2, &version))
				hello->version = (uint16_t)version;
			else if (!server && highest_version(extension) != 0)
				hello->version = highest_version(extension);
			break;
		default:
			break;
		}
	}
}

/* What both hellos begin with. */
static bool
hello_begin(struct view *message, struct tls_hello *hello)
{
	uint32_t version;

	*hello = (struct tls_hello){.version = 0};
	if (!take_number(message, 2, &version) || version >> 8 != 3 || !take(message, 32, &hello->random) ||
	    !take_vector(message, 1, &hello->session_id))
		return false;
	hello->version = (uint16_t)version;
	return true;
}

bool
tls_client_hello_parse(struct view message, struct tls_hello *hello)
{
	struct view ciphers, compressions, extensions;

	if (!hello_begin(&message, hello) || !take_vector(&message, 2, &ciphers) ||
	    !take_vector(&message, 1, &compressions))
		return false;
	if (take_vector(&message, 2, &extensions))
		read_extensions(extensions, false, hello);
	return true;
}

bool
tls_server_hello_parse(struct view message, struct tls_hello *hello)
{
	struct view extensions;
	uint32_t    cipher, compression;

	if (!hello_begin(&message, hello) || !take_number(&message, 2, &cipher) ||
	    !take_number(&message, 1, &compression))
		return false;
	hello->cipher = (uint16_t)cipher;
	hello->retry = memcmp(hello->random.at, retry_random, sizeof retry_random) == 0;
	if (take_vector(&message, 2, &extensions))
		read_extensions(extensions, true, hello);
	return true;
}

struct view
tls_encrypted_extensions_alpn(struct view message)
{
	struct tls_hello hello = {.version = 0};
	struct view      extensions;

	if (take_vector(&message, 2, &extensions))
		read_extensions(extensions, true, &hello);
	return hello.alpn;
}

struct view
tls_version_name(uint16_t version)
{
	switch (version) {
	case 0x0300:
		return VIEW("SSLv3");
	case 0x0301:
		return VIEW("TLSv1");
	case 0x0302:
		return VIEW("TLSv1.1");
	case TLS_1_2:
		return VIEW("TLSv1.2");
	case TLS_1_3:
		return VIEW("TLSv1.3");
	default:
		/* The last drafts are found in captures of 2017 and 2018. */
		return version >> 8 == 0x7f ? VIEW("TLSv1.3") : VIEW_NONE;
	}
}

struct view
tls_first_certificate(struct view message, bool tls_1_3)
{
	struct view context, list, certificate;

	if ((tls_1_3 && !take_vector(&message, 1, &context)) || !take_vector(&message, 3, &list) ||
	    !take_vector(&list, 3, &certificate))
		return VIEW_NONE;
	return certificate;
}
