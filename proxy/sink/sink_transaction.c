/* SPDX-License-Identifier: MIT */
/*
 * A mail transaction of the sink: its paths, and its content on the way into a Maildir, counted
 * whether it is kept or not. What goes wrong is remembered as the answer that its end gets: the
 * client is read to the end of its content all the same.
 */
#include <errno.h>
#include <stdlib.h>

#include "proxy/sink/sink_state.h"

#define SCRATCH_MAX 16384       /* octets that transparency is taken off at a time */

static const struct sink_answer taken = {250, "2.0.0 Ok"};
static const struct sink_answer too_large = {552, "5.3.4 The message is larger than SIZE says"};
static const struct sink_answer disk_full = {452, "4.3.1 There is no room left to keep the message"};
static const struct sink_answer not_kept = {451, "4.3.0 The message could not be kept"};

struct sink_transaction *
sink_transaction_new(struct view reverse_path)
{
	struct sink_transaction *t = calloc(1, sizeof *t);

	if (t != NULL && !sink_transaction_add(t, reverse_path)) {
		sink_transaction_free(t);
		return NULL;
	}
	return t;
}

void
sink_transaction_free(struct sink_transaction *t)
{
	if (t == NULL)
		return;
	maildir_discard(t->message);
	buffer_free(&t->names);
	free(t->ends);
	free(t);
}

bool
sink_transaction_add(struct sink_transaction *t, struct view path)
{
	if (t->count > SINK_RECIPIENTS_MAX || path.len > SINK_NAMES_MAX - t->names.len)
		return false;
	if (t->count == t->room) {
		uint32_t  room = t->room == 0 ? 4 : t->room * 2;
		uint32_t *ends = realloc(t->ends, room * sizeof *ends);

		if (ends == NULL)
			return false;
		t->ends = ends;
		t->room = room;
	}
	buffer_put(&t->names, path);
	t->ends[t->count++] = (uint32_t)t->names.len;
	return true;
}

struct view
sink_transaction_path(const struct sink_transaction *t, uint32_t n)
{
	uint32_t start = n == 0 ? 0 : t->ends[n - 1];

	if (t->ends[n] == start)
		return VIEW("");
	return (struct view){t->names.at + start, t->ends[n] - start};
}

/* The message cannot be kept: what is there of it goes, and its end gets this answer. */
static void
fail(struct sink_transaction *t, const struct sink_answer *answer)
{
	maildir_discard(t->message);
	t->message = NULL;
	t->failed = answer;
}

static void
fail_by_errno(struct sink_transaction *t)
{
	int why = errno;

	fail(t, why == ENOSPC || why == EDQUOT || why == EFBIG ? &disk_full : &not_kept);
	t->error = strerror(why);
}

void
sink_transaction_begin(struct sink_transaction *t, struct maildir *maildir)
{
	struct buffer header = {NULL, 0, 0};

	t->begun = true;
	if (maildir == NULL || t->failed != NULL)
		return;
	t->message = maildir_begin(maildir);
	if (t->message == NULL) {
		fail_by_errno(t);
		return;
	}
	maildir_put_path(&header, "Return-Path", sink_transaction_path(t, 0));
	for (uint32_t n = 1; n < t->count; n++)
		maildir_put_path(&header, "X-Envelope-To", sink_transaction_path(t, n));
	if (!maildir_write(t->message, (struct view){header.at, header.len}))
		fail_by_errno(t);
	buffer_free(&header);
}

static void
keep(struct sink_transaction *t, struct view octets, uint64_t max_size)
{
	t->octets += octets.len;
	if (t->failed != NULL)
		return;
	if (max_size != 0 && t->octets > max_size)
		fail(t, &too_large);
	else if (t->message != NULL && !maildir_write(t->message, octets))
		fail_by_errno(t);
}

void
sink_transaction_content(struct sink_transaction *t, struct view stretch, uint64_t max_size)
{
	char scratch[SCRATCH_MAX];

	if (t->chunks) {
		keep(t, stretch, max_size);
		return;
	}
	while (stretch.len > 0) {
		struct view part = view_first(stretch, sizeof scratch);
		size_t      n = smtp_content_unstuff(&t->unstuff, part, scratch);

		keep(t, (struct view){scratch, n}, max_size);
		stretch = view_from(stretch, part.len);
	}
}

const struct sink_answer *
sink_transaction_end(struct sink_transaction *t, char *file)
{
	struct maildir_message *message = t->message;

	file[0] = '\0';
	t->message = NULL;
	if (t->failed == NULL && message != NULL && !maildir_keep(message, file))
		fail_by_errno(t);
	return t->failed != NULL ? t->failed : &taken;
}
