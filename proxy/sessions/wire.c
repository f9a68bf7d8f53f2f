/* SPDX-License-Identifier: MIT */
/*
 * Hands on a session's octets (wire.h): the client's as its units arrive, for only then is it
 * known which of them are secret; the server's as they are put out to the client. Where nobody
 * listens, nothing is done.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

static bool
is_wanted(const struct session *s)
{
	return s->config->wire.put != NULL;
}

static void
put(struct session *s, struct wire_news news)
{
	news.session = s->number;
	news.time_us = s->now_us;
	s->config->wire.put(s->config->wire.to, &news);
}

void
wire_opened(struct session *s, const struct session_ends *ends)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = WIRE_OPENED, .client = ends->client, .server = ends->server_address,
		    .live = !s->config->dry_run, .unheard = {ends->unheard[SMTP_CLIENT], ends->unheard[SMTP_SERVER]}});
}

void
wire_connected(struct session *s, const struct sockaddr *own, const struct sockaddr *server)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = WIRE_CONNECTED, .client = own, .server = server});
}

void
wire_tell(struct session *s, enum wire_type type)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = type});
}

void
wire_secured(struct session *s, enum smtp_side leg)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = WIRE_SECURED, .leg = leg});
}

void
wire_heard(struct session *s, enum smtp_side side)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = WIRE_HEARD, .from = side});
}

void
wire_missing(struct session *s, enum smtp_side from, uint64_t count)
{
	if (is_wanted(s) && count > 0)
		put(s, (struct wire_news){.type = WIRE_MISSING, .from = from, .missing = count});
}

/* A capture has one leg: whose octets they are does not matter there. */
static bool
has_leg(const struct session *s, enum smtp_side leg)
{
	return is_wanted(s) && (leg == SMTP_CLIENT || !s->config->dry_run);
}

void
wire_ends(struct session *s, enum smtp_side leg, enum smtp_side from, bool reset)
{
	if (s->config->dry_run)
		leg = SMTP_CLIENT;
	if (is_wanted(s) && !s->wire_quiet)
		put(s, (struct wire_news){.type = reset ? WIRE_RESET : WIRE_FIN, .leg = leg, .from = from});
}

