/* SPDX-License-Identifier: MIT */
#include "hashing.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#define NICE 10        /* hashing yields to everything else */

struct job {
	struct job *next;
	char owner[HASHING_OWNER_MAX];
	unsigned turn; /* how many of its owner's wait before it */
	char *password;
	size_t length;
	char hash[HASH_LEN]; /* to verify against, or the new one */
	bool verify;
	bool ok;
	hashing_cb *cb;
	void *arg;
};

struct list {
	struct job *first, **last;
};

struct hashing {
	enum password_cost cost;
	uv_mutex_t lock;
	uv_cond_t work;
	uv_async_t wake;
	struct list waiting, done; /* under lock */
	unsigned nwaiting;
	bool stopping;
	unsigned nthreads;
	uv_thread_t threads[HASHING_THREADS_MAX];
};

static void
list_init(struct list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void
list_add(struct list *l, struct job *j)
{
	j->next = NULL;
	*l->last = j;
	l->last = &j->next;
}

/* Puts a job behind all whose turn comes before its own. False: its owner has
 * too many waiting. */
static bool
list_queue(struct list *l, struct job *j)
{
	struct job **at = &l->first, **end = at;

	j->turn = 0;
	for (struct job *i = l->first; i != NULL && *j->owner != '\0';
	    i = i->next)
		j->turn += strcmp(i->owner, j->owner) == 0;
	if (j->turn >= HASHING_OWN_MAX)
		return false;
	for (; *at != NULL; at = &(*at)->next)
		if ((*at)->turn <= j->turn)
			end = &(*at)->next;
	j->next = *end;
	*end = j;
	if (j->next == NULL)
		l->last = &j->next;
	return true;
}

/* The owner's next one moves up. */
static void
list_move_up(struct list *l, const char *owner)
{
	for (struct job *i = l->first; i != NULL; i = i->next)
		if (*owner != '\0' && strcmp(i->owner, owner) == 0)
			i->turn--;
}

static struct job *
list_take(struct list *l)
{
	struct job *j = l->first;

	if (j != NULL) {
		l->first = j->next;
		if (l->first == NULL)
			l->last = &l->first;
	}
	return j;
}

static void
job_free(struct job *j)
{
	if (j->password != NULL)
		sodium_memzero(j->password, j->length);
	free(j->password);
	sodium_memzero(j, sizeof(*j));
	free(j);
}

static void
work(struct job *j, enum password_cost cost)
{
	static const struct {
		unsigned long long operations;
		size_t memory;
	} costs[] = {
		[COST_MINIMAL] = { crypto_pwhash_argon2id_OPSLIMIT_MIN,
		    crypto_pwhash_argon2id_MEMLIMIT_MIN },
		[COST_INTERACTIVE] = {
		    crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE,
		    crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE },
		[COST_MODERATE] = { crypto_pwhash_argon2id_OPSLIMIT_MODERATE,
		    crypto_pwhash_argon2id_MEMLIMIT_MODERATE },
		[COST_SENSITIVE] = { crypto_pwhash_argon2id_OPSLIMIT_SENSITIVE,
		    crypto_pwhash_argon2id_MEMLIMIT_SENSITIVE },
	};

	if (j->verify)
		j->ok = crypto_pwhash_str_verify(j->hash, j->password,
		    j->length) == 0;
	else
		j->ok = crypto_pwhash_argon2id_str(j->hash, j->password,
		    j->length, costs[cost].operations,
		    costs[cost].memory) == 0;
}

static void
thread(void *arg)
{
	struct hashing *h = arg;
	struct job *j;

	/* On Linux a nice value belongs to a thread. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	uv_mutex_lock(&h->lock);
	for (;;) {
		while (!h->stopping && h->waiting.first == NULL)
			uv_cond_wait(&h->work, &h->lock);
		if (h->stopping)
			break;
		j = list_take(&h->waiting);
		list_move_up(&h->waiting, j->owner);
		h->nwaiting--;
		uv_mutex_unlock(&h->lock);
		work(j, h->cost);
		uv_mutex_lock(&h->lock);
		list_add(&h->done, j);
		uv_async_send(&h->wake);
	}
	uv_mutex_unlock(&h->lock);
}

static void
on_wake(uv_async_t *handle)
{
	struct hashing *h = handle->data;
	struct job *j;

	for (;;) {
		uv_mutex_lock(&h->lock);
		j = list_take(&h->done);
		uv_mutex_unlock(&h->lock);
		if (j == NULL)
			return;
		j->cb(j->arg, j->ok, j->verify ? NULL : j->hash);
		job_free(j);
	}
}

bool
hashing_run(struct hashing *h, const char *owner, struct span password,
    const char *against, hashing_cb *cb, void *arg)
{
	struct job *j = calloc(1, sizeof(*j));
	bool taken;

	if (j == NULL)
		return false;
	j->password = malloc(password.n + 1);
	if (j->password == NULL) {
		free(j);
		return false;
	}
	memcpy(j->password, password.p, password.n);
	j->length = password.n;
	j->verify = against != NULL;
	if (against != NULL)
		snprintf(j->hash, sizeof(j->hash), "%s", against);
	snprintf(j->owner, sizeof(j->owner), "%s", owner);
	j->cb = cb;
	j->arg = arg;
	uv_mutex_lock(&h->lock);
	taken = h->nwaiting < HASHING_QUEUE_MAX && list_queue(&h->waiting, j);
	if (taken) {
		h->nwaiting++;
		uv_cond_signal(&h->work);
	}
	uv_mutex_unlock(&h->lock);
	if (!taken)
		job_free(j);
	return taken;
}

struct hashing *
hashing_new(uv_loop_t *loop, enum password_cost cost)
{
	struct hashing *h = calloc(1, sizeof(*h));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned wanted = cores < 4 ? 1 : cores / 2 > HASHING_THREADS_MAX ?
	    HASHING_THREADS_MAX : (unsigned)cores / 2;

	if (h == NULL)
		return NULL;
	if (sodium_init() < 0) {
		log_error("libsodium does not start");
		free(h);
		return NULL;
	}
	h->cost = cost;
	list_init(&h->waiting);
	list_init(&h->done);
	uv_mutex_init(&h->lock);
	uv_cond_init(&h->work);
	uv_async_init(loop, &h->wake, on_wake);
	h->wake.data = h;
	while (h->nthreads < wanted && uv_thread_create(
	    &h->threads[h->nthreads], thread, h) == 0)
		h->nthreads++;
	if (h->nthreads == 0) {
		log_error("cannot make a thread for hashing");
		hashing_free(h);
		return NULL;
	}
	return h;
}

static void
closed(uv_handle_t *handle)
{
	struct hashing *h = handle->data;

	uv_cond_destroy(&h->work);
	uv_mutex_destroy(&h->lock);
	free(h);
}

void
hashing_free(struct hashing *h)
{
	struct job *j;

	if (h == NULL)
		return;
	uv_mutex_lock(&h->lock);
	h->stopping = true;
	uv_cond_broadcast(&h->work);
	uv_mutex_unlock(&h->lock);
	for (unsigned i = 0; i < h->nthreads; i++)
		uv_thread_join(&h->threads[i]);
	while ((j = list_take(&h->waiting)) != NULL ||
	    (j = list_take(&h->done)) != NULL)
		job_free(j);
	uv_close((uv_handle_t *)&h->wake, closed);
}
