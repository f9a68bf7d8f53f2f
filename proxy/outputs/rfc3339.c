/* SPDX-License-Identifier: MIT */
/*
 * Dates by arithmetic: gmtime_r takes a lock that all threads share, and asks for the zone's
 * file. Years count from March, so that the leap day is the last of its year.
 */
#include "proxy/outputs/rfc3339.h"

#define DAYS_OF_400_YEARS 146097u
#define DAYS_TO_1970      719468u       /* from March 1 of year 0 */

static void
put_digits(char *at, unsigned count, uint64_t value)
{
	while (count-- > 0) {
		at[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void
rfc3339_put(struct buffer *out, uint64_t time_us)
{
	char text[] = "YYYY-MM-DDThh:mm:ss.uuuuuuZ";
	uint64_t seconds = time_us / 1000000;
	uint64_t day = seconds / 86400 + DAYS_TO_1970;
	uint64_t of_era = day % DAYS_OF_400_YEARS;
	uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint64_t month = (5 * of_year + 2) / 153;       /* 0: March; five months have 153 days */
	uint64_t date = of_year - (153 * month + 2) / 5 + 1;

	year += day / DAYS_OF_400_YEARS * 400 + (month >= 10);
	put_digits(text, 4, year);
	put_digits(text + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(text + 8, 2, date);
	put_digits(text + 11, 2, seconds / 3600 % 24);
	put_digits(text + 14, 2, seconds / 60 % 60);
	put_digits(text + 17, 2, seconds % 60);
	put_digits(text + 20, 6, time_us % 1000000);
	buffer_put(out, (struct view){text, sizeof(text) - 1});
}
