/* SPDX-License-Identifier: MIT */
#include "session_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "frame.h"
#include "frames.h"
#include "limit.h"
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
	    s->generation == presence_generation(p) || !presence_counts(p))
		return;
	s->generation = presence_generation(p);
	presence_adopt(p, s->id, &(struct presence_session){ s->uuid, s->user,
	    s->key_hash, s->channels, s->nchannels, s->doubted });
	s->doubted = false;
}

/* ---- from the WebSocket server ---- */

/* A new session that Redis is told of: an id, for it may be gone by then. */
struct opening {
	struct sessions *table;
	uint64_t id;
};

/* Redis knows the session, or is away: then nobody can attach to it over HTTP,
 * and the next incarnation makes it known. */
static void
on_known(void *arg, enum store_status status, const struct answer *a)
{
	struct opening *opening = arg;
	struct sessions *t = opening->table;
	struct session *s = session_find(t, opening->id);
	struct buf text = { 0 };

	free(opening);
	if (s == NULL || s->state == SESSION_CLOSING)
		return;
	if (status != STORE_OK || a->n != 1)
		s->generation = 0;
	frame_begin(&text, "ready", (struct span){ NULL, 0 });
	buf_fmt(&text, "{\"sessionUUID\":\"%s\",\"protocol\":1}}", s->uuid);
	session_send_text(s, &text);
	buf_clear(&text);
	s->busy = false;
	session_run_next(s);
}

static bool
has_room(void *arg, const struct client *client)
{
	struct sessions *t = arg;
	unsigned most = t->conf->address_connections;

	return !t->restarting && t->count < t->conf->max_connections &&
	    (most == 0 || client->shared ||
	    address_count(&t->addresses, client) < most);
}

static const char *
full(void *arg)
{
	struct sessions *t = arg;

	buf_reset(&t->out);
	t->out.oom = false;
	run_error(&t->out, (struct span){ NULL, 0 }, ERR_FULL, "connections");
	buf_add(&t->out, "", 1);
	return t->out.oom ? "" : t->out.p;
}

static void *
on_open(void *arg, struct ws_conn *c, const struct client *client)
{
	struct sessions *t = arg;
	struct session *s;
	struct opening *opening;

	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->id = ++t->ids;
	s->table = t;
	s->conn = c;
	s->last = &s->first;
	s->last_command = &s->commands;
	s->heard = s->nobody_since = clock_ms();
	s->thin.user = s->user;
	uuid_new(s->uuid);
	s->client = *client;
	opening = malloc(sizeof(*opening));
	if (opening == NULL || !address_add(&t->addresses, client)) {
		free(opening);
		free(s);
		return NULL;
	}
	*opening = (struct opening){ t, s->id };
	session_link(s);
	s->busy = true;
	s->generation = presence_generation(t->presence);
	presence_open(t->presence, s->uuid, on_known, opening);
	return s;
}

static void
on_message(void *session, struct span message, bool text)
{
	session_request(session, message, text);
}

static void
on_heard(void *session)
{
	struct session *s = session;

	s->heard = clock_ms();
	s->pinged = false;
}

/* It costs as a request does, and is answered all the same. */
static void
on_control(void *session)
{
	unsigned wait;

	session_may_ask(session, &wait);
}

static void
on_received(void *session)
{
	session_received(session);
}

static void
on_blocked(void *session)
{
	session_blocked(session);
}

static void
on_drained(void *session)
{
	struct session *s = session;

	session_drained(s);
	if (s->state == SESSION_CLOSING)
		return;
	hub_catch_up(s->table->hub, s);
	session_run_next(s);
}

static void
on_close(void *session)
{
	struct session *s = session;
	struct sessions *t = s->table;

	if (s->user[0] != '\0' || !s->used)
		presence_gone(t->presence, s->uuid, t->conf->presence_grace);
	session_order_clear(s);
	if (s->members != NULL)
		session_leave_all(s);
	session_requests_clear(s);
	session_received_none(s);
	session_release(s);
	session_drained(s);
	address_drop(&t->addresses, &s->client);
	session_unlink(s);
	free(s->logs);
	free(s->channels);
	free(s->members);
	free(s);
}

static const char *
sick(void *arg)
{
	struct sessions *t = arg;

	return presence_sick(t->presence);
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
	session_answers_heard(arg, all);
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
		    session_ready(s) && thin_tells(&s->thin, now))
			tell(s);
	}
	if (looks)
		presence_adopt_due(t->presence);
}

struct ws_handler
sessions_ws_handler(struct sessions *t)
{
	return (struct ws_handler){ has_room, full, on_open, on_message,
		on_control, on_heard, on_received, on_blocked, on_drained,
		on_close, sick, t };
}

struct hub_handler
sessions_hub_handler(struct sessions *t)
{
	return (struct hub_handler){ session_send, session_ready, session_skips, thin,
		session_too_slow, session_keys, members, on_probe, on_command,
		on_heard_commands, on_command_gap, t };
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
