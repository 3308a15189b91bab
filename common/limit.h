/* SPDX-License-Identifier: MIT */
/* The bounds that are not settings, each with its unit. */
#ifndef PALAVER_LIMIT_H
#define PALAVER_LIMIT_H

#define LIMIT_FRAME (64 * 1024)      /* bytes of one frame or HTTP body */
#define LIMIT_DEPTH 16               /* levels of JSON nesting */
#define LIMIT_ID 64                  /* bytes of a request's id */
#define LIMIT_NAME 64                /* characters of a user's name */
#define LIMIT_PASSWORD_MIN 8         /* bytes */
#define LIMIT_PASSWORD_MAX 1024      /* bytes */
#define LIMIT_MESSAGE 4096           /* characters of a message */
#define LIMIT_MESSAGE_BYTES 16384    /* bytes of a message */
#define LIMIT_CHANNEL_NAME 64        /* bytes of a named channel's name */
#define LIMIT_USERS 1000             /* rows of one users reply */
#define LIMIT_MESSAGES 100           /* messages of one reply */
#define LIMIT_JOIN_USERS 200         /* users in a channelJoin reply */
#define LIMIT_SESSION_CHANNELS 64    /* channels of one session */
#define LIMIT_KEYS 16                /* access keys of one user */
#define LIMIT_POLL_LEASE_REST 20000 /* ms that it lives behind a poll's wait */
#define LIMIT_POLL_WAIT 55           /* s that a poll waits at most */
#define LIMIT_CURSORS 256            /* of one since */
#define LIMIT_CHANNELS 200           /* rows of one channels reply */
#define LIMIT_SEQ 999999999999999    /* of a request; more than there can be */
#define LIMIT_REPEATS 12000 /* UUIDs of messages known, of a user in a channel:
			     * more than message_rate lets through within
			     * repeat_life, as they come */
#define LIMIT_REPLY (4 * 1024 * 1024) /* bytes of one reply of Redis */

#define DEFAULT_POLL_WAIT 25 /* s */
#define DEFAULT_USERS 200
#define DEFAULT_JOIN_MESSAGES 10
#define DEFAULT_MESSAGES 50
#define DEFAULT_CHANNELS 50

#endif
