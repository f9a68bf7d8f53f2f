/* SPDX-License-Identifier: MIT */
/*
 * A receiver that costs as little as it can: says yes to everything, in the order in which it
 * comes, and throws content away.
 *
 *     receive                  listens on 127.0.0.1, says port=N
 */
#include "tests/bench/ends.h"

#include <signal.h>

#define GREETING "220 mx.example.net ESMTP\r\n"
#define EHLO     "250-mx.example.net\r\n250-SIZE 0\r\n250-8BITMIME\r\n250 PIPELINING\r\n"

struct session {
	int      fd;
	bool     content;
	unsigned matched;       /* octets of the end of content; at its start CRLF went before */
	size_t   line_len;
	char     line[512];     /* a command that is not whole yet; what does not fit is not kept */
};

static void
say(struct session *s, const char *reply)
{
	/* Replies are few and short: a socket that takes none of one is broken. */
	need(send(s->fd, reply, strlen(reply), MSG_NOSIGNAL) == (ssize_t)strlen(reply) || errno == EPIPE ||
	    errno == ECONNRESET, "send");
}

/* False: that was QUIT. */
static bool
answer(struct session *s)
{
	const char *line = s->line;

	s->line_len = 0;
	if (strncmp(line, "EHLO", 4) == 0) {
		say(s, EHLO);
	} else if (strncmp(line, "DATA", 4) == 0) {
		say(s, "354 End data with <CR><LF>.<CR><LF>\r\n");
		s->content = true;
		s->matched = 2;
	} else if (strncmp(line, "QUIT", 4) == 0) {
		say(s, "221 2.0.0 Bye\r\n");
		return false;
	} else {
		say(s, "250 2.0.0 Ok\r\n");
	}
	return true;
}

/* How many of these octets belong to the content; behind its end it is answered. */
static size_t
skip_content(struct session *s, const char *octets, size_t len)
{
	static const char end[] = "\r\n.\r\n";
	size_t at = 0;

	while (at < len) {
		if (s->matched == 0) {
			const char *cr = memchr(octets + at, '\r', len - at);

			if (cr == NULL)
				return len;
			at = (size_t)(cr - octets);
		}
		if (octets[at] == end[s->matched])
			s->matched++;
		else
			s->matched = octets[at] == '\r';
		at++;
		if (s->matched == 5) {
			s->content = false;
			say(s, "250 2.0.0 Ok: queued\r\n");
			break;
		}
	}
	return at;
}

static bool
take(struct session *s, const char *octets, size_t len)
{
	while (len > 0) {
		size_t used;

		if (s->content) {
			used = skip_content(s, octets, len);
		} else {
			const char *lf = memchr(octets, '\n', len);
			size_t room = sizeof s->line - s->line_len;

			used = lf == NULL ? len : (size_t)(lf - octets) + 1;
			memcpy(s->line + s->line_len, octets, used < room ? used : room);
			s->line_len += used < room ? used : room;
			if (lf != NULL && !answer(s))
				return false;
		}
		octets += used;
		len -= used;
	}
	return true;
}

static void
take_in(int loop, int listening)
{
	int fd, on = 1;

	while ((fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct session *s = calloc(1, sizeof *s);

		need(s != NULL, "calloc");
		s->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN, s);
		say(s, GREETING);
	}
}

int
main(void)
{
	static char buffer[256 * 1024];
	struct epoll_event events[256];
	int loop = epoll_create1(EPOLL_CLOEXEC), listening = listen_anywhere();

	signal(SIGPIPE, SIG_IGN);
	watch(loop, EPOLL_CTL_ADD, listening, EPOLLIN, NULL);
	for (;;) {
		int count = epoll_wait(loop, events, 256, -1);

		for (int i = 0; i < count; i++) {
			struct session *s = events[i].data.ptr;
			ssize_t len;

			if (s == NULL) {
				take_in(loop, listening);
				continue;
			}
			len = recv(s->fd, buffer, sizeof buffer, 0);
			if (len < 0 && errno == EAGAIN)
				continue;
			if (len <= 0 || !take(s, buffer, (size_t)len)) {
				close(s->fd);
				free(s);
			}
		}
	}
}
