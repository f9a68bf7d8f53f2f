/* SPDX-License-Identifier: MIT */
#include "proxy/sessions/rewriting.h"

#include <stdlib.h>

#include "proxy/rules/editor.h"
#include "proxy/sessions/events.h"
#include "proxy/sessions/state.h"

/* A chunk of our own has some octets at least, however little may be kept. */
#define CHUNK_LEAST 16u

struct rewriting {
	struct editor     *editor;      /* NULL: octets are what they were */
	struct passage     command;     /* the BDAT that waits; its line is: */
	struct kept_octets line;        /* empty: none waits */
	struct kept_octets chunk;       /* what goes behind it */
	bool               whole;       /* all of it is there */
	bool               split;       /* a chunk of our own went in front of it */
	bool               refused;     /* the server would not have one: the rest of it went nowhere */
	bool               by_data;
	uint64_t           limit;       /* of octets that go on; UINT64_MAX: none */
	bool               close[2], reset[2];  /* what is done behind them */
	bool               cut_off;     /* they are out */
	uint64_t           sent;        /* octets that went on, and ... */
	uint64_t           stored;      /* ... what the receiver stores of them */
	uint8_t            unstuff;
};

static struct rewriting *
of_session(const struct session *s)
{
	return s->content != NULL ? s->content->rewriting : NULL;
}

static struct rewriting *
rewriting_new(const struct session *s)
{
	struct rewriting *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	r->limit = UINT64_MAX;
	r->by_data = !s->dialogue.content.by_count;
	return r;
}

static void
forget(struct kept_octets *kept)
{
	free(kept->octets);
	*kept = (struct kept_octets){.octets = NULL};
}

/* Its event waited for what would be sent. */
static void
tell_command(struct session *s, struct rewriting *r, bool forwarded, struct view instead)
{
	struct passage *p = &r->command;

	/* Behind what `truncate` has left nothing goes. */
	forwarded = forwarded && !s->from[SMTP_CLIENT].truncated;
	p->unit.wire = arena_copy(s->config->arena, (struct view){r->line.octets, r->line.len});
	smtp_command_parse(smtp_line_text(p->unit.wire), &p->unit.as.command);
	forget(&r->line);
	event_command(s, p, forwarded, forwarded ? instead : VIEW_NONE, 0);
	findings_tell(s, p, SMTP_CLIENT);
}

void
rewriting_free(struct session *s, struct transaction *t)
{
	struct rewriting *r = t->rewriting;

	if (r == NULL)
		return;
	if (r->line.len > 0)
		tell_command(s, r, false, VIEW_NONE);
	editor_free(r->editor);
	forget(&r->chunk);
	free(r);
	t->rewriting = NULL;
}

bool
rewriting_takes_command(struct session *s, const struct passage *p)
{
	const struct smtp_command *c = &p->unit.as.command;
	struct transaction *t = s->content;

	if (t == NULL || s->config->dry_run || s->from[SMTP_CLIENT].ahead > 0 || (c->chunk == 0 && !c->chunk_last))
		return false;
	/* A rule that writes another BDAT wants that, and no right one. */
	if (p->verdict.octets.at != NULL && !view_equal(p->verdict.octets, p->unit.wire))
		return false;
	if (t->rewriting == NULL &&
	    (t->judged || s->rules.passed || !ruleset_edits_content(s->config->rules)))
		return false;
	if (t->rewriting == NULL) {
		t->rewriting = rewriting_new(s);
		t->rewriting->by_data = false;
	}
	rewriting_forgets_command(s, t);        /* of a chunk that was cut short */
	t->rewriting->command = *p;
	t->rewriting->split = false;
	octets_keep(&t->rewriting->line, p->unit.wire);
	return true;
}

static struct rewriting *
of_content(struct session *s)
{
	if (s->content != NULL && s->content->rewriting == NULL)
		s->content->rewriting = rewriting_new(s);
	return of_session(s);
}

void
rewriting_truncates(struct session *s, uint64_t octets)
{
	struct rewriting *r = of_content(s);

	if (r != NULL && octets < r->limit)
		r->limit = octets;
}

