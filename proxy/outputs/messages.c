/* SPDX-License-Identifier: MIT */
/*
 * The envelope stands on top of the file, and all of it is known at the end alone: recipients
 * are answered behind a chunk that was sent along with them, and whether the end came. What is
 * known when the content begins is written then; where that has turned out otherwise, which is
 * seldom, the file is written anew.
 */
#include "proxy/outputs/messages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "decoders/smtp/content.h"
#include "proxy/must.h"
#include "proxy/outputs/maildir.h"
#include "proxy/outputs/numbered.h"

#define SCRATCH_MAX 16384       /* octets that transparency is taken off at a time */

/* A message whose content has begun, until its message event. */
struct saving {
	struct saving          *next;           /* of the same session */
	uint64_t                message;        /* its number there */
	struct maildir_message *file;           /* NULL: it cannot be kept, which was said */
	struct buffer           top;            /* what stands on top of the file so far */
	uint8_t                 unstuff;        /* smtp_content_unstuff */
	bool                    by_data;        /* the last stretch was */
};

struct savings {
	struct numbered session;                /* first member */
	struct saving  *first;
};

struct messages {
	struct maildir *maildir;
	const char     *path;
	FILE           *err;
	struct numbers  sessions;               /* with messages that are coming in */
	uint64_t        lost;
	int             said;                   /* errno of the last failure that was said; 0: none */
};

/* Each message that is coming in is a descriptor, and the usual soft limit is 1,024 of them. */
static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Counted, and said once for each reason in a row: a full disk would say it of every message. */
static void
lose(struct messages *m, struct saving *saving, uint64_t session)
{
	int why = errno;

	maildir_discard(saving->file);
	saving->file = NULL;
	m->lost++;
	if (why == m->said)
		return;
	m->said = why;
	fprintf(m->err, "smtpscope: --save-messages %s: message %" PRIu64 " of session %" PRIu64
	    " cannot be kept: %s\n", m->path, saving->message, session, strerror(why));
}

static void
put_number(struct buffer *top, const char *name, uint64_t number)
{
	if (number > 0)
		buffer_printf(top, "%s: %" PRIu64 "\r\n", name, number);
}

/* Recipients who were refused are left out; those of whom nothing was said (yet) are not. */
static void
put_envelope(struct buffer *top, const struct event_envelope *envelope)
{
	if (envelope->reverse_path.at != NULL)
		maildir_put_path(top, "Return-Path", envelope->reverse_path);
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct event_recipient *r = &envelope->recipients[i];

		if (r->address.at != NULL && (r->code == 0 || r->code / 100 == 2))
			maildir_put_path(top, "X-Envelope-To", r->address);
	}
	put_number(top, "X-Smtpscope-Recipients-Unlisted", envelope->recipients_unlisted);
}

/* What stands on top when all is known. */
static void
put_top(struct buffer *top, const struct event *event)
{
	struct event_envelope envelope = {event->as.message.reverse_path, event->as.message.recipients,
	    event->as.message.recipient_count, event->as.message.recipients_unlisted};

	put_envelope(top, &envelope);
	if (event->as.message.code == 0 && event->as.message.complete)
		buffer_put(top, VIEW("X-Smtpscope-Reply: none\r\n"));
	else if (event->as.message.code / 100 != 2)
		put_number(top, "X-Smtpscope-Reply", event->as.message.code);
	if (!event->as.message.complete)
		buffer_printf(top, "X-Smtpscope-Incomplete: %s\r\n", event->as.message.incomplete);
}

static struct view
written(const struct buffer *buffer)
{
	return (struct view){buffer->at, buffer->len};
}

static struct saving *
find(struct messages *m, uint64_t session, uint64_t message)
{
	struct savings *savings = (struct savings *)numbers_find(&m->sessions, session);
	struct saving *saving = savings == NULL ? NULL : savings->first;

	while (saving != NULL && saving->message != message)
		saving = saving->next;
	return saving;
}

/* A new file, with what is known to stand on top of it, which is taken. */
static struct saving *
begin(struct messages *m, uint64_t session, uint64_t message, struct buffer *top)
{
	struct savings *savings = (struct savings *)numbers_find(&m->sessions, session);
	struct saving *saving = must(calloc(1, sizeof *saving));

	if (savings == NULL) {
		savings = must(calloc(1, sizeof *savings));
		savings->session.number = session;
		numbers_add(&m->sessions, &savings->session);
	}
	saving->message = message;
	saving->next = savings->first;
	savings->first = saving;
	saving->top = *top;
	*top = (struct buffer){NULL, 0, 0};
	saving->file = maildir_begin(m->maildir);
	if (saving->file == NULL || !maildir_write(saving->file, written(&saving->top)))
		lose(m, saving, session);
	return saving;
}

