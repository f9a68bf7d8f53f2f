/* SPDX-License-Identifier: MIT */
/*
 * A session from the inside, for the files of this room alone.
 */
#ifndef SESSIONS_STATE_H
#define SESSIONS_STATE_H

#include "decoders/smtp/auth.h"
#include "decoders/smtp/ehlo.h"
#include "proxy/arena.h"
#include "proxy/sessions/session.h"
#include "proxy/sessions/transaction.h"

/* The server's leg, as far as the dialogue is concerned (law: legs part company). */
enum server_leg {
	SERVER_OPEN,            /* reached, or being reached */
	SERVER_REFUSED,         /* a rule gave another greeting than 2xx: there is none */
	SERVER_UNREACHABLE,
	SERVER_LEFT             /* closed by us inside content that a rule answered */
};

/* What a session keeps about a command until it is answered. */
struct note {
	struct note        *next;               /* in the session's free list */
	struct transaction *transaction;        /* that it belongs to or opened; a reference */
	struct transaction *previous;           /* that it ended; goes on if it is refused; a reference */
	bool                ended;              /* it ended what went before */
	uint32_t            recipient;          /* RCPT: index in the transaction */
	char               *line;               /* owned: the command, if a rule at its reply may ask */
	size_t              line_len;
	bool                line_secret;        /* all of it is a credential, as nothing in it says */
	char               *forged;             /* owned: what the client gets in its turn */
	size_t              forged_len;
	uint16_t            forged_code;
	uint8_t             forged_origin;      /* enum event_origin */
	char               *verb_name;          /* owned: of an unknown verb, upper case; NULL: known */
};

/* An AUTH exchange that is going on. */
struct auth_state {
	char     mechanism[32];
	char     user[256];
	char     secret[512];                   /* with --show-secrets alone */
	size_t   mechanism_len, user_len, secret_len;
	unsigned step;                          /* responses of the client so far */
	bool     cancelled;
	bool     given;                         /* a secret was given: "" is one */
};

/* A unit on its way through the rules: what it is, what they said, how far that has been done. */
struct passage {
	struct smtp_unit unit;
	uint64_t         arrived_us;
	uint8_t          raised[8];             /* enum finding, as far as raised_count says */
	size_t           truncate_at;           /* where truncated */
	/* From here on all is 0 at first. */
	struct verdict   verdict;
	struct note     *note;                  /* of a command */
	size_t           step;                  /* the next to be done */
	struct step     *reply;                 /* the step that answers it; NULL: none */
	unsigned         raised_count;
	uint32_t         repeat;                /* it goes on so often more */
	bool             dropped, held;
	bool             truncated;             /* behind truncate_at octets; its direction ends with it */
	bool             by_proxy;              /* what the client is told instead is the proxy's, not a rule's */
	bool             close[2], reset[2];    /* by enum smtp_side */
	enum rules_place place;
};

/* Whether a rule ends the session with it. */
static inline bool
passage_ends(const struct passage *p)
{
	return p->close[0] | p->close[1] | p->reset[0] | p->reset[1];
}

/* A passage that a delay has stopped, or a server that gets one command at a time; with all that it borrows. */
struct pending {
	struct pending *next;                   /* of those that are spent */
	struct passage  passage;
	struct arena   arena;
	bool           resumed;
	bool           in_turn;                 /* it waits until the server owes nothing, and for no time */
};

/* The octets of one side on their way to the other. */
struct direction {
	size_t          ahead;                  /* of the unused octets: put out already */
	uint64_t        octets, opaque;         /* received and not thrown away; of these went by undecoded */
	struct pending *pending;                /* a unit waits; NULL: none */
	bool            held;                   /* by `hold` or `truncate`: nothing goes on any more */
	bool            truncated;              /* FIN is behind what it has put out: no octet may follow */
	bool            blocked;                /* octets wait, maybe for what the other side says */
	bool            interrupted;            /* octets wait until the other side has been fed */
	bool            eof, ended;             /* nothing more comes from it; FIN was put towards the other side */
	bool            fin;                    /* it said FIN */
};

/* Content, from the octets' side. */
enum content_way {
	CONTENT_FORWARDED,
	CONTENT_SWALLOWED,      /* the server does not know of it */
	CONTENT_WITHHELD,       /* kept back until a rule has decided; then one of the two above */
	CONTENT_TAIL_WITHHELD   /* too much to keep: all but the last octet goes on */
};

/* Octets that must wait. */
struct kept_octets {
	char  *octets;                          /* owned */
	size_t len, room;
};

