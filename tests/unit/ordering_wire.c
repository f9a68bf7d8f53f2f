/* SPDX-License-Identifier: MIT */
#include "tests/unit/ordering_wire.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct wire_piece {
	struct wire_piece *next;
	uint64_t           wait_us, due_us;
	size_t             len, sent;
	bool               resume, paces;
	struct pace        pace;
	char               octets[];
};

void
wire_octets_put(struct wire_octets *octets, const char *at, size_t len)
{
	if (len == 0)
		return;
	if (octets->size - octets->len < len) {
		octets->size = 2 * (octets->len + len);
		octets->at = realloc(octets->at, octets->size);
		if (octets->at == NULL)
			abort();
	}
	memcpy(octets->at + octets->len, at, len);
	octets->len += len;
}

void
wire_octets_use(struct wire_octets *octets, size_t len)
{
	octets->len -= len;
	if (octets->len > 0)
		memmove(octets->at, octets->at + len, octets->len);
}

static void
drop_pieces(struct wire_end *end)
{
	struct wire_piece *piece;

	while ((piece = end->first) != NULL) {
		end->first = piece->next;
		free(piece);
	}
	end->last = &end->first;
}

static void
push(struct wire_end *end, const struct segment *segment)
{
	struct wire_piece *piece = calloc(1, sizeof *piece + segment->octets.len);

	if (piece == NULL)
		abort();
	piece->wait_us = segment->wait_us;
	piece->len = segment->octets.len;
	piece->resume = segment->resume;
	if (segment->octets.len > 0)
		memcpy(piece->octets, segment->octets.at, segment->octets.len);
	if (segment->pace != NULL) {
		piece->paces = true;
		piece->pace = *segment->pace;
	}
	*end->last = piece;
	end->last = &piece->next;
}

static void
carry_out(struct wire *wire, enum smtp_side from, const struct plan *plan)
{
	for (unsigned i = 0; i < plan->segments; i++)
		push(&wire->end[plan->segment[i].to], &plan->segment[i]);
	wire_octets_use(&wire->end[from].kept, plan->used);
	if (plan->dial)
		session_upstream(wire->session, VIEW("192.0.2.25:25"), "connected", VIEW_NONE, 100, wire->now_us);
	for (int side = 0; side < 2; side++) {
		struct wire_end *end = &wire->end[side];

		end->drains |= plan->drain[side];
		if (end->ending < plan->end[side])
			end->ending = plan->end[side];
		if (plan->end[side] == END_RST) {
			drop_pieces(end);
			end->reset = true;
		}
	}
	wire->end[from].feed_due |= plan->again;
	wire->end[smtp_other_side(from)].feed_due |= plan->other;
	wire->over |= plan->over;
}

/* Octets of the piece in front that go now. */
static bool
piece_goes(struct wire *wire, struct wire_end *end, struct wire_piece *piece)
{
	size_t len;

	if (piece->wait_us == SEGMENT_FOREVER)
		return false;
	if (piece->due_us == 0)
		piece->due_us = wire->now_us + piece->wait_us;
	if (wire->now_us < piece->due_us)
		return false;
	if (piece->paces)
		pacer_set(&end->pacer, &piece->pace);
	piece->paces = false;
	while (piece->sent < piece->len) {
		len = piece->len - piece->sent;
		if (end->pacer.pace.octets != 0 && (len = pacer_allows(&end->pacer, len, wire->now_us)) == 0) {
			piece->due_us = end->pacer.due_us;
			return false;
		}
		wire_octets_put(&end->in, piece->octets + piece->sent, len);
		piece->sent += len;
		if (end->pacer.pace.octets != 0)
			pacer_went(&end->pacer, len, piece->len - piece->sent, wire->now_us);
	}
	return true;
}

static void
flush(struct wire *wire, enum smtp_side to)
{
	struct wire_end *end = &wire->end[to];
	struct wire_piece *piece;

	while ((piece = end->first) != NULL && piece_goes(wire, end, piece)) {
		end->first = piece->next;
		if (end->first == NULL)
			end->last = &end->first;
		wire->end[smtp_other_side(to)].resumes += piece->resume;
		free(piece);
	}
	if (end->first != NULL)
		return;
	end->reset |= end->ending == END_RST_AFTER;
	end->closed |= end->ending == END_FIN;
}

