/* SPDX-License-Identifier: MIT */
/*
 * The floor: a TCP relay that understands nothing. One thread, one epoll; what is read goes
 * into one buffer and from there to the other side; what that does not take is kept, and
 * reading stops until it has gone. What a proxy of this kind costs, the kernel costs.
 *
 *     floor TARGETPORT         listens on 127.0.0.1, says port=N
 */
#include "tests/bench/ends.h"

#include <signal.h>

struct side {
	int          fd;
	uint32_t     wanted;
	bool         eof, fin;
	bool         connecting;
	char        *rest;              /* octets for this side that its socket refused */
	size_t       rest_len;
	struct side *other;
};

struct relay {
	struct side   side[2];
	struct relay *next;             /* of those that are over */
	bool          over;
};

struct loop {
	int                fd;
	int                listening;
	struct sockaddr_in target;
	struct relay      *over;
	char               buffer[128 * 1024];
};

static struct relay *
relay_of(struct side *side)
{
	return (struct relay *)(side < side->other ? side : side->other);
}

static void
end(struct loop *loop, struct relay *relay)
{
	if (relay->over)
		return;
	relay->over = true;
	for (int i = 0; i < 2; i++) {
		close(relay->side[i].fd);
		free(relay->side[i].rest);
	}
	relay->next = loop->over;
	loop->over = relay;
}

static void
want(struct loop *loop, struct side *side)
{
	uint32_t wanted = 0;

	if (!side->eof && !side->connecting && side->other->rest_len == 0)
		wanted |= EPOLLIN;
	if (side->connecting || side->rest_len > 0)
		wanted |= EPOLLOUT;
	if (wanted != side->wanted)
		watch(loop->fd, EPOLL_CTL_MOD, side->fd, wanted, side);
	side->wanted = wanted;
}

static bool
put(struct side *side, const char *octets, size_t len)
{
	ssize_t sent = side->connecting ? 0 : send(side->fd, octets, len, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		return false;
	if (sent < 0)
		sent = 0;
	if ((size_t)sent == len)
		return true;
	side->rest_len = len - (size_t)sent;
	side->rest = malloc(side->rest_len);
	need(side->rest != NULL, "malloc");
	memcpy(side->rest, octets + sent, side->rest_len);
	return true;
}

/* The end of the other side's stream, behind all that it sent. */
static void
pass_end(struct side *side)
{
	if (!side->other->eof || side->fin || side->rest_len > 0 || side->connecting)
		return;
	side->fin = true;
	shutdown(side->fd, SHUT_WR);
}

/* False: it is over. */
static bool
take(struct loop *loop, struct side *side)
{
	ssize_t len = recv(side->fd, loop->buffer, sizeof loop->buffer, 0);

	if (len < 0)
		return errno == EAGAIN;
	if (len > 0)
		return put(side->other, loop->buffer, (size_t)len);
	side->eof = true;
	if (side->other->eof)
		return false;
	pass_end(side->other);
	return true;
}

static bool
go_on(struct side *side)
{
	int error = 0;
	socklen_t len = sizeof error;
	char *rest = side->rest;
	bool good = true;

	if (side->connecting && (getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0))
		return false;
	side->connecting = false;
	if (side->rest_len > 0) {
		len = 0;
		side->rest = NULL;
		size_t rest_len = side->rest_len;
		side->rest_len = 0;
		good = put(side, rest, rest_len);
		free(rest);
	}
	pass_end(side);
	return good;
}

static void
take_in(struct loop *loop)
{
	for (;;) {
		int fd = accept4(loop->listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
		struct relay *relay;

		if (fd < 0)
			return;
		relay = calloc(1, sizeof *relay);
		need(relay != NULL, "calloc");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		relay->side[0] = (struct side){.fd = fd, .other = &relay->side[1], .wanted = EPOLLIN};
		relay->side[1] = (struct side){.fd = connect_to(&loop->target), .other = &relay->side[0],
		    .wanted = EPOLLOUT, .connecting = true};
		watch(loop->fd, EPOLL_CTL_ADD, fd, EPOLLIN, &relay->side[0]);
		watch(loop->fd, EPOLL_CTL_ADD, relay->side[1].fd, EPOLLOUT, &relay->side[1]);
	}
}

static void
is_ready(struct loop *loop, struct side *side, uint32_t events)
{
	struct relay *relay = relay_of(side);
	bool good = true;

	if (relay->over)
		return;
	if ((events & (EPOLLOUT | EPOLLERR)) != 0 && (side->connecting || side->rest_len > 0))
		good = go_on(side);
	if (good && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !side->eof && !side->connecting &&
	    side->other->rest_len == 0)
		good = take(loop, side);
	if (!good || ((events & EPOLLERR) != 0 && side->eof)) {
		end(loop, relay);
		return;
	}
	want(loop, side);
	want(loop, side->other);
}

int
main(int argc, char **argv)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct epoll_event events[256];

	need(argc == 2 && loop != NULL, "usage: floor TARGETPORT");
	signal(SIGPIPE, SIG_IGN);
	loop->target = loopback(argv[1]);
	loop->listening = listen_anywhere();
	loop->fd = epoll_create1(EPOLL_CLOEXEC);
	watch(loop->fd, EPOLL_CTL_ADD, loop->listening, EPOLLIN, NULL);
	for (;;) {
		int count = epoll_wait(loop->fd, events, 256, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr == NULL)
				take_in(loop);
			else
				is_ready(loop, events[i].data.ptr, events[i].events);
		}
		while (loop->over != NULL) {    /* events of this round may still have named them */
			struct relay *relay = loop->over;

			loop->over = relay->next;
			free(relay);
		}
	}
}