struct session {
	const struct session_config *config;
	uint64_t              number, opened_us, now_us;
	uint64_t              connected_us;     /* the server's leg; 0: not yet */
	struct smtp_dialogue  dialogue;
	struct rules_run      rules;
	struct direction      from[2];          /* by enum smtp_side */
	struct plan          *plan;             /* of the call that is going on */
	struct transaction   *sending;          /* by the commands that the client has sent; a reference */
	struct transaction   *content;          /* whose content is coming in; a reference */
	struct kept_octets    withheld;         /* of the content that is coming in */
	struct kept_octets    injections;       /* for the server, once they would stand between commands */
	struct auth_state    *auth;             /* NULL: no AUTH is going on */
	struct note          *free_notes;
	struct pending       *spent;            /* the plan borrows from them: they go with the next call */
	struct cut           *cut[2];           /* a cut unit whose event waits for its end; owned */
	char                 *helo, *user;      /* owned; NULL: none */
	uint32_t             *findings;         /* by enum finding; owned; NULL: none yet */
	smtp_keyword_set      keywords[2];      /* offered: as the client was told, as the server said */
	uint64_t              size_limit;       /* octets, where a rule has offered less room than the server has; 0: none */
	uint64_t              commands, replies, messages, transactions, contents;
	uint64_t              recipients;       /* RCPTs since the last MAIL, RSET, ... */
	uint64_t              told;             /* octets for the client */
	uint64_t              not_replies;      /* lines of the server's before its first reply */
	struct tls_reader    *passed;           /* reads along while TLS is handed over; NULL: not, or no longer */
	uint32_t              passed_octets;    /* that it was given */
	bool                  has_keys;         /* somebody can read the TLS that goes by */
	uint32_t              gaps;
	uint32_t              waiting;          /* so many of the client's octets could not be judged when they came; see waited */
	uint64_t              deadline_us;      /* of a close that waits for replies; 0: none */
	const char           *end_how;          /* close event; NULL: nothing has ended it yet */
	char                 *end_reason;       /* owned */
	unsigned              unplain;          /* entries of the queue that are not the peers' own */
	unsigned              forged;           /* notes that have something forged */
	unsigned              free_count;
	uint8_t               end_by;           /* enum event_side */
	uint8_t               server;           /* enum server_leg */
	uint8_t               content_way;      /* enum content_way */
	struct securing      *securing;         /* owned; NULL: all TLS passes */
	bool                  starttls_told;    /* the client was told 220 to STARTTLS */
	bool                  tls_fresh;        /* TLS has come of that, and the client has sent nothing in it yet */
	bool                  unheard;          /* nobody takes the TLS that it begins: it is thrown away */
	bool                  rsp_inject_told, rsp_inside;      /* glued.c: octets of the server's; they end inside a line */
	bool                  has_rules;        /* at all */
	bool                  offered;          /* EHLO or its like has been answered: what is offered is known */
	bool                  greeted, tls, closing, forced, over, first_reply;
	uint16_t              waited;           /* the client's octets came while they could not be judged yet: SMTP_MARK_ */
	bool                  secret_rest;      /* wire.c: the rest of the client's cut line is secret */
	bool                  opaque_known, opaque_tls; /* wire.c: what the client's undecoded octets are */
	bool                  wire_quiet;       /* the capture ends, and not the streams */
	bool                  spare;            /* its memory is of config->spares, and goes there */
	bool                  ahead;            /* what is put out now is not a whole unit yet */
	uint8_t               wire_kind;        /* enum wire_kind, of the server's unit */
	const struct smtp_unit *wire_unit;      /* the client's that settles now; NULL: none does */
	union {
		struct sockaddr_in  in;
		struct sockaddr_in6 in6;
		struct sockaddr     any;
	} client;
	struct view           client_text, client_address, server_text, listener_text;
	char                  texts[];          /* what these views look into */
};

/* session.c */
/* The first cause that ends a session is the one that its close event names. */
void session_ends(struct session *s, enum event_side by, const char *how, struct view reason);
/* What the client is owed still goes out; then FIN, at the latest in 5 s. */
void session_closing(struct session *s);
/* Frees old, returns a copy of text with a NUL behind it, owned by the caller. */
char *session_keep_text(char *old, struct view text);
bool session_judge(struct session *s, struct passage *p, const struct rules_facts *facts, struct view unit);
/* Whether a rule may have something to say: else nothing need be made ready for it. */
static inline bool
session_has_rules(const struct session *s)
{
	return s->has_rules && !s->rules.passed;
}

/* opening.c: the memory of s goes, and what it owns has gone */
void session_goes(struct session *s);
/* opening.c: rules at `connect` have been asked; what they say is carried out */
void opening_goes_on(struct session *s, struct passage *p);

/* ending.c */
void ending_goes_on(struct session *s);                 /* of a session that is closing */
/* Which has said FIN, and what it said before has been fed; stuck: but for octets that wait. */
void ending_of_side(struct session *s, enum smtp_side from, bool stuck);
void ending_of_rule(struct session *s, const struct passage *p);
static inline void
ending_by_rule(struct session *s, const struct passage *p)              /* `close`, `reset` */
{
	if (passage_ends(p))
		ending_of_rule(s, p);
}
/* `truncate`: behind what has been put out comes FIN, and nothing more goes that way. */
void direction_ends(struct session *s, enum smtp_side from);

