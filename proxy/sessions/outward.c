/* SPDX-License-Identifier: MIT */
/*
 * Octets on their way out: segments of the plan. Neighbours that go on unchanged are one
 * segment, so that mostly a plan is the read itself; what was put out before its unit was
 * whole is remembered, so that nothing is put out twice.
 */
#include <stdlib.h>

#include "proxy/sessions/rewriting.h"
#include "proxy/sessions/securing.h"
#include "proxy/sessions/state.h"

/* Some room is left for what one unit may need at most: its own, forged replies, a pause. */
#define PLAN_RESERVE 16u

bool
plan_has_room(const struct session *s)
{
	return s->plan->segments + PLAN_RESERVE <= SESSION_SEGMENTS;
}

/* Whether octets for that side have somewhere to go. */
static bool
can_be_put(const struct session *s, enum smtp_side to)
{
	return to == SMTP_CLIENT || s->server == SERVER_OPEN;
}

static struct view
join(struct session *s, struct view front, struct view behind)
{
	char *both = arena_take(s->config->arena, front.len + behind.len);

	if (front.len > 0)
		memcpy(both, front.at, front.len);
	memcpy(both + front.len, behind.at, behind.len);
	return (struct view){both, front.len + behind.len};
}

/* All segments are for one side: two neighbours that go at once become one. */
static void
make_room(struct session *s)
{
	struct plan *plan = s->plan;
	unsigned n = SESSION_SEGMENTS - 1;

	while (n > 1 && (plan->segment[n].wait_us != 0 || plan->segment[n].pace != NULL))
		n--;
	plan->segment[n - 1].octets = join(s, plan->segment[n - 1].octets, plan->segment[n].octets);
	plan->segments--;
	memmove(&plan->segment[n], &plan->segment[n + 1], (plan->segments - n) * sizeof plan->segment[0]);
}

/* The plan lists as many segments as it can. */
static __attribute__((noinline, cold)) void
put_crowded(struct session *s, enum smtp_side to, struct view octets)
{
	struct plan *plan = s->plan;
	struct segment *last = &plan->segment[plan->segments - 1];

	/* The last one for that side becomes a copy of both. */
	while (last > plan->segment && last->to != to)
		last--;
	if (last->to == to) {
		last->octets = join(s, last->octets, octets);
		return;
	}
	make_room(s);
	plan->segment[plan->segments++] = (struct segment){.octets = octets, .to = to};
}

static inline void
put_in_plan(struct session *s, enum smtp_side to, struct view octets)
{
	struct plan *plan = s->plan;
	struct segment *last = plan->segments > 0 ? &plan->segment[plan->segments - 1] : NULL;

	if (s->config->dry_run)
		return;
	if (last != NULL && last->to == to && last->wait_us == 0 && last->octets.len > 0 &&
	    last->octets.at + last->octets.len == octets.at) {
		last->octets.len += octets.len;
		return;
	}
	if (plan->segments == SESSION_SEGMENTS)
		put_crowded(s, to, octets);
	else
		plan->segment[plan->segments++] = (struct segment){.octets = octets, .to = to};
}

/* The same, and told to who wants octets. */
static __attribute__((noinline)) void
put_and_tell(struct session *s, enum smtp_side to, struct view octets)
{
	if (to == SMTP_CLIENT)
		wire_to_client(s, octets);
	else if (!s->ahead)
		wire_to_server(s, octets);
	put_in_plan(s, to, octets);
}

void
put_octets(struct session *s, enum smtp_side to, struct view octets)
{
	if (octets.len == 0 || !can_be_put(s, to) || s->over || s->from[smtp_other_side(to)].truncated)
		return;
	if (to == SMTP_CLIENT)
		s->told += octets.len;
	if (s->config->wire.put != NULL)
		put_and_tell(s, to, octets);
	else
		put_in_plan(s, to, octets);
}

