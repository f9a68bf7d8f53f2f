/* SPDX-License-Identifier: MIT */
/* One connection: its descriptor, its event, its octets. */
#include "proxy/relay/leg.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/relay/leg_tls.h"

/*
 * Nothing is wanted, but the peer may vanish. libevent tells an EPOLLERR as reading and
 * writing, never as EV_CLOSED, so that watching for EV_CLOSED alone would spin on a reset;
 * writing, by edges, is silent while the peer is there.
 */
#define WATCH_IDLE (EV_WRITE | EV_ET | EV_PERSIST)

void
leg_init(struct leg *leg)
{
	*leg = (struct leg){.fd = -1, .state = LEG_NONE};
	outlet_init(&leg->outlet);
}

void
leg_open(struct leg *leg, struct event_base *base, int fd, event_callback_fn ready, void *to)
{
	leg->fd = fd;
	leg->state = LEG_OPEN;
	event_assign(&leg->event, base, fd, LEG_READING, ready, to);
}

void
leg_watch(struct leg *leg, bool reading, bool writing)
{
	short want = EV_PERSIST;
	event_callback_fn ready;
	void *to;

	if (leg->state != LEG_OPEN)
		return;
	want |= reading ? EV_READ : 0;
	want |= writing ? EV_WRITE : 0;
	if (!reading && !writing)
		want = leg->eof ? 0 : WATCH_IDLE;
	if (want == leg->watched)
		return;
	if (leg->watched != 0)
		event_del(&leg->event);
	leg->watched = want;
	if (want == 0)
		return;
	ready = event_get_callback(&leg->event);
	to = event_get_callback_arg(&leg->event);
	event_assign(&leg->event, event_get_base(&leg->event), leg->fd, want, ready, to);
	if (event_add(&leg->event, NULL) != 0)
		leg->lost = true;       /* out of epoll watches: better no leg than a deaf one */
}

enum leg_read
leg_read(struct leg *leg, char *at, size_t size, size_t *len)
{
	ssize_t n;

	if (leg->tls != NULL)
		return leg_tls_read(leg, at, size, len);
	do {
		n = recv(leg->fd, at, size, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	*len = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return LEG_READ_SOME;
	if (n == 0)
		return LEG_READ_FIN;
	return errno == EAGAIN ? LEG_READ_NOTHING : LEG_READ_LOST;
}

bool
leg_has_vanished(const struct leg *leg)
{
	struct pollfd poll_fd = {.fd = leg->fd};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & POLLERR) != 0;
}

bool
leg_is_taken(const struct leg *leg)
{
	int octets;

	return ioctl(leg->fd, SIOCOUTQ, &octets) != 0 || octets == 0;
}

void
leg_keep(struct leg *leg, const char *octets, size_t len)
{
	bool inside = leg->kept != NULL && octets >= leg->kept && octets <= leg->kept + leg->kept_len;
	char *room;

	if (len == 0) {
		free(leg->kept);
		leg->kept = NULL;
		leg->kept_len = 0;
		return;
	}
	if (inside && len == leg->kept_len)
		return;
	if (inside)
		memmove(leg->kept, octets, len);
	room = realloc(leg->kept, len);
	if (room == NULL)
		abort();
	if (!inside)
		memcpy(room, octets, len);
	leg->kept = room;
	leg->kept_len = (uint32_t)len;
}

void
leg_send_fin(struct leg *leg, uint64_t now_us)
{
	if (!leg->fin_due || leg->fin_sent || leg->state != LEG_OPEN || !outlet_is_empty(&leg->outlet))
		return;
	if (leg->tls != NULL && !leg->lost && !leg_tls_close(leg)) {
		leg->outlet.refused = true;
		return;
	}
	leg->fin_sent = true;
	leg->drain_until_us = now_us + LEG_DRAIN_US;
	/* Where the peer's FIN is there already, close() says ours as well. */
	if (!leg->eof && shutdown(leg->fd, SHUT_WR) != 0)
		leg->lost = true;
}

void
leg_close(struct leg *leg)
{
	if (leg->watched != 0)
		event_del(&leg->event);
	leg->watched = 0;
	leg_tls_free(leg);
	if (leg->fd >= 0)
		close(leg->fd);
	leg->fd = -1;
	leg->state = LEG_GONE;
	outlet_clear(&leg->outlet);
}

void
leg_reset(struct leg *leg)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (leg->fd >= 0)
		setsockopt(leg->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	leg_close(leg);
}

void
leg_clear(struct leg *leg)
{
	if (leg->state == LEG_OPEN)
		leg_close(leg);
	outlet_clear(&leg->outlet);
	leg_keep(leg, NULL, 0);
}