/* Its session has it no longer. */
static void
forget(struct messages *m, uint64_t session, struct saving *saving)
{
	struct savings *savings = (struct savings *)numbers_find(&m->sessions, session);
	struct saving **at = &savings->first;

	while (*at != saving)
		at = &(*at)->next;
	*at = saving->next;
	buffer_free(&saving->top);
	free(saving);
	if (savings->first != NULL)
		return;
	numbers_remove(&m->sessions, &savings->session);
	free(savings);
}

/* What comes behind a gap stands inside a line, as far as one can tell. */
static void
enter_line(struct saving *saving)
{
	char octet;

	smtp_content_unstuff(&saving->unstuff, VIEW("-"), &octet);
}

static bool
write_unstuffed(struct saving *saving, struct view stretch)
{
	char scratch[SCRATCH_MAX];

	while (stretch.len > 0) {
		struct view part = view_first(stretch, sizeof scratch);
		size_t n = smtp_content_unstuff(&saving->unstuff, part, scratch);

		if (!maildir_write(saving->file, (struct view){scratch, n}))
			return false;
		stretch = view_from(stretch, part.len);
	}
	return true;
}

static void
content(struct messages *m, const struct event *event)
{
	uint64_t message = event->as.content.message;
	struct saving *saving = find(m, event->session, message);
	struct view stretch = event->as.content.octets;
	struct buffer top = {NULL, 0, 0};

	if (saving == NULL && event->as.content.begins) {
		put_envelope(&top, &event->as.content.envelope);
		saving = begin(m, event->session, message, &top);
	}
	if (saving == NULL || saving->file == NULL)
		return;
	if (event->as.content.by_data && !saving->by_data)
		saving->unstuff = 0;
	saving->by_data = event->as.content.by_data;
	if (event->as.content.missing > 0)
		enter_line(saving);
	if (saving->by_data ? !write_unstuffed(saving, stretch) : !maildir_write(saving->file, stretch))
		lose(m, saving, event->session);
}

/* The same content under another top. False: errno says why; the file is as it was. */
static bool
write_anew(struct messages *m, struct saving *saving, const struct buffer *top)
{
	struct maildir_message *file = maildir_begin(m->maildir);
	int why;

	if (file != NULL && maildir_write(file, written(top)) && maildir_copy(file, saving->file, saving->top.len)) {
		maildir_discard(saving->file);
		saving->file = file;
		return true;
	}
	why = errno;
	maildir_discard(file);
	errno = why;
	return false;
}

/* Rules keep others. */
static void
discard(struct saving *saving)
{
	maildir_discard(saving->file);
	saving->file = NULL;
}

static void
message(struct messages *m, const struct event *event)
{
	struct saving *saving = find(m, event->session, event->as.message.message);
	struct buffer top = {NULL, 0, 0};
	struct maildir_message *file;

	put_top(&top, event);
	/* An empty content has no stretch. */
	if (saving == NULL && event->as.message.unwanted) {
		buffer_free(&top);
		return;
	}
	if (saving == NULL)
		saving = begin(m, event->session, event->as.message.message, &top);
	else if (event->as.message.unwanted)
		discard(saving);
	else if (saving->file != NULL && !view_equal(written(&top), written(&saving->top)) &&
	    !write_anew(m, saving, &top))
		lose(m, saving, event->session);
	file = saving->file;
	saving->file = NULL;
	if (file != NULL && !maildir_keep(file, NULL))
		lose(m, saving, event->session);
	buffer_free(&top);
	forget(m, event->session, saving);
}

static void
put(void *to, const struct event *event)
{
	struct messages *m = to;

	if (event->type == EVENT_CONTENT)
		content(m, event);
	else if (event->type == EVENT_MESSAGE)
		message(m, event);
}

struct messages *
messages_open(const char *path, FILE *err)
{
	struct messages *m = must(calloc(1, sizeof *m));
	char error[MAILDIR_ERROR_MAX];

	m->path = path;
	m->err = err;
	m->maildir = maildir_open(path, error);
	if (m->maildir != NULL) {
		raise_descriptors();
		return m;
	}
	fprintf(err, "smtpscope: --save-messages %s\n", error);
	free(m);
	return NULL;
}

struct event_sink
messages_sink(struct messages *m)
{
	return (struct event_sink){.put = put, .to = m, .wants_content = true};
}

uint64_t
messages_close(struct messages *m)
{
	struct savings *savings;
	uint64_t lost;

	if (m == NULL)
		return 0;
	/* Sessions that were never closed: their program has come to grief, and has said so. */
	while ((savings = (struct savings *)numbers_take(&m->sessions)) != NULL) {
		struct saving *saving;

		while ((saving = savings->first) != NULL) {
			savings->first = saving->next;
			m->lost += saving->file != NULL;
			maildir_discard(saving->file);
			buffer_free(&saving->top);
			free(saving);
		}
		free(savings);
	}
	numbers_clear(&m->sessions);
	maildir_close(m->maildir);
	lost = m->lost;
	if (lost > 0)
		fprintf(m->err, "smtpscope: --save-messages %s: %" PRIu64 " message%s not kept\n", m->path, lost,
		    lost == 1 ? " was" : "s were");
	free(m);
	return lost;
}
