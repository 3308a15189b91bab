/* SPDX-License-Identifier: MIT */
/* The feed: subscriptions, across what can happen to a connection. */
#include "feed.h"

#include <signal.h>
#include <string.h>

#include "redis.h"
#include "tap.h"

static struct feed *feed;
static int subscribed, messages, lost;
static char last_channel[64], last_message[64];
static char first_again[64]; /* behind a loss; "": none yet */

static void
keep(char into[64], struct span s)
{
	snprintf(into, 64, "%.*s", (int)s.n, s.p);
}

static void
on_subscribed(void *arg, struct span channel)
{
	(void)arg;
	subscribed++;
	if (first_again[0] == '\0')
		keep(first_again, channel);
	keep(last_channel, channel);
}

static void
on_message(void *arg, struct span channel, struct span payload)
{
	(void)arg;
	messages++;
	keep(last_channel, channel);
	keep(last_message, payload);
}

static void
on_lost(void *arg)
{
	(void)arg;
	lost++;
	first_again[0] = '\0';
}

static bool
publish(const char *channel, const char *text)
{
	int before = messages;

	return CLI("PUBLISH", channel, text) &&
	    until(&messages, before + 1, 300);
}

static void
test_feed(void)
{
	struct feed_handler h = { on_subscribed, on_message, on_lost, NULL };
	char name[16];

	feed = feed_new(&loop, &conf, &h);
	ok(feed_subscribe(feed, SPAN("a")) && feed_subscribe(feed, SPAN("a")) &&
	    until(&subscribed, 1, PATIENCE) && strcmp(last_channel, "a") == 0,
	    "subscribed before the connection was up");
	ok(feed_ready(feed) && publish("a", "hello") &&
	    strcmp(last_message, "hello") == 0, "a message");
	feed_subscribe(feed, SPAN("b"));
	feed_unsubscribe(feed, SPAN("b"));
	feed_subscribe(feed, SPAN("b"));
	feed_unsubscribe(feed, SPAN("b"));
	feed_subscribe(feed, SPAN("b"));
	until(&subscribed, 2, PATIENCE);
	turn(50);
	ok(subscribed == 2 && publish("b", "still"),
	    "on, off, on: acknowledged once, and followed");
	feed_unsubscribe(feed, SPAN("b"));
	ok(!publish("b", "silence"), "off: no message");
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "c%d", i);
		feed_subscribe(feed, span_of(name));
	}
	ok(until(&subscribed, 1002, PATIENCE), "a thousand channels");
	ok(CLI("CLIENT", "KILL", "TYPE", "pubsub") &&
	    until(&subscribed, 2003, PATIENCE) && lost == 1,
	    "a lost connection: all acknowledged again, told once");
	ok(strcmp(first_again, "a") == 0, "what was followed first is so again");
	ok(publish("c999", "x") && !publish("b", "x"), "and only those");
	feed_reconnect(feed);
	ok(lost == 2 && !feed_ready(feed) &&
	    until(&subscribed, 3004, PATIENCE) && publish("a", "y"),
	    "dropped on demand");
	redis_kill();
	ok(until(&lost, 3, PATIENCE), "Redis is killed");
	turn(400);
	ok(lost == 3, "which is told once");
	feed_subscribe(feed, SPAN("d"));
	ok(redis_start(false) &&
	    until(&subscribed, 4006, PATIENCE) && publish("d", "z"),
	    "started again, all is followed again");
	kill(redis, SIGSTOP);
	ok(until(&lost, 4, 12000), "a frozen Redis is noticed by its silence");
	kill(redis, SIGCONT);
	ok(until(&subscribed, 5007, PATIENCE) && strcmp(first_again, "a") == 0,
	    "and followed again");
	feed_free(feed);
}

static void
test_refused(void)
{
	struct feed_handler h = { on_subscribed, on_message, on_lost, NULL };

	CLI("ACL", "SETUSER", "narrow", "on", ">" SECRET, "~*", "resetchannels",
	    "+@all");
	conf.redis.user = (char[]){ "narrow" };
	conf.redis.password = (char[]){ SECRET };
	capture();
	subscribed = 0;
	feed = feed_new(&loop, &conf, &h);
	feed_subscribe(feed, SPAN("a"));
	until(&subscribed, 1, 300);
	feed_free(feed);
	turn(50);
	ok(captured("NOPERM") && subscribed == 0,
	    "a refused subscription is logged");
	conf.redis.user = conf.redis.password = NULL;
}

int
main(void)
{
	redis_begin();
	test_feed();
	test_refused();
	ok(redis_end(), "nothing is left on the loop");
	return tap_end();
}