/* What is due, until nothing is. */
static void
settle(struct wire *wire)
{
	struct plan plan;
	bool again = true;

	while (again) {
		flush(wire, SMTP_CLIENT);
		flush(wire, SMTP_SERVER);
		again = false;
		for (int i = 0; i < 2 && !wire->over && !again; i++) {
			enum smtp_side side = (enum smtp_side)i;
			struct wire_end *end = &wire->end[side];

			memset(&plan, 0, sizeof plan);
			again = end->resumes > 0 || end->feed_due;
			if (end->resumes > 0) {
				end->resumes--;
				session_resume(wire->session, side, wire->now_us, &plan);
			} else if (end->feed_due) {
				end->feed_due = false;
				session_feed(wire->session, side, end->kept.at, end->kept.len, wire->now_us, &plan);
			}
			if (again)
				carry_out(wire, side, &plan);
		}
	}
}

void
wire_begin(struct wire *wire, const struct session_config *config, uint64_t number)
{
	struct sockaddr_in client = {.sin_family = AF_INET, .sin_port = htons(40123)};
	struct session_ends ends = {.client = (const struct sockaddr *)&client, .client_text = VIEW("192.0.2.1:40123"),
	    .server = VIEW("192.0.2.25:25"), .listener = VIEW("127.0.0.1:2525")};
	struct plan plan = {.segments = 0};

	memset(wire, 0, sizeof *wire);
	inet_pton(AF_INET, "192.0.2.1", &client.sin_addr);
	wire->config = *config;
	wire->now_us = 1000000;
	wire->end[0].last = &wire->end[0].first;
	wire->end[1].last = &wire->end[1].first;
	wire->session = session_new(&wire->config, number, &ends, wire->now_us);
	session_connect(wire->session, wire->now_us, &plan);
	carry_out(wire, SMTP_CLIENT, &plan);
	settle(wire);
}

void
wire_deliver(struct wire *wire, enum smtp_side from, size_t most)
{
	struct wire_end *end = &wire->end[from];
	struct plan plan = {.segments = 0};

	if (most > end->out.len)
		most = end->out.len;
	if (wire->over || end->reset) {
		end->out.len = 0;
		return;
	}
	if (most > 0 && !end->drains) {
		wire_octets_put(&end->kept, end->out.at, most);
		end->feed_due = true;
	}
	wire_octets_use(&end->out, most);
	settle(wire);
	if (!end->leaves || end->told || end->out.len > 0 || wire->over || end->drains)
		return;
	end->told = true;
	session_closed(wire->session, from, CLOSE_EOF, VIEW_NONE, end->kept.at, end->kept.len, wire->now_us, &plan);
	carry_out(wire, from, &plan);
	settle(wire);
}

static bool
is_busy(const struct wire *wire)
{
	return wire->end[0].out.len > 0 || wire->end[0].in.len > 0 || wire->end[1].out.len > 0 || wire->end[1].in.len > 0;
}

/* The next time at which something goes on by itself; 0: never. */
static uint64_t
next_us(const struct wire *wire)
{
	uint64_t next = wire->over || is_busy(wire) ? 0 : session_wake_at(wire->session);

	for (int side = 0; side < 2; side++) {
		const struct wire_piece *piece = wire->end[side].first;

		if (piece != NULL && piece->wait_us != SEGMENT_FOREVER && (next == 0 || piece->due_us < next))
			next = piece->due_us;
	}
	return next;
}

bool
wire_wait(struct wire *wire)
{
	uint64_t next = next_us(wire);
	struct plan plan = {.segments = 0};

	if (next == 0)
		return false;
	if (next > wire->now_us)
		wire->now_us = next;
	settle(wire);
	if (!wire->over && session_wake_at(wire->session) != 0 && session_wake_at(wire->session) <= wire->now_us) {
		session_wake(wire->session, wire->now_us, &plan);
		plan.again |= plan.other;
		plan.other = plan.again;
		carry_out(wire, SMTP_CLIENT, &plan);
		settle(wire);
	}
	return true;
}

bool
wire_is_quiet(const struct wire *wire)
{
	for (int side = 0; side < 2; side++) {
		const struct wire_end *end = &wire->end[side];

		if (end->out.len > 0 || end->in.len > 0 || (end->leaves && !end->told && !wire->over && !end->drains))
			return false;
	}
	return next_us(wire) == 0;
}

void
wire_finish(struct wire *wire)
{
	session_end(wire->session, wire->now_us);
	for (int side = 0; side < 2; side++) {
		drop_pieces(&wire->end[side]);
		free(wire->end[side].out.at);
		free(wire->end[side].in.at);
		free(wire->end[side].kept.at);
	}
}
