/* SPDX-License-Identifier: MIT */
/*
 * A session's octets, for who wants to keep them: on the client's leg what the client sent and
 * what it was sent, live on the server's leg what the server was sent and what it sent, in the
 * order in which that was decoded or put out, TLS taken off where it could be. The octets of
 * credentials are `*` (unless --show-secrets), as many as they were.
 */
#ifndef SESSIONS_WIRE_H
#define SESSIONS_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "decoders/smtp/dialogue.h"

enum wire_type {
	WIRE_OPENED,            /* the first of a session; the client leg's ends, and live, are filled in */
	WIRE_CONNECTED,         /* the server leg's ends are filled in; what was put out before waited for it */
	WIRE_MIDSTREAM,         /* the session was under way before: behind OPENED, before octets */
	WIRE_HEARD,             /* of a side that was unheard there is a packet now, maybe without octets */
	WIRE_OCTETS,
	WIRE_MISSING,           /* count octets of a side are not in the capture */
	WIRE_SECURED,           /* what follows was sent in TLS: what led to it (WIRE_STARTTLS, WIRE_OPAQUE) can be left out */
	WIRE_FIN, WIRE_RESET,   /* a side's stream ends; may be said again */
	WIRE_CLOSED             /* the last of a session */
};

enum wire_kind {
	WIRE_SMTP,
	WIRE_STARTTLS,          /* the command, and the 220 to it */
	WIRE_STARTTLS_REFUSED,  /* any other reply to it */
	WIRE_OPAQUE             /* undecoded: TLS records, or given up */
};

struct wire_news {
	enum wire_type type;
	uint64_t       session, time_us;
	enum smtp_side leg;                     /* OCTETS, SECURED, FIN, RESET; all else is of the client's, or of both */
	enum smtp_side from;                    /* HEARD, OCTETS, MISSING, FIN, RESET */
	enum wire_kind kind;                    /* OCTETS */
	struct view    octets;                  /* OCTETS: for this call alone */
	uint64_t       missing;                 /* MISSING */
	const struct sockaddr *client, *server; /* OPENED, CONNECTED (who connects, and to whom): for this call alone;
	                                         * NULL: not known */
	bool           live;                    /* OPENED */
	bool           unheard[2];              /* OPENED: by enum smtp_side: no packet of it is in the capture so far */
};

/* Where they go; put NULL: nobody wants them. */
struct wire_sink {
	void (*put)(void *to, const struct wire_news *news);
	void  *to;
};

#endif
