/* SPDX-License-Identifier: MIT */
/* Two digits at a time: half the divisions, and no arithmetic for the digits themselves. */
#ifndef OUTPUTS_DIGITS_H
#define OUTPUTS_DIGITS_H

#include <stdint.h>
#include <string.h>

static const char digit_pairs[] =
    "00010203040506070809" "10111213141516171819" "20212223242526272829" "30313233343536373839"
    "40414243444546474849" "50515253545556575859" "60616263646566676869" "70717273747576777879"
    "80818283848586878889" "90919293949596979899";

/* value: below 100. */
static inline void
digits_put_pair(char *at, uint32_t value)
{
	memcpy(at, digit_pairs + 2 * value, 2);
}

#endif
