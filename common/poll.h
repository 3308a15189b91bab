/* SPDX-License-Identifier: MIT */
/* A long-poll: who asks, what the session follows and how far it got. */
#ifndef PALAVER_POLL_H
#define PALAVER_POLL_H

#include "access_key.h"
#include "buf.h"
#include "scope.h"

struct poll_scope {
	struct scope scope;
	struct place place; /* all up to it was delivered */
};

struct poll {
	char user[UUID_LEN + 1];
	char key_hash[KEY_HASH_LEN + 1];
	char session[UUID_LEN + 1];
	char id[UUID_LEN + 1]; /* of this poll, also when it asks again */
	char ends[UUID_LEN + 1]; /* the one of this process that it ends; "" */
	unsigned wait;      /* ms that it may wait */
	size_t n, left;     /* scopes; of the first ones it has left that part */
	struct poll_scope *scopes; /* owned */
};

void poll_clear(struct poll *p);
/* Appends the cursor: the places of all scopes, joined by commas. */
void poll_cursor(struct buf *b, const struct poll *p);
/* Whether a WebSocket of this session would be sent that event: not what
 * speaks to the programs only, and not the notice of a private message whose
 * channel the session is in. */
bool poll_wants(const struct poll *p, struct span event);
/* The reply "events": begins it, adds an event (the first one: first), ends
 * it. id as in frame_begin. */
void poll_reply_begin(struct buf *b, struct span id, const struct poll *p,
    bool recovered, bool more);
void poll_reply_add(struct buf *b, struct span event, bool first);
void poll_reply_end(struct buf *b);

#endif
