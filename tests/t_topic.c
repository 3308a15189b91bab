/* SPDX-License-Identifier: MIT */
/* What a topic keeps for the polls that wait, and events as published. */
#include "event.h"
#include "tap.h"
#include "topic.h"

static bool
splits(const char *text)
{
	struct event e;

	return event_split(span_of(text), &e);
}

static bool
holds(const struct topic *t, uint64_t first, uint64_t last)
{
	return t->first == first && t->last == last;
}

int
main(void)
{
	struct topic *t = topic_new("g");
	struct topic_link a = { .seq = 1 }, b = { .seq = 2 };
	struct event e;
	char text[EPOCH_MAX], big[TOPIC_BYTES / 4];

	ok(event_split(SPAN("6b04f 12 {\"a\": 1}"), &e) &&
	    span_is(e.epoch, "6b04f") && e.seq == 12 &&
	    span_is(e.text, "{\"a\": 1}"), "an event is split at two spaces");
	ok(event_split(SPAN("a 1 "), &e) && e.text.n == 0, "its text may be empty");
	ok(!splits("") && !splits("a") && !splits("a 1") && !splits(" 1 x") &&
	    !splits("a  x") && !splits("- 0 poll x") && !splits("a 0 x") &&
	    !splits("a -1 x") && !splits("a 1234567890123456 x") &&
	    !splits("xyz 1 x") && !splits("aaaaaaaaaaaaaaaaaaaaaaaa 1 x"),
	    "what is none is refused");

	ok(topic_epoch(SPAN("6b04f3a")) == 0x6b04f3a, "an epoch's number");
	topic_epoch_text(0x6b04f3a, text);
	ok(strcmp(text, "6b04f3a") == 0, "and back");
	ok(topic_epoch(SPAN("")) == 0 && topic_epoch(SPAN("0a")) == 0 &&
	    topic_epoch(SPAN("xyz")) == 0 &&
	    topic_epoch(SPAN("1234567890123456")) == 0, "none of ours is 0");

	ok(topic_add(t, 5, 7, SPAN("seven")) && holds(t, 7, 7) &&
	    span_is(topic_at(t, 7), "seven"), "the first event");
	ok(topic_reaches(t, 5, 6) && topic_reaches(t, 5, 7) &&
	    !topic_reaches(t, 5, 5) && !topic_reaches(t, 4, 6),
	    "who stands before it is reached, in its epoch");
	ok(!topic_add(t, 5, 7, SPAN("again")) && !topic_add(t, 5, 3,
	    SPAN("old")) && holds(t, 7, 7), "what comes twice is no news");
	ok(topic_add(t, 5, 8, SPAN("eight")) && holds(t, 7, 8), "the next");
	ok(topic_add(t, 5, 11, SPAN("eleven")) && holds(t, 11, 11) &&
	    !topic_reaches(t, 5, 8), "behind a hole it begins anew");
	ok(topic_add(t, 6, 12, SPAN("twelve")) && holds(t, 12, 12) &&
	    t->epoch == 6, "and in another epoch");
	ok(!topic_add(t, 0, 13, SPAN("x")) && !topic_add(t, 6, 0, SPAN("x")),
	    "an event without a place is none");
	for (uint64_t q = 13; q < 13 + 2 * TOPIC_EVENTS; q++)
		topic_add(t, 6, q, SPAN("x"));
	ok(t->last - t->first + 1 == TOPIC_EVENTS, "bounded in number");
	memset(big, 'x', sizeof(big));
	for (int i = 0; i < 9; i++)
		topic_add(t, 6, t->last + 1, (struct span){ big, sizeof(big) });
	ok(t->bytes <= TOPIC_BYTES && t->last - t->first + 1 == 4,
	    "and in bytes");
	topic_reset(t, 7, 99);
	ok(holds(t, 100, 99) && t->bytes == 0, "reset it keeps nothing");

	topic_link(t, &a);
	topic_link(t, &b);
	ok(t->nlinks == 2 && t->links == &b && b.next == &a, "two follow it");
	topic_unlink(&a);
	ok(t->nlinks == 1 && t->links == &b && b.next == NULL &&
	    a.topic == NULL, "one");
	topic_unlink(&b);
	ok(t->nlinks == 0 && t->links == NULL, "none");
	topic_free(t);
	return tap_end();
}
