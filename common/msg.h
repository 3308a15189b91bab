/* SPDX-License-Identifier: MIT */
/* The codec of incoming messages: one JSON object, bounded in size, depth and
 * validity (RFC 8259; UTF-8 by RFC 3629). The only file that knows json-c. */
#ifndef PALAVER_MSG_H
#define PALAVER_MSG_H

#include <stdint.h>

#include "buf.h"
#include "error.h"
#include "span.h"

struct msg; /* a parsed message; owns all that its spans point to */

enum field {      /* what a look-up found */
	FIELD_ABSENT, /* missing or null */
	FIELD_OK,
	FIELD_WRONG   /* another kind */
};

/* Parses text. ERR_TOO_LARGE above LIMIT_FRAME bytes; ERR_FORM when it is no
 * object, is nested deeper than LIMIT_DEPTH, has bytes behind the object,
 * invalid UTF-8 or an escaped NUL or lone surrogate, or "type"/"id" that are
 * no strings (id at most LIMIT_ID bytes). "type" may be absent: then
 * default_type is taken (NULL: ERR_FORM). ERR_FIELD when the payload is of a
 * wrong kind (missing, null, "", [] and {} are an empty payload): id and type
 * could be read then. On another error *out may still be non-NULL when at
 * least the id could be read: it then serves msg_id only. Free with msg_free
 * either way. */
enum error msg_parse(struct span text, const char *default_type,
    struct msg **out);
/* Builds a message of type with an empty payload (for GET); NULL: no memory. */
struct msg *msg_new(const char *type);
/* Adds a string member to the payload; false without memory. */
bool msg_set(struct msg *m, struct span name, struct span value);
void msg_free(struct msg *m);

struct span msg_type(const struct msg *m);
/* p is NULL when no id was given. */
struct span msg_id(const struct msg *m);
/* A string at the top level (sessionUUID, accessKey, ...). */
enum field msg_top_string(const struct msg *m, const char *name,
    struct span *out);
/* Members of the payload. msg_int also reads a string of digits, as a query
 * parameter gives it; msg_bool likewise "true", "false", "1" and "0". */
enum field msg_string(const struct msg *m, const char *name, struct span *out);
enum field msg_int(const struct msg *m, const char *name, int64_t *out);
/* A string, or an array of strings: appends them, joined by commas. */
enum field msg_strings(const struct msg *m, const char *name,
    struct buf *out);
enum field msg_bool(const struct msg *m, const char *name, bool *out);

#endif
