/* SPDX-License-Identifier: MIT */
#include "utf8.h"

#include <stdint.h>

#include "limit.h"

struct range {
	uint32_t low, high;
};

/* What must not stand in a name: control, format, surrogate, private use
 * (general categories Cc, Cf, Co), every blank but U+0020 (Z*), and what shows
 * nothing: fillers, selectors, tags (Default_Ignorable_Code_Point). Unicode 15;
 * sorted. */
static const struct range hidden[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x00a0 }, { 0x00ad, 0x00ad },
	{ 0x034f, 0x034f }, { 0x0600, 0x0605 }, { 0x061c, 0x061c },
	{ 0x06dd, 0x06dd }, { 0x070f, 0x070f }, { 0x0890, 0x0891 },
	{ 0x08e2, 0x08e2 }, { 0x115f, 0x1160 }, { 0x1680, 0x1680 },
	{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f },
	{ 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 },
	{ 0x3000, 0x3000 }, { 0x3164, 0x3164 }, { 0xd800, 0xf8ff },
	{ 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
	{ 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff },
	{ 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 }, { 0x1d159, 0x1d159 }, { 0x1d173, 0x1d17a },
	{ 0xe0000, 0x10ffff },
};

/* The code point at s.p[*at], which moves behind it; UINT32_MAX when it is
 * not well formed (RFC 3629, section 4). */
static uint32_t
next(struct span s, size_t *at)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c = (unsigned char)s.p[*at];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
	    c < 0xf5 ? 4 : 0;
	uint32_t u = n == 1 ? c : (uint32_t)(c & (0x7f >> n));

	if (n == 0 || s.n - *at < n)
		return UINT32_MAX;
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)s.p[*at + i];
		if ((c & 0xc0) != 0x80)
			return UINT32_MAX;
		u = u << 6 | (c & 0x3f);
	}
	*at += n;
	if (u < least[n] || u > 0x10ffff || (u >= 0xd800 && u <= 0xdfff))
		return UINT32_MAX;
	return u;
}

/* How many bytes from s.p[at] on are ASCII and no NUL, in whole words. */
static size_t
plain(struct span s, size_t at)
{
	const uint64_t ones = 0x0101010101010101, tops = ones << 7;
	size_t from = at;
	uint64_t word;

	for (; s.n - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, s.p + at, sizeof(word));
		if (((word - ones) | word) & tops)
			break;
	}
	return at - from;
}

bool
utf8_valid(struct span s, size_t *chars)
{
	size_t n = 0;

	for (size_t at = 0; at < s.n; n++) {
		size_t skip = plain(s, at);
		uint32_t u;

		at += skip;
		n += skip;
		if (at == s.n)
			break;
		u = next(s, &at);

		if (u == UINT32_MAX || u == 0)
			return false;
	}
	if (chars != NULL)
		*chars = n;
	return true;
}

bool
utf8_encoded(struct span s)
{
	for (size_t at = 0; at < s.n;)
		if (next(s, &at) == UINT32_MAX)
			return false;
	return true;
}

static bool
is_hidden(uint32_t u)
{
	size_t low = 0, high = sizeof(hidden) / sizeof(*hidden);

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (u > hidden[mid].high)
			low = mid + 1;
		else
			high = mid;
	}
	return (u & 0xfffe) == 0xfffe || /* the noncharacters of each plane */
	    (low < sizeof(hidden) / sizeof(*hidden) && u >= hidden[low].low);
}

bool
utf8_is_name(struct span s, size_t most)
{
	size_t n = 0;
	uint32_t u = 0, before = ' ';

	for (size_t at = 0; at < s.n; n++, before = u) {
		u = next(s, &at);
		if (u == UINT32_MAX || is_hidden(u))
			return false;
		if (u == ' ' && before == ' ')
			return false;
	}
	return n >= 1 && n <= most && u != ' ';
}

bool
utf8_is_message(struct span s, size_t most, size_t bytes)
{
	size_t n = 0;

	if (s.n > bytes)
		return false;
	for (size_t at = 0; at < s.n; n++) {
		uint32_t u = next(s, &at);

		if (u == UINT32_MAX || (u < 0x20 && u != '\n' && u != '\t') ||
		    (u >= 0x7f && u < 0xa0))
			return false;
	}
	return n >= 1 && n <= most;
}

bool
utf8_is_channel(struct span s)
{
	if (s.n < 1 || s.n > LIMIT_CHANNEL_NAME)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			continue;
		if (i == 0 || (c != '.' && c != '_' && c != '-'))
			return false;
	}
	return true;
}
