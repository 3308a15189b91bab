/* SPDX-License-Identifier: MIT */
/* Store, feed and hashing against a Redis of its own, which is stopped, killed
 * and started again. Exits with 77 when there is no redis-server. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "feed.h"
#include "hashing.h"
#include "limit.h"
#include "store.h"
#include "tap.h"

/* Scripts of the test's own in the places of some of the real ones: linked
 * before the library, they stand in for its script_texts. */
#define LUA_ECHO "return ARGV"
#define LUA_MIXED "return {1, 'a', {2, {false, redis.status_reply('s')}}, -3}"
#define LUA_LONG "local t = {} for i = 1, tonumber(ARGV[2]) do" \
	" t[i] = 1000000 + i end return t"
#define LUA_ERROR "return redis.error_reply(ARGV[2])"
#define LUA_SIZE "return {string.rep('x', tonumber(ARGV[2]))}"
#define LUA_WORD "return 'no array'"
#define SHA_ECHO "7df5082628c0e020c2c6b3c5010c123c5a5a5f1c", \
	"4cf2342858f27cba86b2b790280b0ba54885a7d0"
#define SHA_MIXED "be082c1c014dd3819027cb499729bd02fc4f857c", \
	"ffa920b4aef144fa175a1c7cc34a5837fdb5a2de"
#define SHA_LONG "30c0628d687a33ce988f4d8bda09744f5e4cd3ae", \
	"88a691b6205a07b462c495ea1a72ca0c922d58a5"
#define SHA_ERROR "f71fc98e9b7e2ea18c8a81effbc40f39a8e39cb6", \
	"5ebb59931ca4038285e68e92a65a7b902f9f5953"
#define SHA_SIZE "2a675c43c0aed642d9fb2d95118102db1261c334", \
	"00e5c2ff54e9f8b11a77b307d5558a81072ca31b"
#define SHA_WORD "50548146f1470c9a927b69b0c3f437d04cf931cb", \
	"e8146350e06d060776503f340b3d7f8b35829347"
#define ROW(body, ...) { body, "#!lua\n" body, body, __VA_ARGS__ }

const struct script_text script_texts[SCRIPT_MAX] = {
	[SCRIPT_find] = ROW(LUA_ECHO, SHA_ECHO),
	[SCRIPT_users] = ROW(LUA_MIXED, SHA_MIXED),
	[SCRIPT_since] = ROW(LUA_LONG, SHA_LONG),
	[SCRIPT_gone] = ROW(LUA_ERROR, SHA_ERROR),
	[SCRIPT_beat] = ROW(LUA_SIZE, SHA_SIZE),
	[SCRIPT_adopt] = ROW(LUA_WORD, SHA_WORD),
};

#define PATIENCE 10000 /* ms that anything may take on a slow machine */
#define SECRET "hunter2-very-secret"

static uv_loop_t loop;
static char dir[] = "/tmp/palaver-test-XXXXXX";
static char sock[64], port_text[8] = "0";
static pid_t redis;
static struct conf conf;

/* ---- the server ---- */

/* Starts a program without output. */
static pid_t
spawn(const char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		/* A server does not outlive a test that broke off. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int null = open("/dev/null", O_RDWR);

		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static int
reap(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CLI(...) cli((const char *const[]){ "redis-cli", "-s", sock, __VA_ARGS__, \
	NULL })

static bool
cli(const char *const argv[])
{
	return reap(spawn(argv)) == 0;
}

/* without_auth: the server does not know the command AUTH. */
static bool
redis_start(bool without_auth)
{
	uint64_t end = clock_ms() + PATIENCE;

	redis = spawn((const char *const[]){ "redis-server", "--port", port_text,
	    "--bind", "127.0.0.1", "--unixsocket", sock, "--save", "",
	    "--appendonly", "no", "--dir", dir,
	    without_auth ? "--rename-command" : NULL, "AUTH", "", NULL });
	while (clock_ms() < end) {
		if (access(sock, F_OK) == 0 && CLI("PING"))
			return true;
		if (waitpid(redis, NULL, WNOHANG) == redis)
			break;
		usleep(10000);
	}
	redis = 0;
	return false;
}

static void
redis_kill(void)
{
	if (redis > 0) {
		kill(redis, SIGKILL);
		reap(redis);
	}
	redis = 0;
	unlink(sock);
}

static void
cleanup(void)
{
	redis_kill();
	rmdir(dir);
}

static void
pick_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, n) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		snprintf(port_text, sizeof(port_text), "%u",
		    (unsigned)ntohs(a.sin_port));
	close(fd);
}

