/* SPDX-License-Identifier: MIT */
#include "park.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "parked.h"
#include "topics.h"

#define TICK 250        /* ms between looks at the deadlines */
#define COALESCE 20     /* ms that news waits for more of it */
#define FORGET_TICKS 20 /* between looks at idle topics */

/* A parked poll's life, always out of the park before its callback:
 *
 *   add --> WAITING --news--> DUE --COALESCE--> events, or again
 *             |  |
 *             |  +--its time, a newer poll--> over
 *             +--a subscription acknowledged too late--> again
 */
struct park {
	const struct conf *conf;
	park_cb *cb;
	struct topics *topics;
	struct lot lot;
	size_t most;
	uv_timer_t tick, due;
	struct harvest events;          /* scratch */
	unsigned ticks;
	int handles;
	bool stopping;
};

/* ---- the end of a poll ---- */

static void
unlink_poll(struct parked *q)
{
	lot_remove(&q->park->lot, q);
	for (size_t i = 0; i < q->nlinks; i++) {
		struct topic *t = q->links[i].topic;

		topic_unlink(&q->links[i]);
		if (t->nlinks == 0)
			t->idle_since = clock_ms();
	}
}

/* Takes the poll out and tells why. News that is none for it, such as what
 * speaks to the programs only, moves its places and lets it wait on. */
static void
end_poll(struct parked *q, enum park_end why)
{
	struct park *p = q->park;
	struct poll poll = { .scopes = calloc(q->nlinks + 1,
	    sizeof(*poll.scopes)) };
	size_t n = 0;

	if (poll.scopes == NULL) {
		log_error("out of memory: a poll is ended");
		why = PARK_OVER;
	} else {
		parked_read(q, &poll, clock_ms());
	}
	if (why == PARK_EVENTS) {
		if (parked_gather(q, &poll, &p->events,
		    p->conf->messages_most))
			n = p->events.n;
		else
			why = PARK_AGAIN;
	}
	if (why == PARK_EVENTS && n == 0) {
		lot_clear_due(&p->lot, q);
		for (size_t i = 0; i < poll.n; i++)
			q->links[i].seq = poll.scopes[i].place.seq;
	} else {
		unlink_poll(q);
		p->cb(q->who, why, &poll, p->events.v, n);
		free(q);
	}
	poll_clear(&poll);
}

/* ---- news ---- */

static void
on_due(uv_timer_t *timer)
{
	struct park *p = timer->data;
	uint64_t now = clock_ms();

	while (p->lot.due_first != NULL && p->lot.due_first->due <= now)
		end_poll(p->lot.due_first, PARK_EVENTS);
	if (p->lot.due_first != NULL)
		uv_timer_start(&p->due, on_due, p->lot.due_first->due - now,
		    0);
}

/* There is news for q: it waits a little for more. */
static void
set_due(struct parked *q)
{
	struct park *p = q->park;

	if (q->due != 0 || q->unacked != 0)
		return;
	lot_set_due(&p->lot, q, clock_ms() + COALESCE);
	if (!uv_is_active((uv_handle_t *)&p->due))
		uv_timer_start(&p->due, on_due, COALESCE, 0);
}

/* Whether the topic has something behind the place, or another epoch. */
static bool
is_news(const struct topic_link *l)
{
	return l->topic->epoch != l->epoch || l->topic->last > l->seq;
}

static void
wake(struct topic *t)
{
	for (struct topic_link *l = t->links; l != NULL; l = l->next)
		if (is_news(l))
			set_due(l->poll);
}

static void
on_news(void *arg, struct topic *t)
{
	(void)arg;
	wake(t);
}

/* Ends the poll that has this id of its own among those that follow t. */
static void
end_named(struct topic *t, const char *poll)
{
	struct topic_link *l = t->links;
	unsigned char wanted[UUID_BYTES];

	uuid_to_bytes(poll, wanted);
	while (l != NULL && memcmp(l->poll->poll, wanted, UUID_BYTES) != 0)
		l = l->next;
	if (l != NULL)
		end_poll(l->poll, PARK_OVER);
}

/* A newer poll of its session, or a join or leave, ends the one that waits. */
static void
on_ended(void *arg, struct topic *t, struct span id)
{
	char poll[UUID_LEN + 1];

	(void)arg;
	if (uuid_read(id, poll))
		end_named(t, poll);
}

static void
on_stands(void *arg, struct topic *t)
{
	struct topic_link *l, *next;

	(void)arg;
	for (l = t->links; l != NULL; l = next) {
		next = l->next;
		if (--l->poll->unacked == 0)
			end_poll(l->poll, PARK_AGAIN);
	}
}

static void
on_lost(void *arg, struct topic *t)
{
	struct park *p = arg;

	for (struct topic_link *l = t->links; l != NULL; l = l->next) {
		l->poll->unacked++;
		lot_clear_due(&p->lot, l->poll);
	}
}

/* ---- parking ---- */

