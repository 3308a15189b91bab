/* SPDX-License-Identifier: MIT */
/* Serves one HTTP request, however it came: FastCGI or CGI. */
#ifndef PALAVER_SERVICE_H
#define PALAVER_SERVICE_H

#include "park.h"
#include "run.h"
#include "store.h"

struct waiter;

/* The whole response to the request id, header fields and all; lives until it
 * returns. Empty when there was no memory for one. */
typedef void service_cb(void *arg, uint64_t id, struct span response);
/* Whether whoever asked with that id still waits for the response. */
typedef bool service_waits_cb(void *arg, uint64_t id);

struct service {
	const struct conf *conf;
	struct store *store;
	struct run *run;
	struct park *park;      /* long-polls that wait */
	bool frugal;            /* no connection for commands meanwhile */
	struct waiter *waiters; /* requests under way */
	service_cb *cb;         /* what is called with arg and a response */
	service_waits_cb *waits; /* or NULL: none leaves before */
	void *arg;
};

/* Makes the park; conf, store and run must stand. False: no memory. */
bool service_open(struct service *s, uv_loop_t *loop);
/* At most so many long-polls wait. */
void service_bound(struct service *s, size_t polls);
/* Where all responses go. waits may be NULL: they all do. */
void service_answers(struct service *s, service_cb *cb,
    service_waits_cb *waits, void *arg);

/* Has the response go there once, perhaps before it returns. peer is who gave
 * params: the web server. params and body may go after that. body_size is what
 * the body had before anything of it was dropped. */
void service_serve(struct service *s, struct peer peer, char *const *params,
    struct span body, size_t body_size, uint64_t id);
/* Whoever asked with that id has left: a poll of it waits no longer. */
void service_forget(struct service *s, uint64_t id);
/* Answers all long-polls now, and those to come at once. */
void service_stop(struct service *s);
/* Drops what is under way, without its callback. After run_free. */
void service_clear(struct service *s);

#endif
