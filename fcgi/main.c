/* SPDX-License-Identifier: MIT */
/* palaver.fcgi: the operations over HTTP, behind any web server. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include "cgi.h"
#include "descriptors.h"
#include "log.h"
#include "is_cgi.h"
#include "reaper.h"
#include "responder.h"
#include "service.h"

#define PROGRAM "palaver.fcgi"
#define CGI_POLL_SLOTS 5
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
	struct cgi *cgi;
	uv_signal_t term, interrupt;
};

/* Where requests come from, if not from a listening socket. */
enum source {
	SOURCE_CGI = -1,
	SOURCE_NONE = -2 /* said why */
};

/* sd_listen_fds(3): the variables may be meant for our parent. */
static bool
has_systemd_socket(void)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");

	return fds != NULL && pid != NULL && atoi(fds) >= 1 &&
	    atol(pid) == (long)getpid();
}

/* Takes a socket that was handed over. One that is missing is seen here, where
 * its number cannot belong to anything of ours yet. */
static int
take_socket(int fd)
{
	if (responder_can_listen(fd))
		return fd;
	log_error("fd %d is no listening socket", fd);
	return SOURCE_NONE;
}

/* A listening socket, or enum source. Our own flag and systemd's come before
 * libfcgi is asked: it knows fd 0 only and takes all else for CGI. */
static int
find_socket(const struct conf *c)
{
	int fd;

	if (c->listen != NULL) {
		fd = responder_listen(c);
		return fd < 0 ? SOURCE_NONE : fd;
	}
	if (has_systemd_socket())
		return take_socket(SYSTEMD_FD);
	if (!is_cgi())
		return take_socket(STDIN_FILENO);
	if (getenv("GATEWAY_INTERFACE") != NULL)
		return SOURCE_CGI;
	fprintf(stderr, "%s" PROGRAM ": nowhere to listen: give --listen, or"
	    " let a web server start it; see --help\n", usage);
	return SOURCE_NONE;
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
	responder_stop(p->responder, stop, p);
}

static bool
build(struct program *p, int fd)
{
	p->service.conf = &p->conf;
	p->service.store = store_new(&p->loop, &p->conf);
	p->hashing = hashing_new(&p->loop, p->conf.password_cost);
	if (p->service.store == NULL || p->hashing == NULL)
		return false;
	p->service.run = run_new(&p->conf, p->service.store, p->hashing);
	if (p->service.run == NULL || !service_open(&p->service, &p->loop))
		return false;
	if (fd == SOURCE_CGI) {
		p->cgi = cgi_new(&p->loop, &p->service, stop, p);
		return p->cgi != NULL;
	}
	p->reaper = reaper_new(&p->loop, &p->conf, p->service.store);
	p->responder = responder_new(&p->loop, &p->service, fd);
	if (p->reaper == NULL || p->responder == NULL)
		return false;
	uv_signal_start(&p->term, on_signal, SIGTERM);
	uv_signal_start(&p->interrupt, on_signal, SIGINT);
	return true;
}

static void
tear_down(struct program *p)
{
	uv_close((uv_handle_t *)&p->interrupt, NULL);
	uv_close((uv_handle_t *)&p->term, NULL);
	responder_free(p->responder);
	hashing_free(p->hashing);
	store_free(p->service.store);
	run_free(p->service.run);
	service_clear(&p->service);
	reaper_free(p->reaper);
	cgi_free(p->cgi);
	uv_run(&p->loop, UV_RUN_DEFAULT);
	if (uv_loop_close(&p->loop) != 0)
		log_error("a handle was left open");
	conf_clear(&p->conf);
}

/* Under CGI a web server stops us by SIGTERM, and its log is no place for
 * each request's connection to Redis. */
static void
settle_for_cgi(struct conf *c)
{
	if (c->poll_slots == 0)
		c->poll_slots = CGI_POLL_SLOTS;
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	if (c->log_level == LOG_LEVEL_INFO)
		log_open(PROGRAM, LOG_LEVEL_WARN);
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
		if (getenv("GATEWAY_INTERFACE") != NULL && is_cgi())
			cgi_refuse("settings");
		conf_clear(&p.conf);
		return 2;
	case CONF_RUN:
		break;
	}
	log_open(PROGRAM, (enum log_level)p.conf.log_level);
	descriptors_raise();
	fd = find_socket(&p.conf);
	if (fd == SOURCE_NONE) {
		conf_clear(&p.conf);
		return 2;
	}
	if (fd == SOURCE_CGI)
		settle_for_cgi(&p.conf);
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&p.loop);
	uv_signal_init(&p.loop, &p.term);
	uv_signal_init(&p.loop, &p.interrupt);
	p.term.data = p.interrupt.data = &p;
	built = build(&p, fd);
	if (built)
		uv_run(&p.loop, UV_RUN_DEFAULT);
	tear_down(&p);
	return built ? 0 : 1;
}
