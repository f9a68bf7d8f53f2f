/* SPDX-License-Identifier: MIT */
/* A session's events, made from its state and handed to the outputs; secrets are masked here. */
#ifndef SESSIONS_EVENTS_H
#define SESSIONS_EVENTS_H

#include "proxy/sessions/event.h"

struct session;
struct passage;
struct step;
struct transaction;
struct smtp_exchange;
struct recipient;

void event_open(struct session *s, struct view capture, struct view preface);
void event_upstream(struct session *s, struct view server, const char *outcome, struct view reason,
    uint64_t duration_us);
/* forwarded_line .at NULL: it went as it was. true_octets 0: it was not cut. */
void event_command(struct session *s, const struct passage *p, bool forwarded, struct view forwarded_line,
    size_t true_octets);
void event_injected(struct session *s, struct view line, enum event_origin origin);
void event_injected_reply(struct session *s, struct view octets);
/* A reply as the client was sent it. original NULL: it is what the server said. */
struct event_reply_of {
	const struct smtp_exchange *of;         /* NULL: unsolicited */
	const struct smtp_reply    *reply, *original;
	enum event_origin           origin;
	bool                        delivered;
	unsigned                    marks;
	int64_t                     latency_us;
	const struct recipient     *recipient;  /* LMTP; NULL: none */
	size_t                      true_octets;
};
void event_reply(struct session *s, const struct event_reply_of *r);
void event_ehlo(struct session *s, const struct smtp_reply *told, const struct smtp_reply *said);
void event_auth(struct session *s, const char *outcome, uint16_t code);
struct tls_facts;
/* facts NULL: nothing is known. */
void event_tls(struct session *s, const char *outcome, const struct tls_facts *facts, struct view reason);
void event_tls_of_leg(struct session *s, const struct event_tls *tls);
void event_content(struct session *s, struct transaction *t, struct view stretch);
void event_message(struct session *s, struct transaction *t);
void event_finding(struct session *s, enum finding finding, enum event_side side, struct view detail,
    struct view excerpt, bool unsure);
void event_rule(struct session *s, const struct step *step);
void event_log(struct session *s, const char *rule, struct view text);
void event_undecoded(struct session *s, enum event_side side, struct view octets, uint64_t count,
    const char *reason);
void event_close(struct session *s);

/* The verb that a reply answers, as JSON's `to`; .at NULL: none. */
struct view event_reply_to(const struct smtp_exchange *e);

#endif
