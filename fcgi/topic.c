/* SPDX-License-Identifier: MIT */
#include "topic.h"

#include <stdio.h>
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

	t->bytes -= e->n;
	free((char *)(uintptr_t)e->p);
	*e = (struct span){ NULL, 0 };
}

void
topic_reset(struct topic *t, const char *epoch, uint64_t seq)
{
	while (t->events != NULL && t->first <= t->last)
		drop_oldest(t);
	snprintf(t->epoch, sizeof(t->epoch), "%s", epoch);
	t->first = seq + 1;
	t->last = seq;
}

void
topic_clear(struct topic *t)
{
	topic_reset(t, "", 0);
	free(t->events);
	t->events = NULL;
}

bool
topic_add(struct topic *t, struct span epoch, uint64_t seq, struct span event)
{
	char text[EPOCH_MAX];
	char *copy;

	if (epoch.n == 0 || epoch.n >= sizeof(text) || seq == 0)
		return false;
	memcpy(text, epoch.p, epoch.n);
	text[epoch.n] = '\0';
	if (strcmp(text, t->epoch) == 0 && seq <= t->last)
		return false;
	if (strcmp(text, t->epoch) != 0 || seq != t->last + 1)
		topic_reset(t, text, seq - 1);
	if (t->events == NULL)
		t->events = calloc(TOPIC_EVENTS, sizeof(*t->events));
	copy = malloc(event.n + 1);
	if (t->events == NULL || copy == NULL) {
		free(copy);
		topic_reset(t, text, seq);
		return false;
	}
	memcpy(copy, event.p, event.n);
	while (t->first <= t->last && (t->last - t->first + 1 >= TOPIC_EVENTS ||
	    t->bytes + event.n > TOPIC_BYTES))
		drop_oldest(t);
	*slot(t, ++t->last) = (struct span){ copy, event.n };
	t->bytes += event.n;
	return true;
}

bool
topic_reaches(const struct topic *t, const struct place *p)
{
	return strcmp(t->epoch, p->epoch) == 0 && p->seq + 1 >= t->first;
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
