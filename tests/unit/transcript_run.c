/* SPDX-License-Identifier: MIT */
/* The relay in small: see transcript_run.h. It stands in for proxy/relay, so it keeps to what session.h says. */
#include "tests/unit/transcript_run.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "proxy/outputs/json.h"
#include "proxy/relay/pacer.h"
#include "proxy/sessions/session.h"

#define SERVER      "192.0.2.25:25"
#define READ_MOST   (64 * 1024)         /* octets the relay takes in one read */
#define BEGIN_US    1000000u            /* virtual time of the first step */
#define STEP_US     1000u               /* from the end of a step to the next write */
#define MOST_MOVES  10000               /* times that the clock is moved in one step */

/* A segment on its way out. */
struct piece {
	struct piece *next;
	struct view   octets;           /* behind the piece itself */
	uint64_t      wait_us, due_us;  /* due_us 0: not yet first in line */
	bool          resume;
	bool          paces;
	struct pace   pace;             /* paces: from here on */
};

/* One of the two ends, and what the relay has of it. */
struct leg {
	struct view   pending;          /* written, not yet read by the relay */
	size_t        place;            /* of pending's first octet in the cuts */
	struct buffer kept;             /* read, not yet used by the session */
	struct buffer got;              /* what this end has received */
	size_t        expected;         /* octets that it should have by now */
	struct piece *first, **last;
	struct pacer  pacer;            /* of octets of no pace: not in use */
	enum transcript_ending leaves, got_end, expected_end;
	bool          left;             /* the session was told that it leaves */
	enum ending   end;              /* behind the pieces */
	bool          drained;
};

struct player {
	const struct transcript *t;
	const unsigned char     *cut;
	FILE                    *err;
	struct session_config    config;
	struct session          *session;
	uint64_t                 sessions;
	struct arena             arena;         /* the sessions' scratch */
	struct plan              plan;
	struct leg               leg[2];
	struct buffer            want[2];       /* all that each end should receive, up to this step */
	struct transcript_outcome *outcome;
	const struct transcript_step *step;
	uint64_t                 now_us, began_us;
	size_t                   place;         /* in the cuts: of the next write */
	size_t                   events;
	bool                     freely;        /* nothing is expected */
	bool                     over, failed;
};

static const char *const side_name[2] = {"client", "server"};

static void leg_flush(struct player *p, enum smtp_side to);
static void leg_offer(struct player *p, enum smtp_side from);

static void
show(FILE *err, struct view octets)
{
	fputc('"', err);
	for (size_t i = 0; i < octets.len && i < 160; i++) {
		unsigned char c = (unsigned char)octets.at[i];

		if (c == '\r' || c == '\n')
			fputs(c == '\r' ? "\\r" : "\\n", err);
		else if (c < 0x20 || c > 0x7e)
			fprintf(err, "\\x%02x", c);
		else
			fputc(c, err);
	}
	fprintf(err, "\"%s", octets.len > 160 ? "..." : "");
}

static void
fail(struct player *p, const char *what)
{
	if (!p->failed)
		fprintf(p->err, "%s:%u: %s\n", p->t->path.at, p->step->line, what);
	p->failed = true;
}

static void
fail_received(struct player *p, enum smtp_side side)
{
	struct view got = {p->leg[side].got.at, p->leg[side].got.len};
	struct view want = {p->want[side].at, p->want[side].len};
	static const char *const ending[] = {"open", "closed", "reset"};
	size_t same = 0;

	if (p->failed)
		return;
	while (same < got.len && same < want.len && got.at[same] == want.at[same])
		same++;
	fprintf(p->err, "%s:%u: the %s received ", p->t->path.at, p->step->line, side_name[side]);
	show(p->err, view_from(got, same));
	fprintf(p->err, " (%s) where it should have received ", ending[p->leg[side].got_end]);
	show(p->err, view_from(want, same));
	fprintf(p->err, " (%s), behind %zu octets that are right\n", ending[p->leg[side].expected_end], same);
	p->failed = true;
}

