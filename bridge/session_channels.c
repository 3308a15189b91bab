/* SPDX-License-Identifier: MIT */
/* What a session follows: its channels, sys and its user's own log. */
#include "session_body.h"

#include <stdlib.h>

#include "frame.h"
#include "limit.h"
#include "op.h"

size_t
session_channel_index(const struct session *s, const struct scope *c)
{
	size_t i;

	for (i = 0; i < s->nchannels; i++)
		if (strcmp(s->channels[i].text, c->text) == 0)
			break;
	return i;
}

static void
list_members(struct session *s)
{
	s->nmembers = 0;
	for (size_t i = 0; i < OWN_LOGS; i++)
		if (s->own[i].of != NULL)
			s->members[s->nmembers++] = &s->own[i];
	for (size_t i = 0; i < s->nchannels * CHANNEL_LOGS; i++)
		if (s->logs[i].of != NULL)
			s->members[s->nmembers++] = &s->logs[i];
}

/* Room for the logs of n channels. Members are known to the hub by address,
 * so they are taken out and put back when they move. */
static bool
make_room(struct session *s, size_t n)
{
	struct scope *channels = realloc(s->channels,
	    (n > 0 ? n : 1) * sizeof(*channels));
	struct member **members;

	if (channels == NULL)
		return false;
	s->channels = channels;
	members = realloc(s->members,
	    (OWN_LOGS + n * CHANNEL_LOGS) * sizeof(struct member *));
	if (members == NULL)
		return false;
	s->members = members;
	return true;
}

/* Moves all members of the channels to another array. */
static bool
move_logs(struct session *s, size_t n)
{
	struct member *logs = calloc(n * CHANNEL_LOGS, sizeof(*logs));

	if (logs == NULL)
		return false;
	for (size_t i = 0; i < s->nchannels * CHANNEL_LOGS; i++) {
		logs[i] = s->logs[i];
		hub_moved(&logs[i]);
	}
	free(s->logs);
	s->logs = logs;
	return true;
}

void
session_leave_channel(struct session *s, size_t i)
{
	struct sessions *t = s->table;

	if (i >= s->nchannels)
		return;
	for (size_t k = 0; k < CHANNEL_LOGS; k++)
		hub_unfollow(t->hub, &s->logs[i * CHANNEL_LOGS + k]);
	s->nchannels--;
	for (size_t k = i; k < s->nchannels; k++)
		s->channels[k] = s->channels[k + 1];
	for (size_t k = i * CHANNEL_LOGS; k < s->nchannels * CHANNEL_LOGS;
	    k++) {
		s->logs[k] = s->logs[k + CHANNEL_LOGS];
		hub_moved(&s->logs[k]);
	}
	list_members(s);
}

void
session_leave_all(struct session *s)
{
	while (s->nchannels > 0)
		session_leave_channel(s, s->nchannels - 1);
	for (size_t i = 0; i < OWN_LOGS; i++)
		hub_unfollow(s->table->hub, &s->own[i]);
	list_members(s);
}

/* What the script took the session out of, which need not be what the bridge would
 * have: of a join whose answer was lost Redis alone knew. */
static void
give_way(struct session *s, struct span ends)
{
	struct scope log;
	struct place end;

	while (op_next_end(&ends, &log, &end))
		session_leave_channel(s, session_channel_index(s, &log));
}

bool
session_enter_channel(struct session *s, const struct effect *e)
{
	struct sessions *t = s->table;
	struct scope notices = scope_notices(&e->channel);
	struct member *m;

	give_way(s, e->ends);
	if (session_channel_index(s, &e->channel) < s->nchannels)
		return true; /* a silent refresh */
	if (s->nchannels == LIMIT_SESSION_CHANNELS)
		session_leave_channel(s, 0); /* Redis had fewer of them */
	if (!make_room(s, s->nchannels + 1) ||
	    !move_logs(s, s->nchannels + 1))
		return false;
	m = &s->logs[s->nchannels * CHANNEL_LOGS];
	s->channels[s->nchannels++] = e->channel;
	m[0].session = m[1].session = s;
	if (!hub_follow(t->hub, &m[0], &e->channel, &e->places[0]) ||
	    !hub_follow(t->hub, &m[1], &notices, &e->places[1]))
		return false;
	list_members(s);
	return true;
}

bool
session_follow_own(struct session *s, const struct place places[2])
{
	struct hub *h = s->table->hub;
	struct scope sys = scope_sys(), user = scope_user(s->user);

	if (!make_room(s, 0))
		return false;
	s->own[0].session = s->own[1].session = s;
	if (!hub_follow(h, &s->own[0], &sys, &places[0]) ||
	    !hub_follow(h, &s->own[1], &user, &places[1]))
		return false;
	list_members(s);
	return true;
}

/* !SESSION-THAT-STAYS, then the hashes of the dead keys, one a line, then the
 * cursor. */
void
session_keys(struct session *s, struct span text)
{
	const char *at = text.p, *end = text.p + text.n, *line;
	const struct effect *kept = session_kept(s);
	bool first = true;

	if (s->state != SESSION_SIGNED_IN)
		return;
	/* Which ones is not known, or the session may have signed in by another
	 * by now: they are to be looked after. */
	if (text.n == 0 || s->withheld ||
	    (kept != NULL && kept->kind == EFFECT_SIGNED_IN)) {
		s->key_until = 0;
		return;
	}
	for (; (line = memchr(at, '\n', (size_t)(end - at))) != NULL;
	    at = line + 1, first = false) {
		struct span word = { at, (size_t)(line - at) };

		if (first && span_is((struct span){ at + 1, word.n - 1 },
		    s->uuid))
			return;
		if (!first && span_is(word, s->key_hash)) {
			session_key_dead(s);
			return;
		}
	}
}

/* The notice of a private message is for sessions that do not follow that
 * channel. */
bool
session_skips(struct session *s, struct span text)
{
	struct span a, b;
	char first[UUID_LEN + 1], second[UUID_LEN + 1];
	struct scope c;

	if (frame_is_own(text, s->uuid))
		return true;
	if (!frame_private_notice(text, &a, &b) || !uuid_read(a, first) ||
	    !uuid_read(b, second))
		return false;
	c = scope_channel(first, second, (struct span){ NULL, 0 });
	return session_channel_index(s, &c) < s->nchannels;
}
