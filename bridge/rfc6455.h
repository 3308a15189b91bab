/* SPDX-License-Identifier: MIT */
/* What RFC 6455 wants of a handshake, and of who is sent a close frame; the
 * frames themselves are in frames.h. No I/O. */
#ifndef PALAVER_RFC6455_H
#define PALAVER_RFC6455_H

#include "span.h"

/* A request to upgrade (section 4.2.1); what is missing is empty. */
struct handshake {
	bool get;               /* the method is GET */
	struct span http;       /* version: HTTP/1.1 */
	struct span host;
	struct span upgrade;
	struct span connection;
	struct span key;        /* Sec-WebSocket-Key */
	struct span version;    /* Sec-WebSocket-Version */
};

#define HANDSHAKE_BAD 400
#define HANDSHAKE_METHOD 405
#define HANDSHAKE_UPGRADE 426 /* no upgrade to WebSocket, or to another
			       * version than 13 */

/* The HTTP status to refuse it with, or 0. */
unsigned rfc6455_handshake(const struct handshake *h);
/* The code to answer a peer's close frame with (sections 5.5.1 and 7.4): its
 * own; 1002 for a code that must not be sent or a payload of one byte; 1007
 * for a reason that is not UTF-8; 0, an empty frame, for an empty one. */
unsigned rfc6455_close(struct span payload);

#endif
