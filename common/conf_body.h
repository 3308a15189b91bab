/* SPDX-License-Identifier: MIT */
/* What the files of the configuration share: conf.c (where settings come from,
 * and in which order), conf_table.c (which there are), conf_value.c (what a
 * value may be), conf_redis.c (an address of Redis). For those files only; others see
 * conf.h. */
#ifndef PALAVER_CONF_BODY_H
#define PALAVER_CONF_BODY_H

#include <stddef.h>

#include "conf.h"

#define DAY 86400u /* s */

enum kind {
	KIND_TEXT,
	KIND_SWITCH,
	KIND_NUMBER,
	KIND_DURATION,
	KIND_OCTAL,
	KIND_RATE,
	KIND_CHOICE,
	KIND_PEERS,
	KIND_REDIS
};

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *preset;  /* NULL: not set */
	unsigned low, high;  /* of a number; of a duration in s */
	const char *choices; /* by blanks */
	const char *help;
};

/* ---- conf_table.c ---- */

extern const struct setting conf_table[];
extern const size_t conf_settings; /* of them */

/* NULL: there is none of that name. */
const struct setting *conf_find(const char *name, size_t n);

/* ---- conf_value.c ---- */

/* NULL, or what is wrong with the value, valid until the next call. */
const char *conf_set(struct conf *c, const struct setting *s,
    const char *value);
/* Whether s is a number to that base from low to high, and nothing else. */
bool conf_number(const char *s, int base, unsigned low, unsigned high,
    unsigned *out);

/* ---- conf_redis.c ---- */

/* redis://[user:password@]host:port[/db] or unix:/path[?db=N]. NULL, or what
 * is wrong with it; what was there before is gone. */
const char *conf_redis(struct redis_address *r, const char *s);
/* host[:port], an IPv6 address in brackets: n bytes. NULL, or what is wrong. */
const char *conf_host_port(struct redis_address *r, const char *s, size_t n);
/* Frees and wipes. */
void conf_redis_clear(struct redis_address *r);
void conf_wipe(char **secret);

#endif
