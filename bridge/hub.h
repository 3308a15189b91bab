/* SPDX-License-Identifier: MIT */
/* From pub/sub to many sessions. A scope that any session follows has a ring;
 * a session has a place in each ring that it follows. What arrives in one turn
 * of the loop leaves in one send per session. A hole is filled from the log
 * before anything later is passed on. */
#ifndef PALAVER_HUB_H
#define PALAVER_HUB_H

#include <uv.h>

#include "conf.h"
#include "feed.h"
#include "scope.h"
#include "store.h"
#include "thin.h"

struct hub;
struct followed; /* a ring and who follows it */

/* A session's place in one ring. Lives in the session. */
struct member {
	struct followed *of;
	struct session *session;
	size_t index;            /* in the ring's list of members */
	uint64_t seq;            /* all up to it was sent */
	uint64_t end;            /* from there on none is for it; 0: all are */
	char epoch[EPOCH_MAX];   /* "": the ring's own */
};

struct hub_handler {
	/* Sends frames to the session. */
	void (*send)(struct session *s, const char *frames, size_t n);
	/* Whether the session may get frames now. If not it keeps its place
	 * and asks for hub_catch_up later. */
	bool (*ready)(struct session *s);
	/* Whether the session is to be spared this frame. */
	bool (*skips)(struct session *s, struct span text);
	/* How the session's notices are thinned. */
	struct thin *(*thin)(struct session *s);
	/* What the session missed cannot be had any more. */
	void (*lost)(struct session *s);
	/* Keys of its user are dead: an event of that user's own log that is
	 * for bridges only; or, text being empty, some may be. It must not
	 * unfollow. */
	void (*on_keys)(struct session *s, struct span text);
	/* The members of a session, for several rings in one turn. */
	struct member **(*members)(struct session *s, size_t *n);
	/* The probe of a heartbeat came back. */
	void (*on_probe)(void *arg);
	/* The next event of this bridge's own log; each comes once. */
	void (*on_command)(void *arg, struct span text);
	/* It was handed over, as all up to hub_handled were; all: so was
	 * whatever had been heard of (hub_own_read) and can be had. */
	void (*on_heard)(void *arg, bool all);
	/* Some of them cannot be had any more. */
	void (*on_command_gap)(void *arg);
	/* Logs were read, and what they had was sent to whom may get it. */
	void (*on_read)(void *arg);
	void *arg;
};

/* conf and store are borrowed. NULL without memory. */
struct hub *hub_new(uv_loop_t *loop, const struct conf *c, struct store *s,
    const struct hub_handler *h);
void hub_free(struct hub *h);
bool hub_ready(const struct hub *h);
/* Makes the pub/sub connection anew: it seems dead. */
void hub_reconnect(struct hub *h);
/* Follows this bridge's own log, from its begin. Once. False: no memory. */
bool hub_own(struct hub *h, const struct scope *own);
/* Has it read up to a place, which came by another way. */
void hub_own_read(struct hub *h, const struct place *to);
/* Up to where its events were handed over; epoch "": none yet. */
const struct place *hub_handled(const struct hub *h);

/* m, which follows nothing, follows scope from place on. False: no memory. */
bool hub_follow(struct hub *h, struct member *m, const struct scope *s,
    const struct place *from);
/* Ends it. A member that follows nothing is fine. */
void hub_unfollow(struct hub *h, struct member *m);
/* Whether m follows that log. */
bool hub_follows(const struct member *m, const struct scope *s);
/* What comes behind a place of its log is not for m. Of several the lowest counts. */
void hub_end(struct member *m, const struct place *at);
/* Whether m was sent all up to a place of its log. asked: this was called for the
 * place before. The first time, what is not here yet is read; on_read follows. */
bool hub_had(struct member *m, const struct place *to, bool asked);
/* The member was moved to another place in memory. */
void hub_moved(struct member *m);
/* Sends the session what it has not had. */
void hub_catch_up(struct hub *h, struct session *s);

#endif
