/* SPDX-License-Identifier: MIT */
/* One connection to Redis: who may come in, and that no secret is logged. */
#include "link.h"

#include <stdlib.h>
#include <string.h>

#include "redis.h"
#include "tap.h"

static struct link *link_to;
static int ready, replies, lost;
static char reply[64];

static void
on_ready(void *arg)
{
	(void)arg;
	ready++;
}

static void
on_reply(void *arg, const struct redisReply *r)
{
	(void)arg;
	replies++;
	snprintf(reply, sizeof(reply), "%.*s", (int)r->len,
	    r->str == NULL ? "" : r->str);
}

static void
on_lost(void *arg)
{
	(void)arg;
	lost++;
}

static void
begin(void)
{
	struct link_handler h = { on_ready, on_reply, on_lost, NULL };

	ready = lost = 0;
	link_to = link_new(&loop, &conf, true, &h);
}

/* Sends the words and gives what came back. */
static const char *
say(const char *one, const char *two)
{
	int before = replies;

	resp_begin(link_out(link_to), 2);
	resp_word(link_out(link_to), span_of(one));
	resp_word(link_out(link_to), span_of(two));
	return until(&replies, before + 1, PATIENCE) ? reply : "";
}

static void
end(void)
{
	link_free(link_to);
	turn(50);
}

static void
test_narrow_user(void)
{
	ok(CLI("ACL", "SETUSER", "limited", "on", ">" SECRET, "~*", "&*",
	    "+@all", "-info") && CLI("-n", "3", "SET", "where", "third"),
	    "a user who may not INFO");
	conf.redis.user = (char[]){ "limited" };
	conf.redis.password = (char[]){ SECRET };
	conf.redis.db = 3;
	capture();
	begin();
	ok(until(&ready, 1, PATIENCE) && strcmp(link_node(link_to),
	    "00000000") == 0, "has no node, but works");
	ok(strcmp(say("GET", "where"), "third") == 0, "in the database named");
	CLI("CLIENT", "KILL", "TYPE", "normal");
	ok(until(&lost, 1, PATIENCE) && until(&ready, 2, PATIENCE) &&
	    strcmp(say("GET", "where"), "third") == 0, "and comes back");
	end();
	conf.redis.password = (char[]){ SECRET "!" };
	begin();
	ok(until(&lost, 2, PATIENCE) && ready == 0 && link_failing(link_to),
	    "a wrong password does not, time and again");
	end();
	ok(!captured(SECRET), "and is not logged");
	conf.redis.user = conf.redis.password = NULL;
	conf.redis.db = 0;
}

static void
test_tcp(void)
{
	char *path = conf.redis.path;

	conf.redis.path = NULL;
	conf.redis.host = (char[]){ "localhost" };
	conf.redis.port = redis_port;
	begin();
	ok(until(&ready, 1, PATIENCE) && strcmp(say("ECHO", "x"), "x") == 0 &&
	    strcmp(link_node(link_to), "00000000") != 0,
	    "TCP, a host's name, and who may INFO has a node");
	end();
	conf.redis.host = NULL;
	conf.redis.path = path;
}

static void
test_without_auth(void)
{
	redis_kill();
	ok(redis_start(true), "a Redis without AUTH");
	conf.redis.password = (char[]){ SECRET };
	capture();
	begin();
	until(&lost, 1, PATIENCE);
	end();
	ok(!captured(SECRET), "whose complaint is not logged as it is");
	conf.redis.password = NULL;
}

int
main(void)
{
	redis_begin();
	test_narrow_user();
	test_tcp();
	test_without_auth();
	ok(redis_end(), "nothing is left on the loop");
	return tap_end();
}
