/* SPDX-License-Identifier: MIT */
/* The frames of one client (RFC 6455, section 5): fed with bytes as they come,
 * gives messages and control frames; and the head of a frame to it. No I/O.
 * What is wrong is noticed as soon as a header says so, and it is broken for
 * good then. */
#ifndef PALAVER_FRAMES_H
#define PALAVER_FRAMES_H

#include <stdint.h>

#include "buf.h"
#include "ws_close.h"

#define FRAMES_HEAD_MAX 14 /* bytes: two, the length, the mask */
#define FRAMES_TEXT_HEAD_MAX 10 /* bytes, to a client: no mask */
#define FRAMES_CONTROL_MAX 125 /* bytes of a control frame (section 5.5) */

enum frames_event {
	FRAMES_MORE,   /* all bytes are taken */
	FRAMES_TEXT,   /* a whole message, UTF-8 */
	FRAMES_BINARY,
	FRAMES_CLOSE,
	FRAMES_PING,
	FRAMES_PONG,
	FRAMES_EMPTY,  /* a fragment of a message with nothing in it */
	FRAMES_BROKEN  /* see broken */
};

struct frames_fault {
	enum ws_close code;
	const char *reason;
};

/* Zero-initialised it is valid. */
struct frames {
	struct buf bytes;  /* of a message in pieces, then those of a control
			    * frame amid it */
	uint32_t message;  /* bytes of the message among them */
	uint32_t left;     /* bytes of this frame's payload still to come */
	const struct frames_fault *broken; /* or NULL */
	unsigned char head[FRAMES_HEAD_MAX];
	uint8_t have, need; /* bytes of head; need 0: none of it yet */
	uint8_t phase;     /* byte of the mask that comes next */
	uint8_t kind;      /* opcode of the message under way, or 0 */
	bool payload;      /* the head is complete */
	uint8_t given;     /* opcode of what was given last, or 0 */
};

/* Takes bytes off the front of *in, *n of them, up to the next event; they are
 * unmasked where they are. *payload is borrowed until the next call. Call it
 * until FRAMES_MORE, which also gives memory back; then with what came next. */
enum frames_event frames_next(struct frames *f, char **in, size_t *n,
    struct span *payload);
void frames_clear(struct frames *f);
/* Writes the header of a text frame of n bytes to a client; returns its
 * length. */
size_t frames_text_head(unsigned char out[FRAMES_TEXT_HEAD_MAX], size_t n);

#endif
