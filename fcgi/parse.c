/* SPDX-License-Identifier: MIT */
/* libfcgi reads from a descriptor, blocking. A socket of the web server would
 * let a slow or silent peer hold up everybody, and a missing byte hang the
 * process. So it never sees one: the records of a request that is complete go
 * through a pipe of our own, whose reading end does not block. */
#include "parse.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

#define PIPE_SIZE (1024 * 1024) /* bytes; holds the largest request */

struct parse {
	int in, out; /* ends of the pipe: libfcgi's, ours */
};

bool
parse_is_cgi(void)
{
	bool cgi;

	/* Else libfcgi waits 2 s for the peer on some of its errors. */
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	cgi = FCGX_IsCGI() != 0;
	/* It has set handlers that make a process survive SIGTERM. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	return cgi;
}

static bool
open_pipe(struct parse *p)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	p->in = ends[0];
	p->out = ends[1];
	if (fcntl(p->out, F_SETPIPE_SZ, PIPE_SIZE) < 0)
		log_warn("cannot make a pipe of %d bytes", PIPE_SIZE);
	return true;
}

static void
close_pipe(struct parse *p)
{
	if (p->in >= 0)
		close(p->in);
	if (p->out >= 0)
		close(p->out);
	p->in = p->out = -1;
}

struct parse *
parse_new(void)
{
	struct parse *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->in = p->out = -1;
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	if (FCGX_Init() != 0 || !open_pipe(p)) {
		parse_free(p);
		return NULL;
	}
	return p;
}

void
parse_free(struct parse *p)
{
	if (p == NULL)
		return;
	close_pipe(p);
	free(p);
}

static bool
copy_params(char *const *from, struct parsed *out)
{
	size_t n = 0;

	while (from[n] != NULL)
		n++;
	out->params = calloc(n + 1, sizeof(*out->params));
	if (out->params == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		out->params[i] = strdup(from[i]);
		if (out->params[i] == NULL)
			return false;
	}
	return true;
}

static bool
copy_body(FCGX_Stream *in, struct buf *body)
{
	char *room;
	int n;

	do {
		room = buf_room(body, 8192);
		if (room == NULL)
			return false;
		n = FCGX_GetStr(room, 8192, in);
		if (n > 0)
			body->n += (size_t)n;
	} while (n > 0);
	return FCGX_GetError(in) == 0;
}

bool
parse_request(struct parse *p, struct span records, struct parsed *out)
{
	FCGX_Request r;
	bool ok;

	*out = (struct parsed){ 0 };
	if (p->in < 0 && !open_pipe(p))
		return false;
	if (write(p->out, records.p, records.n) != (ssize_t)records.n) {
		close_pipe(p);
		return false;
	}
	FCGX_InitRequest(&r, -1, 0);
	r.ipcFd = p->in;
	r.keepConnection = 1; /* else it closes the descriptor at first */
	if (FCGX_Accept_r(&r) != 0) {
		p->in = -1; /* closed by libfcgi */
		close_pipe(p);
		return false;
	}
	ok = FCGX_GetError(r.in) == 0 && copy_params(r.envp, out) &&
	    copy_body(r.in, &out->body);
	FCGX_Free(&r, 0);
	if (!ok) {
		close_pipe(p); /* what may be left in it is nobody's */
		parsed_clear(out);
	}
	return ok;
}

void
parsed_clear(struct parsed *d)
{
	if (d->params != NULL)
		for (char **at = d->params; *at != NULL; at++)
			free(*at);
	free(d->params);
	buf_clear(&d->body);
	*d = (struct parsed){ 0 };
}

const char *
param(char *const *params, const char *name)
{
	size_t n = strlen(name);

	for (; *params != NULL; params++)
		if (strncmp(*params, name, n) == 0 && (*params)[n] == '=')
			return *params + n + 1;
	return NULL;
}
