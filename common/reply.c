/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 16384 /* bytes that are kept; a larger reply has more pieces */

#if HIREDIS_MAJOR >= 1
typedef size_t count;
#else
typedef int count;
#endif

struct piece {
	struct piece *next;
	size_t size, used;
	alignas(max_align_t) char bytes[];
};

struct reply_room {
	struct piece *pieces; /* the newest first; the last is for good */
};

static struct piece *
piece_new(size_t size, struct piece *next)
{
	struct piece *p = malloc(sizeof(*p) + size);

	if (p == NULL)
		return NULL;
	p->next = next;
	p->size = size;
	p->used = 0;
	return p;
}

static void *
take(struct reply_room *room, size_t n)
{
	struct piece *p = room->pieces;
	char *at;

	n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (p->size - p->used < n) {
		p = piece_new(n > PIECE ? n : PIECE, p);
		if (p == NULL)
			return NULL;
		room->pieces = p;
	}
	at = p->bytes + p->used;
	p->used += n;
	return at;
}

/* ---- what the reader calls ---- */

static redisReply *
object(const redisReadTask *task, size_t more)
{
	struct reply_room *room = task->privdata;
	redisReply *r = take(room, sizeof(*r) + more);

	if (r == NULL)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->type = task->type;
	if (task->parent != NULL)
		((redisReply *)task->parent->obj)->element[task->idx] = r;
	return r;
}

static void *
create_string(const redisReadTask *task, char *text, size_t n)
{
	redisReply *r = object(task, n + 1);

	if (r == NULL)
		return NULL;
	r->str = (char *)(r + 1);
	r->len = n;
	memcpy(r->str, text, n);
	r->str[n] = '\0';
	return r;
}

static void *
create_array(const redisReadTask *task, count n)
{
	redisReply *r = object(task, (size_t)n * sizeof(redisReply *));

	if (r == NULL)
		return NULL;
	r->element = (redisReply **)(void *)(r + 1);
	r->elements = (size_t)n;
	return r;
}

static void *
create_integer(const redisReadTask *task, long long value)
{
	redisReply *r = object(task, 0);

	if (r != NULL)
		r->integer = value;
	return r;
}

static void *
create_nil(const redisReadTask *task)
{
	redisReply *r = object(task, 0);

	if (r != NULL)
		r->type = REDIS_REPLY_NIL; /* the task's is that of a word */
	return r;
}

/* Its room has it. */
static void
free_object(void *object)
{
	(void)object;
}

redisReader *
reply_reader(struct reply_room *room)
{
	static redisReplyObjectFunctions functions = {
		.createString = create_string,
		.createArray = create_array,
		.createInteger = create_integer,
		.createNil = create_nil,
		.freeObject = free_object,
	};
	redisReader *reader = redisReaderCreateWithFunctions(&functions);

	if (reader != NULL)
		reader->privdata = room;
	return reader;
}

/* ---- life ---- */

struct reply_room *
reply_room_new(void)
{
	struct reply_room *room = malloc(sizeof(*room));

	if (room == NULL)
		return NULL;
	room->pieces = piece_new(PIECE, NULL);
	if (room->pieces == NULL) {
		free(room);
		return NULL;
	}
	return room;
}

void
reply_done(struct reply_room *room)
{
	struct piece *p;

	while ((p = room->pieces)->next != NULL) {
		room->pieces = p->next;
		free(p);
	}
	p->used = 0;
}

void
reply_room_free(struct reply_room *room)
{
	if (room == NULL)
		return;
	reply_done(room);
	free(room->pieces);
	free(room);
}
