/* SPDX-License-Identifier: MIT */
/* What the bridge answers over HTTP, to a request that does not become a
 * WebSocket. The connection ends behind it: what followed a request that we
 * do not take is nobody's. No I/O. */
#ifndef PALAVER_ANSWER_H
#define PALAVER_ANSWER_H

#include "buf.h"

#define ANSWER_OK 200
#define ANSWER_FORBIDDEN 403
#define ANSWER_NOT_FOUND 404
#define ANSWER_FULL 503 /* or not healthy */

/* Appends the answer with that status, which is one of those above, of
 * request.h or of rfc6455.h, and that body; without the body for HEAD. */
void answer_write(struct buf *out, unsigned status, const char *type,
    const char *body, bool head);

#endif