/* notes.c */
struct note *note_new(struct session *s);
void note_free(struct session *s, struct note *note, bool refused);
void note_leaves(void *session, struct smtp_exchange *e);
void note_forge(struct session *s, struct note *note, struct view octets, uint16_t code, enum event_origin origin);
void note_forget_forged(struct session *s, struct note *note);

/* session.c */
void spent_free(struct session *s);
void pending_done(struct session *s, struct direction *dir);
void call_begins(struct session *s, uint64_t time_us, struct plan *plan);
void call_ends(struct session *s);
void unit_settles(struct session *s, enum smtp_side from, struct passage *p);
bool client_may_go_on(struct session *s);

/* outward.c: octets on their way out */
void put_octets(struct session *s, enum smtp_side to, struct view octets);
void put_unit(struct session *s, enum smtp_side from, struct view wire);
void put_changed(struct session *s, enum smtp_side from, struct view wire, struct view instead);
void take_unit(struct session *s, enum smtp_side from, struct view wire);
void put_ahead(struct session *s, enum smtp_side from, struct view rest);
void put_end(struct session *s, enum smtp_side to, enum ending ending);
void put_pace(struct session *s, enum smtp_side to, const struct pace *pace);
bool plan_has_room(const struct session *s);
void octets_keep(struct kept_octets *kept, struct view octets);

/* injections.c: commands of a rule's, for the server */
void inject_server(struct session *s, const struct passage *p, struct view octets);
/* The command that has just gone to the server goes again, so often. */
void inject_copies(struct session *s, struct view line, uint32_t count);
void injections_put(struct session *s);
static inline void
injections_go_out(struct session *s)
{
	if (s->injections.len > 0)
		injections_put(s);
}
/* Whether they wait for the server's answers alone. */
bool injections_wait(struct session *s);
void injections_forget(struct session *s);

/* steps.c */
/* Offline: that a rule acted, and nothing more; but a message can be kept all the same. */
void step_report(struct session *s, const struct step *step);
void mark_sides(bool sides[2], enum step_which which);
bool steps_run(struct session *s, enum smtp_side from, struct passage *p);
void steps_pause(struct session *s, enum smtp_side from, struct passage *p);
/* Its steps are done; it waits until verdicts_wait_for says no more. */
void steps_wait(struct session *s, struct passage *p);
/* The same, until somebody sets its pending's resumed. */
void steps_keep(struct session *s, enum smtp_side from, struct passage *p);

/* commands.c, replies.c, contents.c: one unit each, up to its verdict; then behind it */
void command_arrives(struct session *s, struct passage *p);
void command_settles(struct session *s, struct passage *p);
/* The transaction that the client's commands are in; one without MAIL where there is none. */
struct transaction *session_transaction(struct session *s);
void auth_line_settles(struct session *s, struct passage *p);
void auth_response(struct session *s, struct view response);
void reply_arrives(struct session *s, struct passage *p);
void reply_settles(struct session *s, struct passage *p);
int64_t reply_latency(const struct session *s, const struct passage *p);
void client_told(struct session *s, struct smtp_exchange *e, const struct smtp_reply *told,
    const struct smtp_reply *said);
void content_begins(struct session *s, struct transaction *t, const char *transfer, enum content_way way);
void content_ends(struct session *s);   /* no more of it comes, and its transaction is over */
void content_arrives(struct session *s, struct passage *p);
void content_settles(struct session *s, struct passage *p);
void content_end_settles(struct session *s, struct passage *p);
/* Rules at CONTENT are to be asked once the header is there: until then its octets are kept, which are few. */
bool content_awaits_header(const struct session *s);
void content_tell_passed(struct session *s, struct view octets);
void withheld_release(struct session *s);
void withheld_forget(struct session *s);

/* losses.c */
/* A rule has answered what belongs to the transaction in another way than the server, or for it. */
void parted_by(struct transaction *t, const struct passage *p);
/* The content is answered; of is the recipient in LMTP. told NULL: the client is not told; said NULL: nobody said. */
void losses_tell(struct session *s, const struct transaction *t, const struct recipient *of,
    const struct smtp_reply *told, const struct smtp_reply *said);

