/* SPDX-License-Identifier: MIT */
/* What the readers of prefaces have in common, for preface.c and socks.c alone. */
#ifndef DECODERS_NET_PREFACE_PARTS_H
#define DECODERS_NET_PREFACE_PARTS_H

#include "decoders/net/preface.h"

enum found { NOT_THIS, CUT_SHORT, FOUND };

/* Reads one preface, or the answer to one, at the start of the octets: *used of them are it. */
typedef enum found preface_reader(struct view octets, size_t *used, struct preface *p);

/* Whether the octets begin with these, as far as they go. */
enum found preface_begins(struct view octets, struct view with);
/* 4 or 16 octets, as the family (4 or 6) says. */
void preface_address(struct net_address *address, int family, const char *octets);

/* socks.c */
preface_reader socks4_request, socks4_reply, socks5_request, socks5_reply;

#endif
