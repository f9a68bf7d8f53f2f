/* SPDX-License-Identifier: MIT */
/* The way out to one leg. A chunk is what could not go out at once: refused, or not due yet. */
#include "proxy/relay/outlet.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "proxy/intercept/conn.h"
#include "proxy/relay/pacer.h"

#define OUTLET_VECTORS SESSION_SEGMENTS
#define OUTLET_RECORD  ((size_t)16 << 10)       /* octets in a TLS record */

struct outlet_chunk {
	struct outlet_chunk *next;
	uint64_t wait_us;       /* before it goes; 0: none, or over */
	uint64_t due_us;        /* when the wait is over; 0: it has not begun */
	size_t   len, sent;
	struct pacer *pacer;    /* owned; from its octets on; NULL: goes on as before */
	bool     resume;
	bool     secure;        /* empty: TLS begins here */
	char     octets[];
};

void
outlet_init(struct outlet *outlet)
{
	*outlet = (struct outlet){0};
}

/* What the socket took is in *sent. A full socket is no error: it took less. */
static int
offer_socket(int fd, struct iovec *vectors, unsigned count, size_t *sent)
{
	struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
	ssize_t n;

	do {
		/* A list of one costs more than what is in it. */
		n = count == 1 ? send(fd, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
		    : sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	*sent = n < 0 ? 0 : (size_t)n;
	if (n >= 0 || errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return 0;
	return errno;
}

/* The octets from at on, as many as go into one record; one vector's are not copied. */
static struct view
record_of(const struct iovec *vectors, unsigned count, size_t at, char room[static OUTLET_RECORD])
{
	size_t len = 0;

	for (unsigned i = 0; i < count && len < OUTLET_RECORD; i++) {
		struct view octets = view_from((struct view){vectors[i].iov_base, vectors[i].iov_len}, at);

		at -= at < vectors[i].iov_len ? at : vectors[i].iov_len;
		if (len == 0 && (octets.len >= OUTLET_RECORD || (octets.len > 0 && i + 1 == count)))
			return octets;
		octets = view_first(octets, OUTLET_RECORD - len);
		if (octets.len > 0)
			memcpy(room + len, octets.at, octets.len);
		len += octets.len;
	}
	return (struct view){room, len};
}

/* The same in TLS. What a record was begun with is offered again, with more behind it perhaps. */
static int
offer_tls(struct outlet *outlet, const struct iovec *vectors, unsigned count, size_t total, size_t *sent)
{
	enum tls_conn_step step = TLS_CONN_OK;
	char room[OUTLET_RECORD];
	size_t n;

	*sent = 0;
	outlet->begun = 0;
	while (*sent < total && step == TLS_CONN_OK) {
		struct view record = record_of(vectors, count, *sent, room);

		step = tls_conn_write(outlet->tls, record.at, record.len, &n);
		*sent += n;
		if (step == TLS_CONN_WANT_READ || step == TLS_CONN_WANT_WRITE)
			outlet->begun = (uint16_t)(record.len < OUTLET_RECORD ? record.len : OUTLET_RECORD);
	}
	outlet->wants_read = step == TLS_CONN_WANT_READ;
	return step == TLS_CONN_OK || outlet->begun > 0 ? 0 : EPIPE;
}

static int
offer(struct outlet *outlet, int fd, struct iovec *vectors, unsigned count, size_t total, size_t *sent)
{
	if (outlet->tls != NULL)
		return offer_tls(outlet, vectors, count, total, sent);
	return offer_socket(fd, vectors, count, sent);
}

static struct pacer *
pacer_new(const struct pace *pace)
{
	struct pacer *pacer = malloc(sizeof *pacer);

	if (pacer == NULL)
		abort();
	pacer_set(pacer, pace);
	return pacer;
}

static void
append(struct outlet *outlet, const struct segment *s)
{
	struct view octets = s->octets;
	uint64_t wait_us = s->wait_us;
	struct outlet_chunk *chunk;

	if (outlet->dammed || (octets.len == 0 && wait_us == 0 && !s->resume && s->pace == NULL && !s->secure))
		return;
	if (wait_us == SEGMENT_FOREVER) {
		outlet->dammed = true;
		octets.len = 0;
	}
	chunk = malloc(sizeof *chunk + octets.len);
	if (chunk == NULL)
		abort();
	*chunk = (struct outlet_chunk){.wait_us = wait_us, .len = octets.len, .resume = s->resume,
	    .secure = s->secure, .pacer = s->pace != NULL ? pacer_new(s->pace) : NULL};
	if (octets.len > 0)
		memcpy(chunk->octets, octets.at, octets.len);
	if (outlet->first == NULL)
		outlet->first = chunk;
	else
		outlet->last->next = chunk;
	outlet->last = chunk;
	outlet->size += sizeof *chunk + octets.len;
	if (outlet->size >= OUTLET_HIGH)
		outlet->full = true;
}

static void
remove_first(struct outlet *outlet)
{
	struct outlet_chunk *chunk = outlet->first;

	outlet->first = chunk->next;
	if (outlet->first == NULL)
		outlet->last = NULL;
	outlet->size -= sizeof *chunk + chunk->len;
	if (outlet->size <= OUTLET_LOW)
		outlet->full = false;
	free(chunk->pacer);
	free(chunk);
}

/* Whether its octets follow at once those of the chunk before. */
static bool
is_plain(const struct outlet_chunk *chunk)
{
	return chunk->wait_us == 0 && !chunk->resume && chunk->pacer == NULL && !chunk->secure;
}

/* Lets go of octets that the socket took, and of the empty chunks behind them. */
static void
let_go(struct outlet *outlet, size_t sent)
{
	struct outlet_chunk *chunk;

	while ((chunk = outlet->first) != NULL && is_plain(chunk)) {
		size_t left = chunk->len - chunk->sent;

		if (sent < left) {
			chunk->sent += sent;
			return;
		}
		sent -= left;
		remove_first(outlet);
	}
}

/*
 * Segments from the first on that may go to the socket from where they are: nothing is
 * queued, and none of them waits. Returns how many of all it dealt with.
 */
static unsigned
put_at_once(struct outlet *outlet, int fd, enum smtp_side to, const struct segment *segments, unsigned count,
    int *error)
{
	struct iovec vectors[OUTLET_VECTORS];
	unsigned used = 0, dealt;
	size_t total = 0, sent = 0;

	for (dealt = 0; dealt < count && used < OUTLET_VECTORS; dealt++) {
		const struct segment *s = &segments[dealt];

		if (s->to != to)
			continue;
		if (s->wait_us != 0 || s->resume || s->pace != NULL || s->secure)
			break;
		if (s->octets.len == 0)
			continue;
		vectors[used++] = (struct iovec){(char *)s->octets.at, s->octets.len};
		total += s->octets.len;
	}
	*error = total == 0 ? 0 : offer(outlet, fd, vectors, used, total, &sent);
	if (*error != 0 || sent == total)
		return dealt;
	outlet->refused = true;
	for (unsigned i = 0; i < used; i++) {
		struct view rest = {vectors[i].iov_base, vectors[i].iov_len};
		size_t gone = sent < rest.len ? sent : rest.len;

		append(outlet, &(struct segment){.octets = view_from(rest, gone)});
		sent -= gone;
	}
	return dealt;
}

int
outlet_put(struct outlet *outlet, int fd, enum smtp_side to, const struct segment *segments, unsigned count,
    uint64_t now_us, unsigned *resumed)
{
	unsigned next = 0;
	int error = 0;

	if (outlet->first == NULL && fd >= 0 && outlet->pacer == NULL)
		next = put_at_once(outlet, fd, to, segments, count, &error);
	if (error != 0)
		return error;
	for (; next < count; next++) {
		const struct segment *s = &segments[next];

		if (s->to == to)
			append(outlet, s);
	}
	if (outlet->first == NULL || outlet->refused)
		return 0;
	return outlet_flush(outlet, fd, now_us, resumed);
}

/* Whether the chunk in front may go. Its clock starts the first time that it is asked about there. */
static bool
is_due(struct outlet_chunk *chunk, uint64_t now_us, unsigned *resumed)
{
	if (chunk->wait_us == SEGMENT_FOREVER)
		return false;
	if (chunk->wait_us != 0) {
		if (chunk->due_us == 0)
			chunk->due_us = now_us + chunk->wait_us;
		if (now_us < chunk->due_us)
			return false;
		chunk->wait_us = 0;
	}
	if (chunk->resume)
		(*resumed)++;
	chunk->resume = false;
	return true;
}

/* The chunk in front is due, and so its pace begins. */
static void
take_pacer(struct outlet *outlet)
{
	struct outlet_chunk *chunk = outlet->first;

	if (chunk->pacer == NULL)
		return;
	free(outlet->pacer);
	outlet->pacer = chunk->pacer;
	chunk->pacer = NULL;
}

/* Octets that follow each other from the front on, as far as that matters to the pacer. */
static size_t
in_line(const struct outlet *outlet)
{
	size_t total = 0;

	for (const struct outlet_chunk *c = outlet->first; c != NULL && is_plain(c); c = c->next) {
		total += c->len - c->sent;
		if (total >= outlet->pacer->pace.octets)
			break;
	}
	return total;
}

/* Offers the socket as many from the front on; what it took is let go. */
static int
send_front(struct outlet *outlet, int fd, size_t most, size_t *offered, size_t *sent)
{
	struct iovec vectors[OUTLET_VECTORS];
	unsigned used = 0;
	int error;

	*offered = *sent = 0;
	for (struct outlet_chunk *c = outlet->first; c != NULL && is_plain(c) && used < OUTLET_VECTORS && *offered < most;
	    c = c->next) {
		size_t len = c->len - c->sent;

		if (len > most - *offered)
			len = most - *offered;
		vectors[used++] = (struct iovec){c->octets + c->sent, len};
		*offered += len;
	}
	error = *offered == 0 ? 0 : offer(outlet, fd, vectors, used, *offered, sent);
	if (error == 0)
		let_go(outlet, *sent);
	return error;
}

int
outlet_flush(struct outlet *outlet, int fd, uint64_t now_us, unsigned *resumed)
{
	if (fd < 0)
		return 0;
	outlet->refused = outlet->wants_read = false;
	while (outlet->first != NULL && is_due(outlet->first, now_us, resumed)) {
		size_t most = SIZE_MAX, allowed, total, sent, left;
		int error;

		take_pacer(outlet);
		if (outlet->first->secure) {
			outlet->secure = true;
			return 0;
		}
		if (outlet->pacer != NULL && (left = in_line(outlet)) > 0 &&
		    (most = pacer_allows(outlet->pacer, left, now_us)) == 0 && outlet->begun == 0)
			return 0;
		allowed = most;
		if (most < outlet->begun)
			most = outlet->begun;   /* it is on its way already */
		error = send_front(outlet, fd, most, &total, &sent);
		if (error != 0)
			return error;
		if (outlet->pacer != NULL && sent > 0 && allowed > 0)
			pacer_went(outlet->pacer, sent < allowed ? sent : allowed, in_line(outlet), now_us);
		if (sent < total) {
			outlet->refused = true;
			return 0;
		}
	}
	return 0;
}

void
outlet_secured(struct outlet *outlet, struct tls_conn *tls)
{
	outlet->tls = tls;
	outlet->secure = false;
	remove_first(outlet);
}

uint64_t
outlet_wake_at(const struct outlet *outlet)
{
	const struct outlet_chunk *first = outlet->first;

	if (first == NULL || first->wait_us == SEGMENT_FOREVER)
		return 0;
	if (first->wait_us != 0)
		return first->due_us;
	return outlet->pacer != NULL && !outlet->refused ? outlet->pacer->due_us : 0;
}

unsigned
outlet_clear(struct outlet *outlet)
{
	unsigned resumes = 0;

	while (outlet->first != NULL) {
		resumes += outlet->first->resume;
		remove_first(outlet);
	}
	free(outlet->pacer);
	outlet_init(outlet);
	return resumes;
}