/* ---- turning the loop ---- */

static uv_timer_t alarm_timer;

static void
on_alarm(uv_timer_t *t)
{
	(void)t;
}

/* Turns the loop until *what reaches at_least; false when patience ends. */
static bool
until(const int *what, int at_least, unsigned ms)
{
	uint64_t end = clock_ms() + ms;

	uv_timer_start(&alarm_timer, on_alarm, 5, 5);
	while (*what < at_least && clock_ms() < end)
		uv_run(&loop, UV_RUN_ONCE);
	uv_timer_stop(&alarm_timer);
	return *what >= at_least;
}

static void
turn(unsigned ms)
{
	static const int never;

	until(&never, 1, ms);
}

/* ---- calls ---- */

struct result {
	int done;
	enum store_status status;
	size_t n;
	char text[512]; /* elements with '|' between; nil is '-' */
	uint64_t at;
};

static struct store *store;
static int ready_count;
static bool inside; /* of store_eval */
static bool was_inside;

static void
on_answer(void *arg, enum store_status status, const struct answer *a)
{
	struct result *r = arg;
	size_t at = 0;

	was_inside |= inside;
	r->done++;
	r->status = status;
	r->n = a->n;
	r->at = clock_ms();
	r->text[0] = '\0';
	for (size_t i = 0; i < a->n && at < sizeof(r->text) - 1; i++)
		at += (size_t)snprintf(r->text + at, sizeof(r->text) - at,
		    "%s%.*s", i == 0 ? "" : "|",
		    a->v[i].p == NULL ? 1 : (int)a->v[i].n,
		    a->v[i].p == NULL ? "-" : a->v[i].p);
}

static void
begin(struct result *r, enum script script, struct span arg, unsigned timeout)
{
	memset(r, 0, sizeof(*r));
	inside = true;
	store_eval(store, script, &arg, 1, timeout, on_answer, r);
	inside = false;
}

static struct result
run(enum script script, const char *arg)
{
	struct result r;

	begin(&r, script, span_of(arg), PATIENCE);
	if (!until(&r.done, 1, 2 * PATIENCE))
		abort(); /* r would be written to later */
	return r;
}

static bool freeze_when_ready;

static void
on_store_ready(void *arg)
{
	(*(int *)arg)++;
	if (freeze_when_ready)
		kill(redis, SIGSTOP);
}

/* Waits until the store is up; the count of its coming up before is from. */
static bool
back(int from)
{
	return until(&ready_count, from + 1, PATIENCE);
}

static void
store_open(void)
{
	ready_count = 0;
	store = store_new(&loop, &conf);
	store_on_ready(store, on_store_ready, &ready_count);
}

static void
store_close(void)
{
	struct store *s = store;

	store = NULL; /* callbacks look at it */
	store_free(s);
}

static void
test_calls(void)
{
	static const char binary[] = { 'a', '\0', '\r', '\n', '*', '\xff' };
	struct result r;
	bool hex = true;

	begin(&r, SCRIPT_find, SPAN("first"), PATIENCE);
	ok(!store_ready(store), "a call before the connection is up");
	ok(until(&r.done, 1, PATIENCE) && r.status == STORE_OK && r.n == 2,
	    "waits for it and is answered");
	for (int i = 0; i < 8; i++)
		hex = hex && strchr("0123456789abcdef", r.text[i]) != NULL;
	ok(hex && strcmp(r.text + 8, "|first") == 0, "node, then argument");
	begin(&r, SCRIPT_find, (struct span){ binary, 6 }, PATIENCE);
	ok(until(&r.done, 1, PATIENCE) && r.n == 2 &&
	    r.text[8] == '|' && r.text[9] == 'a', "any bytes as argument");
	r = run(SCRIPT_users, "");
	ok(r.status == STORE_OK && strcmp(r.text, "1|a|2|-|s|-3") == 0,
	    "a mixed answer is flattened: %s", r.text);
	r = run(SCRIPT_since, "4096");
	ok(r.status == STORE_OK && r.n == ANSWER_MAX &&
	    strncmp(r.text, "1000001|1000002|", 16) == 0,
	    "ANSWER_MAX integers");
	r = run(SCRIPT_since, "4097");
	ok(r.status == STORE_FAULT && r.n == 0, "one more is a fault");
	r = run(SCRIPT_adopt, "");
	ok(r.status == STORE_FAULT, "so is what is no array");
	r = run(SCRIPT_gone, "ERR mine");
	ok(r.status == STORE_FAULT, "so is an error");
}

