/* SPDX-License-Identifier: MIT */
#include "parked.h"

#include <stdlib.h>

struct parked *
parked_new(const struct poll *poll, uint64_t id, uint64_t now)
{
	struct parked *q = calloc(1, sizeof(*q) +
	    poll->n * sizeof(q->links[0]));

	if (q == NULL)
		return NULL;
	q->id = id;
	q->until = now + poll->wait;
	uuid_to_bytes(poll->user, q->user);
	uuid_to_bytes(poll->session, q->session);
	uuid_to_bytes(poll->id, q->poll);
	memcpy(q->key_hash, poll->key_hash, sizeof(q->key_hash));
	return q;
}

void
parked_read(const struct parked *q, struct poll *poll, uint64_t now)
{
	uuid_from_bytes(q->user, poll->user);
	uuid_from_bytes(q->session, poll->session);
	uuid_from_bytes(q->poll, poll->id);
	memcpy(poll->key_hash, q->key_hash, sizeof(poll->key_hash));
	poll->wait = q->until > now ? (unsigned)(q->until - now) : 1;
	poll->n = q->nlinks;
	for (size_t i = 0; i < q->nlinks; i++) {
		const struct topic_link *l = &q->links[i];
		struct poll_scope *s = &poll->scopes[i];

		memcpy(s->scope.text, l->topic->text, l->topic->name.n + 1u);
		topic_epoch_text(l->epoch, s->place.epoch);
		s->place.seq = l->seq;
	}
}

/* False: not all is kept, or there are more than most, or no memory. */
static bool
gather(const struct topic *t, const struct poll *poll, struct place *place,
    struct harvest *h, size_t most)
{
	if (!topic_reaches(t, topic_epoch(span_of(place->epoch)), place->seq))
		return false;
	for (; place->seq < t->last; place->seq++) {
		struct span event = topic_at(t, place->seq + 1), *grown;

		if (!poll_wants(poll, event))
			continue;
		if (h->n == most)
			return false;
		if (h->n == h->room) {
			grown = realloc(h->v, (h->room + TOPIC_EVENTS) *
			    sizeof(*grown));
			if (grown == NULL)
				return false;
			h->v = grown;
			h->room += TOPIC_EVENTS;
		}
		h->v[h->n++] = event;
	}
	return true;
}

bool
parked_gather(const struct parked *q, struct poll *poll, struct harvest *h,
    size_t most)
{
	h->n = 0;
	for (size_t i = 0; i < poll->n; i++) {
		if (gather(q->links[i].topic, poll, &poll->scopes[i].place, h,
		    most))
			continue;
		for (i = 0; i < poll->n; i++)
			poll->scopes[i].place.seq = q->links[i].seq;
		return false;
	}
	return true;
}

/* ---- where they stand ---- */

static struct parked **
bucket_of(struct lot *l, uint64_t id)
{
	return &l->buckets[id & (LOT_BUCKETS - 1)];
}

static struct parked **
slot_of(struct lot *l, const struct parked *q)
{
	return &l->slots[q->until / LOT_SLOT % LOT_SLOTS];
}

void
lot_init(struct lot *l, uint64_t now)
{
	l->past = now / LOT_SLOT;
}

void
lot_add(struct lot *l, struct parked *q)
{
	struct parked **bucket = bucket_of(l, q->id), **slot = slot_of(l, q);

	q->bucket = *bucket;
	*bucket = q;
	q->next = *slot;
	if (q->next != NULL)
		q->next->prev = q;
	*slot = q;
	l->count++;
}

void
lot_remove(struct lot *l, struct parked *q)
{
	struct parked **at = bucket_of(l, q->id);

	lot_clear_due(l, q);
	while (*at != q)
		at = &(*at)->bucket;
	*at = q->bucket;
	if (q->prev != NULL)
		q->prev->next = q->next;
	else
		*slot_of(l, q) = q->next;
	if (q->next != NULL)
		q->next->prev = q->prev;
	l->count--;
}

struct parked *
lot_find(struct lot *l, uint64_t id)
{
	struct parked *q = *bucket_of(l, id);

	while (q != NULL && q->id != id)
		q = q->bucket;
	return q;
}

struct parked *
lot_overdue(struct lot *l, uint64_t now)
{
	if (l->count == 0)
		l->past = now / LOT_SLOT;
	for (; l->past < now / LOT_SLOT; l->past++)
		if (l->slots[l->past % LOT_SLOTS] != NULL)
			return l->slots[l->past % LOT_SLOTS];
	return NULL;
}

/* ---- news ---- */

void
lot_set_due(struct lot *l, struct parked *q, uint64_t at)
{
	q->due = at;
	q->due_next = NULL;
	q->due_prev = l->due_last;
	if (l->due_last != NULL)
		l->due_last->due_next = q;
	else
		l->due_first = q;
	l->due_last = q;
}

void
lot_clear_due(struct lot *l, struct parked *q)
{
	if (q->due == 0)
		return;
	if (q->due_prev != NULL)
		q->due_prev->due_next = q->due_next;
	else
		l->due_first = q->due_next;
	if (q->due_next != NULL)
		q->due_next->due_prev = q->due_prev;
	else
		l->due_last = q->due_prev;
	q->due = 0;
}
