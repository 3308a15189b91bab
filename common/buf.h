/* SPDX-License-Identifier: MIT */
/* A growable byte buffer. Zero-initialised it is empty and valid. */
#ifndef PALAVER_BUF_H
#define PALAVER_BUF_H

#include <stdint.h>

#include "span.h"

struct buf {
	char *p;
	size_t n;   /* bytes used */
	size_t cap; /* bytes allocated */
	bool oom;   /* an append failed: the content is not to be used */
};

/* Appends; on lack of memory sets oom and leaves what was there. */
static inline void buf_add(struct buf *b, const void *bytes, size_t n);
#define DECIMAL_MAX 20 /* digits of a number */
/* Writes the number in decimal, without a NUL; returns how many digits. */
size_t decimal(char out[DECIMAL_MAX], uint64_t value);
/* Appends the number in decimal. */
void buf_uint(struct buf *b, uint64_t value);
void buf_fmt(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for at least n more bytes; NULL without memory. */
char *buf_room(struct buf *b, size_t n);
/* Appends s as a JSON string with its quotes (RFC 8259, section 7). s must be
 * valid UTF-8. Escapes quote, backslash, all below U+0020, U+007F, and
 * U+2028/2029 so that the text is safe inside a script as well. */
void buf_json_string(struct buf *b, struct span s);
/* Drops the first n bytes. */
void buf_shift(struct buf *b, size_t n);
/* Empties without giving memory back. */
void buf_reset(struct buf *b);
/* Frees; the buffer is empty and valid again. */
void buf_clear(struct buf *b);

/* Appends where there is no room yet. */
void buf_add_more(struct buf *b, const void *bytes, size_t n);

static inline void
buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (n == 0)
		return;
	if (b->oom || b->cap - b->n < n) {
		buf_add_more(b, bytes, n);
		return;
	}
	memcpy(b->p + b->n, bytes, n);
	b->n += n;
}

static inline void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

static inline struct span
buf_peek(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

#endif
