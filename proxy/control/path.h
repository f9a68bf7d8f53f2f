/* SPDX-License-Identifier: MIT */
/* The control socket's place in the file system: who listens there, and who did. */
#ifndef CONTROL_PATH_H
#define CONTROL_PATH_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

/*
 * Listens at the path, for the program's own user alone (mode 0600). A socket that a dead
 * process left is replaced; one that is listened on, and what is no socket, is not. Returns a
 * descriptor that does not block, *made is what lies there now; -1: err was told why not.
 */
int control_path_listen(const char *path, struct stat *made, FILE *err);

/* Removes it, unless something else lies there by now. */
void control_path_remove(const char *path, const struct stat *made);

/* Connects to the path. -1: err was told why not. */
int control_path_connect(const char *path, FILE *err);

#endif
