/* SPDX-License-Identifier: MIT */
#include "cgi.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "limit.h"
#include "params.h"
#include "reaper.h"

#define BODY_TIME 30000          /* ms for the body to come */
#define LIFE 95                  /* s, for all: see cgi_new */
#define DRAIN (8 * 1024 * 1024)  /* bytes of a body, kept or not */

extern char **environ;

struct cgi {
	uv_loop_t *loop;
	struct service *service;
	struct reaper *reaper;
	struct buf body;     /* nothing when size is above LIMIT_FRAME */
	size_t size;
	void (*done)(void *arg);
	void *arg;
};

/* How many bytes to read: up to CONTENT_LENGTH, behind which some servers
 * never end the stream; or to its end, where they give no length. */
static size_t
body_most(void)
{
	const char *length = param(environ, "CONTENT_LENGTH");
	unsigned long long n = DRAIN;

	if (length != NULL && *length != '\0')
		n = strtoull(length, NULL, 10);
	return n < DRAIN ? (size_t)n : DRAIN;
}

static void
read_body(struct cgi *c)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now = clock_ms(), until = now + BODY_TIME;
	size_t most = body_most();
	char piece[8192];

	while (c->size < most && now < until) {
		size_t want = most - c->size < sizeof(piece) ?
		    most - c->size : sizeof(piece);
		ssize_t n = -1;

		if (poll(&in, 1, (int)(until - now)) > 0)
			n = read(STDIN_FILENO, piece, want);
		else
			errno = EINTR;
		now = clock_ms();
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return;
		c->size += (size_t)n;
		if (c->size > LIMIT_FRAME)
			buf_clear(&c->body);
		else
			buf_add(&c->body, piece, (size_t)n);
	}
}

static void
write_all(struct span s)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (s.n > 0) {
		ssize_t n = write(STDOUT_FILENO, s.p, s.n);

		if (n > 0) {
			s.p += n;
			s.n -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			poll(&out, 1, -1);
		} else if (n == 0 || errno != EINTR) {
			return; /* nobody reads it */
		}
	}
}

static void
on_response(void *arg, uint64_t id, struct span response)
{
	struct cgi *c = arg;

	(void)id;
	write_all(response);
	if (c->reaper == NULL)
		c->done(c->arg);
	else
		reaper_finish(c->reaper, c->done, c->arg);
}

/* Where there is plain CGI there may be no daemon at all: each request clears
 * up a little. */
static void
on_ready(void *arg)
{
	struct cgi *c = arg;

	if (c->reaper == NULL)
		c->reaper = reaper_new(c->loop, c->service->conf,
		    c->service->store);
}

struct cgi *
cgi_new(uv_loop_t *loop, struct service *s, void (*done)(void *arg), void *arg)
{
	struct cgi *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	/* A web server that leaves us no reader and no end must not leave us
	 * there for ever: the signal's default action ends the process,
	 * wherever it hangs. */
	alarm(LIFE);
	s->frugal = true;
	c->loop = loop;
	c->service = s;
	c->done = done;
	c->arg = arg;
	read_body(c);
	store_on_ready(s->store, on_ready, c);
	service_answers(s, on_response, NULL, c);
	service_serve(s, (struct peer){ .kind = PEER_PARENT }, environ,
	    buf_peek(&c->body), c->size, 0);
	return c;
}

void
cgi_refuse(const char *payload)
{
	struct cgi c = { 0 };
	struct buf text = { 0 }, out = { 0 };

	alarm(LIFE);
	read_body(&c);
	buf_clear(&c.body);
	run_error(&text, (struct span){ NULL, 0 }, ERR_STORAGE, payload);
	http_write(&out, ERR_STORAGE, 0, NULL, (struct span){ NULL, 0 },
	    buf_peek(&text));
	write_all(buf_peek(&out));
	buf_clear(&text);
	buf_clear(&out);
}

void
cgi_free(struct cgi *c)
{
	if (c == NULL)
		return;
	reaper_free(c->reaper);
	buf_clear(&c->body);
	free(c);
}
