/* SPDX-License-Identifier: MIT */
/* Descriptors that the loop watches by an epoll instance of their own
 * (epoll(7), level-triggered). Each costs the process nothing, where a handle
 * of libuv's is 264 bytes; thousands of long-polls just wait. */
#ifndef PALAVER_WATCH_H
#define PALAVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct watch;

enum {
	WATCH_IN = 1,   /* bytes, or the end, can be read */
	WATCH_OUT = 2,  /* bytes can be written */
	WATCH_GONE = 4  /* the other end is gone; told without being asked */
};

/* what of the descriptor that was added as id. One that an earlier call of the
 * same turn has closed may still be told: look id up. */
typedef void watch_cb(void *arg, uint64_t id, int what);

/* NULL when there is none to be had. */
struct watch *watch_new(uv_loop_t *loop, watch_cb *cb, void *arg);
/* The loop must turn on. */
void watch_free(struct watch *w);
/* Watches fd for what; closing it (nobody else holds it) ends that. */
bool watch_add(struct watch *w, int fd, uint64_t id, int what);
bool watch_change(struct watch *w, int fd, uint64_t id, int what);

#endif
