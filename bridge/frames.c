/* SPDX-License-Identifier: MIT */
#include "frames.h"

#include "limit.h"
#include "utf8.h"

enum opcode {
	CONTINUATION = 0,
	TEXT = 1,
	BINARY = 2,
	CLOSE = 8,
	PING = 9,
	PONG = 10
};

#define FIN 0x80
#define RESERVED 0x70
#define MASKED 0x80
#define MASK 4             /* bytes */
#define LENGTH_16 126      /* the length follows in two bytes */
#define LENGTH_64 127      /* in eight */
#define CONTROL 8          /* the bit of an opcode */

static const struct frames_fault
	reserved = { WS_PROTOCOL, "reserved bit" },
	unknown = { WS_PROTOCOL, "unknown opcode" },
	unmasked = { WS_PROTOCOL, "not masked" },
	control = { WS_PROTOCOL, "control frame in fragments or too long" },
	no_message = { WS_PROTOCOL, "continuation of nothing" },
	amid = { WS_PROTOCOL, "message amid a message" },
	length = { WS_PROTOCOL, "length not in its shortest form" },
	too_big = { WS_TOO_BIG, "message too big" },
	not_utf8 = { WS_BAD_TEXT, "not UTF-8" },
	no_memory = { WS_FULL, "out of memory" };

static unsigned
opcode(const struct frames *f)
{
	return f->head[0] & 15;
}

static bool
is_final(const struct frames *f)
{
	return (f->head[0] & FIN) != 0;
}

/* The first two bytes (section 5.2), which also say how long the head is. */
static const struct frames_fault *
start_fault(const struct frames *f)
{
	unsigned n = f->head[1] & 127;

	if (f->head[0] & RESERVED)
		return &reserved;
	switch (opcode(f)) {
	case CONTINUATION:
		if (f->kind == 0)
			return &no_message;
		break;
	case TEXT:
	case BINARY:
		if (f->kind != 0)
			return &amid;
		break;
	case CLOSE:
	case PING:
	case PONG:
		if (!is_final(f) || n > FRAMES_CONTROL_MAX)
			return &control;
		break;
	default:
		return &unknown;
	}
	return f->head[1] & MASKED ? NULL : &unmasked;
}

static uint64_t
read_length(const struct frames *f)
{
	unsigned n = f->head[1] & 127;
	unsigned bytes = n == LENGTH_64 ? 8 : n == LENGTH_16 ? 2 : 0;
	uint64_t out = bytes == 0 ? n : 0;

	for (unsigned i = 0; i < bytes; i++)
		out = out << 8 | f->head[2 + i];
	return out;
}

/* The highest bit of 64 must be 0 (section 5.2). */
static const struct frames_fault *
length_fault(const struct frames *f, uint64_t n)
{
	if ((f->need == 8 && n < LENGTH_16) ||
	    (f->need == 14 && (n <= UINT16_MAX || n >> 63 != 0)))
		return &length;
	if (!(opcode(f) & CONTROL) && n > LIMIT_FRAME - f->message)
		return &too_big;
	return NULL;
}

/* Takes bytes of a head. False: it is not complete, or broken. */
static bool
take_head(struct frames *f, char **in, size_t *n)
{
	uint64_t size;
	unsigned seven;

	while (f->have < 2 || f->have < f->need) {
		if (*n == 0)
			return false;
		f->head[f->have++] = (unsigned char)*(*in)++;
		(*n)--;
		if (f->have != 2)
			continue;
		f->broken = start_fault(f);
		if (f->broken != NULL)
			return false;
		seven = f->head[1] & 127;
		f->need = seven == LENGTH_64 ? 14 : seven == LENGTH_16 ? 8 : 6;
	}
	size = read_length(f);
	f->broken = length_fault(f, size);
	if (f->broken != NULL)
		return false;
	f->left = (uint32_t)size;
	f->phase = 0;
	f->payload = true;
	if (opcode(f) == TEXT || opcode(f) == BINARY)
		f->kind = (uint8_t)opcode(f);
	return true;
}

