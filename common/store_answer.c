/* SPDX-License-Identifier: MIT */
/* What a script's reply says. */
#include "store_body.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

#include "log.h"

#define NUMBER 24 /* bytes of an integer's text at most */

bool
store_flatten(struct store *s, const redisReply *r, struct answer *a)
{
	char text[NUMBER];

	if (r->type == REDIS_REPLY_ARRAY) {
		for (size_t i = 0; i < r->elements; i++)
			if (!store_flatten(s, r->element[i], a))
				return false;
		return true;
	}
	if (a->n == ANSWER_MAX)
		return false;
	switch (r->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
		s->words[a->n++] = (struct span){ r->str, (size_t)r->len };
		return true;
	case REDIS_REPLY_NIL:
		s->words[a->n++] = SPAN("");
		return true;
	case REDIS_REPLY_INTEGER:
		snprintf(text, sizeof(text), "%lld", r->integer);
		if (s->numbers.cap == 0 &&
		    buf_room(&s->numbers, ANSWER_MAX * NUMBER) == NULL)
			return false;
		s->words[a->n++] = (struct span){
			s->numbers.p + s->numbers.n, strlen(text) };
		/* With its NUL, as hiredis gives strings. */
		buf_add(&s->numbers, text, strlen(text) + 1);
		return true;
	default:
		return false;
	}
}

static bool
says(const char *error, const char *const *words)
{
	char within[32];

	for (; *words != NULL; words++) {
		snprintf(within, sizeof(within), ": -%s ", *words);
		if (strncmp(error, *words, strlen(*words)) == 0 ||
		    strstr(error, within) != NULL)
			return true;
	}
	return false;
}

/* Of an error reply. It begins with Redis' word; Redis 6 puts that of a command
 * inside a script behind the place in the script. */
enum store_status
store_judge(const struct store_call *c, const char *error, bool *drop)
{
	static const char *const elsewhere[] = { "READONLY", "MASTERDOWN",
		"LOADING", "NOAUTH", "CLUSTERDOWN", NULL };
	static const char *const away[] = { "OOM", "NOREPLICAS", "MISCONF",
		"BUSY", NULL };

	*drop = says(error, elsewhere);
	if (*drop || says(error, away) ||
	    strstr(error, "used memory > 'maxmemory'") != NULL) {
		log_warn("redis: %.200s", error);
		return STORE_AWAY;
	}
	log_error("script %s: %.400s", script_texts[c->script].name, error);
	return STORE_FAULT;
}
