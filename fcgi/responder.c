/* SPDX-License-Identifier: MIT */
#include "responder.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "conns.h"
#include "log.h"

#define SPARE 64        /* descriptors that are not for connections */
#define OPERATIONS 8    /* one of so many connections is not for polls */
#define ACCEPTED 256    /* connections in one turn of the loop at most */
#define STOP_TIME 10000 /* ms */
#define TICK 250        /* ms */

struct responder {
	struct service *service;
	struct conns *conns;
	size_t most;        /* connections */
	int fd;             /* the listening socket, or -1: closed */
	uv_poll_t listener;
	uv_timer_t tick;
	bool paused;        /* the backlog holds who comes now */
	bool stopping;
	uint64_t stop_at;   /* ms */
	void (*done)(void *arg);
	void *done_arg;
	int handles;        /* listener and tick not closed yet */
};

static void on_listener(uv_poll_t *p, int status, int events);

/* ---- who comes ---- */

static void
pause_listening(struct responder *r)
{
	r->paused = true;
	uv_poll_stop(&r->listener);
}

static void
go_on(struct responder *r)
{
	if (!r->paused || r->stopping || conns_count(r->conns) >= r->most)
		return;
	r->paused = false;
	uv_poll_start(&r->listener, UV_READABLE, on_listener);
}

/* False: nobody waits, or none can be taken now. */
static bool
accept_one(struct responder *r)
{
	int fd;

	if (conns_count(r->conns) >= r->most) {
		pause_listening(r);
		return false;
	}
	fd = accept4(r->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		if (!conns_take(r->conns, fd))
			close(fd);
		return true;
	}
	switch (errno) {
	case EAGAIN: /* a sibling may have taken it */
		return false;
	case EINTR:
	case ECONNABORTED:
		return true;
	default:
		log_warn("accept: %s", strerror(errno));
		pause_listening(r); /* until the next tick */
		return false;
	}
}

static void
on_listener(uv_poll_t *p, int status, int events)
{
	struct responder *r = p->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTED && !r->stopping && accept_one(r); i++)
		;
}

/* ---- who leaves ---- */

static void
check_done(struct responder *r)
{
	void (*done)(void *arg) = r->done;

	if (done == NULL || conns_count(r->conns) > 0)
		return;
	r->done = NULL;
	done(r->done_arg);
}

static void
on_close(void *arg)
{
	go_on(arg);
	check_done(arg);
}

static void
on_tick(uv_timer_t *timer)
{
	struct responder *r = timer->data;

	conns_tick(r->conns);
	if (r->stopping && clock_ms() > r->stop_at)
		conns_close(r->conns);
	go_on(r);
}

/* ---- life ---- */

static void
closed(uv_handle_t *handle)
{
	struct responder *r = handle->data;

	if (--r->handles == 0)
		free(r);
}

/* Closes our descriptor only. shutdown() would end the listening socket for
 * all who share it: the supervisor and our siblings. */
static void
stop_listening(struct responder *r)
{
	r->stopping = true;
	if (r->fd < 0)
		return;
	uv_close((uv_handle_t *)&r->listener, closed);
	close(r->fd);
	r->fd = -1;
}

static size_t
most_connections(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur < 2 * SPARE)
		return SPARE;
	return (size_t)l.rlim_cur - SPARE;
}

struct responder *
responder_new(uv_loop_t *loop, struct service *s, int fd)
{
	struct responder *r = calloc(1, sizeof(*r));
	bool local = uv_guess_handle(fd) != UV_TCP;
	int err;

	if (r == NULL)
		return NULL;
	r->conns = conns_new(loop, s, local, on_close, r);
	if (r->conns == NULL) {
		free(r);
		return NULL;
	}
	r->service = s;
	r->most = most_connections();
	/* Those that wait leave room for operations beside them. */
	service_bound(s, r->most - r->most / OPERATIONS);
	r->fd = fd;
	r->listener.data = r->tick.data = r;
	err = listen(fd, RESPONDER_BACKLOG) != 0 ? uv_translate_sys_error(errno)
	    : uv_poll_init(loop, &r->listener, fd); /* it blocks no more */
	if (err != 0) {
		log_error("cannot listen: %s", uv_strerror(err));
		conns_free(r->conns);
		free(r);
		return NULL;
	}
	uv_poll_start(&r->listener, UV_READABLE, on_listener);
	uv_timer_init(loop, &r->tick);
	uv_timer_start(&r->tick, on_tick, TICK, TICK);
	r->handles = 2;
	return r;
}

void
responder_stop(struct responder *r, void (*done)(void *arg), void *arg)
{
	stop_listening(r);
	r->stop_at = clock_ms() + STOP_TIME;
	conns_finish(r->conns);
	service_stop(r->service);
	r->done = done;
	r->done_arg = arg;
	check_done(r);
}

void
responder_free(struct responder *r)
{
	if (r == NULL)
		return;
	r->done = NULL;
	stop_listening(r);
	conns_free(r->conns);
	uv_close((uv_handle_t *)&r->tick, closed);
}
