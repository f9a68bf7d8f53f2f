/* SPDX-License-Identifier: MIT */
/* Becoming somebody with fewer rights, once what needed them is open. */
#ifndef CAPTURES_PRIVILEGES_H
#define CAPTURES_PRIVILEGES_H

#include <stdio.h>

/*
 * Becomes the user (NULL: whoever started us by sudo, else nobody changes). False: that failed,
 * which was said on err, and nothing should go on with the rights that are left.
 */
bool privileges_drop(const char *user, FILE *err);

#endif