bool
rewriting_defers(struct session *s, const struct passage *p, const struct step *step)
{
	struct rewriting *r = of_session(s);
	bool content = p->unit.type == SMTP_UNIT_CONTENT || p->unit.type == SMTP_UNIT_CONTENT_END;

	if (r == NULL || !content || !p->truncated)
		return false;
	mark_sides(step->type == STEP_CLOSE ? r->close : r->reset, step->which);
	return true;
}

/* All that `truncate` leaves was in chunks of our own: the BDAT that waits would be taken for octets of the last. */
static bool
is_cut_short(const struct rewriting *r)
{
	return r->split && r->sent >= r->limit;
}

void
rewriting_cuts_off(struct session *s, struct passage *p)
{
	struct rewriting *r = of_session(s);
	bool over = p->unit.type == SMTP_UNIT_CONTENT_END;

	if (r == NULL || r->limit == UINT64_MAX || (r->line.len > 0 && !is_cut_short(r)))
		return;
	/* What comes behind the content goes nowhere. */
	if (over)
		s->from[SMTP_CLIENT].held = true;
	if (r->cut_off || (r->sent < r->limit && !over))
		return;
	r->cut_off = true;
	session_ends(s, EVENT_PROXY, "rule", VIEW_NONE);
	s->from[SMTP_CLIENT].truncated = true;
	put_end(s, SMTP_SERVER, END_FIN);
	p->truncated = true;
	memcpy(p->close, r->close, sizeof p->close);
	memcpy(p->reset, r->reset, sizeof p->reset);
	if (over || !passage_ends(p))
		return;
	/* How much more of it had come by then is a matter of cuts. */
	transaction_forget_content(s->content);
	s->content->octets = r->stored;
}

void
rewriting_edits(struct session *s, const struct step *step)
{
	struct rewriting *r = of_content(s);

	if (r == NULL)
		return;
	if (r->editor == NULL)
		r->editor = editor_new(s->config->rules_state, s->config->max_line, r->by_data);
	editor_add(r->editor, step);
}

bool
rewriting_holds_command(const struct session *s)
{
	const struct rewriting *r = of_session(s);

	return r != NULL && r->line.len > 0;
}

static uint64_t
count_stored(struct session *s, struct rewriting *r, struct view octets)
{
	if (!r->by_data)
		return octets.len;
	return smtp_content_unstuff(&r->unstuff, octets, arena_take(s->config->arena, octets.len + 1));
}

/* Octets of the content to the server, as far as a rule lets them. */
static void
deliver(struct session *s, struct rewriting *r, struct view octets)
{
	octets = view_first(octets, r->limit - r->sent);
	if (octets.len == 0)
		return;
	octets = arena_copy(s->config->arena, octets);
	r->sent += octets.len;
	r->stored += count_stored(s, r, octets);
	put_octets(s, SMTP_SERVER, octets);
	content_tell_passed(s, octets);
}

static void
put_chunk(struct session *s, struct rewriting *r, struct view line, size_t len)
{
	put_octets(s, SMTP_SERVER, line);
	deliver(s, r, (struct view){r->chunk.octets, len});
	r->chunk.len -= len;
	if (r->chunk.len > 0)
		memmove(r->chunk.octets, r->chunk.octets + len, r->chunk.len);
}

/* Of what may be kept there is more: it goes ahead. False: it cannot. */
static bool
put_chunk_of_our_own(struct session *s, struct rewriting *r, size_t len)
{
	struct view line = arena_printf(s->config->arena, "BDAT %zu\r\n", len);

	if (smtp_dialogue_inserted_chunk(&s->dialogue, s->now_us, NULL) == NULL)
		return false;
	s->unplain++;
	r->split = true;
	event_injected(s, smtp_line_text(line), ORIGIN_PROXY);
	put_chunk(s, r, line, len);
	return true;
}


/* The BDAT that waits, with another size. */
static struct view
line_with_size(struct session *s, const struct rewriting *r, uint64_t size)
{
	struct view line = {r->line.octets, r->line.len}, rest;
	size_t digits = 0;

	while (digits < line.len && (line.at[digits] < '0' || line.at[digits] > '9'))
		digits++;
	rest = view_from(line, digits);
	while (rest.len > 0 && *rest.at >= '0' && *rest.at <= '9')
		rest = view_from(rest, 1);
	return arena_printf(s->config->arena, "%.*s%llu%.*s", (int)digits, line.at, (unsigned long long)size,
	    (int)rest.len, rest.at);
}

