/* SPDX-License-Identifier: MIT */
#include "session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "frame.h"
#include "limit.h"
#include "log.h"

#define QUEUE_MAX 16            /* requests waiting before reading stops */
#define TICK 1000               /* ms */
#define PING_AFTER 25000        /* ms of silence */
#define DEAD_AFTER 34000        /* ms of silence; checked every TICK */
#define BLOCKED_MOST 30000      /* ms that a socket may hold bytes */
#define JITTER_EACH 2           /* ms of the restart's jitter for a session */
#define JITTER_LEAST 500        /* ms */
#define CHANNEL_LOGS 2          /* messages, notices */
#define OWN_LOGS 2              /* sys, the user's */

enum session_state {
	SESSION_OPEN,      /* nobody yet */
	SESSION_SIGNED_IN,
	SESSION_CLOSING    /* told so; nothing is sent or read any more */
};

struct waiting {
	struct waiting *next;
	size_t n;
	bool text;
	char bytes[];
};

struct session {
	uint64_t id;
	struct sessions *table;
	struct session *prev, *next;    /* of all */
	struct session *hash_next;
	struct ws_conn *conn;
	enum session_state state;
	char uuid[UUID_LEN + 1];
	char user[UUID_LEN + 1];
	char key_hash[KEY_HASH_LEN + 1];
	char address[64];
	unsigned generation;            /* of the presence that counts it */
	struct member own[OWN_LOGS];
	struct member *logs;            /* two for each channel */
	struct scope *channels;         /* in the order joined */
	size_t nchannels;
	struct member **members;        /* all that follow something */
	size_t nmembers;
	struct waiting *first, **last;  /* requests */
	size_t nwaiting;
	bool busy;                      /* a request is running */
	bool running;                   /* run_next is on the stack */
	bool paused;
	bool pinged;
	uint64_t heard;                 /* ms */
	uint64_t blocked_since;         /* ms; 0: not */
};

#define BUCKETS 4096

struct sessions {
	const struct conf *conf;
	struct run *run;
	struct hub *hub;
	struct presence *presence;
	struct session *all;
	struct session *bucket[BUCKETS];
	uint64_t ids;
	size_t count;
	struct buf out;
	uv_timer_t tick;
	bool restarting;
};

static void run_next(struct session *s);

static void
set_state(struct session *s, enum session_state to)
{
	static const char *const names[] = { "open", "signed in", "closing" };

	if (s->state == to)
		return;
	log_debug("session %" PRIu64 ": %s -> %s", s->id, names[s->state],
	    names[to]);
	s->state = to;
}

static struct session *
find(struct sessions *t, uint64_t id)
{
	struct session *s = t->bucket[id % BUCKETS];

	while (s != NULL && s->id != id)
		s = s->hash_next;
	return s;
}

static void
close_session(struct session *s, enum ws_close code, const char *reason)
{
	if (s->state == SESSION_CLOSING)
		return;
	set_state(s, SESSION_CLOSING);
	ws_close(s->conn, code, reason);
}

/* ---- channels ---- */

static size_t
channel_index(const struct session *s, const struct scope *c)
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

static void
leave_channel(struct session *s, size_t i)
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

static void
leave_all(struct session *s)
{
	while (s->nchannels > 0)
		leave_channel(s, s->nchannels - 1);
	for (size_t i = 0; i < OWN_LOGS; i++)
		hub_unfollow(s->table->hub, &s->own[i]);
	list_members(s);
}

