/* SPDX-License-Identifier: MIT */
/* The bounds that are not settings, and those of the settings that others here
 * count on, each with its unit. */
#ifndef PALAVER_LIMIT_H
#define PALAVER_LIMIT_H

#define LIMIT_FRAME (64 * 1024)      /* bytes of one frame or HTTP body */
#define LIMIT_DEPTH 16               /* levels of JSON nesting */
#define LIMIT_ID 64                  /* bytes of a request's id */
#define LIMIT_CHANNEL_NAME 64        /* bytes of a named channel's name */
#define LIMIT_JOIN_USERS 200         /* users in a channelJoin reply */
#define LIMIT_SESSION_CHANNELS 64    /* channels of one session */
#define LIMIT_KEYS 16                /* access keys of one user */
#define LIMIT_POLL_LEASE_REST 20000 /* ms that it lives behind a poll's wait */
#define LIMIT_CURSORS 256            /* of one since */
#define LIMIT_CHANNELS 200           /* rows of one channels reply */
#define LIMIT_SEQ 999999999999999    /* of a request; more than there can be */
#define LIMIT_REPEATS 12000 /* UUIDs of messages known, of a user in a channel:
			     * more than message_rate lets through within
			     * repeat_life, as they come */
#define DEFAULT_CHANNELS 50
#define LIMIT_REPLY (16 * 1024 * 1024) /* bytes of one reply of Redis */

#define MOST_NAME 128          /* name_length, characters */
#define LEAST_PASSWORD 8       /* password_least, bytes */
#define MOST_MESSAGE_BYTES 32768 /* message_bytes: half of LIMIT_FRAME, for in
				  * JSON it may be twice as long */
#define MOST_MESSAGES 200      /* messages_most */
#define MOST_USERS 5000        /* users_most: Lua unpacks no 8000 */
#define MOST_POLL_WAIT 600     /* poll_wait_most, s */

_Static_assert(2 * MOST_MESSAGE_BYTES <= LIMIT_FRAME &&
    MOST_MESSAGES * (2 * MOST_MESSAGE_BYTES + 4096) <= LIMIT_REPLY &&
    MOST_USERS * (8 * MOST_NAME + 64) <= LIMIT_REPLY, "the largest replies");

#endif
