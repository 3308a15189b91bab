/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdlib.h>

#include "tap.h"

#define HOST "Host: h\r\n"

/* Reads a copy, so that a sanitizer sees a step beyond it. */
static unsigned
status_of(const char *text)
{
	static struct request r;
	size_t n = strlen(text);
	char *copy = malloc(n);
	unsigned status;

	memcpy(copy, text, n);
	status = request_read(&r, (struct span){ copy, n });
	free(copy);
	return status;
}

static void
refuses(const char *what, const char *text, unsigned status)
{
	ok(status_of(text) == status, "%s: %u", what, status);
}

static void
refused_line(const char *line, unsigned status)
{
	char text[256];

	snprintf(text, sizeof(text), "%s\r\n" HOST "\r\n", line);
	refuses(line, text, status);
}

static void
refused_field(const char *what, const char *field)
{
	char text[256];

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n\r\n",
	    field);
	refuses(what, text, REQUEST_BAD);
	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n" HOST "\r\n",
	    field);
	refuses(what, text, REQUEST_BAD);
}

static void
reads(void)
{
	static const char text[] = "GET /a/ws?q=/x HTTP/1.1\r\n"
	    "hOST:\t chat.example:8080 \r\n"
	    "Connection: keep-alive\r\n"
	    "X-Forwarded-For: a\r\n"
	    "X-Unknown: \xff\ta b\r\n"
	    "X-Unknown:\r\n"
	    "Connection:Upgrade\r\n"
	    "X-Forwarded-For:\r\n"
	    "x-forwarded-for: b, c\r\n"
	    "Origin: \r\n"
	    "\r\n";
	struct request r;

	ok(request_read(&r, SPAN(text)) == 0, "a request");
	ok(span_is(r.method, "GET") && span_is(r.path, "/a/ws") &&
	    span_is(r.version, "HTTP/1.1"), "its line");
	ok(span_is(r.field[REQUEST_HOST], "chat.example:8080"),
	    "a field without the blanks around it");
	ok(span_is(r.field[REQUEST_CONNECTION], "keep-alive, Upgrade"),
	    "a list in two lines");
	ok(span_is(r.field[REQUEST_FORWARDED_FOR], "a, , b, c"),
	    "one in three, in order");
	ok(r.field[REQUEST_ORIGIN].p != NULL && r.field[REQUEST_ORIGIN].n == 0,
	    "an empty field is there");
	ok(r.field[REQUEST_UPGRADE].p == NULL, "one that is not is not");
}

static void
targets(void)
{
	struct request r;

	ok(request_read(&r, SPAN("GET http://a.example:1/x/ws?y HTTP/1.1\r\n"
	    HOST "\r\n")) == 0 && span_is(r.path, "/x/ws") &&
	    span_is(r.field[REQUEST_HOST], "a.example:1"),
	    "the authority of a URI is the Host");
	ok(request_read(&r, SPAN("GET HTTPS://a?/ws HTTP/1.1\r\n" HOST
	    "\r\n")) == 0 && r.path.n == 0, "one without a path");
	refused_line("GET http:///ws HTTP/1.1", REQUEST_BAD);
	refused_line("GET http://u@h/ws HTTP/1.1", REQUEST_BAD);
	refused_line("GET ws HTTP/1.1", REQUEST_BAD);
	refused_line("OPTIONS * HTTP/1.1", REQUEST_BAD);
	refused_line("CONNECT h:80 HTTP/1.1", REQUEST_BAD);
	refused_line("GET /a\tb HTTP/1.1", REQUEST_BAD);
	refused_line("GET /a\x01 HTTP/1.1", REQUEST_BAD);
}

