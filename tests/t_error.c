/* SPDX-License-Identifier: MIT */
/* The table of errors: every row as a message and as an HTTP response, those
 * included that nobody can provoke from outside. */
#include "error.h"

#include <stdlib.h>

#include "http.h"
#include "run.h"
#include "tap.h"

static struct buf text, response;

static bool
has(struct buf *b, const char *what)
{
	return memmem(b->p, b->n, what, strlen(what)) != NULL;
}

static void
write_row(enum error e, unsigned retry_after)
{
	buf_reset(&text);
	buf_reset(&response);
	run_error(&text, SPAN("7"), e, "why");
	http_write(&response, e, retry_after, "POST, OPTIONS",
	    (struct span){ NULL, 0 }, buf_peek(&text));
}

static void
row(enum error e)
{
	const struct error_row *r = error_row(e);
	char wanted[256], status[32];

	write_row(e, 0);
	snprintf(wanted, sizeof(wanted), "{\"type\":\"error\",\"id\":\"7\","
	    "\"error\":{\"code\":%d,\"error\":\"%s\",\"payload\":\"why\"}}",
	    r->code, r->text);
	ok(span_is(buf_peek(&text), wanted), "%d as a message", r->code);
	snprintf(status, sizeof(status), "Status: %d ", r->http);
	ok(memcmp(response.p, status, strlen(status)) == 0 &&
	    has(&response, "\r\nCache-Control: no-store\r\n") &&
	    has(&response, wanted), "%d as a response", r->code);
	ok(error_from_code(r->code) == e, "%d is that row's alone", r->code);
}

int
main(void)
{
	for (int e = ERR_NONE + 1; e < ERR_MAX; e++)
		row((enum error)e);
	ok(error_from_code(0) == ERR_FAULT && error_from_code(99) == ERR_FAULT,
	    "what is in no row is a fault of ours");
	ok(error_row(ERR_FULL)->code == 21 && error_row(ERR_FULL)->http == 503,
	    "full is 21 and 503");
	write_row(ERR_FULL, 1);
	ok(has(&response, "\r\nRetry-After: 1\r\n"), "and says when to come");
	ok(error_row(ERR_FAULT)->code == 30 &&
	    error_row(ERR_FAULT)->http == 500, "a fault is 30 and 500");
	write_row(ERR_FAULT, 0);
	ok(has(&response, "Status: 500 Internal Server Error\r\n") &&
	    !has(&response, "Retry-After"), "and no more");
	write_row(ERR_METHOD, 0);
	ok(has(&response, "\r\nAllow: POST, OPTIONS\r\n"), "405 has Allow");
	write_row(ERR_UNSIGNED, 0);
	ok(has(&response, "\r\nWWW-Authenticate: Bearer\r\n"),
	    "401 says how to sign in");
	buf_reset(&text);
	run_error(&text, (struct span){ NULL, 0 }, ERR_FORM, "a \"quote\"\n");
	ok(span_is(buf_peek(&text), "{\"type\":\"error\",\"error\":{\"code\":1,"
	    "\"error\":\"not a JSON object of this form\","
	    "\"payload\":\"a \\\"quote\\\"\\n\"}}"),
	    "no id, and a payload that is JSON");
	buf_clear(&text);
	buf_clear(&response);
	return tap_end();
}