static bool
enter_channel(struct session *s, const struct effect *e)
{
	struct sessions *t = s->table;
	struct scope notices = scope_notices(&e->channel);
	struct member *m;

	if (channel_index(s, &e->channel) < s->nchannels)
		return true; /* a silent refresh */
	if (s->nchannels == LIMIT_SESSION_CHANNELS) {
		struct scope oldest = s->channels[0];

		leave_channel(s, 0);
		presence_left(t->presence, s->user, &oldest);
	}
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

static bool
sign_in(struct session *s, const struct effect *e)
{
	struct sessions *t = s->table;
	struct scope sys = scope_sys(), user = scope_user(e->user);

	if (s->state == SESSION_SIGNED_IN) {
		presence_gone(t->presence, s->user, s->channels,
		    s->nchannels, t->conf->presence_grace);
		leave_all(s);
	}
	snprintf(s->user, sizeof(s->user), "%s", e->user);
	snprintf(s->key_hash, sizeof(s->key_hash), "%s", e->key_hash);
	set_state(s, SESSION_SIGNED_IN);
	if (s->generation != presence_generation(t->presence)) {
		s->generation = presence_generation(t->presence);
		presence_adopt(t->presence, s->user, NULL, 0);
	}
	if (!make_room(s, 0))
		return false;
	s->own[0].session = s->own[1].session = s;
	if (!hub_follow(t->hub, &s->own[0], &sys, &e->places[0]) ||
	    !hub_follow(t->hub, &s->own[1], &user, &e->places[1]))
		return false;
	list_members(s);
	return true;
}

/* ---- requests ---- */

static void
add_frame(struct buf *b, struct span text)
{
	unsigned char head[WS_HEADER_MAX];

	if (text.n == 0)
		return;
	buf_add(b, head, ws_text_header(head, text.n));
	buf_span(b, text);
}

static void
apply(struct session *s, const struct effect *e)
{
	bool ok = true;

	switch (e->kind) {
	case EFFECT_SIGNED_IN:
		ok = sign_in(s, e);
		break;
	case EFFECT_SIGNED_OUT:
		leave_all(s);
		s->user[0] = s->key_hash[0] = '\0';
		set_state(s, SESSION_OPEN);
		break;
	case EFFECT_JOINED:
		ok = enter_channel(s, e);
		break;
	case EFFECT_LEFT:
		leave_channel(s, channel_index(s, &e->channel));
		break;
	case EFFECT_SENT:
	case EFFECT_NONE:
		break;
	}
	if (!ok)
		close_session(s, WS_FULL, "out of memory");
}

/* A channel's frame comes through the channel to those who are in it. */
static bool
wants_own(const struct session *s, const struct effect *e)
{
	return e->kind != EFFECT_SENT ||
	    channel_index(s, &e->channel) == s->nchannels;
}

/* What arg points to is the id of the session, which may be gone. */
struct ticket {
	struct sessions *table;
	uint64_t id;
};

static void
on_outcome(void *arg, const struct outcome *o)
{
	struct ticket *ticket = arg;
	struct sessions *t = ticket->table;
	struct session *s = find(t, ticket->id);

	free(ticket);
	if (s == NULL) {
		/* Gone meanwhile: what it signed in as is to be counted out;
		 * a channel joined was so under a user counted out already. */
		if (o->effect->kind == EFFECT_SIGNED_IN)
			presence_gone(t->presence, o->effect->user, NULL, 0,
			    t->conf->presence_grace);
		else if (o->effect->kind == EFFECT_JOINED)
			presence_left(t->presence, o->effect->user,
			    &o->effect->channel);
		return;
	}
	s->busy = false;
	if (s->state == SESSION_CLOSING)
		return;
	buf_reset(&t->out);
	t->out.oom = false;
	add_frame(&t->out, o->reply);
	if (wants_own(s, o->effect))
		add_frame(&t->out, o->own);
	if (t->out.oom) {
		close_session(s, WS_FULL, "out of memory");
		return;
	}
	ws_send(s->conn, t->out.p, t->out.n);
	apply(s, o->effect);
	if (s->state != SESSION_CLOSING)
		hub_catch_up(t->hub, s);
	if (!s->running)
		run_next(s);
}

static void
start(struct session *s, struct waiting *w)
{
	struct sessions *t = s->table;
	struct actor a = { .via = VIA_WEBSOCKET };
	struct ticket *ticket = malloc(sizeof(*ticket));

	if (ticket == NULL) {
		close_session(s, WS_FULL, "out of memory");
		return;
	}
	*ticket = (struct ticket){ t, s->id };
	snprintf(a.user, sizeof(a.user), "%s", s->user);
	snprintf(a.key_hash, sizeof(a.key_hash), "%s", s->key_hash);
	snprintf(a.session, sizeof(a.session), "%s", s->uuid);
	a.bridge = presence_id(t->presence);
	a.address = span_of(s->address);
	a.channels = s->channels;
	a.nchannels = s->nchannels;
	if (s->state != SESSION_SIGNED_IN)
		s->generation = presence_generation(t->presence);
	s->busy = true;
	run_message(t->run, &a, (struct span){ w->bytes, w->n }, NULL, NULL,
	    (struct span){ NULL, 0 }, on_outcome, ticket);
}

static void
refuse_binary(struct session *s)
{
	struct sessions *t = s->table;
	struct buf text = { 0 };

	run_error(&text, (struct span){ NULL, 0 }, ERR_FORM, "binary");
	buf_reset(&t->out);
	add_frame(&t->out, buf_peek(&text));
	if (!text.oom && !t->out.oom)
		ws_send(s->conn, t->out.p, t->out.n);
	buf_clear(&text);
}

/* Runs what waits, one request at a time, as long as the peer takes what it
 * is sent. */
static void
run_next(struct session *s)
{
	struct waiting *w;

	s->running = true;
	while (!s->busy && s->first != NULL && s->state != SESSION_CLOSING &&
	    s->blocked_since == 0) {
		w = s->first;
		s->first = w->next;
		if (s->first == NULL)
			s->last = &s->first;
		s->nwaiting--;
		if (w->text)
			start(s, w);
		else
			refuse_binary(s);
		free(w);
	}
	s->running = false;
	if (s->paused && s->nwaiting < QUEUE_MAX / 2 &&
	    s->state != SESSION_CLOSING) {
		s->paused = false;
		ws_pause(s->conn, false);
	}
}

/* ---- from the WebSocket server ---- */

static void *
on_open(void *arg, struct ws_conn *c, struct span address)
{
	struct sessions *t = arg;
	struct session *s;
	struct buf text = { 0 };

	if (t->count >= t->conf->max_connections || t->restarting)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->id = ++t->ids;
	s->table = t;
	s->conn = c;
	s->last = &s->first;
	s->heard = clock_ms();
	uuid_new(s->uuid);
	snprintf(s->address, sizeof(s->address), "%.*s", (int)address.n,
	    address.p);
	s->next = t->all;
	if (s->next != NULL)
		s->next->prev = s;
	t->all = s;
	s->hash_next = t->bucket[s->id % BUCKETS];
	t->bucket[s->id % BUCKETS] = s;
	t->count++;
	frame_begin(&text, "ready", (struct span){ NULL, 0 });
	buf_fmt(&text, "{\"sessionUUID\":\"%s\",\"protocol\":1}}", s->uuid);
	buf_reset(&t->out);
	add_frame(&t->out, buf_peek(&text));
	ws_send(c, t->out.p, t->out.n);
	buf_clear(&text);
	return s;
}

static void
on_message(void *session, struct span message, bool text)
{
	struct session *s = session;
	struct waiting *w;

	if (s->state == SESSION_CLOSING)
		return;
	w = malloc(sizeof(*w) + message.n);
	if (w == NULL) {
		close_session(s, WS_FULL, "out of memory");
		return;
	}
	w->next = NULL;
	w->n = message.n;
	w->text = text;
	if (message.n != 0)
		memcpy(w->bytes, message.p, message.n);
	*s->last = w;
	s->last = &w->next;
	if (++s->nwaiting >= QUEUE_MAX && !s->paused) {
		s->paused = true;
		ws_pause(s->conn, true);
	}
	if (!s->running)
		run_next(s);
}

static void
on_heard(void *session)
{
	struct session *s = session;

	s->heard = clock_ms();
	s->pinged = false;
}

static void
on_drained(void *session)
{
	struct session *s = session;

	s->blocked_since = 0;
	if (s->state == SESSION_CLOSING)
		return;
	hub_catch_up(s->table->hub, s);
	if (!s->running)
		run_next(s);
}

static void
on_close(void *session)
{
	struct session *s = session;
	struct sessions *t = s->table;
	struct session **at = &t->bucket[s->id % BUCKETS];
	struct waiting *w;

	if (s->user[0] != '\0')
		presence_gone(t->presence, s->user, s->channels, s->nchannels,
		    t->conf->presence_grace);
	if (s->members != NULL)
		leave_all(s);
	while ((w = s->first) != NULL) {
		s->first = w->next;
		free(w);
	}
	while (*at != s)
		at = &(*at)->hash_next;
	*at = s->hash_next;
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		t->all = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	t->count--;
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

static bool
ready(struct session *s)
{
	if (s->state == SESSION_CLOSING)
		return false;
	if (!ws_blocked(s->conn))
		return true;
	if (s->blocked_since == 0)
		s->blocked_since = clock_ms();
	return false;
}

static bool
send_frames(struct session *s, const char *frames, size_t n)
{
	ws_send(s->conn, frames, n);
	return true;
}

/* The notice of a private message is for sessions that do not follow that
 * channel. */
static bool
skips(struct session *s, struct span text)
{
	struct span a, b;
	char first[UUID_LEN + 1], second[UUID_LEN + 1];
	struct scope c;

	if (!frame_private_notice(text, &a, &b) || !uuid_read(a, first) ||
	    !uuid_read(b, second))
		return false;
	c = scope_channel(first, second, (struct span){ NULL, 0 });
	return channel_index(s, &c) < s->nchannels;
}

static void
lost(struct session *s)
{
	close_session(s, WS_TOO_SLOW, "resume by cursor");
}

static struct member **
members(struct session *s, size_t *n)
{
	*n = s->nmembers;
	return s->members;
}

static void
on_own(void *arg, struct span payload)
{
	struct sessions *t = arg;

	(void)payload;
	presence_probe(t->presence);
}

/* ---- the clock ---- */

static void
on_tick(uv_timer_t *timer)
{
	struct sessions *t = timer->data;
	struct session *s, *next;
	uint64_t now = clock_ms();

	for (s = t->all; s != NULL; s = next) {
		next = s->next;
		if (s->state == SESSION_CLOSING)
			continue;
		if (now - s->heard >= DEAD_AFTER) {
			set_state(s, SESSION_CLOSING);
			ws_drop(s->conn);
		} else if (s->blocked_since != 0 &&
		    now - s->blocked_since >= BLOCKED_MOST) {
			lost(s);
		} else if (!s->pinged && now - s->heard >= PING_AFTER) {
			s->pinged = true;
			ws_ping(s->conn);
		}
	}
}

struct ws_handler
sessions_ws_handler(struct sessions *t)
{
	return (struct ws_handler){ on_open, on_message, on_heard, on_drained,
		on_close, sick, t };
}

struct hub_handler
sessions_hub_handler(struct sessions *t)
{
	return (struct hub_handler){ send_frames, ready, skips, lost, members,
		on_own, t };
}

struct sessions *
sessions_new(uv_loop_t *loop, const struct conf *c)
{
	struct sessions *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->conf = c;
	uv_timer_init(loop, &t->tick);
	t->tick.data = t;
	uv_timer_start(&t->tick, on_tick, TICK, TICK);
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
	buf_clear(&t->out);
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
		close_session(s, WS_RESTART, reason);
}

size_t
sessions_count(const struct sessions *t)
{
	return t->count;
}

void
sessions_each_signed_in(struct sessions *t,
    void (*cb)(void *arg, const char *user, const struct scope *channels,
    size_t nchannels), void *arg)
{
	for (struct session *s = t->all; s != NULL; s = s->next) {
		if (s->user[0] == '\0')
			continue;
		s->generation = presence_generation(t->presence);
		cb(arg, s->user, s->channels, s->nchannels);
	}
}
