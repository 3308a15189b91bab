/* SPDX-License-Identifier: MIT */
/* Replies of Redis as hiredis' reader makes them, all of one reply in one piece
 * of memory that the next one uses again: no allocation for each word. */
#ifndef PALAVER_REPLY_H
#define PALAVER_REPLY_H

#include <hiredis/hiredis.h>

struct reply_room;

/* NULL without memory. */
struct reply_room *reply_room_new(void);
void reply_room_free(struct reply_room *room);
/* A reader whose replies stand in room; redisReaderFree releases it, before
 * the room. They are struct redisReply, and nobody frees them. NULL without
 * memory. */
redisReader *reply_reader(struct reply_room *room);
/* The newest reply is no longer looked at, nor one that was not whole when its
 * reader went. */
void reply_done(struct reply_room *room);

#endif