/* Section 5.3, eight bytes at once. to may be from. */
static void
unmask(struct frames *f, char *to, const char *from, size_t n)
{
	const unsigned char *mask = f->head + f->need - MASK;
	unsigned char key[8];
	uint64_t key8, word;
	size_t i = 0;

	for (unsigned k = 0; k < 8; k++)
		key[k] = mask[(f->phase + k) % MASK];
	memcpy(&key8, key, 8);
	for (; n - i >= 8; i += 8) {
		memcpy(&word, from + i, 8);
		word ^= key8;
		memcpy(to + i, &word, 8);
	}
	for (; i < n; i++)
		to[i] = (char)((unsigned char)from[i] ^ key[i % 8]);
	f->phase = (uint8_t)((f->phase + n) % MASK);
}

/* Takes bytes of a payload. Whether it is complete; *whole is then what it
 * carries together with the fragments before. What came in one piece is not
 * copied. */
static bool
take_payload(struct frames *f, char **in, size_t *n, struct span *whole)
{
	size_t before = opcode(f) & CONTROL ? f->message : 0;
	size_t piece = *n < f->left ? *n : f->left;
	char *to = *in;

	if (piece < f->left || f->bytes.n > before || !is_final(f)) {
		to = buf_room(&f->bytes, piece);
		if (to == NULL) {
			f->broken = &no_memory;
			return false;
		}
	}
	unmask(f, to, *in, piece);
	*whole = (struct span){ to, piece };
	if (to != *in) {
		f->bytes.n += piece;
		if (!(opcode(f) & CONTROL))
			f->message += (uint32_t)piece;
		*whole = (struct span){ f->bytes.p + before,
			f->bytes.n - before };
	}
	*in += piece;
	*n -= piece;
	f->left -= (uint32_t)piece;
	return f->left == 0;
}

/* The payload of what was given is no longer needed. */
static void
let_go(struct frames *f)
{
	if (f->given & CONTROL)
		f->bytes.n = f->message;
	else if (f->given != 0)
		f->message = 0;
	if (f->given != 0 && f->message == 0)
		buf_clear(&f->bytes);
	f->given = 0;
}

static enum frames_event
give(struct frames *f, struct span payload)
{
	f->given = opcode(f) & CONTROL ? (uint8_t)opcode(f) : f->kind;
	switch (f->given) {
	case CLOSE:
		return FRAMES_CLOSE;
	case PING:
		return FRAMES_PING;
	case PONG:
		return FRAMES_PONG;
	case BINARY:
		f->kind = 0;
		return FRAMES_BINARY;
	default:
		f->kind = 0;
		if (utf8_encoded(payload))
			return FRAMES_TEXT;
		f->broken = &not_utf8;
		return FRAMES_BROKEN;
	}
}

enum frames_event
frames_next(struct frames *f, char **in, size_t *n, struct span *payload)
{
	*payload = (struct span){ NULL, 0 };
	let_go(f);
	while (f->broken == NULL) {
		if (!f->payload && !take_head(f, in, n))
			break;
		if (f->left > 0 && *n == 0)
			return FRAMES_MORE;
		if (!take_payload(f, in, n, payload))
			continue;
		f->payload = false;
		f->have = 0;
		if (is_final(f))
			return give(f, *payload);
		*payload = (struct span){ NULL, 0 };
		if ((f->head[1] & 127) == 0)
			return FRAMES_EMPTY;
	}
	return f->broken != NULL ? FRAMES_BROKEN : FRAMES_MORE;
}

void
frames_clear(struct frames *f)
{
	buf_clear(&f->bytes);
	*f = (struct frames){ 0 };
}

size_t
frames_text_head(unsigned char out[FRAMES_TEXT_HEAD_MAX], size_t n)
{
	out[0] = 0x81; /* FIN, text (RFC 6455, section 5.2) */
	if (n < 126) {
		out[1] = (unsigned char)n;
		return 2;
	}
	if (n < 65536) {
		out[1] = 126;
		out[2] = (unsigned char)(n >> 8);
		out[3] = (unsigned char)n;
		return 4;
	}
	out[1] = 127;
	for (int i = 0; i < 8; i++)
		out[2 + i] = (unsigned char)((uint64_t)n >> (56 - 8 * i));
	return 10;
}
