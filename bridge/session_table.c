/* SPDX-License-Identifier: MIT */
/* The living sessions, by number and by UUID. */
#include "session_body.h"

#include <stdlib.h>

/* Our UUIDs are random: any of their digits will do. */
static struct session **
uuid_bucket(struct sessions *t, const char *uuid)
{
	char digits[] = { uuid[0], uuid[1], uuid[2], uuid[3], '\0' };

	return &t->by_uuid[strtoul(digits, NULL, 16) % BUCKETS];
}

struct session *
session_find(struct sessions *t, uint64_t id)
{
	struct session *s = t->bucket[id % BUCKETS];

	while (s != NULL && s->id != id)
		s = s->hash_next;
	return s;
}

struct session *
session_find_uuid(struct sessions *t, const char *uuid)
{
	struct session *s = *uuid_bucket(t, uuid);

	while (s != NULL && strcmp(s->uuid, uuid) != 0)
		s = s->uuid_next;
	return s;
}

void
session_link(struct session *s)
{
	struct sessions *t = s->table;
	struct session **at = &t->bucket[s->id % BUCKETS];

	s->next = t->all;
	if (s->next != NULL)
		s->next->prev = s;
	t->all = s;
	s->hash_next = *at;
	*at = s;
	at = uuid_bucket(t, s->uuid);
	s->uuid_next = *at;
	*at = s;
	t->count++;
}

void
session_unlink(struct session *s)
{
	struct sessions *t = s->table;
	struct session **at = &t->bucket[s->id % BUCKETS];

	while (*at != s)
		at = &(*at)->hash_next;
	*at = s->hash_next;
	at = uuid_bucket(t, s->uuid);
	while (*at != s)
		at = &(*at)->uuid_next;
	*at = s->uuid_next;
	if (s->prev != NULL)
		s->prev->next = s->next;
	else
		t->all = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	t->count--;
}
