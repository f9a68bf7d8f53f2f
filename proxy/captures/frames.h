/* SPDX-License-Identifier: MIT */
/* From frames to flows: link layers and IP are taken off, fragments put together, oddities counted. */
#ifndef CAPTURES_FRAMES_H
#define CAPTURES_FRAMES_H

#include "proxy/captures/capture.h"
#include "proxy/captures/conversation.h"

struct frames;

/* Borrows run. */
struct frames *frames_new(struct capture_run *run);
/*
 * A file begins, and this is its first frame. One that goes on where the last ended, as the parts
 * of a capture do, goes on with its sessions. One that begins earlier has nothing to do with
 * them: they end. Returns how many did so though their ends were not seen.
 */
uint64_t frames_next_file(struct frames *frames, const struct capture_frame *first);
void frames_take(struct frames *frames, const struct capture_frame *frame);
/* No more frames: all conversations end. */
void frames_end(struct frames *frames);
uint64_t frames_time(const struct frames *frames);      /* of the last frame */
/* Says what could not be decoded, if there was any. out NULL: says nothing. */
void frames_tell(const struct frames *frames, FILE *out);
void frames_free(struct frames *frames);

#endif