/* verdicts.c: the rows of law 5, and forged replies in their turn */
bool verdicts_answer(struct session *s, const struct smtp_command *command, struct view *reply, bool *close);
struct view verdicts_change(struct session *s, const struct smtp_unit *unit);
void verdicts_starttls_told(struct session *s, uint16_t told, uint16_t said);
void verdicts_tls_with_server_alone(struct session *s);
bool verdicts_hold_commands(struct session *s);
bool verdicts_wait(struct session *s);
bool verdicts_wait_for(struct session *s, const struct passage *p);
bool verdicts_one_by_one(const struct session *s);
void verdicts_content_end_answered(struct session *s, bool by_count);
void verdicts_leave_server(struct session *s);
void verdicts_lmtp_missing(struct session *s, struct smtp_exchange *e);
void forged_go_out(struct session *s);
/* The client is told now what a rule or the proxy says; code 0: as the octets say. */
void forged_tell(struct session *s, struct smtp_exchange *e, struct view octets, uint16_t code,
    enum event_origin origin);

/* size.c: the client was offered less room than the server has; told and said may be NULL */
#define SIZE_REPLY VIEW("552 5.3.4 Message size exceeds fixed maximum message size\r\n")
void size_offered(struct session *s, const struct smtp_reply *told, const struct smtp_reply *said);
bool size_refuses_mail(const struct session *s, const struct smtp_command *command);
/* Of the last chunk, which is about to come. */
bool size_refuses_chunk(const struct session *s, const struct smtp_command *command);
/* All of it is there. */
bool size_refuses_content(const struct session *s);

/* passed.c: TLS that is passed on is read along as far as its hellos go */
void passed_begins(struct session *s);
void passed_goes_on(struct session *s, enum smtp_side from, struct view octets);
void passed_ends(struct session *s);

/* wire.c: octets for who wants to keep them */
void wire_opened(struct session *s, const struct session_ends *ends);
void wire_connected(struct session *s, const struct sockaddr *own, const struct sockaddr *server);
void wire_tell(struct session *s, enum wire_type type);
void wire_secured(struct session *s, enum smtp_side leg);
void wire_heard(struct session *s, enum smtp_side side);
void wire_missing(struct session *s, enum smtp_side from, uint64_t count);
void wire_ends(struct session *s, enum smtp_side leg, enum smtp_side from, bool reset);
void wire_from_client(struct session *s, const struct smtp_unit *unit);
void wire_from_server(struct session *s, const struct smtp_unit *unit);
void wire_leads_on(struct session *s, const struct smtp_unit *unit);
void wire_to_client(struct session *s, struct view octets);
/* Put out while the client's unit s->wire_unit settles, or (NULL) by nobody's. */
void wire_to_server(struct session *s, struct view octets);
/* The part of a client's unit that is a credential, or may be; .at NULL: none. */
struct view wire_secret(struct session *s, const struct smtp_unit *unit);

/* gaps.c */
bool gap_decides(struct session *s, struct view octets);

/* facts.c */
void facts_fill(struct session *s, struct rules_facts *facts, enum rules_place place);
void facts_of_command(struct session *s, struct rules_facts *facts, const struct smtp_command *command,
    const struct note *note);
void facts_of_reply(struct session *s, struct rules_facts *facts, const struct smtp_reply *reply,
    const struct smtp_exchange *e, int64_t latency_us);
void facts_of_content(struct session *s, struct rules_facts *facts, struct transaction *t);

/* cut.c: a line beyond the ceiling is told when its true length is known */
struct event_reply_of;
void cut_begins(struct session *s, enum smtp_side from, const struct passage *p, bool forwarded);
void cut_reply_begins(struct session *s, const struct passage *p, const struct event_reply_of *r);
/* Whether the start of the cut unit went nowhere, and so its rest does not go on either. */
bool cut_is_kept(const struct session *s, enum smtp_side from);
void cut_goes_on(struct session *s, enum smtp_side from, struct view rest, bool last);

/* ceilings.c */
bool ceilings_give_up(struct session *s, enum smtp_side from, size_t kept);

/* finding.c */
void finding_count(struct session *s, struct passage *p, enum finding finding);
void finding_odd_octets(struct session *s, struct passage *p, unsigned marks);
static inline void
finding_marks(struct session *s, struct passage *p, unsigned marks)
{
	if (marks & (SMTP_MARK_BARE_LF | SMTP_MARK_BARE_CR | SMTP_MARK_NUL))
		finding_odd_octets(s, p, marks);
}
/*
 * What is odd in the content: counted at once, told once a kind at its end, in one order. Where
 * the stretches are cut must not matter.
 */
void content_count_findings(struct session *s, struct transaction *t, unsigned marks);
void content_tell_findings(struct session *s, struct transaction *t);
void findings_tell_raised(struct session *s, struct passage *p, enum smtp_side from);
static inline void
findings_tell(struct session *s, struct passage *p, enum smtp_side from)
{
	if (p->raised_count > 0)
		findings_tell_raised(s, p, from);
}
void finding_tell(struct session *s, enum finding finding, enum event_side side, struct view detail,
    struct view excerpt);

#endif
