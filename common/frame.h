/* SPDX-License-Identifier: MIT */
/* The shape of the messages that we write. */
#ifndef PALAVER_FRAME_H
#define PALAVER_FRAME_H

#include <stdint.h>

#include "buf.h"

/* {"type":"TYPE","id":ID,"TYPE": (the caller adds the payload and '}') */
void frame_begin(struct buf *b, const char *type, struct span id);
/* The payload of a ready channelMessage frame (stored = published = sent), a
 * span inside of it; empty when frame is none. */
struct span frame_message_payload(struct span frame);
/* For a ready "sys channelMessage" notice: the two users' UUIDs (36 bytes
 * each, inside frame). False for any other frame. */
bool frame_private_notice(struct span frame, struct span *sender,
    struct span *recipient);
/* For a ready signIn, signOut, channelJoin or channelLeave notice: the UUID (36
 * bytes, inside frame) of whom it tells. Empty for any other frame. */
struct span frame_notice_user(struct span frame);

/* The origin of a ready channelRead event (frame_mark, a span inside of it);
 * empty for any other frame. */
struct span frame_origin(struct span frame);

#define ORIGIN_LEN 16 /* hex digits */
/* What marks an event as caused by that session, so that it is spared its own:
 * a hash, since the UUID is for the session alone. "" of "". */
void frame_mark(const char *session, char origin[ORIGIN_LEN + 1]);
/* Whether frame is an event that the session caused and is spared. */
bool frame_is_own(struct span frame, const char *session);

#endif
