/* SPDX-License-Identifier: MIT */
#include "records.h"

#include "tap.h"

static void
add(struct buf *b, int type, int id, const char *content, size_t n)
{
	char h[8] = { 1, (char)type, (char)(id >> 8), (char)id, (char)(n >> 8),
		(char)n, 0, 0 };

	buf_add(b, h, 8);
	buf_add(b, content, n);
}

static enum records
scan(const struct buf *b, struct records_request *r)
{
	return records_scan(b->p, b->n, r);
}

int
main(void)
{
	static const char begin[8] = { 0, 1, 1 };
	struct records_request r;
	struct buf b = { 0 };
	bool partial = true;

	add(&b, 1, 1, begin, 8);
	add(&b, 4, 1, "\1\1ab", 4);
	add(&b, 4, 1, "", 0);
	add(&b, 5, 1, "hello", 5);
	add(&b, 5, 1, "", 0);
	ok(scan(&b, &r) == RECORDS_COMPLETE && r.size == b.n && r.keep &&
	    r.body == 5 && r.id == 1, "a whole request");
	for (size_t n = 0; n < b.n; n++)
		partial = partial &&
		    records_scan(b.p, n, &r) == RECORDS_PARTIAL;
	ok(partial, "cut at each byte it is partial");
	buf_str(&b, "more");
	ok(scan(&b, &r) == RECORDS_COMPLETE && r.size == b.n - 4,
	    "what follows is not part of it");
	b.p[0] = 2;
	ok(scan(&b, &r) == RECORDS_BROKEN, "another version");
	buf_reset(&b);
	add(&b, 4, 1, "", 0);
	ok(scan(&b, &r) == RECORDS_BROKEN, "parameters before the beginning");
	buf_reset(&b);
	add(&b, 9, 0, "", 0);
	ok(scan(&b, &r) == RECORDS_BROKEN, "a management record");
	buf_reset(&b);
	add(&b, 1, 1, begin, 8);
	add(&b, 4, 2, "", 0);
	ok(scan(&b, &r) == RECORDS_BROKEN, "another request between");
	buf_reset(&b);
	add(&b, 1, 1, begin, 8);
	for (int i = 0; i < 3; i++) {
		static char much[30000];

		add(&b, 4, 1, much, sizeof(much));
	}
	ok(scan(&b, &r) == RECORDS_BROKEN, "too many parameters");
	buf_reset(&b);
	records_reply(&b, 258, SPAN("text"));
	ok(b.n == 8 + 4 + 8 + 8 + 8 && b.p[2] == 1 && b.p[3] == 2 &&
	    memcmp(b.p + 8, "text", 4) == 0, "a reply");
	buf_clear(&b);
	return tap_end();
}
