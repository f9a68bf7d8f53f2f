/* SPDX-License-Identifier: MIT */
#include "proxy/captures/pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "proxy/must.h"

struct pipe_stream {
	int fd;
	struct capture_patience patience;
};

static ssize_t
pipe_read(void *cookie, char *octets, size_t size)
{
	struct pipe_stream *stream = cookie;
	struct pollfd now = {.fd = stream->fd, .events = POLLIN};

	if (poll(&now, 1, 0) == 0 && !stream->patience.wait(stream->patience.to, stream->fd))
		return 0;
	return read(stream->fd, octets, size);
}

static int
pipe_close(void *cookie)
{
	struct pipe_stream *stream = cookie;

	if (stream->fd != STDIN_FILENO)
		close(stream->fd);
	free(stream);
	return 0;
}

FILE *
pipe_open(const char *path, const struct capture_patience *patience)
{
	int fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct pipe_stream *stream;

	if (fd < 0)
		return NULL;
	stream = must(malloc(sizeof *stream));
	*stream = (struct pipe_stream){fd, *patience};
	return must(fopencookie(stream, "r", (cookie_io_functions_t){.read = pipe_read, .close = pipe_close}));
}
