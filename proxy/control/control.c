/* SPDX-License-Identifier: MIT */
/* The control socket: connections, a request each, and the answer written as it is taken. */
#include "proxy/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/control/path.h"

#define VISITS_MOST 8           /* at once; others wait to be accepted */
#define VISIT_S     30          /* how long one may take to ask, or to take its answer */
#define WORDS_MOST  8

struct control;

/* One who asks. */
struct visit {
	struct control       *control;
	struct visit         *next, **at;
	int                   fd;
	struct loop_event     event;
	struct buffer         request, reply;
	size_t                sent;             /* of reply */
	struct control_answer answer;
};

struct control {
	struct proxy     *proxy;
	char             *path;
	struct stat       made;
	bool              quiet;
	int               fd;
	struct loop_event event;
	struct visit     *visits;
	unsigned          count;
};

static const struct timeval patience = {.tv_sec = VISIT_S};

static void
visit_free(struct visit *visit)
{
	struct control *control = visit->control;

	event_del(&visit->event);
	close(visit->fd);
	*visit->at = visit->next;
	if (visit->next != NULL)
		visit->next->at = visit->at;
	buffer_free(&visit->request);
	buffer_free(&visit->reply);
	control_answer_clear(&visit->answer);
	free(visit);
	if (control->count-- == VISITS_MOST)
		event_add(&control->event, NULL);
}

/* Who does not take the answer in time, or has gone, does without. */
static void
reply_goes_on(evutil_socket_t fd, short what, void *to)
{
	struct visit *visit = to;
	ssize_t n = 0;

	while ((what & EV_TIMEOUT) == 0 && visit->sent < visit->reply.len && n >= 0) {
		n = send(fd, visit->reply.at + visit->sent, visit->reply.len - visit->sent, MSG_NOSIGNAL);
		if (n > 0)
			visit->sent += (size_t)n;
	}
	if ((what & EV_TIMEOUT) != 0 || visit->sent == visit->reply.len ||
	    (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		visit_free(visit);
	else
		event_add(&visit->event, &patience);
}

static void
reply_begins(struct visit *visit)
{
	buffer_char(&visit->reply, (char)('0' + visit->answer.code));
	buffer_put(&visit->reply, (struct view){visit->answer.text.at, visit->answer.text.len});
	event_assign(&visit->event, proxy_base(visit->control->proxy), visit->fd, EV_WRITE, reply_goes_on, visit);
	reply_goes_on(visit->fd, EV_WRITE, visit);
}

static void
answer_is_there(struct control_answer *answer)
{
	reply_begins((struct visit *)(void *)((char *)answer - offsetof(struct visit, answer)));
}

/* Cuts the request into its words. Returns how many, WORDS_MOST + 1 if there are more. */
static size_t
request_words(const struct buffer *request, const char *words[WORDS_MOST])
{
	size_t count = 0;

	for (size_t at = 0; at < request->len; at += strlen(request->at + at) + 1) {
		if (count == WORDS_MOST)
			return WORDS_MOST + 1;
		words[count++] = request->at + at;
	}
	return count;
}

/* The whole request is there: every octet of it, and a NUL behind. */
static void
request_is_there(struct visit *visit)
{
	struct control_answer *answer = &visit->answer;
	const char *words[WORDS_MOST];
	enum control_word word = CONTROL_WORD_COUNT;
	char *complaint = NULL;
	size_t size = 0, count;
	FILE *err = open_memstream(&complaint, &size);

	if (err == NULL)
		abort();
	event_del(&visit->event);
	buffer_char(&visit->request, '\0');
	visit->request.len--;
	count = request_words(&visit->request, words);
	if (count < 2 || count > WORDS_MOST || strcmp(words[0], CONTROL_VERSION) != 0)
		fprintf(err, "smtpscope: this proxy does not understand the request: ctl of the same version is needed\n");
	else
		word = control_word_read(words + 2, count - 2, err);
	fclose(err);
	*answer = (struct control_answer){.proxy = visit->control->proxy, .done = answer_is_there,
	    .quiet = visit->control->quiet,
	    .json = count >= 2 && strcmp(words[1], "json") == 0};
	if (word == CONTROL_WORD_COUNT) {
		answer->code = EXIT_USAGE;
		buffer_put(&answer->text, view_of(complaint));
	}
	free(complaint);
	control_ask(answer, word, count > 3 ? words[3] : "");
}

static void
request_goes_on(evutil_socket_t fd, short what, void *to)
{
	struct visit *visit = to;
	char octets[4096];
	ssize_t n = (what & EV_TIMEOUT) != 0 ? -1 : recv(fd, octets, sizeof octets, 0);

	if (n == 0) {
		request_is_there(visit);
		return;
	}
	if (n > 0)
		buffer_put(&visit->request, (struct view){octets, (size_t)n});
	if ((what & EV_TIMEOUT) != 0 || visit->request.len > CONTROL_REQUEST_MAX ||
	    (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		visit_free(visit);
	else
		event_add(&visit->event, &patience);
}

static void
visitor_comes(evutil_socket_t listening, short what, void *to)
{
	struct control *control = to;
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct visit *visit;

	(void)what;
	if (fd < 0)
		return;
	visit = calloc(1, sizeof *visit);
	if (visit == NULL)
		abort();
	visit->control = control;
	visit->fd = fd;
	visit->next = control->visits;
	visit->at = &control->visits;
	if (visit->next != NULL)
		visit->next->at = &visit->next;
	control->visits = visit;
	if (++control->count == VISITS_MOST)
		event_del(&control->event);
	event_assign(&visit->event, proxy_base(control->proxy), fd, EV_READ, request_goes_on, visit);
	event_add(&visit->event, &patience);
}

bool
control_begin(struct proxy *proxy, const struct options *options, void **state)
{
	struct control *control;

	if (options->control == NULL)
		return true;
	*state = control = calloc(1, sizeof *control);
	if (control == NULL)
		abort();
	control->proxy = proxy;
	control->path = strdup(options->control);
	control->quiet = options->quiet > 0;
	control->fd = control_path_listen(control->path, &control->made, stderr);
	if (control->fd < 0)
		return false;
	event_assign(&control->event, proxy_base(proxy), control->fd, EV_READ | EV_PERSIST, visitor_comes, control);
	return event_add(&control->event, NULL) == 0;
}

void
control_end(void *state)
{
	struct control *control = state;

	if (control == NULL)
		return;
	while (control->visits != NULL)
		visit_free(control->visits);
	if (control->fd >= 0) {
		event_del(&control->event);
		close(control->fd);
		control_path_remove(control->path, &control->made);
	}
	free(control->path);
	free(control);
}
