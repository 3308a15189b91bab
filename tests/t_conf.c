/* SPDX-License-Identifier: MIT */
#include "conf.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Loads a file of that text. */
static enum conf_result
load_file(const char *text, const char *flag)
{
	char path[] = "/tmp/palaver-t_conf.XXXXXX", config[64];
	int fd = mkstemp(path);
	enum conf_result r = CONF_BAD;

	if (fd < 0)
		return r;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text)) {
		snprintf(config, sizeof(config), "--config=%s", path);
		r = load(config, flag);
	}
	close(fd);
	unlink(path);
	return r;
}

int
main(void)
{
	static const char *const ours[] = { "PALAVER_REDIS", "PALAVER_HISTORY",
		"PALAVER_PREFIX", "PALAVER_PASSWORD_COST",
		"PALAVER_SOCKET_MODE", "REDIS_URL", "REDIS_ADDRESS",
		"REDIS_PASSWORD" };
	char big[5000];

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		unsetenv(ours[i]);
	ok(load(NULL, NULL) == CONF_RUN, "defaults");
	ok(c.key_life == 30 * 86400, "a key lives 30 days");
	ok(load("--key_life=12h", NULL) == CONF_RUN && c.key_life == 43200 &&
	    load("--key_life=15m", NULL) == CONF_RUN && c.key_life == 900 &&
	    load("--key_life=90s", NULL) == CONF_RUN && c.key_life == 90 &&
	    load("--key_life=7", NULL) == CONF_RUN && c.key_life == 7 &&
	    load("--key_life=3650d", NULL) == CONF_RUN, "or as long as told");
	ok(load("--key_life=0", NULL) == CONF_BAD &&
	    load("--key_life=", NULL) == CONF_BAD &&
	    load("--key_life=d", NULL) == CONF_BAD &&
	    load("--key_life=1w", NULL) == CONF_BAD &&
	    load("--key_life=1dd", NULL) == CONF_BAD &&
	    load("--key_life=-1", NULL) == CONF_BAD &&
	    load("--key_life=3651d", NULL) == CONF_BAD &&
	    load("--key_life=99999999999", NULL) == CONF_BAD,
	    "but no other way");
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
	ok(load("--redis=redis://[::1]:7/", NULL) == CONF_RUN &&
	    strcmp(c.redis.host, "::1") == 0 && c.redis.port == 7,
	    "an IPv6 address");
	ok(load("--redis=redis://::1", NULL) == CONF_BAD, "not in brackets");
	ok(load("--redis=redis://u:a%00b@h", NULL) == CONF_BAD,
	    "a NUL in the password");
	ok(load("--redis=redis://h:65536", NULL) == CONF_BAD &&
	    load("--redis=redis://h/x", NULL) == CONF_BAD &&
	    load("--redis=unix:rel", NULL) == CONF_BAD, "bad addresses");
	ok(load("--redis=rediss://h", NULL) == CONF_BAD, "TLS is refused");
	ok(load("--redis", "http://h") == CONF_BAD, "another scheme");
	ok(load("--message_rate=5/2", "--history=7") == CONF_RUN &&
	    c.message_rate.count == 5 && c.message_rate.seconds == 2 &&
	    c.history == 7, "rate and number");
	ok(load("--message_rate=0", NULL) == CONF_RUN &&
	    c.message_rate.count == 0, "no rate");
	ok(load("--message_rate=5", NULL) == CONF_BAD, "half a rate");
	ok(load("--history=0", NULL) == CONF_BAD, "below the bound");
	ok(load("--message_bytes=32768", "--messages_most=200") == CONF_RUN &&
	    c.message_bytes == 32768 && c.messages_most == 200 &&
	    c.message_length == 4096 && c.users_most == 1000, "limits");
	ok(load("--message_bytes=32769", NULL) == CONF_BAD &&
	    load("--messages_most=201", NULL) == CONF_BAD &&
	    load("--messages_most=99", NULL) == CONF_BAD &&
	    load("--users_most=999", NULL) == CONF_BAD &&
	    load("--users_most=5001", NULL) == CONF_BAD &&
	    load("--password_least=7", NULL) == CONF_BAD &&
	    load("--name_length=0", NULL) == CONF_BAD, "within bounds");
	ok(load("--poll_wait=56", NULL) == CONF_BAD &&
	    load("--poll_wait_most=24", NULL) == CONF_BAD &&
	    load("--poll_wait=56", "--poll_wait_most=56") == CONF_RUN,
	    "a wait within the longest");
	ok(load("--nosuch=1", NULL) == CONF_BAD, "an unknown flag");
	ok(load("--prefix=a b", NULL) == CONF_BAD, "a bad prefix");
	ok(load("--password_cost=much", NULL) == CONF_BAD, "a bad choice");
	ok(load("--config", NULL) == CONF_BAD &&
	    load("--history", NULL) == CONF_BAD, "flags without a value");
	ok(load("", NULL) == CONF_BAD && load("-", NULL) == CONF_BAD &&
	    load("x", NULL) == CONF_BAD, "no flags");
	ok(load("--listen=", NULL) == CONF_RUN && c.listen == NULL,
	    "an empty value is none");
	ok(load_file("# a\n\n history = 44 \r\norigins = a=b", NULL) ==
	    CONF_RUN && c.history == 44 && strcmp(c.origins, "a=b") == 0,
	    "a file");
	ok(load_file("history = 44\n", "--history=66") == CONF_RUN &&
	    c.history == 66, "a flag wins over it");
	ok(load_file("nosuch = 1\n", NULL) == CONF_BAD, "an unknown setting");
	ok(load_file("history\n", NULL) == CONF_BAD, "no equals sign");
	memset(big, ' ', sizeof(big));
	strcpy(big + sizeof(big) - 13, "history = 9\n");
	memcpy(big, "prefix = p", 10);
	ok(load_file(big, NULL) == CONF_BAD, "too long a line");
	setenv("PALAVER_HISTORY", "55", 1);
	ok(load_file("history = 44\n", NULL) == CONF_RUN && c.history == 55,
	    "the environment wins over the file");
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
	setenv("REDIS_URL", "rediss://other", 1);
	setenv("PALAVER_REDIS", "redis://third", 1);
	ok(load(NULL, NULL) == CONF_RUN && c.redis.port == 6379 &&
	    strcmp(c.redis.host, "third") == 0 && c.redis.password == NULL,
	    "PALAVER_REDIS wins over them");
	ok(load("--check", NULL) == CONF_DONE, "check");
	ok(load("--config=/nosuch/file", NULL) == CONF_BAD, "no file");
	setenv("PALAVER_CONFIG", "/nosuch/file", 1);
	ok(load(NULL, NULL) == CONF_BAD, "PALAVER_CONFIG names one as well");
	conf_clear(&c);
	return tap_end();
}