void
put_pace(struct session *s, enum smtp_side to, const struct pace *pace)
{
	struct plan *plan = s->plan;

	if (plan->segments == SESSION_SEGMENTS || !can_be_put(s, to) || s->over)
		return;
	plan->segment[plan->segments++] = (struct segment){.octets = VIEW(""), .to = to, .pace = pace};
}

/* The unit leaves its direction: what of it went ahead is no longer ahead. */
void
take_unit(struct session *s, enum smtp_side from, struct view wire)
{
	struct direction *dir = &s->from[from];

	dir->ahead -= dir->ahead < wire.len ? dir->ahead : wire.len;
}

void
octets_keep(struct kept_octets *kept, struct view octets)
{
	if (octets.len == 0)
		return;
	if (kept->room - kept->len < octets.len) {
		kept->room = 2 * (kept->len + octets.len);
		kept->octets = realloc(kept->octets, kept->room);
		if (kept->octets == NULL)
			abort();
	}
	memcpy(kept->octets + kept->len, octets.at, octets.len);
	kept->len += octets.len;
}

void
withheld_forget(struct session *s)
{
	free(s->withheld.octets);
	s->withheld = (struct kept_octets){.octets = NULL};
}

void
withheld_release(struct session *s)
{
	struct view octets;

	if (s->withheld.len == 0)
		return;
	octets = arena_copy(s->config->arena, (struct view){s->withheld.octets, s->withheld.len});
	withheld_forget(s);
	if (s->content != NULL && s->content->rewriting != NULL) {
		rewriting_put(s, octets);
		return;
	}
	content_tell_passed(s, octets);
	put_octets(s, SMTP_SERVER, octets);
}

/* All that is withheld goes on but its last octet: without it the chunk is not whole. */
static void
release_all_but_one(struct session *s)
{
	struct kept_octets *w = &s->withheld;
	char last = w->octets[w->len - 1];

	w->len--;
	put_octets(s, SMTP_SERVER, arena_copy(s->config->arena, (struct view){w->octets, w->len}));
	w->octets[0] = last;
	w->len = 1;
}

void
put_unit(struct session *s, enum smtp_side from, struct view wire)
{
	struct direction *dir = &s->from[from];
	struct view rest = view_from(wire, dir->ahead);

	if (from == SMTP_CLIENT)
		wire_to_server(s, view_first(wire, dir->ahead));
	take_unit(s, from, wire);
	if (rest.len == 0)
		return;
	if (from == SMTP_SERVER || s->content_way == CONTENT_FORWARDED) {
		put_octets(s, smtp_other_side(from), rest);
		return;
	}
	if (s->content_way == CONTENT_SWALLOWED)
		return;
	octets_keep(&s->withheld, rest);
	if (s->content_way == CONTENT_WITHHELD && s->withheld.len > s->config->max_content && !content_awaits_header(s))
		s->content_way = CONTENT_TAIL_WITHHELD;
	if (s->content_way == CONTENT_TAIL_WITHHELD)
		release_all_but_one(s);
}

void
put_changed(struct session *s, enum smtp_side from, struct view wire, struct view instead)
{
	take_unit(s, from, wire);
	put_octets(s, smtp_other_side(from), instead);
}

/*
 * Whether some rule may want the reply that is coming in. While it is not whole it may turn
 * out to answer a later command than its turn says (smtp_exchange_answered_by).
 */
static bool
reply_is_wanted(struct session *s, unsigned verb)
{
	static const enum smtp_verb later[] = {SMTP_DATA, SMTP_AUTH, SMTP_QUIT, SMTP_EHLO, SMTP_LHLO};

	if (s->rules.passed)
		return false;
	if (rules_need(s->config->rules, RULES_AT_REPLY, verb) != RULES_NONE)
		return true;
	for (size_t i = 0; s->dialogue.queue.count > 1 && i < sizeof later / sizeof *later; i++)
		if (rules_need(s->config->rules, RULES_AT_REPLY, later[i]) != RULES_NONE)
			return true;
	return false;
}

