/* SPDX-License-Identifier: MIT */
/*
 * The directories are held open, so that neither a chdir nor a rename of the Maildir loses
 * messages. Names are those of the Maildir format: time, what is unique in it, host.
 */
#include "proxy/outputs/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COPY_MAX 16384  /* octets that are copied at a time */

struct maildir {
	int      tmp, new;              /* directories */
	uint64_t count;                 /* messages begun */
	char     host[65];
};

struct maildir_message {
	struct maildir *maildir;
	int             fd;
	char            name[160];
};

static void
fail(char *error, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(error, MAILDIR_ERROR_MAX, format, list);
	va_end(list);
}

/* The host's name, without what a file name or the format's ":2," forbids. */
static void
name_host(struct maildir *maildir)
{
	if (gethostname(maildir->host, sizeof maildir->host - 1) != 0 || maildir->host[0] == '\0')
		snprintf(maildir->host, sizeof maildir->host, "localhost");
	maildir->host[sizeof maildir->host - 1] = '\0';
	for (char *c = maildir->host; *c != '\0'; c++)
		if (*c == '/' || *c == ':' || *c < '!' || *c > '~')
			*c = '_';
}

/* Makes a directory if need be, and opens it; -1 with error. parent may be AT_FDCWD. */
static int
open_directory(int parent, const char *name, const char *path, char *error)
{
	int fd;

	if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) {
		fail(error, "%s: cannot make the directory: %s", path, strerror(errno));
		return -1;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail(error, "%s: cannot open the directory: %s", path, strerror(errno));
	return fd;
}

static int
open_below(int parent, const char *name, const char *path, char *error)
{
	char below[PATH_MAX + 8];

	snprintf(below, sizeof below, "%.*s/%s", PATH_MAX, path, name);
	return open_directory(parent, name, below, error);
}

struct maildir *
maildir_open(const char *path, char error[static MAILDIR_ERROR_MAX])
{
	struct maildir *maildir = calloc(1, sizeof *maildir);
	int             top = -1, cur = -1;

	if (maildir == NULL) {
		fail(error, "%s: out of memory", path);
		return NULL;
	}
	maildir->tmp = maildir->new = -1;
	name_host(maildir);
	top = open_directory(AT_FDCWD, path, path, error);
	if (top < 0)
		goto out;
	maildir->tmp = open_below(top, "tmp", path, error);
	if (maildir->tmp < 0)
		goto out;
	/* Nothing is put there; that it exists is what makes a directory a Maildir to its readers. */
	cur = open_below(top, "cur", path, error);
	if (cur < 0)
		goto out;
	close(cur);
	maildir->new = open_below(top, "new", path, error);
	if (maildir->new < 0)
		goto out;
	if (faccessat(maildir->tmp, ".", W_OK | X_OK, 0) != 0 || faccessat(maildir->new, ".", W_OK | X_OK, 0) != 0) {
		fail(error, "%s: cannot write into it: %s", path, strerror(errno));
		goto out;
	}
	close(top);
	return maildir;
out:
	if (top >= 0)
		close(top);
	maildir_close(maildir);
	return NULL;
}

void
maildir_close(struct maildir *maildir)
{
	if (maildir == NULL)
		return;
	if (maildir->tmp >= 0)
		close(maildir->tmp);
	if (maildir->new >= 0)
		close(maildir->new);
	free(maildir);
}

struct maildir_message *
maildir_begin(struct maildir *maildir)
{
	struct maildir_message *message = malloc(sizeof *message);
	struct timespec         now;

	if (message == NULL)
		return NULL;
	message->maildir = maildir;
	/* Another opening of the same Maildir may have had the name: then the next count is free. */
	do {
		clock_gettime(CLOCK_REALTIME, &now);
		snprintf(message->name, sizeof message->name, "%lld.M%06ldP%ldQ%llu.%s", (long long)now.tv_sec,
		    now.tv_nsec / 1000, (long)gettid(), (unsigned long long)++maildir->count, maildir->host);
		message->fd = openat(
		    maildir->tmp, message->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	} while (message->fd < 0 && errno == EEXIST);
	if (message->fd < 0) {
		int why = errno;

		free(message);
		errno = why;
		return NULL;
	}
	return message;
}

bool
maildir_write(struct maildir_message *message, struct view octets)
{
	while (octets.len > 0) {
		ssize_t n = write(message->fd, octets.at, octets.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		octets = view_from(octets, (size_t)n);
	}
	return true;
}

bool
maildir_copy(struct maildir_message *message, const struct maildir_message *from, size_t without)
{
	char octets[COPY_MAX];
	off_t at = (off_t)without;
	ssize_t n;

	while ((n = pread(from->fd, octets, sizeof octets, at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !maildir_write(message, (struct view){octets, (size_t)n}))
			return false;
		at += n;
	}
	return true;
}

void
maildir_put_path(struct buffer *header, const char *name, struct view path)
{
	buffer_put(header, view_of(name));
	buffer_put(header, VIEW(": <"));
	for (size_t i = 0; i < path.len; i++) {
		unsigned char c = (unsigned char)path.at[i];

		buffer_char(header, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	buffer_put(header, VIEW(">\r\n"));
}

bool
maildir_keep(struct maildir_message *message, char name[NAME_MAX + 1])
{
	int fd = message->fd, why;

	message->fd = -1;
	/* Some file systems tell of a full disk only now. */
	if (close(fd) != 0 ||
	    renameat(message->maildir->tmp, message->name, message->maildir->new, message->name) != 0) {
		why = errno;
		maildir_discard(message);
		errno = why;
		return false;
	}
	if (name != NULL)
		snprintf(name, NAME_MAX + 1, "%s", message->name);
	free(message);
	return true;
}

void
maildir_discard(struct maildir_message *message)
{
	if (message == NULL)
		return;
	if (message->fd >= 0)
		close(message->fd);
	unlinkat(message->maildir->tmp, message->name, 0);
	free(message);
}