static void
test_away(void)
{
	static const char *const stays[] = { "OOM a", "NOREPLICAS a",
		"MISCONF a", "BUSY a" };
	static const char *const drops[] = { "READONLY a", "MASTERDOWN a",
		"LOADING a", "NOAUTH a",
		"ERR Error running script: @user_script:1: -READONLY a" };
	struct result r;
	int before = ready_count;

	for (size_t i = 0; i < sizeof(stays) / sizeof(*stays); i++) {
		r = run(SCRIPT_gone, stays[i]);
		ok(r.status == STORE_AWAY && store_ready(store), "%s",
		    stays[i]);
	}
	for (size_t i = 0; i < sizeof(drops) / sizeof(*drops); i++) {
		before = ready_count;
		r = run(SCRIPT_gone, drops[i]);
		ok(r.status == STORE_AWAY && back(before),
		    "%s, and connects anew", drops[i]);
	}
	before = ready_count;
	begin(&r, SCRIPT_beat, SPAN("6000000"), PATIENCE);
	ok(until(&r.done, 1, PATIENCE) && r.status != STORE_OK && r.n == 0,
	    "an answer above LIMIT_REPLY is refused");
	ok(store_ready(store) || back(before), "and the connection serves on");
}

static void
test_noscript(void)
{
	struct result r[3];

	run(SCRIPT_find, "x");
	ok(CLI("SCRIPT", "FLUSH"), "scripts are flushed");
	for (int i = 0; i < 3; i++)
		begin(&r[i], SCRIPT_find, i == 0 ? SPAN("0") : i == 1 ?
		    SPAN("1") : SPAN("2"), PATIENCE);
	ok(until(&r[0].done, 1, PATIENCE) && until(&r[1].done, 1, PATIENCE) &&
	    until(&r[2].done, 1, PATIENCE), "three calls at once");
	ok(r[0].text[9] == '0' && r[1].text[9] == '1' && r[2].text[9] == '2',
	    "each has its own answer");
	ok(CLI("CONFIG", "RESETSTAT"), "counts from here");
	run(SCRIPT_find, "x");
	ok(reap(spawn((const char *const[]){ "sh", "-c", "redis-cli -s \"$0\" INFO"
	    " commandstats | grep -q cmdstat_evalsha: && ! redis-cli -s \"$0\""
	    " INFO commandstats | grep -q cmdstat_eval:", sock, NULL })) == 0,
	    "and the script is known by its hash again");
}

/* A caller who asks again whenever he is refused. */
static int again_count;

static void
on_again(void *arg, enum store_status status, const struct answer *a)
{
	(void)a;
	again_count++;
	if (store != NULL && status != STORE_OK && again_count < 100000)
		store_eval(store, SCRIPT_find, NULL, 0, 100, on_again, arg);
}