static void
put(void *to, const struct event *event)
{
	struct player *p = to;

	json_event(&p->outcome->events, event, NULL);
	p->events++;
}

static void
leg_drop(struct leg *leg)
{
	while (leg->first != NULL) {
		struct piece *piece = leg->first;

		leg->first = piece->next;
		free(piece);
	}
	leg->last = &leg->first;
}

static void
leg_push(struct leg *leg, const struct segment *segment)
{
	struct piece *piece = malloc(sizeof *piece + segment->octets.len + 1);

	if (piece == NULL)
		abort();
	if (segment->octets.len > 0)
		memcpy(piece + 1, segment->octets.at, segment->octets.len);
	*piece = (struct piece){NULL, {(char *)(piece + 1), segment->octets.len}, segment->wait_us, 0,
	    segment->resume, segment->pace != NULL, segment->pace != NULL ? *segment->pace : (struct pace){0}};
	*leg->last = piece;
	leg->last = &piece->next;
}

static void
dial(struct player *p)
{
	if (p->step->server == TRANSCRIPT_SERVER_NONE && !p->freely)
		fail(p, "the server is dialled, and should not be");
	else if (p->step->server != TRANSCRIPT_SERVER_REFUSED)
		session_upstream(p->session, VIEW(SERVER), "connected", VIEW_NONE, 100, p->now_us);
	else {
		session_upstream(p->session, VIEW(SERVER), "refused", VIEW("Connection refused"), 100, p->now_us);
		memset(&p->plan, 0, sizeof p->plan);
		session_unreachable(p->session, VIEW(SERVER ": Connection refused"), p->now_us, &p->plan);
	}
}

/* Carries out what a call for the octets of one side led to. */
static void
plan_apply(struct player *p, enum smtp_side from)
{
	struct plan plan = p->plan;

	for (unsigned i = 0; i < plan.segments; i++)
		leg_push(&p->leg[plan.segment[i].to], &plan.segment[i]);
	buffer_drop(&p->leg[from].kept, plan.used);
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &p->leg[side];

		leg->drained |= plan.drain[side];
		if (leg->end < plan.end[side])
			leg->end = plan.end[side];
		if (plan.end[side] == END_RST && leg->got_end != TRANSCRIPT_RESET) {
			leg_drop(leg);
			leg->got_end = TRANSCRIPT_RESET;
		}
	}
	p->over |= plan.over;
	if (plan.dial) {
		dial(p);
		if (p->step->server == TRANSCRIPT_SERVER_REFUSED)
			plan_apply(p, SMTP_SERVER);
	}
	leg_flush(p, SMTP_CLIENT);
	leg_flush(p, SMTP_SERVER);
	if (plan.again && !p->over)
		leg_offer(p, from);
	if (plan.other && !p->over)
		leg_offer(p, smtp_other_side(from));
}

static void
leg_offer(struct player *p, enum smtp_side from)
{
	struct leg *leg = &p->leg[from];

	memset(&p->plan, 0, sizeof p->plan);
	session_feed(p->session, from, leg->kept.at, leg->kept.len, p->now_us, &p->plan);
	if (p->plan.used > leg->kept.len)
		fail(p, "the session used more octets than it was offered");
	plan_apply(p, from);
}

/* Of the piece in front all goes but what its pace holds back. */
static bool
pace_lets_go(struct leg *leg, uint64_t now_us)
{
	struct piece *piece = leg->first;
	size_t in_line = 0, went;

	if (piece->paces)
		pacer_set(&leg->pacer, &piece->pace);
	piece->paces = false;
	if (leg->pacer.pace.octets == 0)
		return true;
	while (piece->octets.len > 0) {
		in_line = 0;
		for (struct piece *next = piece; next != NULL; next = next->next) {
			if (next != piece && (next->wait_us != 0 || next->resume || next->paces))
				break;
			in_line += next->octets.len;
		}
		went = pacer_allows(&leg->pacer, in_line, now_us);
		piece->due_us = leg->pacer.due_us;
		if (went == 0)
			return false;
		if (went > piece->octets.len)
			went = piece->octets.len;
		buffer_put(&leg->got, view_first(piece->octets, went));
		piece->octets = view_from(piece->octets, went);
		pacer_went(&leg->pacer, went, in_line - went, now_us);
	}
	return true;
}

