/* SPDX-License-Identifier: MIT */
#include "conf.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static struct conf c;

static enum conf_result
load(const char *a, const char *b)
{
	char one[256], two[256];
	char name[] = "t", *argv[] = { name, one, two, NULL };

	snprintf(one, sizeof(one), "%s", a == NULL ? "" : a);
	snprintf(two, sizeof(two), "%s", b == NULL ? "" : b);
	conf_clear(&c);
	return conf_load(&c, "t", "usage", a == NULL ? 1 : b == NULL ? 2 : 3,
	    argv);
}

int
main(void)
{
	ok(load(NULL, NULL) == CONF_RUN, "defaults");
	ok(strcmp(c.prefix, "palaver:") == 0 && c.redis.port == 6379 &&
	    c.socket_mode == 0660 && c.sign_up, "are what they are");
	ok(load("--redis=redis://u:p%40ss@h:1/2", NULL) == CONF_RUN &&
	    strcmp(c.redis.user, "u") == 0 &&
	    strcmp(c.redis.password, "p@ss") == 0 &&
	    strcmp(c.redis.host, "h") == 0 && c.redis.port == 1 &&
	    c.redis.db == 2, "a whole address");
	ok(load("--redis=unix:/a/b?db=3", NULL) == CONF_RUN &&
	    strcmp(c.redis.path, "/a/b") == 0 && c.redis.db == 3,
	    "a unix socket");
	ok(load("--redis=rediss://h", NULL) == CONF_BAD, "TLS is refused");
	ok(load("--redis", "http://h") == CONF_BAD, "another scheme");
	ok(load("--message_rate=5/2", "--history=7") == CONF_RUN &&
	    c.message_rate.count == 5 && c.message_rate.seconds == 2 &&
	    c.history == 7, "rate and number");
	ok(load("--message_rate=0", NULL) == CONF_RUN &&
	    c.message_rate.count == 0, "no rate");
	ok(load("--message_rate=5", NULL) == CONF_BAD, "half a rate");
	ok(load("--history=0", NULL) == CONF_BAD, "below the bound");
	ok(load("--nosuch=1", NULL) == CONF_BAD, "an unknown flag");
	ok(load("--prefix=a b", NULL) == CONF_BAD, "a bad prefix");
	ok(load("--password_cost=much", NULL) == CONF_BAD, "a bad choice");
	setenv("PALAVER_HISTORY", "55", 1);
	ok(load(NULL, NULL) == CONF_RUN && c.history == 55, "environment");
	ok(load("--history=66", NULL) == CONF_RUN && c.history == 66,
	    "a flag wins over it");
	setenv("REDIS_ADDRESS", "example:7000", 1);
	setenv("REDIS_PASSWORD", "secret", 1);
	ok(load(NULL, NULL) == CONF_RUN && c.redis.port == 7000 &&
	    strcmp(c.redis.password, "secret") == 0, "REDIS_ADDRESS");
	setenv("REDIS_URL", "redis://other:7001", 1);
	ok(load(NULL, NULL) == CONF_RUN && c.redis.port == 7001 &&
	    c.redis.password == NULL, "REDIS_URL");
	ok(load("--check", NULL) == CONF_DONE, "check");
	ok(load("--config=/nosuch/file", NULL) == CONF_BAD, "no file");
	conf_clear(&c);
	return tap_end();
}
