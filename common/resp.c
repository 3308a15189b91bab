/* SPDX-License-Identifier: MIT */
#include "resp.h"

void
resp_begin(struct buf *b, size_t words)
{
	buf_str(b, "*");
	buf_uint(b, words);
	buf_str(b, "\r\n");
}

static char *
append(char *at, struct span s)
{
	if (s.n != 0)
		memcpy(at, s.p, s.n);
	return at + s.n;
}

void
resp_word(struct buf *b, struct span word)
{
	char *start = buf_room(b, word.n + RESP_WORD_FRAME), *at = start;

	if (at == NULL)
		return;
	*at++ = '$';
	at += decimal(at, word.n);
	at = append(at, SPAN("\r\n"));
	at = append(at, word);
	at = append(at, SPAN("\r\n"));
	b->n += (size_t)(at - start);
}