static bool
is_base64(struct view word)
{
	while (word.len > 0 && word.at[word.len - 1] == '=')
		word.len--;
	for (size_t i = 0; i < word.len; i++) {
		char c = word.at[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return false;
	}
	return true;
}

/* Part of a line, of which the start or the end is missing: an AUTH may have stood in front of it. */
static struct view
secret_of_part(const struct session *s, const struct smtp_unit *unit)
{
	struct view text = smtp_line_text(unit->wire), word = text;
	struct smtp_command command;

	if (s->dialogue.auth_seen || s->dialogue.auth != 0)
		return text;
	smtp_command_parse(text, &command);
	if (command.verb != SMTP_VERB_UNKNOWN || !(unit->marks & SMTP_MARK_UNSURE))
		return command.secret;
	for (size_t i = 0; i < text.len; i++)
		if (text.at[i] == ' ')
			word = view_from(text, i + 1);
	return is_base64(word) ? text : VIEW_NONE;
}

struct view
wire_secret(struct session *s, const struct smtp_unit *unit)
{
	const struct smtp_command *c = &unit->as.command;
	bool cut = unit->marks & SMTP_MARK_CUT;

	switch (unit->type) {
	case SMTP_UNIT_COMMAND:
		/* What follows may be more of it, or what the ceiling has kept from being found. */
		s->secret_rest = cut && (c->secret.at != NULL || c->verb == SMTP_AUTH || c->verb == SMTP_MAIL);
		return c->secret;
	case SMTP_UNIT_AUTH_LINE:
		s->secret_rest = cut;
		return smtp_line_text(unit->wire);
	case SMTP_UNIT_REST:
		return s->secret_rest ? smtp_line_text(unit->wire) : VIEW_NONE;
	case SMTP_UNIT_LEFTOVER:
		return secret_of_part(s, unit);
	default:
		return VIEW_NONE;
	}
}

/* Covers what of a part lies in octets, which are copied, but no line ends in it. */
static struct view
cover(struct session *s, struct view octets, struct view part)
{
	const char *from = part.at > octets.at ? part.at : octets.at, *end = octets.at + octets.len;
	struct view copy;

	if (part.len == 0 || s->config->show_secrets)
		return octets;
	if (part.at + part.len < end)
		end = part.at + part.len;
	if (from >= end)
		return octets;
	copy = arena_copy(s->config->arena, octets);
	for (char *at = (char *)copy.at + (from - octets.at); from < end; from++, at++)
		if (*at != '\r' && *at != '\n')
			*at = '*';
	return copy;
}

/* TLS hides what is secret in it; nothing is known of other octets that could not be decoded. */
static bool
may_tell_secrets(struct session *s, struct view octets)
{
	if (!s->opaque_known) {
		s->opaque_known = true;
		s->opaque_tls = s->tls && *octets.at == 0x16;
	}
	return !s->opaque_tls;
}

/* What a unit of the client's is, and which of its octets are secret. */
static enum wire_kind
client_kind(struct session *s, const struct smtp_unit *unit, struct view *secret)
{
	*secret = wire_secret(s, unit);
	if (unit->type == SMTP_UNIT_COMMAND && unit->as.command.verb == SMTP_STARTTLS)
		return WIRE_STARTTLS;
	if (unit->type != SMTP_UNIT_OPAQUE)
		return WIRE_SMTP;
	*secret = may_tell_secrets(s, unit->wire) ? unit->wire : VIEW_NONE;
	return WIRE_OPAQUE;
}

static void
tell_from_client(struct session *s, const struct smtp_unit *unit)
{
	struct wire_news news = {.type = WIRE_OCTETS, .leg = SMTP_CLIENT, .from = SMTP_CLIENT};
	struct view secret;

	news.kind = client_kind(s, unit, &secret);
	news.octets = cover(s, unit->wire, secret);
	put(s, news);
}

/* Mostly nobody wants them: what is asked of every unit is no more than that. */
void
wire_from_client(struct session *s, const struct smtp_unit *unit)
{
	if (is_wanted(s) && unit->wire.len > 0)
		tell_from_client(s, unit);
}

static enum wire_kind
server_kind(const struct smtp_unit *unit)
{
	const struct smtp_exchange *e = unit->of;

	if (unit->type == SMTP_UNIT_OPAQUE)
		return WIRE_OPAQUE;
	if (unit->type == SMTP_UNIT_REPLY && e != NULL && e->kind == SMTP_COMMAND && e->verb == SMTP_STARTTLS)
		return unit->as.reply.code == 220 ? WIRE_STARTTLS : WIRE_STARTTLS_REFUSED;
	return WIRE_SMTP;
}

void
wire_from_server(struct session *s, const struct smtp_unit *unit)
{
	if (has_leg(s, SMTP_SERVER) && unit->wire.len > 0)
		put(s, (struct wire_news){.type = WIRE_OCTETS, .leg = SMTP_SERVER, .from = SMTP_SERVER,
		    .kind = server_kind(unit), .octets = unit->wire});
}

/* What the octets that a server's unit leads to are, until the next. */
void
wire_leads_on(struct session *s, const struct smtp_unit *unit)
{
	s->wire_kind = server_kind(unit);
}

void
wire_to_client(struct session *s, struct view octets)
{
	if (is_wanted(s))
		put(s, (struct wire_news){.type = WIRE_OCTETS, .leg = SMTP_CLIENT, .from = SMTP_SERVER,
		    .kind = s->wire_kind, .octets = octets});
}

static bool
lies_in(struct view part, struct view octets)
{
	return part.at >= octets.at && part.at + part.len <= octets.at + octets.len;
}

static void
tell_to_server(struct session *s, struct view octets)
{
	struct wire_news news = {.type = WIRE_OCTETS, .leg = SMTP_SERVER, .from = SMTP_CLIENT};
	const struct smtp_unit *unit = s->wire_unit;
	struct view secret = VIEW_NONE;
	struct smtp_command command;

	if (unit != NULL && (unit->type == SMTP_UNIT_CONTENT || unit->type == SMTP_UNIT_CONTENT_END)) {
		news.kind = WIRE_SMTP;
	} else if (unit != NULL && lies_in(octets, unit->wire)) {
		news.kind = client_kind(s, unit, &secret);
	} else {
		/* A rule's line, or one of the proxy's own. */
		smtp_command_parse(smtp_line_text(octets), &command);
		secret = command.secret;
		if (unit != NULL && secret.at == NULL && wire_secret(s, unit).at != NULL)
			secret = octets;
		if (command.verb == SMTP_STARTTLS)
			news.kind = WIRE_STARTTLS;
	}
	news.octets = cover(s, octets, secret);
	put(s, news);
}

void
wire_to_server(struct session *s, struct view octets)
{
	if (has_leg(s, SMTP_SERVER) && octets.len > 0)
		tell_to_server(s, octets);
}
