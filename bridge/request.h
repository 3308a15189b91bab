/* SPDX-License-Identifier: MIT */
/* The head of an HTTP request (RFC 9112), strictly: what two programs could
 * read in two ways is refused. No I/O. */
#ifndef PALAVER_REQUEST_H
#define PALAVER_REQUEST_H

#include "span.h"

#define REQUEST_HEAD_MAX 8192 /* bytes, from the first to the blank line */

#define REQUEST_BAD 400
#define REQUEST_TOO_LONG 431
#define REQUEST_VERSION 505

/* The fields that we look at. */
enum request_field {
	REQUEST_CONNECTION,
	REQUEST_CONTENT_LENGTH,
	REQUEST_HOST,
	REQUEST_ORIGIN,
	REQUEST_WS_KEY,
	REQUEST_WS_PROTOCOL,
	REQUEST_WS_VERSION,
	REQUEST_TRANSFER_ENCODING,
	REQUEST_UPGRADE,
	REQUEST_FORWARDED_FOR,
	REQUEST_FIELDS
};

struct request {
	struct span method;
	struct span path;    /* without the query */
	struct span version; /* HTTP/1.0, HTTP/1.1 ... */
	/* p is NULL when there is none. Lines of a list are joined by commas;
	 * of a target with an authority, that is the Host. */
	struct span field[REQUEST_FIELDS];
	char joined[REQUEST_HEAD_MAX];
};

/* Bytes of the head at the front of bytes; 0: it is not all there. seen: how
 * many of them were there when that was asked before. */
size_t request_end(struct span bytes, size_t seen);
/* Reads a head that is all there; what it gives is borrowed from it and r. 0,
 * or the HTTP status to refuse it with: REQUEST_BAD, REQUEST_VERSION. */
unsigned request_read(struct request *r, struct span head);
/* Whether a body follows. */
bool request_has_body(const struct request *r);

#endif
