/* SPDX-License-Identifier: MIT */
#include "cgi.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "limit.h"
#include "parse.h"

extern char **environ;

struct cgi {
	void (*done)(void *arg);
	void *arg;
};

/* Reads up to CONTENT_LENGTH, or to the end where the server gives none; what
 * is above the limit is read and dropped. */
static void
read_body(struct buf *body)
{
	const char *length = param(environ, "CONTENT_LENGTH");
	size_t most = length == NULL || *length == '\0' ? SIZE_MAX :
	    strtoul(length, NULL, 10);
	char piece[8192];
	ssize_t n;

	for (size_t got = 0; got < most; got += (size_t)n) {
		size_t want = most - got < sizeof(piece) ? most - got :
		    sizeof(piece);

		do
			n = read(STDIN_FILENO, piece, want);
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return;
		if (body->n <= LIMIT_FRAME)
			buf_add(body, piece, (size_t)n);
	}
}

static void
on_response(void *arg, struct span response)
{
	struct cgi *c = arg;

	while (response.n > 0) {
		ssize_t n = write(STDOUT_FILENO, response.p, response.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		response.p += n;
		response.n -= (size_t)n;
	}
	c->done(c->arg);
	free(c);
}

void
cgi_serve(struct service *s, void (*done)(void *arg), void *arg)
{
	struct cgi *c = malloc(sizeof(*c));
	struct buf body = { 0 };

	if (c == NULL)
		abort();
	*c = (struct cgi){ done, arg };
	read_body(&body);
	service_serve(s, environ, buf_peek(&body), on_response, c);
	buf_clear(&body);
}
