/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH 256 /* descriptors told in one turn of the loop */

struct watch {
	uv_poll_t poll; /* of the instance, which is readable when one is */
	int epoll;
	watch_cb *cb;
	void *arg;
	struct epoll_event ready[BATCH];
};

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;
	int n = epoll_wait(w->epoll, w->ready, BATCH, 0);

	(void)status;
	(void)events;
	for (int i = 0; i < n; i++) {
		uint32_t e = w->ready[i].events;
		int what = (e & EPOLLIN ? WATCH_IN : 0) |
		    (e & EPOLLOUT ? WATCH_OUT : 0) |
		    (e & (EPOLLHUP | EPOLLERR) ? WATCH_GONE : 0);

		w->cb(w->arg, w->ready[i].data.u64, what);
	}
}

static bool
control(struct watch *w, int op, int fd, uint64_t id, int what)
{
	struct epoll_event e = { .data.u64 = id };

	e.events = (what & WATCH_IN ? EPOLLIN : 0) |
	    (what & WATCH_OUT ? EPOLLOUT : 0);
	return epoll_ctl(w->epoll, op, fd, &e) == 0;
}

bool
watch_add(struct watch *w, int fd, uint64_t id, int what)
{
	return control(w, EPOLL_CTL_ADD, fd, id, what);
}

bool
watch_change(struct watch *w, int fd, uint64_t id, int what)
{
	return control(w, EPOLL_CTL_MOD, fd, id, what);
}

struct watch *
watch_new(uv_loop_t *loop, watch_cb *cb, void *arg)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->cb = cb;
	w->arg = arg;
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0) {
		free(w);
		return NULL;
	}
	w->poll.data = w;
	if (uv_poll_init(loop, &w->poll, w->epoll) != 0) {
		close(w->epoll);
		free(w);
		return NULL;
	}
	uv_poll_start(&w->poll, UV_READABLE, on_ready);
	return w;
}

static void
closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	uv_close((uv_handle_t *)&w->poll, closed);
	close(w->epoll);
}
