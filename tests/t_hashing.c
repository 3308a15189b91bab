/* SPDX-License-Identifier: MIT */
/* Passwords, hashed off the loop. */
#include "hashing.h"

#include <string.h>

#include "redis.h"
#include "tap.h"

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

static int order[HASHING_QUEUE_MAX], norder;

static void
on_turn(void *arg, bool good, const char *hash)
{
	(void)good;
	(void)hash;
	order[norder++] = *(char *)arg;
}

/* The queue begins behind one that runs or waits already. */
static void
test_turns(void)
{
	static char many[] = "m", one[] = "o", two[] = "t";
	int accepted = 0, last_of_others = 0;

	hashing = hashing_new(&loop, COST_INTERACTIVE);
	while (hashing_run(hashing, "192.0.2.1", SPAN("x"), NULL, on_turn,
	    many))
		accepted++;
	ok(accepted >= HASHING_OWN_MAX && accepted <= HASHING_OWN_MAX +
	    HASHING_THREADS_MAX, "of one owner few wait (%d)", accepted);
	ok(hashing_run(hashing, "192.0.2.2", SPAN("x"), NULL, on_turn, one) &&
	    hashing_run(hashing, "192.0.2.3", SPAN("x"), NULL, on_turn, two) &&
	    hashing_run(hashing, "", SPAN("x"), NULL, on_turn, two),
	    "others find room");
	ok(until(&norder, accepted + 3, 3 * PATIENCE), "all are hashed");
	for (int i = 0; i < norder; i++)
		if (order[i] != *many)
			last_of_others = i;
	ok(last_of_others <= HASHING_THREADS_MAX + 5 &&
	    last_of_others < accepted, "and do not wait behind them (%d of %d)",
	    last_of_others, norder);
	hashing_free(hashing);
	turn(50);
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
	ok(hashing_run(hashing, "", SPAN("pass\0word"), NULL, on_hash, NULL) &&
	    until(&hashed, 1, PATIENCE) && hash_good == 1 &&
	    strncmp(made, "$argon2id$", 10) == 0, "a hash");
	hashing_run(hashing, "", SPAN("pass\0word"), made, on_hash, NULL);
	ok(until(&hashed, 2, PATIENCE) && hash_good == 2, "it fits");
	hashing_run(hashing, "", SPAN("pass\0worD"), made, on_hash, NULL);
	ok(until(&hashed, 3, PATIENCE) && hash_good == 2, "another does not");
	hashing_run(hashing, "", SPAN("x"), "no hash", on_hash, NULL);
	ok(until(&hashed, 4, PATIENCE) && hash_good == 2, "nor with no hash");
	hashing_free(hashing);
	hashing = hashing_new(&loop, COST_MODERATE);
	while (accepted < 200 && hashing_run(hashing, "", SPAN("x"), NULL,
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
	redis_begin();
	test_hashing();
	test_turns();
	ok(redis_end(), "nothing is left on the loop");
	return tap_end();
}
