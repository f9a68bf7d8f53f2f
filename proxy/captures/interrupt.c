/* SPDX-License-Identifier: MIT */
#include "proxy/captures/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t
signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void
interrupt_hold(bool on)
{
	sigset_t set = signals();

	sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int
interrupt_open(void)
{
	sigset_t set = signals();

	interrupt_hold(true);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool
interrupt_came(int fd)
{
	struct signalfd_siginfo which;

	if (fd < 0 || read(fd, &which, sizeof which) != (ssize_t)sizeof which)
		return false;
	interrupt_hold(false);
	return true;
}

bool
interrupt_wait(int fd, int reads)
{
	struct pollfd waits[2] = {{.fd = reads, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	poll(waits, 2, -1);
	return (waits[1].revents & POLLIN) == 0;
}

void
interrupt_close(int fd)
{
	interrupt_hold(false);
	if (fd >= 0)
		close(fd);
}
