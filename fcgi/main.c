/* SPDX-License-Identifier: MIT */
/* palaver.fcgi: the operations over HTTP, behind any web server. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include "cgi.h"
#include "log.h"
#include "parse.h"
#include "reaper.h"
#include "responder.h"
#include "service.h"

#define PROGRAM "palaver.fcgi"
#define SYSTEMD_FD 3 /* sd_listen_fds(3) */

static const char usage[] =
    "Usage: " PROGRAM " [--listen unix:/path|host:port] [options]\n"
    "Runs the operations of Palaver over HTTP: as a FastCGI responder at"
    " --listen, at\na socket that systemd or the web server hands over"
    " (LISTEN_FDS, fd 0), or as\nplain CGI.\n";

struct program {
	uv_loop_t loop;
	struct conf conf;
	struct service service;
	struct hashing *hashing;
	struct reaper *reaper;
	struct responder *responder;
	uv_signal_t term, interrupt;
};

enum origin_fd { FD_CGI = -1, FD_NONE = -2 };

/* Where requests come from: a listening socket, FD_CGI, or FD_NONE. Our own
 * flag and systemd's come before libfcgi is asked, which knows neither. */
static int
find_socket(const struct conf *c)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	int fd;

	if (c->listen != NULL) {
		fd = responder_listen(c);
		return fd < 0 ? FD_NONE : fd;
	}
	if (fds != NULL && atoi(fds) >= 1 &&
	    (pid == NULL || atol(pid) == (long)getpid()))
		return SYSTEMD_FD;
	if (!parse_is_cgi())
		return STDIN_FILENO;
	if (getenv("GATEWAY_INTERFACE") != NULL)
		return FD_CGI;
	log_error("no socket: give --listen, or start it from a web server;"
	    " see --help");
	return FD_NONE;
}

static void
stop(void *arg)
{
	struct program *p = arg;

	uv_stop(&p->loop);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct program *p = handle->data;

	log_info("signal %d: finishing", number);
	uv_signal_stop(&p->term);
	uv_signal_stop(&p->interrupt);
	if (p->responder != NULL)
		responder_stop(p->responder, stop, p);
	else
		stop(p);
}

static bool
build(struct program *p, int fd)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	p->service.conf = &p->conf;
	p->service.store = store_new(&p->loop, &p->conf);
	p->hashing = hashing_new(&p->loop, p->conf.password_cost);
	if (p->service.store == NULL || p->hashing == NULL)
		return false;
	p->service.run = run_new(&p->conf, p->service.store, p->hashing);
	p->reaper = reaper_new(&p->loop, &p->conf, p->service.store);
	if (p->service.run == NULL || p->reaper == NULL)
		return false;
	if (fd == FD_CGI) {
		cgi_serve(&p->service, stop, p);
		return true;
	}
	p->responder = responder_new(&p->loop, &p->service, fd);
	return p->responder != NULL;
}

static void
tear_down(struct program *p)
{
	uv_close((uv_handle_t *)&p->interrupt, NULL);
	uv_close((uv_handle_t *)&p->term, NULL);
	hashing_free(p->hashing);
	store_free(p->service.store);
	responder_free(p->responder);
	run_free(p->service.run);
	reaper_free(p->reaper);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&p->loop) != 0)
		log_error("a handle was left open");
	conf_clear(&p->conf);
}

int
main(int argc, char **argv)
{
	static struct program p;
	bool built;
	int fd;

	switch (conf_load(&p.conf, PROGRAM, usage, argc, argv)) {
	case CONF_DONE:
		conf_clear(&p.conf);
		return 0;
	case CONF_BAD:
		conf_clear(&p.conf);
		return 2;
	case CONF_RUN:
		break;
	}
	log_open(PROGRAM, (enum log_level)p.conf.log_level);
	fd = find_socket(&p.conf);
	if (fd == FD_NONE) {
		conf_clear(&p.conf);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&p.loop);
	uv_signal_init(&p.loop, &p.term);
	uv_signal_init(&p.loop, &p.interrupt);
	p.term.data = p.interrupt.data = &p;
	uv_signal_start(&p.term, on_signal, SIGTERM);
	uv_signal_start(&p.interrupt, on_signal, SIGINT);
	built = build(&p, fd);
	if (built)
		uv_run(&p.loop, UV_RUN_DEFAULT);
	tear_down(&p);
	return built ? 0 : 1;
}
