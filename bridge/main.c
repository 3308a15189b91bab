/* SPDX-License-Identifier: MIT */
/* palaver-bridge: keeps the WebSockets and streams Redis' events to them. */
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

#include "conf.h"
#include "descriptors.h"
#include "hashing.h"
#include "hub.h"
#include "log.h"
#include "presence.h"
#include "run.h"
#include "session.h"
#include "store.h"
#include "ws.h"

#define PROGRAM "palaver-bridge"
#define DRAIN_MOST 3000 /* ms that the peers have to answer our close */
#define DRAIN_TICK 50   /* ms */

static const char usage[] =
    "Usage: " PROGRAM " --listen unix:/path|host:port [options]\n"
    "Keeps the WebSockets of Palaver and streams events from Redis to them.\n";

struct bridge {
	uv_loop_t loop;
	struct conf conf;
	struct store *store;
	struct hashing *hashing;
	struct run *run;
	struct sessions *sessions;
	struct hub *hub;
	struct presence *presence;
	struct ws *ws;
	uv_signal_t term, interrupt;
	uv_timer_t drain;
	int drained; /* ms so far */
};

static void
stop(void *arg)
{
	struct bridge *b = arg;

	uv_stop(&b->loop);
}

/* The sessions were told to go; then our lease ends; then the loop. */
static void
on_drain(uv_timer_t *t)
{
	struct bridge *b = t->data;

	b->drained += DRAIN_TICK;
	if (sessions_count(b->sessions) > 0 && b->drained < DRAIN_MOST)
		return;
	uv_timer_stop(t);
	presence_stop(b->presence, stop, b);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct bridge *b = handle->data;

	log_info("signal %d: restarting %zu sessions", number,
	    sessions_count(b->sessions));
	uv_signal_stop(&b->term);
	uv_signal_stop(&b->interrupt);
	ws_drain(b->ws);
	sessions_restart(b->sessions);
	uv_timer_start(&b->drain, on_drain, 0, DRAIN_TICK);
}

static bool
build(struct bridge *b)
{
	struct hub_handler hub;
	struct ws_handler ws;

	b->store = store_new(&b->loop, &b->conf);
	b->hashing = hashing_new(&b->loop, b->conf.password_cost);
	b->sessions = sessions_new(&b->loop, &b->conf);
	if (b->store == NULL || b->hashing == NULL || b->sessions == NULL)
		return false;
	b->run = run_new(&b->conf, b->store, b->hashing);
	hub = sessions_hub_handler(b->sessions);
	b->hub = hub_new(&b->loop, &b->conf, b->store, &hub);
	if (b->run == NULL || b->hub == NULL)
		return false;
	b->presence = presence_new(&b->loop, &b->conf, b->store, b->hub,
	    b->sessions);
	if (b->presence == NULL)
		return false;
	sessions_attach(b->sessions, b->run, b->hub, b->presence);
	ws = sessions_ws_handler(b->sessions);
	b->ws = ws_new(&b->loop, &b->conf, &ws);
	return b->ws != NULL;
}

static void
tear_down(struct bridge *b)
{
	ws_free(b->ws);
	uv_close((uv_handle_t *)&b->drain, NULL);
	uv_close((uv_handle_t *)&b->interrupt, NULL);
	uv_close((uv_handle_t *)&b->term, NULL);
	hub_free(b->hub);
	hashing_free(b->hashing);
	store_free(b->store);
	run_free(b->run);
	presence_free(b->presence);
	sessions_free(b->sessions);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&b->loop) != 0)
		log_error("a handle was left open");
	conf_clear(&b->conf);
}

int
main(int argc, char **argv)
{
	static struct bridge b;
	bool built;

	switch (conf_load(&b.conf, PROGRAM, usage, argc, argv)) {
	case CONF_DONE:
		conf_clear(&b.conf);
		return 0;
	case CONF_BAD:
		conf_clear(&b.conf);
		return 2;
	case CONF_RUN:
		break;
	}
	log_open(PROGRAM, (enum log_level)b.conf.log_level);
	if (b.conf.listen == NULL) {
		log_error("--listen is missing; see --help");
		conf_clear(&b.conf);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	descriptors_raise(); /* libwebsockets sizes its table by it */
	uv_loop_init(&b.loop);
	uv_signal_init(&b.loop, &b.term);
	uv_signal_init(&b.loop, &b.interrupt);
	uv_timer_init(&b.loop, &b.drain);
	b.term.data = b.interrupt.data = b.drain.data = &b;
	uv_signal_start(&b.term, on_signal, SIGTERM);
	uv_signal_start(&b.interrupt, on_signal, SIGINT);
	built = build(&b);
	if (built) {
		log_info("listening at %s", b.conf.listen);
		uv_run(&b.loop, UV_RUN_DEFAULT);
	}
	tear_down(&b);
	return built ? 0 : 1;
}
