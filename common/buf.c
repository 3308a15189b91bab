/* SPDX-License-Identifier: MIT */
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

char *
buf_room(struct buf *b, size_t n)
{
	size_t cap = b->cap == 0 ? 256 : b->cap;
	char *p;

	if (b->oom || n > SIZE_MAX / 4 - b->n) {
		b->oom = true;
		return NULL;
	}
	if (b->cap - b->n >= n && b->p != NULL)
		return b->p + b->n;
	while (cap < b->n + n)
		cap *= 2;
	p = realloc(b->p, cap);
	if (p == NULL) {
		b->oom = true;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return b->p + b->n;
}

void
buf_add_more(struct buf *b, const void *bytes, size_t n)
{
	char *at = buf_room(b, n);

	if (at == NULL)
		return;
	memcpy(at, bytes, n);
	b->n += n;
}

size_t
decimal(char out[DECIMAL_MAX], uint64_t value)
{
	size_t n = 1, at;

	for (uint64_t rest = value; rest > 9; rest /= 10)
		n++;
	for (at = n; at > 0; value /= 10)
		out[--at] = (char)('0' + value % 10);
	return n;
}

void
buf_uint(struct buf *b, uint64_t value)
{
	char digits[DECIMAL_MAX];

	buf_add(b, digits, decimal(digits, value));
}

void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char small[512];
	char *at;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->oom = true;
		return;
	}
	if ((size_t)n < sizeof(small)) {
		buf_add(b, small, (size_t)n);
		return;
	}
	at = buf_room(b, (size_t)n + 1);
	if (at == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

/* The bytes of s from at on that need an escape together: 1, 3 (U+2028 and
 * U+2029 are E2 80 A8 and E2 80 A9), or 0. */
static size_t
to_escape(struct span s, size_t at)
{
	unsigned char c = (unsigned char)s.p[at];

	if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
		return 1;
	if (c == 0xe2 && s.n - at >= 3 && (unsigned char)s.p[at + 1] == 0x80 &&
	    ((unsigned char)s.p[at + 2] | 1) == 0xa9)
		return 3;
	return 0;
}

static void
add_escape(struct buf *b, const char *p, size_t n)
{
	char two[2] = { '\\', *p };

	if (n == 3) {
		buf_str(b, p[2] == (char)0xa8 ? "\\u2028" : "\\u2029");
		return;
	}
	switch (*p) {
	case '"':
	case '\\':
		break;
	case '\b':
		two[1] = 'b';
		break;
	case '\f':
		two[1] = 'f';
		break;
	case '\n':
		two[1] = 'n';
		break;
	case '\r':
		two[1] = 'r';
		break;
	case '\t':
		two[1] = 't';
		break;
	default:
		buf_fmt(b, "\\u%04x", (unsigned)(unsigned char)*p);
		return;
	}
	buf_add(b, two, 2);
}

void
buf_json_string(struct buf *b, struct span s)
{
	size_t plain = 0;

	buf_add(b, "\"", 1);
	for (size_t i = 0; i < s.n;) {
		size_t n = to_escape(s, i);

		if (n == 0) {
			i++;
			continue;
		}
		buf_add(b, s.p + plain, i - plain);
		add_escape(b, s.p + i, n);
		i += n;
		plain = i;
	}
	if (s.n > plain)
		buf_add(b, s.p + plain, s.n - plain);
	buf_add(b, "\"", 1);
}

void
buf_shift(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

void
buf_reset(struct buf *b)
{
	b->n = 0;
	b->oom = false;
}

void
buf_clear(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}