static void
lines(void)
{
	refused_line("POST /ws HTTP/1.1", 0);
	refused_line("GET /ws HTTP/1.0", 0);
	refused_line("GET /ws HTTP/2.0", REQUEST_VERSION);
	refused_line("GET /ws HTTP/0.9", REQUEST_VERSION);
	refused_line("PRI * HTTP/2.0", REQUEST_VERSION);
	refused_line("GET /ws", REQUEST_BAD);
	refused_line("GET", REQUEST_BAD);
	refused_line("", REQUEST_BAD);
	refused_line(" GET /ws HTTP/1.1", REQUEST_BAD);
	refused_line("GET  /ws HTTP/1.1", REQUEST_BAD);
	refused_line("GET /ws  HTTP/1.1", REQUEST_BAD);
	refused_line("GET /ws HTTP/1.1 ", REQUEST_BAD);
	refused_line("GET /ws http/1.1", REQUEST_BAD);
	refused_line("GET /ws HTTP/1.11", REQUEST_BAD);
	refused_line("GET /ws HTTP/1x1", REQUEST_BAD);
	refused_line("G(T /ws HTTP/1.1", REQUEST_BAD);
	refused_line("GET\t/ws HTTP/1.1", REQUEST_BAD);
	refuses("CR CR LF", "GET / HTTP/1.1\r\r\n" HOST "\r\n", REQUEST_BAD);
	refuses("a blank line before it", "\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
	    0);
	refuses("two", "\r\n\r\n", REQUEST_BAD);
	refuses("LF alone", "GET / HTTP/1.1\n" HOST "\r\n", REQUEST_BAD);
	refuses("LF alone at the end", "GET / HTTP/1.1\r\n" HOST "\n",
	    REQUEST_BAD);
}

static void
fields(void)
{
	refuses("no Host", "GET / HTTP/1.1\r\n\r\n", REQUEST_BAD);
	refuses("no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 0);
	refused_field("a second Host", "Host: h");
	refused_field("another way to write it", "HOST: g");
	refused_field("a blank before the colon", "Origin : x");
	refused_field("a line that goes on", " x");
	refused_field("one that goes on with a tab", "\tx: y");
	refused_field("no colon", "Origin");
	refused_field("no name", ": x");
	refused_field("a name that is no token", "Ori(gin: x");
	refused_field("CR in a value", "X: a\rb");
	refused_field("LF in a value", "X: a\nb: c");
	refused_field("CR CR LF", "X: a\r");
	refused_field("a control character", "X: a\x01");
	refused_field("DEL", "X: a\x7f");
	refused_field("two keys", "Sec-WebSocket-Key: a\r\n"
	    "Sec-WebSocket-Key: a");
	refused_field("two versions", "Sec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Version: 13");
	refused_field("two origins", "Origin: a\r\nOrigin: a");
	refused_field("two lengths", "Content-Length: 0\r\n"
	    "Content-Length: 0");
	refuses("a Host of two", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	    REQUEST_BAD);
	refuses("a Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	    REQUEST_BAD);
	refuses("an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0);
}

static void
has_body(const char *field, bool wanted)
{
	char text[256];
	struct request r;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n" HOST "%s\r\n",
	    field);
	ok(request_read(&r, span_of(text)) == 0 &&
	    request_has_body(&r) == wanted, "%s body: %.*s",
	    wanted ? "a" : "no", (int)strcspn(field, "\r"), field);
}

static void
ends(void)
{
	static const char text[] = "\r\nGET / HTTP/1.1\r\n" HOST "\r\nrest";
	size_t end = sizeof(text) - 1 - 4, bad = 0;

	for (size_t n = 0; n < sizeof(text); n++)
		for (size_t seen = 0; seen <= n && seen < end; seen++)
			bad += request_end((struct span){ text, n }, seen) !=
			    (n < end ? 0 : end);
	ok(bad == 0, "the end is found wherever it is cut");
	ok(request_end(SPAN("GET /\n\nx"), 0) == 7, "LF LF is an end, too");
	ok(request_end(SPAN("GET /\r\n\nx"), 0) == 8, "CR LF LF");
}

/* Lists in as many lines as there may be still fit. */
static void
many(void)
{
	static char text[REQUEST_HEAD_MAX + 1];
	struct request r;
	size_t n = (size_t)snprintf(text, sizeof(text),
	    "GET / HTTP/1.1\r\n" HOST "Upgrade: a\r\n");

	while (n + 20 + 2 < REQUEST_HEAD_MAX)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "Upgrade:\r\nUpgrade:\r\n");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
	ok(request_read(&r, (struct span){ text, n }) == 0 &&
	    r.field[REQUEST_UPGRADE].n > 1000, "a list in %zu bytes of lines",
	    n);
}

int
main(void)
{
	reads();
	targets();
	lines();
	fields();
	has_body("", false);
	has_body("Content-Length: 0\r\n", false);
	has_body("Content-Length: 1\r\n", true);
	has_body("Content-Length: x\r\n", true);
	has_body("Transfer-Encoding: chunked\r\n", true);
	has_body("Transfer-Encoding:\r\n", true);
	ends();
	many();
	return tap_end();
}
