/* SPDX-License-Identifier: MIT */
/* A line of sessions, whoever has been in it longest first, and the bytes that
 * all of them hold together. */
#ifndef PALAVER_LINE_H
#define PALAVER_LINE_H

#include <stddef.h>
#include <stdint.h>

struct session;

/* One's place in a line; zeroed it is in none. */
struct line_place {
	struct session *session;      /* NULL: in no line */
	struct line_place *prev, *next;
	uint64_t since;               /* ms */
	size_t bytes;
};

/* Zero-initialised it is empty and valid. */
struct line {
	struct line_place *first, *last;
	size_t bytes;
};

/* To its end; p must be in no line. since: see clock_ms. */
void line_append(struct line *l, struct line_place *p, struct session *s,
    uint64_t since);
/* p, which is in the line, holds that many bytes from now on. */
void line_set_bytes(struct line *l, struct line_place *p, size_t bytes);
/* p must be in that line; it is zeroed. */
void line_remove(struct line *l, struct line_place *p);

#endif
