/* SPDX-License-Identifier: MIT */
/* URLs of the command line. Its text is the user's own, so str* functions may meet it. */
#include "proxy/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char     *prefix;
	enum url_scheme scheme;
	bool            tls;
	const char     *instead;        /* not NULL: not there yet, and what to do meanwhile */
} schemes[] = {
	{"smtp://", URL_SMTP, false, NULL},
	{"lmtp://", URL_LMTP, false, NULL},
	{"smtps://", URL_SMTP, true, NULL},
	{"mx:", URL_SMTP, false, "finding a server by MX is not there yet; name the host: smtp://host:25"},
};

static bool
fail(char *error, const char *text, const char *format, ...)
{
	va_list list;
	int len = snprintf(error, URL_ERROR_MAX, "\"%.300s\": ", text);

	va_start(list, format);
	vsnprintf(error + len, URL_ERROR_MAX - (size_t)len, format, list);
	va_end(list);
	return false;
}

/* What an example of the right form looks like. */
static const char *
example(enum url_use use)
{
	return use == URL_LISTEN ? "127.0.0.1:2525 or smtp://[::1]:2525" : "mx.example.org:25 or smtp://[2001:db8::1]:25";
}

static bool
is_host(struct view host)
{
	if (host.len == 0 || host.len > URL_HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		if (!isalnum((unsigned char)c) && c != '-' && c != '.' && c != '_')
			return false;
		if (c == '.' && (i == 0 || host.at[i - 1] == '.'))
			return false;
	}
	return true;
}

static bool
is_digits(struct view v)
{
	for (size_t i = 0; i < v.len; i++) {
		if (!isdigit((unsigned char)v.at[i]))
			return false;
	}
	return v.len > 0;
}

static bool
parse_port(struct view digits, enum url_use use, uint16_t *port)
{
	unsigned long n = 0;

	if (!is_digits(digits) || digits.len > 5)
		return false;
	for (size_t i = 0; i < digits.len; i++)
		n = n * 10 + (unsigned long)(digits.at[i] - '0');
	*port = (uint16_t)n;
	return n <= 65535 && (n > 0 || use == URL_LISTEN);
}

/* Fills in address where the host is a number; getaddrinfo knows scopes (fe80::1%eth0) and asks nobody. */
static bool
parse_numeric(struct url *url, int family)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_family = family, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(url->host, NULL, &hints, &found) != 0)
		return false;
	memcpy(&url->address, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	url_address_set_port(&url->address, url->port);
	return true;
}

/* Splits host[:port] or [v6][:port]. The host goes into url->host, the port's digits into *digits. */
static bool
split(const char *whole, struct view rest, enum url_use use, struct url *url, bool *v6, struct view *digits,
    char *error)
{
	struct view host;
	const char *end;

	*v6 = rest.len > 0 && rest.at[0] == '[';
	if (*v6) {
		end = memchr(rest.at, ']', rest.len);
		if (end == NULL)
			return fail(error, whole, "there is no ] behind the IPv6 address; expected %s", example(use));
		host = (struct view){rest.at + 1, (size_t)(end - rest.at) - 1};
		rest = view_from(rest, host.len + 2);
		if (rest.len > 0 && rest.at[0] != ':')
			return fail(error, whole, "\"%.*s\" stands behind the ]; expected %s", (int)rest.len,
			    rest.at, example(use));
	} else {
		end = memchr(rest.at, ':', rest.len);
		host = view_first(rest, end == NULL ? rest.len : (size_t)(end - rest.at));
		rest = view_from(rest, host.len);
		if (rest.len > 0 && memchr(rest.at + 1, ':', rest.len - 1) != NULL)
			return fail(error, whole, "an IPv6 address stands in brackets: %s", example(use));
		if (is_digits(host) && rest.len == 0)
			return fail(error, whole, "a port alone; expected a host with it: 127.0.0.1:%.*s",
			    (int)host.len, host.at);
		if (host.len == 0 || (host.len == 1 && host.at[0] == '*'))
			return fail(error, whole, use == URL_LISTEN
			    ? "no address; write 127.0.0.1:2525, or 0.0.0.0:2525 for all of this host's"
			    : "no host; expected mx.example.org:25 or smtp://[2001:db8::1]:25");
	}
	if (host.len > URL_HOST_MAX)
		return fail(error, whole, "the host is longer than %d octets", URL_HOST_MAX);
	memcpy(url->host, host.at, host.len);
	url->host[host.len] = '\0';
	*digits = rest.len > 0 ? view_from(rest, 1) : VIEW_NONE;
	return true;
}

/* What the host is: a number, a name, or nothing that can be used. */
static bool
judge_host(const char *whole, enum url_use use, bool v6, struct url *url, char *error)
{
	if (v6) {
		url->numeric = parse_numeric(url, AF_INET6);
		return url->numeric || fail(error, whole, "[%s] is no IPv6 address", url->host);
	}
	if (use == URL_LISTEN && view_equal_nocase(view_of(url->host), VIEW("localhost")))
		memcpy(url->host, "127.0.0.1", sizeof "127.0.0.1");
	url->numeric = parse_numeric(url, AF_INET);
	if (url->numeric)
		return true;
	if (!is_host(view_of(url->host)))
		return fail(error, whole, "\"%s\" is no host; expected %s", url->host, example(use));
	if (use == URL_LISTEN)
		return fail(error, whole, "a listener needs a numeric address (or localhost): %s", example(use));
	return true;
}