static void
on_tick(uv_timer_t *timer)
{
	struct park *p = timer->data;
	uint64_t now = clock_ms();
	struct parked *q;

	while ((q = lot_overdue(&p->lot, now)) != NULL)
		end_poll(q, PARK_OVER);
	if (++p->ticks % FORGET_TICKS == 0)
		topics_forget(p->topics, now);
}

/* Where nothing was missed, the log has just told the topic's end. False: what
 * the topic has is of another epoch than what the log told before it. */
static bool
agree(const struct topic_link *l, bool again)
{
	struct topic *t = l->topic;

	if (t->epoch == l->epoch)
		return true;
	if (t->epoch != 0 && !again)
		return false;
	topic_reset(t, l->epoch, l->seq);
	wake(t);
	return true;
}

/* Links q to its topics; stale: one of them may have missed something. */
static bool
follow(struct parked *q, const struct poll *poll, uint64_t ticket,
    bool again, bool *stale)
{
	for (size_t i = 0; i < poll->n; i++) {
		const struct poll_scope *s = &poll->scopes[i];
		struct topic *t = topics_get(q->park->topics,
		    s->scope.text);
		struct topic_link *l = &q->links[q->nlinks];

		if (t == NULL)
			return false;
		l->poll = q;
		l->epoch = topic_epoch(span_of(s->place.epoch));
		l->seq = s->place.seq;
		topic_link(t, l);
		q->nlinks++;
		if (!t->acked)
			q->unacked++;
		else if (ticket < t->since || !agree(l, again))
			*stale = true;
	}
	return true;
}

bool
park_add(struct park *p, uint64_t id, void *who, const struct poll *poll,
    uint64_t ticket, bool again)
{
	struct scope user = scope_user(poll->user);
	struct topic *t = topics_find(p->topics, user.text);
	struct parked *q;
	bool stale = false;

	if (p->stopping) {
		p->cb(who, PARK_OVER, poll, NULL, 0);
		return true;
	}
	if (p->lot.count >= p->most ||
	    (t != NULL && t->nlinks >= p->conf->user_polls))
		return false;
	q = parked_new(poll, id, clock_ms());
	if (q == NULL)
		return false;
	q->park = p;
	q->who = who;
	lot_add(&p->lot, q);
	if (!follow(q, poll, ticket, again, &stale)) {
		unlink_poll(q);
		free(q);
		return false;
	}
	if (q->unacked != 0)
		return true; /* asks again when all stand */
	if (stale) {
		end_poll(q, PARK_AGAIN);
		return true;
	}
	for (size_t i = 0; i < q->nlinks; i++)
		if (is_news(&q->links[i]))
			set_due(q);
	return true;
}

void
park_end(struct park *p, const char *user, const char *poll)
{
	struct scope scope = scope_user(user);
	struct topic *t = topics_find(p->topics, scope.text);

	if (t != NULL)
		end_named(t, poll);
}

void *
park_remove(struct park *p, uint64_t id)
{
	struct parked *q = lot_find(&p->lot, id);
	void *who;

	if (q == NULL)
		return NULL;
	who = q->who;
	unlink_poll(q);
	free(q);
	return who;
}

uint64_t
park_ticket(const struct park *p)
{
	return topics_ticket(p->topics);
}

void
park_stop(struct park *p)
{
	struct parked *q;

	p->stopping = true;
	while ((q = lot_overdue(&p->lot, UINT64_MAX)) != NULL)
		end_poll(q, PARK_OVER);
}

void
park_bound(struct park *p, size_t most)
{
	p->most = most;
}

size_t
park_count(const struct park *p)
{
	return p->lot.count;
}

/* ---- life ---- */

struct park *
park_new(uv_loop_t *loop, const struct conf *c, park_cb *cb)
{
	struct park *p = calloc(1, sizeof(*p));
	struct topics_handler h = { on_news, on_ended, on_stands, on_lost, p };

	if (p == NULL)
		return NULL;
	p->conf = c;
	p->cb = cb;
	p->most = SIZE_MAX;
	lot_init(&p->lot, clock_ms());
	p->topics = topics_new(loop, c, &h);
	if (p->topics == NULL) {
		free(p);
		return NULL;
	}
	uv_timer_init(loop, &p->tick);
	uv_timer_init(loop, &p->due);
	p->tick.data = p->due.data = p;
	uv_timer_start(&p->tick, on_tick, TICK, TICK);
	p->handles = 2;
	return p;
}

static void
closed(uv_handle_t *handle)
{
	struct park *p = handle->data;

	if (--p->handles == 0)
		free(p);
}

void
park_free(struct park *p)
{
	struct parked *q;

	if (p == NULL)
		return;
	while ((q = lot_overdue(&p->lot, UINT64_MAX)) != NULL)
		park_remove(p, q->id);
	topics_free(p->topics);
	free(p->events.v);
	uv_close((uv_handle_t *)&p->tick, closed);
	uv_close((uv_handle_t *)&p->due, closed);
}
