/* SPDX-License-Identifier: MIT */
/*
 * Content that rules change on its way to the server: edited (proxy/rules/editor.h), cut off,
 * and by BDAT framed anew, since the size stands in front of it (RFC 3030 2).
 *
 * Where a rule may change content, a BDAT is not sent before its chunk is whole. It then says
 * the size that the chunk has come to; one of the size that the client said goes on as the
 * client wrote it. Of a chunk no more than --max-content is kept: what is more goes ahead in
 * chunks of our own, in front of the client's, whose replies the client does not see. If the
 * server refuses one of these, that is what the client is told of its chunk. Since LAST is sent
 * last of all, a message can be taken back by RSET however long it is.
 */
#ifndef SESSIONS_REWRITING_H
#define SESSIONS_REWRITING_H

#include <stdbool.h>
#include <stdint.h>

#include "decoders/view.h"

struct passage;
struct rewriting;
struct session;
struct smtp_reply;
struct step;
struct transaction;

/* A BDAT that goes on: true, it was taken, and is sent (and its event put) when its size is known. */
bool rewriting_takes_command(struct session *s, const struct passage *p);

/* Steps of rules at CONTENT: something is to be changed; no more than so many octets go on. */
void rewriting_edits(struct session *s, const struct step *step);
void rewriting_truncates(struct session *s, uint64_t octets);

/* `close` or `reset` behind `truncate`: true, it is done when those octets have gone on. */
bool rewriting_defers(struct session *s, const struct passage *p, const struct step *step);

/* When what a unit leads to has been put out: the server's direction ends, if `truncate` wants no more to go there. */
void rewriting_cuts_off(struct session *s, struct passage *p);

/* The next octets of the content that is coming in, in place of put_unit. Its transaction has a rewriting. */
void rewriting_put(struct session *s, struct view octets);

/* Behind them a chunk ends that is not the last; the content ends. Without a rewriting nothing is done. */
void rewriting_chunk_ends(struct session *s);
void rewriting_content_ends(struct session *s);

/*
 * The client's stream ended inside the content: what was kept of it goes on, and is no whole chunk.
 * False: an answer of the server's must be waited for first.
 */
bool rewriting_stream_ends(struct session *s);

/* A rule holds its octets for good: the BDAT, which is in front of them, goes on as the client wrote it. */
void rewriting_held(struct session *s);

/* Whether a BDAT waits for its size. */
bool rewriting_holds_command(const struct session *s);

/* The BDAT that waits will not be sent, nor its chunk. */
void rewriting_forgets_command(struct session *s, struct transaction *t);

/* The server answers a chunk of our own; and has, so that more may go out. */
void rewriting_chunk_answered(struct session *s, const struct smtp_reply *reply);
void rewriting_goes_on(struct session *s);

/* Whether that answer must be waited for before the server is sent more. */
bool rewriting_waits(struct session *s);

/* What a rule has made of the message that is not so good; once, at its end. */
void rewriting_tell_findings(struct session *s, struct transaction *t);

/* For the message event. False: nothing was changed. */
bool rewriting_has_changed(const struct transaction *t, uint64_t *forwarded_octets);

void rewriting_free(struct session *s, struct transaction *t);

#endif