/* Puts out what may go out by now. */
static void
leg_flush(struct player *p, enum smtp_side to)
{
	struct leg *leg = &p->leg[to];

	while (leg->first != NULL) {
		struct piece *piece = leg->first;

		if (piece->wait_us == SEGMENT_FOREVER)
			return;
		if (piece->due_us == 0)
			piece->due_us = p->now_us + piece->wait_us;
		if (p->now_us < piece->due_us || !pace_lets_go(leg, p->now_us))
			return;
		buffer_put(&leg->got, piece->octets);
		leg->first = piece->next;
		if (leg->first == NULL)
			leg->last = &leg->first;
		if (piece->resume && !p->over) {
			memset(&p->plan, 0, sizeof p->plan);
			session_resume(p->session, smtp_other_side(to), p->now_us, &p->plan);
			plan_apply(p, smtp_other_side(to));
		}
		free(piece);
	}
	if (leg->end == END_RST_AFTER)
		leg->got_end = TRANSCRIPT_RESET;
	else if (leg->end == END_FIN && leg->got_end == TRANSCRIPT_OPEN)
		leg->got_end = TRANSCRIPT_CLOSED;
}

/* Without rules each octet is put out as it comes, whether it can be decoded or not. */
static void
check_transparent(struct player *p, enum smtp_side from)
{
	struct leg *to = &p->leg[smtp_other_side(from)];

	if (p->freely || p->t->rules.len > 0 || p->step->server != TRANSCRIPT_SERVER_UP || to->got_end != TRANSCRIPT_OPEN)
		return;
	if (to->got.len + p->leg[from].pending.len != to->expected)
		fail_received(p, smtp_other_side(from));
}

/* How many of the pending octets one read takes. */
static size_t
leg_read_length(const struct player *p, const struct leg *leg)
{
	size_t len = leg->pending.len < READ_MOST ? leg->pending.len : READ_MOST;

	for (size_t i = 1; p->cut != NULL && i < len; i++)
		if (p->cut[leg->place + i])
			return i;
	return len;
}

/* The relay reads from a side, if there is something to read; false: there is not. */
static bool
leg_read(struct player *p, enum smtp_side from)
{
	struct leg *leg = &p->leg[from];
	bool reset = leg->leaves == TRANSCRIPT_RESET;
	size_t len = leg_read_length(p, leg);

	if (leg->left || (len == 0 && leg->leaves == TRANSCRIPT_OPEN))
		return false;
	if (!leg->drained && !p->over && !(len == 0 && reset) && !session_wants(p->session, from, leg->kept.len))
		return false;
	if (len > 0 && !leg->drained && !p->over)
		buffer_put(&leg->kept, view_first(leg->pending, len));
	leg->pending = view_from(leg->pending, len);
	leg->place += len;
	if (len > 0) {
		if (!leg->drained && !p->over)
			leg_offer(p, from);
		check_transparent(p, from);
		return true;
	}
	leg->left = true;
	if (p->over)
		return true;
	memset(&p->plan, 0, sizeof p->plan);
	session_closed(p->session, from, reset ? CLOSE_RESET : CLOSE_EOF, VIEW_NONE, leg->kept.at, leg->kept.len,
	    p->now_us, &p->plan);
	plan_apply(p, from);
	return true;
}