/* Whether octets of an unfinished unit may go on before it is known what they are. */
static __attribute__((noinline)) bool
may_go_ahead(struct session *s, enum smtp_side from)
{
	const struct ruleset *rules = s->config->rules;
	struct smtp_exchange *e;
	enum smtp_place place = smtp_dialogue_place(&s->dialogue, from, &e);
	unsigned verb;

	if (s->closing || s->from[from].held || s->from[from].pending != NULL || s->config->dry_run ||
	    securing_wants_units(s, from, e))
		return false;
	if (from == SMTP_SERVER) {
		/* LMTP: where a rule may have made the legs disagree on a recipient, a reply may have to be swallowed. */
		if (s->unplain > 0 ||
		    (e != NULL && e->kind == SMTP_CONTENT_DONE && s->dialogue.lmtp && ruleset_count(rules) > 0))
			return place == SMTP_OPAQUE;
		verb = e == NULL ? SMTP_VERB_UNKNOWN : e->kind == SMTP_GREETING ? RULES_VERB_CONNECT :
		    e->kind == SMTP_CONTENT_DONE ? RULES_VERB_CONTENT : e->verb;
		return !reply_is_wanted(s, verb);
	}
	if (s->server != SERVER_OPEN || verdicts_hold_commands(s) || (e != NULL && !e->forwarded))
		return false;
	if (s->content != NULL && s->content->rewriting != NULL)
		return false;
	if (s->rules.passed)
		return s->content_way == CONTENT_FORWARDED;
	switch (place) {
	case SMTP_COMMANDS:
		/* The first octet of a TLS record, it may be. */
		if (!s->dialogue.client_spoke && rules_need(rules, RULES_AT_TLS, 0) != RULES_NONE)
			return false;
		/* fall through */
	case SMTP_FULL:
		/* A BDAT that says LAST waits with its chunk for the rules at its end, or for its size. */
		return rules_need(rules, RULES_AT_COMMAND, SMTP_VERB_UNKNOWN) == RULES_NONE &&
		    rules_need(rules, RULES_AT_CONTENT_END, 0) == RULES_NONE && !ruleset_edits_content(rules);
	case SMTP_CONTENT:
		return s->content_way == CONTENT_FORWARDED && rules_need(rules, RULES_AT_CONTENT, 0) == RULES_NONE &&
		    rules_need(rules, RULES_AT_CONTENT_END, 0) == RULES_NONE;
	case SMTP_UNDECIDED:
		return rules_need(rules, RULES_AT_COMMAND, SMTP_VERB_UNKNOWN) == RULES_NONE &&
		    rules_need(rules, RULES_AT_CONTENT, 0) == RULES_NONE &&
		    rules_need(rules, RULES_AT_CONTENT_END, 0) == RULES_NONE &&
		    rules_need(rules, RULES_AT_TLS, 0) == RULES_NONE &&
		    (e == NULL || rules_need(rules, RULES_AT_REPLY, e->verb) == RULES_NONE);
	case SMTP_HANDOVER:
		return rules_need(rules, RULES_AT_TLS, 0) == RULES_NONE;
	case SMTP_AUTH_LINES:
		return e != NULL && e->server_code == 334;
	default:
		return place == SMTP_OPAQUE;
	}
}

void
put_ahead(struct session *s, enum smtp_side from, struct view rest)
{
	struct direction *dir = &s->from[from];

	if (rest.len <= dir->ahead || cut_is_kept(s, from) || !may_go_ahead(s, from))
		return;
	/* Which of the client's octets are secret is known when the unit is whole. */
	s->ahead = from == SMTP_CLIENT;
	put_octets(s, smtp_other_side(from), view_from(rest, dir->ahead));
	s->ahead = false;
	dir->ahead = rest.len;
}

void
put_end(struct session *s, enum smtp_side to, enum ending ending)
{
	if (s->plan->end[to] < ending)
		s->plan->end[to] = ending;
	if (to == SMTP_CLIENT || !s->config->dry_run)
		wire_ends(s, to, smtp_other_side(to), ending != END_FIN);
	s->from[smtp_other_side(to)].ended = true;
}
