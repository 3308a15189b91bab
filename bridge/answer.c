/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include "request.h"
#include "rfc6455.h"

#define RETRY_AFTER "5" /* s until it is worth to try again */

static const struct {
	unsigned status;
	const char *phrase, *fields;
} rows[] = {
	{ ANSWER_OK, "OK", "" },
	{ REQUEST_BAD, "Bad Request", "" },
	{ ANSWER_FORBIDDEN, "Forbidden", "" },
	{ ANSWER_NOT_FOUND, "Not Found", "" },
	{ HANDSHAKE_METHOD, "Method Not Allowed", "Allow: GET, HEAD\r\n" },
	{ HANDSHAKE_UPGRADE, "Upgrade Required", "Upgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" },
	{ REQUEST_TOO_LONG, "Request Header Fields Too Large", "" },
	{ REQUEST_VERSION, "HTTP Version Not Supported", "" },
	{ ANSWER_FULL, "Service Unavailable",
	    "Retry-After: " RETRY_AFTER "\r\n" },
};

void
answer_write(struct buf *out, unsigned status, const char *type,
    const char *body, bool head)
{
	size_t i = 0;

	while (rows[i].status != status &&
	    i + 1 < sizeof(rows) / sizeof(*rows))
		i++;
	buf_fmt(out, "HTTP/1.1 %u %s\r\nContent-Type: %s; charset=utf-8\r\n"
	    "Content-Length: %zu\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nConnection: close\r\n%s\r\n%s",
	    rows[i].status, rows[i].phrase, type, strlen(body),
	    rows[i].fields, head ? "" : body);
}
