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
#include "records.h"

/* A power of two that holds the largest request. */
#define PIPE_SIZE (256 * 1024)
#define PIECE 8192 /* bytes read at a time */
_Static_assert(RECORDS_REQUEST_MAX <= PIPE_SIZE, "a request fits the pipe");

struct parse {
	int in, out; /* ends of the pipe: libfcgi's, ours */
};

/* libfcgi sets handlers for these signals as it begins, which let a process
 * survive SIGTERM: puts back what stood. */
static bool
library_begin(bool *is_cgi)
{
	static const int signals[] = { SIGTERM, SIGUSR1, SIGPIPE };
	enum { SIGNALS = sizeof(signals) / sizeof(*signals) };
	struct sigaction before[SIGNALS];
	bool ok;

	/* Else it waits 2 s for the peer on some of its errors. Read once. */
	setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "0", 1);
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], NULL, &before[i]);
	ok = FCGX_Init() == 0;
	*is_cgi = FCGX_IsCGI() != 0;
	for (int i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	return ok;
}

bool
parse_is_cgi(void)
{
	bool is_cgi;

	library_begin(&is_cgi);
	return is_cgi;
}

static bool
open_pipe(struct parse *p)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	p->in = ends[0];
	p->out = ends[1];
	/* Refused when this user's pipes hold too much already. */
	return fcntl(p->out, F_SETPIPE_SZ, PIPE_SIZE) >= PIPE_SIZE;
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
	bool is_cgi;

	if (p == NULL)
		return NULL;
	p->in = p->out = -1;
	if (!library_begin(&is_cgi) || !open_pipe(p)) {
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
		room = buf_room(body, PIECE);
		if (room == NULL)
			return false;
		n = FCGX_GetStr(room, PIECE, in);
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
	if (p->in < 0 && !open_pipe(p)) {
		log_error("cannot make a pipe: %s", strerror(errno));
		close_pipe(p);
		return false;
	}
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
	/* It takes an error for the end: without a look at the stream's state
	 * cut parameters or a cut body would pass for whole ones. */
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
	const char *last = NULL;

	for (; *params != NULL; params++)
		if (**params == *name && strncmp(*params, name, n) == 0 &&
		    (*params)[n] == '=')
			last = *params + n + 1;
	return last;
}
