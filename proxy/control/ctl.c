/* SPDX-License-Identifier: MIT */
/* `smtpscope ctl`: the end of the control socket that asks. What it prints is the proxy's answer. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/control/path.h"
#include "proxy/control/words.h"
#include "proxy/options.h"
#include "proxy/outputs/buffer.h"

/* A proxy that is stopped in a debugger, or that says nothing, is not waited for without end. */
#define PATIENCE_S 30

static bool
send_all(int fd, const struct buffer *request)
{
	for (size_t sent = 0; sent < request->len;) {
		ssize_t n = send(fd, request->at + sent, request->len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0)
			sent += (size_t)n;
	}
	return shutdown(fd, SHUT_WR) == 0;
}

static bool
receive_all(int fd, struct buffer *answer)
{
	char octets[4096];
	ssize_t n;

	do {
		n = recv(fd, octets, sizeof octets, 0);
		if (n > 0)
			buffer_put(answer, (struct view){octets, (size_t)n});
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

/* Prints the answer, and returns its code. */
static int
answer_print(const char *path, const struct buffer *answer)
{
	int code = answer->len > 0 ? answer->at[0] - '0' : -1;

	if (code < EXIT_DONE || code > EXIT_UNMET) {
		fprintf(stderr, "smtpscope: %s: that is no answer of smtpscope's; does another program listen there?\n",
		    path);
		return EXIT_FAILED;
	}
	fwrite(answer->at + 1, 1, answer->len - 1, code == EXIT_DONE ? stdout : stderr);
	return code;
}

static int
ask(const char *path, const struct buffer *request)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct buffer answer = {0};
	int fd = control_path_connect(path, stderr), code = EXIT_FAILED;

	if (fd < 0)
		return EXIT_FAILED;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (send_all(fd, request) && receive_all(fd, &answer))
		code = answer_print(path, &answer);
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		fprintf(stderr, "smtpscope: %s: no answer within %d s\n", path, PATIENCE_S);
	else
		fprintf(stderr, "smtpscope: %s: %s\n", path, strerror(errno));
	buffer_free(&answer);
	close(fd);
	return code;
}

int
ctl_command(const struct options *options)
{
	const char *path = options->operands.at[0];
	struct buffer request = {0};
	int code = EXIT_USAGE;

	if (control_word_read(options->operands.at + 1, options->operands.count - 1, stderr) == CONTROL_WORD_COUNT)
		return EXIT_USAGE;
	buffer_put(&request, (struct view){CONTROL_VERSION, sizeof CONTROL_VERSION});
	buffer_put(&request, options->format == FORMAT_JSON ? (struct view){"json", 5} : (struct view){"text", 5});
	for (size_t i = 1; i < options->operands.count; i++)
		buffer_put(&request, (struct view){options->operands.at[i], strlen(options->operands.at[i]) + 1});
	if (request.len > CONTROL_REQUEST_MAX)
		fprintf(stderr, "smtpscope: ctl: no rule has so long a name\n");
	else
		code = ask(path, &request);
	buffer_free(&request);
	return code;
}
