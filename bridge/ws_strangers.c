/* SPDX-License-Identifier: MIT */
/* Connections without a session: their request has not come yet or was refused,
 * or their WebSocket is closed and the socket not. They cost a descriptor and
 * some kB each; as many as max_connections may be there, and then the oldest
 * goes, so that those who waste their time keep nobody out. */
#include "ws_body.h"

void
ws_stranger_remove(struct ws_common *w, struct ws_conn *c)
{
	if (c->stranger_link == NULL)
		return;
	*c->stranger_link = c->stranger_next;
	*(c->stranger_next == NULL ? &w->strangers_end :
	    &c->stranger_next->stranger_link) = c->stranger_link;
	c->stranger_link = NULL;
	w->nstrangers--;
}

void
ws_stranger_add(struct ws_common *w, struct ws_conn *c)
{
	if (c->stranger_link != NULL)
		return;
	c->stranger_link = w->strangers_end;
	c->stranger_next = NULL;
	*w->strangers_end = c;
	w->strangers_end = &c->stranger_next;
	w->nstrangers++;
	while (w->nstrangers > w->conf->max_connections) {
		ws_drop(w->strangers);
		ws_stranger_remove(w, w->strangers);
	}
}