/* The BDAT that waited, with the size that its chunk has now. */
static void
put_command(struct session *s, struct rewriting *r)
{
	bool same = !r->split && r->command.unit.as.command.chunk == r->chunk.len;
	struct view line = {r->line.octets, r->line.len};

	line = same ? arena_copy(s->config->arena, line) : line_with_size(s, r, r->chunk.len);
	tell_command(s, r, true, same ? VIEW_NONE : smtp_line_text(line));
	put_chunk(s, r, line, r->chunk.len);
	forget(&r->chunk);
}

static void
put_command_as_it_is(struct session *s, struct rewriting *r)
{
	struct view line = arena_copy(s->config->arena, (struct view){r->line.octets, r->line.len});

	tell_command(s, r, true, VIEW_NONE);
	put_octets(s, SMTP_SERVER, line);
}

/* Puts out what can be, of a chunk for which there are octets. */
static void
send_chunk(struct session *s, struct rewriting *r)
{
	size_t most = s->config->max_content < CHUNK_LEAST ? CHUNK_LEAST : (size_t)s->config->max_content;

	while (r->chunk.len > most && !rewriting_waits(s) && !is_cut_short(r) && put_chunk_of_our_own(s, r, most))
		;
	if (r->whole && !rewriting_waits(s) && !is_cut_short(r)) {
		r->whole = false;
		put_command(s, r);
	}
}

/* Octets as the server is to get them; what is edited at the end of a chunk is not too much for it. */
static void
go_on(struct session *s, struct rewriting *r, struct view octets)
{
	if (r->line.len > 0 && !is_cut_short(r))
		octets_keep(&r->chunk, octets);
	else if (r->line.len == 0)
		deliver(s, r, octets);
}

/* Rules have been asked, and want nothing changed: from here on it is content as any other. */
static bool
is_idle(const struct session *s, const struct rewriting *r)
{
	return s->content->judged && r->editor == NULL && !r->refused && r->limit == UINT64_MAX &&
	    !(s->dialogue.content.last && rules_need(s->config->rules, RULES_AT_CONTENT_END, 0) != RULES_NONE);
}

void
rewriting_put(struct session *s, struct view octets)
{
	struct rewriting *r = of_session(s);

	if (is_idle(s, r)) {
		if (r->line.len > 0)
			put_command_as_it_is(s, r);
		put_octets(s, SMTP_SERVER, octets);
		content_tell_passed(s, octets);
		rewriting_free(s, s->content);
		return;
	}
	if (r->editor != NULL)
		octets = editor_feed(r->editor, octets, s->config->arena);
	go_on(s, r, octets);
	if (r->line.len > 0)
		send_chunk(s, r);
}

void
rewriting_chunk_ends(struct session *s)
{
	struct rewriting *r = of_session(s);

	if (r == NULL)
		return;
	if (r->editor != NULL)
		go_on(s, r, editor_flush(r->editor, s->config->arena));
	r->whole = r->line.len > 0;
	if (r->whole)
		send_chunk(s, r);
}

void
rewriting_content_ends(struct session *s)
{
	struct rewriting *r = of_session(s);

	if (r == NULL)
		return;
	if (r->editor != NULL)
		go_on(s, r, editor_finish(r->editor, s->config->arena));
	if (r->line.len > 0 && !is_cut_short(r))
		put_command(s, r);
}

void
rewriting_held(struct session *s)
{
	if (rewriting_holds_command(s))
		put_command_as_it_is(s, of_session(s));
}

