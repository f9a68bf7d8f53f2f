/* SPDX-License-Identifier: MIT */
/*
 * Messages as files of a Maildir: written under tmp/, moved into new/ when they are whole, so
 * that who reads new/ never sees half of one. Files are 0600, directories 0700. Octets are kept
 * as they are given; line ends stay CRLF.
 */
#ifndef OUTPUTS_MAILDIR_H
#define OUTPUTS_MAILDIR_H

#include <limits.h>

#include "decoders/view.h"
#include "proxy/outputs/buffer.h"

#define MAILDIR_ERROR_MAX (PATH_MAX + 128)

struct maildir;
struct maildir_message;

/*
 * Opens a Maildir, and makes it where it is not there. NULL: error says why, with the path. One
 * Maildir may be shared by all that runs in one thread, and opened once for each thread.
 */
struct maildir *maildir_open(const char *path, char error[static MAILDIR_ERROR_MAX]);
void maildir_close(struct maildir *maildir);    /* NULL is fine; no message may be open */

/* A new message under tmp/; NULL: errno says why. Borrows the Maildir. */
struct maildir_message *maildir_begin(struct maildir *maildir);

/* False: errno says why, and the message can only be discarded. */
bool maildir_write(struct maildir_message *message, struct view octets);

/* Writes what was written into from, without its first octets. False: errno says why. */
bool maildir_copy(struct maildir_message *message, const struct maildir_message *from, size_t without);

/* Appends a field of the header that names a path: "NAME: <PATH>", without what no field can hold. */
void maildir_put_path(struct buffer *header, const char *name, struct view path);

/*
 * Moves it into new/ and closes it. False: errno says why, and it is gone. name, if not NULL,
 * gets the name of its file (with a NUL). message is freed either way.
 */
bool maildir_keep(struct maildir_message *message, char name[NAME_MAX + 1]);

/* As if it had never begun; NULL is fine. */
void maildir_discard(struct maildir_message *message);

#endif
