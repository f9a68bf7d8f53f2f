/* SPDX-License-Identifier: MIT */
/*
 * libevent, with its struct event under another name: sessions/event.h has one too, which is
 * what happened in a session. All includes of libevent are by this file.
 */
#ifndef PROXY_LOOP_H
#define PROXY_LOOP_H

#define event loop_event
#include <event2/event.h>
#include <event2/event_struct.h>
#undef event

#endif