/* Moves the clock to when something is due; false: nothing is. */
static bool
clock_move(struct player *p)
{
	uint64_t next = p->over ? 0 : session_wake_at(p->session);
	bool wake = next != 0;

	for (int side = 0; side < 2; side++) {
		const struct piece *piece = p->leg[side].first;

		if (piece == NULL || piece->wait_us == SEGMENT_FOREVER || (next != 0 && piece->due_us >= next))
			continue;
		next = piece->due_us;
		wake = false;
	}
	if (next == 0)
		return false;
	if (next > p->now_us)
		p->now_us = next;
	if (wake) {
		memset(&p->plan, 0, sizeof p->plan);
		session_wake(p->session, p->now_us, &p->plan);
		plan_apply(p, SMTP_CLIENT);
	}
	return true;
}

static bool
received(const struct player *p, enum smtp_side side)
{
	const struct leg *leg = &p->leg[side];

	return leg->got.len == p->want[side].len
	    && (leg->got.len == 0 || memcmp(leg->got.at, p->want[side].at, leg->got.len) == 0)
	    && leg->got_end == leg->expected_end;
}

/* All that can happen without time going by. */
static void
quieten(struct player *p)
{
	do {
		leg_flush(p, SMTP_CLIENT);
		leg_flush(p, SMTP_SERVER);
	} while (!p->failed && (leg_read(p, SMTP_CLIENT) || leg_read(p, SMTP_SERVER)));
}

static void
settle_freely(struct player *p)
{
	for (int moves = 0; !p->failed; moves++) {
		quieten(p);
		if (!clock_move(p))
			return;
		if (moves == MOST_MOVES)
			fail(p, "there is no end to the session's waits");
	}
}

/* Until both ends have what they should, and nothing more comes without time going by. */
static void
settle(struct player *p)
{
	for (int moves = 0; !p->failed; moves++) {
		quieten(p);
		if (received(p, SMTP_CLIENT) && received(p, SMTP_SERVER))
			return;
		for (int side = 0; side < 2; side++)
			if (p->leg[side].got.len > p->want[side].len
			    || (!received(p, side) && (moves == MOST_MOVES || !clock_move(p))))
				fail_received(p, side);
	}
}

/* Both ends have gone: the session must come to its end by itself. */
static void
finish(struct player *p)
{
	for (int side = SMTP_SERVER; p->freely && side >= SMTP_CLIENT; side--) {
		if (p->leg[side].leaves == TRANSCRIPT_OPEN)
			p->leg[side].leaves = TRANSCRIPT_CLOSED;
		settle_freely(p);
	}
	for (int moves = 0; !p->over && !p->failed && moves < MOST_MOVES; moves++)
		if (!clock_move(p))
			break;
	if (!p->over)
		fail(p, "both ends have closed, and the session does not end");
	for (int side = 0; side < 2; side++)
		if (!p->freely && !received(p, side))
			fail_received(p, side);
	session_end(p->session, p->now_us);
	p->session = NULL;
}

/* A session begins; the one before, if there was one, is over. */
static void
begin(struct player *p)
{
	struct sockaddr_in client = {.sin_family = AF_INET, .sin_port = htons(40001)};
	struct session_ends ends = {
	    .client = (struct sockaddr *)&client,
	    .client_text = VIEW("127.0.0.1:40001"),
	    .server = VIEW("smtp://" SERVER),
	    .listener = VIEW("smtp://127.0.0.1:2525"),
	    .lmtp = p->t->lmtp,
	};

	if (p->session != NULL)
		finish(p);
	for (int side = 0; side < 2; side++) {
		struct leg *leg = &p->leg[side];

		leg_drop(leg);
		buffer_drop(&leg->kept, leg->kept.len);
		*leg = (struct leg){.kept = leg->kept, .got = leg->got, .expected = leg->expected};
		leg->last = &leg->first;
	}
	p->over = false;
	client.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->session = session_new(&p->config, ++p->sessions, &ends, p->now_us);
	memset(&p->plan, 0, sizeof p->plan);
	session_connect(p->session, p->now_us, &p->plan);
	plan_apply(p, SMTP_CLIENT);
}

