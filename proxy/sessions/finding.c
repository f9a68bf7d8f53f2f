/* SPDX-License-Identifier: MIT */
/* Findings of a session: counted when a unit arrives, so that rules see them; told behind its event. */
#include <stdlib.h>

#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

#define EXCERPT_MAX 120u

static void
count(struct session *s, enum finding finding)
{
	if (s->findings == NULL)
		s->findings = calloc(FINDING_COUNT, sizeof *s->findings);
	if (s->findings == NULL)
		abort();
	s->findings[finding]++;
}

void
finding_count(struct session *s, struct passage *p, enum finding finding)
{
	count(s, finding);
	if (p->raised_count < sizeof p->raised)
		p->raised[p->raised_count++] = (uint8_t)finding;
}

/* What octets alone can raise. */
static const struct {
	unsigned     mark;
	enum finding finding;
} of_octets[] = {
    {SMTP_MARK_BARE_LF, FINDING_LINE_BARE_LF},
    {SMTP_MARK_BARE_CR, FINDING_LINE_BARE_CR},
    {SMTP_MARK_NUL, FINDING_LINE_NUL},
};

void
finding_odd_octets(struct session *s, struct passage *p, unsigned marks)
{
	for (size_t i = 0; i < sizeof of_octets / sizeof *of_octets; i++)
		if (marks & of_octets[i].mark)
			finding_count(s, p, of_octets[i].finding);
}

void
content_count_findings(struct session *s, struct transaction *t, unsigned marks)
{
	if (marks == 0)
		return;
	for (size_t i = 0; i < sizeof of_octets / sizeof *of_octets; i++)
		if (marks & ~(unsigned)t->marks & of_octets[i].mark)
			count(s, of_octets[i].finding);
	t->marks |= (uint16_t)marks;
}

void
content_tell_findings(struct session *s, struct transaction *t)
{
	if (t->told == t->marks)
		return;
	for (size_t i = 0; i < sizeof of_octets / sizeof *of_octets; i++)
		if (t->marks & ~(unsigned)t->told & of_octets[i].mark)
			event_finding(s, of_octets[i].finding, EVENT_CLIENT, VIEW("in the message content"), VIEW_NONE,
			    t->marks & SMTP_MARK_UNSURE);
	t->told = t->marks;
}

void
findings_tell_raised(struct session *s, struct passage *p, enum smtp_side from)
{
	bool secret = p->unit.type == SMTP_UNIT_AUTH_LINE ||
	    (p->unit.type == SMTP_UNIT_COMMAND && p->unit.as.command.secret.at != NULL) ||
	    (p->unit.type == SMTP_UNIT_LEFTOVER && from == SMTP_CLIENT && wire_secret(s, &p->unit).at != NULL);
	struct view excerpt = VIEW_NONE;

	if (!secret || s->config->show_secrets)
		excerpt = view_first(p->unit.wire, EXCERPT_MAX);
	for (unsigned i = 0; i < p->raised_count; i++)
		event_finding(s, p->raised[i], from == SMTP_CLIENT ? EVENT_CLIENT : EVENT_SERVER, VIEW_NONE, excerpt,
		    p->unit.marks & SMTP_MARK_UNSURE);
	p->raised_count = 0;
}

void
finding_tell(struct session *s, enum finding finding, enum event_side side, struct view detail,
    struct view excerpt)
{
	count(s, finding);
	event_finding(s, finding, side, detail, view_first(excerpt, EXCERPT_MAX), false);
}
