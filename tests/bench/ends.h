/* SPDX-License-Identifier: MIT */
/* What the small programs of the benchmark share: sockets on loopback, and a way out. */
#ifndef BENCH_ENDS_H
#define BENCH_ENDS_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void
need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static inline struct sockaddr_in
loopback(const char *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	at.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
	return at;
}

/* Listens on a port that the kernel picks, and says which on standard output. */
static inline int
listen_anywhere(void)
{
	struct sockaddr_in at = loopback("0");
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	need(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 4096) == 0, "listen");
	need(getsockname(fd, (struct sockaddr *)&at, &len) == 0, "getsockname");
	printf("port=%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

/* A connection that is being made; its end is told by the loop. */
static inline int
connect_to(const struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	need(fd >= 0, "socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	need(connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EINPROGRESS, "connect");
	return fd;
}

static inline void
watch(int loop, int op, int fd, uint32_t events, void *to)
{
	struct epoll_event event = {.events = events, .data.ptr = to};

	need(epoll_ctl(loop, op, fd, &event) == 0, "epoll_ctl");
}

#endif