static void
test_outage(void)
{
	struct result r, late;
	uint64_t start = clock_ms();
	int before = ready_count;

	kill(redis, SIGSTOP);
	begin(&r, SCRIPT_find, SPAN("x"), 200);
	ok(until(&r.done, 1, PATIENCE) && r.status == STORE_AWAY &&
	    r.at - start >= 190 && r.at - start < 1000,
	    "a frozen Redis: away when the deadline passes (%d ms)",
	    (int)(r.at - start));
	kill(redis, SIGCONT);
	ok(back(before) && run(SCRIPT_find, "y").status == STORE_OK &&
	    r.done == 1, "and it works again, the late reply is ignored");

	redis_kill();
	start = clock_ms();
	begin(&late, SCRIPT_find, SPAN("x"), 500);
	ok(until(&late.done, 1, PATIENCE) && late.status == STORE_AWAY &&
	    late.at - start < 700, "a killed Redis: away in time");
	turn(300);
	ok(!store_ready(store), "it is not ready");
	start = clock_ms();
	begin(&r, SCRIPT_find, SPAN("x"), PATIENCE);
	ok(until(&r.done, 1, PATIENCE) && r.status == STORE_AWAY &&
	    r.at - start < 500, "known to be away, a call fails at once");
	store_eval(store, SCRIPT_find, NULL, 0, 100, on_again, NULL);
	turn(300);
	ok(again_count > 0 && again_count < 1000,
	    "who asks again at once does not stop the loop (%d)", again_count);
	before = ready_count;
	again_count = 100000;
	ok(redis_start(false), "it is started again");
	freeze_when_ready = true; /* no answer before the next look */
	for (start = clock_ms(); ready_count == before &&
	    clock_ms() - start < PATIENCE;) {
		store_eval(store, SCRIPT_find, NULL, 0, 100, on_again, NULL);
		turn(1);
	}
	freeze_when_ready = false;
	turn(100);
	kill(redis, SIGCONT);
	ok(ready_count == before + 1 && store_ready(store), "found, and not lost again by calls"
	    " that came too early (%d)", ready_count - before);
	ok(run(SCRIPT_find, "z").status == STORE_OK, "and works");
	ok(!was_inside, "no callback came from inside store_eval");
}

static void
on_closing(void *arg, enum store_status status, const struct answer *a)
{
	on_answer(arg, status, a);
	if (store != NULL)
		store_close();
}

static void
test_closing(void)
{
	struct result r[3] = { 0 };

	store_open();
	back(0);
	for (int i = 0; i < 3; i++)
		store_eval(store, SCRIPT_find, NULL, 0, PATIENCE, on_answer,
		    &r[i]);
	store_close();
	ok(r[0].done == 1 && r[1].done == 1 && r[2].done == 1 &&
	    r[2].status == STORE_AWAY, "store_free answers what is pending");
	memset(r, 0, sizeof(r));
	store_open();
	for (int i = 0; i < 3; i++)
		store_eval(store, SCRIPT_find, NULL, 0, PATIENCE, on_closing,
		    &r[i]);
	ok(until(&r[2].done, 1, PATIENCE) && r[0].status == STORE_OK &&
	    r[2].status == STORE_AWAY, "it may be called by a callback");
	kill(redis, SIGSTOP);
	memset(r, 0, sizeof(r));
	store_open();
	for (int i = 0; i < 3; i++)
		store_eval(store, SCRIPT_find, NULL, 0, 100, on_closing,
		    &r[i]);
	ok(until(&r[2].done, 1, PATIENCE) && r[0].done == 1 && r[1].done == 1,
	    "also by one whose deadline passed");
	kill(redis, SIGCONT);
}

/* ---- who may come in ---- */

static int log_fd, saved_stderr;

static void
capture(void)
{
	char path[] = "/tmp/palaver-log-XXXXXX";

	log_fd = mkstemp(path);
	unlink(path);
	saved_stderr = dup(STDERR_FILENO);
	dup2(log_fd, STDERR_FILENO);
}

/* Ends it; whether needle was logged. */
static bool
captured(const char *needle)
{
	static char text[65536];
	ssize_t n = pread(log_fd, text, sizeof(text) - 1, 0);

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(log_fd);
	text[n < 0 ? 0 : n] = '\0';
	return strstr(text, needle) != NULL;
}

static char user[] = "limited", password[] = SECRET, wrong[] = SECRET "!";

