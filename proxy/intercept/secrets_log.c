/* SPDX-License-Identifier: MIT */
/* The key log's file. Lines are rare (five a handshake) and short, so they are written where they arise. */
#include "proxy/intercept/secrets_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct secrets_log {
	int         fd;
	atomic_bool told;       /* that it cannot be written to */
	char        name[];
};

struct secrets_log *
secrets_log_open(const char *file, char error[static SECRETS_LOG_ERROR_MAX])
{
	struct secrets_log *log = malloc(sizeof *log + strlen(file) + 1);
	struct stat status;

	if (log == NULL)
		abort();
	memcpy(log->name, file, strlen(file) + 1);
	atomic_init(&log->told, false);
	log->fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0600);
	if (log->fd < 0 || fstat(log->fd, &status) != 0) {
		snprintf(error, SECRETS_LOG_ERROR_MAX, "--keylog %s: %s", file, strerror(errno));
	} else if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0 && fchmod(log->fd, 0600) != 0) {
		/* One that was there is closed to others before anything secret is in it. */
		snprintf(error, SECRETS_LOG_ERROR_MAX, "--keylog %s: others may read it, and its mode cannot be made "
		    "0600: %s", file, strerror(errno));
	} else {
		return log;
	}
	if (log->fd >= 0)
		close(log->fd);
	free(log);
	return NULL;
}

void
secrets_log_close(struct secrets_log *log)
{
	if (log == NULL)
		return;
	close(log->fd);
	free(log);
}

void
secrets_log_put(struct secrets_log *log, const char *line)
{
	struct iovec vectors[] = {{(void *)(uintptr_t)line, strlen(line)}, {"\n", 1}};
	size_t len = vectors[0].iov_len + 1;
	ssize_t n;

	do {
		n = writev(log->fd, vectors, 2);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len || atomic_exchange(&log->told, true))
		return;
	fprintf(stderr, "smtpscope: --keylog %s: %s; connections from now on cannot be decrypted by it\n", log->name,
	    n < 0 ? strerror(errno) : "no room");
}
