/* SPDX-License-Identifier: MIT */
/*
 * Prefaces, one reader for each side of each kind. A reader looks at the octets from where a
 * preface may begin and says how many belong to it; nothing is kept between calls, so it does
 * not matter where the octets were cut. No reader of one side needs the other's octets, for a
 * capture may have one side alone, but what a server says counts only as the answer to a preface.
 */
#include "decoders/net/preface_parts.h"
#include "decoders/net/octets.h"

#define MAX_HEAD 4096           /* of the head of an HTTP request or reply */
#define MAX_V1   107            /* the longest line of version 1, by its definition */

/* Whether the octets begin with these, as far as they go. */
enum found
preface_begins(struct view octets, struct view with)
{
	if (octets.len >= with.len)
		return view_equal(view_first(octets, with.len), with) ? FOUND : NOT_THIS;
	return view_equal(octets, view_first(with, octets.len)) ? CUT_SHORT : NOT_THIS;
}

/* Takes the octets up to a space off the front of *line. */
static struct view
word_of(struct view *line)
{
	const char *space = line->len == 0 ? NULL : memchr(line->at, ' ', line->len);
	struct view word = *line;

	if (space == NULL) {
		*line = VIEW_NONE;
		return word;
	}
	word.len = (size_t)(space - line->at);
	*line = view_from(*line, word.len + 1);
	return word;
}

/* A decimal number up to max, with nothing around it. */
static bool
number_of(struct view text, size_t max, size_t *number)
{
	if (text.len == 0)
		return false;
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*number = *number * 10 + (size_t)(text.at[i] - '0');
		if (*number > max)
			return false;
	}
	return true;
}

static bool
port_of(struct view text, uint16_t *port)
{
	size_t number;

	if (!number_of(text, 65535, &number))
		return false;
	*port = (uint16_t)number;
	return true;
}

/* PROXY TCP4 192.0.2.1 198.51.100.1 56324 25, or PROXY UNKNOWN and anything. */
static bool
read_v1_line(struct view line, struct preface *p)
{
	struct view family;
	int         version;

	word_of(&line);
	family = word_of(&line);
	if (view_equal(family, VIEW("UNKNOWN")))
		return true;
	version = view_equal(family, VIEW("TCP4")) ? 4 : view_equal(family, VIEW("TCP6")) ? 6 : 0;
	if (version == 0 || !net_address_parse(word_of(&line), &p->client) ||
	    !net_address_parse(word_of(&line), &p->server) || p->client.family != version ||
	    p->server.family != version || !port_of(word_of(&line), &p->client_port) ||
	    !port_of(line, &p->server_port))
		return false;
	p->has_client = p->has_server = true;
	return true;
}

static enum found
proxy_v1(struct view octets, size_t *used, struct preface *p)
{
	enum found  start = preface_begins(octets, VIEW("PROXY "));
	struct view line = view_first(octets, MAX_V1);
	const char *lf;

	if (start != FOUND)
		return start;
	lf = memchr(line.at, '\n', line.len);
	if (lf == NULL)
		return octets.len < MAX_V1 ? CUT_SHORT : NOT_THIS;
	*used = (size_t)(lf - line.at) + 1;
	if (lf[-1] != '\r' || !read_v1_line(view_first(line, *used - 2), p))
		return NOT_THIS;
	return FOUND;
}

void
preface_address(struct net_address *address, int family, const char *octets)
{
	memset(address, 0, sizeof *address);
	address->family = (uint8_t)family;
	memcpy(address->octets, octets, family == 4 ? 4 : 16);
}

