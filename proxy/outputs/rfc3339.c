/* SPDX-License-Identifier: MIT */
/*
 * Dates by arithmetic: gmtime_r takes a lock that all threads share, and asks for the zone's
 * file. Years count from March, so that the leap day is the last of its year.
 */
#include "proxy/outputs/rfc3339.h"

#define DAYS_OF_400_YEARS 146097u
#define DAYS_TO_1970      719468u       /* from March 1 of year 0 */

/* In 32 bits, where a division by a constant is one multiplication. */
static void
put_date(char *at, uint32_t days_since_1970)
{
	uint32_t day = days_since_1970 + DAYS_TO_1970;
	uint32_t of_era = day % DAYS_OF_400_YEARS;
	uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
	uint32_t month = (5 * of_year + 2) / 153;       /* 0: March; five months have 153 days */
	uint32_t date = of_year - (153 * month + 2) / 5 + 1;

	year += day / DAYS_OF_400_YEARS * 400 + (month >= 10);
	digits_put_pair(at, year / 100 % 100);
	digits_put_pair(at + 2, year % 100);
	digits_put_pair(at + 5, month < 10 ? month + 3 : month - 9);
	digits_put_pair(at + 8, date);
}

void
rfc3339_keep(struct rfc3339_kept *kept, uint64_t second)
{
	static const char form[] = "YYYY-MM-DDThh:mm:ss.";
	uint32_t of_day = (uint32_t)(second % 86400);
	char *at = kept->text;

	memcpy(at, form, sizeof(kept->text));
	put_date(at, (uint32_t)(second / 86400));
	digits_put_pair(at + 11, of_day / 3600);
	digits_put_pair(at + 14, of_day / 60 % 60);
	digits_put_pair(at + 17, of_day % 60);
	kept->next = second + 1;
}

void
rfc3339_put(struct buffer *out, uint64_t time_us)
{
	struct rfc3339_kept kept = {.next = 0};

	buffer_reserve(out, RFC3339_LEN);
	rfc3339_write(out->at + out->len, time_us, &kept);
	out->len += RFC3339_LEN;
}
