/* SPDX-License-Identifier: MIT */
#include "link_body.h"

#include <stdio.h>

#include "log.h"

static void on_connect(uv_connect_t *req, int status);

/* Tries the next address; false when there is none that can be tried. */
static bool
connect_next(struct link *l)
{
	const struct addrinfo *a;
	struct conn *c;

	while ((a = l->next) != NULL) {
		l->next = a->ai_next;
		link_conn_close(l);
		c = link_conn_new(l);
		if (c == NULL)
			return false;
		if (uv_tcp_connect(&c->connect, &c->u.tcp, a->ai_addr,
		    on_connect) == 0)
			return true;
	}
	return false;
}

static void
on_connect(uv_connect_t *req, int status)
{
	struct conn *c = req->data;
	struct link *l = c->link;

	if (l == NULL)
		return;
	if (status < 0) {
		if (connect_next(l))
			return;
		if (!l->failing)
			log_warn("redis: cannot connect: %s",
			    uv_strerror(status));
		link_drop(l);
		return;
	}
	if (c->u.handle.type == UV_TCP) {
		uv_tcp_nodelay(&c->u.tcp, 1);
		uv_tcp_keepalive(&c->u.tcp, 1, 15);
	}
	if (!link_conn_read(c)) {
		link_drop(l);
		return;
	}
	link_greet(l);
}

static void
on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
	struct link *l = req->data;

	l->resolving = false;
	if (l->state == LINK_CLOSED) {
		if (l->handles == 0)
			link_end(l);
	} else if (l->state == LINK_RESOLVING) {
		l->found = l->next = found;
		found = NULL;
		if (status < 0 && !l->failing)
			log_warn("redis: cannot find the host: %s",
			    uv_strerror(status));
		link_set_state(l, LINK_CONNECTING);
		if (!connect_next(l))
			link_drop(l);
	}
	uv_freeaddrinfo(found);
}

void
link_attempt(struct link *l)
{
	const struct redis_address *a = &l->conf->redis;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct conn *c;
	char port[8];

	if (a->path != NULL) {
		link_set_state(l, LINK_CONNECTING);
		c = link_conn_new(l);
		if (c == NULL)
			link_drop(l);
		else
			uv_pipe_connect(&c->connect, &c->u.pipe, a->path,
			    on_connect);
		return;
	}
	link_set_state(l, LINK_RESOLVING);
	snprintf(port, sizeof(port), "%d", a->port);
	l->resolve.data = l;
	if (l->resolving || uv_getaddrinfo(l->loop, &l->resolve, on_resolved,
	    a->host, port, &hints) != 0)
		link_drop(l);
	else
		l->resolving = true;
}
