/* SPDX-License-Identifier: MIT */
#include "proxy/relay/inbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

void
inbox_read(struct inbox *inbox)
{
	struct letter *letter, *next;

	pthread_mutex_lock(&inbox->lock);
	letter = inbox->first;
	inbox->first = NULL;
	inbox->last = &inbox->first;
	pthread_mutex_unlock(&inbox->lock);
	for (; letter != NULL; letter = next) {
		next = letter->next;
		letter->read(letter);
	}
}

static void
something_is_there(evutil_socket_t fd, short what, void *to)
{
	uint64_t count;

	(void)what;
	/* Before the letters are taken: one that comes meanwhile wakes the loop again. */
	while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
		;
	inbox_read(to);
}

bool
inbox_open(struct inbox *inbox, struct event_base *base)
{
	*inbox = (struct inbox){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (inbox->fd < 0)
		return false;
	pthread_mutex_init(&inbox->lock, NULL);
	inbox->last = &inbox->first;
	event_assign(&inbox->event, base, inbox->fd, EV_READ | EV_PERSIST, something_is_there, inbox);
	if (event_add(&inbox->event, NULL) == 0)
		return true;
	inbox_close(inbox);
	return false;
}

void
inbox_put(struct inbox *inbox, struct letter *letter)
{
	uint64_t one = 1;

	pthread_mutex_lock(&inbox->lock);
	letter->next = NULL;
	*inbox->last = letter;
	inbox->last = &letter->next;
	pthread_mutex_unlock(&inbox->lock);
	/* A counter that is full has been seen by nobody yet: the reader will wake all the same. */
	while (write(inbox->fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void
inbox_close(struct inbox *inbox)
{
	event_del(&inbox->event);
	close(inbox->fd);
	pthread_mutex_destroy(&inbox->lock);
}
