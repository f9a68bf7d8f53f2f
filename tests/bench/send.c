/* SPDX-License-Identifier: MIT */
/*
 * A sender: sessions side by side, each with so many messages, each command sent when the one
 * before is answered. Ends when all are done; a reply that is no 2xx or 354 ends it with 1.
 *
 *     send PORT mail SESSIONS AT-ONCE MESSAGES OCTETS
 *     send PORT noop COUNT             one session; says p50=, p99= in microseconds
 *     send PORT idle SESSIONS          EHLO each, says ready, waits until standard input ends
 */
#include "tests/bench/ends.h"

#include <time.h>

enum step { GREETED, EHLO, MAIL, RCPT, DATA, CONTENT, QUIT, NOOP, REST };

struct session {
	int       fd;
	enum step step;         /* whose reply is awaited */
	unsigned  messages;     /* left */
	size_t    unsent;       /* octets of the content */
	uint64_t  asked_ns;     /* NOOP */
};

struct run {
	int                loop;
	struct sockaddr_in at;
	enum step          kind;        /* MAIL, NOOP or REST */
	unsigned           left, messages;      /* sessions to begin; messages of each, or NOOPs */
	unsigned           open, resting;
	char              *content;
	size_t             octets;      /* with its end */
	uint64_t          *took_ns;     /* of each NOOP */
	unsigned           taken;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void
begin(struct run *run)
{
	struct session *s = calloc(1, sizeof *s);

	need(s != NULL, "calloc");
	*s = (struct session){.fd = connect_to(&run->at), .step = GREETED, .messages = run->messages};
	watch(run->loop, EPOLL_CTL_ADD, s->fd, EPOLLIN, s);
	run->left--;
	run->open++;
}

static void
say(struct session *s, enum step step, const char *command)
{
	s->step = step;
	need(send(s->fd, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command), "send");
}

static void
put_content(struct run *run, struct session *s)
{
	size_t before = s->unsent;
	ssize_t sent = send(s->fd, run->content + run->octets - before, before, MSG_NOSIGNAL);

	need(sent >= 0 || errno == EAGAIN, "send content");
	if (sent > 0)
		s->unsent -= (size_t)sent;
	if (s->unsent > 0 && before == run->octets)
		watch(run->loop, EPOLL_CTL_MOD, s->fd, EPOLLIN | EPOLLOUT, s);
	else if (s->unsent == 0 && before != run->octets)
		watch(run->loop, EPOLL_CTL_MOD, s->fd, EPOLLIN, s);
}

static void
next_mail(struct session *s)
{
	if (s->messages-- > 0)
		say(s, MAIL, "MAIL FROM:<ann@example.org>\r\n");
	else
		say(s, QUIT, "QUIT\r\n");
}

static void
next_noop(struct run *run, struct session *s)
{
	uint64_t now = now_ns();

	if (s->step == NOOP)
		run->took_ns[run->taken++] = now - s->asked_ns;
	if (s->messages-- == 0) {
		say(s, QUIT, "QUIT\r\n");
		return;
	}
	s->asked_ns = now_ns();
	say(s, NOOP, "NOOP\r\n");
}

/* A whole reply to what was said last. */
static void
go_on(struct run *run, struct session *s)
{
	switch (s->step) {
	case GREETED:
		say(s, EHLO, "EHLO client.example.org\r\n");
		break;
	case EHLO:
		if (run->kind == REST) {
			run->resting++;
			s->step = REST;
		} else if (run->kind == NOOP) {
			next_noop(run, s);
		} else {
			next_mail(s);
		}
		break;
	case MAIL:
		say(s, RCPT, "RCPT TO:<bob@example.net>\r\n");
		break;
	case RCPT:
		say(s, DATA, "DATA\r\n");
		break;
	case DATA:
		s->step = CONTENT;
		s->unsent = run->octets;
		put_content(run, s);
		break;
	case CONTENT:
		next_mail(s);
		break;
	case NOOP:
		next_noop(run, s);
		break;
	case QUIT:
		close(s->fd);
		free(s);
		run->open--;
		break;
	case REST:
		break;
	}
}

/* Replies come whole, one at a time: nothing is pipelined, and they are short. */
static void
take(struct run *run, struct session *s, uint32_t events)
{
	char reply[1024], *line;
	ssize_t len;

	if ((events & EPOLLOUT) != 0)
		put_content(run, s);
	if ((events & ~(uint32_t)EPOLLOUT) == 0)
		return;
	len = recv(s->fd, reply, sizeof reply - 1, 0);
	if (len < 0 && errno == EAGAIN)
		return;
	need(len > 4 && reply[len - 1] == '\n', "a whole reply");
	reply[len - 1] = '\0';
	line = strrchr(reply, '\n');
	line = line == NULL ? reply : line + 1;
	if (line[0] != (s->step == DATA ? '3' : '2')) {
		fprintf(stderr, "send: step %d was answered: %s\n", (int)s->step, line);
		exit(1);
	}
	if (line[3] == ' ')
		go_on(run, s);
}

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
make_content(struct run *run, size_t octets)
{
	static const char line[] = "What a message says matters to its reader and to nobody in between..\r\n";
	static const char head[] = "From: ann@example.org\r\nTo: bob@example.net\r\nSubject: a message\r\n\r\n";
	size_t at = sizeof head - 1;

	run->content = malloc(octets + sizeof head + sizeof line + 8);
	need(run->content != NULL, "malloc");
	memcpy(run->content, head, at);
	while (at < octets) {
		memcpy(run->content + at, line, sizeof line - 1);
		at += sizeof line - 1;
	}
	memcpy(run->content + at, ".\r\n", 3);
	run->octets = at + 3;
}

static unsigned
number(char **argv, int at)
{
	return (unsigned)strtoul(argv[at], NULL, 10);
}

static unsigned
read_arguments(struct run *run, int argc, char **argv)
{
	run->at = loopback(argc > 1 ? argv[1] : "0");
	if (argc == 7 && strcmp(argv[2], "mail") == 0) {
		run->kind = MAIL;
		run->left = number(argv, 3);
		run->messages = number(argv, 5);
		make_content(run, number(argv, 6));
		return number(argv, 4);
	}
	run->left = 1;
	if (argc == 4 && strcmp(argv[2], "noop") == 0) {
		run->kind = NOOP;
		run->messages = number(argv, 3);
		run->took_ns = calloc(run->messages, sizeof *run->took_ns);
		return 1;
	}
	if (argc == 4 && strcmp(argv[2], "idle") == 0) {
		run->kind = REST;
		run->left = number(argv, 3);
		return 100;
	}
	fputs("usage: send PORT mail SESSIONS AT-ONCE MESSAGES OCTETS | noop COUNT | idle SESSIONS\n", stderr);
	exit(2);
}

int
main(int argc, char **argv)
{
	struct run run = {.loop = epoll_create1(EPOLL_CLOEXEC)};
	unsigned at_once = read_arguments(&run, argc, argv);
	struct epoll_event events[256];

	while (run.left > 0 || run.open > run.resting) {
		int count;

		while (run.left > 0 && run.open - run.resting < at_once)
			begin(&run);
		count = epoll_wait(run.loop, events, 256, -1);
		for (int i = 0; i < count; i++)
			take(&run, events[i].data.ptr, events[i].events);
	}
	if (run.kind == NOOP) {
		qsort(run.took_ns, run.taken, sizeof *run.took_ns, by_size);
		printf("p50=%.2f p99=%.2f\n", (double)run.took_ns[run.taken / 2] / 1e3,
		    (double)run.took_ns[run.taken * 99 / 100] / 1e3);
	} else if (run.kind == REST) {
		puts("ready");
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	return 0;
}
