/* SPDX-License-Identifier: MIT */
/*
 * The name of the user in what a client answers to a SASL mechanism, and nothing else of it:
 * passwords, tokens and proofs are passed over without being kept. A mechanism is a row.
 */
#include "decoders/smtp/auth.h"

#include "decoders/base64.h"

/* Names stand at the start of a payload; what is behind (a token of some KiB) is not looked at. */
#define PAYLOAD_MAX    1536     /* octets, a multiple of 3 */

static struct view
before(struct view v, char stop)
{
	const char *found = v.len == 0 ? NULL : memchr(v.at, stop, v.len);

	return found == NULL ? v : view_first(v, (size_t)(found - v.at));
}

/* RFC 4616 2: authorization identity NUL authentication identity NUL password. */
static struct view
plain_user(struct view payload)
{
	struct view authzid = before(payload, '\0');
	struct view authcid = before(view_from(payload, authzid.len + 1), '\0');

	return authcid.len > 0 ? authcid : authzid;
}

static struct view
whole(struct view payload)
{
	return payload;
}

/* RFC 2195 2: user SP digest; the user's name may have spaces. */
static struct view
cram_user(struct view payload)
{
	for (size_t n = payload.len; n > 0; n--)
		if (payload.at[n - 1] == ' ')
			return view_first(payload, n - 1);
	return VIEW_NONE;
}

/* RFC 2831 2.1.2: username="..." among others, separated by commas. */
static struct view
digest_user(struct view payload)
{
	struct view start = VIEW("username=\"");

	for (; payload.len >= start.len; payload = view_from(payload, 1))
		if (view_starts_nocase(payload, start))
			return before(view_from(payload, start.len), '"');
	return VIEW_NONE;
}

/* Google's: user=... ^A auth=Bearer ... ^A ^A */
static struct view
xoauth2_user(struct view payload)
{
	if (!view_starts_nocase(payload, VIEW("user=")))
		return VIEW_NONE;
	return before(view_from(payload, 5), '\1');
}

/*
 * The attribute in the list that a GS2 header begins (RFC 5801 4): of SCRAM n= is the user
 * (RFC 5802 5.1), of OAUTHBEARER a= (RFC 7628 3.1).
 */
static struct view
gs2_attribute(struct view payload, char name)
{
	while (payload.len > 0) {
		struct view part = before(payload, ',');

		if (part.len >= 2 && part.at[0] == name && part.at[1] == '=')
			return view_from(part, 2);
		payload = view_from(payload, part.len + 1);
	}
	return VIEW_NONE;
}

static struct view
scram_user(struct view payload)
{
	return gs2_attribute(payload, 'n');
}

static struct view
oauthbearer_user(struct view payload)
{
	return gs2_attribute(before(payload, '\1'), 'a');
}

static const struct {
	struct view name;               /* of the mechanism */
	bool        family;             /* all mechanisms whose names begin so */
	bool        escapes;            /* "=2C" and "=3D" stand for "," and "=" (RFC 5801 4) */
	struct view (*user)(struct view payload);       /* of the client's first response */
} mechanisms[] = {
	{{"PLAIN", 5}, false, false, plain_user},
	{{"LOGIN", 5}, false, false, whole},
	{{"CRAM-MD5", 8}, false, false, cram_user},
	{{"DIGEST-MD5", 10}, false, false, digest_user},
	{{"XOAUTH2", 7}, false, false, xoauth2_user},
	{{"OAUTHBEARER", 11}, false, true, oauthbearer_user},
	{{"SCRAM-", 6}, true, true, scram_user},
	{{"EXTERNAL", 8}, false, false, whole},         /* RFC 4422 A: whom to act as, often empty */
	{{"ANONYMOUS", 9}, false, false, whole},        /* RFC 4505 2: a trace, often an address */
};

static size_t
copy_unescaped(struct view name, bool escapes, char *user, size_t size)
{
	size_t n = 0;

	while (name.len > 0 && n < size) {
		size_t used = 1;

		user[n] = *name.at;
		if (escapes && view_starts_nocase(name, VIEW("=2C")))
			user[n] = ',', used = 3;
		else if (escapes && view_starts_nocase(name, VIEW("=3D")))
			user[n] = '=', used = 3;
		name = view_from(name, used);
		n++;
	}
	return n;
}

size_t
smtp_auth_user(struct view mechanism, unsigned step, struct view response, char *user, size_t size)
{
	char   payload[PAYLOAD_MAX];
	long   len;
	size_t i;

	for (i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
		if (view_equal_nocase(mechanism, mechanisms[i].name) ||
		    (mechanisms[i].family && view_starts_nocase(mechanism, mechanisms[i].name)))
			break;
	if (i == sizeof(mechanisms) / sizeof(*mechanisms) || step != 0)
		return 0;
	while (response.len > 0 && (response.at[response.len - 1] == ' ' || response.at[response.len - 1] == '\t'))
		response.len--;
	len = base64_decode(view_first(response, PAYLOAD_MAX / 3 * 4), payload, sizeof(payload));
	if (len <= 0)
		return 0;
	return copy_unescaped(
	    mechanisms[i].user((struct view){payload, (size_t)len}), mechanisms[i].escapes, user, size);
}
