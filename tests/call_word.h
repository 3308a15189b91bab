/* SPDX-License-Identifier: MIT */
/* A look into a call that was built. */
#ifndef PALAVER_CALL_WORD_H
#define PALAVER_CALL_WORD_H

#include <stdlib.h>

#include "call.h"

/* Whether argument i of c (0: the key prefix) is that text. */
static inline bool
call_word_is(const struct call *c, size_t i, const char *text)
{
	struct span rest = buf_peek(&c->words);
	char *bytes = NULL;

	for (; rest.n > 0; i--) { /* $LENGTH\r\nBYTES\r\n */
		size_t n = strtoul(rest.p + 1, &bytes, 10);

		if (i == 0)
			return span_is((struct span){ bytes + 2, n }, text);
		n += (size_t)(bytes - rest.p) + 4;
		rest.p += n;
		rest.n -= n;
	}
	return false;
}

#endif
