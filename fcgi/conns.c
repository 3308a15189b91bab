/* SPDX-License-Identifier: MIT */
#include "conns.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "conn_body.h"
#include "log.h"

#define FRESH_TIME 1000 /* ms that one without a request has as we stop */
#define TABLE_FIRST 256 /* descriptors in the table at first */

/* ---- the table ---- */

/* Connections are known by ids: descriptors are given anew. */
struct conn *
conn_find(const struct conns *cs, uint64_t id)
{
	size_t fd = (uint32_t)id;
	struct conn *c = fd < cs->room ? cs->table[fd].conn : NULL;

	return c != NULL && c->id == id ? c : NULL;
}

/* It may have left while Redis was asked. */
static bool
is_there(void *arg, uint64_t id)
{
	return conn_find(arg, id) != NULL;
}

static bool
table_holds(struct conns *cs, size_t fd)
{
	size_t room = cs->room == 0 ? TABLE_FIRST : cs->room;
	struct slot *grown;

	while (room <= fd)
		room *= 2;
	if (room == cs->room)
		return true;
	grown = realloc(cs->table, room * sizeof(*grown));
	if (grown == NULL)
		return false;
	for (size_t i = cs->room; i < room; i++)
		grown[i] = (struct slot){ NULL, UINT64_MAX };
	cs->table = grown;
	cs->room = room;
	return true;
}

static void
on_watch(void *arg, uint64_t id, int what)
{
	struct conns *cs = arg;
	struct conn *c = conn_find(cs, id);

	if (c != NULL && (what & WATCH_OUT) && c->out != NULL) {
		conn_send(cs, c);
		c = conn_find(cs, id);
	}
	if (c == NULL)
		return;
	if (what & WATCH_IN)
		conn_read(cs, c);
	else if (what & WATCH_GONE)
		conn_close(cs, c);
}

/* ---- their time ---- */

/* Whether bytes have come that were not read yet. */
static bool
has_input(const struct conn *c)
{
	char byte;

	return recv(conn_fd(c), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* A kept connection must not be closed upon a request that is on its way: the
 * web server cannot repeat a POST. */
static bool
is_overdue(const struct slot *s, uint64_t now)
{
	return now > s->deadline &&
	    (s->conn->state != CONN_IDLE || !has_input(s->conn));
}

void
conns_tick(struct conns *cs)
{
	uint64_t now = clock_ms();

	for (size_t fd = 0; fd < cs->room; fd++)
		if (is_overdue(&cs->table[fd], now))
			conn_close(cs, cs->table[fd].conn);
}

void
conns_finish(struct conns *cs)
{
	uint64_t now = clock_ms();

	cs->finishing = true;
	/* Those that idle may have a request on its way to us: a kept one that
	 * is in use will show it soon, one that just came a little later. */
	for (size_t fd = 0; fd < cs->room; fd++) {
		const struct conn *c = cs->table[fd].conn;
		uint64_t most;

		if (c == NULL || c->state != CONN_IDLE)
			continue;
		most = now + (c->kept ? KEPT_TIME : FRESH_TIME);
		if (cs->table[fd].deadline > most)
			conn_expect(cs, c, most);
	}
}

void
conns_close(struct conns *cs)
{
	for (size_t fd = 0; fd < cs->room; fd++)
		if (cs->table[fd].conn != NULL)
			conn_close(cs, cs->table[fd].conn);
}

/* ---- life ---- */

bool
conns_take(struct conns *cs, int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL || !table_holds(cs, (size_t)fd)) {
		free(c);
		return false;
	}
	c->id = (uint64_t)++cs->generation << 32 | (uint32_t)fd;
	cs->table[fd] = (struct slot){ c, clock_ms() + REQUEST_TIME };
	cs->count++;
	conn_read(cs, c); /* its request is mostly there already */
	return true;
}

size_t
conns_count(const struct conns *cs)
{
	return cs->count;
}

struct conns *
conns_new(uv_loop_t *loop, struct service *s, bool local,
    void (*on_close)(void *arg), void *arg)
{
	struct conns *cs = calloc(1, sizeof(*cs));

	if (cs == NULL)
		return NULL;
	cs->service = s;
	cs->local = local;
	cs->on_close = on_close;
	cs->arg = arg;
	cs->watch = watch_new(loop, on_watch, cs);
	if (cs->watch == NULL) {
		log_error("cannot watch connections: %s", strerror(errno));
		free(cs);
		return NULL;
	}
	service_answers(s, conn_answer, is_there, cs);
	return cs;
}

void
conns_free(struct conns *cs)
{
	if (cs == NULL)
		return;
	cs->ended = true;
	conns_close(cs);
	watch_free(cs->watch);
	buf_clear(&cs->reply);
	free(cs->table);
	free(cs);
}
