/* SPDX-License-Identifier: MIT */
/* What DKIM signatures (RFC 6376) in a message's header are about. Nothing is verified. */
#ifndef DECODERS_MESSAGE_DKIM_H
#define DECODERS_MESSAGE_DKIM_H

#include "decoders/view.h"

/* Whether there is a DKIM-Signature in a header: octets as the receiver stores them. */
bool dkim_is_signed(struct view header);

/*
 * Whether some signature there covers header fields of this name: it is named in h= (RFC 6376
 * 3.5), or it is the signature's own. One whose h= cannot be read covers all.
 */
bool dkim_covers(struct view header, struct view name);

#endif
