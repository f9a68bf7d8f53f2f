/* SPDX-License-Identifier: MIT */
/* Frames made by hand: octets put behind each other, with the lengths of IP filled in. */
#ifndef TESTS_UNIT_FRAMES_H
#define TESTS_UNIT_FRAMES_H

#include <check.h>
#include <stdint.h>
#include <string.h>

#include "decoders/view.h"

struct frame {
	char   octets[4096];
	size_t len;
};

static inline void
frame_add(struct frame *f, struct view octets)
{
	ck_assert_uint_le(f->len + octets.len, sizeof f->octets);
	if (octets.len > 0)
		memcpy(f->octets + f->len, octets.at, octets.len);
	f->len += octets.len;
}

static inline void
frame_add_number(struct frame *f, uint32_t number, size_t octets)
{
	for (size_t i = octets; i > 0; i--) {
		char c = (char)(number >> (8 * (i - 1)));

		frame_add(f, (struct view){&c, 1});
	}
}

static inline struct view
frame_view(const struct frame *f)
{
	return (struct view){f->octets, f->len};
}

/* 192.0.2.1 to 198.51.100.2; options in words of 4 octets; fragment: as in the header. */
static inline void
frame_add_ipv4(struct frame *f, uint8_t protocol, uint16_t id, uint16_t fragment, struct view options, size_t payload)
{
	frame_add_number(f, 0x4500 | (uint32_t)(5 + options.len / 4) << 8, 2);
	frame_add_number(f, (uint32_t)(20 + options.len + payload), 2);
	frame_add_number(f, id, 2);
	frame_add_number(f, fragment, 2);
	frame_add_number(f, 64u << 24 | (uint32_t)protocol << 16, 4);
	frame_add(f, VIEW("\xc0\0\x02\x01\xc6\x33\x64\x02"));
	frame_add(f, options);
}

/* 2001:db8::1 to 2001:db8::2. */
static inline void
frame_add_ipv6(struct frame *f, uint8_t next, size_t payload)
{
	frame_add_number(f, 0x60000000, 4);
	frame_add_number(f, (uint32_t)payload, 2);
	frame_add_number(f, next, 1);
	frame_add_number(f, 64, 1);
	frame_add(f, VIEW("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"));
}

#endif