static void
step_play(struct player *p, size_t i)
{
	const struct transcript_step *step = p->step = &p->t->step[i];

	p->now_us += step->pause_us;
	if (step->begins)
		begin(p);
	p->began_us = p->now_us;
	for (int side = 0; side < 2; side++) {
		buffer_put(&p->want[side], step->received[side]);
		p->leg[side].expected = p->want[side].len;
		if (step->ended[side] != TRANSCRIPT_OPEN)
			p->leg[side].expected_end = step->ended[side];
	}
	if (step->writer != TRANSCRIPT_NOBODY && p->leg[step->writer].got_end != TRANSCRIPT_RESET) {
		struct leg *leg = &p->leg[step->writer];

		if (leg->pending.len > 0 && !p->freely)
			fail(p, "the relay has not read what this side wrote before: one write was expected");
		leg->pending = step->octets;
		leg->place = p->place;
		leg->leaves = step->ends;
		p->place += step->octets.len;
	}
	if (p->freely)
		settle_freely(p);
	else
		settle(p);
	if (!p->freely && step->takes_us != 0 && p->now_us - p->began_us != step->takes_us && !p->failed) {
		fprintf(p->err, "%s:%u: this took %.3f ms, not %.3f\n", p->t->path.at, step->line,
		    (double)(p->now_us - p->began_us) / 1e3, (double)step->takes_us / 1e3);
		p->failed = true;
	}
	p->outcome->events_by[i] = p->events;
	p->now_us += STEP_US;
}

static bool
run(const struct transcript *t, const struct ruleset *rules, const unsigned char *cut, bool freely,
    struct transcript_outcome *outcome, FILE *err)
{
	struct rules_state *state = rules_state_new(rules, t->seed);
	struct player *p = calloc(1, sizeof *p);
	bool good;

	if (p == NULL)
		abort();
	*p = (struct player){.t = t, .cut = cut, .err = err, .outcome = outcome, .step = t->step,
	    .now_us = BEGIN_US, .freely = freely};
	p->config = (struct session_config){
	    .rules = rules,
	    .rules_state = state,
	    .events = {.put = put, .to = p},
	    .source = "proxy",
	    .show_secrets = t->show_secrets,
	    .max_line = t->max_line,
	    .max_content = t->max_content,
	    .arena = &p->arena,
	};
	*outcome = (struct transcript_outcome){.events_by = calloc(t->steps + 1, sizeof(size_t))};
	arena_init(&p->arena);
	p->leg[0].last = &p->leg[0].first;
	p->leg[1].last = &p->leg[1].first;
	for (size_t i = 0; i < t->steps && !p->failed; i++)
		step_play(p, i);
	finish(p);
	good = !p->failed;
	for (int side = 0; side < 2; side++) {
		leg_drop(&p->leg[side]);
		buffer_free(&p->leg[side].kept);
		outcome->received[side] = p->leg[side].got;
		outcome->ended[side] = p->leg[side].got_end;
		buffer_free(&p->want[side]);
	}
	arena_clear(&p->arena);
	free(p);
	rules_state_free(state);
	return good;
}

bool
transcript_run(const struct transcript *t, const struct ruleset *rules, const unsigned char *cut,
    struct transcript_outcome *outcome, FILE *err)
{
	return run(t, rules, cut, false, outcome, err);
}

bool
transcript_run_freely(const struct transcript *t, const struct ruleset *rules, const unsigned char *cut,
    struct transcript_outcome *outcome, FILE *err)
{
	return run(t, rules, cut, true, outcome, err);
}

void
transcript_outcome_free(struct transcript_outcome *outcome)
{
	buffer_free(&outcome->events);
	buffer_free(&outcome->received[SMTP_CLIENT]);
	buffer_free(&outcome->received[SMTP_SERVER]);
	free(outcome->events_by);
	*outcome = (struct transcript_outcome){0};
}
