/* SPDX-License-Identifier: MIT */
#include "resp.h"

void
resp_begin(struct buf *b, size_t words)
{
	buf_str(b, "*");
	buf_uint(b, words);
	buf_str(b, "\r\n");
}

void
resp_word(struct buf *b, struct span word)
{
	if (buf_room(b, word.n + RESP_WORD_FRAME) == NULL)
		return;
	buf_str(b, "$");
	buf_uint(b, word.n);
	buf_str(b, "\r\n");
	buf_span(b, word);
	buf_str(b, "\r\n");
}
