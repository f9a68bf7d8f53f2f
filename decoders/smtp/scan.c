/* SPDX-License-Identifier: MIT */
/*
 * 64 octets become five words, a bit an octet: where there is LF, CR, dot, NUL, 8 bits. What
 * stands behind what is then a shift, whatever the octets are: nothing there branches by line.
 * Most of what comes is plainer than that, lines of ASCII that end in CRLF: for those one word is
 * enough, which is asked for first.
 */
#include "decoders/smtp/scan.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "decoders/smtp/line.h"

#define STEP 64

struct found {
	uint64_t lf, cr, dot, nul, high;
};

#ifdef __SSE2__

/* A bit an octet, the first lowest. Written out: compilers unroll a loop over vectors at -O3 alone. */
static inline uint64_t
bits(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return (uint64_t)(uint32_t)_mm_movemask_epi8(a) | (uint64_t)(uint32_t)_mm_movemask_epi8(b) << 16 |
	    (uint64_t)(uint32_t)_mm_movemask_epi8(c) << 32 | (uint64_t)(uint32_t)_mm_movemask_epi8(d) << 48;
}

static inline uint64_t
equal(__m128i a, __m128i b, __m128i c, __m128i d, char octet)
{
	__m128i wanted = _mm_set1_epi8(octet);

	return bits(_mm_cmpeq_epi8(a, wanted), _mm_cmpeq_epi8(b, wanted), _mm_cmpeq_epi8(c, wanted),
	    _mm_cmpeq_epi8(d, wanted));
}

static inline __m128i
load(const char *octets)
{
	return _mm_loadu_si128((const __m128i *)(const void *)octets);
}

static inline struct found
look(const char *octets)
{
	__m128i a = load(octets), b = load(octets + 16), c = load(octets + 32), d = load(octets + 48);
	__m128i least = _mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d));
	struct found found = {.lf = equal(a, b, c, d, '\n'), .cr = equal(a, b, c, d, '\r'),
	    .dot = equal(a, b, c, d, '.')};

	/* Where they are is asked only where there are any. */
	if (_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d))) != 0)
		found.high = bits(a, b, c, d);
	if (_mm_movemask_epi8(_mm_cmpeq_epi8(least, _mm_setzero_si128())) != 0)
		found.nul = equal(a, b, c, d, 0);
	return found;
}

/* Where lines may end, and all that is worth a mark: octets below 14 or, their sign being negative, of 8 bits. */
static inline uint64_t
look_for_odd(const char *octets)
{
	__m128i a = load(octets), b = load(octets + 16), c = load(octets + 32), d = load(octets + 48);
	__m128i limit = _mm_set1_epi8('\r' + 1);

	return bits(_mm_cmplt_epi8(a, limit), _mm_cmplt_epi8(b, limit), _mm_cmplt_epi8(c, limit),
	    _mm_cmplt_epi8(d, limit));
}

#else

static struct found
look(const char *octets)
{
	struct found found = {0};

	for (int i = 0; i < STEP; i++) {
		unsigned char c = (unsigned char)octets[i];

		found.lf |= (uint64_t)(c == '\n') << i;
		found.cr |= (uint64_t)(c == '\r') << i;
		found.dot |= (uint64_t)(c == '.') << i;
		found.nul |= (uint64_t)(c == 0) << i;
		found.high |= (uint64_t)(c >= 0x80) << i;
	}
	return found;
}

static uint64_t
look_for_odd(const char *octets)
{
	uint64_t odd = 0;

	for (int i = 0; i < STEP; i++)
		odd |= (uint64_t)((unsigned char)octets[i] < 14 || (unsigned char)octets[i] >= 0x80) << i;
	return odd;
}

#endif

/*
 * As many times STEP octets as have nothing odd in them but whole line ends that no dot follows, and
 * no CR in front of them. Returns how many octets that is.
 */
static inline size_t
scan_plainly(struct smtp_scan *scan, const char *octets, size_t len)
{
	bool start = scan->line_start;
	size_t at = 0;

	if (scan->after_cr)
		return 0;
	for (; len - at >= STEP; at += STEP) {
		const char *these = octets + at;
		uint64_t odd = look_for_odd(these);
		unsigned lines = 0;

		if (start && *these == '.')
			break;
		start = false;
		while (odd != 0) {
			unsigned n = (unsigned)__builtin_ctzll(odd);

			if (n > STEP - 2 || memcmp(these + n, "\r\n", 2) != 0)
				break;
			if (n == STEP - 2)
				start = true;
			else if (these[n + 2] == '.')
				break;
			odd &= ~(UINT64_C(3) << n);
			lines++;
		}
		if (odd != 0)
			return at;
		scan->lines += lines;
		scan->line_start = start;
	}
	return at;
}

/* Few are set, and not every machine counts them in one instruction. */
static inline unsigned
count(uint64_t set)
{
	unsigned n = 0;

	for (; set != 0; set &= set - 1)
		n++;
	return n;
}

/* The next len octets, STEP at most. Returns how many were scanned: less in front of a dot. */
static inline size_t
step(struct smtp_scan *scan, struct found found, size_t len, bool past_dots)
{
	uint64_t these = len < STEP ? (UINT64_C(1) << len) - 1 : UINT64_MAX;
	uint64_t behind_cr = found.cr << 1 | scan->after_cr;
	uint64_t behind_crlf = (found.lf & behind_cr) << 1 | scan->line_start;
	uint64_t stop = past_dots ? 0 : behind_crlf & found.dot & these;

	if (stop != 0) {
		len = (size_t)__builtin_ctzll(stop);
		these = (UINT64_C(1) << len) - 1;
		if (len == 0)
			return 0;
	}
	if ((found.lf & ~behind_cr & these) != 0)
		scan->marks |= SMTP_MARK_BARE_LF;
	if ((behind_cr & ~found.lf & these) != 0)
		scan->marks |= SMTP_MARK_BARE_CR;
	if ((found.nul & these) != 0)
		scan->marks |= SMTP_MARK_NUL;
	if ((found.high & these) != 0)
		scan->marks |= SMTP_MARK_EIGHT_BIT;
	scan->lines += count(found.lf & these);
	scan->after_cr = found.cr >> (len - 1) & 1;
	scan->line_start = (found.lf & behind_cr) >> (len - 1) & 1;
	return len;
}

size_t
smtp_scan(struct smtp_scan *scan, const char *octets, size_t len, bool past_dots)
{
	char rest[STEP] = {0};
	size_t at = 0, scanned;

	while (len - (at += scan_plainly(scan, octets + at, len - at)) >= STEP) {
		scanned = step(scan, look(octets + at), STEP, past_dots);
		at += scanned;
		if (scanned < STEP)
			return at;
	}
	if (at == len)
		return at;
	memcpy(rest, octets + at, len - at);
	return at + step(scan, look(rest), len - at, past_dots);
}
