/* SPDX-License-Identifier: MIT */
/* Commands to Redis as RESP has them: arrays of bulk strings
 * (redis.io/docs/latest/develop/reference/protocol-spec). */
#ifndef PALAVER_RESP_H
#define PALAVER_RESP_H

#include "buf.h"
#include "span.h"

#define RESP_WORD_FRAME 32 /* bytes around a word at most */
/* Appends the head of a command of n words, and a word of any bytes. Without
 * memory b is marked (buf.h). */
void resp_begin(struct buf *b, size_t words);
void resp_word(struct buf *b, struct span word);

#endif
