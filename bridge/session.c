/* SPDX-License-Identifier: MIT */
#include "session_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"

#define TICK_MOST 500           /* ms */
#define KEY_AGAIN 1000          /* ms until a key is looked after again */
#define JITTER_EACH 2           /* ms of the restart's jitter for a session */
#define JITTER_LEAST 500        /* ms */

void
session_set_state(struct session *s, enum session_state to)
{
	static const char *const names[] = { "open", "signed in", "closing" };

	if (s->state == to)
		return;
	if (to == SESSION_OPEN)
		s->nobody_since = clock_ms();
	log_debug("session %" PRIu64 ": %s -> %s", s->id, names[s->state],
	    names[to]);
	s->state = to;
	if (to == SESSION_CLOSING)
		session_leaves(s);
}

bool
session_is(const struct session *s, const char *user)
{
	return s->state == SESSION_SIGNED_IN && strcmp(s->user, user) == 0;
}

void
session_close(struct session *s, enum ws_close code, const char *reason)
{
	if (s->state == SESSION_CLOSING)
		return;
	session_set_state(s, SESSION_CLOSING);
	if (code != WS_FLOODING)
		session_read_on(s);
	ws_close(s->conn, code, reason);
}

void
session_key_dead(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return;
	presence_gone(s->table->presence, s->uuid, 0);
	session_close(s, WS_KEY_DEAD, "key dead");
}

void
session_adopt(struct session *s)
{
	struct presence *p = s->table->presence;

	if ((s->state != SESSION_SIGNED_IN &&
	    (s->state != SESSION_OPEN || s->used)) || s->busy ||
	    s->commands != NULL ||
	    s->generation == presence_generation(p) || !presence_counts(p))
		return;
	s->generation = presence_generation(p);
	presence_adopt(p, s->id, &(struct presence_session){ s->uuid, s->user,
	    s->key_hash, s->channels, s->nchannels, s->doubted });
	s->doubted = false;
}

/* ---- from the hub ---- */

static struct member **
members(struct session *s, size_t *n)
{
	*n = s->nmembers;
	return s->members;
}

static void
on_probe(void *arg)
{
	struct sessions *t = arg;

	presence_probe(t->presence);
}

static void
on_command(void *arg, struct span text)
{
	session_command(arg, text);
}

static void
on_heard_commands(void *arg, bool all)
{
	session_order_heard(arg, all);
}

static void
on_read(void *arg)
{
	session_order_due(arg);
}

/* What they would have changed is not known: all are counted anew, and closed
 * where Redis has them otherwise. */
static void
on_command_gap(void *arg)
{
	struct sessions *t = arg;

	log_warn("commands were lost");
	for (struct session *s = t->all; s != NULL; s = s->next) {
		s->generation = 0;
		s->doubted = true;
	}
}

static struct thin *
thin(struct session *s)
{
	return &s->thin;
}

/* ---- the clock ---- */

/* Tells a session of which notices were passed over that there are news. */
static void
tell(struct session *s)
{
	struct sessions *t = s->table;
	uint64_t online = presence_online(t->presence);
	struct buf text = { 0 };

	thin_message(&text, presence_users(t->presence),
	    online > t->count ? online : t->count);
	session_send_text(s, &text);
	buf_clear(&text);
}

static void
on_tick(uv_timer_t *timer)
{
	struct sessions *t = timer->data;
	struct session *s, *next;
	uint64_t now = clock_ms();
	/* Who is not seen now is seen a tick later. */
	uint64_t dead_after = t->conf->dead_after - uv_timer_get_repeat(timer);
	uint64_t nobody_most = t->conf->sign_in_within * 1000;
	bool looks = false;

	session_slow_tick(t, now);
	for (s = t->all; s != NULL; s = next) {
		next = s->next;
		session_order_tick(s, now);
		if (s->state == SESSION_CLOSING)
			continue;
		if (now - s->heard >= dead_after) {
			session_set_state(s, SESSION_CLOSING);
			ws_drop(s->conn);
		} else if (s->state == SESSION_SIGNED_IN &&
		    now >= s->key_until) {
			s->key_until = now + KEY_AGAIN;
			s->generation = 0;
			looks = true;
		} else if (s->state == SESSION_OPEN &&
		    now - s->nobody_since >= nobody_most) {
			session_close(s, WS_GOING_AWAY, "not signed in");
		} else if (!s->pinged && now - s->heard >=
		    t->conf->ping_after) {
			s->pinged = true;
			ws_ping(s->conn);
		}
		if (s->state == SESSION_SIGNED_IN && s->thin.owed &&
		    session_takes_events(s) && thin_tells(&s->thin, now))
			tell(s);
	}
	if (looks)
		presence_adopt_due(t->presence);
}

struct hub_handler
sessions_hub_handler(struct sessions *t)
{
	return (struct hub_handler){ session_send, session_takes_events,
		session_skips, thin, session_too_slow, session_keys, members,
		on_probe, on_command, on_heard_commands, on_command_gap,
		on_read, t };
}

struct sessions *
sessions_new(uv_loop_t *loop, const struct conf *c)
{
	struct sessions *t = calloc(1, sizeof(*t));
	uint64_t tick = (c->dead_after - c->ping_after) / 4;

	if (t == NULL)
		return NULL;
	t->conf = c;
	uv_timer_init(loop, &t->tick);
	t->tick.data = t;
	if (tick > TICK_MOST)
		tick = TICK_MOST;
	uv_timer_start(&t->tick, on_tick, tick, tick);
	session_flood_init(t, loop);
	return t;
}

void
sessions_attach(struct sessions *t, struct run *r, struct hub *h,
    struct presence *p)
{
	t->run = r;
	t->hub = h;
	t->presence = p;
}

static void
closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
sessions_free(struct sessions *t)
{
	if (t == NULL)
		return;
	session_tickets_clear(t);
	buf_clear(&t->out);
	uv_close((uv_handle_t *)&t->hold, NULL);
	uv_close((uv_handle_t *)&t->tick, closed);
}

void
sessions_restart(struct sessions *t)
{
	char reason[64];

	t->restarting = true;
	snprintf(reason, sizeof(reason), "jitter %zu",
	    JITTER_LEAST + t->count * JITTER_EACH);
	for (struct session *s = t->all; s != NULL; s = s->next)
		session_close(s, WS_RESTART, reason);
}

size_t
sessions_count(const struct sessions *t)
{
	return t->count;
}

size_t
sessions_adopt(struct sessions *t, size_t most)
{
	size_t n = 0;

	for (struct session *s = t->all; s != NULL && n < most; s = s->next) {
		unsigned before = s->generation;

		session_adopt(s);
		if (s->generation != before)
			n++;
	}
	return n;
}

void
sessions_key_lives(struct sessions *t, uint64_t id, uint64_t ms)
{
	struct session *s = session_find(t, id);

	if (s != NULL)
		s->key_until = clock_ms() + ms;
}

void
sessions_differ(struct sessions *t, uint64_t id)
{
	struct session *s = session_find(t, id);

	if (s != NULL)
		session_too_slow(s);
}

void
sessions_adopt_again(struct sessions *t, uint64_t id, bool doubted)
{
	struct session *s = session_find(t, id);

	if (s == NULL)
		return;
	s->generation = 0;
	s->doubted = s->doubted || doubted;
}

void
sessions_key_dead(struct sessions *t, uint64_t id)
{
	struct session *s = session_find(t, id);

	if (s != NULL)
		session_key_dead(s);
}
