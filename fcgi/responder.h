/* SPDX-License-Identifier: MIT */
/* The FastCGI side: many connections of the web server, each with one request
 * at a time, none of which can hold up another. */
#ifndef PALAVER_RESPONDER_H
#define PALAVER_RESPONDER_H

#include <uv.h>

#include "service.h"

#define RESPONDER_BACKLOG 4096 /* less costs errors in a burst */

struct responder;

/* Listens at fd, which it takes over. NULL after saying why. */
struct responder *responder_new(uv_loop_t *loop, struct service *s, int fd);
/* Accepts no more and calls done when all that is under way was answered, or
 * after 10 s. */
void responder_stop(struct responder *r, void (*done)(void *arg), void *arg);
void responder_free(struct responder *r);

/* A listening socket at "unix:/path" or "host:port", or -1 after saying why. */
int responder_listen(const struct conf *c);
/* Whether fd, which somebody else opened, is a listening socket. */
bool responder_can_listen(int fd);

#endif
