/* SPDX-License-Identifier: MIT */
/* Floods and addresses: what a bridge counts by itself. */
#include "flood.h"

#include "address.h"
#include "tap.h"

static struct flood f;
static unsigned wait;

/* How many of n requests at now get that verdict. */
static unsigned
count(unsigned n, uint64_t now, struct rate rate, enum flood_verdict v)
{
	unsigned of = 0;

	for (unsigned i = 0; i < n; i++)
		of += flood_count(&f, &rate, now, &wait) == v;
	return of;
}

static void
test_flood(void)
{
	struct rate rate = { 10, 5 }, none = { 0, 1 }, fast = { 1000000, 1 },
	    slow = { 1, 86400 };
	unsigned passed = 0, other = 0;

	ok(count(10, 1000, rate, FLOOD_PASS) == 10, "a burst of the rate");
	ok(count(1, 1000, rate, FLOOD_REFUSE) == 1 && wait == 1,
	    "one more is refused, and passes in a second");
	ok(count(1, 1499, rate, FLOOD_REFUSE) == 1, "not before");
	ok(count(1, 1500, rate, FLOOD_PASS) == 1, "half a second is one");
	ok(count(8, 1500, rate, FLOOD_REFUSE) == 8, "the rate once more");
	ok(count(3, 1500, rate, FLOOD_CLOSE) >= 2, "beyond twice it is over");
	f = (struct flood){ 0 };
	for (uint64_t now = 1000; now < 61000; now += 500) {
		passed += flood_count(&f, &rate, now, &wait) == FLOOD_PASS;
		other += flood_count(&f, &rate, now, &wait) == FLOOD_CLOSE;
	}
	ok(passed >= 120 - 1 && other == 0,
	    "who asks at twice the rate gets half of it, and stays");
	f = (struct flood){ 0 };
	ok(count(100000, 1, none, FLOOD_PASS) == 100000, "no rate, no limit");
	ok(count(1, 1, slow, FLOOD_PASS) == 1 &&
	    count(1, 1, slow, FLOOD_REFUSE) == 1 && wait == 86400,
	    "one a day: the wait is a day");
	f = (struct flood){ 0 };
	ok(count(1000000, 7, fast, FLOOD_PASS) == 1000000 &&
	    count(1, 7, fast, FLOOD_REFUSE) == 1 && wait == 1,
	    "a million a second");
	f = (struct flood){ 0 };
	count(30, 1000, rate, FLOOD_PASS);
	ok(count(10, 11000, rate, FLOOD_PASS) == 10, "time forgives");
}

static struct client
number(unsigned i)
{
	struct client c = { .shared = false };

	snprintf(c.key, sizeof(c.key), "10.%u.%u.%u", i >> 16, i >> 8 & 255,
	    i & 255);
	return c;
}

static void
test_addresses(void)
{
	struct addresses a = { 0 };
	struct client one = number(1), two = number(2), c;
	bool good = true;

	ok(address_count(&a, &one) == 0, "nobody");
	ok(address_add(&a, &one) && address_add(&a, &one) &&
	    address_count(&a, &one) == 2 && address_count(&a, &two) == 0,
	    "each address by itself");
	address_drop(&a, &two);
	ok(a.n == 1, "one that is not there is fine");
	address_drop(&a, &one);
	ok(address_count(&a, &one) == 1, "one less");
	address_drop(&a, &one);
	ok(address_count(&a, &one) == 0 && a.n == 0 && a.tree == NULL,
	    "nothing is kept of who has left");
	for (unsigned i = 0; i < 20000; i++) {
		c = number(i);
		good = good && address_add(&a, &c);
	}
	for (unsigned i = 0; i < 20000; i++) {
		c = number(i * 7919 % 20000);
		good = good && address_count(&a, &c) == 1;
		address_drop(&a, &c);
	}
	ok(good && a.n == 0 && a.tree == NULL, "20000 addresses");
}

int
main(void)
{
	test_flood();
	test_addresses();
	return tap_end();
}
