/* SPDX-License-Identifier: MIT */
/*
 * Octets that were sent in the clear where TLS was to begin: behind STARTTLS, or behind the 220 to
 * it (RFC 3207 4.2; CVE-2011-0411, CVE-2021-22947). Whoever takes them for a part of the encrypted
 * session lets a man in the middle speak in it, and so nobody here does.
 */
#include "proxy/sessions/events.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

/* A credential that was sent in the clear is no less a secret. */
static struct view
excerpt_of(const struct session *s, struct view octets)
{
	const char *lf = memchr(octets.at, '\n', octets.len);
	struct view line = view_first(octets, lf != NULL ? (size_t)(lf - octets.at) + 1 : octets.len);
	struct smtp_command command;

	smtp_command_parse(smtp_line_text(line), &command);
	return s->config->show_secrets || (command.verb != SMTP_VERB_UNKNOWN && command.secret.at == NULL) ? line
	    : VIEW_NONE;
}

/* A handshake or an alert (RFC 8446 5.1): no text begins so, and one octet tells, wherever the cut is. */
static bool
begins_record(struct view octets)
{
	return octets.len > 0 && (*octets.at == 0x16 || *octets.at == 0x15);
}

/* Lines in front of the first record; *inside: of the first of them there was a part before, and of the last there is. */
static size_t
length_in_clear(struct view octets, bool *inside)
{
	struct view rest = octets;

	while (rest.len > 0 && (*inside || !begins_record(rest))) {
		const char *lf = memchr(rest.at, '\n', rest.len);

		*inside = lf == NULL;
		rest = view_from(rest, lf != NULL ? (size_t)(lf - rest.at) + 1 : rest.len);
	}
	return octets.len - rest.len;
}

struct view
glued_by_client(struct session *s, struct view behind)
{
	const struct securing *t = s->securing;
	bool drops = t != NULL && t->drops_glued, inside = false;
	struct view glued = view_first(behind, length_in_clear(behind, &inside));

	if (!s->starttls_told || glued.len == 0)
		return behind;
	finding_tell(s, FINDING_TLS_CMD_INJECT, EVENT_CLIENT, arena_printf(s->config->arena, "%zu octet%s behind STARTTLS, %s",
	    glued.len, glued.len == 1 ? "" : "s", drops ? "dropped" : "passed on in the clear"), excerpt_of(s, glued));
	/* What has not gone by now would come to a server that is in TLS already. */
	if (drops || (t != NULL && t->way[SMTP_CLIENT] != SESSION_TLS_PASSED))
		take_unit(s, SMTP_CLIENT, glued);
	else
		put_unit(s, SMTP_CLIENT, glued);
	s->from[SMTP_CLIENT].octets += glued.len;
	return view_from(behind, glued.len);
}

bool
glued_by_server(struct session *s, struct view octets)
{
	const struct securing *t = s->securing;

	if (octets.len == 0)
		return false;
	if (!s->rsp_inject_told)
		finding_tell(s, FINDING_TLS_RSP_INJECT, EVENT_SERVER, VIEW_NONE, VIEW_NONE);
	s->rsp_inject_told = true;
	if (t != NULL && t->drops_glued)
		take_unit(s, SMTP_SERVER, octets);
	else
		put_unit(s, SMTP_SERVER, octets);
	return true;
}

struct view
glued_from_server(struct session *s, struct view octets)
{
	size_t len;

	if (!s->starttls_told || s->from[SMTP_CLIENT].opaque > 0 || s->from[SMTP_SERVER].opaque > 0)
		return octets;
	len = length_in_clear(octets, &s->rsp_inside);
	glued_by_server(s, view_first(octets, len));
	return view_from(octets, len);
}
