/* SPDX-License-Identifier: MIT */
#include "topic.h"

#include <stdlib.h>

static struct span *
slot(const struct topic *t, uint64_t seq)
{
	return &t->events[seq % TOPIC_EVENTS];
}

static void
drop_oldest(struct topic *t)
{
	struct span *e = slot(t, t->first++);

	t->bytes -= (uint32_t)e->n;
	free((char *)(uintptr_t)e->p);
	*e = (struct span){ NULL, 0 };
}

uint64_t
topic_epoch(struct span text)
{
	uint64_t epoch = 0;

	if (text.n == 0 || text.n > 15 || *text.p == '0')
		return 0;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c >= '0' && c <= '9')
			epoch = epoch << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			epoch = epoch << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return epoch;
}

void
topic_epoch_text(uint64_t epoch, char out[EPOCH_MAX])
{
	static const char hex[] = "0123456789abcdef";
	size_t n = 1;

	while (n < 16 && epoch >> 4 * n != 0)
		n++;
	out[n] = '\0';
	while (n > 0) {
		out[--n] = hex[epoch & 15];
		epoch >>= 4;
	}
}

void
topic_reset(struct topic *t, uint64_t epoch, uint64_t seq)
{
	while (t->events != NULL && t->first <= t->last)
		drop_oldest(t);
	t->epoch = epoch;
	t->first = seq + 1;
	t->last = seq;
}

struct topic *
topic_new(const char *scope)
{
	size_t n = strlen(scope) + 1;
	struct topic *t = calloc(1, sizeof(*t) + n);

	if (t == NULL)
		return NULL;
	memcpy(t->text, scope, n);
	topic_reset(t, 0, 0);
	return t;
}

void
topic_free(struct topic *t)
{
	topic_reset(t, 0, 0);
	free(t->events);
	free(t);
}

bool
topic_add(struct topic *t, uint64_t epoch, uint64_t seq, struct span event)
{
	char *copy;

	if (epoch == 0 || seq == 0 || (epoch == t->epoch && seq <= t->last))
		return false;
	if (epoch != t->epoch || seq != t->last + 1)
		topic_reset(t, epoch, seq - 1);
	if (t->events == NULL)
		t->events = calloc(TOPIC_EVENTS, sizeof(*t->events));
	copy = malloc(event.n + 1);
	if (t->events == NULL || copy == NULL) {
		free(copy);
		topic_reset(t, epoch, seq);
		return false;
	}
	memcpy(copy, event.p, event.n);
	while (t->first <= t->last && (t->last - t->first + 1 >= TOPIC_EVENTS ||
	    t->bytes + event.n > TOPIC_BYTES))
		drop_oldest(t);
	*slot(t, ++t->last) = (struct span){ copy, event.n };
	t->bytes += (uint32_t)event.n;
	return true;
}

bool
topic_reaches(const struct topic *t, uint64_t epoch, uint64_t seq)
{
	return t->epoch == epoch && seq + 1 >= t->first;
}

struct span
topic_at(const struct topic *t, uint64_t seq)
{
	return *slot(t, seq);
}

void
topic_link(struct topic *t, struct topic_link *l)
{
	l->topic = t;
	l->prev = NULL;
	l->next = t->links;
	if (l->next != NULL)
		l->next->prev = l;
	t->links = l;
	t->nlinks++;
}

void
topic_unlink(struct topic_link *l)
{
	struct topic *t = l->topic;

	if (l->prev != NULL)
		l->prev->next = l->next;
	else
		t->links = l->next;
	if (l->next != NULL)
		l->next->prev = l->prev;
	t->nlinks--;
	l->topic = NULL;
}
