/* SPDX-License-Identifier: MIT */
/* Who authenticates: the user's name out of SASL payloads (RFC 4954; 4616, 7628, 5802, 2195). */
#ifndef DECODERS_SMTP_AUTH_H
#define DECODERS_SMTP_AUTH_H

#include "decoders/view.h"

/*
 * Finds the user in the client's response (base64 as sent) of a mechanism. step counts the
 * client's responses from 0, the initial one included. Writes at most size octets into
 * user and returns how many; 0: this response names none.
 */
size_t smtp_auth_user(struct view mechanism, unsigned step, struct view response,
    char *user, size_t size);

#endif
