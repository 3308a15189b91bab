/* SPDX-License-Identifier: MIT */
/* The store: calls, what Redis may answer, outages. */
#include "store.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "limit.h"
#include "redis.h"
#include "resp.h"
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
#define LUA_SCHEMA "return {'OK', ARGV[4]}" /* it is always ours */
#define SHA_SCHEMA "6fd13943120f963693d778865748e072756d679f", \
	"3fb375ef69039a234615ca579a12cb3c9286c07c"
#define ROW(body, ...) { body, "#!lua\n" body, body, __VA_ARGS__ }

const struct script_text script_texts[SCRIPT_MAX] = {
	[SCRIPT_find] = ROW(LUA_ECHO, SHA_ECHO),
	[SCRIPT_users] = ROW(LUA_MIXED, SHA_MIXED),
	[SCRIPT_since] = ROW(LUA_LONG, SHA_LONG),
	[SCRIPT_gone] = ROW(LUA_ERROR, SHA_ERROR),
	[SCRIPT_beat] = ROW(LUA_SIZE, SHA_SIZE),
	[SCRIPT_adopt] = ROW(LUA_WORD, SHA_WORD),
	[SCRIPT_schema] = ROW(LUA_SCHEMA, SHA_SCHEMA),
};

struct result {
	int done;
	enum store_status status;
	size_t n;
	char text[512]; /* elements with '|' between */
	uint64_t at;
	int turn; /* among those answered */
};

static struct store *store;
static int ready_count;
static bool inside; /* of store_eval */
static bool was_inside;
static int answered;
static bool terminated = true; /* each word of each answer */

static void
on_answer(void *arg, enum store_status status, const struct answer *a)
{
	struct result *r = arg;
	size_t at = 0;

	was_inside |= inside;
	r->done++;
	r->turn = ++answered;
	r->status = status;
	r->n = a->n;
	r->at = clock_ms();
	r->text[0] = '\0';
	for (size_t i = 0; i < a->n; i++)
		terminated = terminated && a->v[i].p[a->v[i].n] == '\0';
	for (size_t i = 0; i < a->n && at < sizeof(r->text) - 1; i++)
		at += (size_t)snprintf(r->text + at, sizeof(r->text) - at,
		    "%s%.*s", i == 0 ? "" : "|",
		    (int)a->v[i].n, a->v[i].p);
}

static void
begin(struct result *r, enum script script, struct span arg, unsigned timeout)
{
	struct buf word = { 0 };

	memset(r, 0, sizeof(*r));
	resp_word(&word, arg);
	inside = true;
	store_eval(store, script, buf_peek(&word), 1, timeout, on_answer, r);
	inside = false;
	buf_clear(&word);
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
	ok(r.status == STORE_OK && strcmp(r.text, "1|a|2||s|-3") == 0,
	    "a mixed answer is flattened: %s", r.text);
	ok(terminated, "a NUL stands behind each word");
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
	begin(&r, SCRIPT_beat, SPAN("20000000"), PATIENCE);
	ok(until(&r.done, 1, PATIENCE) && r.status != STORE_OK && r.n == 0,
	    "an answer above LIMIT_REPLY is refused");
	ok(store_ready(store) || back(before), "and the connection serves on");
}

static void
test_no_memory(void)
{
	struct span more = { "x", SIZE_MAX / 2 }; /* than there ever is */
	struct result r = { 0 };
	struct call c = { .script = SCRIPT_find };

	call_arg(&c, more);
	ok(!call_send(&c, store, PATIENCE, on_answer, &r),
	    "without memory a call is refused");
	call_clear(&c);
	ok(run(SCRIPT_find, "x").status == STORE_OK && r.done == 0,
	    "never called back, and the next one works");
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
	ok(redis_shell("redis-cli -s \"$0\" INFO commandstats |"
	    " grep -q cmdstat_evalsha: && ! redis-cli -s \"$0\""
	    " INFO commandstats | grep -q cmdstat_eval:"),
	    "and the script is known by its hash again");
}

/* Calls of several scripts back to back; some of these are known to Redis, or
 * become so while the calls are on their way. */
static void
test_order(void)
{
	static const enum script scripts[] = { SCRIPT_find, SCRIPT_users,
		SCRIPT_since, SCRIPT_users };
	enum { CALLS = 64 };
	struct result r[CALLS];
	int broken = 0;

	for (int round = 0; round < 40; round++) {
		CLI("SCRIPT", "FLUSH");
		if (round % 2 == 0) /* one is known, the others are not */
			run(SCRIPT_users, "1");
		answered = 0;
		for (int i = 0; i < CALLS; i++) {
			begin(&r[i], scripts[i % 4], SPAN("1"), PATIENCE);
			if (i % 8 == round % 8)
				uv_run(&loop, UV_RUN_NOWAIT);
			if (i == round)
				CLI("SCRIPT", "FLUSH");
		}
		for (int i = 0; i < CALLS; i++)
			if (!until(&r[i].done, 1, 2 * PATIENCE))
				abort();
		for (int i = 0; i < CALLS; i++)
			broken += r[i].status != STORE_OK ||
			    r[i].turn != i + 1;
	}
	ok(broken == 0, "calls are carried out in order while scripts are lost");
}

/* A caller who asks again whenever he is refused. */
static int again_count;

static void
on_again(void *arg, enum store_status status, const struct answer *a)
{
	(void)a;
	again_count++;
	if (store != NULL && status != STORE_OK && again_count < 100000)
		store_eval(store, SCRIPT_find, SPAN(""), 0, 100, on_again, arg);
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
	store_eval(store, SCRIPT_find, SPAN(""), 0, 100, on_again, NULL);
	turn(300);
	ok(again_count > 0 && again_count < 1000,
	    "who asks again at once does not stop the loop (%d)", again_count);
	before = ready_count;
	again_count = 100000;
	ok(redis_start(false), "it is started again");
	freeze_when_ready = true; /* no answer before the next look */
	for (start = clock_ms(); ready_count == before &&
	    clock_ms() - start < PATIENCE;) {
		store_eval(store, SCRIPT_find, SPAN(""), 0, 100, on_again, NULL);
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
		store_eval(store, SCRIPT_find, SPAN(""), 0, PATIENCE, on_answer,
		    &r[i]);
	store_close();
	ok(r[0].done == 1 && r[1].done == 1 && r[2].done == 1 &&
	    r[2].status == STORE_AWAY, "store_free answers what is pending");
	memset(r, 0, sizeof(r));
	store_open();
	for (int i = 0; i < 3; i++)
		store_eval(store, SCRIPT_find, SPAN(""), 0, PATIENCE, on_closing,
		    &r[i]);
	ok(until(&r[2].done, 1, PATIENCE) && r[0].status == STORE_OK &&
	    r[2].status == STORE_AWAY, "it may be called by a callback");
	kill(redis, SIGSTOP);
	memset(r, 0, sizeof(r));
	store_open();
	for (int i = 0; i < 3; i++)
		store_eval(store, SCRIPT_find, SPAN(""), 0, 100, on_closing,
		    &r[i]);
	ok(until(&r[2].done, 1, PATIENCE) && r[0].done == 1 && r[1].done == 1,
	    "also by one whose deadline passed");
	kill(redis, SIGCONT);
}

int
main(void)
{
	redis_begin();
	store_open();
	test_calls();
	test_away();
	test_no_memory();
	test_noscript();
	test_order();
	test_outage();
	store_close();
	test_closing();
	ok(redis_end(), "nothing is left on the loop");
	return tap_end();
}
