/* SPDX-License-Identifier: MIT */
#include "params.h"

#include <stdlib.h>

/* A length is one byte, or four when its first bit is set. */
static bool
read_length(struct span *s, size_t *out)
{
	const unsigned char *p = (const unsigned char *)s->p;
	size_t n = s->n > 0 && p[0] >= 0x80 ? 4 : 1;

	if (s->n < n)
		return false;
	*out = n == 1 ? p[0] : (size_t)(p[0] & 0x7f) << 24 |
	    (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	s->p += n;
	s->n -= n;
	return true;
}

/* Takes the next pair off the front. False: it is none. */
static bool
read_pair(struct span *s, struct span *name, struct span *value)
{
	if (!read_length(s, &name->n) || !read_length(s, &value->n) ||
	    name->n > s->n || value->n > s->n - name->n)
		return false;
	name->p = s->p;
	value->p = s->p + name->n;
	s->p += name->n + value->n;
	s->n -= name->n + value->n;
	return true;
}

bool
params_whole(struct span pairs)
{
	struct span name, value;

	while (pairs.n > 0)
		if (!read_pair(&pairs, &name, &value))
			return false;
	return true;
}

char **
params_read(struct span pairs)
{
	struct span rest = pairs, name, value;
	size_t n = 0, bytes = 0;
	char **list, *at;

	for (; rest.n > 0; n++) {
		if (!read_pair(&rest, &name, &value))
			return NULL;
		bytes += name.n + value.n + 2; /* = and NUL */
	}
	list = malloc((n + 1) * sizeof(*list) + bytes);
	if (list == NULL)
		return NULL;
	at = (char *)(list + n + 1);
	for (n = 0, rest = pairs; rest.n > 0; n++) {
		read_pair(&rest, &name, &value);
		list[n] = at;
		memcpy(at, name.p, name.n);
		at += name.n;
		*at++ = '=';
		memcpy(at, value.p, value.n);
		at += value.n;
		*at++ = '\0';
	}
	list[n] = NULL;
	return list;
}

const char *
param(char *const *params, const char *name)
{
	size_t n = strlen(name);
	const char *last = NULL;

	for (; *params != NULL; params++)
		if (**params == *name && strncmp(*params, name, n) == 0 &&
		    (*params)[n] == '=')
			last = *params + n + 1;
	return last;
}
