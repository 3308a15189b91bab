/* SPDX-License-Identifier: MIT */
#include "link_body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "resp.h"

/* The line "NAME:VALUE" of INFO. */
static const char *
info_line(const char *info, const char *name)
{
	const char *at = strstr(info, name);

	return at == NULL ? NULL : at + strlen(name);
}

static void
read_info(struct link *l, const redisReply *r)
{
	const char *version, *run_id;

	snprintf(l->node, sizeof(l->node), "00000000");
	l->version = 6;
	if (r->type != REDIS_REPLY_STRING) {
		if (!l->info_told)
			log_info("redis: INFO is refused: a restart of Redis"
			    " will not be noticed");
		l->info_told = true;
		return;
	}
	version = info_line(r->str, "redis_version:");
	run_id = info_line(r->str, "run_id:");
	if (version != NULL)
		l->version = atoi(version);
	if (run_id != NULL && strlen(run_id) >= LINK_NODE_LEN)
		snprintf(l->node, sizeof(l->node), "%.*s", LINK_NODE_LEN,
		    run_id);
}

/* A Redis with a bound on its memory may evict what we keep there. */
static void
read_memory(struct link *l, const redisReply *r)
{
	const char *most = NULL, *policy = NULL;

	*l->eviction = '\0';
	if (r->type == REDIS_REPLY_STRING) {
		most = info_line(r->str, "maxmemory:");
		policy = info_line(r->str, "maxmemory_policy:");
	}
	if (most == NULL || *most == '0' || policy == NULL ||
	    strncmp(policy, "noeviction", 10) == 0)
		return;
	snprintf(l->eviction, sizeof(l->eviction), "%.*s",
	    (int)strspn(policy, "abcdefghijklmnopqrstuvwxyz-"), policy);
	if (!l->eviction_told)
		log_info("redis: maxmemory-policy %s may take away messages"
		    " and users; noeviction never does", l->eviction);
	l->eviction_told = true;
}

/* Whether an error of the greeting is one that it can do without: a name is not
 * taken. A Redis that is full says so before it reads anything. */
static bool
forgiven(const struct link *l, const redisReply *r)
{
	return l->greetings == (l->for_commands ? 2 : 0) &&
	    strstr(r->str, "max number of clients") == NULL;
}

bool
link_greeted(struct link *l, const redisReply *r)
{
	bool last = --l->greetings == 0;

	if (last && l->for_commands) {
		if (r->type == REDIS_REPLY_ERROR &&
		    strncmp(r->str, "LOADING", 7) == 0)
			return false;
		read_info(l, r);
	} else if (l->for_commands && l->greetings == 1) {
		read_memory(l, r);
	} else if (r->type == REDIS_REPLY_ERROR && !forgiven(l, r)) {
		/* Redis repeats the arguments of a command that it does not
		 * know, so those of AUTH too. */
		const char *args = strstr(r->str, ", with args");

		if (!l->failing || !l->warned)
			log_error("redis: refused: %.*s", args == NULL ? 200 :
			    (int)(args - r->str), r->str);
		l->warned = true;
		return false;
	}
	if (!last)
		return true;
	uv_timer_stop(&l->timer);
	l->backoff = LINK_BACKOFF_FIRST;
	l->failing = l->warned = false;
	link_set_state(l, LINK_READY);
	log_info("redis: connected for %s",
	    l->for_commands ? "commands" : "events");
	l->handler.on_ready(l->handler.arg);
	return true;
}

void
link_greet(struct link *l)
{
	const struct redis_address *a = &l->conf->redis;
	struct buf *b = &l->out;

	l->greetings = 1;
	if (a->password != NULL) {
		resp_begin(b, a->user != NULL ? 3 : 2);
		resp_word(b, SPAN("AUTH"));
		if (a->user != NULL)
			resp_word(b, span_of(a->user));
		resp_word(b, span_of(a->password));
		l->greetings++;
	}
	if (l->for_commands && a->db != 0) {
		char db[16];

		snprintf(db, sizeof(db), "%d", a->db);
		resp_begin(b, 2);
		resp_word(b, SPAN("SELECT"));
		resp_word(b, span_of(db));
		l->greetings++;
	}
	if (l->for_commands) {
		resp_begin(b, 3);
		resp_word(b, SPAN("CLIENT"));
		resp_word(b, SPAN("SETNAME"));
		resp_word(b, SPAN("palaver"));
		resp_begin(b, 2);
		resp_word(b, SPAN("INFO"));
		resp_word(b, SPAN("memory"));
		resp_begin(b, 2);
		resp_word(b, SPAN("INFO"));
		resp_word(b, SPAN("server"));
		l->greetings += 2;
	} else {
		resp_begin(b, 3);
		resp_word(b, SPAN("CLIENT"));
		resp_word(b, SPAN("SETNAME"));
		resp_word(b, SPAN("palaver-feed"));
	}
	link_set_state(l, LINK_GREETING);
}