static void
test_greeting(void)
{
	struct result r;
	char host[] = "localhost", *path = conf.redis.path;
	int before;

	ok(CLI("ACL", "SETUSER", user, "on", ">" SECRET, "~*", "&*", "+@all",
	    "-info"), "a user who may not INFO");
	conf.redis.user = user;
	conf.redis.password = password;
	conf.redis.db = 3;
	capture();
	store_open();
	r = run(SCRIPT_find, "x");
	ok(r.status == STORE_OK && strcmp(r.text, "00000000|x") == 0,
	    "has no node, but works");
	CLI("CLIENT", "KILL", "TYPE", "normal");
	before = ready_count;
	ok(back(before), "and comes back");
	store_close();
	conf.redis.password = wrong;
	store_open();
	begin(&r, SCRIPT_find, SPAN("x"), 300);
	ok(until(&r.done, 1, PATIENCE) && r.status == STORE_AWAY &&
	    ready_count == 0, "a wrong password");
	store_close();
	turn(50);
	ok(!captured(SECRET), "is not logged");
	conf.redis.user = NULL;
	conf.redis.password = NULL;
	conf.redis.db = 0;
	conf.redis.path = NULL;
	conf.redis.host = host;
	conf.redis.port = atoi(port_text);
	store_open();
	ok(run(SCRIPT_find, "x").status == STORE_OK, "TCP, and a host's name");
	store_close();
	conf.redis.host = NULL;
	conf.redis.path = path;

	redis_kill();
	ok(redis_start(true), "a Redis without AUTH");
	conf.redis.password = password;
	capture();
	store_open();
	begin(&r, SCRIPT_find, SPAN("x"), 300);
	until(&r.done, 1, PATIENCE);
	store_close();
	turn(50);
	ok(!captured(SECRET), "whose complaint is not logged as it is");
	conf.redis.password = NULL;
	redis_kill();
	redis_start(false);
}

/* ---- feed ---- */

static struct feed *feed;
static int subscribed, messages, lost;
static char last_channel[64], last_message[64];

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
	ok(until(&subscribed, 5007, PATIENCE), "and followed again");
	feed_free(feed);
}

static void
test_refused(void)
{
	struct feed_handler h = { on_subscribed, on_message, on_lost, NULL };

	CLI("ACL", "SETUSER", "narrow", "on", ">" SECRET, "~*", "resetchannels",
	    "+@all");
	conf.redis.user = (char[]){ "narrow" };
	conf.redis.password = password;
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

/* ---- hashing ---- */

static struct hashing *hashing;
static int hashed, hash_good, dropped_called;
static char made[HASH_LEN];

static void
on_hash(void *arg, bool good, const char *hash)
{
	(void)arg;
	hashed++;
	hash_good += good;
	if (hash != NULL)
		snprintf(made, sizeof(made), "%s", hash);
}

static void
on_dropped(void *arg, bool good, const char *hash)
{
	(void)arg;
	(void)good;
	(void)hash;
	dropped_called++;
}

static void
test_hashing(void)
{
	int accepted = 0;

	hashing = hashing_new(&loop, COST_MINIMAL);
	ok(hashing_run(hashing, SPAN("pass\0word"), NULL, on_hash, NULL) &&
	    until(&hashed, 1, PATIENCE) && hash_good == 1 &&
	    strncmp(made, "$argon2id$", 10) == 0, "a hash");
	hashing_run(hashing, SPAN("pass\0word"), made, on_hash, NULL);
	ok(until(&hashed, 2, PATIENCE) && hash_good == 2, "it fits");
	hashing_run(hashing, SPAN("pass\0worD"), made, on_hash, NULL);
	ok(until(&hashed, 3, PATIENCE) && hash_good == 2, "another does not");
	hashing_run(hashing, SPAN("x"), "no hash", on_hash, NULL);
	ok(until(&hashed, 4, PATIENCE) && hash_good == 2, "nor with no hash");
	hashing_free(hashing);
	hashing = hashing_new(&loop, COST_MODERATE);
	while (accepted < 200 && hashing_run(hashing, SPAN("x"), NULL,
	    on_dropped, NULL))
		accepted++;
	ok(accepted >= 64 && accepted < 200, "the queue is bounded (%d)",
	    accepted);
	hashing_free(hashing);
	turn(50);
	ok(dropped_called == 0, "what was dropped is not called back");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (reap(spawn((const char *const[]){ "redis-server", "--version",
	    NULL })) != 0) {
		printf("1..0 # SKIP no redis-server\n");
		return 77;
	}
	if (mkdtemp(dir) == NULL)
		return 1;
	atexit(cleanup);
	snprintf(sock, sizeof(sock), "%s/sock", dir);
	pick_port();
	conf.redis.path = sock;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &alarm_timer);
	ok(redis_start(false), "Redis runs");
	store_open();
	test_calls();
	test_away();
	test_noscript();
	test_outage();
	store_close();
	test_closing();
	test_greeting();
	test_feed();
	test_refused();
	test_hashing();
	uv_close((uv_handle_t *)&alarm_timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	ok(uv_loop_close(&loop) == 0, "nothing is left on the loop");
	return tap_end();
}
