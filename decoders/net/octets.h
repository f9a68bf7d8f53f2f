/* SPDX-License-Identifier: MIT */
/* Numbers in network order. The caller has looked that the octets are there. */
#ifndef DECODERS_NET_OCTETS_H
#define DECODERS_NET_OCTETS_H

#include <stdint.h>

static inline uint8_t
octet_at(const char *at)
{
	return (uint8_t)*at;
}

static inline uint16_t
be16_at(const char *at)
{
	return (uint16_t)(octet_at(at) << 8 | octet_at(at + 1));
}

static inline uint32_t
be32_at(const char *at)
{
	return (uint32_t)be16_at(at) << 16 | be16_at(at + 2);
}

#endif
