/* SPDX-License-Identifier: MIT */
/* Fuzz targets for libFuzzer: one a file, f_NAME.c, with the corpus
 * corpus/NAME. tests/fuzz.sh builds and runs them. */
#ifndef PALAVER_FUZZ_H
#define PALAVER_FUZZ_H

#include <stdint.h>
#include <stdlib.h>

#include "span.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold whatever the input is. */
#define HOLDS(what) do { if (!(what)) abort(); } while (0)

/* The settings of a struct conf, as they come, that an operation looks at. */
#define FUZZ_CONF { .prefix = (char *)"p:", .history = 10, .history_days = 1, \
	.name_length = 64, .password_least = 8, .password_most = 1024, \
	.message_length = 4096, .message_bytes = 16384, .users_page = 200, \
	.users_most = 1000, .join_messages = 10, .messages_page = 50, \
	.messages_most = 100, .poll_wait = 25, .poll_wait_most = 55, \
	.sign_up = true }

/* Takes n bytes, or what is left, off the front of s, into memory of exactly
 * that size: a sanitizer sees a read behind it. Free it. */
static inline struct span
fuzz_take(struct span *s, size_t n)
{
	struct span out = { NULL, n < s->n ? n : s->n };
	char *copy = malloc(out.n > 0 ? out.n : 1);

	HOLDS(copy != NULL);
	if (out.n > 0)
		memcpy(copy, s->p, out.n);
	out.p = copy;
	s->p += out.n;
	s->n -= out.n;
	return out;
}

/* The same up to the next newline, which is dropped, with a NUL behind it.
 * NULL at the end. */
static inline char *
fuzz_line(struct span *s)
{
	const char *end;
	char *copy;
	size_t n;

	if (s->n == 0)
		return NULL;
	end = memchr(s->p, '\n', s->n);
	n = end == NULL ? s->n : (size_t)(end - s->p);
	copy = malloc(n + 1);
	HOLDS(copy != NULL);
	memcpy(copy, s->p, n);
	copy[n] = '\0';
	s->p += end == NULL ? n : n + 1;
	s->n -= end == NULL ? n : n + 1;
	return copy;
}

static inline void
fuzz_free(struct span s)
{
	free((char *)(uintptr_t)s.p);
}

#endif