const char *
url_scheme_text(const struct url *url)
{
	return url->scheme == URL_LMTP ? "lmtp://" : url->tls ? "smtps://" : "smtp://";
}

bool
url_parse(const char *text, enum url_use use, uint16_t default_port, struct url *url,
    char error[static URL_ERROR_MAX])
{
	struct view rest = view_of(text), digits;
	bool v6;

	memset(url, 0, sizeof *url);
	if (view_equal_nocase(rest, VIEW("sink"))) {
		if (use == URL_LISTEN)
			return fail(error, text, "the sink is an upstream; a listener is %s", example(use));
		url->scheme = URL_SINK;
		memcpy(url->text, "sink", sizeof "sink");
		return true;
	}
	if (view_equal_nocase(rest, VIEW("original")))
		return fail(error, text, "transparent modes are not there yet; name the server: %s", example(use));
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (!view_starts_nocase(rest, view_of(schemes[i].prefix)))
			continue;
		if (schemes[i].instead != NULL)
			return fail(error, text, "%s", schemes[i].instead);
		url->scheme = schemes[i].scheme;
		url->tls = schemes[i].tls;
		rest = view_from(rest, strlen(schemes[i].prefix));
		break;
	}
	if (rest.len > 0 && rest.at[rest.len - 1] == '/')
		rest.len--;
	if (strstr(text, "://") != NULL && rest.at == text)
		return fail(error, text, "unknown scheme; there are smtp://, smtps:// and lmtp://");
	if (memchr(rest.at, '/', rest.len) != NULL || memchr(rest.at, '@', rest.len) != NULL)
		return fail(error, text, "neither path nor user belongs here; expected %s", example(use));
	if (!split(text, rest, use, url, &v6, &digits, error))
		return false;
	url->port = url->tls && use == URL_UPSTREAM ? URL_PORT_SMTPS : default_port;
	if (digits.at != NULL && !parse_port(digits, use, &url->port))
		return fail(error, text, "\"%.*s\" is no port; expected a number from %d to 65535", (int)digits.len,
		    digits.at, use == URL_LISTEN ? 0 : 1);
	if (!judge_host(text, use, v6, url, error))
		return false;
	snprintf(url->text, sizeof url->text, v6 ? "%s[%s]:%u" : "%s%s:%u", url_scheme_text(url), url->host, url->port);
	return true;
}

void
url_make_tls(struct url *url)
{
	char rest[URL_TEXT_MAX + 1];
	struct view authority = url_authority(url);

	if (url->tls || url->scheme != URL_SMTP)
		return;
	memcpy(rest, authority.at, authority.len + 1);
	url->tls = true;
	snprintf(url->text, sizeof url->text, "smtps://%.*s", URL_TEXT_MAX - 8, rest);
}

struct view
url_authority(const struct url *url)
{
	struct view text = view_of(url->text);

	return url->scheme == URL_SINK ? text : view_from(text, strlen(url_scheme_text(url)));
}

socklen_t
url_address_length(const union url_address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t
url_address_port(const union url_address *address)
{
	return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void
url_address_set_port(union url_address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET6)
		address->v6.sin6_port = htons(port);
	else
		address->v4.sin_port = htons(port);
}

/* A number of at most five digits; returns what is behind it. */
static char *
put_number(char *at, unsigned value)
{
	if (value >= 10000)
		*at++ = (char)('0' + value / 10000 % 10);
	if (value >= 1000)
		*at++ = (char)('0' + value / 1000 % 10);
	if (value >= 100)
		*at++ = (char)('0' + value / 100 % 10);
	if (value >= 10)
		*at++ = (char)('0' + value / 10 % 10);
	*at++ = (char)('0' + value % 10);
	return at;
}

/* Each session has two of these to write; printf costs twenty times as much. */
static size_t
put_ipv4(const struct sockaddr_in *address, char *text)
{
	const unsigned char *octets = (const unsigned char *)&address->sin_addr;
	char *at = text;

	for (int i = 0; i < 4; i++) {
		at = put_number(at, octets[i]);
		*at++ = i < 3 ? '.' : ':';
	}
	at = put_number(at, ntohs(address->sin_port));
	*at = '\0';
	return (size_t)(at - text);
}

struct view
url_address_text(const union url_address *address, char text[static URL_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN] = "", scope[IF_NAMESIZE] = "";
	int len;

	if (address->any.sa_family != AF_INET6)
		return (struct view){text, put_ipv4(&address->v4, text)};
	inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
	if (address->v6.sin6_scope_id != 0)
		if_indextoname(address->v6.sin6_scope_id, scope);
	len = snprintf(text, URL_ADDRESS_MAX, "[%s%s%s]:%u", host, scope[0] != '\0' ? "%" : "", scope,
	    url_address_port(address));
	return (struct view){text, (size_t)len};
}

void
url_address_unmap(union url_address *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};

	if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr))
		return;
	v4.sin_port = address->v6.sin6_port;
	memcpy(&v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
	address->v4 = v4;
}
