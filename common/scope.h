/* SPDX-License-Identifier: MIT */
/* Scopes: what has an order of its own. A scope is one log in Redis and one
 * pub/sub channel. Its text stands in cursors:
 *
 *   g            messages of the general channel
 *   p:LO:HI      messages of the private channel of two users (UUIDs, sorted;
 *                twice the same: notes to self)
 *   c:NAME       messages of a named channel
 *   CHANNEL~     notices (join, leave) of the channel CHANNEL
 *   u:UUID       a user's own notices
 *   sys          everyone's notices
 *   b:ID         commands to one bridge
 */
#ifndef PALAVER_SCOPE_H
#define PALAVER_SCOPE_H

#include <stdint.h>

#include "span.h"
#include "uuid.h"

#define SCOPE_MAX 96 /* bytes of a scope's text with its NUL */
#define EPOCH_MAX 24 /* bytes of an epoch with its NUL */

struct scope {
	char text[SCOPE_MAX];
};

/* A place in a scope's log: all up to seq was seen. */
struct place {
	char epoch[EPOCH_MAX];
	uint64_t seq;
};

/* A channel's scope, from the user who acts and whom he addresses: recipient
 * "" and name "" is general. Both are valid already. */
struct scope scope_channel(const char *user, const char *recipient,
    struct span name);
struct scope scope_notices(const struct scope *channel);
struct scope scope_user(const char *user);
struct scope scope_sys(void);
struct scope scope_bridge(struct span id);
/* The other one of a private channel's scope (user himself in notes to self);
 * "" when it is no private channel. */
void scope_other(struct span scope, const char *user,
    char other[UUID_LEN + 1]);
/* Whether it is a private channel, and whether user is one of the two. */
bool scope_is_private(const struct scope *s);
bool scope_has_member(const struct scope *s, const char *user);

#endif
