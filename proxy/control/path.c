/* SPDX-License-Identifier: MIT */
/* Unix sockets by their path: see path.h. */
#include "proxy/control/path.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static bool
address_make(const char *path, struct sockaddr_un *address, FILE *err)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof *address);
	address->sun_family = AF_UNIX;
	if (len >= sizeof address->sun_path) {
		fprintf(err, "smtpscope: %s: the path of a socket may have %zu octets, and this one has %zu; name a "
		    "shorter one\n", path, sizeof address->sun_path - 1, len);
		return false;
	}
	memcpy(address->sun_path, path, len + 1);
	return true;
}

static int
socket_make(int flags, const char *path, FILE *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0)
		fprintf(err, "smtpscope: %s: %s\n", path, strerror(errno));
	return fd;
}

/* Whether the path is free now: nothing was there, or what a dead process left. */
static bool
path_clear(const char *path, const struct sockaddr_un *address, FILE *err)
{
	struct stat there;
	int fd, error;

	if (lstat(path, &there) != 0) {
		if (errno == ENOENT)
			return true;
		fprintf(err, "smtpscope: --control %s: %s\n", path, strerror(errno));
		return false;
	}
	if (!S_ISSOCK(there.st_mode)) {
		fprintf(err, "smtpscope: --control %s: it exists and is no socket; name a path where one can be made\n",
		    path);
		return false;
	}
	fd = socket_make(SOCK_NONBLOCK, path, err);
	if (fd < 0)
		return false;
	error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
	close(fd);
	if (error == ECONNREFUSED && unlink(path) == 0)
		return true;
	if (error == ECONNREFUSED || error == EACCES)
		fprintf(err, "smtpscope: --control %s: another program's socket is there: %s\n", path, strerror(errno));
	else
		fprintf(err, "smtpscope: --control %s: a running program listens there; name another path, or end it\n",
		    path);
	return false;
}

int
control_path_listen(const char *path, struct stat *made, FILE *err)
{
	struct sockaddr_un address;
	mode_t mask;
	int fd, bound;

	if (!address_make(path, &address, err) || !path_clear(path, &address, err))
		return -1;
	fd = socket_make(SOCK_NONBLOCK, path, err);
	if (fd < 0)
		return -1;
	/* Nobody else may connect, not even between bind and chmod. No other thread makes files yet. */
	mask = umask(0177);
	bound = bind(fd, (const struct sockaddr *)&address, sizeof address);
	umask(mask);
	if (bound == 0 && listen(fd, BACKLOG) == 0 && lstat(path, made) == 0)
		return fd;
	fprintf(err, "smtpscope: --control %s: %s\n", path, strerror(errno));
	if (bound == 0)
		unlink(path);
	close(fd);
	return -1;
}

void
control_path_remove(const char *path, const struct stat *made)
{
	struct stat there;

	if (lstat(path, &there) == 0 && there.st_dev == made->st_dev && there.st_ino == made->st_ino)
		unlink(path);
}

int
control_path_connect(const char *path, FILE *err)
{
	struct sockaddr_un address;
	struct stat there;
	int fd;

	if (!address_make(path, &address, err))
		return -1;
	if (stat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
		fprintf(err, "smtpscope: %s is no socket; ctl wants what the proxy was given with --control\n", path);
		return -1;
	}
	fd = socket_make(0, path, err);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (errno == ECONNREFUSED)
		fprintf(err, "smtpscope: %s: nobody listens there; the proxy that made it has ended\n", path);
	else if (errno == ENOENT)
		fprintf(err, "smtpscope: %s: there is no such socket; is a proxy running with --control %s?\n", path,
		    path);
	else
		fprintf(err, "smtpscope: %s: %s\n", path, strerror(errno));
	close(fd);
	return -1;
}
