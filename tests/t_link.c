/* SPDX-License-Identifier: MIT */
/* One connection to Redis: who may come in, and that no secret is logged. */
#include "link.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "redis.h"
#include "resp.h"
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
begin_for(bool commands)
{
	struct link_handler h = { on_ready, on_reply, on_lost, NULL };

	ready = lost = 0;
	link_to = link_new(&loop, &conf, commands, &h);
}

static void
begin(void)
{
	begin_for(true);
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
	ok(CLI("ACL", "SETUSER", "limited", "on", ">" SECRET, "~*",
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

/* One connection too many gets an error, which is not that to its name. */
static void
test_full(bool commands)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	static const char *const room[] = { "CONFIG", "SET", "maxclients",
		"1000" };
	int before = replies;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", conf.redis.path);
	ok(CLI("CONFIG", "SET", "maxclients", "1") &&
	    connect(other, (struct sockaddr *)&sa, sizeof(sa)) == 0,
	    "a Redis with all the clients that it takes");
	capture();
	begin_for(commands);
	ok(until(&lost, 2, PATIENCE) && ready == 0 && link_failing(link_to),
	    "takes no connection more, time and again");
	close(other);
	ok(until(&ready, 1, PATIENCE), "but when there is room");
	resp_begin(link_out(link_to), 4);
	for (int i = 0; i < 4; i++)
		resp_word(link_out(link_to), span_of(room[i]));
	ok(until(&replies, before + 1, PATIENCE) && strcmp(reply, "OK") == 0,
	    "which there is for all again");
	end();
	ok(captured("max number of clients"), "and the log says why");
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
	test_full(true);
	test_full(false);
	test_without_auth();
	ok(redis_end(), "nothing is left on the loop");
	return tap_end();
}