bool
rewriting_stream_ends(struct session *s)
{
	struct rewriting *r = of_session(s);
	uint64_t left = s->dialogue.content.left;

	if (r == NULL || s->content_way != CONTENT_FORWARDED || s->from[SMTP_CLIENT].held || s->closing)
		return true;
	if (rewriting_waits(s))
		return false;
	/* Between two chunks there is none that the start of a line could go in. */
	if (!s->dialogue.in_content && r->line.len == 0)
		return true;
	if (r->editor != NULL)
		go_on(s, r, editor_finish(r->editor, s->config->arena));
	if (r->line.len > 0)
		send_chunk(s, r);
	if (rewriting_waits(s))
		return false;
	if (r->line.len > 0 && left > 0 && !is_cut_short(r)) {
		struct view line = line_with_size(s, r, r->chunk.len + left);

		tell_command(s, r, true, smtp_line_text(line));
		put_chunk(s, r, line, r->chunk.len);
	}
	return true;
}

void
rewriting_forgets_command(struct session *s, struct transaction *t)
{
	struct rewriting *r = t != NULL ? t->rewriting : NULL;

	if (r == NULL || r->line.len == 0)
		return;
	tell_command(s, r, false, VIEW_NONE);
	forget(&r->chunk);
	r->whole = false;
}

/* What the editor kept goes nowhere either. How far it had come is a matter of cuts: it is not asked about later chunks. */
static void
refuse(struct rewriting *r)
{
	r->refused = true;
	editor_free(r->editor);
	r->editor = NULL;
}

/*
 * What the client is told of its chunk is what the server said of the first part of it that it
 * would not have. Where the rest is on its way by then, the server has another word on that.
 */
void
rewriting_chunk_answered(struct session *s, const struct smtp_reply *reply)
{
	struct smtp_exchange *e;

	if (reply->code / 100 == 2 || !rewriting_holds_command(s))
		return;
	e = smtp_dialogue_chunk_unsent(&s->dialogue);
	if (e == NULL)
		return;
	s->unplain++;
	note_forge(s, e->note, reply->wire, reply->code, ORIGIN_PROXY);
	refuse(of_session(s));
	if (s->dialogue.in_content)
		s->content_way = CONTENT_SWALLOWED;
	s->from[SMTP_CLIENT].blocked = true;    /* its end may be next, of no octets */
	rewriting_forgets_command(s, s->content);
}

void
rewriting_goes_on(struct session *s)
{
	if (rewriting_holds_command(s))
		send_chunk(s, of_session(s));
}

bool
rewriting_waits(struct session *s)
{
	struct smtp_exchange *e;

	if (!rewriting_holds_command(s) || s->server != SERVER_OPEN || s->from[SMTP_SERVER].eof)
		return false;
	if (smtp_keyword_in(s->keywords[SMTP_SERVER], SMTP_KEYWORD_PIPELINING) && !verdicts_one_by_one(s))
		return false;
	smtp_dialogue_place(&s->dialogue, SMTP_SERVER, &e);
	return e != NULL && e->by_proxy && e->verb == SMTP_BDAT;
}

void
rewriting_tell_findings(struct session *s, struct transaction *t)
{
	const struct rewriting *r = t->rewriting;
	struct arena *arena = s->config->arena;

	if (r == NULL || r->editor == NULL)
		return;
	if (editor_long_lines(r->editor) > 0)
		finding_tell(s, FINDING_LINE_CUT, EVENT_CLIENT, arena_printf(arena,
		    "%llu of the content's lines went on as they were, longer than --max-line",
		    (unsigned long long)editor_long_lines(r->editor)), VIEW_NONE);
	if (editor_breaks_signature(r->editor, (struct view){t->header, t->header_len}))
		finding_tell(s, FINDING_MSG_DKIM_BROKEN, EVENT_NETWORK, VIEW_NONE, VIEW_NONE);
	if (t->declared > 0 && t->octets <= t->declared && r->stored > t->declared)
		finding_tell(s, FINDING_EXT_SIZE_WRONG, EVENT_NETWORK, arena_printf(arena,
		    "MAIL said SIZE=%llu, and a rule has made it %llu octets of %llu",
		    (unsigned long long)t->declared, (unsigned long long)r->stored, (unsigned long long)t->octets),
		    VIEW_NONE);
}

bool
rewriting_has_changed(const struct transaction *t, uint64_t *forwarded_octets)
{
	const struct rewriting *r = t->rewriting;

	if (r == NULL || (!r->refused && r->limit == UINT64_MAX &&
	    (r->editor == NULL || !editor_has_changed(r->editor))))
		return false;
	*forwarded_octets = r->stored;
	return true;
}
