/* SPDX-License-Identifier: MIT */
/* Ctrl-C and SIGTERM, for who reads files in a loop of its own: to be asked for, and not to die of. */
#ifndef CAPTURES_INTERRUPT_H
#define CAPTURES_INTERRUPT_H

#include <stdbool.h>

/* From now on they wait to be asked for, also in threads that are made from here on. Returns a descriptor, or -1. */
int interrupt_open(void);
/* Off: they end the program as ever, for calls that may sleep and cannot be left otherwise. */
void interrupt_hold(bool on);
/* Whether one came; the next one ends the program. fd -1: false. */
bool interrupt_came(int fd);
/* Sleeps until there is something to read; false: a signal came first. */
bool interrupt_wait(int fd, int reads);
void interrupt_close(int fd);

#endif