static enum found
proxy_v2(struct view octets, size_t *used, struct preface *p)
{
	enum found  start = preface_begins(octets, VIEW("\r\n\r\n\0\r\nQUIT\n"));
	size_t      size;
	int         family;
	const char *at = octets.at;

	if (start != FOUND)
		return start;
	if (octets.len < 16)
		return CUT_SHORT;
	if ((octet_at(at + 12) & 0xf0) != 0x20)
		return NOT_THIS;
	*used = 16 + (size_t)be16_at(at + 14);
	/* LOCAL is the proxy's own: a check of its health. */
	family = octet_at(at + 13) >> 4 == 1 ? 4 : octet_at(at + 13) >> 4 == 2 ? 6 : 0;
	if ((octet_at(at + 12) & 15) != 1 || family == 0)
		return FOUND;
	size = family == 4 ? 4 : 16;
	if (*used < 16 + 2 * size + 4)
		return FOUND;
	if (octets.len < 16 + 2 * size + 4)
		return CUT_SHORT;
	preface_address(&p->client, family, at + 16);
	preface_address(&p->server, family, at + 16 + size);
	p->client_port = be16_at(at + 16 + 2 * size);
	p->server_port = be16_at(at + 16 + 2 * size + 2);
	p->has_client = p->has_server = true;
	return FOUND;
}

/* The octets of an HTTP head, with the empty line that ends it. */
static enum found
head_of(struct view octets, struct view *head)
{
	struct view within = view_first(octets, MAX_HEAD);
	size_t      line = 0;

	for (size_t i = 0; i < within.len; i++) {
		if (within.at[i] != '\n')
			continue;
		if (i == line || (i == line + 1 && within.at[line] == '\r')) {
			*head = view_first(within, i + 1);
			return FOUND;
		}
		line = i + 1;
	}
	return octets.len < MAX_HEAD ? CUT_SHORT : NOT_THIS;
}

/* The first line of what is left of a head, without its end; .at NULL: no more. */
static struct view
next_line(struct view *head)
{
	const char *lf = head->len == 0 ? NULL : memchr(head->at, '\n', head->len);
	struct view line;

	if (lf == NULL)
		return VIEW_NONE;
	line = (struct view){head->at, (size_t)(lf - head->at)};
	*head = view_from(*head, line.len + 1);
	if (line.len > 0 && line.at[line.len - 1] == '\r')
		line.len--;
	return line;
}

