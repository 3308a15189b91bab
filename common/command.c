/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>

#define WORDS_MAX 16

/* The words of text without the cursor; 0 when there are too many. */
static size_t
split(struct span text, struct span v[WORDS_MAX])
{
	const char *at = text.p, *end = text.p + text.n, *line;
	size_t n = 0;

	while ((line = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		if (n == WORDS_MAX)
			return 0;
		v[n++] = (struct span){ at, (size_t)(line - at) };
		at = line + 1;
	}
	return n;
}

static bool
read_attach(struct command *c, const struct span *v, size_t n)
{
	struct effect *e = &c->effect;

	if (n < 1 || v[0].n != KEY_HASH_LEN)
		return false;
	snprintf(e->key_hash, sizeof(e->key_hash), "%.*s", KEY_HASH_LEN,
	    v[0].p);
	c->attach = true;
	return op_authorized(v + 1, n - 1, c->session, "",
	    (struct span){ NULL, 0 }, &c->reply, &c->own, e);
}

static bool
read_channel(struct effect *e, struct span text)
{
	if (text.n == 0 || text.n >= sizeof(e->channel.text))
		return false;
	snprintf(e->channel.text, sizeof(e->channel.text), "%.*s",
	    (int)text.n, text.p);
	return true;
}

static bool
read_join(struct command *c, const struct span *v, size_t n)
{
	struct effect *e = &c->effect;

	e->kind = EFFECT_JOINED;
	if (n != 8 || !op_read_ends(v[7], &c->ends, e))
		return false;
	buf_span(&c->own, v[6]);
	return uuid_read(v[0], e->user) && read_channel(e, v[1]) &&
	    op_read_place(v[2], v[3], &e->places[0]) &&
	    op_read_place(v[4], v[5], &e->places[1]);
}

static bool
read_leave(struct command *c, const struct span *v, size_t n)
{
	c->effect.kind = EFFECT_LEFT;
	return n == 3 && uuid_read(v[0], c->effect.user) &&
	    read_channel(&c->effect, v[1]) &&
	    op_read_ends(v[2], &c->ends, &c->effect);
}

static bool
read_out(struct command *c, const struct span *v, size_t n)
{
	c->effect.kind = EFFECT_SIGNED_OUT;
	return n == 2 && uuid_read(v[0], c->effect.user) &&
	    op_read_ends(v[1], &c->ends, &c->effect);
}

static bool
read_key(struct command *c, const struct span *v, size_t n)
{
	struct effect *e = &c->effect;
	char ms[24];

	e->kind = EFFECT_KEY;
	if (n != 3 || !uuid_read(v[0], e->user) || v[1].n != KEY_HASH_LEN)
		return false;
	snprintf(e->key_hash, sizeof(e->key_hash), "%.*s", KEY_HASH_LEN,
	    v[1].p);
	snprintf(ms, sizeof(ms), "%.*s", (int)v[2].n, v[2].p);
	e->key_left = strtoull(ms, NULL, 10);
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct command *c, const struct span *v, size_t n);
} table[] = {
	{ "attach", read_attach },
	{ "join", read_join },
	{ "leave", read_leave },
	{ "out", read_out },
	{ "key", read_key },
};

bool
command_read(struct command *c, struct span text)
{
	struct span v[WORDS_MAX];
	size_t n = split(text, v);

	*c = (struct command){ 0 };
	if (n < 2 || !uuid_read(v[1], c->session))
		return false;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (span_is(v[0], table[i].name))
			return table[i].read(c, v + 2, n - 2) &&
			    !c->reply.oom && !c->own.oom && !c->ends.oom;
	return false;
}

void
command_clear(struct command *c)
{
	buf_clear(&c->reply);
	buf_clear(&c->own);
	buf_clear(&c->ends);
}