/* "mx.example.org:25", "192.0.2.1:25", "[2001:db8::1]:25". */
static bool
read_authority(struct view text, struct preface *p)
{
	struct view host = text;

	while (host.len > 0 && host.at[host.len - 1] != ':')
		host.len--;
	if (host.len < 2 || !port_of(view_from(text, host.len), &p->server_port))
		return false;
	host.len--;
	if (host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = view_first(view_from(host, 1), host.len - 2);
	p->has_server = net_address_parse(host, &p->server);
	p->host = p->has_server ? VIEW_NONE : host;
	return true;
}

static enum found
connect_request(struct view octets, size_t *used, struct preface *p)
{
	enum found  found = preface_begins(octets, VIEW("CONNECT "));
	struct view head, line, target;

	if (found == FOUND)
		found = head_of(octets, &head);
	if (found != FOUND)
		return found;
	*used = head.len;
	line = next_line(&head);
	word_of(&line);
	target = word_of(&line);
	return preface_begins(line, VIEW("HTTP/1.")) == FOUND && read_authority(target, p) ? FOUND : NOT_THIS;
}

static enum found
connect_reply(struct view octets, size_t *used, struct preface *p)
{
	enum found  found = preface_begins(octets, VIEW("HTTP/1."));
	struct view head, line;
	size_t      body;

	if (found == FOUND)
		found = head_of(octets, &head);
	if (found != FOUND)
		return found;
	*used = head.len;
	line = next_line(&head);
	word_of(&line);
	p->refused = line.len == 0 || line.at[0] != '2';
	if (!p->refused)        /* whatever its head says, it has no content (RFC 9110 9.3.6) */
		return FOUND;
	while ((line = next_line(&head)).at != NULL) {
		if (!view_starts_nocase(line, VIEW("Content-Length:")))
			continue;
		line = view_from(line, 15);
		while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t'))
			line = view_from(line, 1);
		if (number_of(line, 1 << 24, &body))
			*used += body;
	}
	return FOUND;
}

static const struct {
	const char     *name;
	preface_reader *client;
	preface_reader *server;             /* NULL: it is not answered */
} kinds[] = {
    [PREFACE_PROXY_V1] = {"PROXY protocol v1", proxy_v1,        NULL},
    [PREFACE_PROXY_V2] = {"PROXY protocol v2", proxy_v2,        NULL},
    [PREFACE_SOCKS4] =   {"SOCKS4",            socks4_request,  socks4_reply},
    [PREFACE_SOCKS5] =   {"SOCKS5",            socks5_request,  socks5_reply},
    [PREFACE_CONNECT] =  {"HTTP CONNECT",      connect_request, connect_reply},
};

#define KINDS ((int)(sizeof kinds / sizeof *kinds))

const char *
preface_name(enum preface_kind kind)
{
	return kinds[kind].name;
}

/* One preface of the client, if there is one at its place. */
static enum found
read_one(struct view octets, struct preface *p)
{
	enum found found = NOT_THIS;

	for (int kind = 0; kind < KINDS; kind++) {
		struct preface with = *p;
		size_t         used = 0;

		with.has_server = false;
		with.host = VIEW_NONE;
		switch (kinds[kind].client(octets, &used, &with)) {
		case FOUND:
			*p = with;
			p->kinds[p->count++] = (enum preface_kind)kind;
			p->client_len += used;
			return FOUND;
		case CUT_SHORT:
			found = CUT_SHORT;
			break;
		case NOT_THIS:
			break;
		}
	}
	return found;
}

/*
 * The server's octets without the client's: these begin a reply only where nothing else begins so, and
 * say more than a reply must.
 */
static void
read_server_alone(struct view server, struct preface *p)
{
	static const enum preface_kind answered[] = {PREFACE_SOCKS4, PREFACE_SOCKS5, PREFACE_CONNECT};

	for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
		struct preface with = *p;
		size_t         used = 0;
		struct view    line = server, rest;

		if (kinds[answered[i]].server(server, &used, &with) != FOUND || with.refused || used >= server.len)
			continue;
		rest = view_from(server, used);
		line = next_line(&line);
		if (preface_begins(rest, VIEW("220")) == NOT_THIS &&
		    !(answered[i] == PREFACE_CONNECT && view_equal_nocase(view_from(line, line.len - 11), VIEW("established"))))
			continue;
		p->kinds[p->count++] = answered[i];
		p->server_len = used;
		p->server_more = false;
		return;
	}
}

/* Whether octets of a server may be a reply to any preface. */
static bool
may_be_reply(struct view server)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct preface ignored = {0};
		size_t         used;

		if (kinds[kind].server != NULL && kinds[kind].server(server, &used, &ignored) != NOT_THIS)
			return true;
	}
	return false;
}

void
preface_read(struct view client, struct view server, struct preface *p)
{
	enum found found = CUT_SHORT;

	memset(p, 0, sizeof *p);
	while (p->count < PREFACE_MAX && p->client_len < client.len) {
		found = read_one(view_from(client, p->client_len), p);
		if (found != FOUND)
			break;
	}
	p->client_more = p->client_len >= client.len ? p->count < PREFACE_MAX : found == CUT_SHORT;
	p->server_more = server.len == 0;
	if (client.len == 0) {
		p->server_more |= may_be_reply(server);
		read_server_alone(server, p);
		return;
	}
	for (int i = 0; i < p->count; i++) {
		preface_reader *read = kinds[p->kinds[i]].server;
		size_t  used = 0;

		if (read == NULL)
			continue;
		found = p->server_len < server.len ? read(view_from(server, p->server_len), &used, p) : CUT_SHORT;
		p->server_more = found == CUT_SHORT;
		if (found != FOUND)
			return;
		p->server_len += used;
	}
	/* A preface of the client's that is not whole yet may be answered. */
	if (p->client_more && p->count < PREFACE_MAX)
		p->server_more |= may_be_reply(view_from(server, p->server_len));
}
